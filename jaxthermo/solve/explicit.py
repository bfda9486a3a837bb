"""Explicit Runge-Kutta steps of many lanes at once, each with a step size of its own; lanes are last in memory.

Stages are a loop, so that a field is compiled once for all of them, and XLA cannot fuse a stage into each of those that
use it and compute its exponentials again.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo.solve.integrate import FAILED, OK, OUT_OF_STEPS

Tolerance = float | Array
# dy/dt from times (lanes,), states (..., lanes), and whether any lane is under way, which is so where it is called.
LanesField = Callable[[Array, PyTree, Array], PyTree]

# As in `diffrax.PIDController`: how much a step size changes at once, and its margin below the size that would do.
SHRINK, GROW, SAFETY = 0.2, 10.0, 0.9
# The first step: this share of |y|/|dy/dt|, or this share of the whole time where one of them is as small as this.
FIRST_SHARE, FIRST_STEP, NOTHING = 0.01, 1e-6, 1e-5
# Steps whose end would lie this share of themselves before the end go up to it.
LAST_STEP = 1e-14


class Scheme(NamedTuple):
    """A Butcher tableau with all stages: weights (S, S), nodes (S,), those of the error (S,), and the error's order.

    The last stage is at the end of the step, and the first of the next one.
    """

    weights: np.ndarray
    nodes: np.ndarray
    error: np.ndarray
    order: float


def scheme_of(solver: diffrax.AbstractSolver) -> Scheme | None:
    """The scheme of a diffrax solver; None unless it is explicit, with a last stage that the next step begins with."""
    tableau: Any = solver.tableau if isinstance(solver, diffrax.AbstractERK) else None
    if tableau is None or not tableau.fsal:
        return None
    stages = len(tableau.a_lower) + 1
    weights = np.zeros((stages, stages))
    for row, values in enumerate(tableau.a_lower, 1):
        weights[row, : len(values)] = values
    term: Any = diffrax.ODETerm(lambda t, y, args: y)
    order: Any = solver.error_order(term)
    return Scheme(weights, np.concatenate([[0.0], tableau.c]), np.asarray(tableau.b_error), float(order))


class _Now(NamedTuple):
    """Lanes under way: time, next step, state, its rate of change, steps tried, which of them move, if any does."""

    t: Float[Array, " lanes"]
    step: Float[Array, " lanes"]
    y: PyTree
    rate: PyTree
    tried: Int[Array, " lanes"]
    active: Bool[Array, " lanes"]
    going: Bool[Array, ""]


def follow(
    field: LanesField,
    y: PyTree,
    t0: Float[Array, " lanes"],
    t1: Float[Array, " lanes"],
    scheme: Scheme,
    *,
    rtol: Tolerance,
    atol: Tolerance,
    max_steps: int,
) -> tuple[PyTree, Int[Array, " lanes"], Int[Array, " lanes"]]:
    """States at t1 > t0 from y at t0, NaN where a lane did not get there; how lanes ended, and steps tried.

    Shapes     leaves of y: (..., lanes)
    """

    def with_lanes_that_move(t: Array, step: Array, y: PyTree, rate: PyTree, tried: Array) -> _Now:
        # A step that does not move the time, or is not a number, will not do so later.
        active = (t < t1) & (tried < max_steps) & (t + step > t)
        return _Now(t, step, y, rate, tried, active, jnp.any(active))

    def body(now: _Now) -> _Now:
        left = t1 - now.t
        last = now.step >= left * (1.0 - LAST_STEP)
        h = jnp.where(last, left, now.step)
        y, rate, error = _step(field, now, h, scheme)
        square = _mean_square(error, now.y, y, rtol, atol)
        small = square < 1.0
        usual = SAFETY * jnp.exp(-0.5 / scheme.order * jnp.log(square))
        factor = jnp.where(small, jnp.clip(usual, 1.0, GROW), jnp.clip(usual, SHRINK, SAFETY))
        accepted = small & now.active
        then = jnp.where(last, t1, now.t + h)
        return with_lanes_that_move(
            jnp.where(accepted, then, now.t),
            jnp.where(now.active, h * jnp.where(jnp.isnan(square), SHRINK, factor), now.step),
            _chosen(accepted, y, now.y),
            _chosen(accepted, rate, now.rate),
            now.tried + now.active.astype(jnp.int32),
        )

    rate = field(t0, y, jnp.any(t0 < t1))
    first = _first_step(y, rate, t1 - t0, rtol, atol)
    now = with_lanes_that_move(t0, first, y, rate, jnp.zeros(t0.shape, jnp.int32))
    now = jax.lax.while_loop(lambda now: now.going, body, now)
    arrived = now.t >= t1
    trouble = jnp.where(now.tried >= max_steps, OUT_OF_STEPS, FAILED)
    nowhere = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), now.y)
    status = jnp.where(arrived, OK, trouble).astype(jnp.int32)
    # As diffrax counts.
    return _chosen(arrived, now.y, nowhere), status, now.tried.astype(jnp.asarray(0).dtype)


def _step(field: LanesField, now: _Now, h: Array, scheme: Scheme) -> tuple[PyTree, PyTree, PyTree]:
    """State and rate at the end of a step, and an estimate of the state's error."""
    stages = len(scheme.nodes)
    dtype = h.dtype
    rates = jax.tree.map(lambda k: jnp.zeros((stages, *k.shape), k.dtype).at[0].set(k), now.rate)

    def stage(carry: tuple[PyTree, PyTree], row: tuple[Array, Array, Array]) -> tuple[tuple[PyTree, PyTree], None]:
        rates, _ = carry
        index, weights, node = row

        def reached(y: Array, k: Array) -> Array:
            # One product after another: as a product of matrices it is slower.
            total = weights[0] * k[0]
            for j in range(1, stages - 1):
                total = total + weights[j] * k[j]
            return y + _across(h, y) * total

        y = jax.tree.map(reached, now.y, rates)
        rate = field(now.t + node * h, y, now.going)
        rates = jax.tree.map(lambda k, new: jax.lax.dynamic_update_index_in_dim(k, new, index, 0), rates, rate)
        return (rates, y), None

    rows = (jnp.arange(1, stages), jnp.asarray(scheme.weights[1:], dtype), jnp.asarray(scheme.nodes[1:], dtype))
    (rates, y), _ = jax.lax.scan(stage, (rates, now.y), rows)
    used = [(j, dtype.type(c)) for j, c in enumerate(scheme.error) if c]
    error = jax.tree.map(lambda k: _across(h, k[0]) * sum(c * k[j] for j, c in used), rates)
    return y, jax.tree.map(lambda k: k[-1], rates), error


def _across(lanes: Array, like: Array) -> Array:
    """One value for each lane, shaped to go with a leaf (..., lanes)."""
    return lanes.reshape((1,) * (like.ndim - 1) + lanes.shape)


def _chosen(condition: Array, then: PyTree, other: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(_across(condition, a), a, b), then, other)


def _mean_square(
    values: PyTree, y: PyTree, other: PyTree, rtol: float | Array, atol: float | Array
) -> Float[Array, " lanes"]:
    """Mean over a lane of the squares of values in units of the tolerance."""

    def squares(value: Array, a: Array, b: Array) -> Array:
        scaled = value / (atol + rtol * jnp.maximum(jnp.abs(a), jnp.abs(b)))
        return jnp.sum((scaled**2).reshape(-1, value.shape[-1]), axis=0)

    parts = jax.tree.leaves(jax.tree.map(squares, values, y, other))
    size = sum(leaf.size // leaf.shape[-1] for leaf in jax.tree.leaves(values))
    return sum(parts[1:], parts[0]) / size


def _first_step(
    y: PyTree, rate: PyTree, span: Array, rtol: float | Array, atol: float | Array
) -> Float[Array, " lanes"]:
    """A step by which the state changes little."""
    size, speed = (jnp.sqrt(_mean_square(values, y, y, rtol, atol)) for values in (y, rate))
    small = (size < NOTHING) | (speed < NOTHING)
    return jnp.where(small, FIRST_STEP * span, jnp.minimum(FIRST_SHARE * size / jnp.where(small, 1.0, speed), span))
