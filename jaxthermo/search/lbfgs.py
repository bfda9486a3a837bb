"""Minimisation by gradients in JAX: optax's L-BFGS directions, and one evaluation in each pass of one flat loop.

A line search nested in the steps would hold several copies of the objective, each of which is compiled for seconds.
Here a pass evaluates once, and either ends a step or moves the bracket of its length. `initial_state`,
`after_evaluation`, `unfinished` and `minimum_of` are parts of a search, for loops that do other things in between.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo._status import Status, as_codes

if TYPE_CHECKING:
    import optax

# At least as many pairs as a search here has parameters, which makes it a full quasi-Newton method.
MEMORY = 24
MAX_LINESEARCH = 12
# Weak Wolfe conditions, by bisection (Lewis & Overton 2013): sufficient decrease, and a slope flat enough for the next
# curvature pair to be positive. Decrease is only known to ROUNDING.
DECREASE, CURVATURE, ROUNDING = 1e-4, 0.9, 1e-15


class Minimum(eqx.Module):
    """The best point found, its value, and how the search ended.

    `aux` is what the function gave beside its value there, `gradient` the norm of the gradient at the last point
    accepted (values below that may differ by rounding); `history` the best value at the start and after each step, NaN
    for steps not taken. `status` is ok where the gradient vanished, or steps no longer changed the value or
    promised to, `plateau` where no step along the last direction gained anything, `max_steps_reached`, or `not_finite`.
    """

    point: Float[Array, " parameters"]
    value: Float[Array, ""]
    gradient: Float[Array, ""]
    status: Int[Array, ""]
    steps: Int[Array, ""]
    history: Float[Array, " steps"]
    aux: PyTree


class Stopping(NamedTuple):
    """When a search ends: where the gradient's norm is below `gradient_tolerance`, where `patience` steps in a row have
    each improved the value by less than `value_tolerance`, where one that resumes another has nothing like that to
    gain, or after `max_steps`."""

    max_steps: int
    gradient_tolerance: float
    value_tolerance: float
    patience: int = 4


class SearchState(eqx.Module):
    """Where a search stands: the last accepted point, and the line along which the next one is looked for."""

    point: Float[Array, " parameters"]
    value: Float[Array, ""]
    slope: Float[Array, " parameters"]
    memory: PyTree
    direction: Float[Array, " parameters"]
    length: Float[Array, ""]
    bracket: Float[Array, "2"]
    tries: Int[Array, ""]
    count: Int[Array, ""]
    evaluations: Int[Array, ""]
    idle: Int[Array, ""]
    lost: Bool[Array, ""]
    best: tuple[Float[Array, " parameters"], Float[Array, ""], PyTree]
    history: Float[Array, " steps"]

    @property
    def trial(self) -> Float[Array, " parameters"]:
        """The point to be evaluated next."""
        return self.point + self.length * self.direction


def initial_state(start: Float[Array, " parameters"], aux: PyTree, stopping: Stopping) -> SearchState:
    """Before the first evaluation, which is of `start`; `aux` has the shapes of the function's second part."""
    # optax's own weak constants would be promoted differently under strict promotion.
    with jax.numpy_dtype_promotion("standard"):
        none, zero = jnp.zeros_like(start), jnp.zeros((), jnp.int32)
        # The length of the first step is 0, and anything finite undercuts its value.
        state = SearchState(
            point=start,
            value=jnp.asarray(np.finfo(float).max),
            slope=jnp.full_like(start, np.finfo(float).max),
            memory=_solver().init(start),
            direction=none,
            length=jnp.zeros(()),
            bracket=jnp.array([0.0, jnp.inf]),
            tries=jnp.asarray(MAX_LINESEARCH - 1, jnp.int32),
            count=zero,
            evaluations=zero,
            idle=zero,
            lost=jnp.asarray(False),
            best=(start, jnp.asarray(jnp.inf), jax.tree.map(lambda e: jnp.full(e.shape, jnp.nan), aux)),
            history=jnp.full(stopping.max_steps + 1, jnp.nan),
        )
    # Weak types would become strong ones in the first pass of a loop, which refuses that.
    return jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, leaf.dtype), state)


def resumed(state: SearchState, start: Float[Array, " parameters"], aux: PyTree, stopping: Stopping) -> SearchState:
    """Before the first evaluation of a function that resembles the one searched so far: what was learnt of its
    curvature is kept."""
    return replace(initial_state(start, aux, stopping), memory=state.memory)


def unfinished(state: SearchState, stopping: Stopping) -> Bool[Array, ""]:
    """Whether a search has evaluations to come."""
    steep = jnp.linalg.norm(state.slope) > stopping.gradient_tolerance
    going = ~state.lost & (state.idle < stopping.patience) & (state.count <= stopping.max_steps)
    return steep & going & ~_resumed_at_the_end(state, stopping)


def promised(state: SearchState) -> Float[Array, ""]:
    """What a quasi-Newton step along the direction would gain."""
    return -0.5 * (state.slope @ state.direction)


def _resumed_at_the_end(state: SearchState, stopping: Stopping) -> Bool[Array, ""]:
    """Whether what another search has learnt promises no gain."""
    learnt = state.memory.count > state.count + state.point.size
    return (state.count > 0) & learnt & (promised(state) <= stopping.value_tolerance)


def minimum_of(state: SearchState, stopping: Stopping) -> Minimum:
    """What a search has found so far."""
    point, value, aux = state.best
    size, known = jnp.linalg.norm(state.slope), jnp.isfinite(value)
    converged = (size <= stopping.gradient_tolerance) | (state.idle >= stopping.patience)
    # Less than what counts as a gain may be lost in rounding.
    newton = jnp.any(state.direction != -state.slope) & (promised(state) <= stopping.value_tolerance)
    converged = converged | (newton & state.lost) | _resumed_at_the_end(state, stopping)
    stopped = jnp.where(state.lost, as_codes(Status.plateau), as_codes(Status.max_steps_reached))
    status = jnp.where(converged, as_codes(Status.ok), stopped)
    return Minimum(
        point=point,
        value=jnp.where(known, value, jnp.nan),
        gradient=size,
        status=jnp.where(known, status, as_codes(Status.not_finite)),
        steps=jnp.maximum(state.count - 1, 0),
        history=state.history,
        aux=aux,
    )


def _solver() -> "optax.GradientTransformation":
    import optax

    return optax.scale_by_lbfgs(memory_size=MEMORY)


def after_evaluation(
    now: SearchState, value: Float[Array, ""], aux: PyTree, slope: Float[Array, " parameters"], stopping: Stopping
) -> SearchState:
    """The search after the evaluation of `now.trial`."""
    with jax.numpy_dtype_promotion("standard"):
        return _after(now, value, aux, slope, stopping)


def _after(now: SearchState, value: Array, aux: PyTree, slope: Array, stopping: Stopping) -> SearchState:
    trial = now.trial
    along, after = now.slope @ now.direction, slope @ now.direction
    slack = ROUNDING * (1.0 + jnp.abs(now.value))
    low_enough = value <= now.value + DECREASE * now.length * along + slack
    flat_enough = after >= CURVATURE * along
    last = now.tries + 1 >= MAX_LINESEARCH
    end_of_step = low_enough & (flat_enough | last)

    gained = now.value - value >= stopping.value_tolerance
    bracket = jnp.where(low_enough, now.bracket.at[0].set(now.length), now.bracket.at[1].set(now.length))
    better = value < now.best[1]
    best = jax.tree.map(lambda a, b: jnp.where(better, a, b), (trial, value, aux), now.best)
    memory, direction = _direction(now, trial, slope, after > along)
    fresh = SearchState(
        point=trial,
        value=value,
        slope=slope,
        memory=memory,
        direction=direction,
        length=jnp.ones(()),
        bracket=jnp.array([0.0, jnp.inf]),
        tries=jnp.zeros((), jnp.int32),
        count=now.count + 1,
        evaluations=now.evaluations,
        idle=jnp.where(gained, 0, now.idle + 1),
        lost=now.lost,
        best=best,
        history=now.history.at[now.count].set(best[1]),
    )
    same = eqx.tree_at(
        lambda state: (state.length, state.bracket, state.tries, state.lost, state.best),
        now,
        (_next_length(now, bracket, value, along), bracket, now.tries + 1, last & ~low_enough, best),
    )
    chosen = jax.tree.map(lambda a, b: jnp.where(end_of_step, a, b), fresh, same)
    return eqx.tree_at(lambda state: state.evaluations, chosen, now.evaluations + 1)


def _direction(now: SearchState, trial: Array, slope: Array, convex: Array) -> tuple[PyTree, Array]:
    """The memory of L-BFGS with this step in it, and where it points downhill."""
    # The first evaluation has no step; the memory may be that of another function, whose slope is not to be compared.
    first = now.memory._replace(params=trial, updates=slope)
    old = jax.tree.map(lambda a, b: jnp.where(now.count == 0, a, b), first, now.memory)
    updates, memory = _solver().update(slope, old, trial)
    # A pair of negative curvature would spoil the memory.
    usable = convex | (now.count == 0)
    memory = jax.tree.map(lambda a, b: jnp.where(usable, a, b), memory, now.memory)
    return memory, jnp.where(usable & (slope @ updates > 0.0), -updates, -slope)


def _next_length(now: SearchState, bracket: Array, value: Array, along: Array) -> Array:
    """Twice as far while there is no upper end; else where a parabola has its minimum, if well inside, or half way."""
    # Where the slope at the start and the value at the trial put the minimum.
    parabola = -along * now.length**2 / (2.0 * (value - now.value - along * now.length))
    middle = jnp.mean(bracket)
    inside = jnp.abs(parabola - middle) < 0.3 * (bracket[1] - bracket[0])
    shorter = jnp.where(inside & (bracket[0] == 0.0), parabola, middle)
    return jnp.where(jnp.isinf(bracket[1]), 2.0 * bracket[0], shorter)
