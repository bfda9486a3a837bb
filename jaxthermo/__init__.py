"""jaxthermo: GPU-accelerated, differentiable thermodynamics far from equilibrium."""

import importlib
from typing import Any

from jaxthermo import brownian as brownian
from jaxthermo import jumps as jumps
from jaxthermo import potts as potts
from jaxthermo import protocols as protocols
from jaxthermo import scans as scans
from jaxthermo import search as search
from jaxthermo._status import Status as Status
from jaxthermo.brownian import AbstractBath as AbstractBath
from jaxthermo.brownian import AbstractPotential as AbstractPotential
from jaxthermo.brownian import DrudeBath as DrudeBath
from jaxthermo.brownian import OhmicBath as OhmicBath
from jaxthermo.brownian import PhaseGrid as PhaseGrid
from jaxthermo.brownian import Polynomial as Polynomial
from jaxthermo.brownian import SplitStep as SplitStep
from jaxthermo.brownian import State as State
from jaxthermo.brownian import SwitchedBaths as SwitchedBaths
from jaxthermo.brownian import classical_oscillator as classical_oscillator
from jaxthermo.brownian import drive as drive
from jaxthermo.brownian import equilibrium as equilibrium
from jaxthermo.brownian import grid_for as grid_for
from jaxthermo.brownian import planck_potential as planck_potential
from jaxthermo.brownian import quantum_oscillator as quantum_oscillator
from jaxthermo.brownian import run_cycle as run_cycle
from jaxthermo.cache import enable_cache as enable_cache
from jaxthermo.jumps import JumpNetwork as JumpNetwork
from jaxthermo.jumps import bounds as bounds
from jaxthermo.potts import PottsRing as PottsRing
from jaxthermo.protocols import AbstractCycle as AbstractCycle
from jaxthermo.protocols import Constant as Constant
from jaxthermo.protocols import Fourier as Fourier
from jaxthermo.protocols import FourierCycle as FourierCycle
from jaxthermo.protocols import Ramp as Ramp
from jaxthermo.protocols import StirlingCycle as StirlingCycle
from jaxthermo.protocols import Table as Table
from jaxthermo.scans import scan as scan
from jaxthermo.search import minimum_work as minimum_work
from jaxthermo.search import optimal_ramp as optimal_ramp
from jaxthermo.search import optimise_cycle as optimise_cycle
from jaxthermo.search import potentials as potentials

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`jt.plot`, which loads Matplotlib, is imported when it is first asked for."""
    if name == "plot":
        return importlib.import_module("jaxthermo.plot")
    raise AttributeError(f"module 'jaxthermo' has no attribute {name!r}")
