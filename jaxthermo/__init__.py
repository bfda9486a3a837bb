"""jaxthermo: GPU-accelerated, differentiable thermodynamics far from equilibrium."""

import importlib
from types import ModuleType

from jaxthermo import brownian, jumps, potts, protocols, scans, search
from jaxthermo._status import Status
from jaxthermo.brownian import (
    AbstractBath,
    AbstractPotential,
    DrudeBath,
    OhmicBath,
    PhaseGrid,
    Polynomial,
    SplitStep,
    State,
    SwitchedBaths,
    classical_oscillator,
    drive,
    equilibrium,
    grid_for,
    planck_potential,
    quantum_oscillator,
    run_cycle,
)
from jaxthermo.cache import enable_cache
from jaxthermo.jumps import JumpNetwork, bounds
from jaxthermo.potts import PottsRing
from jaxthermo.protocols import AbstractCycle, Constant, Fourier, FourierCycle, Ramp, StirlingCycle, Table
from jaxthermo.scans import scan
from jaxthermo.search import minimum_work, optimal_ramp, optimise_cycle, potentials

__version__ = "0.1.0"

__all__ = [
    "AbstractBath",
    "AbstractCycle",
    "AbstractPotential",
    "Constant",
    "DrudeBath",
    "Fourier",
    "FourierCycle",
    "JumpNetwork",
    "OhmicBath",
    "PhaseGrid",
    "Polynomial",
    "PottsRing",
    "Ramp",
    "SplitStep",
    "State",
    "Status",
    "StirlingCycle",
    "SwitchedBaths",
    "Table",
    "__version__",
    "bounds",
    "brownian",
    "classical_oscillator",
    "drive",
    "enable_cache",
    "equilibrium",
    "grid_for",
    "jumps",
    "minimum_work",
    "optimal_ramp",
    "optimise_cycle",
    "planck_potential",
    "potentials",
    "potts",
    "protocols",
    "quantum_oscillator",
    "run_cycle",
    "scan",
    "scans",
    "search",
]


def __getattr__(name: str) -> ModuleType:
    """`jt.plot`, which loads Matplotlib, is imported when it is first asked for."""
    if name == "plot":
        return importlib.import_module("jaxthermo.plot")
    raise AttributeError(f"module 'jaxthermo' has no attribute {name!r}")
