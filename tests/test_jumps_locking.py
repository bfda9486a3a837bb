"""Networks that cycle under a drive: locked or free, against the cycle alone and the multipliers of periodic states."""

import jax
import jax.numpy as jnp
import pytest

import jaxthermo as jt
from tests.systems import ring

BETA = 3.5


def pushed(amplitude, period):
    return ring(force=lambda t: 1.0 + amplitude * jnp.cos(2.0 * jnp.pi * t / period))


def follow(amplitude, period, **more):
    return jt.jumps.locking(pushed(amplitude, period), BETA, period, transient=100, periods=99, steps=64, **more)


@pytest.fixture(scope="module")
def own():
    """The period of the ring by itself."""
    return float(jt.jumps.stationary(ring(), BETA).period)


def test_without_a_drive_it_turns_in_its_own_time(own):
    found = follow(0.0, 6.0)
    assert bool(found.ok) and not bool(found.locked)
    # Forward hops lead from a state to the next; the angle is known to the sway of one turn.
    assert abs(float(found.rotation_number)) == pytest.approx(6.0 / own, abs=2e-3)
    assert abs(float(found.lyapunov)) < 3.0 / (99.0 * 6.0)


def test_a_drive_of_a_third_of_the_period_locks_it(own):
    """A turn by one state is a third of a turn; the exponent is that of the multipliers over three periods."""
    period = 0.8885 * own / 3.0
    found = follow(0.4, period)
    assert bool(found.ok) and bool(found.locked)
    assert abs(float(found.rotation_number)) == pytest.approx(1.0 / 3.0, abs=1e-9)
    state = jt.jumps.periodic_state(pushed(0.4, period), BETA, 3.0 * period, found.occupation)
    assert bool(state.ok)
    exponent = float(jnp.log(jnp.abs(state.multipliers[0]))) / (3.0 * period)
    assert float(found.lyapunov) == pytest.approx(exponent, rel=1e-3) and exponent < 0.0


def test_lanes_are_what_single_calls_give():
    together = jax.vmap(lambda a: follow(a, 5.3))(jnp.array([0.3, 0.1]))
    single = follow(0.3, 5.3)
    assert float(together.rotation_number[0]) == pytest.approx(float(single.rotation_number), abs=1e-10)
    assert together.locked.shape == (2,) and "lyapunov" in together.to_dataset()
    with pytest.raises(NotImplementedError, match="`locking` has no derivatives"):
        jax.grad(lambda a: follow(a, 5.3).lyapunov)(0.3)


def test_steps_that_are_too_long_are_said():
    with pytest.warns(UserWarning, match="time step too long"):
        found = jt.jumps.locking(pushed(0.05, 9.0), BETA, 9.0, transient=5, periods=5, steps=32)
    assert found.status == jt.Status.time_step_too_long


BAD = {
    "period": (lambda: jt.jumps.locking(pushed(0.6, 5.0), BETA, 4.0), "`period` must be a period of forces"),
    "no period": (lambda: jt.jumps.locking(pushed(0.6, 5.0), BETA, 0.0), "`period` must be > 0"),
    "two steps": (lambda: jt.jumps.locking(ring(), BETA, 5.0, steps=2), "`steps` must be an integer >= 8"),
    "no periods": (lambda: jt.jumps.locking(ring(), BETA, 5.0, periods=0), "`periods` must be an integer >= 1"),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD.keys())
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
