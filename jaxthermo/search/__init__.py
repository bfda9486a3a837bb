"""Searches by gradients through solves."""

from jaxthermo.search.engine import default_bounds as default_bounds
from jaxthermo.search.engine import optimise_cycle as optimise_cycle
from jaxthermo.search.engine import pareto_front as pareto_front
from jaxthermo.search.least_work import MinimumWork as MinimumWork
from jaxthermo.search.least_work import minimum_work as minimum_work
from jaxthermo.search.potential_range import potential_around as potential_around
from jaxthermo.search.ramp import OptimalRamp as OptimalRamp
from jaxthermo.search.ramp import optimal_ramp as optimal_ramp
