"""Which parameters of a cycle a search may change, and how far, as one vector of numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian import resolved
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.protocols import StirlingCycle

SCALARS = ("beta_hot", "beta_cold", "x_start", "x_end", "period")
# Ramps begin before this share of a stroke and end after it.
MIDDLE = 0.5

Bounds = Mapping[str, tuple[float, float]]
# Name and shape of every parameter that is free.
Names = tuple[tuple[str, tuple[int, ...]], ...]


class Free(NamedTuple):
    """The free parameters: their names and shapes, and as vectors their values in a cycle, and bounds."""

    names: Names
    start: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def largest(self, name: str, cycle: StirlingCycle) -> float:
        """The largest value that a parameter may have."""
        sides = _split(self.high, self.names)
        return float(np.max(np.maximum(sides.get(name, -np.inf), np.asarray(getattr(cycle, name)))))


def default_bounds(cycle: StirlingCycle) -> dict[str, tuple[float, float]]:
    """Half to twice the period, x moved by up to its own range, strokes of 5 to 85 %; temperatures and ramps fixed.

    cycle   around which a search is to look
    """
    span, period = abs(float(cycle.x_end - cycle.x_start)), float(cycle.period)
    ends = {name: float(getattr(cycle, name)) for name in ("x_start", "x_end")}
    around = {name: (value - span, value + span) for name, value in ends.items()}
    return {**around, "period": (0.5 * period, 2.0 * period), "strokes": (0.05, 0.85)}


def free_parameters(cycle: StirlingCycle, bounds: Bounds) -> Free:
    """What may change, after checks that name the parameter."""
    if not bounds:
        raise ValueError("`bounds` must name at least one parameter that may change")
    names, parts = [], []
    for name, pair in bounds.items():
        start = _value(cycle, name)
        low, high = _sides(name, pair)
        low, high = np.broadcast_to(low, start.shape), np.broadcast_to(high, start.shape)
        if np.any(start < low - 1e-12) or np.any(start > high + 1e-12):
            raise ValueError(f"`bounds` must hold the starting cycle, but its {name} is {start.tolist()}")
        names.append((name, start.shape))
        parts.append([np.ravel(side) for side in (start, low, high)])
    return Free(tuple(names), *(np.concatenate(side) for side in zip(*parts, strict=True)))


def _sides(name: str, pair: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of one parameter, in the shape that it has or is broadcast to."""
    low, high = (float(side) for side in pair)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"`bounds` must be finite with low < high, but {name} has {low}, {high}")
    if low <= 0.0 and name in ("beta_hot", "beta_cold", "period", "strokes"):
        raise ValueError(f"`bounds` must be > 0 for {name}, but has {low}")
    if name != "ramps":
        return np.asarray(low), np.asarray(high)
    if not low < MIDDLE < high:
        raise ValueError(f"`bounds` of ramps must hold the middle of a stroke, {MIDDLE}, but are {low}, {high}")
    return np.array([low, MIDDLE + 0.05]), np.array([MIDDLE - 0.05, high])


def _value(cycle: StirlingCycle, name: str) -> np.ndarray:
    known = (*SCALARS, "strokes", "ramps")
    if name not in known:
        raise ValueError(f"`bounds` must name parameters of {', '.join(known)}, but has {name!r}")
    if name == "ramps" and cycle.ramps is None:
        return np.tile([0.0, 1.0], (4, 1))
    return np.asarray(getattr(cycle, name))


def _split(vector: Array | np.ndarray, names: Names) -> dict[str, Array | np.ndarray]:
    """Each parameter by its name, from the vector of all."""
    sizes = [math.prod(shape) for _, shape in names]
    ends = np.cumsum(sizes)
    return {
        name: vector[end - size : end].reshape(shape)
        for (name, shape), size, end in zip(names, sizes, ends, strict=True)
    }


def with_parameters(theta: Float[Array, " parameters"], cycle: StirlingCycle, names: Names) -> StirlingCycle:
    """The cycle with the free parameters replaced; strokes are scaled to sum to 1."""
    fields = {name: getattr(cycle, name) for name in (*SCALARS, "strokes", "ramps")} | _split(theta, names)
    fields["strokes"] = fields["strokes"] / jnp.sum(fields["strokes"])
    return StirlingCycle(**fields)


def with_room(oscillator: Oscillator, cycle: StirlingCycle, free: Free) -> Oscillator:
    """The oscillator with a grid and a depth for everything that the bounds allow."""
    ends = [_split(side, free.names) for side in (free.low, free.high)]

    def reach(*names: str) -> list[float]:
        own = [float(getattr(cycle, name)) for name in names]
        return own + [float(side[name]) for side in ends for name in names if name in side]

    return resolved(oscillator, reach("beta_hot", "beta_cold"), reach("x_start", "x_end"))
