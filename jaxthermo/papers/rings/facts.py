"""Closed forms of Herpich & Esposito 2019 beside the library's own: spectra, laws along a trajectory, best loads."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray

import jaxthermo as jt
from jaxthermo.papers.rings.lanes import COUPLING, FORCE, PREFACTOR, labelled
from jaxthermo.solve.lean import lean_jit

STATES = tuple(range(2, 10))
# Rings whose amplitude equations are worked out.
FORMED, COARSE_FORMED = (3, 4, 5, 6, 7), (3, 4, 5)
# A trajectory through both laws.
BETA, TIMES = 4.0, np.linspace(0.0, 60.0, 241)
WARM = 1e-2
FORMS = {
    "onset": ("1/energy", "beta_c1"),
    "real_part": ("1/time", "largest |Re lambda_k| at beta_c1"),
    "imaginary_error": ("1/time", "largest deviation from Eq. (7)"),
    "slope_error": ("energy/time", "largest deviation from the first-order correction below Eq. (7)"),
    "repelled": ("1/time", "largest growth rate at repulsion, beta up to 50"),
    "least_slope": ("energy/time", "smallest d Re lambda_k/d beta at beta_c1"),
    "symmetric_part": ("1/time", "largest entry of J + J^T at beta_c1"),
    "turned": ("1/time", "largest change of J when the ring is turned"),
}
WEAK_FORCES = np.array([0.05, 0.1, 0.15, 0.25, 0.5])


def closed_forms() -> xarray.Dataset:
    """What the paper derives about the uniform state, with the largest deviation of the library from it, by q."""
    columns: dict[str, list[float]] = {name: [] for name in FORMS}
    for q in STATES:
        onset, found, slope, repelled, J = (np.asarray(part) for part in _about_uniform(q))
        c = PREFACTOR * np.sinh(q * FORCE / (2.0 * COUPLING))
        printed = 2.0j * c * np.sin(2.0 * np.pi * np.arange(q) / q)
        errors = (np.abs(found.real), np.abs(found - printed), np.abs(slope - _first_order(q)))
        matrix = (np.abs(J + J.T), np.abs(J - np.roll(J, (1, 1), (0, 1))))
        row = (onset, *errors, repelled, np.min(slope.real), *matrix)
        for name, values in zip(FORMS, row, strict=True):
            columns[name].append(float(np.max(values)))
    variables = {name: ("q", values, *FORMS[name]) for name, values in columns.items()}
    return labelled(variables, {"q": ("q", list(STATES), "1", "number of states")})


def _about_uniform(q: int) -> tuple[jax.Array, ...]:
    """beta_c1, the spectrum there and its derivative in beta, the growth rates under repulsion, and the Jacobian."""

    def numbers(coupling: jax.Array) -> tuple[jax.Array, ...]:
        ring = jt.PottsRing(q, coupling, FORCE, PREFACTOR)
        repelling = jt.PottsRing(q, -coupling, FORCE, PREFACTOR)
        onset = jt.potts.critical_beta(ring)
        found, slope = jax.jvp(lambda b: jt.potts.spectrum(ring, b), (onset,), (jnp.ones_like(onset),))
        cold = jax.vmap(lambda b: jt.potts.spectrum(repelling, b))(jnp.linspace(0.1, 50.0, 200))
        uniform = jnp.full(q, 1.0 / q)
        jacobian = jax.jacfwd(lambda P: jt.potts.vector_field(0.0, P, ring, onset))(uniform)
        return onset, found, slope, cold.real[:, 1:], jacobian

    return lean_jit(numbers)(jnp.asarray(COUPLING))


def _first_order(q: int) -> np.ndarray:
    """The paper's correction to the eigenvalues, with sin^2 cot = sin cos, so that k = 0 is included."""
    angle = np.pi * np.arange(q) / q
    d = np.cosh(q * FORCE / (2.0 * COUPLING))
    sine, cosine = np.sin(angle), np.cos(angle)
    return -2.0 * PREFACTOR * d / q * (2.0 * COUPLING * sine**2 + 1.0j * FORCE * q * sine * cosine)


def laws() -> xarray.Dataset:
    """Both laws along a trajectory; the best load of a warm ring; other rates; transitions at weak driving."""
    ring = jt.PottsRing(3, COUPLING, FORCE, PREFACTOR)
    run = jt.potts.evolve(ring, BETA, None, TIMES)
    first = np.abs(np.asarray(run.energy - run.energy[0] - run.work - run.heat)).max()
    glauber = jt.PottsRing(3, COUPLING, FORCE, PREFACTOR, rates=jt.potts.Glauber())
    balance, least = _balance_of(glauber)
    weak = [float(jt.potts.fold_beta(jt.PottsRing(3, COUPLING, force, PREFACTOR))) for force in WEAK_FORCES]
    variables: dict[str, Any] = {
        "first_law": ((), first, "energy", "largest |dE - W - Q| along a trajectory"),
        "second_law": ((), float(np.min(run.entropy_production_rate)), "k_B/time", "smallest entropy production rate"),
        "warm_efficiency": ((), _best_load(WARM), "1", "efficiency at maximum power of the uniform state, beta -> 0"),
        "glauber_onset": ((), float(jt.potts.critical_beta(glauber)), "1/energy", "beta_c1 with Glauber rates"),
        "glauber_balance": ((), balance, "k_B/time", "largest |rate of Sigma - dS/dt + beta Q| with Glauber rates"),
        "glauber_least": ((), least, "k_B/time", "smallest rate of Sigma with Glauber rates"),
        "weak_fold": ("force", weak, "1/energy", "fold of the localised states"),
    }
    return labelled(variables, {"force": ("force", WEAK_FORCES, "energy", "force f")})


def _balance_of(ring: jt.PottsRing) -> tuple[float, float]:
    """Largest |rate of Sigma - dS/dt + beta Q| and smallest rate of Sigma at random occupations."""

    def both(P: jax.Array) -> tuple[jax.Array, jax.Array]:
        now = jt.potts.thermodynamics(0.0, P, ring, BETA)
        rising = jax.jvp(jt.potts.entropy, (P,), (jt.potts.vector_field(0.0, P, ring, BETA),))[1]
        flow = BETA * jnp.sum(now.heat_currents)
        return now.entropy_production_rate - rising + flow, now.entropy_production_rate

    P = np.random.default_rng(0).dirichlet(np.ones(3), 200)
    rest, rate = jax.jit(jax.vmap(both))(jnp.asarray(P))
    return float(jnp.max(jnp.abs(rest))), float(jnp.min(rate))


def _best_load(beta: float) -> float:
    """-f2/f1 with tanh[beta (f1 + f2)/2] = -beta f2/2, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        share = 0.5 * (low + high)
        load = -share * FORCE
        if np.tanh(0.5 * beta * (FORCE + load)) > -0.5 * beta * load:
            low = share
        else:
            high = share
    return share


def forms(states: tuple[int, ...]) -> xarray.Dataset:
    """What is born at beta_c1, from the amplitude equations: super- or subcritical for the mode k = 1."""
    kinds, lyapunov = [], []
    for q in states:
        found = jt.potts.normal_form(jt.PottsRing(q, COUPLING, FORCE, PREFACTOR))
        kinds.append(bool(np.asarray(found.kind)[0] == "supercritical"))
        lyapunov.append(float(np.asarray(found.lyapunov)[0]))
    variables = {
        "supercritical": (
            "q",
            np.array(kinds, dtype=int),
            "1",
            "1 where the travelling wave k = 1 is born stable in itself",
        ),
        "lyapunov": ("q", lyapunov, "1", "first Lyapunov coefficient of the mode k = 1"),
    }
    return labelled(variables, {"q": ("q", list(states), "1", "number of states")})
