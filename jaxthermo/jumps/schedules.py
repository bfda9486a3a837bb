"""Functions of time and of state, held so that jit, vmap and results can carry them."""

import inspect
from collections.abc import Callable, Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from jaxthermo._types import Real, ScheduleLike
from jaxthermo.checks import as_float
from jaxthermo.protocols.formula import HeldFunction, formula
from jaxthermo.protocols.schedules import value_at

# A number, an array, or a callable of time, as a user gives it; and as a model holds it.
Schedule = ArrayLike | ScheduleLike
HeldSchedule = Array | HeldFunction

# Energy of the interaction per unit as a function of the occupations and of time.
MovingEnergy = Callable[[Float[Array, " q"], Float[Array, ""]], Float[Array, ""]]


class StackedSchedules(eqx.Module):
    """Schedules side by side, as one that has the values of all."""

    schedules: tuple[PyTree, ...]

    def __call__(self, t: Real) -> Float[Array, " schedules"]:
        return jnp.stack([value_at(one, t) for one in self.schedules])


def as_schedule(value: Schedule | Sequence[Schedule], name: str | None = None) -> HeldSchedule:
    """A schedule as an array or a callable pytree; several of them, of which one is callable, as one callable."""
    if callable(value):
        return formula(value, jnp.zeros(()), name)
    if isinstance(value, list | tuple) and any(callable(one) for one in value):
        return StackedSchedules(tuple(as_schedule(one) for one in value))
    return as_float(value)


def require_schedule(name: str, value: Schedule | Sequence[Schedule]) -> HeldSchedule:
    """`as_schedule`, or a ValueError that names the argument."""
    try:
        return as_schedule(value, name)
    except (TypeError, ValueError) as error:
        if callable(value) and isinstance(error, ValueError):
            raise
        raise ValueError(
            f"`{name}` must be numbers, or functions of time that give numbers, but is {value!r}"
        ) from None


class Moving(eqx.Module):
    """phi(P, t), held as a function of the row (P, t); made by `moving`."""

    function: HeldFunction
    q: int = eqx.field(static=True)

    def at(self, t: ArrayLike) -> "AtTime":
        """phi(., t)."""
        return AtTime(self.function, as_float(t))

    def __call__(self, row: Float[Array, " q_and_t"]) -> Float[Array, ""]:
        """phi of a row (P, t)."""
        if row.shape != (self.q + 1,):
            raise ValueError("`interaction` depends on time: take `network.at(t)` first")
        return jnp.reshape(self.function(row), ())


class AtTime(eqx.Module):
    """phi(., t) at one time, as a function of P."""

    function: HeldFunction
    t: Float[Array, ""]

    def __call__(self, P: Float[Array, " q"]) -> Float[Array, ""]:
        return jnp.reshape(self.function(jnp.append(P, self.t)), ())


def takes_time(function: Callable[..., Float[Array, ""]]) -> bool:
    """Whether a function has two arguments that must be given: P and t."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in places and one.default is one.empty for one in parameters) == 2


def moving(function: MovingEnergy, q: int) -> Moving:
    """phi(P, t) as a pytree that jit, vmap and results can carry."""
    example = jnp.append(jnp.full(q, 1.0 / q), 0.0)
    return Moving(formula(lambda row: jnp.reshape(function(row[:-1], row[-1]), ()), example, "interaction"), q)
