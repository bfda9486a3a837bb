"""Cycles made of any two functions of time: exact work of a harmonic oscillator, the same cycle written twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import systems

import jaxthermo as jt


def test_a_harmonic_oscillator_dissipates_what_its_susceptibility_says():
    w, amplitude = 1.3, 0.4
    cycle = jt.PeriodicCycle(1.0, lambda t: 0.1 + amplitude * jnp.cos(w * t), 2.0 * np.pi / w)
    model = jt.classical_oscillator(systems.HARMONIC, 0.9, systems.RAMP_GRID)
    run = jt.run_cycle(model, cycle, 1e-8, points=4, steps=8)
    susceptibility = jt.spectrum(model, 1.0, 0.0, [w]).response[0]
    assert float(run.work) == pytest.approx(np.pi * amplitude**2 * float(susceptibility.imag), abs=2e-5)
    assert float(run.heat) == pytest.approx(-float(run.work), abs=1e-6)


def test_a_stirling_cycle_written_as_tables_is_that_cycle():
    stirling = jt.StirlingCycle(0.7, 1.1, 0.2, 0.9, 8.0)
    corners = np.asarray(stirling.corners())
    beta, x = (jt.Table(corners, values) for values in ([0.7, 0.7, 1.1, 1.1, 0.7], [0.2, 0.9, 0.9, 0.2, 0.2]))
    cycle = jt.PeriodicCycle(beta, x, 8.0, corners[1:-1])
    model = jt.classical_oscillator(systems.HARMONIC, 1.0, systems.RAMP_GRID)
    works = [float(jt.run_cycle(model, one, 1e-7, points=2, steps=6).work) for one in (cycle, stirling)]
    assert works[0] == pytest.approx(works[1], abs=1e-10)
    np.testing.assert_allclose(cycle.knots(), stirling.knots())


def test_it_repeats_and_knows_its_bounds():
    cycle = jt.PeriodicCycle(lambda t: 1.0 + 0.2 * jnp.sin(t), 0.5, 2.0 * np.pi)
    assert float(cycle.beta(1.0 + 4.0 * np.pi)) == pytest.approx(float(cycle.beta(1.0)))
    betas, fields = cycle.bounds()
    np.testing.assert_allclose([betas.min(), betas.max(), fields.min()], [0.8, 1.2, 0.5], atol=1e-3)
    slope = jax.grad(lambda a: jt.PeriodicCycle(lambda t: 1.0 + a * jnp.sin(t), 0.5, 6.0).beta(1.0))(0.3)
    assert float(slope) == pytest.approx(np.sin(1.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, lambda t: t, 6.0), "`x`"),
        ((lambda t: 0.5 - t * (6.0 - t), 0.5, 6.0), "`beta`"),
        ((1.0, 0.5, -1.0), "`period`"),
        ((1.0, 0.5, 6.0, [3.0, 2.0]), "`corners`"),
        ((1.0, 0.5, 6.0, [3.0, 7.0]), "`corners`"),
    ],
)
def test_impossible_cycles_are_named(arguments, message):
    model = jt.classical_oscillator(systems.HARMONIC, 1.0, systems.RAMP_GRID)
    with pytest.raises(ValueError, match=message):
        jt.run_cycle(model, jt.PeriodicCycle(*arguments), steps=1, points=1, max_cycles=1)
