"""Which parameters of a cycle a search may change, and how far, as one vector of numbers."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian import resolved
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.checks import as_float
from jaxthermo.protocols.cycle import AbstractCycle, Bounds, check_cycle

# Name and shape of every parameter that is free.
Names = tuple[tuple[str, tuple[int, ...]], ...]


class Free(NamedTuple):
    """The free parameters: their names and shapes, and as vectors their values in a cycle, and bounds."""

    names: Names
    start: np.ndarray
    low: np.ndarray
    high: np.ndarray


def default_bounds(cycle: AbstractCycle) -> Bounds:
    """How far `jt.optimise_cycle` changes which parameters where its user does not say.

    Half to twice the period; fields moved by up to their own range, or, of a `jt.PiecewiseCycle` and a
    `jt.SplineCycle`, beta and x between their least and largest values; strokes of a fifth to 3.4 times of an equal
    share. Temperatures of baths, ramps and windows stay.

    cycle   around which a search is to look
    Raises  ValueError for a cycle that says nothing, such as a `jt.FourierCycle`

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period=10.0)
        >>> [float(edge) for edge in jt.search.default_bounds(cycle)['period']]
        [5.0, 20.0]
    """
    found = cycle.default_bounds()
    if not found:
        raise ValueError(f"`bounds` must be given for a {type(cycle).__name__}")
    return found


def free_parameters(cycle: AbstractCycle, bounds: Bounds) -> Free:
    """What may change, after checks that name the parameter."""
    if not isinstance(bounds, Mapping) or not bounds:
        raise ValueError("`bounds` must name at least one parameter that may change")
    names, parts = [], []
    for name, pair in bounds.items():
        start = np.asarray(_parameter(cycle, name), dtype=float)
        low, high = _sides(name, pair, start.shape)
        if np.any(start < low - 1e-12) or np.any(start > high + 1e-12):
            raise ValueError(f"`bounds` must hold the starting cycle, but its {name} is {start.tolist()}")
        names.append((name, start.shape))
        parts.append([np.ravel(side) for side in (start, low, high)])
    free = Free(tuple(names), *(np.concatenate(side) for side in zip(*parts, strict=True)))
    for extreme in extremes(cycle, free):
        try:
            check_cycle(extreme)
        except ValueError as problem:
            raise ValueError(f"`bounds` must not allow impossible cycles: {problem}") from None
    return free


def _sides(name: str, pair: tuple[object, object], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of one parameter, in its shape."""
    try:
        low, high = (np.broadcast_to(np.asarray(as_float(side)), shape) for side in pair)
    except (TypeError, ValueError):
        raise ValueError(f"`bounds` must be (low, high) of shape {shape} for {name}, but are {pair!r}") from None
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high)) and np.all(low < high)):
        raise ValueError(f"`bounds` must be finite with low < high, but {name} has {low.tolist()}, {high.tolist()}")
    return low, high


def _parameter(cycle: AbstractCycle, name: str) -> Array:
    """The parameter of a name such as "period" or "x_series.sines"."""
    found = value_at(cycle, name)
    if not isinstance(found, jax.Array) or not jnp.issubdtype(found.dtype, jnp.floating):
        known = ", ".join(parameter_names(cycle))
        raise ValueError(f"`bounds` must name parameters of {known}, but has {name!r}")
    return found


def value_at(cycle: AbstractCycle, name: str) -> object:
    """What a name such as "period" or "x_series.sines" stands for; None where it stands for nothing."""
    found: object = cycle
    for step in name.split("."):
        found = getattr(found, step, None)
    return found


def parameter_names(cycle: AbstractCycle) -> list[str]:
    """Every array of a cycle that has a name."""
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(cycle, eqx.is_inexact_array))
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]


def with_parameters(theta: Float[Array, " parameters"], cycle: AbstractCycle, names: Names) -> AbstractCycle:
    """The cycle with the free parameters replaced, and what must agree with them made to agree."""
    ends = np.cumsum([math.prod(shape) for _, shape in names])
    values = [theta[end - math.prod(shape) : end].reshape(shape) for (_, shape), end in zip(names, ends, strict=True)]
    return eqx.tree_at(lambda c: [value_at(c, name) for name, _ in names], cycle, values).settled()


def extremes(cycle: AbstractCycle, free: Free) -> list[AbstractCycle]:
    """The cycle with every free parameter at its lower, and at its upper bound."""
    return [with_parameters(jnp.asarray(side), cycle, free.names) for side in (free.low, free.high)]


def with_room(oscillator: Oscillator, cycle: AbstractCycle, free: Free) -> Oscillator:
    """The oscillator with a grid and a depth for everything between the bounds."""
    seen = [one.bounds() for one in (cycle, *extremes(cycle, free))]
    betas, fields = (np.concatenate([np.ravel(side) for side in sides]) for sides in zip(*seen, strict=True))
    return resolved(oscillator, betas, fields)
