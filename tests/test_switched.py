"""Baths that are switched: against closed moments, a bath of many oscillators, and the thermostat that they are."""

import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest
from systems import HARMONIC, QUARTIC, SEARCH_GRID

import jaxthermo as jt

BREATHING = jt.Polynomial([0.0, 0.0, -0.5])


def still(value):
    return lambda t: value


def windows(rate):
    """cos^2 and sin^2 for the library, and with their slopes for the reference."""
    ours = [lambda t: jnp.cos(rate * t) ** 2, lambda t: jnp.sin(rate * t) ** 2]
    first = (lambda t: np.cos(rate * t) ** 2, lambda t: -rate * np.sin(2 * rate * t))
    return ours, [first, (lambda t: np.sin(rate * t) ** 2, lambda t: rate * np.sin(2 * rate * t))]


@pytest.mark.parametrize("poles", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_two_baths_against_closed_moments(poles):
    """From rest in one bath, with both windows and the field moving."""
    ours, theirs = windows(0.7)
    xi, eta = exact.pade(poles)
    strengths, betas, ts = (1.0, 0.7), (0.9, 1.4), np.linspace(0.0, 4.0, 5)
    baths = [exact.SwitchedBath(a**2, b, *pair, xi, eta) for a, b, pair in zip(strengths, betas, theirs, strict=True)]
    reference = exact.SwitchedMoments(
        baths, still(1.0), still(0.0), lambda t: 0.4 + 0.2 * np.sin(t), lambda t: 0.2 * np.cos(t)
    )
    drift, diffusion = reference.linear(0.0)
    size = reference.size
    pairs = np.kron(drift, np.eye(size)) + np.kron(np.eye(size), drift)
    spread = np.linalg.solve(pairs, -diffusion.ravel()).reshape(size, size)
    mean = np.zeros(size)
    mean[0] = 0.4
    expected = reference.trajectory(ts, mean, spread)

    bath = jt.SwitchedBaths([jt.OhmicBath(a, poles, poles) for a in strengths], betas, ours)
    model = jt.quantum_oscillator(HARMONIC, bath, grid=jt.PhaseGrid(6.5 + poles, 0.5, 6.5 + 2.0 * poles, 0.5))
    run = jt.drive(model, 0.9, lambda t: 0.4 + 0.2 * jnp.sin(t), ts, tol=1e-7)
    assert run.ok
    for name, key in (("q2", "q2"), ("p2", "p2"), ("work", "work"), ("heat_of", "heat"), ("switching_of", "switching")):
        np.testing.assert_allclose(getattr(run, name), expected[key], atol=1e-5, err_msg=name)
    both = run.heat_of.sum(axis=1) + run.switching_of.sum(axis=1)
    np.testing.assert_allclose(run.H - run.H[0], run.work + both, atol=4e-6)


def microscopic(gamma, beta, window, rate, duration, cutoff, count, steps):
    """Heat and work of switching of an oscillator in a bath of `count` classical ones, from their covariance."""
    width = cutoff / count
    w = (np.arange(count) + 0.5) * width
    coupling = np.sqrt(2.0 / np.pi * gamma * width) * w
    sizes = np.concatenate([[0.3], 1.0 / (beta * w**2), [0.8], np.full(count, 1.0 / beta)])
    columns = np.diag(np.sqrt(sizes))
    x, p = columns[: count + 1].copy(), columns[count + 1 :].copy()

    def stretch(t):
        return x[1:] - (coupling * window(t) / w**2)[:, None] * x[0]

    def kick(t):
        away = stretch(t)
        p[0] += 0.5 * h * ((coupling * window(t)) @ away - x[0])
        p[1:] -= 0.5 * h * (w**2)[:, None] * away

    def energy(t):
        return 0.5 * np.sum(p[1:] ** 2) + 0.5 * np.sum((w**2)[:, None] * stretch(t) ** 2)

    def power(t):
        return -rate(t) * np.sum(x[0] * (coupling @ stretch(t)))

    h, before, work = duration / steps, energy(0.0), 0.0
    for step in range(steps):
        t = step * h
        early = power(t)
        kick(t)
        x += h * p
        kick(t + h)
        work += 0.5 * h * (early + power(t + h))
    return before - energy(duration), work


def test_the_heat_is_what_a_bath_of_oscillators_loses():
    """The closed moments know no bath but its force. Its cutoff is felt like 1/cutoff."""

    def window(t):
        return exact.smooth_step(0.5 * min(t, 6.0 - t))

    def rate(t):
        return 0.5 * exact.smooth_slope(0.5 * min(t, 6.0 - t)) * (1.0 if t < 3.0 else -1.0)

    bath = exact.SwitchedBath(0.64, 1.25, window, rate)
    moments = exact.SwitchedMoments([bath], still(1.0), still(0.0), still(0.0), still(0.0))
    end = moments.trajectory(np.array([0.0, 2.0, 4.0, 6.0]), np.zeros(2), np.diag([0.3, 0.8]))
    exchanged = np.array([end["heat"][-1, 0], end["switching"][-1, 0]])
    wide, wider = (
        np.array(microscopic(0.64, 1.25, window, rate, 6.0, cutoff, count, 36 * cutoff)) - exchanged
        for cutoff, count in ((15, 40), (30, 80))
    )
    assert np.all(np.abs(wider) < 0.6 * np.abs(wide))
    np.testing.assert_allclose(2.0 * wider - wide, 0.0, atol=1e-3)


def test_classical_baths_with_windows_cos_and_sin_are_a_thermostat():
    """xi_1^2 + xi_2^2 = 1 leaves the friction alone, and the diffusion is that of T = T_1 xi_1^2 + T_2 xi_2^2."""
    ts, rate, grid = np.linspace(0.0, 6.0, 4), 0.5, jt.PhaseGrid(6.0, 0.3, 8.4, 0.5)

    def beta(t):
        return 1.0 / (jnp.cos(rate * t) ** 2 / 0.7 + jnp.sin(rate * t) ** 2 / 1.3)

    def field(t):
        return 0.5 * jnp.sin(t)

    bath = jt.SwitchedBaths(
        [jt.OhmicBath(1.0, 0)] * 2, [0.7, 1.3], [lambda t: jnp.cos(rate * t), lambda t: jnp.sin(rate * t)]
    )
    pair = jt.drive(jt.classical_oscillator(QUARTIC, bath, grid), beta, field, ts)
    thermostat = jt.drive(jt.classical_oscillator(QUARTIC, 1.0, grid), beta, field, ts)
    for name in ("X", "U", "q2", "p2", "work", "heat", "work_int"):
        np.testing.assert_allclose(getattr(pair, name), getattr(thermostat, name), atol=2e-6, err_msg=name)
    both = pair.heat_of.sum(axis=1) + pair.switching_of.sum(axis=1)
    np.testing.assert_allclose(pair.H - pair.H[0], pair.work + both, atol=1e-6)


BETAS, FIELDS = (0.5, 1.0), np.array([0.0, -0.5, -0.875, -0.75])


def efficiency(work, heat, switching):
    return -(work + np.sum(switching)) / heat[0]


def test_a_carnot_cycle_against_closed_moments():
    """A short period: far from reversible, so that every number counts."""
    fields = np.array([0.0, -0.2, -0.5, -0.3])
    expected = exact.carnot_cycle(BETAS, fields, 24.0, 0.25, 0.25)
    model = jt.classical_oscillator(HARMONIC, 0.5, jt.PhaseGrid(9.0, 0.5, 7.5, 0.6), coordinate=BREATHING)
    run = jt.run_cycle(model, jt.CarnotCycle(0.5, 1.0, fields, 24.0, rise=0.25), 1e-6, points=2, progress=False)
    assert run.ok, run.outcome
    for name in ("heat", "switching"):
        np.testing.assert_allclose(getattr(run, f"{name}_of"), expected[name][-1], atol=1e-4, err_msg=name)
    assert float(run.work) == pytest.approx(expected["work"][-1], abs=1e-5)
    assert float(run.work + run.heat_of.sum() + run.switching_of.sum()) == pytest.approx(0.0, abs=1e-6)
    produced = float(jt.search.entropy_production_rate(run, run.cycle))
    assert produced == pytest.approx(-np.array([0.5, 1.0]) @ expected["heat"][-1] / 24.0, abs=2e-5) and produced > 0.0


@pytest.mark.slow
def test_a_slow_carnot_cycle_has_carnots_efficiency():
    """1 - T_c/T_h = 1/2, missed by c/tau: twice the period halves the error, up to the next order."""
    missed = []
    for tau in (800.0, 1600.0, 3200.0):
        end = exact.carnot_cycle(BETAS, FIELDS, tau, 0.1, 0.25)
        missed.append(tau * (0.5 - efficiency(end["work"][-1], end["heat"][-1], end["switching"][-1])))
    assert missed[0] > missed[1] > missed[2] > 0.0
    # What is left of the next order halves as well.
    assert missed[1] - missed[2] < 0.6 * (missed[0] - missed[1]) and missed[2] < 80.0


@pytest.mark.slow
def test_a_slow_quantum_carnot_cycle_has_carnots_efficiency():
    """At weak coupling and low temperature, with two poles for each bath."""
    missed = []
    for tau in (200.0, 400.0, 800.0):
        end = exact.carnot_cycle((2.0, 4.0), FIELDS, tau, 0.1, 0.25, poles=2)
        missed.append(tau * (0.5 - efficiency(end["work"][-1], end["heat"][-1], end["switching"][-1])))
    assert missed[0] > missed[1] > missed[2] > 0.0
    # The next order halves, or falls faster.
    assert missed[1] - missed[2] < 0.6 * (missed[0] - missed[1]) and missed[2] < 85.0


def test_an_otto_cycle_is_a_carnot_cycle_with_fields_at_rest():
    otto = jt.OttoCycle(0.5, 1.0, 0.3, -0.4, 40.0, (0.3, 0.2, 0.3, 0.2), 0.1)
    other = jt.CarnotCycle(0.5, 1.0, [0.3, 0.3, -0.4, -0.4], 40.0, (0.3, 0.2, 0.3, 0.2), 0.1)
    for t in np.linspace(-3.0, 45.0, 25):
        assert float(otto.x(t)) == float(other.x(t)) and float(otto.beta(t)) == float(other.beta(t))
        openings = [float(window(t)) for window in otto.switching().windows]
        assert openings == [float(window(t)) for window in other.switching().windows]
        # One bath at a time, and none on the strokes between.
        rests = min(abs(float(otto.x(t)) - field) for field in (0.3, -0.4)) < 1e-12
        assert min(openings) == 0.0 and (max(openings) == 0.0 or rests)
    np.testing.assert_allclose(otto.knots(), other.knots())


def test_fields_of_equal_entropy():
    """A parabola, for which beta w stays the same; a pure power of q, whose levels go as x^(1/3)."""
    for make in (jt.classical_oscillator, jt.quantum_oscillator):
        parabola = make(HARMONIC, 0.5, coordinate=BREATHING)
        assert float(jt.isentropic_field(parabola, 0.5, 0.0, 1.0, (-0.9, 0.0))) == pytest.approx(-0.75, abs=1e-8)
    # Hot enough for hundreds of levels, and for more than can be counted.
    hot = jt.quantum_oscillator(HARMONIC, 0.5, coordinate=BREATHING)
    assert float(jt.isentropic_field(hot, 0.1, 0.0, 0.2, (-0.9, 0.0))) == pytest.approx(-0.75, abs=1e-10)
    with pytest.raises(ValueError, match="`beta` must be so large that waves on 1500 points hold the populated"):
        jt.isentropic_field(hot, 0.02, 0.0, 0.04, (-0.9, 0.0))
    power = jt.quantum_oscillator(jt.Polynomial([0.0] * 5), 0.5, coordinate=lambda q: -(q**4))
    assert float(jt.isentropic_field(power, 0.5, 1.0, 1.0, (0.05, 1.0))) == pytest.approx(0.125, abs=1e-6)
    # A small unit of fields: what is near enough must not be a number with a unit.
    faint = jt.classical_oscillator(HARMONIC, 0.5, coordinate=lambda q: -0.5e15 * q * q)
    assert float(jt.isentropic_field(faint, 0.5, 0.0, 1.0, (-0.9e-15, 0.0))) == pytest.approx(-0.75e-15, rel=1e-8)
    shifted = jt.classical_oscillator(HARMONIC, 0.5)
    with pytest.raises(ValueError, match="`bounds` must hold a field at which the entropy"):
        jt.isentropic_field(shifted, 0.5, 0.0, 1.0, (-1.0, 1.0))


BAD = {
    "fields": (lambda: jt.CarnotCycle(0.5, 1.0, [0.0, 1.0]), "`x_values` must have shape"),
    "strokes": (lambda: jt.OttoCycle(0.5, 1.0, 0.0, 1.0, strokes=[0.25] * 3), "`strokes` must have shape"),
    "sum": (lambda: jt.OttoCycle(0.5, 1.0, 0.0, 1.0, strokes=[0.3] * 4), "`strokes` must sum to 1"),
    "rise": (lambda: jt.OttoCycle(0.5, 1.0, 0.0, 1.0, rise=0.5), "`rise` must be < 0.5"),
    "cold": (lambda: jt.CarnotCycle(0.5, -1.0, FIELDS), "`beta_cold` must be > 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_impossible_cycles_are_named(case):
    make, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        jt.run_cycle(jt.classical_oscillator(QUARTIC, 1.0, SEARCH_GRID), make())


def test_windows_that_do_not_come_back_and_baths_in_a_carnot_cycle_are_refused():
    bath = jt.SwitchedBaths([jt.OhmicBath(1.0, 0)], [1.0], [lambda t: 1.0 + 0.1 * t])
    model = jt.classical_oscillator(QUARTIC, bath, SEARCH_GRID)
    with pytest.raises(ValueError, match="`windows` must end the period where they began"):
        jt.run_cycle(model, jt.PeriodicCycle(1.0, lambda t: jnp.sin(t), 2.0 * np.pi))
    with pytest.raises(ValueError, match="`oscillator` must have an OhmicBath for a CarnotCycle"):
        jt.run_cycle(model, jt.CarnotCycle(0.5, 1.0, FIELDS))


@pytest.mark.slow
def test_a_quantum_carnot_cycle_against_closed_moments():
    """One pole for each bath; depth 1 is exact for a parabola."""
    fields = np.array([0.0, -0.2, -0.5, -0.3])
    expected = exact.carnot_cycle(BETAS, fields, 24.0, 0.25, 0.25, poles=1)
    grid = jt.PhaseGrid(9.0, 0.5, 8.0, 0.6)
    model = jt.quantum_oscillator(HARMONIC, 0.5, 1, 1, grid, coordinate=BREATHING)
    run = jt.run_cycle(model, jt.CarnotCycle(0.5, 1.0, fields, 24.0, rise=0.25), 1e-5, points=2, progress=False)
    assert run.ok, run.outcome
    for name in ("heat", "switching"):
        np.testing.assert_allclose(getattr(run, f"{name}_of"), expected[name][-1], atol=2e-4, err_msg=name)
    assert float(run.work) == pytest.approx(expected["work"][-1], abs=2e-5)


@pytest.mark.slow
def test_a_cycle_of_switched_baths_is_differentiated():
    model = jt.classical_oscillator(HARMONIC, 1.0, jt.PhaseGrid(11.0, 0.7, 8.0, 0.7), coordinate=BREATHING)

    def heat(period, field):
        cycle = jt.CarnotCycle(0.5, 1.0, jnp.stack([0.0, field, -0.5, -0.3]), period)
        return jt.run_cycle(model, cycle, 1e-8, points=1, steps=20).heat_of[0]

    place = (jnp.asarray(20.0), jnp.asarray(-0.2))
    slopes = jax.grad(heat, argnums=(0, 1))(*place)
    for i, step in enumerate((1e-2, 1e-3)):
        ends = [heat(*(value + sign * step * (j == i) for j, value in enumerate(place))) for sign in (1.0, -1.0)]
        assert float(slopes[i]) == pytest.approx(float(ends[0] - ends[1]) / (2.0 * step), rel=1e-4)
    lanes = jax.vmap(heat)(jnp.asarray([20.0, 22.0]), jnp.asarray([-0.2, -0.25]))
    assert float(lanes[0]) == pytest.approx(float(heat(*place)), abs=1e-8)


@pytest.mark.parametrize("jump", [1.0, 0.7])
def test_windows_that_jump_are_refused(jump):
    """At a saved time and between two of them: the work of it would be infinite, and depend on the time step."""
    bath = jt.SwitchedBaths([jt.OhmicBath(1.0, 0)], [1.0], [lambda t: jnp.where(t < jump, 1.0, 0.5)])
    with pytest.raises(ValueError, match=f"`windows` must not jump.* moves by 0.5 at t = {jump:g}"):
        jt.drive(jt.classical_oscillator(QUARTIC, bath, SEARCH_GRID), 1.0, 0.0, [0.0, 1.0, 2.0])
