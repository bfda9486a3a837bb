"""Polynomials in time on a finite interval, by Bernstein control points, Chebyshev or Taylor coefficients."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial import chebyshev, polynomial

from jaxthermo._types import ScalarLike
from jaxthermo.protocols.schedules import AbstractSchedule


class PolynomialSchedule(AbstractSchedule):
    """f(t) = sum_j c_j T_j(2 t/duration - 1), j = 0..order, for 0 <= t <= duration.

    Shapes     chebyshev coefficients c: (order + 1,); duration: scalar
    """

    chebyshev: Float[Array, " powers"]
    duration: Float[Array, ""]

    def __call__(self, t: ScalarLike) -> Float[Array, ""]:
        """Clenshaw's recurrence, which loses no digits at high order."""
        u = 2.0 * jnp.asarray(t) / self.duration - 1.0
        later = latest = jnp.zeros_like(u)
        for coefficient in self.chebyshev[:0:-1]:
            later, latest = coefficient + 2.0 * u * later - latest, later
        return self.chebyshev[0] + u * later - latest

    def along(self, fractions: Float[Array, "..."]) -> Float[Array, "..."]:
        """The values at many times at once, given as fractions of the duration: few operations at any order."""
        angle = jnp.arccos(jnp.clip(2.0 * fractions - 1.0, -1.0, 1.0))
        powers = jnp.arange(self.chebyshev.shape[0], dtype=angle.dtype)
        powers = jnp.expand_dims(powers, tuple(range(angle.ndim)))
        return jnp.cos(angle[..., None] * powers) @ self.chebyshev

    def start(self) -> Float[Array, ""]:
        """f(0), where T_j is (-1)^j."""
        return jnp.sum(self.chebyshev[::2]) - jnp.sum(self.chebyshev[1::2])

    def end(self) -> Float[Array, ""]:
        """f(duration), where T_j is 1."""
        return jnp.sum(self.chebyshev)

    def taylor(self) -> Float[Array, " powers"]:
        """Coefficients of 1, t, t^2, ..."""
        order = self.chebyshev.shape[0] - 1
        powers = jnp.asarray(unit_powers(order)) @ self.chebyshev
        return powers / self.duration ** jnp.arange(order + 1, dtype=powers.dtype)


def from_control_points(points: Float[Array, " powers"], duration: ScalarLike) -> PolynomialSchedule:
    """The polynomial sum_i b_i binom(n, i) s^i (1 - s)^(n - i), s = t/duration.

    It starts at b_0, ends at b_n, and stays between the least and the largest of them.
    """
    to_chebyshev = jnp.asarray(chebyshev_from_bernstein(points.shape[0] - 1))
    return PolynomialSchedule(to_chebyshev @ points, jnp.asarray(duration, dtype=float))


def chebyshev_from_bernstein(order: int) -> np.ndarray:
    """Matrix from control points to Chebyshev coefficients, (order + 1, order + 1)."""
    # At the roots of T_(order + 1) the transform is orthogonal, so nothing is lost by solving there.
    u = np.cos(np.pi * (np.arange(order + 1) + 0.5) / (order + 1))
    s = 0.5 * (u + 1.0)
    bernstein = np.stack([math.comb(order, i) * s**i * (1.0 - s) ** (order - i) for i in range(order + 1)], axis=1)
    return np.linalg.solve(chebyshev.chebvander(u, order), bernstein)


def unit_powers(order: int) -> np.ndarray:
    """Matrix from Chebyshev coefficients to powers of s = t/duration, (order + 1, order + 1)."""
    matrix = np.zeros((order + 1, order + 1))
    for j in range(order + 1):
        in_u = chebyshev.cheb2poly(np.eye(order + 1)[j])
        for power, coefficient in enumerate(in_u):
            # u = 2 s - 1.
            matrix[: power + 1, j] += coefficient * polynomial.polypow([-1.0, 2.0], power)
    return matrix
