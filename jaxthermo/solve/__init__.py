"""The one door to diffrax, and what is built on it: linear-stability helpers, and a detector of attractors."""
