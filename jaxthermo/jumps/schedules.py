"""Functions of time and of state, held so that jit, vmap and results can carry them."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxthermo._types import ScheduleLike
from jaxthermo.checks import as_float, is_known
from jaxthermo.protocols.schedule import value_at

# A number, an array, or a callable of time.
Schedule = ArrayLike | ScheduleLike


class Function(eqx.Module):
    """A Python function as a pytree without leaves."""

    function: Callable[[Any], Any] = eqx.field(static=True)

    def __call__(self, x: ArrayLike) -> Float[Array, "..."]:
        return as_float(self.function(x))


class Several(eqx.Module):
    """Schedules side by side, as one that has the values of all."""

    schedules: tuple[Any, ...]

    def __call__(self, t: Any) -> Float[Array, " schedules"]:
        return jnp.stack([value_at(one, t) for one in self.schedules])


def held(function: Callable[[Any], Any], example: Float[Array, "..."]) -> Callable[[Any], Any]:
    """The function as a pytree of arrays; arrays that jax is tracing, which it has closed over, become its leaves.

    So derivatives with respect to what a lambda has closed over are not lost. Callables that are pytrees already stay
    as they are.
    """
    if not jax.tree_util.all_leaves([function]):
        return function
    converted: Callable[[Any], Any] = eqx.filter_closure_convert(function, example)
    # One program serves all calls of a plain function, but each conversion has a program of its own.
    return Function(function) if is_known(converted) else converted


def as_schedule(value: Schedule | Sequence[Schedule]) -> Schedule:
    """A schedule as an array or a callable pytree; several of them, of which one is callable, as one callable."""
    if callable(value):
        return held(value, jnp.zeros(()))
    if isinstance(value, list | tuple) and any(callable(one) for one in value):
        return Several(tuple(as_schedule(one) for one in value))
    return as_float(value)
