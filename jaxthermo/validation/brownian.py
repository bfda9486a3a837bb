"""Exact statements about the Brownian oscillator, each measured as one largest error."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from jaxthermo.brownian.bath import expansion

HARMONIC = jt.Polynomial([0.0, 0.0, 0.5])
QUARTIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
GRID = jt.PhaseGrid(8.0, 0.45, 8.0, 0.45)
# Stationary <q^2>, <p^2> at mass = hbar = frequency = friction = beta = 1, from the closed moment equations.
MOMENTS = {0: (1.0, 1.0), 1: (1.0727315396, 1.6361076230), 2: (1.0736650269, 1.9311154821)}


def pade_sum() -> float:
    """|1 + 2 sum eta_k - (K + 1)(2K + 1)| and the error of coth at x = 1, K = 6."""
    sums = [abs(1.0 + 2.0 * float(np.sum(expansion("pade", K)[1])) - (K + 1) * (2 * K + 1)) for K in range(7)]
    xi, eta = expansion("pade", 6)
    return max(*sums, abs(1.0 / np.tanh(0.5) - 2.0 * (1.0 + float(np.sum(2.0 * eta / (1.0 + xi**2))))))


@functools.cache
def _harmonic(poles: int, depth: int) -> Any:
    return jt.equilibrium(jt.quantum_oscillator(HARMONIC, 1.0, poles, depth, GRID), 1.0, 0.3)


def stationary_moments() -> float:
    """<q^2> - <q>^2 and <p^2> of the damped harmonic oscillator, K = 0, 1, 2, at depth 1."""
    states = {poles: _harmonic(poles, min(poles, 1)) for poles in MOMENTS}
    return max(
        max(abs(float(states[K].q2) - 0.09 - q2), abs(float(states[K].p2) - p2)) for K, (q2, p2) in MOMENTS.items()
    )


def cutoff_moments() -> float:
    """<q^2> and <p^2> of the harmonic oscillator in a Drude bath against their sums over K = 2 poles."""
    xi, eta = expansion("pade", 2)
    cutoff, grid = 5.0, jt.PhaseGrid(7.2, 0.45, 9.0, 0.45)
    rate = xi * cutoff / (xi + cutoff)
    size = 1.0 + xi**2 + rate
    q2, p2 = 1.0 + np.sum(2.0 * eta / size), 1.0 + np.sum(2.0 * eta * (1.0 + rate) / size)
    state = jt.equilibrium(jt.quantum_oscillator(HARMONIC, jt.DrudeBath(1.0, cutoff, 2, 2), grid=grid), 1.0, 0.0)
    return max(abs(float(state.q2) - q2), abs(float(state.p2) - p2))


def ramp_work() -> float:
    """Work of x: 0 -> 1 in t = 5 from rest, which depends neither on temperature nor on hbar."""
    ts = np.linspace(0.0, 5.0, 11)
    model = jt.quantum_oscillator(HARMONIC, 1.0, 2, 1, GRID)
    run = jt.drive(model, 1.0, lambda t: t / 5.0, ts)
    return abs(float(run.work[-1]) + 0.29648230317070)


def classical_equilibrium() -> float:
    """<q> and <q^2> of the classical quartic oscillator against quadrature."""
    state = jt.equilibrium(jt.classical_oscillator(QUARTIC, 1.0), 1.0, 0.5)
    q = np.linspace(-8.0, 8.0, 4001)
    weight = np.exp(-(0.1 * q**2 + 0.02 * q**3 + 0.05 * q**4 - 0.5 * q))
    exact = np.sum(q * weight) / np.sum(weight), np.sum(q**2 * weight) / np.sum(weight)
    return max(abs(float(state.X) - exact[0]), abs(float(state.q2) - exact[1]))


def deep_hierarchy() -> float:
    """<q> of the quantum quartic oscillator at depth 3 against depth 5 (A = beta = 1, x = 0.5, K = 2)."""
    grid = jt.PhaseGrid(6.0, 0.3, 9.0, 0.4)
    shallow, deep = (jt.equilibrium(jt.quantum_oscillator(QUARTIC, 1.0, 2, n, grid), 1.0, 0.5) for n in (3, 5))
    return abs(float(shallow.X - deep.X))


@functools.cache
def _driven() -> Any:
    model = jt.quantum_oscillator(QUARTIC, 1.0, 2, 2, jt.PhaseGrid(6.0, 0.35, 10.0, 0.5))
    ts = np.linspace(0.0, 6.0, 13)
    return jt.drive(model, lambda t: 1.0 + 0.3 * jnp.sin(t), lambda t: 0.5 * jnp.cos(0.7 * t), ts, tol=1e-6)


def norm_kept() -> float:
    """int W over a drive with beta(t) and x(t)."""
    return float(abs(_driven().norm - 1.0).max())


def first_law() -> float:
    """Enthalpy change less work less the heat that flows through the bath's operators."""
    return float(_driven().first_law_residual)


def equilibrium_gradient() -> float:
    """d<q>/d(beta, x, A) by reverse mode against central differences."""
    grid = jt.PhaseGrid(6.0, 0.4, 8.0, 0.5)

    def mean(beta: Any, x: Any, strength: Any) -> Any:
        return jt.equilibrium(jt.quantum_oscillator(QUARTIC, strength, 1, 2, grid), beta, x).X

    point, step = (1.0, 0.5, 1.0), 1e-4
    exact = jax.jit(jax.grad(mean, argnums=(0, 1, 2)))(*point)
    errors = []
    for i, slope in enumerate(exact):
        moved = [[p + s * step * (i == j) for j, p in enumerate(point)] for s in (1, -1)]
        errors.append(abs(float((mean(*moved[0]) - mean(*moved[1])) / (2.0 * step) - slope)))
    return max(errors)


def jarzynski() -> float:
    """ln <exp(-beta w)> of a fast ramp in the quartic well against the integrals for its ends."""
    ends, beta, times = (1.0, -0.5), 1.3, np.linspace(0.0, 1.5, 4)
    run = jt.drive(jt.classical_oscillator(QUARTIC, 1.0), beta, jt.Ramp(*ends, 0.0, 1.5), times, keep_states=True)
    q = np.linspace(-8.0, 8.0, 4001)
    first, last = (np.sum(np.exp(-beta * (0.1 * q**2 + 0.02 * q**3 + 0.05 * q**4 - x * q))) for x in ends)
    return abs(float(jt.work_fluctuations(run, [beta]).generating[-1, 0]) - float(np.log(last / first)))


def correlation_functions() -> float:
    """C(t) and chi(t) of q in a parabola through the hierarchy, against the closed moments; A = beta = 1, K = 1."""
    ts = np.linspace(0.0, 6.0, 7)
    models = (jt.quantum_oscillator(lambda q: 0.5 * q**2, 1.0, 1, 1, GRID), jt.quantum_oscillator(HARMONIC, 1.0, 1))
    runs = [jt.correlation(model, 1.0, 0.3, ts) for model in models]
    return max(float(jnp.max(jnp.abs(getattr(runs[0], n) - getattr(runs[1], n)))) for n in ("symmetrised", "response"))


def susceptibility() -> float:
    """chi(w) of the damped harmonic oscillator by the resolvent of the hierarchy."""
    w = np.array([0.0, 0.7, 2.0])
    found = jt.spectrum(jt.quantum_oscillator(lambda q: 0.5 * q**2, 1.0, 1, 1, GRID), 1.0, 0.3, w)
    return float(np.max(np.abs(np.asarray(found.response) - 1.0 / (1.0 - w**2 - 1j * w))))


def transformed() -> float:
    """chi(w) of the damped harmonic oscillator by the fast Fourier transform of its response function."""
    model = jt.quantum_oscillator(HARMONIC, 1.0, 1)
    found = jt.correlation(model, 1.0, 0.3, np.linspace(0.0, 60.0, 1201)).spectrum()
    w = np.asarray(found.frequency)
    return float(np.max(np.abs(np.asarray(found.response) - 1.0 / (1.0 - w**2 - 1j * w))))


def friction_of_a_stiffness() -> float:
    """(k + gamma^2)/(4 beta gamma k^3) for a classical parabola of stiffness k = 1 + x."""
    beta, gamma = 1.3, 0.8
    stiffer = jt.Polynomial([0.0, 0.0, -0.5])
    model = jt.classical_oscillator(HARMONIC, gamma**0.5, coordinate=stiffer)
    found = jt.search.slow_ramp(model, beta, 0.0, 0.5, 40.0, 5, progress=False)
    k = 1.0 + np.asarray(found.field)
    return float(np.max(np.abs(4.0 * beta * gamma * k**3 / (k + gamma**2) * np.asarray(found.friction) - 1.0)))


def classical_theorem() -> float:
    """beta w S(w)/2 - Im chi(w) of the classical quartic oscillator."""
    found = jt.spectrum(jt.classical_oscillator(QUARTIC, 1.0), 1.0, 0.5, np.array([0.5, 1.5]))
    return float(jnp.max(jnp.abs(found.imbalance)))


def slowest_modes() -> float:
    """Rates and frequencies of a damped parabola on the grid against sums of 1/2 +- i sqrt(3)/2."""
    found = jt.relaxation_rates(jt.classical_oscillator(lambda q: 0.5 * q**2, 1.0, GRID), 1.0, 0.3, 4)
    exact = np.array([0.5, 0.5, 1.0, 1.0, *(np.sqrt(0.75) * np.array([1.0, -1.0, 2.0, 0.0]))])
    return float(np.max(np.abs(np.concatenate([found.rate, found.frequency]) - exact)))


def number_state() -> float:
    """Means of q^4 and of the Weyl symbol q^2 p^2 in the first excited state, 15/4 and 5/4, and its purity."""
    model = jt.quantum_oscillator(HARMONIC, 0.5, 0, grid=jt.PhaseGrid(6.0, 0.3, 6.0, 0.3))
    one = jt.State.fock(model, 1, beta=1.0)
    means = [jt.brownian.expectation(one, f) for f in (lambda q, p: q**4, lambda q, p: q**2 * p**2)]
    return float(np.max(np.abs(np.array([*means, one.purity]) - np.array([3.75, 1.25, 1.0]))))


def least_work() -> float:
    """Work of the best ramp with impulses, 5 in a time of 1 at friction 1, plus that of the trap, against 25/3."""
    found = jt.optimal_ramp(jt.classical_oscillator(HARMONIC, 1.0), 1.0, 0.0, 5.0, 1.0, 0, jumps=True, progress=False)
    return abs(float(found.work) + 12.5 - 25.0 / 3.0)


def prepared_states() -> float:
    """Largest error of <q>, <p> of a cat state, <q^2> of a squeezed one, and the entropy of a mixture of two levels."""
    grid = jt.PhaseGrid(6.5, 0.3, 6.5, 0.3)
    model = jt.quantum_oscillator(HARMONIC, 0.5, 0, grid=grid)
    q, p, phase = 0.6, 0.4, 1.0
    cat = jt.State.cat(model, q, p, phase, beta=1.0)
    share = np.sin(phase) / (np.exp(q**2 + p**2) + np.cos(phase))
    squeezed = jt.State.squeezed(model, 0.5, 0.0, 0.3, beta=1.0)
    mixed = jt.State.from_density_matrix(model, np.diag([0.7, 0.3]), beta=1.0)
    differences = [
        jt.brownian.expectation(cat, "q") - p * share,
        jt.brownian.expectation(cat, "p") + q * share,
        squeezed.q2 - 0.25 - 0.5 * np.exp(-0.6),
        jt.brownian.von_neumann_entropy(mixed) + 0.7 * np.log(0.7) + 0.3 * np.log(0.3),
    ]
    return float(np.max(np.abs(np.array([float(one) for one in differences]))))


def canonical_state() -> float:
    """<q>, <q^2>, <p^2> and purity of exp(-beta H_A)/Z for a quartic well, against its levels on a line of points."""
    beta, x = 1.3, 0.5
    state = jt.State.canonical(
        jt.quantum_oscillator(QUARTIC, 0.5, 0, grid=jt.PhaseGrid(6.5, 0.3, 6.5, 0.3)), beta=beta, x=x
    )
    step, n = 0.15, np.arange(-45, 46)
    q, apart = step * n, np.subtract.outer(n, n)
    # The kinetic energy of all functions whose momenta are below pi/step (Colbert & Miller 1992).
    square = 2.0 * (-1.0) ** apart / np.where(apart == 0, 1.0, apart * step) ** 2
    p2 = np.where(apart == 0, np.pi**2 / (3.0 * step**2), square)
    energies, kets = np.linalg.eigh(0.5 * p2 + np.diag(0.1 * q**2 + 0.02 * q**3 + 0.05 * q**4 - x * q))
    share = np.exp(-beta * (energies - energies[0]))
    share /= share.sum()
    density = kets**2 @ share
    exact = [density @ q, density @ q**2, np.einsum("ij,ik,kj,j->", kets, p2, kets, share), np.sum(share**2)]
    return float(np.max(np.abs(np.array([state.q, state.q2, state.p2, state.purity]) - exact)))


def _absorbed(amplitudes: np.ndarray, period: float) -> float:
    """Work of moving a parabola of friction 1: pi sum_n n a_n^2 Im chi(n w), a_n the amplitudes of x(t)."""
    n = np.arange(1, len(amplitudes) + 1)
    w = 2.0 * np.pi * n / period
    return float(np.pi * np.sum(n * amplitudes**2 * w / ((1.0 - w**2) ** 2 + w**2)))


def moved_parabola() -> float:
    """Largest error of a cycle's work for a cosine, a square wave and a spline, while beta changes too (relative)."""
    model, period, size = jt.classical_oscillator(HARMONIC, 1.0, GRID), 8.0, 0.5
    odd = np.arange(1, 20001)
    square = np.where(odd % 2 == 1, 4.0 * size / (np.pi * odd), 0.0)
    corners = size * np.array([1.0, 0.5, -1.0, -0.5])
    # A coefficient stands for a B-spline, whose Fourier series is the fourth power of that of a box.
    n = np.arange(1, 401)
    spline = 2.0 * np.abs(np.fft.fft(corners)[n % 4]) / 4.0 * np.abs(np.sinc(n / 4.0)) ** 4

    def beta(t: Any) -> Any:
        return 1.0 + 0.1 * jnp.cos(2.0 * jnp.pi * t / period)

    cycles = [
        (jt.PeriodicCycle(beta, lambda t: size * jnp.sin(2.0 * jnp.pi * t / period), period), np.array([size])),
        (jt.PiecewiseCycle([[1.0, 1.1], [1.1, 1.0]], [[size, size], [-size, -size]], period), square),
        (jt.SplineCycle([1.0, 1.1, 1.0, 0.9], corners, period), spline),
    ]
    errors = []
    for cycle, amplitudes in cycles:
        work = jt.run_cycle(model, cycle, 1e-7, points=10, steps=4).work
        errors.append(abs(float(work) / _absorbed(amplitudes, period) - 1.0))
    return max(errors)


def first_law_of_carnot() -> float:
    """Work + heats of both baths + work of both windows in a Carnot cycle, over the largest heat."""
    grid = jt.PhaseGrid(9.0, 0.5, 7.5, 0.6)
    breathing = jt.classical_oscillator(HARMONIC, 0.5, grid, coordinate=jt.Polynomial([0.0, 0.0, -0.5]))
    run = jt.run_cycle(breathing, jt.CarnotCycle(0.5, 1.0, [0.0, -0.2, -0.5, -0.3], 24.0, rise=0.25), 1e-8, points=2)
    assert run.heat_of is not None and run.switching_of is not None
    closed = run.work + jnp.sum(run.heat_of) + jnp.sum(run.switching_of)
    return float(jnp.abs(closed) / jnp.max(jnp.abs(run.heat_of)))


def best_amplitude() -> float:
    """Error of the amplitude a at which a search finds the most of a - W(a), 1/(2 pi Im chi) (relative)."""
    model, period = jt.classical_oscillator(HARMONIC, 1.0, GRID), 8.0
    start = jt.FourierCycle(1.0, [0.0], [0.0], 0.0, [0.1], [0.0], period)

    def gain(run: Any, cycle: Any) -> Any:
        return cycle.x_series.cosines[0] - run.work

    bounds = {"x_series.cosines": (0.01, 1.0)}
    best = jt.optimise_cycle(model, start, gain, bounds, progress=False).cycle
    assert isinstance(best, jt.protocols.FourierCycle)
    exact = 0.5 / _absorbed(np.ones(1), period)
    return abs(float(best.x_series.cosines[0]) / exact - 1.0)


CHECKS = (
    ("Pade [K-1/K]: 1 + 2 sum eta = (K+1)(2K+1), K = 0..6; coth(1/2) at K = 6", 1e-12, pade_sum),
    ("harmonic <q^2>, <p^2> = closed moment equations, K = 0, 1, 2, depth 1", 1e-8, stationary_moments),
    ("harmonic <q^2>, <p^2> with a Drude cutoff = their sums over K = 2 poles, depth 2", 1e-8, cutoff_moments),
    ("harmonic ramp x: 0 -> 1: work = -0.296482303", 1e-8, ramp_work),
    ("classical quartic equilibrium = quadrature", 1e-10, classical_equilibrium),
    ("quantum quartic <q>: depth 3 = depth 5", 1e-7, deep_hierarchy),
    ("norm kept along a drive with beta(t) and x(t)", 1e-10, norm_kept),
    ("first law along it, heat from the bath's currents", 1e-4, first_law),
    ("fluctuating work of a ramp in a quartic well: Jarzynski's average", 1e-6, jarzynski),
    ("correlation functions of q in a parabola: hierarchy = closed moments", 1e-8, correlation_functions),
    (
        "harmonic susceptibility by the hierarchy's resolvent = 1/(1 - w^2 - i w)",
        1e-8,
        susceptibility,
    ),
    ("the same by the transform of its response function", 1e-5, transformed),
    ("friction of a stiffness k = (k + A^4)/(4 beta A^2 k^3) (relative)", 1e-6, friction_of_a_stiffness),
    ("classical quartic: fluctuation-dissipation theorem", 1e-8, classical_theorem),
    ("slowest eigenvalues of a damped parabola on the grid = sums of 1/2 +- i sqrt(3)/2", 1e-8, slowest_modes),
    ("number state n = 1: <q^4> = 15/4, <q^2 p^2> = 5/4, purity 1", 1e-8, number_state),
    ("cat, squeezed state, mixture: <q>, <p>, <q^2>, entropy", 1e-8, prepared_states),
    ("canonical state of a quartic well: <q>, <q^2>, <p^2>, purity = sums over levels", 1e-8, canonical_state),
    ("moving a parabola: work of cosine, square wave, spline = pi sum n a_n^2 Im chi (relative)", 1e-5, moved_parabola),
    ("Carnot: work + heats + work of the windows = 0, over the largest heat", 1e-6, first_law_of_carnot),
    ("search: most of a - W(a) at the amplitude 1/(2 pi Im chi) (relative)", 1e-4, best_amplitude),
    ("least work of moving a trap by 5 in t = 1: 25/3", 1e-7, least_work),
    ("gradient of equilibrium <q> in beta, x, A = central differences", 1e-6, equilibrium_gradient),
)
