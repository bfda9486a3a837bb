"""Grids and depths for disturbances of a state, which reach further than the state itself."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jaxtyping import Array, Float, Int

from jaxthermo._status import Status, first_problem, status_if
from jaxthermo.brownian.accuracy.automatic import LEAST_DEPTH, NO_GRID, Judged, depth_for, grid_reaching, until_held
from jaxthermo.brownian.accuracy.promise import Growth, grid_problem, growth_to, trapping, truncation
from jaxthermo.brownian.accuracy.reach import reach_of
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.response.weyl import Pair
from jaxthermo.brownian.states.state import State
from jaxthermo.checks import is_known
from jaxthermo.solve.progress import Line

Result = TypeVar("Result", bound=Judged)

# How far a density and its Fourier transforms must have fallen at the ends of the grid.
FALLEN = 1e-13
# How often what was left open is chosen.
ATTEMPTS = 5
# What a disturbance may leave on the rim of the grid and of its waves, and the error of a shallow hierarchy, for
# functions that are right to 1e-6 of their scale. A classical quartic with A = 0.3 that left 1e-5 and 1.2e-4 was off by
# 2e-5.
EDGE, COARSE, PROMISED = 2e-6, 2e-6, 1e-6


def finely_resolved(
    oscillator: Oscillator,
    beta: Float[Array, ""],
    x: Float[Array, ""],
    observables: Pair,
) -> Oscillator:
    """The oscillator with the grid and the depth filled in that were left open, finer than for an equilibrium.

    Where forces and observables are linear, moments close at any depth.
    Raises     ValueError if there is no grid and jax traces the values
    """
    if oscillator.bath.depth is None:
        closed = all(one.is_linear() for one in observables) and _is_linear(oscillator)
        depth = LEAST_DEPTH if closed else depth_for(oscillator, beta, x)
        oscillator = oscillator.with_depth(depth)
    if oscillator.grid is not None:
        return oscillator
    if not is_known(jax.tree.leaves((oscillator, beta, x))):
        raise ValueError(NO_GRID)
    return oscillator.with_grid(grid_reaching(reach_of(oscillator, float(beta), float(x), FALLEN)))


def with_room(
    name: str,
    oscillator: Oscillator,
    beta: Float[Array, ""],
    x: Float[Array, ""],
    observables: Pair,
    solve: Callable[[Oscillator], Result],
    progress: bool | None,
) -> Result:
    """What `solve` finds on a fine grid, larger or finer where that was left open and a result says that it is missing.

    Weak damping lets a disturbance curl up to ever finer shapes, which no state at rest has. A line of this `name`
    tells what is being solved.
    """
    chosen = finely_resolved(oscillator, beta, x, observables)
    with Line(name, progress) as line:
        return until_held(lambda chosen, _: solve(chosen), chosen, oscillator, _growth, ATTEMPTS, line)


def _growth(found: Any) -> Growth:
    """What the grid of a disturbance asks for."""
    return Growth(growth_to(found.edge, EDGE), growth_to(found.coarse, COARSE))


def resolved_enough(state: State, observables: Pair, edge: Array, coarse: Array, tail: Array) -> Int[Array, ""]:
    """Whether grid and hierarchy held a disturbance by the second observable, where the first is looked at.

    A power of p, which is p + zeta, takes as many levels more. Where forces and observables are linear, what is
    asked for are moments of second order, which close.
    """
    oscillator = state.oscillator
    depth = oscillator.bath.depth
    problems = [grid_problem(edge, coarse, EDGE, COARSE)]
    if depth:
        closed = oscillator.has_linear_forces()
        for one in observables:
            closed = closed & one.linear()
        # Spectra at w = 0, which are those of the hops between two wells, were off by 4 to 53 times what the tail gave
        # (K = 1, A = 0.7 to 1.2, beta = 1 to 1.9).
        wells = trapping(oscillator.height(oscillator.mesh.q, state.x), state.beta)
        error = wells * truncation(tail, max(depth - observables[1].raises, 1))
        problems.insert(0, status_if(~closed & ~(error < PROMISED), Status.hierarchy_too_shallow))
    return first_problem(*problems)


def _is_linear(oscillator: Oscillator) -> bool:
    linear = oscillator.has_linear_forces()
    return is_known(linear) and bool(linear)
