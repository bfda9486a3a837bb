"""Experiments: files in TOML that say what is to be scanned."""

from jaxthermo.experiments.experiment import Experiment, load

__all__ = [
    "Experiment",
    "load",
]
