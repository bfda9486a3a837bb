"""Linear equations known by their products: restarted GMRES, and generalised conjugate residuals."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact, Int, PyTree

from jaxthermo._types import Real

RESTART = 30

Linear = Callable[[Any], Any]

# A step that leaves more than this share of the residual takes its next direction from the last image instead.
STALLED = 0.99
# Directions that are made orthogonal at a time. The last ones are a small table of their own: XLA copies what it slices
# out of a large one, which took five times as long.
BLOCK = 40


class Solved(eqx.Module):
    """x, the 2-norm of rhs - A x computed anew, and how often the preconditioner was applied."""

    x: Inexact[Array, " n"]
    residual: Array
    iterations: Int[Array, ""]


def gmres(
    apply: Linear, precondition: Linear, rhs: Inexact[Array, " n"], tol: Real, limit: int, restart: int = RESTART
) -> Solved:
    """A x = rhs from x = 0, where A and its preconditioner M are linear functions; the least |rhs - A x| in span of M.

    Stops when the 2-norm of the residual is at most `tol`, or after `limit` applications of M. A singular A is
    allowed if rhs is in its range.
    Source     Saad & Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986)
    """
    restart = min(restart, rhs.shape[0])

    def unfinished(carry: Solved) -> Array:
        return (carry.residual > tol) & (carry.iterations < limit)

    def once_more(carry: Solved) -> Solved:
        residual = rhs - apply(carry.x)
        basis, hessenberg, size = _arnoldi(apply, precondition, residual, tol, restart)
        norm = jnp.linalg.norm(residual)
        target = jnp.zeros(restart + 1, rhs.dtype).at[0].set(norm.astype(rhs.dtype))
        weights = jnp.linalg.lstsq(hessenberg, target)[0]
        x = carry.x + precondition(weights @ basis[:restart])
        return Solved(x, jnp.linalg.norm(rhs - apply(x)), carry.iterations + size)

    norm = jnp.linalg.norm(rhs)
    return jax.lax.while_loop(unfinished, once_more, Solved(jnp.zeros_like(rhs), norm, jnp.zeros((), jnp.int32)))


def _arnoldi(apply: Linear, precondition: Linear, residual: Array, tol: Real, restart: int) -> PyTree:
    """Orthonormal vectors from `residual`, the matrix of A M among them, and how many were needed."""
    dtype = residual.dtype
    norm = jnp.linalg.norm(residual)
    basis = jnp.zeros((restart + 1, residual.shape[0]), dtype).at[0].set(residual / norm)
    # Givens rotations tell the residual without a least-squares solve in every step.
    state = (basis, jnp.zeros((restart + 1, restart), dtype), jnp.zeros((2, restart), dtype), norm, norm, 0)

    def unfinished(carry: PyTree) -> Array:
        return (carry[5] < restart) & (carry[3] > tol) & (carry[4] > 0)

    def step(carry: PyTree) -> PyTree:
        basis, hessenberg, turns, left, _, k = carry
        image = apply(precondition(basis[k]))
        # Twice is enough: once leaves a loss of orthogonality that grows with the condition number.
        first = basis.conj() @ image
        image = image - first @ basis
        second = basis.conj() @ image
        image = image - second @ basis
        length = jnp.linalg.norm(image)
        # What is left of an image inside the span is rounding, and no new direction.
        length = jnp.where(length > 1e-14 * jnp.linalg.norm(first), length, 0.0)
        column = (first + second).at[k + 1].set(length.astype(dtype))
        basis = basis.at[k + 1].set(image / jnp.where(length > 0, length, 1.0))

        def rotate(j: Real, column: Array) -> Array:
            above, below = column[j], column[j + 1]
            c, s = turns[0, j], turns[1, j]
            return column.at[j].set(c.conj() * above + s.conj() * below).at[j + 1].set(c * below - s * above)

        turned = jax.lax.fori_loop(0, k, rotate, column)
        size = jnp.sqrt(jnp.abs(turned[k]) ** 2 + jnp.abs(turned[k + 1]) ** 2)
        size = jnp.where(size > 0, size, 1.0)
        turns = turns.at[0, k].set(turned[k] / size).at[1, k].set(turned[k + 1] / size)
        left = left * jnp.abs(turns[1, k])
        return basis, hessenberg.at[:, k].set(column), turns, left, length, k + 1

    basis, hessenberg, _, _, _, size = jax.lax.while_loop(unfinished, step, state)
    return basis, hessenberg, size


class Tables(eqx.Module):
    """Directions, and their images, of length 1 and orthogonal to each other."""

    directions: Float[Array, "rows n"]
    images: Float[Array, "rows n"]

    def removed_from(self, image: Array, direction: Array) -> tuple[Array, Array]:
        """The image made orthogonal to these, and the direction moved along."""
        overlap = self.images @ image
        return image - overlap @ self.images, direction - overlap @ self.directions


class Conjugate(eqx.Module):
    """Where a solve is: x, its residual and the direction to try next, and the last directions with their images.

    `recent` are those of the block that is being filled, zero beyond, `older` full blocks.
    """

    x: Float[Array, " n"]
    residual: Float[Array, " n"]
    next: Float[Array, " n"]
    recent: "Tables"
    older: "Tables"
    target: Float[Array, ""]
    steps: Int[Array, ""]


def least_residual(
    apply: Linear, precondition: Linear, rhs: Float[Array, " n"], tol: float, limit: int, memory: int
) -> tuple[Float[Array, " n"], Float[Array, ""]]:
    """The solution of A x = rhs, and a bound of its error over its size in the 2-norm.

    From x = 0 by steps along preconditioned residuals, each made conjugate to the last `memory` ones, of which the
    oldest BLOCK are dropped at a time. Until more than `memory` steps are taken it is GMRES in exact arithmetic. The
    residual that is made small is M (rhs - A x). Stops when its 2-norm is at most `tol` times that of the first, or
    after `limit` steps. `memory` is a multiple of BLOCK.
    Source     Eisenstat, Elman & Schultz, SIAM J. Numer. Anal. 20, 345 (1983); the choice of the next direction:
               Jiranek & Rozloznik, Numer. Algorithms 53, 93 (2010)
    """

    def unfinished(state: Conjugate) -> Array:
        return (state.steps == 0) | ((_size(state.residual) > state.target) & (state.steps < limit))

    def step(state: Conjugate) -> Conjugate:
        # The first turn only finds the first residual, so that the program holds one copy of each operator.
        first = state.steps == 0
        direction = state.next
        image = precondition(jnp.where(first, rhs, apply(direction)))
        residual = jnp.where(first, image, state.residual)
        image, direction = _conjugated(image, direction, state)
        length = _size(image)
        scale = jnp.where(first | (length == 0), 0.0, 1.0 / jnp.where(length == 0, 1.0, length))
        image, direction = scale * image, scale * direction
        gain = image @ residual
        left_over = residual - gain * image
        stalled = ~first & (_size(left_over) > STALLED * _size(residual))
        recent, older = _with(Tables(direction[None], image[None]), state)
        return Conjugate(
            state.x + gain * direction,
            left_over,
            _unit(jnp.where(stalled, image, left_over)),
            recent,
            older,
            jnp.where(first, tol * _size(residual), state.target),
            state.steps + 1,
        )

    def none(rows: int) -> Tables:
        empty = jnp.zeros((rows, rhs.shape[0]), rhs.dtype)
        return Tables(empty, empty)

    start = Conjugate(
        jnp.zeros_like(rhs),
        rhs,
        rhs,
        none(BLOCK),
        none(memory - BLOCK),
        jnp.zeros((), rhs.dtype),
        jnp.zeros((), jnp.int32),
    )
    done = jax.lax.while_loop(unfinished, step, start)
    return done.x, _error_left(done)


def _error_left(done: Conjugate) -> Array:
    """How far x may be from the solution, over the size of x: |inverse| |residual|.

    The images have length 1, so the lengths of their directions bound what the inverse does in the space searched: a
    slow mode shows as a long direction, however small the residual that it leaves.
    """
    largest = jnp.sqrt(sum(jnp.vdot(table.directions, table.directions) for table in (done.recent, done.older)))
    left = _size(done.residual)
    # Nothing is left where nothing was asked for; the size of x is 0 then.
    return jnp.where(left == 0.0, 0.0, largest * left / jnp.where(left == 0.0, 1.0, _size(done.x)))


def _with(row: Tables, state: Conjugate) -> tuple[Tables, Tables]:
    """The tables with one more direction; a block that is full takes the place of the oldest one."""
    recent, older = state.recent, state.older
    slot, blocks = state.steps % BLOCK, len(older.images) // BLOCK
    recent = jax.tree.map(lambda table, one: table.at[slot].set(one[0]), recent, row)
    if not blocks:
        return recent, older
    place = (state.steps // BLOCK % blocks) * BLOCK

    def moved(_: Any, tables: tuple[Tables, Tables]) -> tuple[Tables, Tables]:
        recent, older = tables
        kept = jax.tree.map(lambda to, block: jax.lax.dynamic_update_slice_in_dim(to, block, place, 0), older, recent)
        return jax.tree.map(jnp.zeros_like, recent), kept

    # A loop of one turn or none leaves the tables where they are in memory; a choice might copy them.
    return jax.lax.fori_loop(0, (slot == BLOCK - 1).astype(jnp.int32), moved, (recent, older))


def _conjugated(image: Array, direction: Array, state: Conjugate) -> tuple[Array, Array]:
    """The image made orthogonal to all before it, and the direction moved along; by blocks, to leave out empty ones."""
    older = state.older
    full = jnp.minimum(state.steps // BLOCK, len(older.images) // BLOCK)

    def block(i: Array, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        rows = jax.tree.map(lambda table: jax.lax.dynamic_slice_in_dim(table, i * BLOCK, BLOCK), older)
        return rows.removed_from(*pair)

    def once(_: Any, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        if len(older.images):
            pair = jax.lax.fori_loop(0, full, block, pair)
        return state.recent.removed_from(*pair)

    # Twice is enough: once leaves a loss of orthogonality that grows with the condition number.
    return jax.lax.fori_loop(0, 2, once, (image, direction))


def _size(vector: Array) -> Array:
    return jnp.sqrt(vector @ vector)


def _unit(vector: Array) -> PyTree:
    size = _size(vector)
    return vector / jnp.where(size > 0, size, 1.0)
