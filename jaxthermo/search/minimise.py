"""Minimisation by gradients, batchable with vmap: optax's L-BFGS directions, one evaluation per turn of one flat loop.

A line search nested in the steps would make every lane of a batch wait for the slowest one at each step, and hold
several copies of the objective to be compiled. Here a turn evaluates once, and either ends a step or moves its bracket.
`minimise` is the whole search as a pure function; `begin`, `advance` and `ended` are its parts, for searches that go on
round after round.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

if TYPE_CHECKING:
    import optax

# At least as many pairs as a search here has parameters, which makes it a full quasi-Newton method.
MEMORY = 24
MAX_LINESEARCH = 12
# Weak Wolfe conditions, by bisection (Lewis & Overton 2013): sufficient decrease, and a slope flat enough for the next
# curvature pair to be positive. Decrease is only known to ROUNDING.
DECREASE, CURVATURE, ROUNDING = 1e-4, 0.9, 1e-15

CONVERGED, PLATEAU, STOPPED, FAILED = range(4)
STATUS = ("ok", "plateau", "max steps reached", "not finite")


class Minimum(eqx.Module):
    """The best point found, its value, how the search ended (`STATUS`), and what it cost.

    `extra` is what the function gave beside its value there, `gradient` the norm of the gradient at the last point
    accepted (values below that may differ by rounding); `history` the best value at the start and after each step, NaN
    for steps not taken.
    """

    point: Float[Array, " parameters"]
    value: Float[Array, ""]
    gradient: Float[Array, ""]
    code: Int[Array, ""]
    steps: Int[Array, ""]
    evaluations: Int[Array, ""]
    history: Float[Array, " steps"]
    extra: Any


class Stopping(NamedTuple):
    """When a search ends; see `minimise`."""

    max_steps: int
    gradient_tolerance: float
    plateau: float
    patience: int = 4


class Turn(eqx.Module):
    """Where a search stands: the last accepted point, and the line along which the next one is looked for."""

    point: Float[Array, " parameters"]
    value: Float[Array, ""]
    slope: Float[Array, " parameters"]
    state: Any
    direction: Float[Array, " parameters"]
    length: Float[Array, ""]
    bracket: Float[Array, "2"]
    tries: Int[Array, ""]
    count: Int[Array, ""]
    calls: Int[Array, ""]
    idle: Int[Array, ""]
    best: tuple[Float[Array, " parameters"], Float[Array, ""], Any]
    history: Float[Array, " steps"]


Objective = Callable[[Float[Array, " parameters"]], tuple[Float[Array, ""], Any]]


def minimise(function: Objective, start: Float[Array, " parameters"], stopping: Stopping) -> Minimum:
    """A local minimum near `start` of the first part of `function`, never above its value there.

    The second part, any tree of arrays, is handed back for the best point. The search stops when the gradient's norm
    falls below `gradient_tolerance`, or when `patience` steps in a row have improved the value by less than `plateau`
    each. An evaluation is one value with its gradient.
    """
    now = begin(start, jax.eval_shape(function, start)[1], stopping)
    return ended(advance(function, now, stopping), stopping)


def begin(start: Float[Array, " parameters"], extra: Any, stopping: Stopping) -> Turn:
    """Before the first turn, which evaluates the start; `extra` has the shapes of the function's second part."""
    # optax's own weak constants would be promoted differently under strict promotion.
    with jax.numpy_dtype_promotion("standard"):
        none, zero = jnp.zeros_like(start), jnp.zeros((), jnp.int32)
        # The length of the first turn is 0, and anything finite undercuts its value.
        now = Turn(
            point=start,
            value=jnp.asarray(np.finfo(float).max),
            slope=jnp.full_like(start, np.finfo(float).max),
            state=_solver().init(start),
            direction=none,
            length=jnp.zeros(()),
            bracket=jnp.array([0.0, jnp.inf]),
            tries=jnp.asarray(MAX_LINESEARCH - 1, jnp.int32),
            count=zero,
            calls=zero,
            idle=zero,
            best=(start, jnp.asarray(jnp.inf), jax.tree.map(lambda e: jnp.full(e.shape, jnp.nan), extra)),
            history=jnp.full(stopping.max_steps + 1, jnp.nan),
        )
    # Weak types would become strong ones in the first turn, and the next would be compiled anew.
    return jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, leaf.dtype), now)


def advance(function: Objective, now: Turn, stopping: Stopping, turns: Any = None) -> Turn:
    """The search after so many more turns, or at its end; None: to its end."""
    evaluate = jax.value_and_grad(function, has_aux=True)
    limit = None if turns is None else now.calls + turns

    def due(now: Turn) -> Array:
        going = unfinished(now, stopping)
        return going if limit is None else going & (now.calls < limit)

    with jax.numpy_dtype_promotion("standard"):
        return jax.lax.while_loop(due, lambda now: _turn(evaluate, now, stopping), now)


def unfinished(now: Turn, stopping: Stopping) -> Array:
    """Whether a search has turns to come."""
    steep = jnp.linalg.norm(now.slope) > stopping.gradient_tolerance
    return steep & (now.idle < stopping.patience) & (now.count <= stopping.max_steps)


def ended(end: Turn, stopping: Stopping) -> Minimum:
    """What a search has found."""
    point, value, extra = end.best
    size = jnp.linalg.norm(end.slope)
    known = jnp.isfinite(value)
    flat = jnp.where(end.idle >= stopping.patience, PLATEAU, STOPPED)
    code = jnp.where(known, jnp.where(size <= stopping.gradient_tolerance, CONVERGED, flat), FAILED).astype(jnp.int32)
    return Minimum(point, jnp.where(known, value, jnp.nan), size, code, end.count - 1, end.calls, end.history, extra)


def _solver() -> "optax.GradientTransformation":
    import optax

    return optax.scale_by_lbfgs(memory_size=MEMORY)


def _turn(evaluate: Any, now: Turn, stopping: Stopping) -> Turn:
    trial = now.point + now.length * now.direction
    (value, extra), slope = evaluate(trial)
    along, after = now.slope @ now.direction, slope @ now.direction
    slack = ROUNDING * (1.0 + jnp.abs(now.value))
    low_enough = value <= now.value + DECREASE * now.length * along + slack
    flat_enough = after >= CURVATURE * along
    last = now.tries + 1 >= MAX_LINESEARCH
    end_of_step = low_enough & (flat_enough | last)
    lost = last & jnp.logical_not(low_enough)

    gained = now.value - value >= stopping.plateau
    idle = jnp.where(
        end_of_step, jnp.where(gained, 0, now.idle + 1), jnp.where(lost, jnp.int32(stopping.patience), now.idle)
    )
    bracket = jnp.where(low_enough, now.bracket.at[0].set(now.length), now.bracket.at[1].set(now.length))
    better = value < now.best[1]
    best = jax.tree.map(lambda a, b: jnp.where(better, a, b), (trial, value, extra), now.best)
    state, direction = _direction(now, trial, slope, after > along)
    fresh = Turn(
        point=trial,
        value=value,
        slope=slope,
        state=state,
        direction=direction,
        length=jnp.ones(()),
        bracket=jnp.array([0.0, jnp.inf]),
        tries=jnp.zeros((), jnp.int32),
        count=now.count + 1,
        calls=now.calls,
        idle=idle,
        best=best,
        history=now.history.at[now.count].set(best[1]),
    )
    same = eqx.tree_at(
        lambda turn: (turn.length, turn.bracket, turn.tries, turn.idle, turn.best),
        now,
        (_next_length(now, bracket, value, along), bracket, now.tries + 1, idle, best),
    )
    chosen = jax.tree.map(lambda a, b: jnp.where(end_of_step, a, b), fresh, same)
    return eqx.tree_at(lambda turn: turn.calls, chosen, now.calls + 1)


def _direction(now: Turn, trial: Array, slope: Array, convex: Array) -> tuple[Any, Array]:
    """The memory of L-BFGS with this step in it, and where it points downhill."""
    updates, state = _solver().update(slope, now.state, trial)
    # A pair of negative curvature would spoil the memory; the first turn has no pair yet.
    usable = convex | (now.count == 0)
    state = jax.tree.map(lambda a, b: jnp.where(usable, a, b), state, now.state)
    return state, jnp.where(usable & (slope @ updates > 0.0), -updates, -slope)


def _next_length(now: Turn, bracket: Array, value: Array, along: Array) -> Array:
    """Twice as far while there is no upper end; else where a parabola has its minimum, if well inside, or half way."""
    # Where the slope at the start and the value at the trial put the minimum.
    parabola = -along * now.length**2 / (2.0 * (value - now.value - along * now.length))
    middle = jnp.mean(bracket)
    inside = jnp.abs(parabola - middle) < 0.3 * (bracket[1] - bracket[0])
    shorter = jnp.where(inside & (bracket[0] == 0.0), parabola, middle)
    return jnp.where(jnp.isinf(bracket[1]), 2.0 * bracket[0], shorter)
