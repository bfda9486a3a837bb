"""Thermodynamic potentials and their Legendre transforms, in and out of equilibrium."""

from jaxthermo.thermo.potentials import Potentials, from_planck

__all__ = [
    "Potentials",
    "from_planck",
]


def __dir__() -> list[str]:
    return sorted(__all__)
