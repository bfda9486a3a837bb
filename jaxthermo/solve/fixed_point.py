"""Fixed points of an autonomous field by Newton's method."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Field = Callable[[Float[Array, " n"], Any], Float[Array, " n"]]

ITERATIONS = 20


def newton(
    field: Field, guess: Float[Array, " n"], args: Any
) -> tuple[Float[Array, " n"], Float[Array, ""], Bool[Array, ""]]:
    """Newton iteration for field(x, args) = 0: the point, max |field| there, and whether it converged.

    Quadratic convergence ends at rounding error, so the test is a step of that size rather than a tuned residual.
    """

    def cond(carry: tuple[Array, Array, Array]) -> Array:
        _, step, count = carry
        return jnp.logical_and(step > 1e-13, count < ITERATIONS)

    def body(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, _, count = carry
        delta = jnp.linalg.solve(jax.jacfwd(field)(x, args), field(x, args))
        return x - delta, jnp.max(jnp.abs(delta)), count + 1

    start = (guess, jnp.full((), jnp.inf, guess.dtype), jnp.zeros((), jnp.int32))
    x, step, _ = jax.lax.while_loop(cond, body, start)
    # A singular Jacobian leaves NaN, for which every comparison is false.
    return x, jnp.max(jnp.abs(field(x, args))), step < 1e-9


def follow(field: Field, root: Float[Array, " n"], args: Any) -> Float[Array, " n"]:
    """The root as a differentiable function of `args` (implicit function theorem): one Newton step, Jacobian frozen."""
    root = jax.lax.stop_gradient(root)
    jacobian = jax.lax.stop_gradient(jax.jacfwd(field)(root, args))
    return root - jnp.linalg.solve(jacobian, field(root, args))
