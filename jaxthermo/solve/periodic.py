"""Fixed points of linear maps that keep a norm, such as a driven system over one period, and their derivatives."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxthermo.solve.constant import frozen

# How many past iterates the acceleration combines.
MEMORY = 8
# Of the linear equations that derivatives solve, relative to the first term of their series.
DERIVATIVE_TOLERANCE = 1e-9
MAX_TERMS = 500

Map = Callable[[Float[Array, "..."], Any], Float[Array, "..."]]


class FixedPoint(eqx.Module):
    """x = map(x), the 2-norm of what is left of map(x) - x, and how often the map was applied."""

    x: Float[Array, "..."]
    residual: Float[Array, ""]
    applications: Int[Array, ""]


def accelerated(step: Map, x: Float[Array, "..."], args: Any, tolerance: Any, limit: int) -> FixedPoint:
    """Repetition with Anderson's acceleration, which for a linear map is GMRES without its matrix.

    The next iterate is the combination of the last images whose combined residual is least; its weights sum to 1, so a
    norm that the map keeps is kept.
    """
    shape = x.shape

    def advance(carry: Any) -> Any:
        images, residuals, _, count, x = carry
        image = step(x.reshape(shape), args).reshape(-1)
        images = images.at[count % MEMORY].set(image)
        residuals = residuals.at[count % MEMORY].set(image - x)
        used = jnp.arange(MEMORY, dtype=jnp.int32) <= count
        gram = residuals @ residuals.T
        # Rows not yet filled get weight 0; the ridge keeps nearly parallel residuals from cancelling digits.
        size = jnp.trace(gram) / (1.0 + jnp.minimum(count, MEMORY - 1).astype(gram.dtype))
        gram = jnp.where(used[:, None] & used[None, :], gram, 0.0) + jnp.diag(jnp.where(used, 1e-14 * size, 1e300))
        weights = jnp.linalg.solve(gram / size, jnp.where(used, 1.0, 0.0))
        weights = weights / jnp.sum(weights)
        return images, residuals, jnp.linalg.norm(image - x), count + 1, weights @ images

    def unfinished(carry: Any) -> Array:
        return (carry[2] > tolerance) & (carry[3] < limit)

    flat = x.reshape(-1)
    empty = jnp.zeros((MEMORY, flat.shape[0]))
    start = (empty, empty, jnp.asarray(jnp.inf), jnp.zeros((), jnp.int32), flat)
    _, _, residual, count, x = jax.lax.while_loop(unfinished, advance, start)
    return FixedPoint(x.reshape(shape), residual, count)


def follow_forward(step: Map, root: Float[Array, "..."], args: Any) -> Float[Array, "..."]:
    """The fixed point as a function of `args` in forward mode: dx = J dx + dF summed as a series."""

    # The root is an argument, not enclosed, so that this works inside a loop that is itself differentiated.
    @eqx.filter_custom_jvp
    def point(args: Any, root: Array) -> Array:
        return root

    @point.def_jvp
    def _(primals: Any, tangents: Any) -> Any:
        (args, root), (d_args, _) = primals, tangents

        def term(dx: Array, d_args: Any) -> Array:
            return eqx.filter_jvp(step, (root, args), (dx, d_args))[1]

        first = term(jnp.zeros_like(root), d_args)
        none = jax.tree.map(lambda leaf: None, d_args)
        return root, _series(first, lambda dx: term(dx, none))

    return point(args, root)


def follow_backward(
    step: Map, root: Float[Array, "..."], args: Any, project: Callable[[Array, Array], Array]
) -> Float[Array, "..."]:
    """The fixed point as a function of `args` in reverse mode.

    `project(covector, root)` takes the part along the kept norm out of a covector: there the series would grow, and no
    parameter moves it.
    """

    @eqx.filter_custom_vjp
    def point(args: Any, root: Array) -> Array:
        return root

    @point.def_fwd
    def _(perturbed: Any, args: Any, root: Array) -> Any:
        return root, None

    @point.def_bwd
    def _(residuals: Any, covector: Array, perturbed: Any, args: Any, root: Array) -> Any:
        _, transpose = eqx.filter_vjp(lambda x: step(x, args), root)
        total = _series(project(covector, root), lambda v: project(transpose(v)[0], root))
        _, to_args = eqx.filter_vjp(lambda a: step(root, a), args)
        return to_args(total)[0]

    return point(args, root)


def _series(first: Array, term: Callable[[Array], Array]) -> Array:
    """first + term(first) + term(term(first)) + ..., until the terms are negligible."""
    scale = jnp.linalg.norm(first)

    def advance(carry: Any) -> Any:
        total, last, count = carry
        last = term(last)
        return total + last, last, count + 1

    def unfinished(carry: Any) -> Array:
        return (jnp.linalg.norm(carry[1]) > DERIVATIVE_TOLERANCE * scale) & (carry[2] < MAX_TERMS)

    return jax.lax.while_loop(unfinished, advance, (first, first, jnp.zeros((), jnp.int32)))[0]


def find(step: Map, guess: Float[Array, "..."], args: Any, tolerance: Any, limit: int) -> FixedPoint:
    """`accelerated` held constant under differentiation."""
    return frozen(accelerated(step, frozen(guess), frozen(args), tolerance, limit))
