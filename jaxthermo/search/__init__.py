"""Searches by gradients through solves."""

from jaxthermo.search.engine import optimise_cycle, pareto_front
from jaxthermo.search.free_parameters import default_bounds
from jaxthermo.search.least_work import MinimumWork, minimum_work
from jaxthermo.search.objectives import (
    AtLeast,
    Negative,
    Objective,
    efficiency,
    entropy_production_rate,
    power,
    work_variance,
)
from jaxthermo.search.optimised import OptimisedCycle, ParetoFront
from jaxthermo.search.potential_range import potential_around
from jaxthermo.search.process_potentials import ProcessPotentials, potentials
from jaxthermo.search.ramp import OptimalRamp, optimal_ramp
from jaxthermo.search.slow_ramps import SlowRamp, slow_ramp

__all__ = [
    "AtLeast",
    "MinimumWork",
    "Negative",
    "Objective",
    "OptimalRamp",
    "OptimisedCycle",
    "ParetoFront",
    "ProcessPotentials",
    "SlowRamp",
    "default_bounds",
    "efficiency",
    "entropy_production_rate",
    "minimum_work",
    "optimal_ramp",
    "optimise_cycle",
    "pareto_front",
    "potential_around",
    "potentials",
    "power",
    "slow_ramp",
    "work_variance",
]


def __dir__() -> list[str]:
    return sorted(__all__)
