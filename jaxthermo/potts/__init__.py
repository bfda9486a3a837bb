"""Driven Potts rings: mean field, stability, attractors, work-to-work conversion."""

from jaxthermo.potts.conversion import MaximumPower as MaximumPower
from jaxthermo.potts.conversion import maximum_power as maximum_power
from jaxthermo.potts.conversion import output_power as output_power
from jaxthermo.potts.evolve import Trajectory as Trajectory
from jaxthermo.potts.evolve import evolve as evolve
from jaxthermo.potts.evolve import trajectory as trajectory
from jaxthermo.potts.mean_field import Thermodynamics as Thermodynamics
from jaxthermo.potts.mean_field import bond_currents as bond_currents
from jaxthermo.potts.mean_field import energy as energy
from jaxthermo.potts.mean_field import entropy as entropy
from jaxthermo.potts.mean_field import thermodynamics as thermodynamics
from jaxthermo.potts.mean_field import vector_field as vector_field
from jaxthermo.potts.occupation import localised as localised
from jaxthermo.potts.rates import Arrhenius as Arrhenius
from jaxthermo.potts.rates import BondRates as BondRates
from jaxthermo.potts.rates import Glauber as Glauber
from jaxthermo.potts.rates import LoadSharing as LoadSharing
from jaxthermo.potts.rates import Metropolis as Metropolis
from jaxthermo.potts.ring import PottsRing as PottsRing
from jaxthermo.potts.stability import critical_beta as critical_beta
from jaxthermo.potts.stability import low_temperature_work_current as low_temperature_work_current
from jaxthermo.potts.stability import spectrum as spectrum
from jaxthermo.potts.stability import uniform_work_current as uniform_work_current
from jaxthermo.potts.stationary import Stationary as Stationary
from jaxthermo.potts.stationary import stationary as stationary
from jaxthermo.potts.stationary import stationary_lanes as stationary_lanes
