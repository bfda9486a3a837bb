"""Limit cycles against an independent integration, against trajectories, and up to where their period diverges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import jaxthermo as jt

# Where no cycle is found, the status is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")

G = 0.1
# (force, beta): weak and strong driving, fold below beta_c1 = 3, long period.
CYCLES = np.array([[0.1, 3.01], [0.3, 3.2], [1.0, 3.5], [2.0, 4.0], [1.0, 6.0]])
NONE = np.array([[1.0, 2.5], [1.0, 6.5]])


def cycle(force, beta):
    return jt.potts.limit_cycle(jt.PottsRing(3, -1.0, force, G), beta)


def cycles(points):
    """`limit_cycle` at each (force, beta), one after the other, with all results stacked."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *[cycle(force, beta) for force, beta in points])


@pytest.fixture(scope="module")
def found():
    return cycles(np.concatenate([CYCLES, NONE]))


def mean_field(q, force, beta):
    """The master equation and its work, in NumPy."""

    def rate(t, y):
        P = y[:q]
        half = 0.5 * beta * (P - np.roll(P, -1) - force)
        current = G * (np.exp(-half) * P - np.exp(half) * np.roll(P, -1))
        return np.append(np.roll(current, 1) - current, force * current.sum())

    return rate


def by_dop853(q, force, beta, point, period):
    """Period and mean work current between the last two returns to the plane through the point, normal to the flow."""
    rate = mean_field(q, force, beta)
    start = np.append(point, 0.0)
    normal = rate(0.0, start)[:q]

    def height(t, y):
        return (y[:q] - point) @ normal

    height.direction = 1
    run = solve_ivp(rate, (0.0, 2.5 * period), start, method="DOP853", rtol=1e-12, atol=1e-14, events=height)
    returns = [
        (t, y[q])
        for t, y in zip(run.t_events[0], run.y_events[0], strict=True)
        if np.abs(y[:q] - point).max() < 1e-5 and t > 0.5 * period
    ]
    (first, before), (second, after) = returns[-2:]
    return second - first, (after - before) / (second - first)


def test_period_and_work_are_those_of_an_independent_integration(found):
    for lane, (force, beta) in enumerate(CYCLES):
        period, work = by_dop853(3, force, beta, np.asarray(found.point[lane]), float(found.period[lane]))
        assert float(found.period[lane]) == pytest.approx(period, rel=1e-9)
        assert float(found.work_current[lane]) == pytest.approx(work, rel=1e-9)


def test_trivial_multiplier_comes_first_and_the_other_is_liouvilles(found):
    """The product of the multipliers is exp of the integrated divergence; for q = 3 that is the second one."""
    assert found.ok[:5].all() and np.all(found.stable[:5])
    np.testing.assert_allclose(found.multipliers[:4, 0], 1.0, atol=1e-7)
    for lane in (0, 1):
        force, beta = CYCLES[lane]
        ring, period = jt.PottsRing(3, -1.0, force, G), float(found.period[lane])
        start, times = np.append(found.point[lane], 0.0), np.linspace(0.0, period, 401)
        run = solve_ivp(
            mean_field(3, force, beta), (0.0, period), start, method="DOP853", rtol=1e-12, atol=1e-14, t_eval=times
        )
        path = run.y[:3].T

        def divergence(P, ring=ring, beta=beta):
            return jnp.trace(jax.jacfwd(jt.potts.vector_field, argnums=1)(0.0, P, ring, beta))

        mean = float(jnp.mean(jax.vmap(divergence)(jnp.asarray(path[:-1]))))
        assert float(found.multipliers[lane, 1].real) == pytest.approx(np.exp(period * mean), rel=1e-6)


def test_averages_obey_both_laws_and_the_symmetry_of_the_ring(found):
    np.testing.assert_allclose(found.occupation[:5], 1 / 3, atol=1e-9)
    np.testing.assert_allclose(found.heat_current[:5], -found.work_current[:5], rtol=1e-8)
    np.testing.assert_allclose(found.entropy_production_rate[:5], CYCLES[:, 1] * found.work_current[:5], rtol=1e-7)


def test_where_there_is_no_cycle_the_status_says_so(found):
    assert list(found.outcome[5:]) == ["no cycle found"] * 2
    assert np.all(np.isnan(found.period[5:])) and np.all(np.isnan(found.multipliers[5:])) and not found.stable[5:].any()


def test_compiled_and_vmapped_it_finds_the_same(found):
    """A cycle, one that the second search finds, and none: under jit no search can look at what another found."""
    chosen = np.array([2, 4, 6])
    lanes = jax.jit(jax.vmap(cycle))(*np.concatenate([CYCLES, NONE])[chosen].T)
    np.testing.assert_array_equal(lanes.status, found.status[chosen])
    for name in ("period", "work_current", "entropy_production_rate", "energy"):
        np.testing.assert_allclose(getattr(lanes, name), getattr(found, name)[chosen], rtol=1e-9)


def test_gradient_is_central_difference_in_both_modes():
    """d period, d work by d force, d beta; the differences are of the same routine."""

    def results(p):
        now = cycle(p[0], p[1])
        return jnp.stack([now.period, now.work_current])

    at, step = jnp.array([1.0, 4.0]), 1e-5
    values = cycles([[1.0 + step, 4.0], [1.0 - step, 4.0], [1.0, 4.0 + step], [1.0, 4.0 - step]])
    pairs = np.stack([values.period, values.work_current]).reshape(2, 2, 2)
    central = (pairs[:, :, 0] - pairs[:, :, 1]) / (2.0 * step)
    forward, reverse = jax.jacfwd(results)(at), jax.jacrev(results)(at)
    np.testing.assert_allclose(forward, central, rtol=1e-6)
    np.testing.assert_allclose(reverse, central, rtol=1e-6)


@pytest.fixture(scope="module")
def approach():
    ring = jt.PottsRing(3, -1.0, 1.0, G)
    end = float(jt.potts.fold_beta(ring))
    return end, jt.potts.cycle_branch(ring, end - np.array([0.5, 1e-2, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6]))


def test_the_period_diverges_at_the_fold_by_the_law_of_slow_passages(approach):
    end, data = approach
    assert np.all(data.status == 0) and float(data.beta_fold) == pytest.approx(end, abs=1e-12)
    assert float(data.exponent) == pytest.approx(0.5, abs=2e-4)
    assert float(data.amplitude) == pytest.approx(float(data.exact_amplitude), rel=2e-3)
    ratio = data.period * np.sqrt(end - data.beta) / float(data.exact_amplitude)
    # The next term of the law is of relative order sqrt(beta_c2 - beta).
    assert abs(float(ratio[-1]) - 1.0) < 1e-3


def test_a_continued_cycle_is_the_one_found_directly(approach):
    end, data = approach
    direct = cycle(1.0, end - 0.5)
    np.testing.assert_allclose(data.period[0], direct.period, rtol=1e-9)
    np.testing.assert_allclose(data.work_current[0], direct.work_current, rtol=1e-9)


def test_weakly_driven_cycles_outlive_the_fold():
    """At f = 0.3 the saddle-nodes lie off the cycle, which goes on beside the localised states with a finite period."""
    ring = jt.PottsRing(3, -1.0, 0.3, G)
    end = float(jt.potts.fold_beta(ring))
    data = jt.potts.cycle_branch(ring, end + np.array([-0.1, -1e-3, 0.0, 1e-3, 0.02, 0.06, 0.065, 0.0664, 0.08]))
    assert np.all(data.status[:8] == 0) and np.all(data.stable[:8]) and data.outcome[8] == "not converged"
    assert np.all(np.diff(data.period[:8]) > 0) and float(data.period[3]) < 150.0


BAD = {
    "two states": (lambda: jt.potts.limit_cycle(jt.PottsRing(2, -1.0, 1.0), 2.5), "`ring` must have q >= 3"),
    "repulsion": (lambda: jt.potts.limit_cycle(jt.PottsRing(3, 1.0, 1.0), 2.5), "`coupling` must be < 0"),
    "beta": (lambda: jt.potts.limit_cycle(jt.PottsRing(3, -1.0, 1.0), -1.0), "`beta` must be >= 0"),
    "start": (lambda: jt.potts.limit_cycle(jt.PottsRing(3, -1.0, 1.0), 4.0, [0.5, 0.5]), "`p0` must have shape"),
    "betas": (lambda: jt.potts.cycle_branch(jt.PottsRing(3, -1.0, 1.0), 4.0), "`betas` must be one-dimensional"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()
