"""Schedules of temperature and field, and the cycles made of them."""

from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.protocols.fourier_cycle import FourierCycle
from jaxthermo.protocols.periodic_cycle import PeriodicCycle
from jaxthermo.protocols.piecewise_cycle import PiecewiseCycle
from jaxthermo.protocols.polynomial import PolynomialSchedule
from jaxthermo.protocols.schedules import AbstractSchedule, Constant, Fourier, Ramp, Table
from jaxthermo.protocols.spline_cycle import SplineCycle
from jaxthermo.protocols.stirling import StirlingCycle
from jaxthermo.protocols.switched_cycles import CarnotCycle, OttoCycle

__all__ = [
    "AbstractCycle",
    "AbstractSchedule",
    "CarnotCycle",
    "Constant",
    "Fourier",
    "FourierCycle",
    "OttoCycle",
    "PeriodicCycle",
    "PiecewiseCycle",
    "PolynomialSchedule",
    "Ramp",
    "SplineCycle",
    "StirlingCycle",
    "Table",
]


def __dir__() -> list[str]:
    return sorted(__all__)
