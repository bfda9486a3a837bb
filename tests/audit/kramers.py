"""The Kramers equation by Hermite functions of the momentum and sinc functions of the position; numpy and scipy alone.

W(q, p) = exp(-v/2 Theta) sum_n c_n(q) phi_n(p), phi_n = He_n(p/w) exp(-p^2/2w^2)/sqrt(n!), w^2 = m Theta, with Theta
a temperature above half of all others and v = U - x0 q with a field x0 of the process:
    c_n' = -(w/m)[sqrt(n) (d_q + v'/2 Theta) c_{n-1} + sqrt(n+1) (d_q - v'/2 Theta) c_{n+1}]
           + sqrt(n) (w/m) ((x - x0)/Theta) c_{n-1} - (gamma/m) n c_n + (gamma/m)(T/Theta - 1) sqrt(n (n-1)) c_{n-2}.
Motion at x = x0 is antisymmetric, so nothing grows at the rim.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .paths import Path, follow

Array = NDArray[np.float64]


def reach_of(coefficients: Sequence[float], beta: float, x: float) -> float:
    """Beyond which a canonical state has nothing."""
    q = np.linspace(-40.0, 40.0, 16001)
    height = np.polynomial.polynomial.polyval(q, coefficients) - x * q
    return 1.1 * float(np.abs(q[beta * (height - height.min()) < 26.0]).max())


def momenta_for(least: float, most: float) -> int:
    """Functions of the momentum, since Gaussians of other temperatures are series that fall every two of them."""
    fall = max(0.3, (most - least) / (most + least))
    return 16 + int(2.0 * math.log(1e-6) / math.log(fall))


class Kramers:
    """The equation among these functions, of a process about the field x0; |q| up to `reach`."""

    def __init__(
        self,
        coefficients: tuple[float, ...],
        strength: float,
        x0: float,
        *,
        theta: float,
        reach: float,
        momenta: int = 40,
        points: int = 90,
        mass: float = 1.0,
    ) -> None:
        polynomial = np.polynomial.Polynomial(coefficients)
        q = np.linspace(-reach, reach, points)
        distance = np.subtract.outer(np.arange(points), np.arange(points))
        with np.errstate(divide="ignore", invalid="ignore"):
            self.slope = np.where(distance == 0, 0.0, (-1.0) ** distance / distance) / (q[1] - q[0])
        self.q, self.height, self.shape = q, polynomial(q), (momenta, points)
        self.n = np.arange(momenta + 0.0)
        self.root, self.pair = np.sqrt(self.n)[:, None], np.sqrt(self.n * (self.n - 1.0))[2:, None]
        self.mass, self.theta, self.x0, self.rate = mass, theta, x0, strength**2 / mass
        self.width = math.sqrt(mass * theta)
        self.half = 0.5 * (polynomial.deriv()(q) - x0) / theta
        tilted = self.height - x0 * q
        self.tilted = tilted - tilted.min()
        self.root_weight = np.exp(-0.5 * self.tilted / theta)

    def rates(self, c: Array, beta: float, x: float) -> Array:
        root, pair = self.root, self.pair
        moved, pushed, speed = c @ self.slope.T, self.half * c, self.width / self.mass
        out = -self.rate * self.n[:, None] * c
        out[1:] -= speed * root[1:] * (moved + pushed - (x - self.x0) / self.theta * c)[:-1]
        out[:-1] -= speed * root[1:] * (moved - pushed)[1:]
        out[2:] += self.rate * (1.0 / (self.theta * beta) - 1.0) * pair * c[:-2]
        return out

    def start(self, beta: float) -> Array:
        """The canonical state of the field x0."""
        c = np.zeros(self.shape)
        density = np.exp(-beta * self.tilted)
        narrow = 1.0 / (self.theta * beta) - 1.0
        for k in range(0, len(c), 2):
            factor = math.exp(0.5 * math.lgamma(k + 1) - math.lgamma(k // 2 + 1))
            c[k] = density * factor * (0.5 * narrow) ** (k // 2)
        return c / self.root_weight / density.sum()

    def measure(self, c: Array) -> dict[str, float]:
        c0, c2 = c[0] * self.root_weight, c[2] * self.root_weight
        p2 = self.width**2 * float(c0.sum() + math.sqrt(2.0) * c2.sum())
        kept = {"X": float(c0 @ self.q), "q2": float(c0 @ self.q**2), "p2": p2}
        return kept | {"U": p2 / (2.0 * self.mass) + float(c0 @ self.height)}

    def follow(self, c: Array, path: Path, ts: Array, until: float = math.inf) -> tuple[Array, dict[str, Array]]:
        """The state at the end, with moments and the work -int X dx at ts, which hold the path's knots.

        TimeoutError after so many CPU seconds of the process.
        """
        weighted = self.root_weight * self.q
        return follow(c, path, ts, self.rates, lambda c: float(c[0] @ weighted), self.measure, until, atol=1e-11)
