"""Tools of the documentation: docstrings as data, and what mkdocs needs to show them."""
