"""A schedule is a number, an array or a callable of time; those of `jaxthermo.protocols.schedules` compile once."""

from collections.abc import Callable
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike, ScheduleLike
from jaxthermo.checks import as_float, require_finite, require_scalar
from jaxthermo.protocols.schedules import AbstractSchedule, Constant

Schedule: TypeAlias = AbstractSchedule | Callable[[Any], Any]


class _Hoisted(AbstractSchedule):
    """A function of time, with the values that it closes over while jax traces them as arrays of its own."""

    values: list[Array]
    function: Callable[..., Any] = eqx.field(static=True)

    def __call__(self, t: ScalarLike) -> Float[Array, ""]:
        return self.function(as_float(t), *self.values)


def as_schedule(name: str, schedule: ScheduleLike) -> Schedule:
    """A number as a `Constant`, a callable as it is; ValueError that names the argument for anything else."""
    if callable(schedule):
        if isinstance(schedule, eqx.Module):
            return schedule
        function, values = jax.closure_convert(lambda t: as_float(schedule(t)), as_float(0.0))
        return _Hoisted(values, function) if values else schedule
    number = require_scalar(name, schedule)
    require_finite(name, number)
    return Constant(number)


def value_at(schedule: Schedule | ScalarLike, t: ScalarLike) -> Float[Array, "..."]:
    """The schedule at time t."""
    return as_float(schedule(t) if callable(schedule) else schedule)


def rate_at(schedule: Schedule | ScalarLike, t: ScalarLike) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The schedule and its time derivative at time t."""
    if not callable(schedule) or isinstance(schedule, Constant):
        value = value_at(schedule, t)
        return value, jnp.zeros_like(value)
    return jax.jvp(lambda s: value_at(schedule, s), (as_float(t),), (jnp.ones_like(as_float(t)),))
