"""Rings: numbers that were once wrong beside "ok", against exact values and other ways to compute them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from audit import networks

import jaxthermo as jt
from tests.systems import ring


def second(f, x):
    """The second derivative by reverse over reverse, which needs all that the other modes need."""
    return float(jax.grad(jax.grad(f))(x))


def difference(f, x, h):
    return float((f(x + h) - 2.0 * f(x) + f(x - h)) / h**2)


# second derivatives


def test_second_and_third_derivatives_of_the_critical_temperature():
    # beta_c1 = -q/u.
    def f(u):
        return jt.potts.critical_beta(jt.PottsRing(3, u, 1.0, 0.1))

    assert second(f, -1.0) == pytest.approx(6.0, rel=1e-12)
    assert float(jax.grad(jax.grad(jax.grad(f)))(-1.0)) == pytest.approx(18.0, rel=1e-12)


def test_second_derivative_of_a_fold():
    def f(force):
        return jt.potts.fold_beta(ring(force))

    # Errors of the difference: h^2 of the fourth derivative, 1e-13/h^2 of rounding.
    assert second(f, 1.0) == pytest.approx(difference(f, 1.0, 1e-3), rel=1e-5)


def test_second_derivative_of_the_normal_form():
    def f(u):
        return jt.potts.normal_form(jt.PottsRing(3, u, 1.0, 0.1)).coefficients[0, 0].real

    assert second(f, -1.0) == pytest.approx(difference(f, -1.0, 1e-3), rel=1e-5)


def test_second_derivative_of_finite_numbers():
    def f(beta):
        return jt.potts.mesoscopic_stationary(ring(), beta, 6).work_current

    assert second(f, 3.5) == pytest.approx(difference(f, 3.5, 1e-3), rel=1e-5)


def test_hessian_of_a_fixed_point():
    slope = jax.grad(lambda beta: jt.potts.stationary(ring(), beta).work_current)
    found = float(jax.jacfwd(slope)(7.0))
    assert found == pytest.approx(float((slope(7.0 + 1e-4) - slope(7.0 - 1e-4)) / 2e-4), rel=1e-7)
    assert found == pytest.approx(0.0611, abs=1e-4)


def test_hessian_of_a_cycle_is_symmetric_and_right():
    def period(z):
        return jt.potts.stationary(jt.PottsRing(3, -1.0, z[1], 0.1), z[0]).period

    point = jnp.array([4.0, 1.0])
    slope = jax.grad(period)
    hessian = np.asarray(jax.jacfwd(slope)(point))
    steps = 1e-4 * np.eye(2)
    expected = np.stack([(slope(point + h) - slope(point - h)) / 2e-4 for h in steps], axis=1)
    assert hessian == pytest.approx(hessian.T, rel=1e-7)
    # Slopes of a cycle are known to 1e-10.
    assert hessian == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_second_derivative_of_a_cycle_by_collocation():
    slope = jax.grad(lambda beta: jt.potts.limit_cycle(ring(), beta).period)
    expected = float((slope(4.0 + 1e-4) - slope(4.0 - 1e-4)) / 2e-4)
    assert float(jax.jacfwd(slope)(4.0)) == pytest.approx(expected, rel=1e-5)


# attractors


def test_a_trajectory_that_leaves_a_cycle_is_not_on_it():
    # Near onset the cycles of k = 3 and k = 4 coexist. This one runs beside k = 3 for hundreds of turns, then goes to
    # k = 4: period and work by DOP853 over a long time.
    start = np.array([0.311, 0.053, 0.242, 0.159, 0.008, 0.031, 0.118, 0.018, 0.06])
    found = jt.potts.stationary(ring(q=9), 9.01, start / start.sum())
    assert found.kind == "limit cycle"
    assert float(found.period) == pytest.approx(2.0324, abs=1e-4)
    assert float(found.work_current) == pytest.approx(9.03274, abs=1e-5)


def test_a_trajectory_that_leaves_a_cycle_for_a_fixed_point_is_at_it():
    # Of an even number of states every second one is alike in the mode that has no sense of rotation. A trajectory that
    # goes round for hundreds of units of time ends there.
    start, beta = np.array([0.26, 0.078, 0.057, 0.022, 0.342, 0.014, 0.16, 0.067]), 8.003
    start /= start.sum()
    found = jt.potts.stationary(ring(q=8), beta, start)
    assert found.kind == "fixed point"
    P = np.asarray(found.point)
    np.testing.assert_allclose(P, np.tile(P[:2], 4), atol=1e-9)
    own = networks.Ring(8, -1.0, 1.0, 0.1, (0.0,) * 8, "arrhenius")
    early, _ = networks.flow(own, beta, start, 200.0)
    late, _ = networks.flow(own, beta, early, 800.0)
    assert np.abs(early - P).max() > 2e-3 and np.abs(late - P).max() < 2.5e-4


def test_a_cycle_next_to_its_infinite_period_is_decided():
    found = jt.potts.stationary(ring(), 6.10367)
    assert found.kind == "limit cycle"
    assert float(found.period) == pytest.approx(283.8, abs=0.1)
    assert float(found.work_current) == pytest.approx(0.56033, abs=1e-5)


@pytest.mark.parametrize("beta", [6.32, 6.4338])
def test_a_cycle_whose_period_has_doubled_is_found(beta):
    # Of q = 5 two turns make one period from beta = 6.31 on: the two differ by a tenth at 6.43, by little at 6.32.
    found = jt.potts.stationary(ring(q=5, force=1.0699), beta)
    assert found.kind == "limit cycle"
    period, point = float(found.period), np.asarray(found.point)
    own = networks.Ring(5, -1.0, 1.0699, 0.1, (0.0,) * 5, "arrhenius")
    half, first = networks.flow(own, beta, point, 0.5 * period)
    end, work = networks.flow(own, beta, half, 0.5 * period)
    assert np.abs(half - point).max() > 0.01
    np.testing.assert_allclose(end, point, atol=1e-9)
    np.testing.assert_allclose((first + work) / period, found.work_current, rtol=1e-8)


def test_a_trajectory_comes_to_the_cycle_whose_period_has_doubled():
    numbers = {"q": 5, "coupling": -1.0, "force": 1.0699, "prefactor": 0.1}
    found = jt.potts.stationary(jt.PottsRing(**numbers), 6.4338)
    own = networks.Ring(**numbers, energies=(0.0,) * 5, law="arrhenius")
    P, _ = networks.flow(own, 6.4338, np.array([0.96, 0.01, 0.01, 0.01, 0.01]), 25.0 * float(found.period))
    assert networks.nearest(own, 6.4338, P, 1.1 * float(found.period), np.asarray(found.point)) < 1e-4


def test_a_cold_stiff_ring_is_at_its_fixed_point():
    numbers = {"q": 5, "coupling": -1.7615, "force": -0.2146, "prefactor": 6.78}
    found = jt.potts.stationary(jt.PottsRing(**numbers), 13.1448)
    assert found.kind == "fixed point"
    # By an equation of motion of its own; over the fastest rate, that is how far it is off: rounding.
    slow = networks.Ring(**numbers, energies=(0.0,) * 5, law="arrhenius")
    P = np.asarray(found.point)
    forward, _ = slow.rates(-1.7615 * (np.roll(P, -1) - P), 13.1448)
    assert np.abs(slow.slope(P, 13.1448)).max() < 1e-15 * forward.max()
    assert networks.stable(slow, 13.1448, P)


# tau leaps


@pytest.mark.parametrize("units", [4 * 10**9, 10**12, 10**15])
def test_leaps_keep_very_many_units(units):
    found = jt.potts.tau_leap(
        jt.PottsRing(3, -1.0, 1.0, 1.0), 2.0, units, 0.5, 4, jax.random.key(0), [units, 0, 0], steps=64
    )
    assert found.ok.all()
    assert np.all(found.final_counts.sum(axis=-1) == units)
    assert np.all(found.final_counts >= 0)
    # The midpoint rule's error is 8e-6 here, and noise falls like N^(-1/2), 2e-5 at 4e9.
    mean_field = jt.potts.evolve(jt.PottsRing(3, -1.0, 1.0, 1.0), 2.0, [1.0, 0.0, 0.0], [0.0, 0.5])
    assert np.asarray(found.work) == pytest.approx(float(mean_field.work[-1]) / 0.5, abs=1e-4)


def test_more_units_than_a_float_counts_are_refused():
    with pytest.raises(ValueError, match="units"):
        jt.potts.tau_leap(ring(), 2.0, 2**53 + 2, 0.5, 4, jax.random.key(0), [2**53 + 2, 0, 0])
    with pytest.raises(ValueError, match="units"):
        jt.potts.simulate(ring(), 2.0, 2**53 + 2, 0.5, 4, jax.random.key(0), [2**53 + 2, 0, 0])


def test_no_lanes_are_refused_by_name():
    with pytest.raises(ValueError, match="`betas` must be one-dimensional and not empty"):
        jt.potts.stationary_lanes(ring(), [])


# statuses and flags


def test_the_uniform_state_is_stable_where_its_spectrum_says_so():
    # Bounded rates: the uniform state, unstable below some temperature, is stable again far below it.
    glauber = jt.potts.Glauber()
    found = jt.potts.phase_diagram(3, -1.0, [2.0, 16.0], [0.2], prefactor=1.0, rates=glauber)
    for beta in (2.0, 16.0):
        decays = bool(jnp.all(jt.potts.spectrum(jt.PottsRing(3, -1.0, 0.2, 1.0, rates=glauber), beta)[1:].real < 0))
        assert bool(found.uniform_stable[found.beta == beta][0, 0]) == decays
    assert bool(found.uniform_stable[1, 0])


def test_cumulants_of_one_unit():
    # A biased walk round a ring of rates k+, k-: c_1 = k+ - k-, c_2 = k+ + k-, in hops.
    found = jt.potts.cumulants(ring(), 2.0, 1, order=4)
    assert found.ok.all()
    fast, slow = 0.1 * np.exp(1.0), 0.1 * np.exp(-1.0)
    expected = [fast - slow, fast + slow, fast - slow, fast + slow]
    assert np.asarray(found.hop_cumulant) == pytest.approx(expected, rel=1e-11)
