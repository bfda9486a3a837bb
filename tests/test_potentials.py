"""Quasi-static and non-equilibrium potentials against quadrature, closed moment equations and exact bounds."""

import dataclasses
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from systems import interrupted_at

import jaxthermo as jt
from jaxthermo import Status
from jaxthermo.brownian.bath import expansion
from jaxthermo.brownian.equilibria.quasistatic import partition_of
from jaxthermo.search import many_searches, process_potentials
from jaxthermo.thermo.potentials import from_planck

COEFFICIENTS = (0.0, 0.0, 0.1, 0.02, 0.05)
QUARTIC = jt.Polynomial(COEFFICIENTS)
HARMONIC = jt.Polynomial([0.0, 0.0, 0.5])
GRID = jt.PhaseGrid(5.6, 0.35, 10.2, 0.6)
CYCLE = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXTHERMO_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def engine():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
    run = jt.run_cycle(oscillator, CYCLE, points=2, steps=20, keep_states=True)
    return oscillator, run, jt.potentials(run, points=8, order=3, dt=0.2)


def _log_z(beta, x):
    def weight(q):
        return np.exp(-beta * (0.1 * q**2 + 0.02 * q**3 + 0.05 * q**4 - x * q))

    z = quad(weight, -15.0, 15.0, points=[-3.0, 0.0, 3.0], epsabs=1e-13, epsrel=1e-13, limit=200)[0]
    return np.log(z * np.sqrt(2.0 * np.pi / beta) / (2.0 * np.pi))


@pytest.mark.parametrize(("beta", "x"), [(0.05, 0.0), (1.0, 0.5), (3.0, -2.0), (20.0, 1.0)])
def test_classical_planck_potential_is_the_quadrature(beta, x):
    value = jt.planck_potential(jt.classical_oscillator(QUARTIC, 0.7), beta, x)
    assert abs(float(value) - _log_z(beta, x)) < 1e-11


def test_classical_derivatives_are_means_and_do_not_depend_on_the_grid():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
    slope = jax.jit(jax.grad(lambda b, x: jt.planck_potential(oscillator, b, x), argnums=(0, 1)))(0.8, 0.6)
    U, X, _ = partition_of(oscillator).means(0.8, 0.6)
    # At fixed x: dXi = -(U - x X) dbeta + beta X dx.
    assert np.allclose(slope, (-(U - 0.6 * X), 0.8 * X), rtol=1e-12)
    free = jt.planck_potential(jt.classical_oscillator(QUARTIC, 1.0), 0.8, 0.6)
    assert abs(float(jt.planck_potential(oscillator, 0.8, 0.6) - free)) < 1e-12


@pytest.mark.parametrize("beta", [1.0, 10.0])
def test_a_narrow_well_far_from_the_origin(beta):
    """300 and 950 of its widths away, where a mesh with steps of a hundredth of q saw three points of it, or none."""
    stiffness, place = 100.0, 30.0
    well = jt.Polynomial([0.5 * stiffness * place**2, -stiffness * place, 0.5 * stiffness])
    found = jt.planck_potential(jt.classical_oscillator(well, 1.0), beta, 0.0)
    assert float(found) == pytest.approx(-np.log(beta * np.sqrt(stiffness)), abs=1e-9)


def test_a_well_too_narrow_for_any_mesh_is_refused():
    well = jt.Polynomial([0.5e12, -1e12, 0.5e12])
    with pytest.raises(ValueError, match="`potential` must have its well nearer to q = 0"):
        jt.planck_potential(jt.classical_oscillator(well, 1.0), 1.0, 0.0)


def test_planck_potential_of_the_quantum_harmonic_oscillator_is_its_closed_form(own_cache):
    """U of the closed moment equations, integrated by another quadrature from infinite temperature."""
    xi, eta = expansion("pade", 2)

    def beyond_classical(beta):
        nu = xi / beta
        size = 1.0 + nu + nu**2
        return float(np.sum(eta * (2.0 + nu) / size)) / beta

    exact = np.log(1.0 / 1.3) + 0.5 * 1.3 * 0.3**2 - quad(beyond_classical, 0.0, 1.3, epsabs=1e-12)[0]
    oscillator = jt.quantum_oscillator(HARMONIC, 1.0, poles=2, depth=1)
    first = float(jt.planck_potential(oscillator, 1.3, 0.3))
    assert abs(first - exact) < 1e-7
    # The second call reads what the first has written; what is torn is computed again.
    assert float(jt.planck_potential(oscillator, 1.3, 0.3)) == first
    (stored,) = own_cache.glob("*.npz")
    stored.write_bytes(stored.read_bytes()[:100])
    assert float(jt.planck_potential(oscillator, 1.3, 0.3)) == first
    assert len(list(own_cache.glob("*"))) == 1


def test_quantum_needs_known_values():
    oscillator = jt.quantum_oscillator(HARMONIC, 1.0, poles=1, depth=1, grid=GRID)
    with pytest.raises(ValueError, match="quasi_static"):
        jax.jit(lambda b: jt.planck_potential(oscillator, b, 0.0))(1.0)
    with pytest.raises(ValueError, match="`beta`"):
        jt.planck_potential(oscillator, -1.0, 0.0)


def test_legendre_transforms_hold():
    p = from_planck(1.3, 0.7, 0.4, 2.0, 0.9)
    assert np.isclose(p.internal_energy, p.helmholtz + p.m_entropy / 0.7)
    assert np.isclose(p.enthalpy, p.gibbs + p.m_entropy / 0.7)
    assert np.isclose(p.gibbs, p.helmholtz - 0.4 * 0.9)
    assert np.isclose(p.p_entropy, p.planck + 0.7 * 2.0)


def test_bounds_hold_along_the_cycle_and_it_closes(engine):
    _, run, p = engine
    found = p.planck[p.searched]
    assert (p.search_status == Status.ok).all() and float(p.search_error.max()) < 1e-5
    assert p.ok and run.ok
    assert (found >= p.planck_lower - 1e-6).all()
    assert (found <= p.planck_upper + 1e-12).all()
    assert (p.planck_upper - p.planck_lower > 1e-3).any()
    for name in ("planck", "massieu", "m_entropy", "p_entropy", "helmholtz", "gibbs", "enthalpy"):
        series = getattr(p, name)
        assert abs(float(series[-1] - series[0])) < 1e-5, name
    # What the cycle produces is the heat it lets through: int beta dQ over it, whatever the search found.
    assert abs(float(p.entropy_produced[-1] - run.cumulative_work_int[-1])) < 1e-5


def test_entropy_production(engine):
    _, _, p = engine
    assert float(p.entropy_production_rate.min()) >= -1e-8
    exact = p.entropy_production_rate_exact
    assert (exact >= 0.0).all()
    average = np.average(p.entropy_production_rate)
    assert abs(average / exact[:-1].mean() - 1.0) < 0.1
    # Entropy that is produced is heat that leaves, so waste heat is counted as negative.
    assert (np.diff(p.waste_heat) <= 1e-8).all()


def test_waste_heat_is_the_integral_over_few_times(engine):
    """-int rate/beta dt with the schedule itself, though only the ends of each ramp are saved times."""
    _, run, p = engine
    t, rate = np.asarray(p.time), np.asarray(p.entropy_production_rate)
    pieces = [
        quad(lambda s, r=rate[i]: r / float(CYCLE.beta(s)), t[i], t[i + 1], epsabs=1e-10)[0] for i in range(len(t) - 1)
    ]
    assert len(t) < 25 and np.ptp(run.beta) > 0.4
    np.testing.assert_allclose(p.waste_heat, -np.concatenate([[0.0], np.cumsum(pieces)]), atol=1e-8)


def test_minimum_work_principles(engine):
    """W_ext >= -dPhi, W_int >= -dXi, Q_ext <= dLambda, Q_int <= dGamma, between any two searches."""
    _, run, p = engine
    for work, potential in (("work_ext", p.massieu), ("work_int", p.planck)):
        series = getattr(run, f"cumulative_{work}")
        assert (np.diff(series[p.searched]) + np.diff(potential[p.searched]) >= -1e-8).all(), work
    for heat, potential in (("heat_ext", p.m_entropy), ("heat_int", p.p_entropy)):
        series = getattr(run, f"cumulative_{heat}")
        assert (np.diff(potential[p.searched]) - np.diff(series[p.searched]) >= -1e-8).all(), heat


def test_a_cycle_may_stand_for_its_run_and_is_run_again_for_its_states(engine, monkeypatch):
    """README's `jt.potentials(cycle, engine)`, with a cycle and an oscillator."""
    oscillator, run, searched = engine
    asked = []
    monkeypatch.setattr(process_potentials, "run_cycle", lambda *_, **how: (asked.append(how), run)[1])
    again = jt.potentials(CYCLE, oscillator, points=1, order=3, dt=0.2)
    np.testing.assert_allclose(again.planck[0], searched.planck[0], atol=1e-9)
    process_potentials._with_states(dataclasses.replace(run, members=None), None, None)
    assert asked[1]["points"] == 2 and asked[1]["steps"] == 20


def test_an_interrupt_keeps_the_series_up_to_the_last_search(engine, monkeypatch):
    _, run, whole = engine
    # One thread, which takes state after state.
    monkeypatch.setattr(os, "cpu_count", lambda: 1)

    def interrupted(number):
        monkeypatch.setattr(many_searches, "_lanes", interrupted_at(number, lanes))
        with pytest.raises(KeyboardInterrupt) as caught:
            jt.potentials(run, points=8, order=3, dt=0.2)
        return caught.value

    lanes = many_searches._lanes
    kept = interrupted(4).result
    assert kept.status == Status.interrupted and kept.search.shape == (3,)
    reached = np.asarray(run.time) <= float(whole.search[2])
    for name in ("planck", "helmholtz", "entropy_produced", "entropy_production_rate", "waste_heat"):
        # The rate at the last search is that of the interval before, since none follows.
        there = reached & ((name != "entropy_production_rate") | (np.asarray(run.time) < float(whole.search[2])))
        np.testing.assert_allclose(getattr(kept, name)[there], getattr(whole, name)[there], atol=1e-9, err_msg=name)
        assert np.isnan(getattr(kept, name)[~reached]).all()
    np.testing.assert_array_equal(kept.planck_qst, whole.planck_qst)
    # One state alone has no interval.
    assert not isinstance(interrupted(2), jt.Interrupted)


def test_potentials_are_a_dataset(engine):
    _, _, p = engine
    data = p.to_dataset()
    assert data.m_entropy_qst.dims == ("time",) and data.planck_lower.dims == ("search",)
    assert data.enthalpy.attrs["units"] == "energy" and data.attrs["solves"] > 9


def test_runs_that_cannot_be_used_are_named(engine):
    _, run, _ = engine
    driven = object.__new__(jt.brownian.DrivenRun)
    object.__setattr__(driven, "members", None)
    with pytest.raises(ValueError, match="keep_states"):
        jt.potentials(driven)
    with pytest.raises(ValueError, match="`points`"):
        jt.potentials(run, points=0)
    lost = dataclasses.replace(run, status=jnp.asarray(int(Status.not_finite), jnp.int32))
    with pytest.raises(ValueError, match="`run` must have come to its end"):
        jt.potentials(lost)
