"""Rings of a finite number of units: master equations, trajectories, fluctuations."""

from jaxthermo.potts.finite.coherence import coherence as coherence
from jaxthermo.potts.finite.cumulants import cumulants as cumulants
from jaxthermo.potts.finite.cumulants import scaled_cumulant as scaled_cumulant
from jaxthermo.potts.finite.evolve import mesoscopic_evolve as mesoscopic_evolve
from jaxthermo.potts.finite.evolve import microscopic_evolve as microscopic_evolve
from jaxthermo.potts.finite.simulate import simulate as simulate
from jaxthermo.potts.finite.stationary import mesoscopic_stationary as mesoscopic_stationary
from jaxthermo.potts.finite.stationary import mesoscopic_thermodynamics as mesoscopic_thermodynamics
from jaxthermo.potts.finite.stationary import microscopic_stationary as microscopic_stationary
from jaxthermo.potts.finite.tau import tau_leap as tau_leap
from jaxthermo.potts.finite.work_theorem import work_theorem as work_theorem
