"""Equilibrium states beyond the harmonic oscillator: quadrature, canonical limits, another basis, derivatives."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest

import jaxthermo as jt
from jaxthermo.brownian.equilibria import stationary

COEFFICIENTS = [0.0, 0.0, 0.1, 0.02, 0.05]
BETA, X = 1.0, 0.5
# Holds the quartic's states at beta = 1 to 1e-9 in every direction.
GRID = jt.PhaseGrid(5.6, 0.2, 8.0, 0.4)


def cosh(q):
    return 0.3 * jnp.cosh(q) + 0.1 * q


CLASSICAL = {
    "quartic": (jt.Polynomial(COEFFICIENTS), np.polynomial.Polynomial(COEFFICIENTS)),
    "cosh": (cosh, lambda q: 0.3 * np.cosh(q) + 0.1 * q),
}


@pytest.mark.parametrize("case", CLASSICAL)
def test_classical_equilibrium_is_boltzmann(case):
    """On the grid that the library chooses. 1e-8 is the accuracy it promises; the strength and mass do not matter."""
    potential, plain = CLASSICAL[case]
    state = jt.equilibrium(jt.classical_oscillator(potential, 0.8, mass=1.4), BETA, X)
    expected = exact.classical_equilibrium(plain, BETA, X, mass=1.4)
    for name in ("X", "q2", "p2", "U"):
        np.testing.assert_allclose(getattr(state, name), expected[name], rtol=1e-8, err_msg=name)
    np.testing.assert_allclose(state.norm, 1.0, atol=1e-10)
    # The automatic grid ends where the state has fallen to 1e-9.
    assert state.residual < 1e-8 and state.edge < 1e-9 and state.tail == 0.0
    # The whole density, not only its moments.
    q, p = np.meshgrid(state.grid.q, state.grid.p, indexing="ij")
    weight = np.exp(-BETA * (p**2 / 2.8 + plain(q) - X * q))
    np.testing.assert_allclose(state.wigner, weight / (weight.sum() * state.grid.dq * state.grid.dp), atol=1e-9)


@pytest.fixture(scope="module")
def quantum():
    """One hierarchy for all strengths, masses and hbar: these are numbers, not structure."""
    return jt.quantum_oscillator(jt.Polynomial(COEFFICIENTS), 1.0, 1, 1, GRID)


def with_numbers(oscillator, strength=1.0, hbar=1.0):
    return eqx.tree_at(lambda o: (o.bath.strength, o.hbar), oscillator, (jnp.asarray(strength), jnp.asarray(hbar)))


def test_weak_coupling_is_the_canonical_state():
    """The first correction is of order A^2: halving A quarters the distance, to 1 %, where the next order shows.

    Three poles, because weak coupling keeps what a bath makes of the populations, and K = 1 is wrong there by 1e-5.
    """
    quantum = jt.quantum_oscillator(jt.Polynomial(COEFFICIENTS), 1.0, 3, 1, GRID)
    expected = exact.quantum_canonical(COEFFICIENTS[2:], BETA, X)
    states = [jt.equilibrium(with_numbers(quantum, strength), BETA, X) for strength in (0.1, 0.05)]
    for state in states:
        # Waves at the edges that nothing damps are found last.
        assert state.residual < 2e-7
        np.testing.assert_allclose(state.norm, 1.0, atol=1e-8)
    for name, bound in (("X", 1e-3), ("q2", 1e-3), ("p2", 5e-3)):
        wide, near = (float(getattr(state, name)) - expected[name] for state in states)
        assert abs(near) < bound, name
        np.testing.assert_allclose(wide / near, 4.0, rtol=0.01, err_msg=name)


def test_small_hbar_is_classical(quantum):
    """Corrections are of order hbar^2 without coupling and of order hbar with it."""
    expected = exact.classical_equilibrium(np.polynomial.Polynomial(COEFFICIENTS), BETA, X)
    differences = []
    for hbar in (0.1, 0.05):
        state = jt.equilibrium(with_numbers(quantum, hbar=hbar), BETA, X)
        differences.append([float(getattr(state, name)) - expected[name] for name in ("X", "q2", "p2")])
    wide, near = np.abs(differences)
    assert np.all(near[:2] < 1e-3) and near[2] < 0.05
    assert np.all(near < 0.6 * wide)


def test_states_are_batched_with_vmap(quantum):
    betas, fields = jnp.array([0.9, 1.0]), jnp.array([0.5, 0.3])

    def moments(beta, x):
        state = jt.equilibrium(quantum, beta, x)
        return state.X, state.p2

    X_lanes, p2_lanes = jax.jit(jax.vmap(moments))(betas, fields)
    for lane in range(2):
        alone = jt.equilibrium(quantum, betas[lane], fields[lane])
        # Both solves go on to 1e-11 of the guess.
        np.testing.assert_allclose(X_lanes[lane], alone.X, rtol=1e-9)
        np.testing.assert_allclose(p2_lanes[lane], alone.p2, rtol=1e-9)


def test_vmap_is_no_slower_than_a_loop(quantum):
    """Lanes are solved one after another, each to its own end: the same digits in about the same time."""

    def moments(beta):
        state = jt.equilibrium(quantum, beta, 0.5)
        return jnp.stack([state.X, state.p2])

    one, all_of_them, betas = jax.jit(moments), jax.jit(jax.vmap(moments)), jnp.linspace(0.8, 1.1, 6)
    lanes, alone = all_of_them(betas), jnp.stack([one(beta) for beta in betas])
    np.testing.assert_allclose(lanes, alone, rtol=1e-12)

    def cost(function):
        start = time.process_time()
        jax.block_until_ready(function())
        return time.process_time() - start

    # The best of several, since other processes share the machine; a lockstep takes three times as long as the loop.
    batched = min(cost(lambda: all_of_them(betas)) for _ in range(5))
    looped = min(cost(lambda: [one(beta) for beta in betas]) for _ in range(5))
    assert batched < 1.3 * looped


@pytest.mark.parametrize("mode", [jax.jacrev, jax.jacfwd])
def test_derivatives_in_both_modes_are_central_differences(quantum, mode):
    """d(X, p2)/d(beta, x, A, hbar)."""

    @jax.jit
    def results(p):
        state = jt.equilibrium(with_numbers(quantum, p[2], p[3]), p[0], p[1])
        return jnp.stack([state.X, state.p2])

    at = jnp.array([BETA, X, 0.9, 0.8])
    h = 1e-4
    central = jnp.stack([(results(at + s) - results(at - s)) / (2 * h) for s in h * jnp.eye(4)], axis=1)
    # h^2 of the difference and 1e-11/h of the solves.
    np.testing.assert_allclose(jax.jit(mode(results))(at), central, rtol=1e-6, atol=1e-7)


def test_the_frame_is_a_change_of_variables():
    """Against the hierarchy as it is published, solved in number states at depths 6..9: X = .51781, .51802, .51806,
    .518065. With the noise in the momentum depth 4 is converged to the digits given."""
    model = jt.quantum_oscillator(jt.Polynomial(COEFFICIENTS), 1.0, 2, 4, jt.PhaseGrid(5.6, 0.28, 8.0, 0.5))
    state = jt.equilibrium(model, BETA, X)
    np.testing.assert_allclose([state.X, state.q2, state.p2], [0.5180647, 1.450598, 1.938959], rtol=2e-6)
    assert state.residual < 1e-9
    # The number-basis solution at its largest depth moves by 5e-6 with the last one.
    np.testing.assert_allclose(state.X, 0.518065, atol=5e-6)


def test_a_search_that_fails_says_so(monkeypatch):
    """Cut off after two iterations: no state, and no silence about it. Under jit there is no other way."""
    monkeypatch.setattr(stationary, "LIMIT", 3)
    grid = jt.PhaseGrid(8.0, 0.6, 8.0, 0.7)
    oscillator = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, 1, 1, grid)
    state = jax.jit(lambda beta: jt.equilibrium(oscillator, beta, 0.0))(1.0)
    assert state.outcome == "not converged" and state.residual > 1e-6


def test_the_unit_of_time_does_not_matter_to_the_search():
    """The norm is held at a rate, whose unit must not count beside those of the motion: it was 1 before."""
    found = []
    for unit in (1.0, 1e-12):
        potential = jt.Polynomial(np.array(COEFFICIENTS) / unit**2)
        mesh = jt.PhaseGrid(6.0, 0.6, 7.2 / unit, 0.8 / unit)
        model = jt.quantum_oscillator(potential, unit**-0.5, 1, 1, mesh, hbar=1.0 / unit)
        found.append(jax.jit(lambda beta, model=model: jt.equilibrium(model, beta, 0.0))(unit**2))
    assert [float(state.error) for state in found] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert float(found[1].X) == pytest.approx(float(found[0].X), rel=1e-9)


def test_derivatives_at_weak_coupling_are_the_same_in_both_modes():
    """Friction forgets in 44 units of time; reverse mode had been off by 4e-3 there, with nothing said."""
    grid = jt.PhaseGrid(6.0, 0.3, 6.6, 0.4)

    def energy(x):
        return jt.equilibrium(jt.quantum_oscillator(jt.Polynomial(COEFFICIENTS), 0.15, 1, 2, grid), 1.0, x).U

    forward, reverse = (jax.jit(mode(energy))(0.3) for mode in (jax.jacfwd, jax.jacrev))
    assert abs(float(forward - reverse)) < 1e-6
