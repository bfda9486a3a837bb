"""The Brownian oscillator: Kramers and hierarchical Wigner equations, driven in temperature and field."""

from jaxthermo.brownian.automatic import depth_for as depth_for
from jaxthermo.brownian.automatic import grid_for as grid_for
from jaxthermo.brownian.automatic import resolved as resolved
from jaxthermo.brownian.bath import AbstractBath as AbstractBath
from jaxthermo.brownian.driving import drive as drive
from jaxthermo.brownian.drude import DrudeBath as DrudeBath
from jaxthermo.brownian.equilibria import equilibrium as equilibrium
from jaxthermo.brownian.grid import PhaseGrid as PhaseGrid
from jaxthermo.brownian.ohmic import OhmicBath as OhmicBath
from jaxthermo.brownian.oscillator import Oscillator as Oscillator
from jaxthermo.brownian.oscillators import classical_oscillator as classical_oscillator
from jaxthermo.brownian.oscillators import quantum_oscillator as quantum_oscillator
from jaxthermo.brownian.potential import AbstractPotential as AbstractPotential
from jaxthermo.brownian.potential import Polynomial as Polynomial
from jaxthermo.brownian.quasistatic import planck_potential as planck_potential
from jaxthermo.brownian.quasistatic import quasi_static as quasi_static
from jaxthermo.brownian.response import Correlation as Correlation
from jaxthermo.brownian.response import correlation as correlation
from jaxthermo.brownian.response import Spectrum as Spectrum
from jaxthermo.brownian.response import spectrum as spectrum
from jaxthermo.brownian.runs import DrivenRun as DrivenRun
from jaxthermo.brownian.runs import PeriodicRun as PeriodicRun
from jaxthermo.brownian.state import State as State
from jaxthermo.brownian.stationary_cycle import run_cycle as run_cycle
from jaxthermo.brownian.stepper import SplitStep as SplitStep
from jaxthermo.brownian.switched import SwitchedBaths as SwitchedBaths
