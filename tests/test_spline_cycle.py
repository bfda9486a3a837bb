"""Cycles of periodic cubic splines: SciPy's B-splines, exact work in a parabola, derivatives, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import BSpline
from systems import HARMONIC, RAMP_GRID

import jaxthermo as jt

BETAS, FIELDS = [0.9, 0.8, 0.6, 0.5, 0.55, 0.7], [0.2, 0.9, -0.3, 0.1, 0.6, 0.4]
CYCLE = jt.SplineCycle(BETAS, FIELDS, 6.6)


def test_values_are_those_of_periodic_b_splines():
    times, spacing = np.linspace(-7.0, 13.0, 301), 1.1
    values = jax.jit(jax.vmap(CYCLE.beta))(times), jax.jit(jax.vmap(CYCLE.x))(times)
    for found, coefficients in zip(values, (BETAS, FIELDS), strict=True):
        # The B-spline on the knots i - 2 .. i + 2 belongs to coefficient i.
        wrapped = [coefficients[i % 6] for i in range(-1, 8)]
        spline = BSpline(spacing * np.arange(-3, 10), wrapped, 3)
        np.testing.assert_allclose(found, spline(times % 6.6), atol=1e-12)
        assert min(coefficients) <= np.min(found) + 1e-12 and np.max(found) <= max(coefficients) + 1e-12
    np.testing.assert_allclose(CYCLE.knots(), spacing * np.arange(7))


def test_work_in_a_parabola_is_that_of_the_susceptibility():
    """A harmonic of amplitude A_n of the field costs n pi A_n^2 Im chi(n w) in a period, chi = 1/(1 - w^2 - i g w)."""
    strength, samples = 0.9, 1024
    at_rest = jt.SplineCycle([1.0] * 6, FIELDS, 6.6)
    fields = np.asarray(jax.jit(jax.vmap(at_rest.x))(6.6 * np.arange(samples) / samples))
    n = np.arange(1, 40)
    amplitudes, w = 2.0 * np.abs(np.fft.rfft(fields))[n] / samples, n * 2.0 * np.pi / 6.6
    exact = np.sum(n * np.pi * amplitudes**2 * (1.0 / (1.0 - w**2 - 1j * strength**2 * w)).imag)
    model = jt.classical_oscillator(HARMONIC, strength, RAMP_GRID)
    run = jt.run_cycle(model, at_rest, 1e-7, points=1, steps=16)
    assert exact > 0.1 and float(run.work) == pytest.approx(exact, abs=2e-5)
    assert float(run.heat) == pytest.approx(-exact, abs=2e-5)


def test_values_have_derivatives_in_lanes():
    def value(field, period):
        return jt.SplineCycle(BETAS, [*FIELDS[:5], field], period).x(2.0)

    both = jax.jit(jax.vmap(jax.value_and_grad(value, argnums=(0, 1))))
    values, (by_field, by_period) = both(jnp.array([0.3, 0.5]), jnp.array([6.6, 2.5]))
    for lane, (field, period) in enumerate([(0.3, 6.6), (0.5, 2.5)]):
        assert float(values[lane]) == pytest.approx(float(value(field, period)), abs=1e-14)
        assert float(by_field[lane]) == pytest.approx(float(value(field + 1.0, period) - value(field, period)))
        slope = (value(field, period + 1e-5) - value(field, period - 1e-5)) / 2e-5
        assert float(by_period[lane]) == pytest.approx(float(slope), abs=1e-8)


def test_a_copy_of_another_cycle_stays_between_its_extremes():
    stirling = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, 20.0)
    copied = jt.SplineCycle.along(stirling, 32)
    times = jnp.linspace(0.0, 20.0, 201)
    for name, low, high in (("beta", 0.5, 1.0), ("x", 1.0, 1.5)):
        values, wanted = (np.asarray(jax.jit(jax.vmap(getattr(one, name)))(times)) for one in (copied, stirling))
        assert low - 1e-12 <= values.min() and values.max() <= high + 1e-12
        # Corners are rounded by 1/6 of how much the slope changes there in a piece.
        assert np.abs(values - wanted).max() < 1.01 * (high - low) * (20.0 / 32) / 5.0 / 6.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5, 1.0, 1.0], [1.0] * 3), "`beta_coefficients` must have shape"),
        (([0.5] * 4, [1.0] * 5), "`x_coefficients` must have the 4 pieces"),
        (([0.5, 1.0, -0.1, 0.4], [1.0] * 4), "`beta_coefficients` must be > 0"),
        (([0.5] * 4, [1.0] * 4, -1.0), "`period`"),
        (([0.5] * 4, [1.0, 2.0, np.nan, 0.0]), "`x_coefficients`"),
    ],
)
def test_impossible_cycles_are_named(arguments, message):
    model = jt.classical_oscillator(HARMONIC, 1.0, RAMP_GRID)
    with pytest.raises(ValueError, match=message):
        jt.run_cycle(model, jt.SplineCycle(*arguments), steps=1, points=1, max_cycles=1)


def test_a_cycle_that_switches_baths_is_not_copied():
    with pytest.raises(ValueError, match="switches baths"):
        jt.SplineCycle.along(jt.CarnotCycle(0.5, 1.0, [0.0, -0.2, -0.5, -0.3], 24.0))
