"""The search for a stationary cycle as one program, for what jax transforms."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxthermo.brownian.driven.cycle_search import (
    RETURNED_OF_RUN,
    CycleSearch,
    Found,
    Runs,
    after_run,
    comes_back,
    found_in,
    next_run,
    no_runs,
)
from jaxthermo.brownian.driven.engine import first_guess, one_period
from jaxthermo.brownian.hierarchy import HierarchyState
from jaxthermo.brownian.steps.propagation import DriveSolution
from jaxthermo.solve.extrapolation import weights_of_runs
from jaxthermo.solve.periodic import FixedPoint, derivable, repeated


def search_traced(wanted: CycleSearch) -> Found:
    """The stationary cycle, with derivatives in either mode by the implicit function theorem."""
    solver, keep_states, split = wanted.solver, wanted.keep_states, wanted.is_split
    # Runs that are not extrapolated are forgotten.
    places = wanted.most_runs if split else 1

    def step(V: HierarchyState, wanted: CycleSearch, steps: Any, reverse: bool) -> tuple[HierarchyState, DriveSolution]:
        return one_period(V, wanted.engine, steps, True, solver, keep_states, reverse, wanted.checkpoints)

    def search(wanted: CycleSearch) -> tuple[FixedPoint, Runs]:
        def run(runs: Runs) -> FixedPoint:
            begin, steps = next_run(wanted, runs)

            def turn(V: HierarchyState, wanted: CycleSearch, measured: Any) -> tuple[HierarchyState, DriveSolution]:
                return one_period(V, wanted.engine, steps, measured, solver, keep_states)

            return repeated(turn, begin, wanted, steps, lambda record: comes_back(record, wanted.tol, RETURNED_OF_RUN))

        def advance(carry: tuple[FixedPoint, Runs]) -> tuple[FixedPoint, Runs]:
            kept, runs = carry
            now = run(runs)
            place = runs.index if split else 0
            return jax.tree.map(lambda all, one: all.at[place].set(one), kept, now), after_run(wanted, runs, now)

        none = no_runs(wanted, first_guess(wanted.engine))
        empty = jax.tree.map(lambda leaf: jnp.zeros((places, *leaf.shape), leaf.dtype), jax.eval_shape(run, none))
        return jax.lax.while_loop(lambda carry: ~carry[1].done, advance, (empty, none))

    # Places of runs that were not needed hold no steps, and so nothing to derive.
    kept, runs = derivable(search, step, wanted, _without_norm)
    last: Array | int = runs.index - 1 if split else 0
    weights = jnp.asarray(weights_of_runs(places, split)[0])[last] if split else jnp.ones(1)
    return found_in(wanted, runs, kept, weights, last)


def _without_norm(covector: HierarchyState, root: HierarchyState) -> HierarchyState:
    # A turn keeps the norm, so the sum over W_0 is its left eigenvector of 1, and the root the right one.
    return covector.at[:, 0].add(-jnp.sum(covector * root) / jnp.sum(root[:, 0]))
