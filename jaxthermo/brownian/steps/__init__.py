"""The driven hierarchy in time: exact flows of its halves, and the split step that is made of them."""
