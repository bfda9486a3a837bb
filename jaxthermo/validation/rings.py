"""Exact statements about driven Potts rings, each measured as one largest error."""

import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize_scalar, root

import jaxthermo as jt
from jaxthermo.potts.ring import PottsRing

STATES = range(2, 13)
BETAS = (0.3, 1.7, 6.0)
FORCES = (0.2, 1.0, 2.5)
COUPLINGS = (-1.0, 0.7)

Number = Float[Array, ""]


def _worst(error: Callable[[PottsRing, Number], Number]) -> float:
    """Largest error over all q, couplings, forces and temperatures."""
    parameters = jnp.array(list(itertools.product(COUPLINGS, FORCES, BETAS)))

    def over_parameters(q: int) -> float:
        errors = jax.jit(jax.vmap(lambda p: error(PottsRing(q, p[0], p[1], 0.3), p[2])))(parameters)
        return float(jnp.max(errors))

    return max(over_parameters(q) for q in STATES)


def uniform_work() -> float:
    """Relative error of the work current of the uniform state."""

    def error(ring: PottsRing, beta: Number) -> Number:
        work = jt.potts.thermodynamics(0.0, jnp.full(ring.q, 1.0 / ring.q), ring, beta).work_current
        force = ring.constant_force
        return jnp.abs(work / (2.0 * ring.prefactor * force * jnp.sinh(0.5 * beta * force)) - 1.0)

    return _worst(error)


def uniform_spectrum() -> float:
    """Largest |J v - lambda v| over the Fourier modes v, relative to |J|, with J by automatic differentiation."""

    def error(ring: PottsRing, beta: Number) -> Number:
        uniform = jnp.full(ring.q, 1.0 / ring.q)
        jacobian = jax.jacfwd(jt.potts.vector_field, argnums=1)(0.0, uniform, ring, beta)
        index = np.arange(ring.q)
        modes = np.exp(2j * np.pi * np.outer(index, index) / ring.q)
        gap = jacobian.astype(complex) @ modes - modes * jt.potts.spectrum(ring, beta)[None]
        return jnp.max(jnp.abs(gap)) / jnp.max(jnp.abs(jacobian))

    return _worst(error)


def critical_temperature() -> float:
    """Relative error of beta_c1 = -q/u for Arrhenius rates."""
    couplings = jnp.array([-0.4, -1.0, -3.0])

    def errors(q: int) -> Number:
        found = jax.vmap(lambda u: jt.potts.critical_beta(PottsRing(q, u, 1.3)))(couplings)
        return jnp.max(jnp.abs(found * -couplings / q - 1.0))

    return max(float(errors(q)) for q in STATES)


def local_detailed_balance() -> float:
    """Largest |ln(V+/V-) + beta (dE - f)| over all bond rates."""
    energy_change, beta, force = jnp.linspace(-3.0, 3.0, 25), jnp.asarray(1.4), jnp.asarray(0.8)
    rates = (jt.potts.Arrhenius(), jt.potts.LoadSharing(0.2), jt.potts.Glauber(), jt.potts.Metropolis())
    errors = []
    for rate in rates:
        forward, backward = rate(energy_change, force, beta, jnp.asarray(0.7))
        errors.append(jnp.max(jnp.abs(jnp.log(forward / backward) + beta * (energy_change - force))))
    return float(max(errors))


@functools.cache
def _long_run() -> float:
    run = jt.potts.evolve(PottsRing(3, -1.0, 1.0, 0.1), 3.5, [0.6, 0.3, 0.1], np.linspace(0.0, 1e4, 201))
    return float(np.abs(np.asarray(run.occupation).sum(axis=1) - 1.0).max())


@functools.cache
def _driven() -> jt.potts.Evolution:
    ring = PottsRing(4, -1.0, lambda t: 1.0 + 0.5 * jnp.cos(0.7 * t), 0.3, energies=[0.0, 0.2, -0.1, 0.3])
    return jt.potts.evolve(ring, lambda t: 3.0 + jnp.sin(t), [0.7, 0.1, 0.1, 0.1], np.linspace(0.0, 60.0, 601))


def first_law() -> float:
    """Largest |E(t) - E(0) - work - heat| on a trajectory with time-dependent beta and force."""
    run = _driven()
    return float(jnp.abs(run.energy - run.energy[0] - run.work - run.heat).max())


def second_law() -> float:
    """How far the entropy production falls below zero on the same trajectory."""
    return max(0.0, -float(_driven().entropy_production_rate.min()))


def entropy_balance() -> float:
    """Largest |dS/dt - beta heat current - entropy production| at random states."""
    ring = PottsRing(5, -1.0, 0.9, 0.3, energies=[0.0, 0.2, -0.1, 0.3, 0.1])

    def gap(P: Array) -> Array:
        _, entropy_rate = jax.jvp(jt.potts.entropy, (P,), (jt.potts.vector_field(0.0, P, ring, 2.0),))
        flow = jt.potts.thermodynamics(0.0, P, ring, 2.0)
        return entropy_rate - 2.0 * flow.heat_current - flow.entropy_production_rate

    states = jax.random.dirichlet(jax.random.key(0), jnp.ones(5), (200,))
    return float(jnp.max(jnp.abs(jax.vmap(gap)(states))))


def equilibrium() -> float:
    """Spread of ln P_i + beta (eps_i + u P_i) at f = 0, or the entropy production there if that is larger."""
    ring = PottsRing(3, 0.8, 0.0, 0.3, energies=[0.0, 0.4, -0.3])
    state = jt.potts.stationary(ring, 1.6)
    chemical = jnp.log(state.occupation) + 1.6 * (ring.energies + ring.coupling * state.occupation)
    return float(jnp.maximum(jnp.ptp(chemical), jnp.abs(state.entropy_production_rate)))


@functools.cache
def _cycle() -> jt.potts.Stationary:
    return jt.potts.stationary(PottsRing(3, -1.0, 1.0, 0.1), 3.5)


def cycle_average() -> float:
    """Relative error of the cycle's work current against work integrated along 20 periods of a long trajectory."""
    period = float(_cycle().period)
    run = jt.potts.evolve(PottsRing(3, -1.0, 1.0, 0.1), 3.5, None, np.array([0.0, 400.0, 400.0 + 20.0 * period]))
    return abs(float(run.work[2] - run.work[1]) / (20.0 * period) / float(_cycle().work_current) - 1.0)


def cycle_second_law() -> float:
    """|entropy production - beta work| averaged over the cycle."""
    return abs(float(_cycle().entropy_production_rate) - 3.5 * float(_cycle().work_current))


def cycle_gradient() -> float:
    """Largest relative error of d(cycle work)/d(beta, u, f, G) against central differences."""

    def work(p: Array) -> Array:
        return jt.potts.stationary(PottsRing(3, p[1], p[2], p[3]), p[0]).work_current

    at = jnp.array([3.5, -1.0, 1.0, 0.1])
    gradient = jax.grad(work)(at)
    step = 1e-5
    shifts = step * jnp.eye(4)
    central = jnp.stack([work(at + shift) - work(at - shift) for shift in shifts]) / (2.0 * step)
    return float(jnp.max(jnp.abs(gradient / central - 1.0)))


def low_temperature() -> float:
    """Relative error of q f V+(dE = -u) against the localised state at beta = 30."""

    def error(q: int) -> float:
        ring = PottsRing(q, -1.0, 0.9, 0.1)
        limit = jt.potts.low_temperature_work_current(ring, 30.0)
        return abs(float(limit / jt.potts.stationary(ring, 30.0).work_current) - 1.0)

    return max(error(q) for q in (2, 3))


def power_in_uniform_phase() -> float:
    """|tanh[beta(f1 + f2)/2] + beta f2/2| at the load of maximum power."""
    beta = 1.5
    best = jt.potts.maximum_power(3, -1.0, 0.1, 1.0, beta=beta)
    return abs(float(np.tanh(0.5 * beta * (1.0 + best.force2)) + 0.5 * beta * best.force2))


def birth_of_localised_states() -> float:
    """Relative error of the fold: for f = 0 the least beta of a curve, else a point at rest with det J = 0."""
    errors = []
    for q in (3, 5):
        # At equilibrium beta |u| (P_1 - P_2) = ln(P_1/P_2), with P_2 that of all other states.
        least = minimize_scalar(
            lambda P, q=q: np.log(P * (q - 1) / (1.0 - P)) * (q - 1) / (q * P - 1.0),
            bounds=(1.01 / q, 1.0 - 1e-9),
            method="bounded",
            options={"xatol": 1e-9},
        )
        errors.append(float(jt.potts.fold_beta(PottsRing(q, -1.0, 0.0, 0.1))) / float(least.fun) - 1.0)

    def at_rest(y: np.ndarray) -> np.ndarray:
        """dP/dt of two of three states, and the determinant of its derivatives by complex steps."""

        def field(x: np.ndarray) -> np.ndarray:
            P = np.append(x, 1.0 - x.sum())
            half = 0.5 * y[2] * (1.0 + np.roll(P, -1) - P)
            J = np.exp(half) * P - np.exp(-half) * np.roll(P, -1)
            return (np.roll(J, 1) - J)[:2]

        slopes = np.column_stack([field(y[:2] + 1e-30j * e).imag for e in np.eye(2)]) / 1e-30
        return np.append(field(y[:2]), np.linalg.det(slopes))

    driven = jt.potts.fold(PottsRing(3, -1.0, 1.0, 0.1))
    start = np.append(np.asarray(driven.occupation)[:2], driven.beta) + np.array([0.01, -0.01, 0.02])
    exact = root(at_rest, start, tol=1e-13).x
    errors.append(float(driven.beta) / float(exact[2]) - 1.0)
    return float(np.max(np.abs(errors)))


CHECKS = (
    ("uniform work current = 2 G f sinh(beta f/2), q = 2..12 (relative)", 1e-12, uniform_work),
    ("spectrum of the uniform state = Jacobian by AD, q = 2..12 (relative)", 1e-12, uniform_spectrum),
    ("beta_c1 = -q/u, q = 2..12 (relative)", 1e-12, critical_temperature),
    ("local detailed balance of all bond rates", 1e-12, local_detailed_balance),
    ("probability conserved over t = 1e4", 1e-13, _long_run),
    ("first law along a trajectory with beta(t) and f(t)", 1e-10, first_law),
    ("entropy production >= 0 along it (violation)", 0.0, second_law),
    ("entropy production = dS/dt - beta dQ/dt at random states", 1e-12, entropy_balance),
    ("f = 0: P_i = exp[-beta (eps_i + u P_i)]/Z, no entropy production", 1e-12, equilibrium),
    ("limit-cycle average = 20 periods of a long trajectory (relative)", 1e-9, cycle_average),
    ("limit cycle: mean entropy production = beta x mean work", 1e-10, cycle_second_law),
    ("gradient of cycle work in beta, u, f, G = central differences (relative)", 1e-6, cycle_gradient),
    ("work of the localised state -> q f V+(dE = -u), beta = 30 (relative)", 1e-3, low_temperature),
    (
        "fold of the localised states, f = 0 and 1: least beta of their curve; det J = 0 (relative)",
        1e-9,
        birth_of_localised_states,
    ),
    ("maximum power in the uniform phase: tanh[beta (f1 + f2)/2] = -beta f2/2", 1e-6, power_in_uniform_phase),
)
