"""Energies and interactions that time changes: work on units at rest, periodic states, slow and fast driving."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt

RATE = 2.0 * np.pi
BETAS = np.array([1.0, 2.5])


def lifted(amplitude=0.4, period=1.0, interaction=None):
    """Two states whose gap swings, on one edge with two reservoirs, one of which pushes."""
    energies = [0.0, lambda t: 1.0 + amplitude * jnp.cos(RATE * t / period)]
    return jt.JumpNetwork([(0, 1), (0, 1)], energies, interaction, [0.0, 0.3], [0, 1], prefactor=[1.0, 0.5])


def coupled(u):
    """The same units at a fixed gap, with an interaction phi(P, t)."""
    return jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 1.0], u, [0.0, 0.3], [0, 1], prefactor=[1.0, 0.5])


def swinging(t):
    return -0.8 + 0.3 * jnp.sin(RATE * t)


def phi(P, t):
    return 0.5 * swinging(t) * jnp.sum(P**2)


@pytest.fixture(scope="module")
def turn():
    return jt.jumps.periodic_state(lifted(), BETAS, 1.0)


def test_both_laws_at_every_moment():
    P, t = jnp.array([0.7, 0.3]), 0.15
    for network in (lifted(), coupled(phi)):
        flow = jt.jumps.thermodynamics(t, P, network, BETAS)

        def energy(t, network=network):
            rate = jt.jumps.vector_field(0.15, P, network, BETAS)
            return jt.jumps.energy(P + (t - 0.15) * rate, network.at(t))

        assert float(jax.grad(energy)(t)) == pytest.approx(float(flow.work_current + flow.heat_current), abs=1e-14)
        still = jt.jumps.thermodynamics(0.0, P, network.at(t), BETAS)
        np.testing.assert_allclose(flow.heat_currents, still.heat_currents, rtol=1e-14)
        assert float(flow.energy) == pytest.approx(float(still.energy), rel=1e-14)
    # The gap's own work is its rate times the share of units above it.
    rise = float(jt.jumps.thermodynamics(t, P, lifted(), BETAS).work_current)
    rise -= float(jt.jumps.thermodynamics(0.0, P, lifted().at(t), BETAS).work_current)
    assert rise == pytest.approx(-0.3 * 0.4 * RATE * np.sin(RATE * t), rel=1e-12)


def test_a_period_closes_and_is_that_of_a_long_run(turn):
    assert bool(turn.ok) and abs(float(turn.work + turn.heat)) < 1e-12
    long = jt.jumps.evolve(lifted(), BETAS, None, np.array([0.0, 40.0, 41.0]))
    np.testing.assert_allclose(turn.occupation[0], long.occupation[1], rtol=0, atol=1e-10)
    np.testing.assert_allclose(turn.work, long.work[2] - long.work[1], rtol=1e-9)
    np.testing.assert_allclose(turn.heats, long.heats[2] - long.heats[1], rtol=1e-9)
    assert float(turn.entropy_produced) == pytest.approx(float(-BETAS @ np.asarray(turn.heats)), rel=1e-9)


def test_slow_lifting_costs_the_free_energy():
    """At one temperature the work tends to ln[(1 + e^-a)/(1 + e^-b)] with an error like 1/time."""
    exact = np.log((1.0 + np.exp(-0.5)) / (1.0 + np.exp(-2.0)))
    start = np.array([1.0, np.exp(-0.5)]) / (1.0 + np.exp(-0.5))
    excess = []
    for time in (50.0, 100.0):
        slow = jt.JumpNetwork([(0, 1)], [0.0, lambda t, time=time: 0.5 + 1.5 * t / time])
        run = jt.jumps.evolve(slow, 1.0, start, np.array([0.0, time]))
        excess.append(float(run.work[-1]) - exact)
    assert 0.0 < excess[1] < 0.01
    assert excess[0] / excess[1] == pytest.approx(2.0, rel=0.02)


def test_fast_swings_act_by_their_mean_rates():
    """exp(x cos) averages to the Bessel function I_0(x); the state strays from that by the square of the period."""
    from scipy.special import iv

    def two_ways(beta, gap, swing, force, prefactor):
        mean = prefactor * iv(0, 0.5 * beta * swing)
        return mean * np.exp(-0.5 * beta * (gap - force)), mean * np.exp(0.5 * beta * (gap - force))

    rates = [two_ways(1.0, 1.0, 0.4, 0.0, 1.0), two_ways(2.5, 1.0, 0.4, 0.3, 0.5)]
    up, down = np.sum(rates, axis=0)
    errors = []
    for period in (0.1, 0.05):
        run = jt.jumps.periodic_state(lifted(period=period), BETAS, period)
        errors.append(float(jnp.mean(run.occupation[:-1, 1])) - up / (up + down))
    assert abs(errors[1]) < 1e-4 and errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


def test_derivatives_in_both_modes_are_those_of_differences():
    def work(x):
        return jt.jumps.periodic_state(lifted(x[0], x[1]), BETAS, x[1]).work

    x = np.array([0.4, 1.0])
    central = [(float(work(x + 1e-5 * e)) - float(work(x - 1e-5 * e))) / 2e-5 for e in np.eye(2)]
    np.testing.assert_allclose(jax.grad(work)(jnp.asarray(x)), central, rtol=1e-6)
    np.testing.assert_allclose(jax.jacfwd(work)(jnp.asarray(x)), central, rtol=1e-6)


def test_lanes_are_what_single_calls_give(turn):
    together = jax.vmap(lambda a: jt.jumps.periodic_state(lifted(a), BETAS, 1.0).heats)(jnp.array([0.4, 0.1]))
    np.testing.assert_allclose(together[0], turn.heats, rtol=1e-10)


def test_a_few_units_take_up_what_the_coupling_schedule_says():
    """phi(P, t) = u(t) sum P^2/2 by its own way through the code, and u(t) as `coupling`."""
    ts = np.linspace(0.0, 1.0, 3)
    one = jt.jumps.mesoscopic_evolve(coupled(phi), BETAS, 5, [3, 2], ts)
    other = jt.jumps.mesoscopic_evolve(coupled(-0.8), BETAS, 5, [3, 2], ts, coupling=swinging)
    for name in ("work", "heats", "occupation", "energy", "entropy_produced"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=1e-8)
    np.testing.assert_allclose(one.energy - one.energy[0], one.work + one.heat, rtol=0, atol=1e-8)


def test_trajectories_agree_with_the_master_equation():
    ts = np.linspace(0.0, 1.0, 2)
    exact = jt.jumps.mesoscopic_evolve(lifted(), BETAS, 5, [3, 2], ts)
    run = jt.jumps.simulate(lifted(), BETAS, 5, 1.0, 4000, jax.random.key(3), [3, 2], dt=0.02)
    for name in ("work", "heat"):
        values = getattr(run, name)
        error = float(values.std()) / np.sqrt(4000)
        assert abs(float(values.mean()) - float(getattr(exact, name)[-1])) < 4.0 * error < 0.04


BAD = {
    "stationary": (lambda: jt.jumps.stationary(lifted(), BETAS), "`energies` must be constant for a stationary state"),
    "stationary phi": (lambda: jt.jumps.stationary(coupled(phi), BETAS), "`interaction` must be constant"),
    "levels": (lambda: jt.jumps.levels(jnp.array([0.5, 0.5]), lifted()), r"take `network.at\(t\)` first"),
    "energy": (lambda: jt.jumps.energy(jnp.array([0.5, 0.5]), coupled(phi)), r"take `network.at\(t\)` first"),
    "period": (lambda: jt.jumps.periodic_state(lifted(), BETAS, 0.7), "`period` must be a period of energies"),
    "period phi": (lambda: jt.jumps.periodic_state(coupled(phi), BETAS, 0.7), "must be a period of interaction"),
    "one energy": (lambda: jt.JumpNetwork([(0, 1)], lambda t: t), r"`energies` must have shape \(q,\)"),
    "coupling": (
        lambda: jt.jumps.mesoscopic_evolve(coupled(phi), BETAS, 3, None, [0.0, 1.0], coupling=1.0),
        "`coupling` takes the place of an interaction that is a number",
    ),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD.keys())
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
