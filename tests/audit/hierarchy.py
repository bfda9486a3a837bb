"""The hierarchy of quantum Brownian motion in the energy eigenbasis of H_A, by numpy and scipy alone.

A Hermitian operator S + iA, S symmetric and A antisymmetric, is held as the real matrix M = S + A. With q and H real and
p = iP, everything acts on M by real matrices:
    d_p -> -(i/hbar)[q, .]:  [q, A] - [q, S],    d_q -> (i/hbar)[p, .]:  -[P, M],    p -> {p, .}/2:  {P, S}/2 - {P, A}/2.
There are two forms of the hierarchy, which agree as their depth grows: members W_n as published, with the symmetric
memory C(t, t') ~ T(t) T(t'), and members V_n in the frame of the noises, whose depth converges faster.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import eigh, lu_factor, lu_solve
from scipy.sparse.linalg import LinearOperator, gmres

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Well:
    """U = sum_j coefficients[j] q^j, a particle in it, and its bath."""

    coefficients: tuple[float, ...]
    strength: float
    poles: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())  # xi, eta
    mass: float = 1.0
    hbar: float = 1.0

    @property
    def friction(self) -> float:
        return self.strength**2

    def height(self, q: Array) -> Array:
        return np.polynomial.polynomial.polyval(q, self.coefficients)


@dataclass(frozen=True)
class Basis:
    """The lowest eigenstates of p^2/2m + U - xX at one field, and operators among them."""

    q: Array
    P: Array
    p2: Array
    kinetic: Array
    potential: Array
    q2: Array
    energies: Array


def basis(well: Well, x: float, levels: int, points: int = 400) -> Basis:
    """Levels of H_A on a mesh of sinc functions that reaches well beyond their turning points."""
    top = _energy_of(well, x, levels)
    low, high = _turning(well, x, top)
    room = 6.0 * (well.hbar**2 / (well.mass * max(top, 1e-3))) ** 0.5 + 0.25 * (high - low)
    q = np.linspace(low - room, high + room, points)
    step = q[1] - q[0]
    distance = np.subtract.outer(np.arange(points), np.arange(points))
    sign = (-1.0) ** distance
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.where(distance == 0, np.pi**2 / 3.0, 2.0 * sign / distance.astype(float) ** 2)
        slope = np.where(distance == 0, 0.0, sign / distance) / step
    squared *= (well.hbar / step) ** 2
    height = well.height(q)
    energies, states = eigh(
        squared / (2.0 * well.mass) + np.diag(height - x * q), subset_by_index=[0, levels - 1], driver="evr"
    )

    def among(operator: Array) -> Array:
        return states.T @ operator @ states

    p2 = among(squared)
    return Basis(
        q=(states.T * q) @ states,
        P=-well.hbar * among(slope),
        p2=p2,
        kinetic=p2 / (2.0 * well.mass),
        potential=(states.T * height) @ states,
        q2=(states.T * q**2) @ states,
        energies=energies,
    )


def _energy_of(well: Well, x: float, levels: int) -> float:
    """About the energy of the highest level above the lowest point, by counting cells of phase space."""
    q = np.linspace(-60.0, 60.0, 24001)
    height = well.height(q) - x * q
    height = height - height.min()
    low, high = 1e-6, 1e6
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        action = np.sum(np.sqrt(np.maximum(2.0 * well.mass * (middle - height), 0.0))) * (q[1] - q[0])
        low, high = (middle, high) if action < np.pi * well.hbar * (levels + 1) else (low, middle)
    return high


def _turning(well: Well, x: float, energy: float) -> tuple[float, float]:
    q = np.linspace(-60.0, 60.0, 24001)
    height = well.height(q) - x * q
    inside = np.flatnonzero(height - height.min() < energy)
    return float(q[inside[0]]), float(q[inside[-1]])


def members(modes: int, depth: int) -> tuple[Array, dict[tuple[int, ...], int]]:
    """All n with |n| <= depth, and where each is."""
    every = [n for n in itertools.product(range(depth + 1), repeat=modes) if sum(n) <= depth]
    every.sort(key=lambda n: (sum(n), n))
    return np.array(every, dtype=int).reshape(len(every), modes), {n: i for i, n in enumerate(every)}


@dataclass(frozen=True)
class Hierarchy:
    """One hierarchy in one basis. `noise` True: members V_n in the frame of the noises; else W_n as published."""

    well: Well
    at: Basis
    depth: int
    noise: bool = True

    def __post_init__(self) -> None:
        indices, place = members(len(self.well.poles[0]), self.depth if self.well.poles[0] else 0)
        links = []  # (upper member, lower member, mode, number in the upper one)
        for n, i in place.items():
            for k in range(len(n)):
                below = tuple(v - (j == k) for j, v in enumerate(n))
                if below in place:
                    links.append((i, place[below], k, n[k]))
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "links", links)

    @property
    def levels(self) -> int:
        return len(self.at.energies)

    @property
    def jitter(self) -> Array:
        xi, eta = (np.array(a) for a in self.well.poles)
        return np.sqrt(2.0 * self.well.friction * self.well.hbar * eta / xi)

    def by_q(self, M: Array) -> Array:
        """d_p of each matrix."""
        q = self.at.q
        turned = (np.swapaxes(M, -1, -2)) / self.well.hbar  # A - S = -M^T
        return -(q @ turned - turned @ q)

    def by_p(self, M: Array) -> Array:
        """d_q of each matrix."""
        return -(self.at.P @ M - M @ self.at.P) / self.well.hbar

    def times_p(self, M: Array) -> Array:
        """{p, .}/2 of each matrix."""
        turned = np.swapaxes(M, -1, -2)
        return 0.5 * (self.at.P @ turned + turned @ self.at.P)

    def own(self, M: Array, temperature: float, dx: float) -> Array:
        """What each member does alone, but for its decay; `dx` is the field above that of the basis."""
        well, turned = self.well, -np.swapaxes(M, -1, -2) / self.well.hbar
        H = np.diag(self.at.energies) - dx * self.at.q
        spread = 1.0 if self.noise else 1.0 + 2.0 * float(np.sum(well.poles[1]))
        flux = self.times_p(M) / well.mass + temperature * spread * self.by_q(M)
        return H @ turned - turned @ H + well.friction * self.by_q(flux)

    def rates(self, M: Array, beta: float, x_above: float) -> Array:
        """d/dt of all members, (members, levels, levels)."""
        well, T = self.well, 1.0 / beta
        xi, eta = (np.array(a) for a in well.poles)
        decay = self.indices @ (xi * T / well.hbar) if len(xi) else np.zeros(1)
        out = self.own(M, T, x_above) - decay[:, None, None] * M
        if not len(xi):
            return out
        slope = self.by_q(M)
        if self.noise:
            moved = (-self.by_p(M) + well.friction * slope) / well.mass
        for upper, lower, k, number in self.links:
            if self.noise:
                weight = self.jitter[k] * math.sqrt(number)
                out[lower] += weight * moved[upper]
                out[upper] += weight * moved[lower]
            else:
                out[lower] -= T * slope[upper]
                out[upper] += number * 2.0 * well.friction * eta[k] * xi[k] * T / well.hbar * slope[lower]
        return out

    def stationary(self, beta: float) -> tuple[Array, float]:
        """The members at constant temperature and the basis's field, and the residual of the solve."""
        n, count = self.levels, len(self.indices)
        xi = np.array(self.well.poles[0])
        decay = self.indices @ (xi / (beta * self.well.hbar)) if len(xi) else np.zeros(1)
        alone = self.own(np.eye(n * n).reshape(n * n, n, n), 1.0 / beta, 0.0).reshape(n * n, n * n).T
        trace = np.eye(n).ravel()
        factors: dict[float, tuple[Array, Array]] = {}
        for rate in decay:
            key = round(float(rate), 9)
            if key not in factors:
                block = alone - rate * np.eye(n * n)
                factors[key] = lu_factor(block - np.outer(trace, trace) / n if rate == 0 else block)

        def apply(v: Array) -> Array:
            M = v.reshape(count, n, n)
            out = self.rates(M, beta, 0.0)
            out[0] -= np.trace(M[0]) * np.eye(n) / n
            return out.ravel()

        def precondition(v: Array) -> Array:
            parts = v.reshape(count, n * n)
            solved = [lu_solve(factors[round(float(r), 9)], part) for r, part in zip(decay, parts, strict=True)]
            return np.array(solved).ravel()

        shape = (count * n * n,) * 2
        rhs = np.zeros((count, n, n))
        rhs[0] = -np.eye(n) / n
        found, _ = gmres(
            LinearOperator(shape, apply), rhs.ravel(), M=LinearOperator(shape, precondition), rtol=1e-12, atol=0.0,
            restart=150, maxiter=4,
        )
        return found.reshape(count, n, n), float(np.abs(apply(found) - rhs.ravel()).max())

    def measure(self, M: Array, x: float) -> dict[str, float]:
        """X, q2, p2 and U of one state."""
        W, at = M[0], self.at
        p2 = float(np.sum(W * at.p2))
        if self.noise and len(self.well.poles[0]):
            jitter = self.jitter
            p2 += float(np.sum(jitter**2) * np.trace(W))
            place = {tuple(n): i for i, n in enumerate(self.indices)}
            modes = len(jitter)
            unit = np.eye(modes, dtype=int)
            for k in range(modes):
                p2 += 2.0 * jitter[k] * float(np.trace(self.times_p(M[place[tuple(unit[k])]])))
        height = float(np.sum(W * at.potential))
        return {
            "X": float(np.sum(W * at.q)),
            "q2": float(np.sum(W * at.q2)),
            "p2": p2,
            "U": p2 / (2.0 * self.well.mass) + height,
        }

    def drive(
        self, M: Array, beta: Callable[[float], float], x: Callable[[float], float], x_basis: float, ts: Array,
        kinks: Array,
    ) -> list[Array]:
        """The members at ts under beta(t) and x(t), whose corners are `kinks`."""
        nodes = np.unique(np.concatenate([ts, [t for t in kinks if ts[0] < t < ts[-1]]]))
        states = [M]
        for left, right in itertools.pairwise(nodes):
            inside = (np.nextafter(left, right), np.nextafter(right, left))

            def slope(t: float, y: Array, inside: tuple[float, float] = inside) -> Array:
                s = float(np.clip(t, *inside))
                return self.rates(y.reshape(M.shape), beta(s), x(s) - x_basis).ravel()

            done = solve_ivp(slope, (left, right), states[-1].ravel(), method="DOP853", rtol=1e-8, atol=1e-10)
            states.append(done.y[:, -1].reshape(M.shape))
        return [state for t, state in zip(nodes, states, strict=True) if np.any(t == ts)]


def equilibrium(
    well: Well, beta: float, x: float, levels: int, depth: int, noise: bool = True
) -> tuple[dict[str, float], float]:
    """X, q2, p2, U of the stationary state with these levels and depth, and the residual of the solve."""
    hierarchy = Hierarchy(well, basis(well, x, levels), depth, noise)
    members, residual = hierarchy.stationary(beta)
    return hierarchy.measure(members, x), residual
