"""Starts without correlations with the bath: their own moments, and closed moments of what follows."""

import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest
import scipy.linalg
import systems

import jaxthermo as jt
from jaxthermo._results import JaxthermoWarning

GRID = jt.PhaseGrid(8.0, 0.3, 9.0, 0.3)
MODEL = jt.quantum_oscillator(systems.HARMONIC, 0.8, 1, 2, GRID)


def test_pure_states_are_pure_and_have_their_moments():
    coherent = jt.State.coherent(MODEL, 1.0, 0.5, beta=1.0)
    squeezed = jt.State.squeezed(MODEL, 0.0, 0.0, 0.3, beta=1.0)
    number = jt.State.fock(MODEL, 2, beta=1.0)
    for state in (coherent, squeezed, number):
        assert float(state.purity) == pytest.approx(1.0, abs=1e-9)
        assert float(state.norm) == pytest.approx(1.0, abs=1e-12)
        assert state.stats["factorised"] == 1
    moments = [float(getattr(coherent, name)) for name in ("q", "q2", "p2", "qp")]
    np.testing.assert_allclose(moments, [1.0, 1.5, 0.75, 0.5], atol=1e-10)
    np.testing.assert_allclose([squeezed.q2, squeezed.p2], [0.5 * np.exp(-0.6), 0.5 * np.exp(0.6)], rtol=0.0, atol=1e-9)
    assert float(number.U) == pytest.approx(2.5, abs=1e-9)
    assert coherent.ok


@pytest.mark.parametrize(("phase", "parity"), [(0.0, 1.0), (np.pi, -1.0)])
def test_cat_states_have_their_parity(phase, parity):
    state = jt.State.cat(MODEL, 1.5, 0.4, phase, beta=1.0)
    # <parity> is pi hbar W at the origin.
    assert np.pi * float(state.wigner[GRID.q_side, GRID.p_side]) == pytest.approx(parity, abs=1e-12)
    assert float(state.purity) == pytest.approx(1.0, abs=1e-9)
    assert float(state.min_wigner) < -0.05


@pytest.mark.parametrize("phase", [0.5 * np.pi, -1.0])
def test_the_phase_of_a_cat_belongs_to_its_second_part(phase):
    """<a> = -2i alpha sin(phase) s/[2 + 2 cos(phase) s] with s = exp(-2 |alpha|^2) the overlap of both parts."""
    q, p = 0.6, 0.4
    overlap = np.exp(-(q**2) - p**2)
    share = np.sin(phase) * overlap / (1.0 + np.cos(phase) * overlap)
    state = jt.State.cat(MODEL, q, p, phase, beta=1.0)
    momentum = float(np.sum(np.asarray(state.wigner) * np.asarray(GRID.p))) * float(GRID.cell)
    np.testing.assert_allclose([state.q, momentum], [p * share, -q * share], rtol=0.0, atol=1e-10)


def test_the_canonical_state_has_no_bath_in_it():
    state = jt.State.canonical(MODEL, beta=0.8)
    exactly = 0.5 / np.tanh(0.4)
    np.testing.assert_allclose([state.q2, state.p2], exactly, rtol=0.0, atol=1e-3)
    again = jt.State.from_wigner(MODEL, state.wigner, beta=0.8)
    np.testing.assert_allclose(again.V, state.V, atol=1e-14)


def test_what_follows_a_factorised_start_has_the_closed_moments():
    """Mean and covariance of q, p - zeta and zeta, where zeta is at first independent of p."""
    friction, beta, start = 0.64, 1.2, np.array([1.0, 0.5, 0.0])
    xi, eta = exact.pade(1)
    drift = np.array([[0.0, 1.0, 1.0], [-1.0, -friction, -friction], [0.0, 0.0, -float(xi[0]) / beta]])
    noise = np.diag([0.0, 2.0 * friction / beta, 4.0 * friction * float(eta[0]) / beta])
    jitter = 2.0 * friction * float(eta[0] / xi[0])
    at_rest = scipy.linalg.solve_continuous_lyapunov(drift, -noise)
    before = np.array([[0.5, 0.0, 0.0], [0.0, 0.5 + jitter, -jitter], [0.0, -jitter, jitter]])
    ts = np.array([0.0, 0.5, 1.5, 4.0])
    run = jt.drive(MODEL, beta, 0.0, ts, jt.State.coherent(MODEL, *start[:2], beta=beta), tol=1e-8)
    momentum = np.array([0.0, 1.0, 1.0])
    for i, t in enumerate(ts):
        flow = scipy.linalg.expm(drift * t)
        mean, spread = flow @ start, flow @ (before - at_rest) @ flow.T + at_rest
        expected = [mean[0], spread[0, 0] + mean[0] ** 2, momentum @ spread @ momentum + (momentum @ mean) ** 2]
        np.testing.assert_allclose([run.q[i], run.q2[i], run.p2[i]], expected, rtol=0.0, atol=1e-6)


def test_a_depth_left_open_holds_a_canonical_state():
    """Three levels would not: what follows from a start without correlations needs more than the equilibrium."""
    well = jt.quantum_oscillator(systems.QUARTIC, 0.7, 1)
    start = jt.State.canonical(well, beta=1.1, x=0.4)
    alone = jt.State.canonical(jt.quantum_oscillator(systems.QUARTIC, 0.7, 0), beta=1.1, x=0.4)
    assert start.ok and start.oscillator.depth > 4
    np.testing.assert_allclose([start.X, start.q2, start.p2], [alone.X, alone.q2, alone.p2], rtol=1e-7)
    with pytest.warns(JaxthermoWarning, match="hierarchy too shallow"):
        jt.State.canonical(well.with_depth(3), beta=1.1, x=0.4)


def test_a_grid_left_open_holds_a_displaced_state():
    model = jt.classical_oscillator(systems.HARMONIC, 0.8)
    state = jt.State.coherent(model, 6.0, 0.0, beta=1.0)
    assert state.ok
    assert float(state.q) == pytest.approx(6.0, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jt.State.coherent(MODEL, np.nan, 0.0, beta=1.0), "`q`"),
        (lambda: jt.State.coherent(MODEL, 0.0, 0.0, beta=0.0), "`beta`"),
        (lambda: jt.State.fock(MODEL, -1, beta=1.0), "`quanta`"),
        (lambda: jt.State.from_wigner(MODEL, jnp.ones((3, 3)), beta=1.0), "`wigner`"),
        (lambda: jt.State.coherent(jt.classical_oscillator(lambda q: -(q**2) + q**4, 1.0), 0, 0, beta=1.0), "`freq"),
        (
            lambda: jt.State.coherent(jt.quantum_oscillator(lambda q: q**2, jt.DrudeBath(1, 5, 1)), 0, 0, beta=1.0),
            "`os",
        ),
    ],
)
def test_impossible_starts_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_density_matrix_of_number_states_is_what_it_says():
    one = np.diag([0.0, 0.0, 1.0])
    number = jt.State.fock(MODEL, 2, beta=1.0)
    np.testing.assert_allclose(jt.State.from_density_matrix(MODEL, one, beta=1.0).wigner, number.wigner, atol=1e-9)
    # (|0> + i |1>)/sqrt(2) moves to the right: <q> = 0, <p> = 1/sqrt(2).
    moving = np.array([[0.5, -0.5j], [0.5j, 0.5]])
    state = jt.State.from_density_matrix(MODEL, moving, beta=1.0)
    np.testing.assert_allclose([state.q, state.p2, state.purity], [0.0, 1.0, 1.0], atol=1e-9)
    momentum = float(np.sum(np.asarray(state.wigner) * np.asarray(GRID.p))) * float(GRID.cell)
    assert momentum == pytest.approx(np.sqrt(0.5), abs=1e-10)


def test_density_matrices_among_energy_states_come_back():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    rho = root @ root.conj().T / np.trace(root @ root.conj().T)
    model = jt.quantum_oscillator(systems.QUARTIC, 0.8, 1, 2, GRID)
    state = jt.State.from_density_matrix(model, rho, "energy", beta=1.0, x=0.3)
    np.testing.assert_allclose(jt.brownian.density_matrix(state, 4), rho, atol=1e-9)
    values = np.linalg.eigvalsh(rho)
    assert jt.brownian.von_neumann_entropy(state) == pytest.approx(-np.sum(values * np.log(values)), abs=1e-6)
    with pytest.warns(JaxthermoWarning, match="above the lowest 3 levels"):
        jt.brownian.von_neumann_entropy(state, 3)


def test_populations_and_entropy_of_a_canonical_state():
    state = jt.State.canonical(MODEL, beta=0.8)
    populations = np.diag(jt.brownian.density_matrix(state, 5)).real
    np.testing.assert_allclose(populations[1:] / populations[:-1], np.exp(-0.8), rtol=2e-3)


@pytest.mark.parametrize(
    ("rho", "basis", "what"),
    [
        ([[1.0, 0.5], [0.0, 0.0]], "number", "Hermitian"),
        ([[0.5, 0.0], [0.0, 0.4]], "number", "trace 1"),
        ([[1.5, 0.0], [0.0, -0.5]], "number", "negative eigenvalue"),
        ([[1.0]], "momentum", "basis"),
    ],
)
def test_impossible_density_matrices_are_refused(rho, basis, what):
    with pytest.raises(ValueError, match=what):
        jt.State.from_density_matrix(MODEL, rho, basis, beta=1.0)


def test_negativity_and_means_by_weyl_symbols():
    """int |W| of one quantum is 4/sqrt(e) - 1; <q^4> and <q^2 p^2> of a number state."""
    grid = jt.PhaseGrid(6.0, 0.3, 6.0, 0.3)
    model = jt.quantum_oscillator(lambda q: 0.5 * q**2, 0.5, 0, grid=grid)
    one = jt.State.fock(model, 1, beta=1.0)
    assert float(jt.brownian.wigner_negativity(one)) == pytest.approx(4.0 * np.exp(-0.5) - 2.0, abs=1e-4)
    calm = jt.State.coherent(model, 1.0, -0.5, beta=1.0)
    assert float(jt.brownian.wigner_negativity(calm)) == pytest.approx(0.0, abs=1e-9)
    # Means of q^4 and of the symbol q^2 p^2 over W, which depends on q^2 + p^2: 3 and 1 times (2n^2 + 2n + 1)/4.
    assert float(jt.brownian.expectation(one, lambda q, p: q**4)) == pytest.approx(15.0 / 4.0, abs=1e-9)
    assert float(jt.brownian.expectation(one, lambda q, p: q**2 * p**2)) == pytest.approx(5.0 / 4.0, abs=1e-9)
    for name, value in (("q", 1.0), ("p", -0.5), ("X", 1.0), ("H0", 0.5 + 0.625)):
        assert float(jt.brownian.expectation(calm, name)) == pytest.approx(value, abs=1e-9), name
    with pytest.raises(ValueError, match="`observable` must be a function of q and p or one of"):
        jt.brownian.expectation(calm, "spin")
