"""The Brownian oscillator: Kramers and hierarchical Wigner equations, driven in temperature and field."""

from jaxthermo.brownian.automatic import depth_for as depth_for
from jaxthermo.brownian.automatic import grid_for as grid_for
from jaxthermo.brownian.automatic import resolved as resolved
from jaxthermo.brownian.bath import OhmicBath as OhmicBath
from jaxthermo.brownian.bath import SwitchedBaths as SwitchedBaths
from jaxthermo.brownian.cycle import run_cycle as run_cycle
from jaxthermo.brownian.cycle import stationary_turn as stationary_turn
from jaxthermo.brownian.drive import drive as drive
from jaxthermo.brownian.drude import DrudeBath as DrudeBath
from jaxthermo.brownian.equilibria import equilibrium as equilibrium
from jaxthermo.brownian.grid import PhaseGrid as PhaseGrid
from jaxthermo.brownian.kept import state_of as state_of
from jaxthermo.brownian.oscillator import Oscillator as Oscillator
from jaxthermo.brownian.oscillator import classical_oscillator as classical_oscillator
from jaxthermo.brownian.oscillator import quantum_oscillator as quantum_oscillator
from jaxthermo.brownian.potential import Polynomial as Polynomial
from jaxthermo.brownian.quasistatic import planck_potential as planck_potential
from jaxthermo.brownian.quasistatic import quasi_static as quasi_static
from jaxthermo.brownian.state import State as State
from jaxthermo.brownian.stepper import SplitStep as SplitStep
