"""Correlation and response functions against closed moments, a hierarchy in a number basis, and exact relations."""

from math import comb

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest
import scipy.linalg
import systems
from audit import hierarchy
from scipy.integrate import quad, solve_ivp

import jaxthermo as jt
from jaxthermo._results import JaxthermoWarning
from jaxthermo.brownian.hierarchy import equation_on
from jaxthermo.brownian.response.rates import _slowest_sums
from jaxthermo.brownian.response.transform import transforms
from jaxthermo.brownian.response.weyl import of_symbol, pair_of
from jaxthermo.papers import kramers_turnover

TS = np.linspace(0.0, 8.0, 9)
PAIRS = (("q", "q"), ("q", "p"), ("p", "q"), ("p", "p"))
COARSE_GRID = jt.PhaseGrid(6.3, 0.45, 6.3, 0.45)


def ohmic(strength, poles, beta):
    """Drift and covariance of q, p - zeta and the noises zeta_k, with hbar = m = w = 1; where p is read, and kicked."""
    xi, eta = exact.pade(poles)
    friction, size = strength**2, 2 + poles
    drift = np.diag([0.0, -friction, *(-xi / beta)])
    drift[0, 1:] = 1.0
    drift[1, 0], drift[1, 2:] = -1.0, -friction
    noise = np.diag([0.0, 2.0 * friction / beta, *(4.0 * friction * eta / beta)])
    return drift, noise, np.append(0.0, np.ones(size - 1))


def drude(strength, cutoff, poles, beta):
    """The same with the force -w_D (chi - zeta): q, p - chi, chi and the zeta_k."""
    xi, eta = exact.pade(poles)
    friction, zetas = strength**2, 3 + np.arange(poles)
    drift = np.diag([0.0, -friction, friction - cutoff, *(-xi / beta)])
    drift[0, 1] = drift[0, 2] = 1.0
    drift[1, 0], drift[1, 2] = -1.0, -friction
    drift[2, 1], drift[2, zetas] = friction, cutoff
    noise = np.diag([0.0, 0.0, 0.0, *(4.0 * friction * eta / beta)])
    noise[1:3, 1:3] = 2.0 * friction / beta * np.array([[1.0, -1.0], [-1.0, 1.0]])
    return drift, noise, np.concatenate([[0.0, 1.0, 1.0], np.zeros(poles)])


def closed(system, pair, ts):
    """Symmetrised and response function of two of q and p by scipy."""
    drift, noise, momentum = system
    covariance = scipy.linalg.solve_continuous_lyapunov(drift, -noise)
    unit = np.eye(len(drift))
    read, kick = {"q": unit[0], "p": momentum}, {"q": unit[1], "p": -unit[0]}
    flow = np.stack([scipy.linalg.expm(drift * t) for t in ts])
    return flow @ covariance @ read[pair[1]] @ read[pair[0]], flow @ kick[pair[1]] @ read[pair[0]]


@pytest.mark.parametrize("temperature", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("pair", PAIRS)
def test_a_parabola_has_the_functions_of_its_closed_moments(pair, temperature):
    baths = [
        (1.0, ohmic(1.0, 2, 1.0 / temperature)),
        (jt.DrudeBath(0.8, 4.0, 2), drude(0.8, 4.0, 2, 1.0 / temperature)),
    ]
    for bath, system in baths:
        found = jt.correlation(jt.quantum_oscillator(systems.HARMONIC, bath, 2), 1.0 / temperature, 0.3, TS, pair)
        symmetrised, response = closed(system, pair, TS)
        np.testing.assert_allclose(found.symmetrised, symmetrised, rtol=0.0, atol=1e-11)
        np.testing.assert_allclose(found.response, response, rtol=0.0, atol=1e-11)
        assert found.ok
        assert found.mean_a == pytest.approx(0.3 if pair[0] == "q" else 0.0)


def parabola(strength, poles, grid):
    """A parabola that is not known to be one, so that the hierarchy is propagated."""
    return jt.quantum_oscillator(lambda q: 0.5 * q**2, strength, poles, 1, grid)


@pytest.mark.parametrize("pair", [("p", "q"), pytest.param(("q", "p"), marks=pytest.mark.slow)])
def test_the_hierarchy_gives_the_closed_moments_of_a_parabola(pair):
    found = jt.correlation(parabola(1.0, 1, systems.RAMP_GRID), 1.0, 0.3, TS, pair)
    symmetrised, response = closed(ohmic(1.0, 1, 1.0), pair, TS)
    assert found.stats["steps"] > 0
    np.testing.assert_allclose(found.symmetrised, symmetrised, rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(found.response, response, rtol=0.0, atol=1e-8)


@pytest.mark.slow
def test_the_hierarchy_of_a_drude_bath_does_so():
    grid = jt.PhaseGrid(7.2, 0.45, 9.0, 0.45)
    model = jt.quantum_oscillator(lambda q: 0.5 * q**2, jt.DrudeBath(1.0, 5.0, 1, 2), grid=grid)
    found = jt.correlation(model, 1.0, 0.0, TS[:4])
    symmetrised, response = closed(drude(1.0, 5.0, 1, 1.0), ("q", "q"), TS[:4])
    np.testing.assert_allclose(found.symmetrised, symmetrised, rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(found.response, response, rtol=0.0, atol=1e-8)


def squeeze(q, p):
    """The Weyl symbol of (q p + p q)/2."""
    return q * p


def test_functions_of_q_and_p_have_the_products_of_gaussian_moments():
    """With c_ab = <a(t) b> of the closed moments, <(qp)(t) p^2> is 2 c_qp c_pp but for its means; <(qp)(t) q> = 0."""
    oscillator = jt.quantum_oscillator(lambda q: 0.5 * q**2, 1.0, 1, 4, systems.RAMP_GRID)
    found = jt.correlation(oscillator, 1.0, 0.0, TS[:4], (squeeze, lambda q, p: p**2 + q))
    both = [closed(ohmic(1.0, 1, 1.0), pair, TS[:4]) for pair in (("q", "p"), ("p", "p"))]
    q_p, p_p = (symmetrised - 0.5j * response for symmetrised, response in both)
    np.testing.assert_allclose(found.symmetrised, (2.0 * q_p * p_p).real, rtol=0.0, atol=3e-7)
    np.testing.assert_allclose(found.response, -2.0 * (2.0 * q_p * p_p).imag, rtol=0.0, atol=3e-7)
    assert found.mean_a == pytest.approx(0.0, abs=1e-9) and found.mean_b == pytest.approx(p_p[0].real, abs=1e-7)


SYMBOLS = {(3, 1): lambda q, p: q**3 * p, (2, 4): lambda q, p: q**2 * p**4}


def test_symbols_act_as_their_operators_do():
    """On a coherent state, against Weyl-ordered matrices among number states, hbar = 0.7."""
    hbar, size = 0.7, 60
    ladder = np.diag(np.sqrt(np.arange(1.0, size)), 1)
    q, p = np.sqrt(0.5 * hbar) * (ladder + ladder.T), 1j * np.sqrt(0.5 * hbar) * (ladder.T - ladder)
    alpha = (0.6 + 0.4j) / np.sqrt(2.0 * hbar)
    psi = scipy.linalg.expm(alpha * ladder.T - alpha.conjugate() * ladder)[:, 0]
    rho = np.outer(psi, psi.conj())[:40, :40]
    grid = jt.PhaseGrid(6.0, 0.24, 6.0, 0.24)
    equation = equation_on(jt.quantum_oscillator(systems.HARMONIC, 0.1, 0, 0, grid, hbar=hbar))
    W = np.exp(-((grid.q - 0.6)[None] ** 2 + (grid.p - 0.4)[:, None] ** 2) / hbar) / (np.pi * hbar)
    V, one = jnp.asarray(W)[:, None, :], jnp.ones(())

    def power(matrix, n):
        return np.linalg.matrix_power(matrix, n)

    def ordered(n, k):
        parts = [comb(k, j) * power(p, j) @ power(q, n) @ power(p, k - j) for j in range(k + 1)]
        return (sum(parts) / 2.0**k)[:40, :40]

    seen = of_symbol("f", lambda q, p: q * p + 0.5 * p**2 + q)
    read = ordered(1, 1) + 0.5 * ordered(0, 2) + ordered(1, 0)
    for (n, k), symbol in SYMBOLS.items():
        B, operator = of_symbol("f", symbol), ordered(n, k)
        assert len(B.parts) == k + 1 and B.parts[0] is None
        wanted = np.trace(read @ (operator @ rho + rho @ operator)) / 2.0
        assert seen.mean(B.symmetrised(V, equation, one), equation, one) == pytest.approx(wanted.real, rel=1e-7)
        wanted = 1j / hbar * np.trace(read @ (operator @ rho - rho @ operator))
        assert seen.mean(B.after_impulse(V, equation, one), equation, one) == pytest.approx(wanted.real, rel=1e-7)


def test_moments_of_fourth_order_do_not_close_in_a_shallow_hierarchy():
    """In a parabola <q^2(t) q^2> is 2 c_qq^2 but for its mean: one level is enough for <q(t) q>, and not for that."""
    oscillator = jt.quantum_oscillator(systems.HARMONIC, 1.0, 1, 1, systems.RAMP_GRID)
    with pytest.warns(JaxthermoWarning, match="hierarchy too shallow"):
        found = jt.correlation(oscillator, 1.0, 0.0, TS[:3], (lambda q: q**2, lambda q: q**2))
    symmetrised, response = closed(ohmic(1.0, 1, 1.0), ("q", "q"), TS[:3])
    wanted = 2.0 * (symmetrised**2 - 0.25 * response**2)
    assert 1e-4 < np.max(np.abs(found.symmetrised - wanted)) < 0.5


def test_symbols_that_cannot_be_taken_are_named():
    model = jt.quantum_oscillator(systems.HARMONIC, 1.0, 1, 1, COARSE_GRID)
    with pytest.raises(ValueError, match="`observables` must be polynomials in p"):
        jt.correlation(model, 1.0, 0.0, TS, (lambda q, p: jnp.cos(p) * q, "q"))
    with pytest.raises(ValueError, match="even or odd in p"):
        jt.spectrum(model, 1.0, 0.0, [1.0], (lambda q, p: q + p, "q"))


class WithoutFlows(jt.OhmicBath):
    def flows(self):
        return None


@pytest.mark.slow
def test_a_bath_without_split_flows_takes_explicit_steps():
    model = jt.quantum_oscillator(lambda q: 0.5 * q**2, WithoutFlows(1.0, 1, 1), grid=jt.PhaseGrid(5.4, 0.6, 6.4, 0.6))
    found = jt.correlation(model, 1.0, 0.0, TS[:3], tol=1e-6)
    symmetrised, response = closed(ohmic(1.0, 1, 1.0), ("q", "q"), TS[:3])
    np.testing.assert_allclose(found.symmetrised, symmetrised, rtol=0.0, atol=2e-4)
    np.testing.assert_allclose(found.response, response, rtol=0.0, atol=2e-5)


def by_levels(beta, x, levels, depth, ts):
    """The functions of q in the quartic well, one pole, among the levels of H_A: numpy, and an explicit integrator."""
    xi, eta = exact.pade(1)
    well = hierarchy.Well((0.0, 0.0, 0.1, 0.02, 0.05), 1.0, (tuple(xi), tuple(eta)))
    model = hierarchy.Hierarchy(well, hierarchy.basis(well, x, levels), depth, np.ones(1))
    state, _ = model.stationary(beta)
    q, mean = model.at.q, float(np.sum(state[0] * model.at.q))
    turned = np.swapaxes(state, 1, 2)
    # (q rho + rho q)/2 - <q> rho and (i/hbar) [q, rho], of matrices that hold S + A for S + iA.
    begins = 0.5 * (q @ state + state @ q) - mean * state, q @ turned - turned @ q

    def rates(t, flat):
        return model.rates(flat.reshape(state.shape), beta, 0.0).ravel()

    runs = (solve_ivp(rates, (0.0, ts[-1]), begin.ravel(), "DOP853", ts, rtol=1e-9, atol=1e-11).y.T for begin in begins)
    return [np.array([np.sum(flat.reshape(state.shape)[0] * q) for flat in run]) for run in runs]


def test_a_quartic_well_agrees_with_a_hierarchy_among_its_levels():
    beta, x, ts = 1.0, 0.5, np.array([0.0, 1.0, 2.0, 4.0])
    found = jt.correlation(jt.quantum_oscillator(systems.QUARTIC, 1.0, 1, 3), beta, x, ts)
    symmetrised, response = by_levels(beta, x, 22, 3, ts)
    assert found.ok
    np.testing.assert_allclose(found.symmetrised, symmetrised, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(found.response, response, rtol=0.0, atol=1e-6)


def test_classical_response_is_the_slope_of_the_fluctuations():
    beta, model = 1.3, jt.classical_oscillator(systems.QUARTIC, 1.0, jt.PhaseGrid(5.6, 0.2, 6.8, 0.4))
    response = jt.correlation(model, beta, 0.5, TS).response
    # d<q(t) q>/dt = <p(t) q>/m.
    slope = jt.correlation(model, beta, 0.5, TS, ("p", "q")).symmetrised
    np.testing.assert_allclose(response, -beta * slope, rtol=0.0, atol=1e-7)
    assert np.ptp(response) > 0.5


@pytest.mark.slow
def test_commutators_and_variances_stand_at_time_0():
    model = jt.quantum_oscillator(systems.QUARTIC, 1.0, 1, 3, jt.PhaseGrid(6.0, 0.25, 8.4, 0.4))
    state = jt.equilibrium(model, 1.0, 0.5)
    pairs = [(lambda q: q**2, "p"), ("p", lambda q: q**2), ("p", "p")]
    now = [jt.correlation(model, 1.0, 0.5, [0.0], pair) for pair in pairs]
    # (i/hbar) [q^2, p] = -2 q.
    assert float(now[0].response[0]) == pytest.approx(-2.0 * float(state.q), abs=1e-8)
    assert float(now[1].response[0]) == pytest.approx(2.0 * float(state.q), abs=1e-8)
    assert float(now[2].symmetrised[0]) == pytest.approx(float(state.p2), abs=1e-8)
    assert float(now[0].mean_a) == pytest.approx(float(state.q2), abs=1e-10)


@pytest.mark.parametrize("mode", [jax.jacfwd, pytest.param(jax.jacrev, marks=pytest.mark.slow)])
def test_derivatives_are_those_of_the_functions(mode):
    def late(strength):
        found = jt.correlation(parabola(strength, 1, COARSE_GRID), 1.0, 0.0, TS[:3], tol=1e-7)
        return jnp.stack([found.symmetrised[-1], found.response[-1]])

    step = 1e-4
    slope = (late(1.0 + step) - late(1.0 - step)) / (2.0 * step)
    np.testing.assert_allclose(jax.jit(mode(late))(1.0), slope, rtol=0.0, atol=2e-6)


@pytest.mark.slow
def test_lanes_are_those_of_single_calls():
    model, ts = parabola(1.0, 1, COARSE_GRID), TS[:3]

    def found(beta, x):
        run = jt.correlation(model, beta, x, ts, tol=1e-7)
        return run.response, run.status

    lanes, status = jax.vmap(found)(jnp.asarray([1.0, 1.0, -1.0, 1.0]), jnp.asarray([0.0, 0.2, 0.0, np.nan]))
    assert [jt.Status(int(one)).word for one in status[2:]] == ["invalid input", "invalid input"]
    for lane in lanes[:2]:
        np.testing.assert_allclose(lane, jt.correlation(model, 1.0, 0.0, ts).response, rtol=0.0, atol=1e-5)


FREQUENCIES = np.array([0.0, 0.5, 1.0, 3.0])


@pytest.mark.parametrize("temperature", [0.1, 5.0])
def test_the_susceptibility_of_a_parabola_is_known_and_its_spectrum_keeps_the_theorem(temperature):
    w = FREQUENCIES[1:]
    found = jt.spectrum(jt.quantum_oscillator(systems.HARMONIC, 0.8, 2), 1.0 / temperature, 0.3, w)
    xi, eta = exact.pade(2)
    u = w / temperature
    # coth with the two poles that the bath has.
    coth = 2.0 / u * (1.0 + sum(2.0 * e * u**2 / (u**2 + a**2) for a, e in zip(xi, eta, strict=True)))
    np.testing.assert_allclose(found.response, 1.0 / (1.0 - w**2 - 0.64j * w), rtol=1e-12)
    np.testing.assert_allclose(found.symmetrised, coth * np.imag(found.response), rtol=1e-10)
    crossed = jt.spectrum(jt.quantum_oscillator(systems.HARMONIC, 0.8, 2), 1.0 / temperature, 0.3, w, ("p", "q"))
    # p = m dq/dt turns C(t) into its derivative, and int exp(i w t) of that into -i w S.
    np.testing.assert_allclose(crossed.symmetrised, -w * found.symmetrised, rtol=1e-10)


@pytest.mark.slow
def test_the_resolvent_of_the_hierarchy_gives_the_closed_spectrum_of_a_parabola():
    found = jt.spectrum(parabola(1.0, 1, systems.RAMP_GRID), 1.0, 0.3, FREQUENCIES)
    closed = jt.spectrum(jt.quantum_oscillator(systems.HARMONIC, 1.0, 1), 1.0, 0.3, FREQUENCIES)
    assert found.error > 0.0
    np.testing.assert_allclose(found.symmetrised, closed.symmetrised, rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(found.response, closed.response, rtol=0.0, atol=1e-8)


def test_a_classical_spectrum_keeps_the_theorem_and_is_the_transform_of_the_correlation():
    model = jt.classical_oscillator(systems.QUARTIC, 1.0, jt.PhaseGrid(5.6, 0.2, 6.8, 0.4))
    transformed = jt.correlation(model, 1.3, 0.5, 0.15 * np.arange(240), tol=1e-7).spectrum()
    some = np.array([0, 14])
    found = jt.spectrum(model, 1.3, 0.5, transformed.frequency[some])
    assert found.ok and transformed.ok
    np.testing.assert_allclose(found.imbalance, 0.0, atol=1e-7)
    np.testing.assert_allclose(transformed.symmetrised[some], found.symmetrised, rtol=0.0, atol=5e-6)
    np.testing.assert_allclose(transformed.response[some], found.response, rtol=0.0, atol=5e-6)


@pytest.mark.parametrize("pair", [("q", "q"), ("q", "p")])
def test_the_transform_of_a_correlation_is_the_spectrum(pair):
    model = jt.quantum_oscillator(systems.HARMONIC, 0.8, 2)
    found = jt.correlation(model, 1.0, 0.3, np.linspace(0.0, 60.0, 601), pair).spectrum()
    exact = jt.spectrum(model, 1.0, 0.3, found.frequency, pair)
    assert found.ok
    for name in ("symmetrised", "response"):
        true = np.asarray(getattr(exact, name))
        assert np.abs(getattr(found, name) - true).max() < float(found.error) * np.abs(true).max(), name


def test_a_transform_tells_of_too_few_and_too_early_times_and_refuses_others():
    model = jt.quantum_oscillator(systems.HARMONIC, 0.8, 2)

    def correlation(ts):
        return jt.correlation(model, 1.0, 0.3, ts)

    for (end, count), status in (((60.0, 40), "time step too long"), ((9.0, 99), "not converged")):
        with pytest.warns(JaxthermoWarning, match=status):
            assert correlation(np.linspace(0.0, end, count)).spectrum().outcome == status
    for ts, words in ((np.linspace(0.0, 9.0, 9), "20 times"), (1.0 + np.arange(30.0), "begin at 0")):
        with pytest.raises(ValueError, match=words):
            correlation(ts).spectrum()
    with pytest.raises(ValueError, match="evenly spaced"):
        correlation(np.arange(30.0) ** 1.1).spectrum()


def test_a_transform_of_one_time_in_a_turn_is_told():
    """There the functions look as if they only decayed, and their differences are small."""
    model, friction = jt.classical_oscillator(systems.HARMONIC, 0.15), 0.15**2
    turn = 2.0 * np.pi / np.sqrt(1.0 - 0.25 * friction**2)
    found = jt.correlation(model, 1.0, 0.0, 1.005 * turn * np.arange(300))
    assert float(found.pace) == pytest.approx(1.0)
    assert transforms(found.time, jnp.stack([found.symmetrised, found.response]), True).rule < 1e-5
    with pytest.warns(JaxthermoWarning, match="time step too long"):
        found.spectrum()


def test_a_transform_has_lanes_and_derivatives():
    ts = np.linspace(0.0, 60.0, 601)
    runs = [jt.correlation(jt.quantum_oscillator(systems.HARMONIC, one, 1), 1.0, 0.0, ts) for one in (0.7, 0.9)]

    def power(run):
        return run.spectrum().symmetrised

    lanes = jax.jit(jax.vmap(power))(jax.tree.map(lambda *leaves: jnp.stack(jnp.asarray(leaves)), *runs))
    np.testing.assert_allclose(lanes, [power(run) for run in runs], rtol=1e-12)

    def larger(factor):
        return power(eqx.tree_at(lambda run: run.symmetrised, runs[0], factor * runs[0].symmetrised))[9]

    for derivative in (jax.grad, jax.jacfwd):
        assert float(derivative(larger)(2.0)) == pytest.approx(float(larger(1.0)), rel=1e-12)


@pytest.mark.slow
def test_the_spectrum_has_derivatives_in_both_modes():
    def power(strength, frequency=1.0):
        return jt.spectrum(parabola(strength, 1, COARSE_GRID), 1.0, 0.0, [frequency]).symmetrised[0]

    step = 1e-4
    slope = float(power(1.0 + step) - power(1.0 - step)) / (2.0 * step)
    assert float(jax.jit(jax.grad(power))(1.0)) == pytest.approx(slope, abs=1e-4)
    assert float(jax.jit(jax.jacfwd(power))(1.0)) == pytest.approx(slope, abs=1e-4)


@pytest.mark.parametrize("frequencies", [1.0, [], [np.nan]])
def test_impossible_frequencies_are_named(frequencies):
    with pytest.raises(ValueError, match="`frequencies`"):
        jt.spectrum(jt.quantum_oscillator(systems.HARMONIC, 1.0), 1.0, 0.0, frequencies)


def test_the_modes_of_a_parabola_are_sums_of_its_damped_frequencies():
    for strength in (0.4, 1.0):
        rate, frequency = 0.5 * strength**2, np.sqrt(1.0 - 0.25 * strength**4)
        closed = jt.relaxation_rates(jt.classical_oscillator(systems.HARMONIC, strength), 1.0, 0.3, 4)
        np.testing.assert_allclose(closed.rate, rate * np.array([1.0, 1.0, 2.0, 2.0]), rtol=1e-9)
        np.testing.assert_allclose(closed.frequency, frequency * np.array([1.0, -1.0, 2.0, 0.0]), atol=1e-9)
        model = jt.classical_oscillator(lambda q: 0.5 * q**2, strength, systems.RAMP_GRID)
        found = jt.relaxation_rates(model, 1.0, 0.3, 4)
        np.testing.assert_allclose(found.rate, closed.rate, rtol=0.0, atol=1e-8)
        np.testing.assert_allclose(found.frequency, closed.frequency, rtol=0.0, atol=1e-8)
        assert found.ok
        assert found.stats["steps"] > 0
    # Which modes are slow does not depend on the unit of time.
    slow = _slowest_sums(1e-12 * np.array([-0.5 + 0.8j, -0.5 - 0.8j]), 4)
    np.testing.assert_allclose(slow.real, 1e-12 * np.array([-0.5, -0.5, -1.0, -1.0]), rtol=1e-9)


def test_an_energy_is_a_symbol_in_any_units():
    """A particle of mass 1e-26 kg at 300 K: at q = 1 m and p = 1 kg m/s one of the terms would be all."""
    mass, frequency, hbar, beta = 1e-26, 1e13, 1.05e-34, 2.4e20
    well = jt.Polynomial([0.0, 0.0, 0.5 * mass * frequency**2])
    particle = jt.quantum_oscillator(well, (mass * frequency) ** 0.5, 1, 2, mass=mass, hbar=hbar)

    def energy(q, p):
        return p**2 / (2.0 * mass) + 0.5 * mass * (frequency * q) ** 2

    (seen, _) = pair_of((energy, "q"), particle, jnp.asarray(beta), jnp.zeros(()))
    assert [part is not None for part in seen.parts] == [True, False, True]


def by_boltzmann_and_flux(height, friction, beta):
    """Twice the rate of escape over a barrier by Kramers, Grote and Hynes, in height (q^2 - 1)^2."""
    top, bottom = 2.0 * np.sqrt(height), np.sqrt(8.0 * height)
    share = np.sqrt(1.0 + (0.5 * friction / top) ** 2) - 0.5 * friction / top
    return 2.0 * share * bottom / (2.0 * np.pi) * np.exp(-beta * height)


@pytest.mark.slow
def test_escape_from_a_well_tends_to_kramers_rate_as_the_barrier_grows():
    height, friction, ratios = 1.0, 2.25, []
    well = jt.Polynomial([height, 0.0, -2.0 * height, 0.0, height])
    for beta in (6.0, 12.0):
        found = jt.relaxation_rates(jt.classical_oscillator(well, friction**0.5), beta, 0.0, 1)
        assert found.ok
        assert found.frequency[0] == pytest.approx(0.0, abs=1e-6)
        ratios.append(float(found.rate[0]) / by_boltzmann_and_flux(height, friction, beta))
    # The first correction is of order 1/(beta height), the next one its square.
    assert 0.9 < ratios[0] < ratios[1] < 1.0
    assert 1.5 < (1.0 - ratios[0]) / (1.0 - ratios[1]) < 2.6


def test_the_formula_of_the_turnover_has_both_limits():
    """Strong friction keeps the wells in equilibrium; at weak friction half of those that gain the energy cross."""
    friction, beta = np.array([1e-7, 100.0]), 5.0
    found, by_flux = kramers_turnover.by_energy_loss(friction, beta), by_boltzmann_and_flux(1.0, friction, beta)
    np.testing.assert_allclose(kramers_turnover.by_flux(friction, beta), by_flux, rtol=1e-12)
    # Twice the integral of p along one well, at the energy of the barrier.
    action = 2.0 * quad(lambda q: q * np.sqrt(2.0 * (2.0 - q**2)), 0.0, np.sqrt(2.0))[0]
    np.testing.assert_allclose(found / by_flux, [0.5 * beta * action * 1e-7, 1.0], rtol=1e-3)


def test_rates_whose_first_runs_see_other_modes():
    # By the generator among 26 to 38 levels (tests/audit/resonances.py). The frequency was off by 3e-6 beside an error
    # of 5e-8: the coarsest runs, which had other modes, were extrapolated too.
    model = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.15322927, 0.03578901, 0.02383574]), 0.26430074, 0)
    found = jt.relaxation_rates(model, 0.70314231, -0.3477956)
    assert bool(found.ok) and np.all(np.asarray(found.error) < 1e-8)
    np.testing.assert_allclose(found.rate, [0.08494147, 0.1085891], atol=2e-8)
    np.testing.assert_allclose(found.frequency, [0.0, 0.78824092], atol=2e-8)


def test_a_slow_mode_agrees_with_the_decay_of_the_correlation():
    well, grid = jt.Polynomial([0.5, 0.0, -1.0, 0.0, 0.5]), jt.PhaseGrid(3.3, 0.15, 5.6, 0.4)
    model = jt.classical_oscillator(well, 1.2, grid)
    found = jt.relaxation_rates(model, 2.0, 0.0, 1)
    late = jt.correlation(model, 2.0, 0.0, [20.0, 30.0], tol=1e-8).symmetrised
    assert float(found.rate[0]) == pytest.approx(float(jnp.log(late[0] / late[1])) / 10.0, rel=1e-5)


def test_rates_have_no_derivatives():
    def rate(strength):
        return jt.relaxation_rates(parabola(strength, 1, COARSE_GRID), 1.0, 0.0, 1).rate[0]

    with pytest.raises(NotImplementedError, match="`relaxation_rates` has no derivatives"):
        jax.grad(rate)(1.0)


@pytest.mark.parametrize("count", [0, 11])
def test_an_impossible_number_of_modes_is_named(count):
    with pytest.raises(ValueError, match="`count`"):
        jt.relaxation_rates(jt.quantum_oscillator(systems.HARMONIC, 1.0), 1.0, 0.0, count)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"beta": -1.0}, "`beta`"),
        ({"x": np.nan}, "`x`"),
        ({"ts": [1.0, 0.5]}, "`ts`"),
        ({"ts": [-1.0, 0.5]}, "`ts`"),
        ({"observables": ("q",)}, "`observables`"),
        ({"observables": ("q", "r")}, "`observables`"),
        ({"oscillator": jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, -0.5]), 1.0)}, "`potential`"),
    ],
)
def test_impossible_arguments_are_named(changed, message):
    model = jt.quantum_oscillator(systems.HARMONIC, 1.0)
    arguments = {"oscillator": model, "beta": 1.0, "x": 0.0, "ts": [0.0, 1.0], "observables": ("q", "q"), **changed}
    with pytest.raises(ValueError, match=message):
        jt.correlation(**arguments)
