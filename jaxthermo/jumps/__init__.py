"""Networks of states between which interacting units jump: mean field, thermodynamics, attractors, finite numbers."""

from jaxthermo.jumps.affinities import CycleAffinities, cycle_affinities
from jaxthermo.jumps.arguments import as_network
from jaxthermo.jumps.attractor import Stationary, stationary
from jaxthermo.jumps.branches import Branch, branch
from jaxthermo.jumps.cycles import LimitCycle, limit_cycle
from jaxthermo.jumps.driven import PeriodicState, periodic_state
from jaxthermo.jumps.energy_conversion import Conversion, conversion
from jaxthermo.jumps.evolution import Evolution, evolve
from jaxthermo.jumps.finite import (
    coherence,
    cumulants,
    mesoscopic_affinities,
    mesoscopic_evolve,
    mesoscopic_stationary,
    multipartite_information,
    scaled_cumulant,
    simulate,
    tau_leap,
    work_theorem,
)
from jaxthermo.jumps.folds import Bifurcation, Fold, fold, fold_beta
from jaxthermo.jumps.housekeeping_heat import Housekeeping, housekeeping
from jaxthermo.jumps.inequalities import Bounds, bounds
from jaxthermo.jumps.lattice import LatticePaths, cubic_lattice, simulate_lattice
from jaxthermo.jumps.mean_field import (
    Thermodynamics,
    edge_currents,
    energy,
    entropy,
    levels,
    thermodynamics,
    vector_field,
)
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.noise import LinearNoise, contraction, linear_noise
from jaxthermo.jumps.phase_locking import Locking, locking
from jaxthermo.jumps.rates import AbstractRates, Arrhenius, Glauber, LoadSharing, Metropolis
from jaxthermo.solve.attractor import AttractorKind

__all__ = [
    "AbstractJumpModel",
    "AbstractRates",
    "Arrhenius",
    "AttractorKind",
    "Bifurcation",
    "Bounds",
    "Branch",
    "Conversion",
    "CycleAffinities",
    "Evolution",
    "Fold",
    "Glauber",
    "Housekeeping",
    "JumpNetwork",
    "LatticePaths",
    "LimitCycle",
    "LinearNoise",
    "LoadSharing",
    "Locking",
    "Metropolis",
    "PeriodicState",
    "Stationary",
    "Thermodynamics",
    "as_network",
    "bounds",
    "branch",
    "coherence",
    "contraction",
    "conversion",
    "cubic_lattice",
    "cumulants",
    "cycle_affinities",
    "edge_currents",
    "energy",
    "entropy",
    "evolve",
    "fold",
    "fold_beta",
    "housekeeping",
    "levels",
    "limit_cycle",
    "linear_noise",
    "locking",
    "mesoscopic_affinities",
    "mesoscopic_evolve",
    "mesoscopic_stationary",
    "multipartite_information",
    "periodic_state",
    "scaled_cumulant",
    "simulate",
    "simulate_lattice",
    "stationary",
    "tau_leap",
    "thermodynamics",
    "vector_field",
    "work_theorem",
]


def __dir__() -> list[str]:
    return sorted(__all__)
