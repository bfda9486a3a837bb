"""Driven rings by numpy and scipy alone: the mean field as an ODE, and N units as a dense matrix.

Work per bond i -> i+1 (mod q): dE = eps_{i+1} - eps_i + u (P_{i+1} - P_i), rates V+- of one of four laws.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.special import expit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ring:
    """q states, coupling u, force f, prefactor G, energies and a law of rates."""

    q: int
    coupling: float
    force: float
    prefactor: float
    energies: tuple[float, ...]
    law: str  # "arrhenius", "glauber", "metropolis" or "load sharing"
    split: float = 0.5

    def rates(self, dE: Array, beta: float) -> tuple[Array, Array]:
        """Forward and backward."""
        a, f, G = beta * (self.force - dE), beta * self.force, self.prefactor
        if self.law == "glauber":
            return G * expit(a), G * expit(-a)
        if self.law == "metropolis":
            return G * np.exp(np.minimum(a, 0.0)), G * np.exp(np.minimum(-a, 0.0))
        share = self.split if self.law == "load sharing" else 0.5
        return G * np.exp(share * f - 0.5 * beta * dE), G * np.exp(0.5 * beta * dE - (1.0 - share) * f)

    def currents(self, P: Array, beta: float) -> Array:
        """Net hops along each bond."""
        levels = np.array(self.energies) + self.coupling * P
        forward, backward = self.rates(np.roll(levels, -1) - levels, beta)
        return forward * P - backward * np.roll(P, -1)

    def slope(self, P: Array, beta: float) -> Array:
        J = self.currents(P, beta)
        return np.roll(J, 1) - J


def flow(ring: Ring, beta: float, P: Array, duration: float) -> tuple[Array, float]:
    """The state after a time and the work done on one unit meanwhile."""

    def slope(_: float, y: Array) -> Array:
        J = ring.currents(y[:-1], beta)
        return np.append(np.roll(J, 1) - J, ring.force * J.sum())

    done = solve_ivp(slope, (0.0, duration), np.append(P, 0.0), method="LSODA", rtol=1e-10, atol=1e-13)
    return done.y[:-1, -1], float(done.y[-1, -1])


def nearest(ring: Ring, beta: float, P: Array, duration: float, to: Array) -> float:
    """How near a trajectory comes to a state within a time."""

    def slope(_: float, y: Array) -> Array:
        return ring.slope(y, beta)

    done = solve_ivp(slope, (0.0, duration), P, method="LSODA", rtol=1e-10, atol=1e-13, dense_output=True)
    coarse = np.linspace(0.0, duration, 4001)
    at = int(np.argmin(np.abs(done.sol(coarse) - to[:, None]).max(axis=0)))
    fine = np.linspace(coarse[max(at - 1, 0)], coarse[min(at + 1, 4000)], 2001)
    return float(np.abs(done.sol(fine) - to[:, None]).max(axis=0).min())


def slowest(ring: Ring, beta: float, P: Array) -> float:
    """The rate at which the slowest small change that keeps the sum decays; negative if one grows."""
    h = 1e-6
    rows = [ring.slope(P + h * e, beta) - ring.slope(P - h * e, beta) for e in np.eye(ring.q)]
    J = np.array(rows).T / (2.0 * h)
    projected = J[:-1, :-1] - J[:-1, -1:]
    return -float(np.linalg.eigvals(projected).real.max())


def stable(ring: Ring, beta: float, P: Array) -> bool:
    """Whether all small changes that keep the sum decay."""
    return slowest(ring, beta, P) > 0.0


def dense_stationary(ring: Ring, beta: float, units: int) -> dict[str, float]:
    """Work current, energy and entropy production of N units per unit, from the null vector of the whole matrix."""
    states = [n for n in itertools.product(range(units + 1), repeat=ring.q) if sum(n) == units]
    place = {n: i for i, n in enumerate(states)}
    count, eps = len(states), np.array(ring.energies)
    W, work, produced = np.zeros((count, count)), np.zeros(count), []
    for n, i in place.items():
        for a in range(ring.q):
            b = (a + 1) % ring.q
            if n[a] == 0:
                continue
            m = list(n)
            m[a], m[b] = m[a] - 1, m[b] + 1
            j = place[tuple(m)]
            dE = eps[b] - eps[a] + ring.coupling / units * (n[b] - n[a] + 1)
            forward, backward = ring.rates(np.array(dE), beta)
            out, back = n[a] * float(forward), m[b] * float(backward)
            W[j, i] += out
            W[i, i] -= out
            W[i, j] += back
            W[j, j] -= back
            work[i] += ring.force * out
            work[j] -= ring.force * back
            produced.append((i, j, out, back))
    # Elimination without subtractions (Grassmann, Taksar & Heyman) keeps every digit of small probabilities.
    p = null_vector(W)
    energy = [sum(eps * n) + ring.coupling / (2.0 * units) * sum(k * k for k in n) for n in np.array(states)]
    rate = sum((out * p[i] - back * p[j]) * math.log(out * p[i] / (back * p[j])) for i, j, out, back in produced)
    return {
        "work_current": float(work @ p) / units,
        "energy": float(np.array(energy) @ p) / units,
        "entropy_production": float(rate) / units,
    }


def null_vector(W: Array) -> Array:
    """The probabilities at rest under a matrix of rates, of which W[j, i] leads from i to j."""
    A = W.T.copy()
    np.fill_diagonal(A, 0.0)
    count = len(A)
    for k in range(count - 1, 0, -1):
        A[:k, k] /= A[k, :k].sum()
        A[:k, :k] += np.outer(A[:k, k], A[k, :k])
        np.fill_diagonal(A[:k, :k], 0.0)
    p = np.zeros(count)
    p[0] = 1.0
    for k in range(1, count):
        p[k] = p[:k] @ A[:k, k]
    return p / p.sum()
