"""Quasi-static potentials as functions of extensive variables, from the Planck potential by Legendre transforms.

Phi(beta, X) = min over x~ of Xi - x~ X
Lambda(U, X) = min over beta and x~ of Xi + beta U - x~ X
Gamma(U, x~) = min over beta of Xi + beta U
U(S, X) = max over beta and x~ of (S + x~ X - Xi)/beta
H(S, x) = max over beta of (S - Xi)/beta at x~ = beta x

Xi is convex, so each has one solution; Newton's method finds it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxthermo.solve.lean import lean_jit

# Steps of Newton's method, each at most this long in ln beta and in x~.
STEPS, LONGEST = 60, 0.5
SMALL_GRADIENT = 1e-8

Planck = Callable[[Any, Any], Any]
# The function to minimise at z = (ln beta, x~), and which of the two are free.
Problem = tuple[Callable[[Planck, jax.Array, Any], jax.Array], tuple[float, float]]

PROBLEMS: dict[str, Problem] = {
    "massieu": (lambda xi, z, a: _xi(xi, z) - z[1] * a["X"], (0.0, 1.0)),
    "m_entropy": (lambda xi, z, a: _xi(xi, z) + jnp.exp(z[0]) * a["U"] - z[1] * a["X"], (1.0, 1.0)),
    "p_entropy": (lambda xi, z, a: _xi(xi, z) + jnp.exp(z[0]) * a["U"], (1.0, 0.0)),
    "internal_energy": (lambda xi, z, a: (_xi(xi, z) - a["S"] - z[1] * a["X"]) / jnp.exp(z[0]), (1.0, 1.0)),
    "enthalpy": (lambda xi, z, a: (_at_field(xi, z, a["x"]) - a["S"]) / jnp.exp(z[0]), (1.0, 0.0)),
}


def _xi(planck: Planck, z: jax.Array) -> Any:
    beta = jnp.exp(z[0])
    return planck(beta, z[1] / beta)


def _at_field(planck: Planck, z: jax.Array, x: Any) -> Any:
    return planck(jnp.exp(z[0]), x)


def quasi_static_value(name: str, planck: Planck, at: dict[str, np.ndarray]) -> np.ndarray:
    """The quasi-static potential at these extensive variables; NaN where Newton's method has not ended.

    name     one of `PROBLEMS`
    planck   Xi(beta, x), a Module, so that one program serves every oscillator
    at       arrays of one length: beta and x to start from, and U, X, S as the potential needs
    """
    arrays = {key: jnp.asarray(value) for key, value in at.items()}
    values, slopes = _minima(name, planck, arrays)
    sign = -1.0 if name in ("internal_energy", "enthalpy") else 1.0
    return np.where(np.asarray(slopes) < SMALL_GRADIENT, sign * np.asarray(values), np.nan)


@lean_jit
def _minima(name: str, planck: Planck, at: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Minimum over the free components, lane by lane, and the size of the gradient there."""
    cost, parts = PROBLEMS[name]
    free = jnp.asarray(parts)

    def one(each: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        def f(z: jax.Array) -> jax.Array:
            return cost(planck, z, each)

        def step(_: Any, z: jax.Array) -> jax.Array:
            slope, bend = jax.grad(f)(z) * free, jax.hessian(f)(z) * jnp.outer(free, free)
            # Where the model is not convex, follow the gradient.
            sizes, axes = jnp.linalg.eigh(bend + jnp.diag(1.0 - free))
            move = -axes @ ((axes.T @ slope) / jnp.maximum(jnp.abs(sizes), 1e-3)) * free
            return z + move / jnp.maximum(1.0, jnp.max(jnp.abs(move)) / LONGEST)

        z = jax.lax.fori_loop(0, STEPS, step, jnp.stack([jnp.log(each["beta"]), each["beta"] * each["x"]]))
        return f(z), jnp.max(jnp.abs(jax.grad(f)(z) * free))

    return jax.vmap(one)(at)
