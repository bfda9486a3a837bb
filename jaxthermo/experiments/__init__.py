"""Experiments: files in TOML that say what is to be scanned."""

from jaxthermo.experiments.experiment import Experiment as Experiment
from jaxthermo.experiments.experiment import load as load
