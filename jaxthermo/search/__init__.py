"""Searches by gradients through solves."""

from jaxthermo.search.engine import optimise_cycle as optimise_cycle
from jaxthermo.search.engine import pareto_front as pareto_front
from jaxthermo.search.free_parameters import default_bounds as default_bounds
from jaxthermo.search.least_work import MinimumWork as MinimumWork
from jaxthermo.search.least_work import minimum_work as minimum_work
from jaxthermo.search.objectives import AtLeast as AtLeast
from jaxthermo.search.objectives import Negative as Negative
from jaxthermo.search.objectives import Objective as Objective
from jaxthermo.search.objectives import efficiency as efficiency
from jaxthermo.search.objectives import entropy_production_rate as entropy_production_rate
from jaxthermo.search.objectives import power as power
from jaxthermo.search.optimised import OptimisedCycle as OptimisedCycle
from jaxthermo.search.optimised import ParetoFront as ParetoFront
from jaxthermo.search.potential_range import potential_around as potential_around
from jaxthermo.search.process_potentials import ProcessPotentials as ProcessPotentials
from jaxthermo.search.process_potentials import potentials as potentials
from jaxthermo.search.ramp import OptimalRamp as OptimalRamp
from jaxthermo.search.ramp import optimal_ramp as optimal_ramp
