"""Quasi-static and non-equilibrium potentials against quadrature, closed moment equations and exact bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import jaxthermo as jt
from jaxthermo.brownian.bath import expansion
from jaxthermo.brownian.quasistatic import partition_of
from jaxthermo.search import along
from jaxthermo.thermo.potentials import from_planck

COEFFICIENTS = (0.0, 0.0, 0.1, 0.02, 0.05)
QUARTIC = jt.Polynomial(COEFFICIENTS)
HARMONIC = jt.Polynomial([0.0, 0.0, 0.5])
GRID = jt.PhaseGrid(5.6, 0.35, 10.5, 0.7)
CYCLE = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("JAXTHERMO_CACHE", str(tmp_path_factory.getbasetemp() / "planck"))


@pytest.fixture(scope="module")
def engine():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
    cycle = jt.run_cycle(oscillator, CYCLE, points=2, steps=12)
    return oscillator, cycle, jt.potentials(cycle, oscillator, points=8, dt=0.2)


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


def test_planck_potential_of_the_quantum_harmonic_oscillator_is_its_closed_form():
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
    # The second call reads what the first has written.
    assert float(jt.planck_potential(oscillator, 1.3, 0.3)) == first


def test_a_torn_cache_is_computed_again(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXTHERMO_CACHE", str(tmp_path))
    oscillator = jt.quantum_oscillator(HARMONIC, 0.6, poles=1, depth=1)
    first = float(jt.planck_potential(oscillator, 1.0, 0.0))
    (stored,) = tmp_path.glob("*.npz")
    stored.write_bytes(stored.read_bytes()[:100])
    assert float(jt.planck_potential(oscillator, 1.0, 0.0)) == first
    assert len(list(tmp_path.glob("*"))) == 1


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
    _, _, p = engine
    found = p.planck.values[p.searched.values]
    assert set(p.search_status.values) <= {0, 1} and float(p.search_error.max()) < 1e-5
    assert (found >= p.planck_lower.values - 1e-6).all()
    assert (found <= p.planck_upper.values + 1e-12).all()
    assert (p.planck_upper.values - p.planck_lower.values > 1e-3).any()
    for name in ("planck", "massieu", "m_entropy", "p_entropy", "helmholtz", "gibbs", "enthalpy"):
        assert abs(float(p[name][-1] - p[name][0])) < 1e-5, name
    # What the cycle produces is the heat it lets through: int beta dQ over it, whatever the search found.
    assert abs(float(p.entropy_production[-1] - p.work_int[-1])) < 1e-5


def test_entropy_production(engine):
    _, _, p = engine
    assert float(p.entropy_production_rate.min()) >= -1e-8
    exact = p.entropy_production_rate_exact.values
    assert (exact >= 0.0).all()
    average = np.average(p.entropy_production_rate.values)
    assert abs(average / exact[:-1].mean() - 1.0) < 0.1
    assert (np.diff(p.waste_heat) <= 1e-8).all()


def test_minimum_work_principles(engine):
    """W_ext >= -dPhi, W_int >= -dXi, Q_ext <= dLambda, Q_int <= dGamma, between any two searches."""
    _, _, p = engine
    at = p.isel(time=np.flatnonzero(p.searched.values))
    for work, potential in (("work_ext", "massieu"), ("work_int", "planck")):
        assert (np.diff(at[work]) + np.diff(at[potential]) >= -1e-8).all(), work
    for heat, potential in (("heat_ext", "m_entropy"), ("heat_int", "p_entropy")):
        assert (np.diff(at[potential]) - np.diff(at[heat]) >= -1e-8).all(), heat


def test_a_cycle_may_stand_for_its_run(engine, monkeypatch):
    """README's `jt.potentials(cycle, engine)`, with a cycle and an oscillator."""
    oscillator, run, searched = engine
    monkeypatch.setattr(along, "run_cycle", lambda oscillator, cycle, **options: run)
    monkeypatch.setattr(along, "_again", lambda dataset, oscillator: kept)
    kept = jt.run_cycle(oscillator, CYCLE, points=2, steps=12, keep_states=True)
    again = jt.potentials(CYCLE, oscillator, points=8, dt=0.2)
    np.testing.assert_allclose(again.planck, searched.planck, atol=1e-9)


def test_datasets_that_cannot_be_used_are_named(engine):
    oscillator, cycle, _ = engine
    run = jt.drive(oscillator, 1.0, lambda t: 0.1 * t, [0.0, 1.0])
    with pytest.raises(ValueError, match="keep_states"):
        jt.potentials(run, oscillator)
    with pytest.raises(ValueError, match="`points`"):
        jt.potentials(cycle, oscillator, points=0)
    with pytest.raises(ValueError, match="`dataset`"):
        jt.potentials(cycle.drop_vars("work_int"), oscillator)
    with pytest.raises(ValueError, match="keep_states"):
        jt.brownian.state_of(cycle, oscillator, 1.0)


def test_a_drive_goes_on_from_a_kept_state():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)

    def field(t):
        return 0.2 * jnp.asarray(t)

    whole = jt.drive(oscillator, 1.0, field, [0.0, 1.0, 2.0], keep_states=True, dt=0.05)
    half = jt.brownian.state_of(whole, oscillator, 1.0)
    rest = jt.drive(oscillator, 1.0, field, [1.0, 2.0], state=half, dt=0.05)
    assert abs(float(rest.X[-1] - whole.X[-1])) < 1e-12
    assert np.isclose(half.X, whole.X[1])
