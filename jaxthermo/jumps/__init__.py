"""Networks of states between which interacting units jump: mean field, thermodynamics, attractors."""

from jaxthermo.jumps.attractor import Stationary as Stationary
from jaxthermo.jumps.attractor import stationary as stationary
from jaxthermo.jumps.evolution import Evolution as Evolution
from jaxthermo.jumps.evolution import evolve as evolve
from jaxthermo.jumps.mean_field import Thermodynamics as Thermodynamics
from jaxthermo.jumps.mean_field import edge_currents as edge_currents
from jaxthermo.jumps.mean_field import energy as energy
from jaxthermo.jumps.mean_field import entropy as entropy
from jaxthermo.jumps.mean_field import levels as levels
from jaxthermo.jumps.mean_field import thermodynamics as thermodynamics
from jaxthermo.jumps.mean_field import vector_field as vector_field
from jaxthermo.jumps.network import AbstractJumpModel as AbstractJumpModel
from jaxthermo.jumps.network import JumpNetwork as JumpNetwork
from jaxthermo.jumps.network import as_network as as_network
from jaxthermo.jumps.rates import AbstractRates as AbstractRates
from jaxthermo.jumps.rates import Arrhenius as Arrhenius
from jaxthermo.jumps.rates import Glauber as Glauber
from jaxthermo.jumps.rates import LoadSharing as LoadSharing
from jaxthermo.jumps.rates import Metropolis as Metropolis
