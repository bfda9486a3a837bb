"""Networks of a finite number of units: master equations, trajectories, fluctuations."""

from jaxthermo.jumps.finite.affinities import (
    MesoscopicAffinities as MesoscopicAffinities,
    mesoscopic_affinities as mesoscopic_affinities,
)
from jaxthermo.jumps.finite.balance import (
    FiniteStationary as FiniteStationary,
    mesoscopic_stationary as mesoscopic_stationary,
    microscopic_stationary as microscopic_stationary,
)
from jaxthermo.jumps.finite.counting import Counted as Counted
from jaxthermo.jumps.finite.fluctuations import Cumulants as Cumulants, cumulants as cumulants
from jaxthermo.jumps.finite.large_deviations import (
    ScaledCumulants as ScaledCumulants,
    scaled_cumulant as scaled_cumulant,
)
from jaxthermo.jumps.finite.leaps import tau_leap as tau_leap
from jaxthermo.jumps.finite.master import (
    FiniteEvolution as FiniteEvolution,
    mesoscopic_evolve as mesoscopic_evolve,
    microscopic_evolve as microscopic_evolve,
)
from jaxthermo.jumps.finite.modes import Coherence as Coherence, coherence as coherence
from jaxthermo.jumps.finite.mutual_information import multipartite_information as multipartite_information
from jaxthermo.jumps.finite.theorem import WorkTheorem as WorkTheorem, work_theorem as work_theorem
from jaxthermo.jumps.finite.trajectories import Trajectories as Trajectories, simulate as simulate
