"""Rings of a finite number of units: master equations, trajectories, fluctuations."""

from jaxthermo.jumps.finite.balance import mesoscopic_stationary as mesoscopic_stationary
from jaxthermo.jumps.finite.balance import mesoscopic_thermodynamics as mesoscopic_thermodynamics
from jaxthermo.jumps.finite.balance import microscopic_stationary as microscopic_stationary
from jaxthermo.jumps.finite.fluctuations import cumulants as cumulants
from jaxthermo.jumps.finite.fluctuations import scaled_cumulant as scaled_cumulant
from jaxthermo.jumps.finite.leaps import tau_leap as tau_leap
from jaxthermo.jumps.finite.master import mesoscopic_evolve as mesoscopic_evolve
from jaxthermo.jumps.finite.master import microscopic_evolve as microscopic_evolve
from jaxthermo.jumps.finite.modes import coherence as coherence
from jaxthermo.jumps.finite.theorem import work_theorem as work_theorem
from jaxthermo.jumps.finite.trajectories import simulate as simulate
