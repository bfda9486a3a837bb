"""Solves without their checks: no callbacks are left, and nothing else has changed."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxthermo.solve.checks_off import without_checks

TS = jnp.array([0.0, 0.5, 1.0])


def decay(rate, *, adjoint=None, max_steps=256):
    """exp(-rate t) at TS; its traced first step and its times are what diffrax checks."""
    return diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, _: -rate * y),
        diffrax.Dopri8(),
        t0=TS[0],
        t1=TS[-1],
        dt0=0.01 * rate,
        y0=jnp.ones(2),
        saveat=diffrax.SaveAt(ts=TS),
        stepsize_controller=diffrax.PIDController(rtol=1e-10, atol=1e-12),
        adjoint=diffrax.ForwardMode() if adjoint is None else adjoint,
        max_steps=max_steps,
        throw=False,
    )


def end(rate):
    """The last state's first number, with the rate enclosed rather than handed in."""
    return without_checks(lambda: decay(rate))().ys[-1, 0]


def end_for_reverse(rate):
    return without_checks(decay)(rate, adjoint=diffrax.RecursiveCheckpointAdjoint()).ys[-1, 0]


def test_only_the_callbacks_are_gone():
    rate = jnp.asarray(1.5)
    plain = jax.jit(lambda k: decay(k).ys).lower(rate).as_text()
    free = jax.jit(lambda k: without_checks(decay)(k).ys).lower(rate).as_text()
    assert "callback" in plain and "callback" not in free
    ours, theirs = without_checks(decay)(rate), decay(rate)
    assert ours.stats["num_steps"] == theirs.stats["num_steps"]
    # The error of a first, very short step is rounding, which differs and sets the next step.
    np.testing.assert_allclose(ours.ys, theirs.ys, rtol=5e-9)
    np.testing.assert_allclose(ours.ys[:, 0], np.exp(-1.5 * TS), rtol=5e-9)


def test_it_may_be_vmapped_and_differentiated_in_both_modes():
    rates = jnp.array([0.5, 1.5])
    np.testing.assert_allclose(jax.jit(jax.vmap(end))(rates), np.exp(-rates), rtol=1e-9)
    slopes = -np.exp(-rates)
    np.testing.assert_allclose(jax.vmap(jax.jacfwd(end))(rates), slopes, rtol=1e-8)
    np.testing.assert_allclose(jax.jvp(end, (rates[0],), (2.0,))[1], 2.0 * slopes[0], rtol=1e-8)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(end_for_reverse)))(rates), slopes, rtol=1e-8)
    assert "callback" not in jax.jit(jax.grad(end_for_reverse)).lower(rates[0]).as_text()
    assert "callback" not in jax.jit(jax.vmap(end)).lower(rates).as_text()


@pytest.mark.parametrize(("steps", "result"), [(2, "max_steps_reached"), (256, "successful")])
def test_trouble_is_still_reported(steps, result):
    solution = without_checks(decay)(jnp.asarray(1.5), max_steps=steps)
    assert solution.result == getattr(diffrax.RESULTS, result)
    assert solution.interpolation is None
