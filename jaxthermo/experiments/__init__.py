"""Experiments: files in TOML that say what is to be scanned."""

from jaxthermo.experiments.load import Experiment as Experiment
from jaxthermo.experiments.load import load as load
