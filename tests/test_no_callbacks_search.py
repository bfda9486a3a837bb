"""Programs of the searches call nothing on the host, so that JAX's cache on disk stores them."""

import jax
import jax.numpy as jnp
import pytest
from jaxthermo.search.minimum_work import _advance, _begin, _settled, search_for, search_one, starting_points
from systems import QUARTIC

import jaxthermo as jt
from jaxthermo.brownian.hierarchy import workspace
from jaxthermo.search.engine import _objective
from jaxthermo.search.ramp import _Problem, _value_and_slope

GRID = jt.PhaseGrid(5.0, 1.0, 7.0, 1.0)
CYCLE = jt.StirlingCycle(0.6, 1.2, 0.2, 0.9)
ONE, COUNT = jnp.asarray(1.0), jnp.asarray(8, jnp.int32)


def classical():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
    return oscillator, workspace(oscillator, GRID), jnp.ones((GRID.p_points, 1, GRID.q_points))


def searched(jumps=False):
    oscillator, work, V = classical()
    return search_for(oscillator, work, [1.0], [0.3], order=2, horizon=1.0, jumps=jumps, dt=0.25), V, work, ONE, ONE


def minimum_work():
    search, *at = searched()
    return _advance.lower(search, *at, _begin(starting_points(search, 0)[0]), COUNT).as_text()


def outcome():
    search, *at = searched()
    found = jax.eval_shape(search_one, search, *at, starting_points(search, 0))
    filled = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), found)
    return _settled.lower(search, *at, filled.minimum, ONE, (ONE, ONE), COUNT).as_text()


def pure():
    search, *at = searched(jumps=True)
    return jax.jit(lambda beta: search_one(search, *at[:2], beta, ONE, starting_points(search, 0))).lower(ONE).as_text()


def ramp():
    _, work, V = classical()
    problem = _Problem(V, work, ONE, ONE, 2.0 * ONE, ONE, COUNT, 64, 2, True)
    return _value_and_slope.lower(problem, jnp.zeros(6)).as_text()


def engine():
    oscillator, _, _ = classical()
    return _objective.lower(jnp.asarray([0.8]), oscillator, CYCLE, ONE, "power", (("x_end", ()),), 2).as_text()


PROGRAMS = {"minimum_work": minimum_work, "pure search": pure, "optimal_ramp": ramp, "optimise_cycle": engine}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_callbacks(name):
    text = PROGRAMS[name]()
    assert "stablehlo.while" in text
    assert "callback" not in text


def test_no_callbacks_in_what_judges_a_search():
    text = outcome()
    assert "stablehlo" in text and "callback" not in text
