"""Steps taken in loops of our own, slices of long loops, and functions that compile in half the time."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems import compilations

from jaxthermo.solve.integrate import OK, OUT_OF_STEPS, integrate
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.slices import SECONDS, in_slices
from jaxthermo.solve.stepping import Stepper, sampling, solve_to, walk

TIMES = jnp.array([0.3, 1.0, 2.0])


def turn(t, y, rate):
    """A harmonic oscillator: (cos, -sin) of rate x t from (1, 0)."""
    return rate * jnp.stack([y[1], -y[0]])


def exact(t):
    return np.stack([np.cos(2.0 * t), -np.sin(2.0 * t)], axis=-1)


@pytest.mark.parametrize("solver", [diffrax.Tsit5(), diffrax.Dopri8()], ids=["Tsit5", "Dopri8"])
def test_steps_are_those_of_diffeqsolve(solver):
    rate, start = jnp.asarray(2.0), jnp.array([1.0, 0.0])
    stepper = Stepper(turn, rate, solver, 1e-9, 1e-11)

    @jax.jit
    def ours(start):
        note = sampling(stepper, TIMES, lambda y: y)
        return solve_to(stepper, start, TIMES[-1], 400, jnp.zeros((3, 2)), note, 0.01)

    @jax.jit
    def theirs(start):
        times = {"t0": 0.0, "t1": TIMES[-1], "dt0": 0.01, "saveat": diffrax.SaveAt(ts=TIMES)}
        return integrate(turn, start, rate, **times, rtol=1e-9, atol=1e-11, max_steps=400, solver=solver).ys

    end, samples, status = ours(start)
    assert int(status) == OK
    np.testing.assert_allclose(end, samples[-1], atol=1e-13)
    np.testing.assert_allclose(end, theirs(start)[-1], atol=1e-12)
    np.testing.assert_allclose(samples, exact(np.asarray(TIMES)), atol=1e-7)


def test_too_few_steps_and_fields_that_are_not_numbers_are_said():
    solve = jax.jit(lambda rate: solve_to(Stepper(turn, rate, diffrax.Tsit5(), 1e-9, 1e-11), TIMES[:2], TIMES[-1], 9))
    for rate in (jnp.asarray(50.0), jnp.asarray(jnp.nan)):
        assert int(solve(rate)[2]) == OUT_OF_STEPS


def test_a_walk_keeps_its_last_points_to_the_right():
    """A first step far too long is refused, so that there are fewer points than steps."""
    stepper = Stepper(turn, jnp.asarray(2.0), diffrax.Tsit5(), 1e-7, 1e-10)
    times, states, count = jax.jit(lambda y: walk(stepper, y, 40, jnp.asarray(30.0)))(jnp.array([1.0, 0.0]))
    unused = 40 - int(count)
    assert 0 < unused < 40 and times.shape == (41,)
    np.testing.assert_array_equal(times[: unused + 1], 0.0)
    assert np.all(np.diff(times[unused:]) > 0)
    np.testing.assert_allclose(states, exact(np.asarray(times)), atol=1e-5)


def test_slices_add_up_and_an_interrupt_ends_them():
    asked = []

    def count_up(now, steps):
        asked.append(int(steps))
        return jnp.minimum(now + steps, 1000)

    assert int(in_slices(count_up, jnp.asarray(0, jnp.int32), lambda now: now < 1000)) == 1000
    assert asked == [64, 128, 256, 512, 1024][: len(asked)] and sum(asked) >= 1000
    asked.clear()
    assert int(in_slices(count_up, jnp.asarray(0, jnp.int32), lambda now: now < 1000, first=1)) == 1000
    # They are short on any machine, so each is twice as long as the one before.
    assert asked == [2**n for n in range(len(asked))] and SECONDS <= 2.0

    def interrupted(now, steps):
        asked.append(int(steps))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return now

    asked.clear()
    with pytest.raises(KeyboardInterrupt):
        in_slices(interrupted, jnp.asarray(0), lambda now: True)
    assert len(asked) == 2


def test_a_lean_function_is_like_any_other_and_compiles_once():
    @lean_jit
    def cubed(x, power):
        return x**power

    with compilations() as compiled:
        values = [float(cubed(jnp.asarray(x), 3)) for x in (1.0, 2.0, 3.0)]
    assert values == [1.0, 8.0, 27.0] and sum("cubed" in name for name in compiled) == 1
    assert float(jax.grad(lambda x: cubed(x, 3))(2.0)) == 12.0
    np.testing.assert_array_equal(jax.vmap(lambda x: cubed(x, 3))(jnp.arange(3.0)), [0.0, 1.0, 8.0])
    # With nothing traced but the call itself.
    assert float(jax.jit(lambda: cubed(jnp.asarray(2.0), 3))()) == 8.0
