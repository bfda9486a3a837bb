"""Functions of time and of state, held so that jit, vmap and results can carry them."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from jaxthermo._types import Real, ScheduleLike
from jaxthermo.checks import as_float
from jaxthermo.protocols.formula import HeldFunction, formula
from jaxthermo.protocols.schedule import value_at

# A number, an array, or a callable of time, as a user gives it; and as a model holds it.
Schedule = ArrayLike | ScheduleLike
HeldSchedule = Array | HeldFunction


class Several(eqx.Module):
    """Schedules side by side, as one that has the values of all."""

    schedules: tuple[PyTree, ...]

    def __call__(self, t: Real) -> Float[Array, " schedules"]:
        return jnp.stack([value_at(one, t) for one in self.schedules])


def as_schedule(value: Schedule | Sequence[Schedule]) -> HeldSchedule:
    """A schedule as an array or a callable pytree; several of them, of which one is callable, as one callable."""
    if callable(value):
        return formula(value, jnp.zeros(()))
    if isinstance(value, list | tuple) and any(callable(one) for one in value):
        return Several(tuple(as_schedule(one) for one in value))
    return as_float(value)
