"""Heat baths: what the hierarchy asks of one, and the Ohmic, Drude and switched ones."""
