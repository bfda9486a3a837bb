"""Koyanagi & Tanimura 2024: the thermostatic Brownian oscillator and its Stirling engine."""
