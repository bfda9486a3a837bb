"""Rings of a finite number of units: master equations, trajectories, fluctuations."""

from jaxthermo.potts.finite.evolve import mesoscopic_evolve as mesoscopic_evolve
from jaxthermo.potts.finite.evolve import microscopic_evolve as microscopic_evolve
from jaxthermo.potts.finite.stationary import mesoscopic_stationary as mesoscopic_stationary
from jaxthermo.potts.finite.stationary import mesoscopic_thermodynamics as mesoscopic_thermodynamics
from jaxthermo.potts.finite.stationary import microscopic_stationary as microscopic_stationary
