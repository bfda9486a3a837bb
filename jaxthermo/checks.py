"""Checks made once, at the door of a solve. Values under a jax transformation are not looked at.

A scan, which traces its function once for all lanes, collects what the checks could not look at, and how results ended
(`postponed`), and looks at it lane by lane.
"""

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, SupportsIndex, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from jaxthermo._types import VectorLike

# A tolerance nearer to the rounding error than this makes adaptive steps shrink without end.
TOLERANCE_FLOOR_IN_EPS = 100.0
# Messages show arrays up to this size whole.
SHOWN = 8


class Postponed(NamedTuple):
    """What was met in one trace: conditions of checks, and the statuses of results."""

    trace: object
    conditions: list[Bool[Array, ""]]
    statuses: list[Int[Array, "..."]]

    def holds(self, value: object) -> bool:
        """Whether a value belongs to the trace: what is inside a further transformation must not leave it."""
        return self.trace is not None and getattr(value, "_trace", None) is self.trace


_POSTPONED: ContextVar[Postponed | None] = ContextVar("postponed", default=None)


@contextmanager
def postponed(tracer: object) -> Iterator[Postponed]:
    """The conditions on traced values that checks meet in this block, and how results end in it, for the trace that
    `tracer` belongs to."""
    found = Postponed(getattr(tracer, "_trace", None), [], [])
    token = _POSTPONED.set(found)
    try:
        yield found
    finally:
        _POSTPONED.reset(token)


def postpone(condition: Callable[[], ArrayLike]) -> None:
    """Hand a condition on traced values to the scan that collects it, if there is one."""
    found = _POSTPONED.get()
    if found is not None and found.holds(met := jnp.all(condition())):
        found.conditions.append(met)


def postpone_status(status: Int[Array, "..."]) -> None:
    """Hand a traced status to the scan that collects it, if there is one."""
    found = _POSTPONED.get()
    if found is not None and found.holds(status):
        found.statuses.append(status)


def as_float(value: object) -> Float[Array, "..."]:
    """`value` as an array of jax's current default float type (float64 once `jax_enable_x64` is set).

    Raises     TypeError for text, which NumPy would read as a number
    """
    if any(isinstance(leaf, str) for leaf in jax.tree.leaves(value)):
        raise TypeError(f"{value!r} is text, not numbers")
    return jnp.asarray(value, dtype=float)


def require_numbers(name: str, value: object) -> Float[Array, "..."]:
    """A float array of any shape, or a ValueError that names the argument."""
    try:
        return as_float(value)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must be made of numbers, but is {value!r}") from None


def is_known(*values: object) -> bool:
    """Whether every value is concrete, so that Python may branch on it."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def require_known(function: str, values: object, instead: str) -> None:
    """Raise a ValueError that says what to call instead, where jax traces a value and a search branches on it."""
    if not is_known(values):
        raise ValueError(f"`{function}` needs known values: call it outside jit, vmap and grad, or {instead}")


def require_scalar(name: str, value: object) -> Float[Array, ""]:
    """A scalar float array, or a ValueError that names the argument."""
    try:
        array = as_float(value)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must be a number, but is {value!r}") from None
    if array.shape != ():
        raise ValueError(f"`{name}` must be a scalar (batch with jax.vmap), but has shape {array.shape}")
    return array


def require_integer(name: str, value: object, least: int) -> int:
    """An integer >= least, or a ValueError that names the argument; True and False are not numbers here."""
    try:
        count = operator.index(cast(SupportsIndex, value))
    except TypeError:
        raise ValueError(f"`{name}` must be an integer >= {least}, but is {value!r}") from None
    if isinstance(value, bool) or count < least:
        raise ValueError(f"`{name}` must be an integer >= {least}, but is {value!r}")
    return count


def require_finite(name: str, value: VectorLike) -> None:
    """Raise a ValueError naming the argument if a known value is NaN or infinite."""
    if not is_known(value):
        postpone(lambda: jnp.isfinite(as_float(value)))
    elif not np.all(met := np.isfinite(np.asarray(value))):
        raise ValueError(f"`{name}` must be finite, but {offending(value, met)}")


def require_positive(name: str, value: VectorLike) -> None:
    """Raise a ValueError naming the argument unless a known value is finite and > 0."""
    require_finite(name, value)
    if not is_known(value):
        postpone(lambda: as_float(value) > 0)
    elif not np.all(met := np.asarray(value) > 0):
        raise ValueError(f"`{name}` must be > 0, but {offending(value, met)}")


def require_positive_scalar(name: str, value: object) -> Float[Array, ""]:
    """A scalar float array, finite and > 0 where it is known, or a ValueError that names the argument."""
    array = require_scalar(name, value)
    require_positive(name, array)
    return array


def offending(value: VectorLike, met: np.ndarray | np.bool_) -> str:
    """What is wrong with a value, or with the first wrong one of many."""
    values = np.asarray(value)
    if values.size <= SHOWN:
        return f"is {values}"
    return f"has {values[~met].ravel()[0]}, the first of {int(np.sum(~met))} such among {values.size} values"


def require_double_for(rtol: float, atol: float, name: str = "rtol") -> None:
    """Refuse tolerances that the current float type cannot resolve, with the one line that mends it.

    name   of the argument that is the tolerance
    """
    kind = as_float(0.0).dtype
    floor = TOLERANCE_FLOOR_IN_EPS * float(jnp.finfo(kind).eps)
    try:
        reached = float(rtol) >= floor
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must be a number, but is {rtol!r}") from None
    if reached:
        return
    if kind == jnp.float32:
        raise ValueError(
            "this needs double precision, which jax has not been told to use. Put this line before the first jax call: "
            'jax.config.update("jax_enable_x64", True)'
        )
    beside = f" (atol {atol:.1e})" if name == "rtol" else ""
    raise ValueError(f"`{name}` must be >= {floor:.1e} in {kind}, but is {rtol:.1e}{beside}")


def require_times(name: str, ts: object) -> Float[Array, " times"]:
    """A strictly increasing, finite, one-dimensional array of at least two times."""
    array = require_numbers(name, ts)
    if array.ndim != 1 or array.shape[0] < 2:
        raise ValueError(f"`{name}` must be one-dimensional with at least two times, but has shape {array.shape}")
    require_finite(name, array)
    if is_known(array):
        smallest = np.diff(np.asarray(array)).min()
        if smallest <= 0:
            raise ValueError(f"`{name}` must be strictly increasing, but has a step of {smallest}")
    return array
