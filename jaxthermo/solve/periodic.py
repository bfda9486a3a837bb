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
# What the loop of `repeated` is about to do.
SEARCH, LAST, DONE = 0, 1, 2

# map(x, args, measured) gives the image of x and a record of what happened on the way, which may be anything of the
# right shapes where `measured` is False.
Map = Callable[[Float[Array, "..."], Any, Any], tuple[Float[Array, "..."], Any]]


class FixedPoint(eqx.Module):
    """x = map(x): x, its image, and the record of that last application.

    `residual` is the 2-norm of what the last application of the search changed, `applications` how many it took.
    """

    x: Float[Array, "..."]
    image: Float[Array, "..."]
    record: Any
    residual: Float[Array, ""]
    applications: Int[Array, ""]


class History(eqx.Module):
    """The last images and what the map changed in them, and how many there have been."""

    images: Float[Array, "memory size"]
    residuals: Float[Array, "memory size"]
    count: Int[Array, ""]


def no_history(x: Float[Array, "..."]) -> History:
    """The history of a search that begins."""
    empty = jnp.zeros((MEMORY, x.size))
    return History(empty, empty, jnp.zeros((), jnp.int32))


def improved(
    history: History, x: Float[Array, "..."], image: Float[Array, "..."]
) -> tuple[History, Float[Array, "..."], Float[Array, ""]]:
    """One step of Anderson's acceleration, which for a linear map is GMRES without its matrix.

    The next iterate is the combination of the last images whose combined residual is least; its weights sum to 1, so a
    norm that the map keeps is kept. Returned are the history, the next iterate, and the 2-norm of image - x.
    """
    count, change = history.count, (image - x).reshape(-1)
    images = history.images.at[count % MEMORY].set(image.reshape(-1))
    residuals = history.residuals.at[count % MEMORY].set(change)
    used = jnp.arange(MEMORY, dtype=jnp.int32) <= count
    gram = residuals @ residuals.T
    # Rows not yet filled get weight 0; the ridge keeps nearly parallel residuals from cancelling digits.
    size = jnp.trace(gram) / (1.0 + jnp.minimum(count, MEMORY - 1).astype(gram.dtype))
    gram = jnp.where(used[:, None] & used[None, :], gram, 0.0) + jnp.diag(jnp.where(used, 1e-14 * size, 1e300))
    weights = jnp.linalg.solve(gram / size, jnp.where(used, 1.0, 0.0))
    weights = weights / jnp.sum(weights)
    return History(images, residuals, count + 1), (weights @ images).reshape(x.shape), jnp.linalg.norm(change)


def repeated(step: Map, x: Float[Array, "..."], args: Any, tolerance: Any, limit: int) -> FixedPoint:
    """Accelerated repetition until the map changes x by less than `tolerance`, and once more for the record.

    One loop does both, so that the program holds the map once.
    """

    def advance(carry: Any) -> Any:
        history, x, _, _, _, residual, stage = carry
        image, record = step(x, args, stage == LAST)
        later, better, change = improved(history, x, image)
        ends = ~(change > tolerance) | (later.count >= limit)
        searching = stage == SEARCH
        history, residual = _where(searching, (later, change), (history, residual))
        stage = jnp.where(searching, jnp.where(ends, LAST, SEARCH), DONE).astype(jnp.int32)
        return history, jnp.where(searching, better, x), x, image, record, residual, stage

    shapes = eqx.filter_eval_shape(step, x, args, jnp.asarray(False))
    image, record = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    start = (no_history(x), x, x, image, record, jnp.asarray(jnp.inf), jnp.asarray(SEARCH, jnp.int32))
    history, _, x, image, record, residual, _ = jax.lax.while_loop(lambda carry: carry[-1] != DONE, advance, start)
    return FixedPoint(x, image, record, residual, history.count)


def _where(condition: Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def found_forward(step: Map, guess: Float[Array, "..."], args: Any, tolerance: Any, limit: int) -> FixedPoint:
    """`repeated` as a function of `args` in forward mode: dx = J dx + dF by repetition.

    The guess is held constant. The last repetition also gives the derivative of the record.
    """

    # The map's own values are arguments, not enclosed, so that this works inside a loop that is itself differentiated.
    @eqx.filter_custom_jvp
    def point(args: Any, guess: Array, tolerance: Any) -> FixedPoint:
        return repeated(step, guess, args, tolerance, limit)

    @point.def_jvp
    def _(primals: Any, tangents: Any) -> Any:
        (args, guess, tolerance), (d_args, _, _) = primals, tangents
        found = point(args, guess, tolerance)

        def image_of(dx: Array) -> Any:
            return eqx.filter_jvp(lambda x, a: step(x, a, True), (found.x, args), (dx, d_args))[1]

        def advance(carry: Any) -> Any:
            dx, _, _, scale, count, _ = carry
            image, record = image_of(dx)
            change = jnp.linalg.norm(image - dx)
            return image, dx, record, jnp.where(count == 0, change, scale), count + 1, change

        def unfinished(carry: Any) -> Array:
            return (carry[4] == 0) | ((carry[5] > DERIVATIVE_TOLERANCE * carry[3]) & (carry[4] < MAX_TERMS))

        still, zero = jnp.zeros_like(found.x), jnp.zeros(())
        shape = eqx.filter_eval_shape(image_of, still)[1]
        empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)
        start = (still, still, empty, zero, jnp.zeros((), jnp.int32), zero)
        image, dx, record, *_ = jax.lax.while_loop(unfinished, advance, start)
        parts = (dx, image, record, zero)
        # The count of applications has no derivative.
        floating = eqx.filter(found, eqx.is_inexact_array)
        return found, eqx.tree_at(lambda f: (f.x, f.image, f.record, f.residual), floating, parts)

    return point(args, frozen(guess), frozen(tolerance))


def found_backward(
    step: Map,
    guess: Float[Array, "..."],
    args: Any,
    tolerance: Any,
    limit: int,
    project: Callable[[Array, Array], Array],
) -> FixedPoint:
    """`repeated` as a function of `args` in reverse mode: the covector of x is sent back again and again.

    `project(covector, root)` takes the part along the kept norm out of a covector: there the series would grow, and no
    parameter moves it. Every passage adds its share to the covector of `args`.
    """

    @eqx.filter_custom_vjp
    def point(args: Any, guess: Array, tolerance: Any) -> FixedPoint:
        return repeated(step, guess, args, tolerance, limit)

    @point.def_fwd
    def _(perturbed: Any, args: Any, guess: Array, tolerance: Any) -> Any:
        found = point(args, guess, tolerance)
        return found, found.x

    @point.def_bwd
    def _(root: Any, covectors: Any, perturbed: Any, args: Any, guess: Array, tolerance: Any) -> Any:
        outputs, transpose = eqx.filter_vjp(lambda x, a: step(x, a, True), root, args)
        asked = _filled((covectors.image, covectors.record), outputs)
        nothing = jax.tree.map(jnp.zeros_like, asked[1])

        def advance(carry: Any) -> Any:
            of_image, of_record, total, scale, count, _ = carry
            of_x, of_args = transpose((of_image, of_record))
            of_x = project(of_x, root)
            total = jax.tree.map(jnp.add, total, of_args)
            size = jnp.linalg.norm(of_x)
            return of_x, nothing, total, jnp.where(count == 0, size, scale), count + 1, size

        def unfinished(carry: Any) -> Array:
            return (carry[4] == 0) | ((carry[5] > DERIVATIVE_TOLERANCE * carry[3]) & (carry[4] < MAX_TERMS))

        zero = jnp.zeros(())
        total = jax.tree.map(jnp.zeros_like, eqx.filter(args, eqx.is_inexact_array))
        start = (*asked, total, zero, jnp.zeros((), jnp.int32), zero)
        return jax.lax.while_loop(unfinished, advance, start)[2]

    return point(args, frozen(guess), frozen(tolerance))


def _filled(covectors: Any, outputs: Any) -> Any:
    """Covectors of all floating outputs, zero where none was given."""

    def fill(output: Any, covector: Any) -> Any:
        if not eqx.is_inexact_array(output):
            return None
        return jnp.zeros_like(output) if covector is None else covector

    return jax.tree.map(fill, outputs, covectors, is_leaf=lambda leaf: leaf is None)
