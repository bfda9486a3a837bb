"""Plain callables of time as programs whose numbers are arrays."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from jaxthermo.protocols.formula import Formula, formula
from tests.systems import compilations, ring


def made(function):
    return formula(function, jnp.zeros(()))


def wave(rate):
    return lambda t: 1.0 - rate * jnp.sin(2 * jnp.pi * t / 5.0) ** 2 + jnp.where(t > rate, 0.3, jnp.clip(t, 0.0, 0.7))


def test_it_computes_what_the_callable_does():
    for t in (0.0, 0.25, 1.3, 7.0):
        assert made(wave(0.3))(t) == wave(0.3)(t)


def test_another_number_runs_in_the_same_program():
    traces = []

    @eqx.filter_jit
    def value(schedule, t):
        traces.append(t)
        return schedule(t)

    values = [float(value(made(wave(rate)), 1.3)) for rate in (0.3, 0.4, 0.5)]
    np.testing.assert_allclose(values, [float(wave(rate)(1.3)) for rate in (0.3, 0.4, 0.5)], rtol=1e-15)
    assert len(traces) == 1


def test_another_formula_is_another_program():
    assert made(lambda t: 1.0 + t).program != made(lambda t: 1.0 - t).program
    assert made(lambda t: t**2).program != made(lambda t: t**3).program


def test_a_formula_of_no_time_is_a_constant():
    assert float(made(lambda t: 2.5)(1.0)) == 2.5


def test_numbers_that_jax_traces_are_differentiated():
    slope = jax.grad(lambda rate: made(wave(rate))(1.3))(0.3)
    np.testing.assert_allclose(slope, jax.grad(lambda rate: wave(rate)(1.3))(0.3), rtol=1e-15)


def test_arrays_that_it_closes_over_are_arguments():
    def table(values):
        return made(lambda t: jnp.interp(t, jnp.arange(4.0), jnp.asarray(values)))

    one, two = table(np.array([0.0, 1.0, 4.0, 9.0])), table(np.array([0.0, 2.0, 3.0, 5.0]))
    assert isinstance(one, Formula)
    assert one.program == two.program
    assert (float(one(1.5)), float(two(1.5))) == (2.5, 2.5)
    assert (float(one(2.5)), float(two(2.5))) == (6.5, 4.0)


def test_what_its_text_does_not_say_stays_a_callable():
    hidden = np.linspace(0.0, 1.0, 5)
    inner = jax.jit(lambda t: jnp.sum(hidden * t))

    @jax.custom_jvp
    def bent(t):
        return t**2

    bent.defjvp(lambda primals, tangents: (primals[0] ** 2, 3.0 * tangents[0]))

    for function in (lambda t: inner(t), lambda t: bent(t)):
        kept = made(function)
        assert float(kept(2.0)) == float(function(2.0))
        assert float(jax.grad(kept)(2.0)) == float(jax.grad(function)(2.0))


def test_a_lambda_in_a_loop_drives_a_ring_without_compiling_again():
    ts = np.linspace(0.0, 2.0, 3)

    def driven(rate):
        return jt.potts.evolve(ring(), lambda t: 2.0 + rate * t, None, ts)

    driven(0.1)
    with compilations() as done:
        driven(0.2)
    assert not done
