"""GMRES with a right preconditioner, restarted, on the device: what one linear equation over many states needs."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact, Int, PyTree

from jaxthermo._types import Real

RESTART = 30

Linear = Callable[[Any], Any]


class Solved(eqx.Module):
    """x, the 2-norm of rhs - A x computed anew, and how often the preconditioner was applied."""

    x: Inexact[Array, " n"]
    residual: Array
    iterations: Int[Array, ""]


def gmres(
    apply: Linear, precondition: Linear, rhs: Inexact[Array, " n"], tolerance: Real, limit: int, restart: int = RESTART
) -> Solved:
    """A x = rhs from x = 0, where A and its preconditioner M are linear functions; the least |rhs - A x| in span of M.

    Stops when the 2-norm of the residual is at most `tolerance`, or after `limit` applications of M. A singular A is
    allowed if rhs is in its range.
    Source     Saad & Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986)
    """
    restart = min(restart, rhs.shape[0])

    def unfinished(carry: Solved) -> Array:
        return (carry.residual > tolerance) & (carry.iterations < limit)

    def once_more(carry: Solved) -> Solved:
        residual = rhs - apply(carry.x)
        basis, hessenberg, size = _arnoldi(apply, precondition, residual, tolerance, restart)
        norm = jnp.linalg.norm(residual)
        target = jnp.zeros(restart + 1, rhs.dtype).at[0].set(norm.astype(rhs.dtype))
        weights = jnp.linalg.lstsq(hessenberg, target)[0]
        x = carry.x + precondition(weights @ basis[:restart])
        return Solved(x, jnp.linalg.norm(rhs - apply(x)), carry.iterations + size)

    norm = jnp.linalg.norm(rhs)
    return jax.lax.while_loop(unfinished, once_more, Solved(jnp.zeros_like(rhs), norm, jnp.zeros((), jnp.int32)))


def _arnoldi(apply: Linear, precondition: Linear, residual: Array, tolerance: Real, restart: int) -> PyTree:
    """Orthonormal vectors from `residual`, the matrix of A M among them, and how many were needed."""
    dtype = residual.dtype
    norm = jnp.linalg.norm(residual)
    basis = jnp.zeros((restart + 1, residual.shape[0]), dtype).at[0].set(residual / norm)
    # Givens rotations tell the residual without a least-squares solve in every step.
    state = (basis, jnp.zeros((restart + 1, restart), dtype), jnp.zeros((2, restart), dtype), norm, norm, 0)

    def unfinished(carry: PyTree) -> Array:
        return (carry[5] < restart) & (carry[3] > tolerance) & (carry[4] > 0)

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
