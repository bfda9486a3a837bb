"""What a changing temperature does to the noise's memory: the default keeps the second law, the other one is refused
where it is ill-posed. A harmonic oscillator is exact at depth 1, by the closed moments of `oscillator_exact`."""

import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest

import jaxthermo as jt

HARMONIC = jt.Polynomial([0.0, 0.0, 0.5])
GRID = jt.PhaseGrid(9.0, 0.36, 10.5, 0.42)
# <p^2> grows with the number of poles and the coupling.
WIDE = jt.PhaseGrid(9.0, 0.4, 16.0, 0.5)
POLES = 2
XI, ETA = exact.pade(POLES)
# Largest d beta/dt of the "earlier" memory, from the poles.
LIMIT = 1.0 / np.sum(2.0 * ETA / XI)
FAST = jt.Ramp(0.6, 1.2, 0.5, 0.8)


def oscillator(thermostat="symmetric", strength=1.0):
    return jt.quantum_oscillator(HARMONIC, jt.OhmicBath(strength, POLES, 1, thermostat=thermostat), grid=GRID)


def moments(thermostat, beta, ts, strength=1.0, kinks=()):
    return exact.harmonic_trajectory(
        beta,
        lambda t: 0.3,
        lambda t: 0.0,
        ts,
        w0=1.0,
        gamma=strength**2,
        xi=XI,
        eta=ETA,
        symmetric=thermostat == "symmetric",
        kinks=kinks,
    )


def test_the_default_is_the_symmetric_memory():
    assert jt.OhmicBath(1.0).thermostat == "symmetric"
    assert jt.quantum_oscillator(HARMONIC, 1.0).bath.thermostat == "symmetric"


@pytest.mark.parametrize("thermostat", ["symmetric", "earlier"])
def test_driven_moments_are_those_of_its_own_equation(thermostat):
    ts = np.linspace(0.0, 3.0, 4)
    slow = jt.Ramp(0.6, 1.2, 0.5, 2.5)
    run = jt.drive(oscillator(thermostat), slow, 0.3, np.union1d(ts, [0.5, 2.5]), tol=1e-8)
    at = np.searchsorted(run.time, ts)
    expected = moments(thermostat, lambda t: float(slow(t)), ts, kinks=(0.5, 2.5))
    for key in ("q2", "p2", "U"):
        np.testing.assert_allclose(getattr(run, key)[at], expected[key], atol=2e-6, err_msg=key)


def test_fast_cooling_is_solved_by_the_default_and_refused_by_name_otherwise():
    assert pytest.approx(1.0643, abs=1e-4) == LIMIT and LIMIT < 2.0  # the ramp has d beta/dt = 2
    ts = np.array([0.0, 0.5, 0.8, 2.0])
    run = jt.drive(oscillator(), FAST, 0.3, ts, tol=1e-8)
    expected = moments("symmetric", lambda t: float(FAST(t)), ts, kinks=(0.5, 0.8))
    np.testing.assert_allclose(run.p2, expected["p2"], atol=2e-6)
    with pytest.raises(ValueError, match="`thermostat` must be 'symmetric'"):
        jt.drive(oscillator("earlier"), FAST, 0.3, ts)
    cycle = jt.StirlingCycle(0.5, 2.0, 0.5, 0.3, period=2.0)
    with pytest.raises(ValueError, match="`thermostat`"):
        jt.run_cycle(oscillator("earlier"), cycle)


def round_a_cycle(thermostat, cycle, poles, strength, times):
    """The closed integral of U dbeta - X dx~ over the periodic state, from the closed moments and the trapezoidal rule.

    Three periods bring any start to the cycle: what is left of it falls like exp(-A^2 t/2).
    """
    xi, eta = exact.pade(poles)
    quarter = float(cycle.period) / 4.0

    def beta(t):
        return float(np.interp(t % (4 * quarter), quarter * np.arange(5), [0.5, 0.5, 2.0, 2.0, 0.5]))

    def x(t):
        return float(np.interp(t % (4 * quarter), quarter * np.arange(5), [0.5, 0.3, 0.3, 0.5, 0.5]))

    start = None
    for _ in range(4):
        found = exact.harmonic_trajectory(
            beta,
            x,
            lambda t: 0.0,
            times,
            w0=1.0,
            gamma=strength**2,
            xi=xi,
            eta=eta,
            symmetric=thermostat == "symmetric",
            start=start,
            kinks=(quarter, 2 * quarter, 3 * quarter),
        )
        start = found["state"][-1]
    betas = np.array([beta(t) for t in times])
    scaled = betas * np.array([x(t) for t in times])
    return np.trapezoid(found["U"], betas) - np.trapezoid(found["q"], scaled)


@pytest.mark.parametrize("thermostat, positive", [("symmetric", True), ("earlier", False)])
def test_the_second_law_holds_round_a_cycle_that_breaks_it_with_the_other_memory(thermostat, positive):
    """The closed integral of U dbeta - X dx~ must be >= 0; with K = 4 and A = 1.5 "earlier" has less."""
    cycle = jt.StirlingCycle(0.5, 2.0, 0.5, 0.3, period=10.0)
    times = np.linspace(0.0, 10.0, 401)
    exactly = round_a_cycle(thermostat, cycle, 4, 1.5, times)
    assert (exactly > 0.05) == positive and abs(exactly) > 0.05
    bath = jt.OhmicBath(1.5, 4, 1, thermostat=thermostat)
    run = jt.run_cycle(jt.quantum_oscillator(HARMONIC, bath, grid=WIDE), cycle, tol=1e-5, points=4, steps=16)
    # Twice as many steps leave a quarter of this error or less.
    np.testing.assert_allclose(float(run.cumulative_work_int[-1]), exactly, atol=2e-3)
    assert (run.outcome == "ok") == positive


def test_unknown_memory_is_refused_by_name():
    with pytest.raises(ValueError, match="`thermostat` must be one of symmetric, earlier"):
        jt.OhmicBath(1.0, thermostat="published")


def test_a_schedule_of_jax_numbers_is_checked_at_the_door():
    with pytest.raises(ValueError, match="d beta/dt"):
        jt.drive(oscillator("earlier"), lambda t: 0.6 + 0.5 * jnp.tanh(8.0 * (t - 1.0)), 0.3, [0.0, 2.0])
