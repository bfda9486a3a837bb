"""Searches by gradients through solves."""
