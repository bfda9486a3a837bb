"""Driven Potts rings: mean field, stability, attractors, work-to-work conversion, finite numbers of units."""

from jaxthermo.jumps.attractor import Stationary
from jaxthermo.jumps.branches import Branch, branch
from jaxthermo.jumps.cycles import LimitCycle
from jaxthermo.jumps.evolution import Evolution, evolve
from jaxthermo.jumps.finite import (
    coherence,
    cumulants,
    mesoscopic_evolve,
    mesoscopic_stationary,
    microscopic_evolve,
    microscopic_stationary,
    scaled_cumulant,
    simulate,
    tau_leap,
    work_theorem,
)
from jaxthermo.jumps.folds import Bifurcation, Fold
from jaxthermo.jumps.mean_field import (
    Thermodynamics,
    edge_currents as bond_currents,
    energy,
    entropy,
    thermodynamics,
    vector_field,
)
from jaxthermo.jumps.occupation import localised
from jaxthermo.jumps.rates import AbstractRates, Arrhenius, Glauber, LoadSharing, Metropolis
from jaxthermo.potts.amplitudes import NormalForm, normal_form
from jaxthermo.potts.attractor import stationary, stationary_lanes
from jaxthermo.potts.basins import BasinSample, attractors
from jaxthermo.potts.cycles import limit_cycle
from jaxthermo.potts.diagram import Phase, PhaseDiagram, phase_diagram, phases
from jaxthermo.potts.folds import fold, fold_beta
from jaxthermo.potts.patterns import Pattern
from jaxthermo.potts.power import MaximumPower, maximum_power, output_power
from jaxthermo.potts.ring import PottsRing
from jaxthermo.potts.slowing import CycleBranch, cycle_branch, slow_passage
from jaxthermo.potts.stability import (
    critical_beta,
    low_temperature_work_current,
    spectrum,
    stability_dissipation,
    uniform_work_current,
)
from jaxthermo.solve.attractor import AttractorKind

__all__ = [
    "AbstractRates",
    "Arrhenius",
    "AttractorKind",
    "BasinSample",
    "Bifurcation",
    "Branch",
    "CycleBranch",
    "Evolution",
    "Fold",
    "Glauber",
    "LimitCycle",
    "LoadSharing",
    "MaximumPower",
    "Metropolis",
    "NormalForm",
    "Pattern",
    "Phase",
    "PhaseDiagram",
    "PottsRing",
    "Stationary",
    "Thermodynamics",
    "attractors",
    "bond_currents",
    "branch",
    "coherence",
    "critical_beta",
    "cumulants",
    "cycle_branch",
    "energy",
    "entropy",
    "evolve",
    "fold",
    "fold_beta",
    "limit_cycle",
    "localised",
    "low_temperature_work_current",
    "maximum_power",
    "mesoscopic_evolve",
    "mesoscopic_stationary",
    "microscopic_evolve",
    "microscopic_stationary",
    "normal_form",
    "output_power",
    "phase_diagram",
    "phases",
    "scaled_cumulant",
    "simulate",
    "slow_passage",
    "spectrum",
    "stability_dissipation",
    "stationary",
    "stationary_lanes",
    "tau_leap",
    "thermodynamics",
    "uniform_work_current",
    "vector_field",
    "work_theorem",
]


def __dir__() -> list[str]:
    return sorted(__all__)
