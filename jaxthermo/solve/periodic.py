"""Fixed points of linear maps that keep a norm, such as a driven system over one period, and their derivatives."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo._types import IntLike, Real
from jaxthermo.solve.blank import blank_of
from jaxthermo.solve.checks_off import without_checks
from jaxthermo.solve.either_mode import either_mode

# How many past iterates the acceleration combines.
MEMORY = 8
# Of the linear equations that derivatives solve, relative to the first term of their series.
DERIVATIVE_TOLERANCE = 1e-9
# So many terms at most, enough where a turn forgets a hundredth. Where the last is then a larger share of the first,
# the sum is no derivative, and NaN.
MAX_TERMS, LEFT = 2000, 1e-6
# Where a map is not back although it changes little, it is to change so much less each time, down to this share of the
# tolerance.
CLOSER, CLOSEST = 0.1, 0.001
# An application that changes this share of the tolerance needs no other to confirm it.
SURE = 1e-3

# map(x, args, measured) gives the image of x and a record of what happened on the way, which may be anything of the
# right shapes where `measured` is False.
Map = Callable[[Float[Array, "..."], Any, Any], tuple[Float[Array, "..."], Any]]


class FixedPoint(eqx.Module):
    """x = map(x): x, its image, and the record of that last application.

    `residual` is the 2-norm of what the last application of the search changed, `contraction` its ratio to what the one
    before changed, `applications` how many the search took. `which` tells maps of one family apart.
    """

    x: Float[Array, "..."]
    image: Float[Array, "..."]
    record: PyTree
    residual: Float[Array, "..."]
    contraction: Float[Array, "..."]
    applications: Int[Array, "..."]
    which: Int[Array, "..."]


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


class Repetition(eqx.Module):
    """How far the repetition of a map has come.

    `x` is what the map is applied to next, and `recorded` whether that may be the last time, so that its record is
    wanted. The last application changed `residual`, which is `contraction` of what the one before changed. Near the
    fixed point it is at most `goal`, which begins as `tol`. With `done` set, `x` is the fixed point.
    """

    x: Float[Array, "..."]
    history: History
    residual: Float[Array, ""]
    contraction: Float[Array, ""]
    goal: Float[Array, ""]
    tol: Float[Array, ""]
    limit: Int[Array, ""]
    recorded: Bool[Array, ""]
    done: Bool[Array, ""]


def begin_repetition(x: Float[Array, "..."], tol: Real, limit: IntLike, contraction: Real = float("inf")) -> Repetition:
    """A repetition from a guess, until it changes less than `tol`, of at most `limit` applications and one more.

    `contraction` is that of an earlier repetition of nearly the same map, if there was any.
    """
    # Of the types that `after_application` gives back, so that one program serves every application.
    goal, unknown, before = (jnp.asarray(number, x.dtype) for number in (tol, jnp.inf, contraction))
    count, no = jnp.asarray(limit, jnp.int32), jnp.asarray(False)
    return Repetition(x, no_history(x), unknown, before, goal, goal, count, no, no)


def after_application(so_far: Repetition, image: Float[Array, "..."], returns: Bool[Array, ""]) -> Repetition:
    """What the image of `so_far.x` adds: the rules of when a map is closed, and what it is applied to next.

    It is closed where the application before changed no more than the goal and the record says that it `returns`. A
    record that does not say so, where hardly any change is left, is taken all the same; otherwise the goal is lowered.
    An application that may be expected to change a thousandth of the tolerance is recorded at once, and is the last if
    it keeps to that. What is applied after the limit is the last in any case.
    """
    tol, limit, recorded = so_far.tol, so_far.limit, so_far.recorded
    near = recorded & ~(so_far.residual > so_far.goal)
    closed = (near & (returns | (so_far.goal <= CLOSEST * tol))) | (so_far.history.count >= limit)
    history, better, change = improved(so_far.history, so_far.x, image)
    done = closed | (recorded & returns & (change <= SURE * tol))
    # What was closed before this application was not changed by it.
    history, residual = _where(closed, (so_far.history, so_far.residual), (history, change))
    first = ~jnp.isfinite(so_far.residual)
    contraction = jnp.where(closed | first, so_far.contraction, residual / so_far.residual)
    goal = jnp.where(near, CLOSER * so_far.goal, so_far.goal)
    soon = ~(residual > goal) | (residual * contraction <= SURE * tol) | (history.count >= limit)
    x = jnp.where(done, so_far.x, better)
    return Repetition(x, history, residual, contraction, goal, tol, limit, soon, done)


def repeated(
    step: Map,
    begin: Repetition,
    args: PyTree,
    which: IntLike = 0,
    returns: Callable[[PyTree], Bool[Array, ""]] = lambda record: jnp.asarray(True),
) -> FixedPoint:
    """Accelerated repetition until the map changes x by less than the tolerance and the record of one more `returns`.

    One loop does both, so that the program holds the map once.
    """

    def advance(carry: tuple[Repetition, Array, PyTree]) -> tuple[Repetition, Array, PyTree]:
        so_far, _, _ = carry
        image, record = step(so_far.x, args, so_far.recorded)
        return after_application(so_far, image, returns(record)), image, record

    empty = blank_of(step, begin.x, args, jnp.asarray(False))
    end, image, record = jax.lax.while_loop(lambda carry: ~carry[0].done, advance, (begin, *empty))
    which = jnp.asarray(which, jnp.int32)
    return FixedPoint(end.x, image, record, end.residual, end.contraction, end.history.count, which)


def _where(condition: Array, yes: PyTree, no: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def derivable(
    search: Callable[[PyTree], tuple[FixedPoint, PyTree]],
    step: Callable[[Array, PyTree, PyTree, bool], tuple[Array, PyTree]],
    args: PyTree,
    project: Callable[[Array, Array], Array],
) -> tuple[FixedPoint, PyTree]:
    """The fixed points search(args) with the derivatives of x = map(x), whichever way they were found.

    search    args -> several fixed points, one after another along the first axis of all arrays, with the integers that
              tell their maps apart in `which`; and other numbers, which have no derivatives
    step      (x, args, which, reverse) -> image and record; `reverse` asks for a map that reverse mode goes through
    args      a tree; nothing else may be closed over that JAX is tracing
    project   (covector, root) takes the part along the kept norm out of a covector: there the series of reverse mode
              would grow, and no parameter moves it

    Forward mode repeats dx = J dx + dF; reverse mode sends a covector back again and again, and every passage adds its
    share. The last repetition also gives the derivative of the record. Where the series does not end, all are NaN.
    """

    def tangent(args: PyTree, result: PyTree, changes: PyTree) -> PyTree:
        found, others = result

        def one(root: Array, which: Array) -> tuple[Array, Array, PyTree]:
            return _tangent(lambda x, a: step(x, a, which, False), root, args, changes)

        dx, image, record = jax.lax.map(lambda each: one(*each), (found.x, found.which))
        floats = eqx.filter(found, eqx.is_inexact_array)
        moved, still = jax.tree.map(jnp.zeros_like, (floats, eqx.filter(others, eqx.is_inexact_array)))
        return eqx.tree_at(lambda f: (f.x, f.image, f.record), moved, (dx, image, record)), still

    def cotangent(moving: PyTree, fixed: PyTree, result: PyTree, covectors: PyTree) -> PyTree:
        (found, _), (covectors, _) = result, covectors

        def add(total: PyTree, each: PyTree) -> tuple[PyTree, None]:
            root, which, asked = each

            def image(x: Array, moving: PyTree) -> PyTree:
                return eqx.filter(step(x, eqx.combine(moving, fixed), which, True), eqx.is_inexact_array)

            own = _cotangent(image, root, moving, asked, project)
            # Fixed points that were not searched for are none, and nothing is asked of them.
            wanted = jnp.any(jnp.stack([jnp.any(leaf != 0.0) for leaf in jax.tree.leaves(asked)]))
            return jax.tree.map(lambda so_far, more: so_far + jnp.where(wanted, more, 0.0), total, own), None

        asked = (covectors.x, (covectors.image, covectors.record))
        return jax.lax.scan(add, jax.tree.map(jnp.zeros_like, moving), (found.x, found.which, asked))[0]

    # A callback for what the loops' own checks find would keep JAX from storing the program.
    return either_mode(search, tangent, without_checks(cotangent), args)


def _tangent(
    step: Callable[[Array, PyTree], PyTree], root: Array, args: PyTree, changes: PyTree
) -> tuple[Array, Array, PyTree]:
    """The change of a fixed point, of its image and of the record, for a change of the arguments."""

    def image_of(dx: Array) -> PyTree:
        return eqx.filter_jvp(step, (root, args), (dx, changes))[1]

    def advance(carry: PyTree) -> PyTree:
        dx, _, _, scale, count, _ = carry
        image, record = image_of(dx)
        change = jnp.linalg.norm(image - dx)
        return image, dx, record, jnp.where(count == 0, change, scale), count + 1, change

    still, zero = jnp.zeros_like(root), jnp.zeros(())
    _, empty = blank_of(image_of, still)
    start = (still, still, empty, zero, jnp.zeros((), jnp.int32), zero)
    image, dx, record, *end = jax.lax.while_loop(_unfinished, advance, start)
    return _known(end, (dx, image, record))


def _cotangent(
    image: Callable[[Array, PyTree], PyTree],
    root: Array,
    moving: PyTree,
    asked: PyTree,
    project: Callable[[Array, Array], Array],
) -> PyTree:
    """The covector of the arguments for those of a fixed point, and of its image and the record."""
    _, transpose = eqx.filter_vjp(image, root, moving)
    of_root, of_outputs = asked
    nothing = jax.tree.map(jnp.zeros_like, of_outputs[1])

    def advance(carry: PyTree) -> PyTree:
        of_image, of_record, total, scale, count, _ = carry
        of_x, of_moving = transpose((of_image, of_record))
        # What was asked of the root itself joins what its image and the record ask of it.
        of_x = project(jnp.where(count == 0, of_x + of_root, of_x), root)
        total = jax.tree.map(jnp.add, total, of_moving)
        size = jnp.linalg.norm(of_x)
        return of_x, nothing, total, jnp.where(count == 0, size, scale), count + 1, size

    zero = jnp.zeros(())
    start = (*of_outputs, jax.tree.map(jnp.zeros_like, moving), zero, jnp.zeros((), jnp.int32), zero)
    _, _, total, *end = jax.lax.while_loop(_unfinished, advance, start)
    return _known(end, total)


def _known(end: list[Array], sums: PyTree) -> PyTree:
    """The sums of a series, NaN where it was cut off: its scale, the count of its terms and the size of the last."""
    scale, _, size = end
    return jax.tree.map(lambda leaf: jnp.where(size <= LEFT * scale, leaf, jnp.nan), sums)


def _unfinished(carry: PyTree) -> Array:
    """Whether a series goes on: the first term, its scale, the count of terms and the size of the last are the end."""
    _, _, _, scale, count, size = carry
    return (count == 0) | ((size > DERIVATIVE_TOLERANCE * scale) & (count < MAX_TERMS))
