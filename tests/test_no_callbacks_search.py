"""Programs of the searches call nothing on the host, so that JAX's cache on disk stores them."""

import jax
import jax.numpy as jnp
import pytest
from systems import QUARTIC

import jaxthermo as jt
from jaxthermo.brownian.hierarchy import equation_on
from jaxthermo.search.engine import _loss
from jaxthermo.search.potential_range import problem_of
from jaxthermo.search.ramp_problem import RampProblem, value_and_slope
from jaxthermo.search.refinement import _advanced, first_refinement

GRID = jt.PhaseGrid(5.0, 1.0, 7.0, 1.0)
CYCLE = jt.StirlingCycle(0.6, 1.2, 0.2, 0.9)
ONE, COUNT = jnp.asarray(1.0), jnp.asarray(8, jnp.int32)


def text_of(function, *args):
    return jax.jit(function).lower(*args).as_text()


def state(beta):
    return jt.equilibrium(jt.classical_oscillator(QUARTIC, 1.0, GRID), beta, 0.3)


def rounds():
    """What `minimum_work` calls from the host, again and again."""
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
    V, potential = jnp.ones((GRID.p_points, 1, GRID.q_points)), jt.search.potential_around(oscillator, 1.0, 0.3)
    problem = problem_of(oscillator, potential, V, ONE, ONE, ONE, 2, False)
    first = first_refinement(jnp.zeros(problem.parameters), COUNT)
    return text_of(lambda problem, now: _advanced(problem, now, COUNT, 64), problem, first)


def whole():
    """The whole search with what judges it, differentiated."""

    def value(beta):
        return jt.minimum_work(state(0.7).oscillator, state(0.7), beta, 0.3, 1, jumps=True, dt=0.25).value

    return text_of(jax.grad(value), ONE)


def ramp():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
    V = jnp.ones((GRID.p_points, 1, GRID.q_points))
    problem = RampProblem(V, equation_on(oscillator), ONE, ONE, 2.0 * ONE, ONE, COUNT, 64, 2, True)
    return text_of(lambda problem, z: value_and_slope(problem, z), problem, jnp.zeros(6))


def engine():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
    constraints = (jt.search.AtLeast(jt.search.power, 1e-3),)

    def loss(theta):
        return _loss(theta, oscillator, CYCLE, (("x_end", ()),), jt.search.power, constraints, 2)

    return text_of(loss, jnp.asarray([0.8]))


PROGRAMS = {"minimum_work in rounds": rounds, "minimum_work": whole, "optimal_ramp": ramp, "optimise_cycle": engine}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_callbacks(name):
    text = PROGRAMS[name]()
    assert "stablehlo.while" in text
    assert "callback" not in text
