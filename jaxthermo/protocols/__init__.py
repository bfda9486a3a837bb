"""Schedules of temperature and field, and the cycles made of them."""

from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.protocols.fourier_cycle import FourierCycle
from jaxthermo.protocols.polynomial import PolynomialSchedule
from jaxthermo.protocols.schedules import AbstractSchedule, Constant, Fourier, Ramp, Table
from jaxthermo.protocols.stirling import StirlingCycle

__all__ = [
    "AbstractCycle",
    "AbstractSchedule",
    "Constant",
    "Fourier",
    "FourierCycle",
    "PolynomialSchedule",
    "Ramp",
    "StirlingCycle",
    "Table",
]
