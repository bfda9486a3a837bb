"""Programs of driven solves and cycles call nothing on the host, so that JAX's cache on disk stores them."""

import diffrax
import jax
import jax.numpy as jnp
import pytest

import jaxthermo as jt
from jaxthermo.brownian import stationary_turn
from jaxthermo.brownian.canonical import canonical_members
from jaxthermo.brownian.drive import Protocol, course
from jaxthermo.brownian.hierarchy import workspace
from jaxthermo.brownian.turns import Engine, SplitTurns, _begin, _go_on

GRID = jt.PhaseGrid(5.0, 1.0, 7.0, 1.0)
MODEL = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), 1.0, 1, 1, GRID)
CYCLE = jt.StirlingCycle(0.6, 1.2, 0.2, 0.9)
TIMES = jnp.linspace(0.0, 2.0, 3)


def lowered(function, *args):
    return jax.jit(function).trace(*args).lower().as_text()


def driven(solver, **keywords):
    V = canonical_members(workspace(MODEL, GRID), 1.0, 0.3)

    def run(V, beta):
        return course(MODEL, Protocol(jt.Constant(beta), jt.Constant(0.3)), V, TIMES, GRID, solver=solver, **keywords)

    return lowered(run, V, jnp.asarray(0.9))


def cycle(solver, reverse):
    def work(beta):
        turned = jt.StirlingCycle(beta, 1.2, 0.2, 0.9)
        return stationary_turn(MODEL, turned, GRID, points=1, steps=1, solver=solver, reverse=reverse).work

    if solver is not None:
        return lowered(work, jnp.asarray(0.6))
    return lowered(jax.grad(work) if reverse else jax.jacfwd(work), jnp.asarray(0.6))


PROGRAMS = {
    "drive": lambda: driven(None),
    "drive, fixed steps": lambda: driven(None, steps=3),
    "drive, explicit": lambda: driven(diffrax.Tsit5()),
    "cycle, forward": lambda: cycle(None, False),
    "cycle, reverse": lambda: cycle(None, True),
    "cycle, explicit": lambda: cycle(diffrax.Heun(), False),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_callbacks(name):
    text = PROGRAMS[name]()
    assert "stablehlo.while" in text
    assert "callback" not in text


def test_no_callbacks_in_the_search_from_the_host():
    turns = SplitTurns(Engine(MODEL, CYCLE, TIMES, GRID), False)
    leg = _begin(turns.engine, canonical_members(workspace(MODEL, GRID), 1.0, 0.3))
    one = jnp.asarray(1, jnp.int32)
    text = _go_on.lower(turns.engine, leg, one, one, jnp.asarray(True)).as_text()
    assert "stablehlo.while" in text
    assert "callback" not in text
