"""Exact references for the Brownian oscillator: moments, Matsubara sums and equilibria by numpy and scipy alone.

Nothing here shares code or a numerical method with the library, so that agreement means something. k_B = 1. The
friction coefficient gamma gives the force -gamma p / m (the damping rate is gamma / m), and X(q) = q.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import eigh, eigh_tridiagonal, solve_discrete_lyapunov
from scipy.optimize import brentq

Array = NDArray[np.float64]
Protocol = Callable[[float], float]


# --- Poles and residues of coth ---------------------------------------------------------------------------------------


def bernoulli(count: int) -> list[Fraction]:
    """Return the exact B_0 .. B_{count-1} from sum_{j<=n} binom(n+1, j) B_j = 0."""
    numbers = [Fraction(1)]
    for n in range(1, count):
        numbers.append(-sum((math.comb(n + 1, j) * numbers[j] for j in range(n)), Fraction(0)) / (n + 1))
    return numbers


def recurrence(moments: Sequence[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """Return the exact alpha_k, beta_k of the monic orthogonal polynomials of 2K moments (Chebyshev's algorithm)."""
    size = len(moments) // 2
    alpha, beta = [moments[1] / moments[0]], [moments[0]]
    previous, current = [Fraction(0)] * len(moments), list(moments)
    for k in range(1, size):
        following = [Fraction(0)] * len(moments)
        for j in range(k, 2 * size - k):
            following[j] = current[j + 1] - alpha[-1] * current[j] - beta[-1] * previous[j]
        alpha.append(following[k + 1] / following[k] - current[k] / current[k - 1])
        beta.append(following[k] / current[k - 1])
        previous, current = current, following
    return alpha, beta


def pade(terms: int) -> tuple[Array, Array]:
    """Return (xi, eta) of the Pade [K-1/K] form coth(x/2) = (2/x)[1 + sum 2 eta_k x^2/(x^2 + xi_k^2)], xi ascending.

    With y = x^2 the sum is y g(y), g = sum_k (-y)^k mu_k, mu_k = |B_{2k+2}|/(2k+2)!, a Stieltjes series. Its Pade form
    is a Gauss quadrature with nodes 1/xi_k^2 and weights 2 eta_k/xi_k^2, built here from exact rational moments.
    """
    if terms == 0:
        return np.zeros(0), np.zeros(0)
    numbers = bernoulli(4 * terms + 1)
    moments = [abs(numbers[2 * k + 2]) / math.factorial(2 * k + 2) for k in range(2 * terms)]
    alpha, beta = recurrence(moments)
    diagonal = np.array([float(a) for a in alpha])
    nodes, vectors = eigh_tridiagonal(diagonal, np.sqrt([float(b) for b in beta[1:]]))
    nodes, weights = nodes[::-1], float(moments[0]) * vectors[0, ::-1] ** 2
    return 1 / np.sqrt(nodes), weights / (2 * nodes)


def matsubara(terms: int) -> tuple[Array, Array]:
    """Return xi_k = 2 pi k and eta_k = 1, k = 1..K."""
    return 2 * np.pi * np.arange(1, terms + 1), np.ones(terms)


# --- Harmonic oscillator: closed moments of the hierarchy -------------------------------------------------------------


@dataclass(frozen=True)
class HarmonicMoments:
    """The closed moment equations of the hierarchy for U = m w0^2 q^2/2.

    Integrated by parts, with Q_k, P_k the integrals of q W_{e_k}, p W_{e_k}, nu_k = xi_k T/hbar, D = 1 + 2 sum eta_k
    and c_k = -2 gamma T eta_k nu_k:

        <q>'  = <p>/m                      <p>'  = -m w0^2 <q> + x - gamma <p>/m
        <q2>' = 2 <qp>/m                   <qp>' = <p2>/m - m w0^2 <q2> + x <q> - gamma <qp>/m + sum_k Q_k
        <p2>' = -2 m w0^2 <qp> + 2 x <p> - 2 gamma <p2>/m + 2 gamma T D + 2 sum_k P_k
        Q_k'  = P_k/m - nu_k Q_k           P_k'  = -m w0^2 Q_k - (gamma/m + nu_k) P_k + c_k

    The zeroth moment z_n of W_n obeys z_n' = -(sum_k n_k nu_k) z_n: for n != 0 it stays zero, so x z_{e_k} and the
    z_{e_k}, z_{e_k + e_j} that d_p W_{n + e_k} would bring into <p>' and P_k' are left out. A state is the vector
    (<q>, <p>, <q2>, <qp>, <p2>, Q_1..Q_K, P_1..P_K); second moments are raw ones.

    So it is where the noise has the memory of the earlier temperature. With the symmetric one, C(t, t') ~ T(t) T(t'),
    the sums over Q_k and P_k are multiplied by T, and c_k divided by it.
    """

    w0: float
    gamma: float
    xi: Array = field(default_factory=lambda: np.zeros(0))
    eta: Array = field(default_factory=lambda: np.zeros(0))
    mass: float = 1.0
    hbar: float = 1.0
    symmetric: bool = True

    def weight(self, beta: float) -> float:
        """Return what the auxiliary moments count in those of the oscillator."""
        return 1.0 / beta if self.symmetric else 1.0

    @property
    def size(self) -> int:
        """Return the length 5 + 2K of a state."""
        return 5 + 2 * len(self.xi)

    def rates(self, state: Array, beta: float, x: float) -> Array:
        """Return the time derivative of a state."""
        # Plain numbers: an integrator asks for these rates a hundred thousand times.
        q, p, q2, qp, p2, *auxiliary = state.tolist()
        aux_q, aux_p = auxiliary[: len(self.xi)], auxiliary[len(self.xi) :]
        m, spring, damping = self.mass, self.mass * self.w0**2, self.gamma / self.mass
        decay = [float(xi) / (beta * self.hbar) for xi in self.xi]
        up = self.weight(beta)
        first = (p / m, -spring * q + x - damping * p)
        dq2 = 2 * qp / m
        dqp = p2 / m - spring * q2 + x * q - damping * qp + up * sum(aux_q)
        dp2 = -2 * spring * qp + 2 * x * p + 2 * m * self.heat_rate(state, beta)
        daux_q = [b / m - nu * a for a, b, nu in zip(aux_q, aux_p, decay, strict=True)]
        daux_p = [
            -spring * a - (damping + nu) * b - 2 * self.gamma / beta * eta * nu / up
            for a, b, nu, eta in zip(aux_q, aux_p, decay, self.eta, strict=True)
        ]
        return np.array([*first, dq2, dqp, dp2, *daux_q, *daux_p])

    def heat_rate(self, state: Array, beta: float) -> float:
        """Return the part of d<H>/dt that the bath causes, [gamma T D - gamma <p2>/m + (T) sum_k P_k]/m."""
        spread = self.gamma / beta * (1 + 2 * sum(self.eta))
        memory = self.weight(beta) * sum(state[5 + len(self.xi) :].tolist())
        return float(spread - self.gamma * state[4] / self.mass + memory) / self.mass

    def stationary(self, beta: float, x: float) -> Array:
        """Return the state at which all rates vanish (gamma > 0); the rates are affine in the state."""
        source = self.rates(np.zeros(self.size), beta, x)
        matrix = np.column_stack([self.rates(unit, beta, x) - source for unit in np.eye(self.size)])
        return np.linalg.solve(matrix, -source)

    def trajectory(
        self, beta: Protocol, x: Protocol, dx: Protocol, ts: Array, start: Array, kinks: Sequence[float]
    ) -> Array:
        """Return the states at ts with the accumulated work and heat as two more columns."""
        nodes = np.unique(np.concatenate([ts, [t for t in kinks if ts[0] < t < ts[-1]]]))
        values = [np.concatenate([start, np.zeros(2)])]
        for left, right in itertools.pairwise(nodes):
            # A step may evaluate at a node: there the protocols' limit from inside the piece is wanted.
            inside = (float(np.nextafter(left, right)), float(np.nextafter(right, left)))

            def slope(t: float, y: Array, inside: tuple[float, float] = inside) -> Array:
                s = min(max(float(t), inside[0]), inside[1])
                state, inverse = y[:-2], beta(s)
                rates = self.rates(state, inverse, x(s))
                return np.concatenate([rates, (-state[0] * dx(s), self.heat_rate(state, inverse))])

            solution = solve_ivp(slope, (left, right), values[-1], method="DOP853", rtol=1e-12, atol=1e-14)
            if not solution.success:
                raise ArithmeticError(solution.message)
            values.append(solution.y[:, -1])
        return np.array(values)[np.searchsorted(nodes, ts)]


def harmonic_stationary(
    beta: float,
    x: float,
    *,
    w0: float,
    gamma: float,
    xi: Array,
    eta: Array,
    mass: float = 1.0,
    hbar: float = 1.0,
    symmetric: bool = True,
) -> dict[str, Array | float]:
    """Return the stationary moments at constant beta, x: keys q, p, q2, qp, p2, U, H, aux_q, aux_p and state."""
    moments = HarmonicMoments(w0, gamma, xi, eta, mass, hbar, symmetric)
    named = _named(moments, moments.stationary(beta, x)[None], np.array([x]))
    # The state keeps its axis of moments; everything else loses the axis of times.
    return {key: value[0] if value.ndim > 1 else float(value[0]) for key, value in named.items()}


def harmonic_trajectory(
    beta: Protocol,
    x: Protocol,
    dx: Protocol,
    ts: Sequence[float] | Array,
    *,
    w0: float,
    gamma: float,
    xi: Array,
    eta: Array,
    mass: float = 1.0,
    hbar: float = 1.0,
    symmetric: bool = True,
    start: Array | None = None,
    kinks: Sequence[float] = (),
) -> dict[str, Array]:
    """Return the moments at ascending ts under beta(t), x(t), with dx = dx/dt; start None: stationary at ts[0].

    Keys: q, p, q2, qp, p2; U = <p2>/2m + m w0^2 <q2>/2; H = U - x q; work = -int q dx; heat, the bath's part of H, so
    that H - H(ts[0]) = work + heat; aux_q, aux_p (times, K); state (times, 5 + 2K), whose rows can be a new start.
    Times where beta, x or dx are not smooth belong into kinks; at a jump of x end one call and start another.
    """
    times = np.asarray(ts, dtype=float)
    moments = HarmonicMoments(w0, gamma, xi, eta, mass, hbar, symmetric)
    if start is None:
        start = moments.stationary(beta(times[0]), x(times[0]))
    values = moments.trajectory(beta, x, dx, times, start, kinks)
    named = _named(moments, values[:, :-2], np.array([x(t) for t in times]))
    return named | {"work": values[:, -2], "heat": values[:, -1]}


def _named(moments: HarmonicMoments, states: Array, x: Array) -> dict[str, Array]:
    """Return the moments of states (times, 5 + 2K) by name, with the energies U and H."""
    named = dict(zip(("q", "p", "q2", "qp", "p2"), states[:, :5].T, strict=True))
    energy = named["p2"] / (2 * moments.mass) + moments.mass * moments.w0**2 * named["q2"] / 2
    aux_q, aux_p = np.split(states[:, 5:], 2, axis=1)
    return named | {"U": energy, "H": energy - x * named["q"], "aux_q": aux_q, "aux_p": aux_p, "state": states}


# --- Harmonic oscillator: exact equilibrium at any coupling -----------------------------------------------------------


def accelerated_sum(term: Callable[[Array], Array], scale: float, doublings: int = 9) -> float:
    """Return sum_{n>=1} term(n) for a term with an expansion in n^-2, n^-3, ... beyond n of about scale.

    The partial sums S_N then differ from the limit by a series in 1/N, which doubling N removes order by order.
    """
    first = 64 * max(1, math.ceil(scale / 8))
    ends = first * 2 ** np.arange(doublings)
    bounds = np.concatenate([[0], ends])
    blocks = [math.fsum(term(np.arange(a + 1.0, b + 1.0))) for a, b in itertools.pairwise(bounds)]
    table = np.cumsum(blocks)
    for order in range(1, doublings):
        table = table[1:] + (table[1:] - table[:-1]) / (2.0**order - 1)
    return float(table[-1])


def ohmic_q2(beta: float, *, w0: float, gamma: float, mass: float = 1.0, hbar: float = 1.0) -> float:
    """Return <q^2> at x = 0 for the strict Ohmic bath.

    <q^2> = (1/beta) sum_n 1/[m (w0^2 + nu_n^2 + gamma |nu_n|/m)], nu_n = 2 pi n/(beta hbar), over all integers n. The
    matching <p^2> diverges.
    """
    step, damping = 2 * np.pi / (beta * hbar), gamma / mass
    total = accelerated_sum(lambda n: 1 / (w0**2 + (step * n) ** 2 + damping * step * n), max(w0, damping) / step)
    return (1 / w0**2 + 2 * total) / (mass * beta)


def drude_harmonic(
    beta: float, *, w0: float, gamma: float, cutoff: float, mass: float = 1.0, hbar: float = 1.0
) -> dict[str, float]:
    """Return q2 and p2 at x = 0 for J(w) = (hbar gamma w/pi) wD^2/(wD^2 + w^2) with counter-term, wD the cutoff.

    With nu_n = 2 pi n/(beta hbar) and z_n = (gamma/m) |nu_n| wD/(|nu_n| + wD), over all integers n,
    <q^2> = (1/(m beta)) sum_n 1/(w0^2 + nu_n^2 + z_n), <p^2> = (m/beta) sum_n (w0^2 + z_n)/(w0^2 + nu_n^2 + z_n).
    """
    step, damping = 2 * np.pi / (beta * hbar), gamma / mass

    def stiffness(n: Array) -> Array:
        return w0**2 + damping * step * n * cutoff / (step * n + cutoff)

    scale = max(w0, damping, cutoff, math.sqrt(damping * cutoff)) / step
    position = accelerated_sum(lambda n: 1 / ((step * n) ** 2 + stiffness(n)), scale)
    momentum = accelerated_sum(lambda n: stiffness(n) / ((step * n) ** 2 + stiffness(n)), scale)
    return {"q2": (1 / w0**2 + 2 * position) / (mass * beta), "p2": mass * (1 + 2 * momentum) / beta}


# --- Equilibria of any potential --------------------------------------------------------------------------------------


def _support(tilted: Callable[[Array], Array], beta: float, exponent: float) -> tuple[float, float]:
    """Return the interval outside which exp(-beta tilted) is below exp(-exponent) of its largest value."""
    half = 4.0
    while half < 1e6:
        grid = np.linspace(-half, half, 8193)
        depth = beta * (tilted(grid) - tilted(grid).min())
        if min(depth[0], depth[-1]) > exponent:
            within = np.flatnonzero(depth <= exponent)
            return float(grid[within[0] - 1]), float(grid[within[-1] + 1])
        half *= 1.5
    raise ValueError("the potential does not confine")


def thermal(log_z: float, beta: float, x: float, means: dict[str, float]) -> dict[str, float]:
    """Return means with ln Z, G = -ln Z/beta, F = G + x X and S = ln Z + beta (U - x X)."""
    gibbs, product = -log_z / beta, x * means["X"]
    return means | {"log_z": log_z, "G": gibbs, "F": gibbs + product, "S": log_z + beta * (means["U"] - product)}


def classical_equilibrium(
    potential: Callable[[Array], Array], beta: float, x: float, mass: float = 1.0, hbar: float = 1.0
) -> dict[str, float]:
    """Return X, q2, p2, U = <p^2/2m + potential>, log_z, G, F, S of exp[-beta (p^2/2m + potential(q) - x q)].

    The measure of Z is dq dp/(2 pi hbar). potential is a smooth confining function of an array; the trapezoidal rule
    then converges exponentially, and it is refined until nothing moves.
    """

    def tilted(q: Array) -> Array:
        return potential(q) - x * q

    low, high = _support(tilted, beta, 80.0)
    floor = float(tilted(np.linspace(low, high, 8193)).min())

    def integrals(intervals: int) -> Array:
        q = np.linspace(low, high, intervals + 1)
        weight = np.exp(-beta * (tilted(q) - floor))
        # The weight at both ends is nothing, so that a plain sum is the trapezoidal rule.
        total = weight.sum()
        means = [float(np.sum(weight * value) / total) for value in (q, q**2, potential(q))]
        return np.array([*means, math.log(total * (high - low) / intervals)])

    values = integrals(512)
    for doubling in range(10, 22):
        before, values = values, integrals(2**doubling)
        size = np.abs(values)
        size[0] = max(size[0], math.sqrt(size[1]))  # <q> may be 0, but is no better known than the width
        if np.all(np.abs(values - before) <= 3e-14 * (1e-3 + size)):
            break
    else:
        raise ArithmeticError("the quadrature does not converge: the potential is not smooth")
    position, square, height, log_integral = map(float, values)
    log_z = log_integral - beta * floor + 0.5 * math.log(2 * math.pi * mass / beta) - math.log(2 * math.pi * hbar)
    return thermal(log_z, beta, x, {"X": position, "q2": square, "p2": mass / beta, "U": 0.5 / beta + height})


def quantum_canonical(
    coefficients: Sequence[float], beta: float, x: float, mass: float = 1.0, hbar: float = 1.0, levels: int = 200
) -> dict[str, float]:
    """Return X, q2, p2, U = <p^2/2m + U(q)>, log_z, G, F, S of exp[-beta (p^2/2m + U(q) - x q)], an operator.

    U = sum_j coefficients[j] q^(j+2), that is (U2, U3, U4) for a quartic. Diagonalised in a harmonic basis of the given
    number of levels; an answer that three quarters of them change by more than 1e-10 is refused.
    """
    values = _canonical(coefficients, beta, x, mass, hbar, levels)
    coarse = _canonical(coefficients, beta, x, mass, hbar, 3 * levels // 4)
    change = max(abs(values[key] - coarse[key]) / (1 + abs(values[key])) for key in values)
    if change > 1e-10:
        raise ArithmeticError(f"{levels} levels are too few: the answer moves by {change:.1e}")
    return values


def _canonical(
    coefficients: Sequence[float], beta: float, x: float, mass: float, hbar: float, levels: int
) -> dict[str, float]:
    """Return the canonical means in a basis of the given size."""
    potential = np.polynomial.Polynomial([0.0, 0.0, *coefficients])
    centre, length = _basis(potential - np.polynomial.Polynomial([0.0, x]), beta, mass, hbar)
    # Powers of a cut q are wrong in the last rows only, so they are formed in a larger basis and cut afterwards.
    n = np.arange(1, levels + len(coefficients) + 2)
    ladder = np.diag(np.sqrt(n), 1)
    q = centre * np.eye(len(ladder)) + length / math.sqrt(2) * (ladder + ladder.T)
    p2 = -((hbar / length) ** 2) / 2 * np.linalg.matrix_power(ladder - ladder.T, 2)
    height = np.zeros_like(q)
    for c in potential.coef[::-1]:
        height = height @ q + c * np.eye(len(q))
    q, q2, p2, height = (operator[:levels, :levels] for operator in (q, q @ q, p2, height))
    energies, vectors = eigh(p2 / (2 * mass) + height - x * q)
    weight = np.exp(-beta * (energies - energies[0]))
    log_z = float(np.log(weight.sum()) - beta * energies[0])
    weight /= weight.sum()

    def mean(operator: Array) -> float:
        return float(weight @ np.einsum("ij,ij->j", vectors, operator @ vectors))

    means = {"X": mean(q), "q2": mean(q2), "p2": mean(p2)}
    return thermal(log_z, beta, x, means | {"U": means["p2"] / (2 * mass) + mean(height)})


def _basis(tilted: np.polynomial.Polynomial, beta: float, mass: float, hbar: float) -> tuple[float, float]:
    """Return the centre and length of a harmonic basis that is round in phase space at the highest energy that counts.

    At that energy the turning points are centre +- reach and the momentum is at most top; length^2 = hbar reach/top.
    """
    # A complex root's real part is only one more candidate: near the minimum is good enough for a basis.
    minimum = min(tilted.deriv().roots().real, key=tilted)
    frequency = math.sqrt(max(tilted.deriv(2)(minimum), 0.0) / mass)
    energy = 40 / beta + 20 * hbar * frequency
    low, high = _turning(tilted, minimum, energy, -1.0), _turning(tilted, minimum, energy, 1.0)
    return (low + high) / 2, math.sqrt(hbar * (high - low) / 2 / math.sqrt(2 * mass * energy))


def _turning(tilted: np.polynomial.Polynomial, minimum: float, energy: float, side: float) -> float:
    """Return a turning point at the given energy above the minimum."""

    def excess(distance: float) -> float:
        return float(tilted(minimum + side * distance) - tilted(minimum) - energy)

    reach = 1e-3
    while excess(reach) < 0:
        reach *= 2
    return minimum + side * float(brentq(excess, 0.0, reach))


# --- Harmonic oscillator between switched baths -----------------------------------------------------------------------


@dataclass(frozen=True)
class SwitchedBath:
    """An Ohmic bath at a temperature of its own: friction gamma, inverse temperature, poles, window and its slope."""

    gamma: float
    beta: float
    window: Protocol
    slope: Protocol
    xi: Array = field(default_factory=lambda: np.zeros(0))
    eta: Array = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class SwitchedMoments:
    """First and second moments of q, p and the noises b_k of switched baths, for H = p^2/2 + k(t) q^2/2 - x(t) q.

    Each force is xi f with f = -gamma d(xi q)/dt + sqrt(2 gamma T) white + sum_k j_k db_k/dt, db_k = -nu_k b_k dt +
    sqrt(2 nu_k) dB_k, nu_k = xi_k T, j_k^2 = 2 gamma eta_k/xi_k (m = hbar = 1), so that (q, p, b) is a linear process.
    Switching takes the work -xi' <q f>.
    """

    baths: Sequence[SwitchedBath]
    k: Protocol
    dk: Protocol
    x: Protocol
    dx: Protocol

    @property
    def size(self) -> int:
        """Return the number of variables."""
        return 2 + sum(len(bath.xi) for bath in self.baths)

    def linear(self, t: float) -> tuple[Array, Array]:
        """Return drift and diffusion at one time."""
        n, at = self.size, 2
        drift, kicks = np.zeros((n, n)), np.zeros((n, n))
        drift[0, 1], drift[1, 0] = 1.0, -self.k(t)
        for bath in self.baths:
            opening, slope, nu = bath.window(t), bath.slope(t), bath.xi / bath.beta
            own = slice(at, at + len(nu))
            width = opening * np.sqrt(2.0 * bath.gamma * np.divide(bath.eta, bath.xi))
            drift[1, :2] -= bath.gamma * opening * np.array([slope, opening])
            drift[1, own], drift[own, own] = -width * nu, -np.diag(nu)
            kicks[1, own], kicks[own, own] = width * np.sqrt(2.0 * nu), np.diag(np.sqrt(2.0 * nu))
            at += len(nu)
        diffusion = kicks @ kicks.T
        diffusion[1, 1] += sum(2.0 * bath.gamma / bath.beta * bath.window(t) ** 2 for bath in self.baths)
        return drift, diffusion

    def exchange(self, t: float, square: Array) -> tuple[list[float], list[float]]:
        """Return the power that each force brings, and that of switching, from the raw second moments."""
        given, switching, at = [], [], 2
        for bath in self.baths:
            opening, slope, nu = bath.window(t), bath.slope(t), bath.xi / bath.beta
            own = slice(at, at + len(nu))
            width = np.sqrt(2.0 * bath.gamma * np.divide(bath.eta, bath.xi))
            friction = bath.gamma * (slope * square[0, 1] + opening * square[1, 1])
            noise = np.sum(width * nu * (square[1, own] - opening * width))
            given.append(opening * (bath.gamma * opening / bath.beta - friction - noise))
            dragged = bath.gamma * (slope * square[0, 0] + opening * square[0, 1])
            switching.append(slope * (dragged + np.sum(width * nu * square[0, own])))
            at += len(nu)
        return given, switching

    def rates(self, t: float, y: Array) -> Array:
        """Return the time derivatives of means, covariance, heat and work of switching by bath, and work."""
        n = self.size
        mean, spread = y[:n], y[n : n + n * n].reshape(n, n)
        drift, diffusion = self.linear(t)
        dmean = drift @ mean
        dmean[1] += self.x(t)
        square = spread + np.outer(mean, mean)
        given, switching = self.exchange(t, square)
        heat = np.array(given) - np.array(switching)
        power = 0.5 * self.dk(t) * square[0, 0] - self.dx(t) * mean[0]
        dspread = drift @ spread + spread @ drift.T + diffusion
        return np.concatenate([dmean, dspread.ravel(), heat, switching, [power]])

    def trajectory(self, ts: Array, mean: Array, spread: Array, rtol: float = 1e-9) -> dict[str, Array]:
        """Return q2, p2, heat and switching (times, baths) and work at ts; also the means and covariance at the end."""
        n, baths = self.size, len(self.baths)
        start = np.concatenate([mean, spread.ravel(), np.zeros(2 * baths + 1)])
        y = [start]
        for left, right in itertools.pairwise(ts):
            solution = solve_ivp(self.rates, (left, right), y[-1], method="DOP853", rtol=rtol, atol=1e-12)
            y.append(solution.y[:, -1])
        values = np.array(y)
        means, spreads = values[:, :n], values[:, n : n + n * n].reshape(-1, n, n)
        heat, switching = np.split(values[:, n + n * n : -1], 2, axis=1)
        squares = spreads + means[:, :, None] * means[:, None, :]
        named = {"q2": squares[:, 0, 0], "p2": squares[:, 1, 1], "heat": heat, "switching": switching}
        return named | {"work": values[:, -1], "mean": means[-1], "spread": spreads[-1]}

    def cycle(self, knots: Array, rtol: float = 1e-9) -> dict[str, Array]:
        """Return the same at the end of one period of the stationary cycle, without a field x; NaN where there is none.

        Means go as z -> F z, covariances as C -> F C F' + S, which has a limit where all eigenvalues of F are below 1.
        """
        size = self.size
        nothing, none = np.zeros((size, size)), np.zeros(size)

        def turn(mean: Array, spread: Array) -> dict[str, Array]:
            return self.trajectory(knots, mean, spread, rtol)

        flow = np.column_stack([turn(unit, nothing)["mean"] for unit in np.eye(size)])
        first = turn(none, nothing)
        if np.abs(np.linalg.eigvals(flow)).max() >= 1.0:
            return {name: np.full_like(value, np.nan) for name, value in first.items()}
        return turn(none, solve_discrete_lyapunov(flow, first["spread"]))


def smooth_step(u: float) -> float:
    """Return 3 u^2 - 2 u^3 on [0, 1], 0 before and 1 after."""
    return u * u * (3.0 - 2.0 * u) if 0.0 < u < 1.0 else float(u >= 1.0)


def smooth_slope(u: float) -> float:
    """Return the derivative of `smooth_step`."""
    return 6.0 * u * (1.0 - u) if 0.0 < u < 1.0 else 0.0


def carnot_cycle(
    betas: Sequence[float],
    fields: Array,
    period: float,
    gamma: float,
    rise: float,
    poles: int = 0,
    rtol: float = 1e-8,
) -> dict[str, Array]:
    """Return `SwitchedMoments.cycle` of four equal strokes: hot bath, none, cold bath, none; stiffness 1 + field.

    A window opens and closes in the share `rise` of its stroke, while the field rests; it moves between.
    """
    quarter = 0.25 * period
    up = rise * quarter
    begin = [up, quarter, 2 * quarter + up, 3 * quarter]
    end = [quarter - up, 2 * quarter, 3 * quarter - up, 4 * quarter]
    moves = list(zip(np.roll(fields, -1) - fields, begin, end, strict=True))

    def bath(beta: float, first: float, last: float) -> SwitchedBath:
        def share(t: float) -> float:
            return min(t - first, last - t) / up

        def slope(t: float) -> float:
            return smooth_slope(share(t)) / up * (1.0 if t - first < last - t else -1.0)

        return SwitchedBath(gamma, beta, lambda t: smooth_step(share(t)), slope, *pade(poles))

    moments = SwitchedMoments(
        [bath(betas[0], 0.0, quarter), bath(betas[1], 2 * quarter, 3 * quarter)],
        lambda t: 1.0 + fields[0] + sum(move * smooth_step((t - a) / (b - a)) for move, a, b in moves),
        lambda t: sum(move * smooth_slope((t - a) / (b - a)) / (b - a) for move, a, b in moves),
        lambda t: 0.0,
        lambda t: 0.0,
    )
    return moments.cycle(np.sort([0.0, *begin, *end]), rtol)
