"""jaxthermo: GPU-accelerated, differentiable thermodynamics far from equilibrium."""

from jaxthermo import potts as potts
from jaxthermo.potts import PottsRing as PottsRing

__version__ = "0.1.0"
