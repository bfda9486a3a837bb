"""Potentials U(q), and the phase that they give a Wigner function in the variable conjugate to momentum."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.checks import as_float


class Polynomial(eqx.Module):
    """U(q) = sum_i a_i q^i.

    Shapes     coefficients a: (degree + 1,), ascending powers
    Units      a_i: energy / length^i
    Raises     ValueError if the coefficients are not one-dimensional and non-empty
    """

    coefficients: Float[Array, " powers"]

    def __init__(self, coefficients: Any):
        self.coefficients = as_float(coefficients)
        if self.coefficients.ndim != 1 or self.coefficients.shape[0] == 0:
            raise ValueError(
                f"`coefficients` must be one-dimensional and not empty, but has shape {self.coefficients.shape}"
            )

    def __call__(self, q: Any) -> Float[Array, "..."]:
        total = jnp.zeros_like(q)
        for coefficient in self.coefficients[::-1]:
            total = total * q + coefficient
        return total

    def derivative(self, order: int) -> "Polynomial":
        """The polynomial U^(order)(q)."""
        powers = np.arange(self.coefficients.shape[0], dtype=float)
        coefficients = self.coefficients
        for _ in range(order):
            coefficients = (coefficients * powers[: coefficients.shape[0]])[1:]
        return Polynomial(coefficients if coefficients.shape[0] else jnp.zeros(1))


Potential = Callable[[Any], Any]


class Identity(eqx.Module):
    """X(q) = q, the coordinate that the field couples to unless another is given; without parameters."""

    def __call__(self, q: Any) -> Any:
        return q


def force_phase(potential: Potential, q: Float[Array, " q"], y: Float[Array, " y"]) -> Float[Array, "y q"]:
    """Classical phase rate y U'(q), from +U'(q) d_p with d_p -> iy."""
    return y[:, None] * jax.vmap(jax.grad(lambda position: jnp.asarray(potential(position))))(q)[None, :]


def moyal_phase(
    potential: Potential, q: Float[Array, " q"], y: Float[Array, " y"], hbar: Float[Array, ""]
) -> Float[Array, "y q"]:
    """Quantum phase rate [U(q + hbar y/2) - U(q - hbar y/2)] / hbar, all orders of the Moyal series at once.

    For a polynomial the same as its finite Moyal series, which is used there because it does not cancel digits at
    small hbar:  sum_r U^(2r+1)(q) (hbar/2)^(2r) y^(2r+1) / (2r+1)!
    """
    if isinstance(potential, Polynomial):
        return moyal_series(potential, q, y, hbar)
    shift = 0.5 * hbar * y[:, None]
    return (potential(q[None, :] + shift) - potential(q[None, :] - shift)) / hbar


def moyal_series(
    potential: Polynomial, q: Float[Array, " q"], y: Float[Array, " y"], hbar: Float[Array, ""]
) -> Float[Array, "y q"]:
    """The finite Moyal series of a polynomial, see `moyal_phase`."""
    total = jnp.zeros((y.shape[0], q.shape[0]))
    factor = y
    for order in range(1, potential.coefficients.shape[0], 2):
        total = total + factor[:, None] * potential.derivative(order)(q)[None, :]
        factor = factor * (0.5 * hbar * y) ** 2 / ((order + 1) * (order + 2))
    return total
