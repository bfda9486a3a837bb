"""What reproduces the two papers: figures, tables, statements, and the inference of a cycle."""
