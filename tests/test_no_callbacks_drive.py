"""Programs of driven solves and cycles call nothing on the host, so that JAX's cache on disk stores them."""

import diffrax
import jax
import jax.numpy as jnp
import pytest

import jaxthermo as jt

GRID = jt.PhaseGrid(5.0, 1.0, 7.0, 1.0)
MODEL = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), 1.0, 1, 1, GRID)
TIMES = jnp.linspace(0.0, 2.0, 3)


def lowered(function):
    return jax.jit(function).trace(jnp.asarray(0.6)).lower().as_text()


def driven(beta, **keywords):
    return jt.drive(MODEL, jt.Constant(beta), 0.3, TIMES, **keywords).work[-1]


def cycle(beta, **keywords):
    return jt.run_cycle(MODEL, jt.StirlingCycle(beta, 1.2, 0.2, 0.9), points=1, **keywords).work


PROGRAMS = {
    "drive": lambda: lowered(driven),
    "drive, fixed steps": lambda: lowered(lambda beta: driven(beta, dt=0.3)),
    "drive, explicit": lambda: lowered(lambda beta: driven(beta, solver=diffrax.Tsit5())),
    "drive, reverse": lambda: lowered(jax.grad(driven)),
    "cycle": lambda: lowered(cycle),
    "cycle, forward": lambda: lowered(jax.jacfwd(lambda beta: cycle(beta, steps=1))),
    "cycle, reverse": lambda: lowered(jax.grad(lambda beta: cycle(beta, steps=1))),
    "cycle, explicit": lambda: lowered(lambda beta: cycle(beta, solver=diffrax.Heun())),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_callbacks(name):
    text = PROGRAMS[name]()
    assert "stablehlo.while" in text
    assert "callback" not in text
