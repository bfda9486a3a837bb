"""A schedule is a constant, a number or an array, or a callable of time."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.checks import as_float


def value_at(schedule: Any, t: Any) -> Float[Array, "..."]:
    """The schedule at time t."""
    return as_float(schedule(t) if callable(schedule) else schedule)


def rate_at(schedule: Any, t: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The schedule and its time derivative at time t."""
    if not callable(schedule):
        value = as_float(schedule)
        return value, jnp.zeros_like(value)
    return jax.jvp(lambda s: value_at(schedule, s), (as_float(t),), (jnp.ones_like(as_float(t)),))
