"""Small dense matrices on any device, many at a time: stability without eigenvalues, exponentials."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# 2^SQUARINGS applications of the matrix: the estimate's error is of order (log of its condition) / 2^SQUARINGS.
SQUARINGS = 48

# exp(A) is its Taylor polynomial of this degree to rounding error where the 1-norm of A is below REACH.
DEGREE, REACH = 16, 0.75
MAX_SQUARINGS = 24


def log_spectral_radius(matrix: Float[Array, "n n"]) -> Float[Array, ""]:
    """ln max |eigenvalue|, by repeated squaring (Gelfand's formula); -inf for a nilpotent matrix."""

    def square(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        power, log_scale = carry
        norm = jnp.linalg.norm(power)
        log_scale = log_scale + jnp.log(norm) * 0.5 ** k.astype(matrix.dtype)
        power = power / jnp.where(norm > 0, norm, 1.0)
        return power @ power, log_scale

    # After step k the represented power is 2^k, so its logarithm enters with weight 2^-k.
    _, log_radius = jax.lax.fori_loop(0, SQUARINGS, square, (matrix, jnp.zeros((), matrix.dtype)))
    return log_radius


def is_stable(jacobian: Float[Array, "n n"], margin: float | Float[Array, ""]) -> Bool[Array, ""]:
    """Whether every eigenvalue has a real part below -margin * |jacobian|.

    The Cayley transform (1 + J)(1 - J)^-1 maps the left half-plane into the unit disc.
    """
    norm = jnp.linalg.norm(jacobian)
    eye = jnp.eye(jacobian.shape[0], dtype=jacobian.dtype)
    shifted = jacobian / jnp.where(norm > 0, norm, 1.0) + margin * eye
    return log_spectral_radius(jnp.linalg.solve(eye - shifted, eye + shifted)) < 0


def expm(matrices: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """exp of each matrix, by a Taylor polynomial of degree 16 in six products, scaling and squaring.

    One scaling serves the whole batch and the polynomial needs no solve, so that many small matrices cost what their
    products cost. Differentiable in both modes. NaN where the 1-norm exceeds 1e7.
    """
    size = jnp.max(jnp.sum(jnp.abs(matrices), axis=-2))
    squarings = jnp.maximum(jnp.ceil(jnp.log2(jax.lax.stop_gradient(size) / REACH)), 0.0)
    A = matrices * jnp.exp2(-squarings)
    powers = [jnp.broadcast_to(jnp.eye(A.shape[-1]), A.shape), A]
    for _ in range(3):
        powers.append(jnp.matmul(powers[-1], A))
    coefficients = [1.0 / math.factorial(j) for j in range(DEGREE + 1)]
    result = coefficients[DEGREE] * powers[0]
    for block in range(DEGREE - 4, -1, -4):
        low = sum((coefficients[block + j] * powers[j] for j in range(1, 4)), coefficients[block] * powers[0])
        result = low + jnp.matmul(powers[4], result)

    def square(result: Array, i: Array) -> tuple[Array, None]:
        return jax.lax.cond(i < squarings, lambda r: jnp.matmul(r, r), lambda r: r, result), None

    result, _ = jax.lax.scan(square, result, jnp.arange(MAX_SQUARINGS, dtype=float))
    return jnp.where(squarings <= MAX_SQUARINGS, result, jnp.nan)
