"""The Kramers equation by Hermite functions of the momentum and sinc functions of the position; numpy and scipy alone.

W(q, p) = sum_n c_n(q) phi_n(p), phi_n = He_n(p/w) exp(-p^2/2w^2)/sqrt(n!), w^2 = m Theta with a temperature Theta
in the midst of the process:
    c_n' = -(w/m)[sqrt(n) d_q c_{n-1} + sqrt(n+1) d_q c_{n+1}] - sqrt(n) (V'/w) c_{n-1} - (gamma/m) n c_n
           + (gamma/m)(T/Theta - 1) sqrt(n (n-1)) c_{n-2},     V = U - xq.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

Array = NDArray[np.float64]
Protocol = Callable[[float], float]


def drive(
    coefficients: tuple[float, ...],
    strength: float,
    beta: Protocol,
    x: Protocol,
    dx: Protocol,
    ts: Array,
    kinks: Array,
    *,
    theta: float,
    reach: float,
    momenta: int = 40,
    points: int = 90,
    mass: float = 1.0,
) -> dict[str, Array]:
    """X, U, q2, p2 and the work -int X dx at ts, from equilibrium at ts[0]; |q| up to `reach`."""
    polynomial = np.polynomial.Polynomial(coefficients)
    q = np.linspace(-reach, reach, points)
    step, rate = q[1] - q[0], strength**2 / mass
    distance = np.subtract.outer(np.arange(points), np.arange(points))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(distance == 0, 0.0, (-1.0) ** distance / distance) / step
    force, n = polynomial.deriv()(q), np.arange(momenta + 0.0)
    width = math.sqrt(mass * theta)
    root = np.sqrt(n)[:, None]
    pair = np.sqrt(n * (n - 1.0))[2:, None]

    def rates(t: float, y: Array) -> Array:
        c = y[:-1].reshape(momenta, points)
        moved = c @ slope.T
        out = -rate * n[:, None] * c
        out[1:] -= root[1:] * (width / mass * moved[:-1] + (force - x(t)) / width * c[:-1])
        out[:-1] -= root[1:] * width / mass * moved[1:]
        out[2:] += rate * (1.0 / (theta * beta(t)) - 1.0) * pair * c[:-2]
        return np.append(out.ravel(), -dx(t) * (c[0] @ q))

    def start() -> Array:
        c = np.zeros((momenta, points))
        energy = polynomial(q) - x(ts[0]) * q
        density = np.exp(-beta(ts[0]) * (energy - energy.min()))
        narrow = 1.0 / (theta * beta(ts[0])) - 1.0
        for k in range(0, momenta, 2):
            half = k // 2
            factor = math.exp(0.5 * math.lgamma(k + 1) - math.lgamma(half + 1))
            c[k] = density * factor * (0.5 * narrow) ** half
        return np.append((c / density.sum()).ravel(), 0.0)

    nodes = np.unique(np.concatenate([ts, [t for t in kinks if ts[0] < t < ts[-1]]]))
    states = [start()]
    for left, right in itertools.pairwise(nodes):
        inside = (np.nextafter(left, right), np.nextafter(right, left))

        def inner(t: float, y: Array, inside: tuple[float, float] = inside) -> Array:
            return rates(float(np.clip(t, *inside)), y)

        states.append(solve_ivp(inner, (left, right), states[-1], method="DOP853", rtol=1e-8, atol=1e-11).y[:, -1])
    kept = np.array([state for t, state in zip(nodes, states, strict=True) if np.any(t == ts)])
    c0 = kept[:, :points]
    p2 = width**2 * (c0.sum(axis=1) + math.sqrt(2.0) * kept[:, 2 * points : 3 * points].sum(axis=1))
    height = c0 @ polynomial(q)
    return {"X": c0 @ q, "q2": c0 @ q**2, "p2": p2, "U": p2 / (2.0 * mass) + height, "work": kept[:, -1]}
