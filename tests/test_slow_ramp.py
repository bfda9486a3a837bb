"""Slow ramps: friction from equilibrium fluctuations, the cost of slow driving, and searches that begin there."""

import functools
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import jaxthermo as jt

BETA, FRICTION, DURATION = 1.3, 0.8, 200.0
STIFFER = jt.Polynomial([0.0, 0.0, -0.5])


def trap(grid=None):
    """A classical parabola whose stiffness is 1 + x."""
    well = jt.Polynomial([0.0, 0.0, 0.5])
    return jt.classical_oscillator(well, FRICTION**0.5, grid, coordinate=STIFFER)


@functools.cache
def stiffened():
    return jt.search.slow_ramp(trap(), BETA, 0.0, 2.0, DURATION)


def excess(ramp):
    """Work beyond the difference of free energies when the stiffness follows a ramp, from closed moments."""
    y, points = (
        np.array([1.0 / BETA, 0.0, 1.0 / BETA, 0.0]),
        zip(np.asarray(ramp.times), np.asarray(ramp.values), strict=True),
    )
    for (begin, low), (end, high) in pairwise(points):
        speed = (high - low) / (end - begin)

        def rates(t, y, begin=begin, low=low, speed=speed):
            q2, qp, p2, _ = y
            k = 1.0 + low + speed * (t - begin)
            bath = 2.0 * FRICTION * (1.0 / BETA - p2)
            return [2.0 * qp, p2 - k * q2 - FRICTION * qp, bath - 2.0 * k * qp, 0.5 * speed * q2]

        y = solve_ivp(rates, (begin, end), y, "DOP853", rtol=1e-7, atol=1e-9).y[:, -1]
    return y[3] - np.log(1.0 + float(ramp.values[-1])) / (2.0 * BETA)


def test_moving_a_parabola_slowly_costs_its_friction_at_constant_speed():
    """z = A^2/k^2, from Im chi = A^2 w/k^2 at small w."""
    quantum = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 1.0]), 0.9, poles=2)
    found = jt.search.slow_ramp(quantum, 2.0, 1.0, -0.5, 10.0, 3)
    np.testing.assert_allclose(found.friction, 0.81 / 4.0, rtol=1e-9)
    np.testing.assert_allclose([found.excess_work, found.excess_work_of_line], 1.5**2 * 0.81 / 40.0, rtol=1e-9)
    np.testing.assert_allclose(found.ramp(jnp.asarray(2.5)), 1.0 - 1.5 / 4.0, rtol=1e-9)
    assert found.outcome == "ok"


def test_the_friction_of_a_stiffness_is_that_of_its_fluctuations():
    """<d(q^2)(t) d(q^2)> = 2 c^2, c the correlation of q, and int c^2 dt = (k + A^4)/(2 A^2 k^3 beta^2)."""
    found = stiffened()
    k = 1.0 + np.asarray(found.field)
    np.testing.assert_allclose(found.friction, (k + FRICTION**2) / (4.0 * BETA * FRICTION * k**3), rtol=1e-5)
    assert found.outcome == "ok" and float(found.excess_work) < 0.9 * float(found.excess_work_of_line)


def test_slow_ramps_cost_what_is_said():
    found = stiffened()
    line = jt.Table(np.linspace(0.0, DURATION, 65), np.linspace(0.0, 2.0, 65))
    for ramp, said in ((found.ramp, found.excess_work), (line, found.excess_work_of_line)):
        assert excess(ramp) == pytest.approx(float(said), rel=0.03)


def test_a_search_may_begin_as_a_slow_ramp():
    grid, ends = jt.PhaseGrid(6.0, 0.3, 6.4, 0.4), (0.0, 1.0)
    slow = jt.search.slow_ramp(trap(grid), BETA, *ends, 4.0, 5)
    from_line, from_slow = (jt.optimal_ramp(trap(grid), BETA, *ends, 4.0, 3, start=start) for start in (None, slow))
    assert float(from_slow.work) == pytest.approx(float(from_line.work), abs=1e-9)
    assert from_slow.solves < from_line.solves
    with pytest.raises(ValueError, match=r"`start` must go from 0.0 to 0.5"):
        jt.optimal_ramp(trap(grid), BETA, 0.0, 0.5, 4.0, 3, start=slow)


def test_fields_that_are_alike_are_refused():
    with pytest.raises(ValueError, match="`x_end` must differ"):
        jt.search.slow_ramp(trap(), BETA, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="`points`"):
        jt.search.slow_ramp(trap(), BETA, 0.0, 1.0, 1.0, 2)
