"""The search for a stationary cycle as short calls from the host, which show progress and can be interrupted.

One program takes any number of split steps of a turn, and serves the search, the turn that is measured, and every
number of steps.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._status import Status, as_codes
from jaxthermo.brownian.driven.cycle_search import (
    AHEAD,
    CLOSER,
    CLOSEST,
    RETURNED_OF_RUN,
    CycleSearch,
    Engine,
    Found,
    estimate_after,
    first_guess,
    most_runs,
    no_estimate,
    one_period,
    returns,
    runs_into_rim,
)
from jaxthermo.brownian.hierarchy import HierarchyState
from jaxthermo.brownian.observables import Observables, observe
from jaxthermo.brownian.steps.propagation import DriveSolution, extrapolated
from jaxthermo.brownian.steps.spectrum import from_spectrum, to_spectrum
from jaxthermo.brownian.steps.split import noise_of
from jaxthermo.brownian.steps.stepper import Driven, DrivenTerm, start, strang, totals_of
from jaxthermo.protocols.schedules import value_at
from jaxthermo.solve.extrapolation import weights_of_runs
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.periodic import History, improved, no_history

# Calls of about this length leave a keyboard interrupt waiting for no longer, and cost nothing by their number.
SECONDS = 0.7
# A turn that changes this share of the tolerance needs no other to confirm it.
SURE = 1e-3


class Leg(eqx.Module):
    """A turn under way: the state as Fourier coefficients in y, the step to come, and what was measured so far."""

    y: Driven
    step: Int[Array, ""]
    measured: Observables
    totals: Float[Array, "times totals"]


@lean_jit
def _begin(engine: Engine, V: HierarchyState) -> Leg:
    equation, count = engine.equation, engine.times.shape
    beta = value_at(engine.cycle.beta, engine.times[0])
    shapes = jax.eval_shape(lambda V: observe(V, equation, 1.0 / beta), V)
    empty = jax.tree.map(lambda leaf: jnp.zeros((*count, *leaf.shape), leaf.dtype), shapes)
    return Leg(
        start(to_spectrum(V, equation), equation),
        jnp.zeros((), jnp.int32),
        empty,
        jnp.zeros((*count, totals_of(equation))),
    )


@lean_jit
def _go_on(engine: Engine, leg: Leg, end: Int[Array, ""], steps: Int[Array, ""], measured: Bool[Array, ""]) -> Leg:
    """All steps from `leg.step` to before `end`; step 0 only measures, step n is the n-th of the turn."""
    equation, times = engine.equation, engine.times
    term = DrivenTerm(equation, engine.cycle.beta, engine.cycle.x)
    noise = noise_of(equation)

    def move(leg: Leg) -> Leg:
        piece, part = (leg.step - 1) // steps, (leg.step - 1) % steps
        h = (times[piece + 1] - times[piece]) / steps.astype(times.dtype)
        begin = times[piece] + part.astype(times.dtype) * h
        return eqx.tree_at(lambda leg: leg.y, leg, strang(term, noise, leg.y, begin, begin + h))

    def measure(leg: Leg) -> Leg:
        index = leg.step // steps
        now = observe(
            from_spectrum(leg.y.V, equation), equation, 1.0 / value_at(engine.cycle.beta, times[index]), times[index]
        )
        measured = jax.tree.map(lambda values, value: values.at[index].set(value), leg.measured, now)
        return Leg(leg.y, leg.step, measured, leg.totals.at[index].set(leg.y.totals))

    def advance(leg: Leg) -> Leg:
        leg = jax.lax.cond(leg.step > 0, move, lambda leg: leg, leg)
        leg = jax.lax.cond(measured & (leg.step % steps == 0), measure, lambda leg: leg, leg)
        return eqx.tree_at(lambda leg: leg.step, leg, leg.step + 1)

    return jax.lax.while_loop(lambda leg: leg.step < end, advance, leg)


@lean_jit
def _finished(engine: Engine, leg: Leg, steps: Int[Array, ""]) -> DriveSolution:
    """What a turn that has been measured to its end gives."""
    status = jnp.where(jnp.all(jnp.isfinite(leg.y.V)), as_codes(Status.ok), as_codes(Status.solver_failed))
    V, count = from_spectrum(leg.y.V, engine.equation), steps * (engine.times.shape[0] - 1)
    return DriveSolution(leg.measured, leg.totals, V, None, status, count)


@lean_jit
def _values(engine: Engine, leg: Leg) -> HierarchyState:
    return from_spectrum(leg.y.V, engine.equation)


class SplitPeriods:
    """Turns of an engine by second-order split steps, in calls of about `SECONDS`."""

    def __init__(self, engine: Engine, keep_states: bool):
        self.engine, self.keep_states = engine, keep_states
        # Seconds for one step, of the last call; the first call compiles.
        self._pace = float("inf")

    def image(self, V: HierarchyState, steps: int) -> HierarchyState:
        """The state after one turn."""
        return _values(self.engine, self._run(_begin(self.engine, V), steps, measured=False))

    def measured(self, V: HierarchyState, steps: int) -> DriveSolution:
        """One turn with everything measured on the way."""
        states: list[np.ndarray] = []
        keep = (lambda leg: states.append(np.asarray(_values(self.engine, leg)))) if self.keep_states else None
        leg = self._run(_begin(self.engine, V), steps, True, keep)
        done = _finished(self.engine, leg, jnp.asarray(steps, jnp.int32))
        if not states:
            return done
        return eqx.tree_at(lambda d: d.members, done, jnp.asarray(np.stack(states)), is_leaf=lambda leaf: leaf is None)

    def _run(self, leg: Leg, steps: int, measured: bool, keep: Callable[[Leg], Any] | None = None) -> Leg:
        last = (self.engine.times.shape[0] - 1) * steps + 1
        count, flag = jnp.asarray(steps, jnp.int32), jnp.asarray(measured)
        at = 0
        while at < last:
            # States are kept at the ends of pieces, so a call that keeps one ends there.
            longest = last - at if keep is None else (1 if at == 0 else steps - (at - 1) % steps)
            end = at + max(1, min(longest, int(SECONDS / self._pace)))
            began = time.perf_counter()
            leg = jax.block_until_ready(_go_on(self.engine, leg, jnp.asarray(end, jnp.int32), count, flag))
            self._pace = (time.perf_counter() - began) / (end - at)
            at = end
            if keep is not None and (at - 1) % steps == 0:
                keep(leg)
        return leg


class SolverPeriods:
    """Turns of an engine by fixed steps of a diffrax solver; one call for a turn."""

    def __init__(self, engine: Engine, solver: diffrax.AbstractSolver, keep_states: bool):
        self.engine, self.solver, self.keep_states = engine, solver, keep_states

    def image(self, V: HierarchyState, steps: int) -> HierarchyState:
        """The state after one turn."""
        return self.measured(V, steps).V

    def measured(self, V: HierarchyState, steps: int) -> DriveSolution:
        """One turn with everything measured on the way."""
        count = jnp.asarray(steps, jnp.int32)
        return jax.block_until_ready(_one_period(V, self.engine, count, True, self.solver, self.keep_states)[1])


_one_period, _estimate_after, _runs_into_rim = lean_jit(one_period), lean_jit(estimate_after), lean_jit(runs_into_rim)
_returns = lean_jit(partial(returns, share=RETURNED_OF_RUN))


@lean_jit
def _improved(
    history: History, V: HierarchyState, image: HierarchyState, engine: Engine
) -> tuple[History, HierarchyState, Float[Array, ""]]:
    history, V, change = improved(history, V, image)
    return history, V, change * engine.size


@lean_jit
def _ahead(coarse: HierarchyState, fine: HierarchyState) -> HierarchyState:
    """What half the step of `fine` should give, with an error that falls with the square of the step."""
    return fine + AHEAD * (fine - coarse)


class Closed(NamedTuple):
    """A cycle at one number of steps, from the host; `contraction`: what the last turn left of the change before."""

    solution: DriveSolution
    residual: float
    cycles: int
    contraction: float


def closed(
    turns: SplitPeriods | SolverPeriods,
    guess: HierarchyState,
    steps: int,
    tolerance: float,
    allowed: float,
    limit: int,
    tell: Callable[[str], None],
    contraction: float = float("inf"),
) -> Closed:
    """The stationary cycle at one number of steps, by accelerated repetition from a guess.

    `tell` is given a line of text after every turn. The turn that is measured begins where one has changed less than
    the tolerance; where U does not come back as well as `allowed`, the tolerance of the work, asks, the search goes on,
    to smaller changes. A turn that may be expected to change a thousandth of the tolerance, after `contraction` of an
    earlier search, is measured at once, and is the last if it keeps to that.
    """
    V, history = guess, no_history(guess)
    residual, count, goal = float("inf"), 0, tolerance
    while count < limit:
        near, sure = residual <= goal, residual * contraction <= SURE * tolerance
        solution = turns.measured(V, steps) if near or sure else None
        back = solution is not None and bool(_returns(solution, jnp.asarray(allowed)))
        if solution is not None and near and (back or goal <= CLOSEST * tolerance):
            return Closed(solution, residual, count, contraction)
        image = turns.image(V, steps) if solution is None else solution.V
        history, V, change = _improved(history, V, image, turns.engine)
        before, residual, count = residual, float(change), count + 1
        contraction = residual / before if math.isfinite(before) else contraction
        tell(f"{steps} steps a piece, cycle {count}: changes {residual:.1e}, wanted {tolerance:.1e}")
        if solution is not None and back and residual <= SURE * tolerance:
            return Closed(solution, residual, count, contraction)
        goal = CLOSER * goal if near else goal
    tell(f"{steps} steps a piece, cycle {count + 1}: measured")
    return Closed(turns.measured(V, steps), residual, count, contraction)


def search_from_host(wanted: CycleSearch, tell: Callable[[str], None], misses: Callable[[Observables], bool]) -> Found:
    """`search_traced` as short calls.

    `misses` says of what was measured whether shorter steps are of no use, since another grid will be taken. What an
    interrupt ends has the status `interrupted`, once a cycle has been closed.
    """
    engine, solver, keep_states = wanted.engine, wanted.solver, wanted.keep_states
    count, limit = int(wanted.count), int(wanted.max_cycles)
    split = solver is None
    turns = SplitPeriods(engine, keep_states) if solver is None else SolverPeriods(engine, solver, keep_states)
    most = most_runs(split, wanted.halvings)
    guess, estimate = first_guess(engine), no_estimate(most, wanted.tolerance)
    runs: list[Closed] = []
    cycles, contraction, stopped = 0, float("inf"), False
    for i in range(most):
        closeness = float(estimate.closeness)
        try:
            now = closed(turns, guess, count * 2**i, closeness, float(wanted.tolerance), limit, tell, contraction)
        except KeyboardInterrupt:
            if not runs:
                raise
            i, stopped = i - 1, True
            break
        cycles, contraction = cycles + now.cycles, now.contraction
        runs = [*runs, now] if split else [now]
        estimate = _estimate_after(estimate, now.solution, jnp.asarray(i, jnp.int32), wanted.tolerance, split)
        lost = int(now.solution.status) != Status.ok
        seen = jax.tree.map(np.asarray, now.solution.measured)
        hopeless = bool(_runs_into_rim(now.solution, jnp.asarray(i, jnp.int32))) or (i > 0 and misses(seen))
        if bool(estimate.enough) or lost or hopeless:
            break
        # One run is its own forecast.
        images = [run.solution.V for run in runs[-2:]]
        guess = _ahead(images[0], images[-1])
    error = estimate.error if wanted.halvings else jnp.asarray(jnp.nan)
    taken, steps = (jnp.asarray(number, jnp.int32) for number in (cycles, count * 2 ** max(i - split, 0)))
    best = _best_of(runs, split, states=wanted.halvings > 0)
    if stopped:
        best = replace(best, status=as_codes(Status.interrupted))
    return Found(best, jnp.asarray(runs[-1].residual), error, taken, steps)


def _best_of(runs: list[Closed], split: bool, states: bool) -> DriveSolution:
    """The last run, or all of them extrapolated: by NumPy, which has no program for every number of them."""
    last = len(runs) - 1
    weights = weights_of_runs(len(runs), split)[0][last]
    stacked: DriveSolution = jax.tree.map(lambda *leaves: np.stack(leaves), *(run.solution for run in runs))
    return jax.tree.map(jnp.asarray, extrapolated(stacked, weights, last, states))
