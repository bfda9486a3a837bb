"""Stability of small dense matrices without an eigenvalue decomposition, so that it runs and batches on any device."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# 2^SQUARINGS applications of the matrix: the estimate's error is of order (log of its condition) / 2^SQUARINGS.
SQUARINGS = 48


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
