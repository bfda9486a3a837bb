"""Contacts with reservoirs that are switched: by windows of time, and by a switch of each unit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import jaxthermo as jt

BETAS = np.array([1.0, 2.0])
GAPS = (3.0, 1.8)


def hot(t):
    """A window that is open for half a period of 1."""
    return jax.nn.sigmoid(20.0 * jnp.sin(2.0 * jnp.pi * t))


def otto(period):
    """A gap that is large while the hot window is open, and small while the cold one is."""

    def window(t):
        return hot(t / period)

    return jt.JumpNetwork(
        [(0, 1), (0, 1)],
        [0.0, lambda t: GAPS[1] + (GAPS[0] - GAPS[1]) * window(t)],
        reservoirs=[0, 1],
        prefactor=[window, lambda t: 1.0 - window(t)],
    )


def test_heats_of_two_windows_are_those_of_a_long_integration():
    period = 6.0

    def slope(t, y):
        w = 1.0 / (1.0 + np.exp(-20.0 * np.sin(2.0 * np.pi * t / period)))
        gap = GAPS[1] + (GAPS[0] - GAPS[1]) * w
        currents = [
            g * (np.exp(-0.5 * b * gap) * (1 - y[0]) - np.exp(0.5 * b * gap) * y[0])
            for g, b in zip((w, 1 - w), BETAS, strict=True)
        ]
        return [sum(currents), *(gap * one for one in currents)]

    settled = solve_ivp(slope, (0.0, 5 * period), [0.2, 0.0, 0.0], method="LSODA", rtol=1e-10, atol=1e-12).y[0, -1]
    turn = solve_ivp(slope, (0.0, period), [settled, 0.0, 0.0], method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    run = jt.jumps.periodic_state(otto(period), BETAS, period)
    assert bool(run.ok)
    np.testing.assert_allclose(run.heats, turn[1:], atol=1e-8)
    assert float(run.work + run.heat) == pytest.approx(0.0, abs=1e-9)
    found = jt.jumps.conversion(run.work, run.heats, BETAS)
    assert found.mode == "heat engine" and float(found.efficiency) < 1.0 - GAPS[1] / GAPS[0]


def test_units_with_a_switch_of_their_own_see_both_reservoirs_when_it_is_fast():
    """The gap differs from reservoir to reservoir; hops of the switch move energy as work, which their force says."""

    def switched(rate):
        return jt.JumpNetwork(
            [(0, 1), (2, 3), (0, 2), (1, 3)],
            [0.0, GAPS[0], 0.0, GAPS[1]],
            None,
            [0.0, 0.0, 0.0, GAPS[1] - GAPS[0]],
            [0, 1, 0, 0],
            prefactor=jnp.stack([jnp.ones(()), jnp.ones(()), rate, rate]),
        )

    def heats(rate):
        return jt.jumps.stationary(switched(rate), BETAS, np.full(4, 0.25)).heat_currents

    # Contact for half the time with each; a hop through the cold one brings the difference of the gaps less.
    both = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, GAPS[0]], None, [0.0, GAPS[0] - GAPS[1]], [0, 1], prefactor=0.5)
    limit = jt.jumps.stationary(both, BETAS).heat_currents
    off = [np.asarray(heats(jnp.asarray(rate))) - limit for rate in (1e3, 2e3)]
    np.testing.assert_allclose(off[0] / off[1], 2.0, rtol=0.01)
    # The error falls like 1/rate; without that term nothing is left.
    assert abs(2.0 * off[1] - off[0]).max() < 1e-4 * abs(limit).max()


def test_a_contact_that_is_impossible_is_named():
    shut = jt.JumpNetwork([(0, 1)], [0.0, 1.0], prefactor=lambda t: -(jnp.cos(t) ** 2))
    with pytest.raises(ValueError, match="`prefactor` must be >= 0"):
        jt.jumps.evolve(shut, 1.0, None, [0.0, 1.0])
    with pytest.raises(ValueError, match="`prefactor` must be constant"):
        jt.jumps.stationary(shut, 1.0)
    with pytest.raises(ValueError, match="`period` must be a period of prefactor"):
        jt.jumps.periodic_state(jt.JumpNetwork([(0, 1)], [0.0, 1.0], prefactor=lambda t: jnp.exp(-t)), 1.0, 2.0)
