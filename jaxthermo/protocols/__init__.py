"""Schedules of temperature and field, and the cycles made of them."""

from jaxthermo.protocols.cycle import AbstractCycle as AbstractCycle
from jaxthermo.protocols.fourier_cycle import FourierCycle as FourierCycle
from jaxthermo.protocols.polynomial import PolynomialSchedule as PolynomialSchedule
from jaxthermo.protocols.schedules import AbstractSchedule as AbstractSchedule
from jaxthermo.protocols.schedules import Constant as Constant
from jaxthermo.protocols.schedules import Fourier as Fourier
from jaxthermo.protocols.schedules import Ramp as Ramp
from jaxthermo.protocols.schedules import Table as Table
from jaxthermo.protocols.stirling import StirlingCycle as StirlingCycle
