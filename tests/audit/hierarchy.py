"""The hierarchy of quantum Brownian motion in the energy eigenbasis of H_A, by numpy and scipy alone.

A Hermitian operator S + iA, S symmetric and A antisymmetric, is held as the real matrix M = S + A. With q and H real
and p = iP, everything acts on M by real matrices:
    d_p: -(i/hbar)[q, .] = ([q, A] - [q, S])/hbar,  d_q: (i/hbar)[p, .] = -[P, M]/hbar,  p: {p, .}/2 = {P, S - A}/2.
The memory of the bath is the symmetric one, C(t, t') ~ T(t) T(t'). The hierarchy can be written in many frames, which
agree as its depth grows, and of which one converges fastest.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import eigh, solve_continuous_lyapunov
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

    @property
    def jitter(self) -> Array:
        """The width of each noise."""
        xi, eta = (np.array(a) for a in self.poles)
        return np.sqrt(2.0 * self.friction * self.hbar * eta / xi)

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


def basis(well: Well, x: float, levels: int, lightness: float = 1.0, points: int = 300) -> Basis:
    """Levels of H_A on a mesh of sinc functions that reaches well beyond their turning points.

    `lightness`: by which the kinetic energy is multiplied for the choice of the levels, since a bath makes states
    narrower in one of q and p and wider in the other.
    """
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
    _, states = eigh(lightness * kinetic + height_x, subset_by_index=[0, levels - 1], driver="evr")
    # The same span, by the eigenstates of H_A in it.
    states = states @ np.linalg.eigh(states.T @ (kinetic + height_x) @ states)[1]

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


def members(modes: int, depth: int | tuple[int, ...]) -> tuple[Array, dict[tuple[int, ...], int]]:
    """All n with |n| <= depth, or sum_k n_k/depth_k <= 1 where each mode has its own; and where each is."""
    depths = (depth,) * modes if isinstance(depth, int) else depth
    every = [
        n
        for n in itertools.product(*(range(most + 1) for most in depths))
        if sum(v / max(most, 1) for v, most in zip(n, depths, strict=True)) < 1.0 + 1e-9
    ]
    every.sort(key=lambda n: (sum(n), n))
    return np.array(every, dtype=int).reshape(len(every), modes), {n: i for i, n in enumerate(every)}


@dataclass(frozen=True)
class Hierarchy:
    """One hierarchy in one basis.

    The bath's noise on the momentum is white noise and Ornstein-Uhlenbeck processes zeta_k of variance jitter_k^2 and
    rate nu_k. Members are the coefficients of Hermite functions of these, with the momentum measured from
    sum_k share_k zeta_k: share 0 is the published equation, share 1 that of the library, and all are exact without end.
    """

    well: Well
    at: Basis
    depth: int | tuple[int, ...]
    shares: Array

    def __post_init__(self) -> None:
        indices, place = members(len(self.well.poles[0]), self.depth)
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

    def decays(self, temperature: float) -> Array:
        """nu_k."""
        return np.array(self.well.poles[0]) * temperature / self.well.hbar

    def by_p(self, M: Array) -> Array:
        """d_p of each matrix."""
        q = self.at.q
        turned = (np.swapaxes(M, -1, -2)) / self.well.hbar  # A - S = -M^T
        return -(q @ turned - turned @ q)

    def by_q(self, M: Array) -> Array:
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
        rest = (1.0 - self.shares) ** 2 * self.decays(temperature) * well.jitter**2
        flux = well.friction * (self.times_p(M) / well.mass + temperature * self.by_p(M)) + rest.sum() * self.by_p(M)
        return H @ turned - turned @ H + self.by_p(flux)

    def coupling(self, temperature: float) -> tuple[Array, Array]:
        """Of the momentum's flow with zeta, and of zeta's drift on what is left of the momentum; by mode."""
        jitter = self.well.jitter
        return self.shares * jitter, (1.0 - self.shares) * self.decays(temperature) * jitter

    def flowing(self, M: Array) -> Array:
        """(gamma d_p - d_q)/m."""
        return (self.well.friction * self.by_p(M) - self.by_q(M)) / self.well.mass

    def rates(self, M: Array, beta: float, x_above: float) -> Array:
        """d/dt of all members, (members, levels, levels)."""
        T = 1.0 / beta
        out = self.own(M, T, x_above) - (self.indices @ self.decays(T))[:, None, None] * M
        if not self.links:
            return out
        (flow, drift), flowing, by_p = self.coupling(T), self.flowing(M), self.by_p(M)
        for upper, lower, k, number in self.links:
            root = math.sqrt(number)
            out[lower] += root * (flow[k] * flowing[upper] + drift[k] * by_p[upper])
            out[upper] += root * (flow[k] * flowing[lower] - drift[k] * by_p[lower])
        return out

    def stationary(self, beta: float) -> tuple[Array, float]:
        """The members at constant temperature and the basis's field, and the residual of the solve.

        GMRES; members are eliminated from the deepest one up as if each stood alone, with what a member does by itself
        undone as a whole, which is exact for one pole, or where coupling is weak as `_weakly` says.
        """
        n, count, T = self.levels, len(self.indices), 1.0 / beta
        turning = np.subtract.outer(np.diag(self.at.H), np.diag(self.at.H)) / self.well.hbar
        slow = np.nonzero(np.abs(turning) < 10.0 * self.well.friction / self.well.mass)
        undone = self._weakly(T, turning, slow) if len(slow[0]) <= 2 * n else self._as_blocks(T)

        def apply(v: Array) -> Array:
            M = v.reshape(count, n, n)
            out = self.rates(M, beta, 0.0)
            out[0] -= np.trace(M[0]) * np.eye(n) / n
            return out.ravel()

        def precondition(v: Array) -> Array:
            rest = np.array(v, dtype=float).reshape(count, n, n)
            found = np.zeros_like(rest)
            for i in reversed(range(count)):
                found[i] = undone(i, rest[i])
                for upper, lower, k, number in self.links:
                    if upper == i:
                        rest[lower] -= math.sqrt(number) * self.moved(found[i], k, T, -1.0)
            for i in range(1, count):
                fed = [math.sqrt(N) * self.moved(found[low], k, T, 1.0) for up, low, k, N in self.links if up == i]
                found[i] -= undone(i, np.sum(fed, axis=0))
            return found.ravel()

        shape = (count * n * n,) * 2
        rhs = np.zeros((count, n, n))
        rhs[0] = -np.eye(n) / n
        operators = (LinearOperator(shape, f, dtype=float) for f in (apply, precondition))
        found, _ = gmres(next(operators), rhs.ravel(), M=next(operators), rtol=1e-12, atol=0.0, restart=100, maxiter=2)
        return found.reshape(count, n, n), float(np.abs(apply(found) - rhs.ravel()).max())

    def moved(self, M: Array, k: int, temperature: float, up: float) -> Array:
        """What comes of a matrix in the member above (up = 1) or below (-1) along one mode, but for the root."""
        flow, drift = self.coupling(temperature)
        return flow[k] * self.flowing(M) - up * drift[k] * self.by_p(M)

    def _weakly(self, T: float, turning: Array, slow: tuple[Array, ...]) -> Callable[[int, Array], Array]:
        """Turning, M_ab -> -w_ab M_ba, and decay undone; what turns slowly to second order in the coupling."""
        n, rate, decay = self.levels, self.well.friction / self.well.mass, self.indices @ self.decays(T)
        a, b = slow

        def turned_back(M: Array, fall: float) -> Array:
            return -(fall * M - turning * np.swapaxes(M, -1, -2)) / (fall**2 + turning**2)

        units = np.zeros((len(a), n, n))
        units[np.arange(len(a)), a, b] = 1.0
        block = self.own(units, T, 0.0) - (a == b)[:, None, None] * np.eye(n) / n
        for k, fall in enumerate(self.decays(T)):
            block -= self.moved(turned_back(self.moved(units, k, T, 1.0), fall + rate), k, T, -1.0)
        inverse = np.linalg.inv(block[:, a, b].T)

        def undone(i: int, M: Array) -> Array:
            found = turned_back(M, decay[i] + rate)
            if i == 0:
                found[a, b] = inverse @ M[a, b]
            return found

        return undone

    def _as_blocks(self, T: float) -> Callable[[int, Array], Array]:
        """The inverse of each member's block, less what those above it give back."""
        n, count = self.levels, len(self.indices)
        decay, (flow, drift) = self.indices @ self.decays(T), self.coupling(T)
        units, trace = np.eye(n * n).reshape(n * n, n, n), np.eye(n).ravel()
        alone = self.own(units, T, 0.0).reshape(n * n, n * n).T

        def left(linear: Callable[[Array], Array], X: Array) -> Array:
            return linear(X.T.reshape(-1, n, n)).reshape(X.shape).T

        # Derivatives are antisymmetric.
        def right(linear: Callable[[Array], Array], X: Array) -> Array:
            return -linear(X.reshape(-1, n, n)).reshape(X.shape)

        inverses: list[Array] = [np.zeros(0)] * count
        for i in reversed(range(count)):
            block = alone - decay[i] * np.eye(n * n) - (np.outer(trace, trace) / n if i == 0 else 0.0)
            above = [(upper, k, number) for upper, lower, k, number in self.links if lower == i]
            if above:
                # (flow F + drift P) inverse (flow F - drift P), summed over what is above.
                weights = [(N * flow[k] ** 2, N * flow[k] * drift[k], N * drift[k] ** 2) for _, k, N in above]
                found = [inverses[upper] for upper, _, _ in above]
                ff, fd, dd = (sum(w[j] * X for w, X in zip(weights, found, strict=True)) for j in range(3))
                block -= left(self.flowing, right(self.flowing, ff) - right(self.by_p, fd))
                block -= left(self.by_p, right(self.flowing, fd) - right(self.by_p, dd))
            inverses[i] = np.linalg.inv(block)
        return lambda i, M: (inverses[i] @ M.ravel()).reshape(n, n)

    def measure(self, M: Array, x: float) -> dict[str, float]:
        """X, q2, p2 and U of one state."""
        W, at = M[0], self.at
        p2 = float(np.sum(W * at.p2))
        shifts = self.shares * self.well.jitter
        p2 += float(np.sum(shifts**2) * np.trace(W))
        for upper, lower, k, _ in self.links:
            if lower == 0:
                p2 += 2.0 * shifts[k] * float(np.trace(self.times_p(M[upper])))
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


class Frame(NamedTuple):
    """How it is written: a share of each noise in the momentum, and how light the particle of the basis is."""

    shares: Array
    lightness: float


def best_frame(well: Well, beta: float, x: float) -> Frame:
    """The frame in which momentum and noises are uncorrelated, for a parabola as wide as the canonical state.

    With half of what the bath does to the widths (in the logarithm) taken into the basis: measured, best at A = 2.
    """
    at = basis(well, x, 60)
    energy, states = np.linalg.eigh(at.H)
    weight = np.exp(-beta * (energy - energy[0]))
    q, q2, p2 = (float(np.diag(states.T @ o @ states) @ weight / weight.sum()) for o in (at.q, at.q2, at.p2))
    stiffness = p2 / (well.mass**2 * (q2 - q**2))
    nu, jitter, rate = np.array(well.poles[0]) / (beta * well.hbar), well.jitter, well.friction / well.mass
    # The stationary covariance of q' = p/m, p' = -m w^2 q - rate p + noise + sum zeta', zeta_k' = -nu_k zeta_k + noise.
    modes = len(nu)
    drift, noise = np.zeros((modes + 2,) * 2), np.zeros((modes + 2, modes + 1))
    drift[0, 1], drift[1, :2] = 1.0 / well.mass, (-well.mass * stiffness, -rate)
    drift[1, 2:], drift[range(2, modes + 2), range(2, modes + 2)] = -nu, -nu
    noise[1, 0] = math.sqrt(2.0 * well.friction / beta)
    noise[1, 1:] = np.sqrt(2.0 * nu) * jitter
    noise[range(2, modes + 2), range(1, modes + 1)] = np.sqrt(2.0 * nu) * jitter
    C = solve_continuous_lyapunov(drift, -noise @ noise.T)
    shares = C[1, 2:] / jitter**2
    left = C[1, 1] - float(np.sum(shares**2 * jitter**2))
    return Frame(shares, math.sqrt(C[0, 0] / left * well.mass**2 * stiffness))


def equilibrium(
    well: Well, beta: float, x: float, levels: int, depth: int, frame: Frame
) -> tuple[dict[str, float], float]:
    """X, q2, p2, U of the stationary state with these levels and depth, and the residual of the solve."""
    hierarchy = Hierarchy(well, basis(well, x, levels, frame.lightness), depth, frame.shares)
    members, residual = hierarchy.stationary(beta)
    return hierarchy.measure(members, x), residual


def scales(expected: dict[str, float]) -> dict[str, float]:
    """What errors of X, q2, p2 and U are measured by."""
    return {"X": math.sqrt(expected["q2"]), "q2": expected["q2"], "p2": expected["p2"], "U": expected["p2"]}


def furthest(one: dict[str, float], other: dict[str, float]) -> float:
    """The largest difference of two results over its scale."""
    return max(abs(one[name] - other[name]) / scale for name, scale in scales(other).items())


# Levels that are tried in turn, the fewest of them for the choice of the depth; and members times levels^6, which is
# the work of a solve with whole blocks.
LADDER, AFFORDED = (10, 13, 16, 20, 24, 28, 33, 38, 44, 54, 66, 80), 5e10


def converged(well: Well, beta: float, x: float, wanted: float) -> tuple[dict[str, float] | None, float]:
    """The stationary state with so many levels and members that more of both change less than `wanted`, or None.

    Also the last change.
    """
    frame = best_frame(well, beta, x)
    depth = _depth(well, beta, x, frame, 0.3 * wanted)
    ground = basis(well, x, 44)
    energies = np.linalg.eigvalsh(ground.H)
    populated = int(np.sum(np.exp(-beta * (energies - energies[0])) > 1e-7))
    start = max(n for n in LADDER if n <= max(populated, LADDER[0]))
    last, modes = None, len(well.poles[0])

    def affordable(levels: int) -> bool:
        slow = np.abs(np.subtract.outer(energies, energies)) < 10.0 * well.hbar * well.friction / well.mass
        count = math.comb(modes + depth, depth)
        return count * levels**6 <= AFFORDED or (np.sum(slow) <= 2 * len(energies) and count * levels**3 <= 2e7)

    change = math.inf
    for levels in LADDER[LADDER.index(start) :]:
        if not affordable(levels):
            break
        now, residual = equilibrium(well, beta, x, levels, depth, frame)
        change = math.inf if last is None else furthest(now, last)
        while change < wanted and modes:
            depth += 1
            if not affordable(levels):
                return None, change
            last, (now, residual) = now, equilibrium(well, beta, x, levels, depth, frame)
            deeper = furthest(now, last)
            if deeper < wanted:
                break
        if change < wanted and residual < 1e-9:
            return now, max(change, deeper if modes else 0.0)
        last = now
    return None, change


def _depth(well: Well, beta: float, x: float, frame: Frame, wanted: float) -> int:
    """A depth of which one more changes the state among the fewest levels by less than `wanted`."""
    modes, last = len(well.poles[0]), None
    for depth in range(1, 40) if modes else ():
        if math.comb(modes + depth, depth) * LADDER[0] ** 6 > AFFORDED:
            break
        now, _ = equilibrium(well, beta, x, LADDER[0], depth, frame)
        if last is not None and furthest(now, last) < wanted:
            return depth - 1
        last = now
    return depth if modes else 0


def has_no_density(well: Well, beta: float, x: float) -> bool:
    """Whether the stationary solution is no state of a particle, among fewer and among more levels."""
    frame = best_frame(well, beta, x)
    depth = _depth(well, beta, x, frame, 1e-2)
    for levels in (16, 20) if well.poles[0] else (26, 34):
        at, _ = equilibrium(well, beta, x, levels, depth, frame)
        if not without_density(at["q2"] - at["X"] ** 2, at["p2"], well.hbar):
            return False
    return True


def without_density(spread: float, p2: float, hbar: float = 1.0) -> bool:
    """Whether one of these variances is negative, or their product below half of the least uncertainty."""
    return not (spread > 0.0 and p2 > 0.0 and spread * p2 > (0.25 * hbar) ** 2)
