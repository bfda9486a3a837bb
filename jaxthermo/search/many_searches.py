"""A search for least work from each of many states."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from jaxthermo._status import Status, as_codes
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.states.information import entropy_production_rate
from jaxthermo.search.least_work import settled
from jaxthermo.search.potential_range import problem_of
from jaxthermo.search.refinement import refined
from jaxthermo.solve.lanes import Progress, map_lanes
from jaxthermo.solve.lean import lean_jit


class Found(NamedTuple):
    """What is kept of each search; for a quantum oscillator there is neither a bound nor an exact rate."""

    value: Array
    upper: Array
    lower: Array | None
    error: Array
    status: Array
    solves: Array
    exact: Array | None


def searched(
    oscillator: Oscillator,
    settings: tuple[PyTree, ...],
    states: ArrayLike,
    beta: np.ndarray,
    x: np.ndarray,
    done: dict[int, Found] | None = None,
    tell: Progress | None = None,
) -> Found:
    """A search from each of many states, one after another on each core; one program serves all.

    settings   the potential, the horizon, the order, whether jumps are tried, and the time steps
    done       is filled with what each state has given, by its place
    """
    done = {} if done is None else done

    def search(place: np.ndarray, *each: Array | np.ndarray) -> Found:
        done[int(place[0])] = found = jax.tree.map(np.asarray, _lanes(oscillator, settings, *map(jnp.asarray, each)))
        return found

    return map_lanes(search, np.arange(len(beta)), states, beta, x, chunk=1, advance=tell)


@lean_jit
def _lanes(oscillator: Oscillator, settings: tuple[PyTree, ...], states: Array, betas: Array, fields: Array) -> Found:
    potential, horizon, order, jumps, steps = settings

    def one(V: Array, beta: Array, x: Array) -> Found:
        problem = problem_of(oscillator, potential, V, beta, x, horizon, order, jumps)
        end = refined(problem, jnp.zeros(problem.parameters), steps)
        found = settled(problem, end, [end.evaluations], as_codes(Status.ok))
        exact = None if oscillator.quantum else entropy_production_rate(V, problem.equation, beta)
        return Found(found.value, found.upper, found.lower, found.error, found.status, found.solves, exact)

    return jax.vmap(one)(states, betas, fields)
