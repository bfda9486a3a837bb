"""A schedule is a number, an array or a callable of time; another one of the same form is not compiled again."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxthermo._types import Function, ScheduleLike
from jaxthermo.checks import as_float, require_finite, require_scalar
from jaxthermo.protocols.formula import formula
from jaxthermo.protocols.schedules import AbstractSchedule, Constant

Schedule: TypeAlias = AbstractSchedule | Function


def as_schedule(name: str, schedule: ScheduleLike) -> Schedule:
    """A number as a `Constant`, a callable as a `formula`; ValueError that names the argument for anything else."""
    if callable(schedule):
        return formula(schedule, jnp.zeros(()))
    if np.ndim(schedule) == 1:
        raise ValueError(
            f"`{name}` must be a scalar (batch with jax.vmap) or a function of time, but has shape "
            f"{np.shape(schedule)}; {name}=jt.Table(times, values) goes in straight lines between values"
        )
    number = require_scalar(name, schedule)
    require_finite(name, number)
    return Constant(number)


def value_at(schedule: Schedule | ScheduleLike | ArrayLike, t: ArrayLike) -> Float[Array, "..."]:
    """The schedule at time t."""
    return as_float(schedule(as_float(t)) if callable(schedule) else schedule)


def rate_at(schedule: ScheduleLike | ArrayLike, t: ArrayLike) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The schedule and its time derivative at time t."""
    if not callable(schedule) or isinstance(schedule, Constant):
        value = value_at(schedule, t)
        return value, jnp.zeros_like(value)
    return jax.jvp(lambda s: value_at(schedule, s), (as_float(t),), (jnp.ones_like(as_float(t)),))
