"""Thermodynamic potentials and their Legendre transforms, in and out of equilibrium."""

from jaxthermo.thermo.potentials import Potentials as Potentials
from jaxthermo.thermo.potentials import from_planck as from_planck
