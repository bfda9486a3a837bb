"""Minimisation by gradients, batchable with vmap: optax's L-BFGS with a line search, stopped by itself."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

# At least as many pairs as a search here has parameters, which makes it a full quasi-Newton method.
MEMORY = 24
MAX_LINESEARCH = 12

CONVERGED, PLATEAU, STOPPED, FAILED = range(4)
STATUS = ("ok", "plateau", "max steps reached", "not finite")


class Minimum(eqx.Module):
    """The best point found, its value, how the search ended (`STATUS`), and what it cost.

    `history` is the best value after each step, NaN for steps not taken; `gradient` the norm of the last gradient.
    """

    point: Float[Array, " parameters"]
    value: Float[Array, ""]
    gradient: Float[Array, ""]
    code: Int[Array, ""]
    steps: Int[Array, ""]
    evaluations: Int[Array, ""]
    history: Float[Array, " steps"]


def minimise(
    function: Callable[[Float[Array, " parameters"]], Float[Array, ""]],
    start: Float[Array, " parameters"],
    *,
    max_steps: int,
    gradient_tolerance: float,
    plateau: float,
    patience: int = 4,
) -> Minimum:
    """A local minimum near `start`, never above its value.

    It stops when the gradient's norm falls below `gradient_tolerance`, or when `patience` steps in a row have improved
    the value by less than `plateau` each. An evaluation is one value with its gradient.
    """
    solver = optax.lbfgs(
        memory_size=MEMORY,
        linesearch=optax.scale_by_zoom_linesearch(max_linesearch_steps=MAX_LINESEARCH, initial_guess_strategy="one"),
    )

    def step(carry: Any) -> Any:
        best, state, count, calls, idle, history = carry
        point, value, slope = best
        updates, state = solver.update(slope, state, point, value=value, grad=slope, value_fn=function)
        # The line search has kept what it found where it ended.
        ended = state[-1]
        new = (optax.apply_updates(point, updates), ended.value, ended.grad)
        improved = jnp.isfinite(ended.value) & (ended.value < value)
        idle = jnp.where(improved & (value - ended.value >= plateau), 0, idle + 1)
        best = jax.tree.map(lambda a, b: jnp.where(improved, a, b), new, best)
        return (
            best,
            state,
            count + 1,
            calls + jnp.asarray(ended.info.num_linesearch_steps, jnp.int32),
            idle,
            history.at[count].set(best[1]),
        )

    def unfinished(carry: Any) -> Array:
        (_, value, slope), _, count, _, idle, _ = carry
        going = (jnp.linalg.norm(slope) > gradient_tolerance) & (idle < patience) & (count < max_steps)
        return going & jnp.isfinite(value)

    # optax's own weak constants would be promoted differently under strict promotion.
    with jax.numpy_dtype_promotion("standard"):
        value, slope = jax.value_and_grad(function)(start)
        zero, one = jnp.zeros((), jnp.int32), jnp.ones((), jnp.int32)
        begin = ((start, value, slope), solver.init(start), zero, one, zero, jnp.full(max_steps, jnp.nan))
        (point, value, slope), _, count, calls, idle, history = jax.lax.while_loop(unfinished, step, begin)
    size = jnp.linalg.norm(slope)
    code = jnp.where(size <= gradient_tolerance, CONVERGED, jnp.where(idle >= patience, PLATEAU, STOPPED))
    code = jnp.where(jnp.isfinite(value), code, FAILED)
    return Minimum(point, value, size, code.astype(jnp.int32), count, calls, history)
