"""The vector field, its thermodynamics and what is known of it in closed form."""

import itertools

import hypothesis.extra.numpy as npst
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import jaxthermo as jt

RATES = [jt.potts.Arrhenius(), jt.potts.LoadSharing(0.3), jt.potts.Glauber(), jt.potts.Metropolis()]


def dense_field(P, q, u, f, beta, prefactor, energies):
    """The same master equation written bond by bond in plain Python, as an independent second method."""
    rate = np.zeros(q)
    for i in range(q):
        j = (i + 1) % q
        change = energies[j] - energies[i] + u * (P[j] - P[i])
        current = prefactor * (np.exp(-beta / 2 * (change - f)) * P[i] - np.exp(beta / 2 * (change - f)) * P[j])
        rate[i] -= current
        rate[j] += current
    return rate


@pytest.mark.parametrize("q", [2, 3, 5, 12])
def test_vector_field_agrees_with_a_bond_by_bond_sum(q):
    rng = np.random.default_rng(q)
    P, energies = rng.dirichlet(np.ones(q)), rng.normal(size=q)
    ring = jt.PottsRing(q, -1.3, 0.7, 0.4, energies)
    found = jt.potts.vector_field(0.0, jnp.asarray(P), ring, 1.9)
    np.testing.assert_allclose(found, dense_field(P, q, -1.3, 0.7, 1.9, 0.4, energies), rtol=1e-13, atol=1e-15)


def test_two_states_have_two_bonds():
    """With one bond between its two states, q = 2 would do half the work of Eq. (10), or none."""
    ring = jt.PottsRing(2, -1.0, 0.8, 0.3)
    work = jt.potts.thermodynamics(0.0, jnp.array([0.5, 0.5]), ring, 1.1).work_current
    np.testing.assert_allclose(work, 2 * 0.3 * 0.8 * np.sinh(0.5 * 1.1 * 0.8), rtol=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    weights=npst.arrays(float, 4, elements=st.floats(1e-6, 1.0)),
    u=st.floats(-2, 2),
    f=st.floats(-2, 2),
    beta=st.floats(0, 4),
    rates=st.sampled_from(RATES),
)
def test_laws_hold_at_any_state(weights, u, f, beta, rates):
    P = jnp.asarray(weights / weights.sum())
    ring = jt.PottsRing(4, u, f, 0.5, [0.1, -0.2, 0.4, 0.0], rates)
    velocity = jt.potts.vector_field(0.0, P, ring, beta)
    flow = jt.potts.thermodynamics(0.0, P, ring, beta)
    scale = 1.0 + float(jnp.max(jnp.abs(velocity))) + abs(float(flow.work_current))
    _, energy_rate = jax.jvp(lambda P: jt.potts.energy(P, ring), (P,), (velocity,))
    assert abs(float(jnp.sum(velocity))) < 1e-14 * scale
    assert abs(float(energy_rate - flow.work_current - flow.heat_current)) < 1e-13 * scale
    assert float(flow.entropy_production_rate) >= 0.0


def test_empty_states_have_finite_entropy_and_gradient():
    P = jnp.array([1.0, 0.0, 0.0])
    ring = jt.PottsRing(3, -1.0, 1.0)
    assert float(jt.potts.entropy(P)) == 0.0
    assert np.all(np.isfinite(jax.grad(jt.potts.entropy)(P)))
    production = jt.potts.thermodynamics(0.0, P, ring, 1.0).entropy_production_rate
    assert np.isfinite(production) and production > 100.0


@pytest.mark.parametrize("rates", RATES, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("q", [2, 3, 6])
def test_spectrum_of_any_rates_is_that_of_the_jacobian(rates, q):
    ring = jt.PottsRing(q, -1.0, 0.9, 0.4, rates=rates)
    uniform = jnp.full(q, 1.0 / q)
    jacobian = jax.jacfwd(jt.potts.vector_field, argnums=1)(0.0, uniform, ring, 1.7)
    exact = np.linalg.eigvals(np.asarray(jacobian))
    for value in np.asarray(jt.potts.spectrum(ring, 1.7)):
        assert np.min(np.abs(exact - value)) < 1e-13


@pytest.mark.parametrize("rates", RATES, ids=lambda r: type(r).__name__)
def test_all_modes_lose_stability_at_the_critical_beta(rates):
    ring = jt.PottsRing(5, -1.0, 0.05, rates=rates)
    beta = float(jt.potts.critical_beta(ring))
    assert np.isfinite(beta)
    assert np.max(np.abs(jt.potts.spectrum(ring, beta).real[1:])) < 1e-12
    assert np.all(jt.potts.spectrum(ring, 0.99 * beta).real[1:] < 0)
    assert np.all(jt.potts.spectrum(ring, 1.01 * beta).real[1:] > 0)


def test_repulsive_rings_have_no_critical_beta():
    assert float(jt.potts.critical_beta(jt.PottsRing(4, 0.5, 1.0))) == np.inf
    assert float(jt.potts.critical_beta(jt.PottsRing(4, 0.0, 1.0))) == np.inf


def test_strong_driving_keeps_a_glauber_ring_uniform():
    """Its threshold is beta |u| / cosh^2(beta f/2) = q, which has no root once q f > 0.9 |u|."""
    assert float(jt.potts.critical_beta(jt.PottsRing(5, -1.0, 0.4, rates=jt.potts.Glauber()))) == np.inf


def test_critical_beta_is_differentiable():
    slope = jax.grad(lambda u: jt.potts.critical_beta(jt.PottsRing(5, u, 1.0)))(-2.0)
    np.testing.assert_allclose(slope, 5 / 4, rtol=1e-12)


@pytest.fixture(scope="module")
def driven():
    ring = jt.PottsRing(3, -1.0, lambda t: 1.0 + 0.5 * jnp.cos(0.7 * t), 0.3)
    return jt.potts.evolve(ring, lambda t: 2.5 + jnp.sin(t), None, np.linspace(0.0, 30.0, 301))


def test_evolve_labels_its_result(driven):
    data = driven.to_dataset()
    assert {"time", "state", "reservoir", "edge"} == set(data.dims) and data.attrs["status"] == "ok"
    assert all(data[name].attrs["units"] for name in data.data_vars)
    np.testing.assert_allclose(driven.beta[:, 0], 2.5 + np.sin(driven.time), rtol=1e-14)
    np.testing.assert_allclose(driven.forces[:, 2], 1.0 + 0.5 * np.cos(0.7 * driven.time), rtol=1e-14)


def test_evolve_integrates_its_currents(driven):
    """Spline quadrature of the currents is a second method for the cumulated work, heat and entropy production."""
    from scipy.interpolate import CubicSpline

    late = np.asarray(driven.time) >= 5.0
    for current, total in ((driven.work_current, driven.work), (driven.heat_current, driven.heat)):
        expected = CubicSpline(driven.time[late], current[late]).integrate(5.0, 30.0)
        np.testing.assert_allclose(total[-1] - total[late][0], expected, atol=1e-6)
    assert np.all(np.diff(driven.entropy_produced) >= 0)


@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
def test_evolve_reports_an_unfinished_solve_without_losing_the_start():
    start = [0.6, 0.3, 0.1]
    run = jt.potts.evolve(jt.PottsRing(3, -1.0, 1.0), 1.0, start, np.linspace(0.0, 50.0, 501), max_steps=40)
    assert run.outcome == "max steps reached"
    assert np.isfinite(run.work).sum() > 10 and np.isnan(run.work[-1])


GOOD = {"network": jt.PottsRing(3, -1.0, 1.0), "beta": 1.0, "p0": [0.5, 0.3, 0.2], "ts": [0.0, 1.0]}
BAD_EVOLVE = {
    "negative occupation": ({"p0": [1.2, -0.1, -0.1]}, "`p0` must not be negative"),
    "sum off 1": ({"p0": [0.5, 0.3, 0.3]}, "`p0` must sum to 1"),
    "wrong shape": ({"p0": [0.5, 0.5]}, "`p0` must have shape"),
    "NaN occupation": ({"p0": [np.nan, 0.5, 0.5]}, "`p0` must be finite"),
    "NaN beta": ({"beta": np.nan}, "`beta` must be finite"),
    "negative beta": ({"beta": -1.0}, "`beta` must be >= 0"),
    "beta of two": ({"beta": [1.0, 2.0]}, "`beta` must be a scalar"),
    "beta(t) that turns negative": ({"beta": lambda t: 0.5 - t}, "`beta` must be >= 0"),
    "times fall": ({"ts": [0.0, 2.0, 1.0]}, "`ts` must be strictly increasing"),
    "times repeat": ({"ts": [0.0, 1.0, 1.0]}, "`ts` must be strictly increasing"),
    "one time": ({"ts": [0.0]}, "`ts` must be one-dimensional with at least two"),
    "infinite time": ({"ts": [0.0, np.inf]}, "`ts` must be finite"),
    "tolerance below rounding": ({"rtol": 1e-17}, "`rtol` must be >="),
    "NaN coupling": ({"network": jt.PottsRing(3, np.nan, 1.0)}, "`coupling` must be finite"),
    "negative prefactor": ({"network": jt.PottsRing(3, -1.0, 1.0, -2.0)}, "`prefactor` must be > 0"),
}


@pytest.mark.parametrize("case", BAD_EVOLVE)
def test_evolve_names_the_bad_argument(case):
    change, message = BAD_EVOLVE[case]
    arguments = GOOD | change
    with pytest.raises(ValueError, match=message):
        jt.potts.evolve(**arguments)


BAD_RING = {
    "one state": ((1, -1.0, 1.0), {}, "`q` must be an integer >= 2"),
    "q a float": ((np.array(3.0), -1.0, 1.0), {}, "`q` must be an integer >= 2"),
    "q true": ((True, -1.0, 1.0), {}, "`q` must be an integer >= 2"),
    "coupling of two": ((3, np.array([1.0, 2.0]), 1.0), {}, "`coupling` must be a scalar"),
    "energies of two": ((3, -1.0, 1.0), {"energies": [0.0, 1.0]}, "`energies` must have shape"),
}


@pytest.mark.parametrize("case", BAD_RING)
def test_ring_names_the_bad_argument(case):
    arguments, more, message = BAD_RING[case]
    with pytest.raises(ValueError, match=message):
        jt.PottsRing(*arguments, **more)


def test_uniform_state_needs_flat_energies():
    ring = jt.PottsRing(3, -1.0, 1.0, energies=[0.0, 0.1, 0.0])
    for call in (lambda: jt.potts.spectrum(ring, 1.0), lambda: jt.potts.critical_beta(ring)):
        with pytest.raises(ValueError, match="`energies` must be flat"):
            call()


def test_single_precision_is_refused_with_the_line_that_mends_it():
    with jax.enable_x64(False), pytest.raises(ValueError, match=r'jax\.config\.update\("jax_enable_x64", True\)'):
        jt.potts.evolve(jt.PottsRing(3, -1.0, 1.0), 1.0, None, [0.0, 1.0])


def test_single_precision_works_where_it_suffices():
    with jax.enable_x64(False):
        run = jt.potts.evolve(jt.PottsRing(3, -1.0, 1.0), 1.0, None, [0.0, 1.0], rtol=1e-4, atol=1e-6)
    assert run.occupation.dtype == np.float32
    assert abs(float(run.occupation[-1].sum()) - 1.0) < 1e-5


def test_jitted_is_eager_past_16384_lanes():
    """The size at which some jax releases miscompiled vmapped reductions on the CPU."""
    q, lanes = 3, 20_000
    P = jax.random.dirichlet(jax.random.key(1), jnp.ones(q), (lanes,))
    ring = jt.PottsRing(q, -1.0, 1.0)
    vectorised = jax.vmap(lambda P: jt.potts.vector_field(0.0, P, ring, 2.0))
    np.testing.assert_allclose(jax.jit(vectorised)(P), vectorised(P), rtol=1e-12, atol=1e-14)


def test_one_trace_serves_a_sweep():
    traces = []

    @jax.jit
    def work(ring, beta):
        traces.append(1)
        return jt.potts.thermodynamics(0.0, jnp.full(3, 1 / 3), ring, beta).work_current

    for u, f, beta in itertools.product((-1.0, 0.5), (0.3, 1.0), (0.5, 2.0)):
        work(jt.PottsRing(3, u, f), jnp.asarray(beta))
    assert len(traces) == 1
