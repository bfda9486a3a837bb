"""The eigenvalue of largest real part of a large matrix that is known by its products, with a preconditioner."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int, PyTree

from jaxthermo._types import Real

# Largest subspace, and how many of its vectors survive a restart.
SIZE, RETAINED = 24, 6
# Among conjugate pairs the eigenvalue with positive imaginary part is preferred.
PREFERENCE = 1e-10

Linear = Callable[[Array], Array]


class Eigenpair(eqx.Module):
    """A x = value x with |x| = 1, the 2-norm of A x - value x, and the number of products with A."""

    value: Complex[Array, ""]
    x: Complex[Array, " n"]
    residual: Float[Array, ""]
    products: Int[Array, ""]


def leading_eigenpair(
    apply: Linear, precondition: Linear, start: Complex[Array, " n"], tol: Real, limit: int
) -> Eigenpair:
    """The Ritz pair of largest real part, the subspace growing by preconditioned residuals until one is small enough.

    Shapes     start: (n,), complex; `apply` and `precondition` are linear, and keep to any sector that start lies in
    Source     Davidson, J. Comput. Phys. 17, 87 (1975); Morgan & Scott, SIAM J. Sci. Stat. Comput. 7, 817 (1986)
    """
    size = min(SIZE, start.shape[0])
    retained = min(RETAINED, size - 1)

    def ritz(basis: Array, images: Array, used: Array) -> tuple[Array, Array, Array]:
        inside = jnp.arange(size) < used
        small = jnp.where(inside[:, None] & inside[None, :], basis.conj() @ images.T, 0.0)
        values, vectors = jnp.linalg.eig(small)
        # Eigenvectors outside of what is used have all their weight there.
        outside = jnp.linalg.norm(jnp.where(inside[:, None], vectors, 0.0), axis=0) < 0.5
        scale = jnp.max(jnp.abs(values)) + 1e-300
        score = jnp.where(outside, -jnp.inf, values.real / scale + PREFERENCE * values.imag / scale)
        order = jnp.argsort(-score)
        return values[order], vectors[:, order], small

    def best(basis: Array, images: Array, used: Array) -> tuple[Array, Array, Array]:
        values, vectors, _ = ritz(basis, images, used)
        x = vectors[:, 0] @ basis
        norm = jnp.linalg.norm(x)
        return values[0], x / norm, (vectors[:, 0] @ images - values[0] * x) / norm

    def shrink(basis: Array, images: Array) -> tuple[Array, Array, Array]:
        _, vectors, _ = ritz(basis, images, jnp.asarray(size))
        rotation, _ = jnp.linalg.qr(vectors[:, :retained])
        pad = jnp.zeros((size - retained, basis.shape[1]), basis.dtype)
        return (
            jnp.concatenate([rotation.T @ basis, pad]),
            jnp.concatenate([rotation.T @ images, pad]),
            jnp.asarray(retained),
        )

    def grow(carry: PyTree) -> PyTree:
        basis, images, used, _, _, rest, count = carry
        basis, images, used = jax.lax.cond(used == size, shrink, lambda b, i: (b, i, used), basis, images)
        new = precondition(rest)
        new = new / jnp.linalg.norm(new)
        for _ in range(2):
            new = new - (basis.conj() @ new) @ basis
        new = new / jnp.maximum(jnp.linalg.norm(new), 1e-300)
        basis, images = basis.at[used].set(new), images.at[used].set(apply(new))
        value, x, rest = best(basis, images, used + 1)
        return basis, images, used + 1, value, x, rest, count + 1

    def unfinished(carry: PyTree) -> Array:
        return (jnp.linalg.norm(carry[5]) > tol) & (carry[6] < limit)

    start = start / jnp.linalg.norm(start)
    empty = jnp.zeros((size, start.shape[0]), start.dtype)
    basis, images = empty.at[0].set(start), empty.at[0].set(apply(start))
    used = jnp.ones((), int)
    carry = (basis, images, used, *best(basis, images, used), jnp.ones((), int))
    *_, value, x, rest, count = jax.lax.while_loop(unfinished, grow, carry)
    return Eigenpair(value, x, jnp.linalg.norm(rest), count)
