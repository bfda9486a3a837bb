"""The Brownian oscillator: Kramers and hierarchical Wigner equations, driven in temperature and field."""

from jaxthermo.brownian.accuracy.automatic import depth_for, grid_for, resolved
from jaxthermo.brownian.bath import AbstractBath
from jaxthermo.brownian.baths.drude import DrudeBath
from jaxthermo.brownian.baths.ohmic import OhmicBath
from jaxthermo.brownian.baths.switched import SwitchedBaths
from jaxthermo.brownian.driven.driving import drive
from jaxthermo.brownian.driven.fluctuations import WorkFluctuations, work_fluctuations
from jaxthermo.brownian.driven.runs import DrivenRun, PeriodicRun
from jaxthermo.brownian.driven.stationary_cycle import run_cycle
from jaxthermo.brownian.equilibria.equilibria import equilibrium
from jaxthermo.brownian.equilibria.isentrope import isentropic_field
from jaxthermo.brownian.equilibria.quasistatic import planck_potential, quasi_static
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.oscillators import classical_oscillator, quantum_oscillator
from jaxthermo.brownian.potential import AbstractPotential, Polynomial
from jaxthermo.brownian.response import Correlation, RelaxationRates, Spectrum, correlation, relaxation_rates, spectrum
from jaxthermo.brownian.states.density_matrix import density_matrix, von_neumann_entropy
from jaxthermo.brownian.states.phase_space import expectation, wigner_negativity
from jaxthermo.brownian.states.state import State
from jaxthermo.brownian.steps.stepper import SplitStep

__all__ = [
    "AbstractBath",
    "AbstractPotential",
    "Correlation",
    "DrivenRun",
    "DrudeBath",
    "OhmicBath",
    "Oscillator",
    "PeriodicRun",
    "PhaseGrid",
    "Polynomial",
    "RelaxationRates",
    "Spectrum",
    "SplitStep",
    "State",
    "SwitchedBaths",
    "WorkFluctuations",
    "classical_oscillator",
    "correlation",
    "density_matrix",
    "depth_for",
    "drive",
    "equilibrium",
    "expectation",
    "grid_for",
    "isentropic_field",
    "planck_potential",
    "quantum_oscillator",
    "quasi_static",
    "relaxation_rates",
    "resolved",
    "run_cycle",
    "spectrum",
    "von_neumann_entropy",
    "wigner_negativity",
    "work_fluctuations",
]


def __dir__() -> list[str]:
    return sorted(__all__)
