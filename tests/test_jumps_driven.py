"""Periodic states of driven networks: exact solutions, long runs, derivatives, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import jaxthermo as jt
from tests.systems import ring

PERIOD = 2.0 * np.pi


def two_baths(gap=1.0):
    """One two-state unit between two reservoirs."""
    return jt.JumpNetwork(
        [(0, 1), (0, 1)], jnp.stack([jnp.zeros(()), jnp.asarray(gap)]), reservoirs=[0, 1], prefactor=0.1
    )


def swinging(amplitude=0.5):
    return [lambda t: 1.0 + amplitude * jnp.cos(t), 2.0]


def driven(amplitude=0.5, network=None, period=PERIOD):
    return jt.jumps.periodic_state(two_baths() if network is None else network, swinging(amplitude), period)


def test_a_two_state_unit_has_its_exact_periodic_state():
    """dp/dt = up (1 - p) - down p is linear, so p is an integral with the integrating factor exp(int (up + down))."""

    def up_and_down(t):
        hot = 1.0 + 0.5 * np.cos(t)
        return 0.1 * (np.exp(-0.5 * hot) + np.exp(-1.0)), 0.1 * (np.exp(0.5 * hot) + np.exp(1.0))

    def fallen(t):
        return quad(lambda s: sum(up_and_down(s)), t, PERIOD, epsabs=1e-13)[0]

    gained = quad(lambda t: up_and_down(t)[0] * np.exp(-fallen(t)), 0.0, PERIOD, epsabs=1e-13, limit=200)[0]
    exact = gained / (1.0 - np.exp(-fallen(0.0)))
    run = driven()
    np.testing.assert_allclose(run.occupation[0, 1], exact, rtol=1e-10)
    np.testing.assert_allclose(run.multipliers, [np.exp(-fallen(0.0))], rtol=1e-8)


def test_the_laws_hold_over_a_period():
    run = driven()
    assert bool(run.ok)
    assert abs(run.work + run.heat) < 1e-12
    np.testing.assert_allclose(run.occupation[0], run.occupation[-1], atol=1e-13)
    # beta of the second reservoir is constant; the first one's swings, and its heat is integrated on the saved times.
    swinging_heat = np.trapezoid(run.beta[:, 0] * run.heat_currents[:, 0], run.time)
    np.testing.assert_allclose(run.entropy_produced, -swinging_heat - 2.0 * run.heats[1], rtol=1e-10)
    assert run.entropy_produced > 0


def test_a_driven_ring_agrees_with_a_long_run():
    force = lambda t: 0.5 + 0.3 * jnp.sin(2.0 * jnp.pi * t / 5.0)  # noqa: E731
    warm = ring(force=force)
    run = jt.jumps.periodic_state(warm, 1.5, 5.0)
    # The slowest rate is about 0.1, so that a run of 500 has forgotten its start.
    long = jt.jumps.evolve(warm, 1.5, None, np.array([0.0, 500.0, 505.0]))
    np.testing.assert_allclose(run.occupation[0], long.occupation[2], atol=1e-10)
    np.testing.assert_allclose(run.work, long.work[2] - long.work[1], rtol=1e-9)
    np.testing.assert_allclose(run.heats, long.heats[2] - long.heats[1], rtol=1e-9)


def test_multipliers_multiply_to_the_contraction_of_volumes():
    """det M = exp(int tr J dt) along the periodic state (Liouville)."""
    force = lambda t: 0.5 + 0.3 * jnp.sin(2.0 * jnp.pi * t / 5.0)  # noqa: E731
    warm = ring(force=force)
    run = jt.jumps.periodic_state(warm, 1.5, 5.0)

    def divergence(t, P):
        field = lambda x: jt.jumps.vector_field(t, jnp.append(x, 1.0 - jnp.sum(x)), warm, 1.5)[:-1]  # noqa: E731
        return jnp.trace(jax.jacfwd(field)(P[:-1]))

    contraction = np.trapezoid(jax.vmap(divergence)(run.time, run.occupation), run.time)
    np.testing.assert_allclose(np.linalg.det(run.monodromy), np.exp(contraction), rtol=1e-8)


def test_slow_driving_follows_the_equilibrium_of_each_moment():
    """With one reservoir the state lags by a time that is fixed, so that what is produced falls as 1/period."""
    network = jt.JumpNetwork([(0, 1)], [0.0, 1.0])

    def produced(period):
        beta = lambda t: 1.0 + 0.5 * jnp.cos(2.0 * jnp.pi * t / period)  # noqa: E731
        run = jt.jumps.periodic_state(network, beta, period)
        equilibrium = 1.0 / (1.0 + np.exp(run.beta[:, 0]))
        return float(run.entropy_produced), np.max(np.abs(run.occupation[:, 1] - equilibrium))

    (fast, lag_fast), (slow, lag_slow) = produced(200.0), produced(400.0)
    np.testing.assert_allclose([fast / slow, lag_fast / lag_slow], 2.0, rtol=1e-3)


@pytest.mark.parametrize("mode", [jax.grad, jax.jacfwd])
def test_derivatives_in_both_modes_are_those_of_differences(mode):
    def heat(amplitude, gap, stretch):
        beta = [lambda t: 1.0 + amplitude * jnp.cos(t / stretch), 2.0]
        return jt.jumps.periodic_state(two_baths(gap), beta, PERIOD * stretch).heats[0]

    at, h = (0.5, 1.0, 1.0), 1e-5
    ahead = [
        (heat(*(x + h * (j == k) for j, x in enumerate(at))) - heat(*(x - h * (j == k) for j, x in enumerate(at))))
        / (2 * h)
        for k in range(3)
    ]
    np.testing.assert_allclose(mode(heat, (0, 1, 2))(*at), ahead, rtol=1e-7)


def test_lanes_are_what_single_calls_give():
    amplitudes = jnp.array([0.1, 0.5])
    together = jax.vmap(lambda a: driven(a).heats)(amplitudes)
    np.testing.assert_allclose(together, [driven(a).heats for a in amplitudes], rtol=1e-11)


def test_a_long_period_is_followed_to_its_end():
    """Some 1500 explicit steps and more; nearly quasi-static, so the state is stationary at each beta to about 1/T."""
    period = 2000.0
    unit = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 0.5], forces=[0.3, 0.0], reservoirs=[0, 1])
    run = jt.jumps.periodic_state(unit, [lambda t: 0.7 + 0.4 * jnp.sin(2.0 * jnp.pi * t / period), 1.9], period)
    beta = 0.7 + 0.4 * np.sin(2.0 * np.pi * np.asarray(run.time) / period)
    up, down = (np.exp(-s * 0.1 * beta) + np.exp(-s * 0.475) for s in (1.0, -1.0))
    assert run.ok and abs(run.work + run.heat) < 1e-9 * run.work
    assert np.allclose(run.occupation[:, 1], up / (up + down), atol=1e-5)


def test_a_ring_that_keeps_its_own_rhythm_is_not_called_periodic():
    """Below its critical temperature the ring turns with a period of its own; so weak a drive does not lock it."""
    force = lambda t: 1.0 + 0.001 * jnp.sin(2.0 * jnp.pi * t / 9.0)  # noqa: E731
    with pytest.warns(UserWarning, match="does not come back"):
        run = jt.jumps.periodic_state(ring(force=force), 4.0, 9.0, max_periods=40)
    assert run.status == jt.Status.not_periodic


def test_bad_input_names_its_argument():
    with pytest.raises(ValueError, match="`period` must be a period of beta"):
        jt.jumps.periodic_state(two_baths(), swinging(), 3.0)
    with pytest.raises(ValueError, match="`period`"):
        jt.jumps.periodic_state(two_baths(), swinging(), -1.0)
    with pytest.raises(ValueError, match="`beta`"):
        jt.jumps.periodic_state(two_baths(), swinging(3.0), PERIOD)


def test_a_dataset_is_labelled():
    dataset = driven().to_dataset()
    assert dataset.occupation.dims == ("time", "state")
    assert dataset.heats.attrs["units"] == "energy"
    assert dataset.attrs["status"] == "ok"


def test_a_pulse_that_only_the_record_meets_is_told():
    def pulse(t):
        return 1.0 + 2.0 * jnp.exp(-(((t % 10.0 - 5.0) / 0.01) ** 2))

    with pytest.warns(UserWarning, match="come back"):
        found = jt.jumps.periodic_state(jt.JumpNetwork([(0, 1)], [0.0, 1.0]), pulse, 10.0)
    gap = float(jnp.max(jnp.abs(found.occupation[-1] - found.occupation[0])))
    assert gap > 1e-8 and found.outcome == "not periodic"
