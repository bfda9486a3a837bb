"""The hierarchy of quantum Brownian motion in the energy eigenbasis of H_A, by numpy and scipy alone.

A Hermitian operator S + iA, S symmetric and A antisymmetric, is held as the real matrix M = S + A. With q and H real
and p = iP, everything acts on M by real matrices:
    d_p: -(i/hbar)[q, .] = ([q, A] - [q, S])/hbar,  d_q: (i/hbar)[p, .] = -[P, M]/hbar,  p: {p, .}/2 = {P, S - A}/2.
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
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, gmres

Array = NDArray[np.float64]
Protocol = Callable[[float], float]


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
    potential: Array
    q2: Array
    H: Array


def basis(well: Well, x: float, levels: int, points: int = 300) -> Basis:
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
    kinetic, height_x = squared / (2.0 * well.mass), np.diag(height - x * q)
    _, states = eigh(kinetic + height_x, subset_by_index=[0, levels - 1], driver="evr")

    def among(operator: Array) -> Array:
        return states.T @ operator @ states

    return Basis(
        q=(states.T * q) @ states,
        P=-well.hbar * among(slope),
        p2=among(squared),
        potential=(states.T * height) @ states,
        q2=(states.T * q**2) @ states,
        H=among(kinetic + height_x),
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
        return len(self.at.H)

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
        H = self.at.H - dx * self.at.q
        spread = 1.0 if self.noise else 1.0 + 2.0 * float(np.sum(well.poles[1]))
        flux = self.times_p(M) / well.mass + temperature * spread * self.by_q(M)
        return H @ turned - turned @ H + well.friction * self.by_q(flux)

    def rates(self, M: Array, beta: float, x_above: float) -> Array:
        """d/dt of all members, (members, levels, levels)."""
        well, T = self.well, 1.0 / beta
        xi = np.array(well.poles[0])
        decay = self.indices @ (xi * T / well.hbar) if len(xi) else np.zeros(1)
        out = self.own(M, T, x_above) - decay[:, None, None] * M
        if not len(xi):
            return out
        moved = self.moved(M)
        for upper, lower, k, number in self.links:
            down, up = self.weights(k, number, T)
            out[lower] += down * moved[upper]
            out[upper] += up * moved[lower]
        return out

    def moved(self, M: Array) -> Array:
        """What a member does to its neighbours."""
        if not self.noise:
            return self.by_q(M)
        return (-self.by_p(M) + self.well.friction * self.by_q(M)) / self.well.mass

    def weights(self, k: int, number: int, temperature: float) -> tuple[float, float]:
        """Of `moved` from the member with n_k = number to the one below, and back."""
        if self.noise:
            return (self.jitter[k] * math.sqrt(number),) * 2
        xi, eta = (a[k] for a in self.well.poles)
        return -temperature, number * 2.0 * self.well.friction * eta * xi * temperature / self.well.hbar

    def stationary(self, beta: float) -> tuple[Array, float]:
        """The members at constant temperature and the basis's field, and the residual of the solve.

        GMRES; members are eliminated from the deepest one up as if each stood alone, which is exact for one pole.
        """
        n, count, xi = self.levels, len(self.indices), np.array(self.well.poles[0])
        decay = self.indices @ (xi / (beta * self.well.hbar)) if len(xi) else np.zeros(1)
        units, trace = np.eye(n * n).reshape(n * n, n, n), np.eye(n).ravel()
        alone = self.own(units, 1.0 / beta, 0.0).reshape(n * n, n * n).T
        step = self.moved(units).reshape(n * n, n * n).T
        links = [(u, low, *self.weights(k, number, 1.0 / beta)) for u, low, k, number in self.links]
        inverses: list[Array] = [np.zeros(0)] * count
        for i in reversed(range(count)):
            block = alone - decay[i] * np.eye(n * n) - (np.outer(trace, trace) / n if i == 0 else 0.0)
            for upper, lower, down, up in links:
                if lower == i:
                    block -= down * up * (step @ inverses[upper] @ step)
            inverses[i] = np.linalg.inv(block)

        def apply(v: Array) -> Array:
            M = v.reshape(count, n, n)
            out = self.rates(M, beta, 0.0)
            out[0] -= np.trace(M[0]) * np.eye(n) / n
            return out.ravel()

        def precondition(v: Array) -> Array:
            rest = np.array(v, dtype=float).reshape(count, n * n)
            found = np.zeros_like(rest)
            for i in reversed(range(count)):
                found[i] = inverses[i] @ rest[i]
                for upper, lower, down, _ in links:
                    if upper == i:
                        rest[lower] -= down * (step @ found[i])
            for i in range(1, count):
                fed = sum(up * found[lower] for upper, lower, _, up in links if upper == i)
                found[i] -= inverses[i] @ (step @ fed)
            return found.ravel()

        shape = (count * n * n,) * 2
        rhs = np.zeros((count, n, n))
        rhs[0] = -np.eye(n) / n
        operators = (LinearOperator(shape, f, dtype=float) for f in (apply, precondition))
        found, _ = gmres(next(operators), rhs.ravel(), M=next(operators), rtol=1e-12, atol=0.0, restart=100, maxiter=2)
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
        self, M: Array, beta: Protocol, x: Protocol, dx: Protocol, x_basis: float, ts: Array
    ) -> tuple[list[Array], Array]:
        """The members at ts and the work -int X dx up to there; beta(t) and x(t) have corners at ts only."""
        states, works = [M], [0.0]
        for left, right in itertools.pairwise(ts):
            inside = (np.nextafter(left, right), np.nextafter(right, left))

            def slope(t: float, y: Array, inside: tuple[float, float] = inside) -> Array:
                s = float(np.clip(t, *inside))
                now = y[:-1].reshape(M.shape)
                return np.append(self.rates(now, beta(s), x(s) - x_basis).ravel(), -dx(s) * np.sum(now[0] * self.at.q))

            begin = np.append(states[-1].ravel(), works[-1])
            done = solve_ivp(slope, (left, right), begin, method="DOP853", rtol=1e-8, atol=1e-10)
            states.append(done.y[:-1, -1].reshape(M.shape))
            works.append(float(done.y[-1, -1]))
        return states, np.array(works)


def equilibrium(
    well: Well, beta: float, x: float, levels: int, depth: int, noise: bool = True
) -> tuple[dict[str, float], float]:
    """X, q2, p2, U of the stationary state with these levels and depth, and the residual of the solve."""
    hierarchy = Hierarchy(well, basis(well, x, levels), depth, noise)
    members, residual = hierarchy.stationary(beta)
    return hierarchy.measure(members, x), residual


def scales(expected: dict[str, float]) -> dict[str, float]:
    """What errors of X, q2, p2 and U are measured by."""
    return {"X": math.sqrt(expected["q2"]), "q2": expected["q2"], "p2": expected["p2"], "U": expected["p2"]}


def furthest(one: dict[str, float], other: dict[str, float]) -> float:
    """The largest difference of two results over its scale."""
    return max(abs(one[name] - other[name]) / scale for name, scale in scales(other).items())


# Levels and depths that are tried in turn, as far as members times levels^4 stays below a number.
LADDER = ((12, 2), (16, 3), (20, 4), (24, 5), (28, 6), (32, 8), (36, 11))
AFFORDED = 2.5e7


def converged(well: Well, beta: float, x: float, wanted: float) -> tuple[dict[str, float] | None, float]:
    """The stationary state with so many levels and members that one rung more changes less than `wanted`, or None.

    Also the last change.
    """
    modes, last, change = len(well.poles[0]), None, math.inf
    for levels, depth in LADDER:
        if math.comb(modes + depth, depth) * levels**4 > AFFORDED:
            break
        hierarchy = Hierarchy(well, basis(well, x, levels), depth)
        members, residual = hierarchy.stationary(beta)
        now = hierarchy.measure(members, x)
        change = math.inf if last is None else furthest(now, last)
        if change < wanted and residual < 1e-9:
            return now, change
        last = now
    return None, change
