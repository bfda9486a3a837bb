"""The Kramers equation by Hermite functions of the momentum and sinc functions of the position; numpy and scipy alone.

W(q, p) = exp(-v/2 Theta) sum_n c_n(q) phi_n(p), phi_n = He_n(p/w) exp(-p^2/2w^2)/sqrt(n!), w^2 = m Theta, with Theta
a temperature above half of all others and v = U - x0 q with a field x0 of the process:
    c_n' = -(w/m)[sqrt(n) (d_q + v'/2 Theta) c_{n-1} + sqrt(n+1) (d_q - v'/2 Theta) c_{n+1}]
           + sqrt(n) (w/m) ((x - x0)/Theta) c_{n-1} - (gamma/m) n c_n + (gamma/m)(T/Theta - 1) sqrt(n (n-1)) c_{n-2}.
Motion at x = x0 is antisymmetric, so nothing grows at the rim.
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
    height, force, n = polynomial(q), polynomial.deriv()(q), np.arange(momenta + 0.0)
    width = math.sqrt(mass * theta)
    root = np.sqrt(n)[:, None]
    pair = np.sqrt(n * (n - 1.0))[2:, None]

    x0, speed = x(ts[0]), width / mass
    half, root_weight = 0.5 * (force - x0) / theta, np.exp(-0.5 * (height - x0 * q - (height - x0 * q).min()) / theta)

    def rates(t: float, y: Array) -> Array:
        c = y[:-1].reshape(momenta, points)
        moved, pushed = c @ slope.T, half * c
        out = -rate * n[:, None] * c
        out[1:] -= speed * root[1:] * (moved + pushed - (x(t) - x0) / theta * c)[:-1]
        out[:-1] -= speed * root[1:] * (moved - pushed)[1:]
        out[2:] += rate * (1.0 / (theta * beta(t)) - 1.0) * pair * c[:-2]
        return np.append(out.ravel(), -dx(t) * (c[0] * root_weight @ q))

    def start() -> Array:
        c = np.zeros((momenta, points))
        energy = height - x0 * q
        density = np.exp(-beta(ts[0]) * (energy - energy.min()))
        narrow = 1.0 / (theta * beta(ts[0])) - 1.0
        for k in range(0, momenta, 2):
            factor = math.exp(0.5 * math.lgamma(k + 1) - math.lgamma(k // 2 + 1))
            c[k] = density * factor * (0.5 * narrow) ** (k // 2)
        return np.append((c / root_weight / density.sum()).ravel(), 0.0)

    nodes = np.unique(np.concatenate([ts, [t for t in kinks if ts[0] < t < ts[-1]]]))
    states = [start()]
    for left, right in itertools.pairwise(nodes):
        inside = (np.nextafter(left, right), np.nextafter(right, left))

        def inner(t: float, y: Array, inside: tuple[float, float] = inside) -> Array:
            return rates(float(np.clip(t, *inside)), y)

        states.append(solve_ivp(inner, (left, right), states[-1], method="DOP853", rtol=1e-8, atol=1e-11).y[:, -1])
    kept = np.array([state for t, state in zip(nodes, states, strict=True) if np.any(t == ts)])
    c0, c2 = (kept[:, k * points : (k + 1) * points] * root_weight for k in (0, 2))
    p2 = width**2 * (c0.sum(axis=1) + math.sqrt(2.0) * c2.sum(axis=1))
    return {"X": c0 @ q, "q2": c0 @ q**2, "p2": p2, "U": p2 / (2.0 * mass) + c0 @ height, "work": kept[:, -1]}
