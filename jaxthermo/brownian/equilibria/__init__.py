"""Correlated equilibria, and the quasi-static potentials that follow from them."""
