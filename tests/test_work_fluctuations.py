"""Fluctuations of work: Jarzynski's equality, Gaussian work in a parabola, jumps, derivatives, lanes, bad input."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from systems import HARMONIC, QUARTIC, harmonic, quartic

import jaxthermo as jt
from jaxthermo._results import JaxthermoWarning
from jaxthermo.brownian.steps.propagation import Protocol

# One mesh and as many times for all drives, so that they share their programs.
FINE = jt.PhaseGrid(5.6, 0.28, 9.8, 0.5)
RAMP = jt.Ramp(1.0, -0.5, 0.0, 1.5)
TIMES = np.linspace(0.0, 1.5, 4)
CYCLE = jt.StirlingCycle(0.8, 1.6, 1.2, 0.4, period=12.0)


def free_energy(beta, x):
    """-ln int exp(-beta (U - x q)) dq / beta of the quartic well."""
    coefficients = np.asarray(QUARTIC.coefficients)
    weight = quad(lambda q: np.exp(-beta * (np.polyval(coefficients[::-1], q) - x * q)), -12.0, 12.0, epsabs=1e-13)[0]
    return -np.log(weight) / beta


@functools.cache
def ramped():
    return jt.drive(quartic(grid=FINE), 1.3, RAMP, TIMES, keep_states=True)


@functools.cache
def stirling():
    return jt.run_cycle(harmonic(0.64), CYCLE, tol=1e-8, points=5)


def test_exponential_average_has_jarzynskis_value():
    seen = jt.work_fluctuations(ramped(), counting=[1.3, 0.0])
    exact = -1.3 * (free_energy(1.3, -0.5) - free_energy(1.3, 1.0))
    assert seen.outcome == "ok"
    assert float(seen.generating[-1, 0]) == pytest.approx(exact, abs=2e-6)
    np.testing.assert_allclose(seen.generating[:, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(seen.mean, ramped().work, atol=2e-5)


def test_cumulants_are_the_derivatives_of_the_generating_function():
    h = 0.05
    seen = jt.work_fluctuations(ramped(), counting=[2 * h, h, -h, -2 * h])
    far, near, back, farther = np.asarray(seen.generating[-1])
    # Of five points, to h^4 in the first and second derivative and to h^2 in the third.
    assert float(seen.mean[-1]) == pytest.approx(-(8 * (near - back) - (far - farther)) / (12 * h), abs=1e-4)
    assert float(seen.variance[-1]) == pytest.approx((16 * (near + back) - (far + farther)) / (12 * h**2), abs=1e-4)
    third = -(far - 2 * near + 2 * back - farther) / (2 * h**3)
    assert float(seen.third_cumulant[-1]) == pytest.approx(third, abs=2e-2)


def gaussian_variances(count):
    """Variance added by each of `count` turns of the Stirling cycle, from the moments of (q, p, w) in the parabola."""
    grid = np.linspace(0.0, 12.0, 121)
    betas, fields = (np.asarray(jax.vmap(f)(grid)) for f in (CYCLE.beta, CYCLE.x))

    def slope(t, S):
        beta, dx = np.interp(t, grid, betas), (fields[i := min(int(t / 0.1), 119)], fields[i + 1])
        A = np.array([[0.0, 1.0, 0.0], [-1.0, -0.64, 0.0], [-(dx[1] - dx[0]) / 0.1, 0.0, 0.0]])
        S = S.reshape(3, 3)
        return (A @ S + S @ A.T + np.diag([0.0, 2.0 * 0.64 / beta, 0.0])).ravel()

    def turn(S):
        for a, b in zip(range(0, 12, 3), range(3, 13, 3), strict=True):
            S = solve_ivp(slope, (a + 1e-12, b - 1e-12), S, method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1]
        return S

    S = np.diag([1.0, 1.0, 0.0]).ravel()
    for _ in range(10):
        S = turn(S).reshape(3, 3)
        S[2], S[:, 2] = 0.0, 0.0
        S = S.ravel()
    ends = [0.0]
    for _ in range(count):
        S = turn(S)
        ends.append(S[-1])
    return np.diff(ends)


def test_work_of_cycles_in_a_parabola_is_gaussian_and_correlated():
    seen = jt.work_fluctuations(stirling(), cycles=3)
    assert seen.outcome == "ok"
    np.testing.assert_allclose(seen.added_variance, gaussian_variances(3), rtol=2e-7)
    np.testing.assert_allclose(seen.third_cumulant, 0.0, atol=2e-6)
    np.testing.assert_allclose(seen.mean[20::20], np.arange(1, 4) * float(stirling().work), rtol=1e-7)
    np.testing.assert_allclose(seen.time[20::20], [12.0, 24.0, 36.0])


def test_a_jump_of_the_field_takes_work_as_q_is_distributed():
    jump = jt.Ramp(0.3, 1.3, 0.5, 0.5 + 1e-9)
    seen = jt.work_fluctuations(jt.drive(harmonic(), 2.0, jump, TIMES, keep_states=True), steps=8)
    # The field does not wait for the state: <q> = 0.3, <q^2> - <q>^2 = 1/2.
    assert float(seen.mean[-1]) == pytest.approx(-0.3, abs=1e-6)
    assert float(seen.variance[-1]) == pytest.approx(0.5, abs=1e-6)


def test_jumps_of_a_cycle_count():
    """Against the covariance of (q, p, w): two straight pieces and two jumps."""
    cycle = jt.PiecewiseCycle(betas=[[1.0, 1.0], [2.0, 2.0]], x_values=[[0.0, 0.2], [1.0, 0.5]], period=6.0)
    seen = jt.work_fluctuations(jt.run_cycle(harmonic(), cycle, tol=1e-7, points=2))
    S = np.diag([1.0, 1.0, 0.0])
    for _ in range(12):
        S[2], S[:, 2] = 0.0, 0.0
        for beta, slope, jump in ((1.0, 0.2 / 3.0, 0.8), (2.0, -0.5 / 3.0, -0.5)):
            A = np.array([[0.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [-slope, 0.0, 0.0]])
            # Covariance by the exponential of [[A, D], [0, -A^T]] (Van Loan).
            moved = expm(3.0 * np.block([[A, np.diag([0.0, 2.0 / beta, 0.0])], [np.zeros((3, 3)), -A.T]]))
            S = (moved[:3, :3] @ S + moved[:3, 3:]) @ moved[:3, :3].T
            at = np.eye(3)
            at[2, 0] = -jump
            S = at @ S @ at.T
    assert float(seen.variance[-1]) == pytest.approx(S[2, 2], rel=1e-6)


def test_nothing_that_moves_takes_no_work():
    seen = jt.work_fluctuations(jt.drive(harmonic(), 1.0, 0.2, TIMES, keep_states=True), counting=[2.0])
    assert seen.outcome == "ok" and float(jnp.max(jnp.abs(seen.variance))) == 0.0
    np.testing.assert_allclose(seen.generating, 0.0, atol=1e-12)


def assert_both_modes_agree_with_differences(function, point, h):
    difference = float(function(point + h) - function(point - h)) / (2.0 * h)
    for derivative in (jax.grad, jax.jacfwd):
        assert float(jax.jit(derivative(function))(jnp.asarray(point))) == pytest.approx(difference, rel=2e-5)


def test_derivatives_in_both_modes_against_differences():
    def variance(end):
        run = dataclasses.replace(ramped(), protocol=Protocol(ramped().protocol.beta, jt.Ramp(1.0, end, 0.0, 1.5)))
        return jt.work_fluctuations(run, steps=2).variance[-1]

    assert_both_modes_agree_with_differences(variance, -0.5, 1e-3)


def test_derivatives_of_a_cycle_against_differences():
    def variance(x_end):
        cycle = jt.StirlingCycle(0.8, 1.6, 1.2, x_end, period=12.0)
        run = jt.run_cycle(quartic(grid=FINE), cycle, tol=1e-7, points=2, steps=8)
        return jt.search.work_variance(run, cycle)

    assert_both_modes_agree_with_differences(variance, 0.4, 1e-3)


def test_lanes_are_those_of_a_loop():
    def variance(x):
        run = jt.drive(quartic(grid=FINE), 1.0, jt.Ramp(0.0, x, 0.0, 1.0), TIMES, keep_states=True)
        return jt.work_fluctuations(run, steps=4).variance[-1]

    fields = jnp.array([0.5, 1.0])
    np.testing.assert_allclose(jax.vmap(variance)(fields), [variance(x) for x in fields], rtol=1e-6)


def test_a_search_finds_a_cycle_whose_work_fluctuates_less():
    cycle = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period=20.0)
    calm = jt.search.Negative(jt.search.work_variance)
    found = jt.optimise_cycle(quartic(grid=jt.PhaseGrid(5.6, 0.28, 10.5, 0.5)), cycle, calm, {"x_end": (0.8, 1.4)}, 3)
    # Least work fluctuates where the field hardly moves.
    assert float(found.cycle.x_end) > 1.3 and float(found.improvement) > 0.0


def test_what_cannot_be_counted_is_refused_by_name():
    still = jt.drive(quartic(grid=FINE), 1.0, 0.0, TIMES, keep_states=True)
    quantum = jt.quantum_oscillator(HARMONIC, 1.0, 1, 1, FINE)
    with pytest.raises(ValueError, match=r"`run` must be of a jt.classical_oscillator"):
        jt.work_fluctuations(dataclasses.replace(still, oscillator=quantum))
    with pytest.raises(ValueError, match="keep_states=True"):
        jt.work_fluctuations(dataclasses.replace(still, members=None))
    with pytest.raises(ValueError, match="`cycles` must be 1"):
        jt.work_fluctuations(still, cycles=2)
    with pytest.raises(ValueError, match="`counting` must have one axis"):
        jt.work_fluctuations(still, counting=1.0)
    with pytest.raises(ValueError, match="`counting`"):
        jt.work_fluctuations(still, counting=[np.nan])


def test_a_field_that_shifts_weight_off_the_grid_is_told():
    with pytest.warns(JaxthermoWarning):
        seen = jt.work_fluctuations(ramped(), counting=[4.0, 0.0])
    assert seen.outcome == "grid too small"
