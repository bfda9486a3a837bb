"""What a cycle of temperature and field is, whatever its shape."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._parameters import Parameters
from jaxthermo._types import ScalarLike, VectorLike
from jaxthermo.checks import is_known, require_finite, require_positive
from jaxthermo.protocols.schedules import Window
from jaxthermo.solve.lean import brief_jit

# How far a search may change parameters: {name: (low, high)}, numbers or arrays of the parameter's shape.
Bounds: TypeAlias = Mapping[str, tuple[VectorLike, VectorLike]]


class Switching(NamedTuple):
    """Baths at inverse temperatures of their own, (baths,), and the windows through which they are coupled."""

    betas: Float[Array, " baths"]
    windows: tuple[Window, ...]


class AbstractCycle(Parameters):
    """Periodic schedules beta(t) and x(t), which `jt.run_cycle` drives an oscillator by.

    Another cycle is another subclass: parameters as arrays, and these methods.
    """

    period: eqx.AbstractVar[Float[Array, ""]]

    @abstractmethod
    def beta(self, t: ScalarLike) -> Float[Array, ""]:
        """Inverse temperature at time t."""

    @abstractmethod
    def x(self, t: ScalarLike) -> Float[Array, ""]:
        """Field at time t."""

    @abstractmethod
    def knots(self) -> Float[Array, " knots"]:
        """Times from 0 to the period, strictly increasing, at which no step may pass over a corner of beta or x."""

    @abstractmethod
    def bounds(self) -> tuple[Float[Array, " betas"], Float[Array, " fields"]]:
        """Values of beta and of x, between whose extremes the cycle stays."""

    def switching(self) -> "Switching | None":
        """Baths that the cycle couples and decouples; None: one bath follows beta(t)."""
        return None

    def intake(self) -> "Float[Array, 'spans 2'] | None":
        """Spans of time, (begin, end), in which all heat counts as taken in; None: whenever the bath gives heat."""
        return None

    def settled(self) -> "AbstractCycle":
        """This cycle after a search has changed its parameters one by one: what must agree is made to agree."""
        return self

    def default_bounds(self) -> Bounds:
        """How far a search may change which parameters, where its user does not say; {}: the user must."""
        return {}

    @abstractmethod
    def check(self) -> None:
        """Raise a ValueError that names the first impossible parameter; values that jax traces pass."""


def check_cycle(cycle: AbstractCycle) -> None:
    """Raise a ValueError that names the first impossible parameter of a cycle."""
    if not isinstance(cycle, AbstractCycle):
        raise ValueError(f"`cycle` must be a jt.AbstractCycle such as jt.StirlingCycle, but is {type(cycle).__name__}")
    cycle.check()
    require_positive("period", cycle.period)
    betas, fields, times = _looked_at(cycle)
    require_positive("beta", betas)
    require_finite("x", fields)
    if is_known(times):
        knots = np.asarray(times)
        if not (knots[0] == 0.0 and np.all(np.diff(knots) > 0) and np.isclose(knots[-1], float(cycle.period))):
            raise ValueError(f"`knots` must increase from 0 to the period {float(cycle.period)}, but are {knots}")


@brief_jit
def _looked_at(cycle: AbstractCycle) -> tuple[Float[Array, " betas"], Float[Array, " fields"], Float[Array, " knots"]]:
    return *cycle.bounds(), cycle.knots()
