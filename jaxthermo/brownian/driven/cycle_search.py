"""The search for a stationary cycle: turns of an engine until it comes back to itself, and ever shorter time steps.

Here it is one program, for what jax transforms; `host_search` is the same as short calls.
"""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._status import Status
from jaxthermo.brownian.accuracy.promise import RIM
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, equation_on
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.states.canonical import canonical_members
from jaxthermo.brownian.steps.propagation import (
    Drive,
    DriveSolution,
    Method,
    Protocol,
    extrapolated,
    propagate_by,
    propagate_fixed_steps,
)
from jaxthermo.checks import as_float
from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.solve.extrapolation import weights_of_runs
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.periodic import FixedPoint, derivable, repeated

# The first guess of a time step.
FIRST_STEP = 0.25
# Halving a step divides the error of the work by more than this where steps are short: split steps are extrapolated to
# an order that grows with every run, and explicit solvers have their own, 4 or more. By how much it must have been seen
# to fall before that is relied on.
FALLS, FALLS_OF_SOLVER, SEEN = 64.0, 16.0, 6.0
# Where halving does not lessen a change of the work that is so many times the allowed error, or less, the cycle is not
# closed well enough for it, and is closed by so much better each time, down to this share of the tolerance.
NEAR, CLOSER, CLOSEST = 100.0, 0.1, 0.01
# The share of what halving a split step changed that halving it again should change.
AHEAD = 0.25
# U of a closed cycle comes back to this share of the error that the work may have. What is missing in each run adds up
# where runs are extrapolated, with weights whose sizes sum up to less than two.
RETURNED, RETURNED_OF_RUN = 0.3, 0.15


class Engine(eqx.Module):
    """What runs in a cycle: parameters, schedules, and the times at which a turn is measured."""

    oscillator: Oscillator
    cycle: AbstractCycle
    times: Float[Array, " times"]

    @property
    def drive(self) -> Drive:
        """One period of it."""
        return Drive(self.oscillator, Protocol(self.cycle.beta, self.cycle.x), self.times)

    @property
    def equation(self) -> Equation:
        """The discretised equation."""
        return equation_on(self.oscillator)

    @property
    def size(self) -> Float[Array, ""]:
        """What turns a norm over grid points into one over phase space."""
        return jnp.sqrt(jax.lax.stop_gradient(self.equation.grid.cell))


@lean_jit
def engine_of(
    oscillator: Oscillator, cycle: AbstractCycle, points: int
) -> tuple[Engine, Float[Array, " times"], Int[Array, ""]]:
    """An engine that is measured at `points` equal intervals in each piece between two corners of its cycle.

    With it, the inverse temperatures at these times, and how many steps to try first between two of them.
    """
    knots = cycle.knots()
    inside = knots[:-1, None] + (knots[1:] - knots[:-1])[:, None] * (jnp.arange(points)[None] / points)
    times = jnp.concatenate([inside.ravel(), knots[-1:]])
    count = jnp.maximum(1, jnp.ceil(jnp.max(jnp.diff(times)) / FIRST_STEP - 1e-9))
    return Engine(oscillator, cycle, times), jax.vmap(cycle.beta)(times), count.astype(jnp.int32)


def work_of(solution: DriveSolution) -> Float[Array, ""]:
    """Work done on the oscillator in one turn."""
    return -solution.totals[-1, 0]


def allowed_error(solution: DriveSolution, tolerance: Any) -> Float[Array, ""]:
    """The error that the work may have from the time step: a share of the span of U in the cycle."""
    return tolerance * jnp.ptp(solution.measured.U)


def returns(solution: DriveSolution, tolerance: Any, share: float = RETURNED) -> Bool[Array, ""]:
    """Whether U comes back after the turn, to a share of the error that the work may have.

    The 2-norm of a wide state is small, and what friction has not forgotten yet adds up over turns to come: with A =
    0.34 and a temperature ten times that of the baths 6e-6 in the 2-norm were 1.6e-3 in U and 2.5e-3 in the work.
    """
    U = solution.measured.U
    # On resonance U rests, and all work is heat at once.
    scale = jnp.maximum(jnp.ptp(U), jnp.abs(work_of(solution)))
    return jnp.abs(U[-1] - U[0]) <= share * tolerance * scale


def runs_into_rim(solution: DriveSolution, index: Int[Array, ""]) -> Bool[Array, ""]:
    """Whether the run of this index asks for another grid, and not for shorter steps; the first may have waves."""
    return (index > 0) & (jnp.max(solution.measured.edge) > RIM)


class Estimate(eqx.Module):
    """What the runs so far say of the work at step 0.

    `works` of all runs, 0 where they are to come; the best `work` of them, by how much the last one moved it, its
    `error`, and whether that is `enough`. `closeness`: how well the next cycle is to be closed.
    """

    works: Float[Array, " runs"]
    work: Float[Array, ""]
    change: Float[Array, ""]
    error: Float[Array, ""]
    closeness: Float[Array, ""]
    enough: Bool[Array, ""]


def no_estimate(runs: int, tolerance: Float[Array, ""]) -> Estimate:
    """What is known before the first of so many runs."""
    unknown = as_float(float("inf"))
    return Estimate(jnp.zeros(runs), jnp.zeros(()), unknown, unknown, tolerance, jnp.asarray(False))


def estimate_after(
    before: Estimate, solution: DriveSolution, i: Int[Array, ""], tolerance: Float[Array, ""], split: bool
) -> Estimate:
    """The estimate that run number i adds.

    Equation   error: where the changes fall by a ratio r, those still to come add up to change/(r - 1); where that has
               not been seen, the last change itself bounds them; and no less than what leaving out the first run of an
               extrapolation changes
    """
    works, allowed = before.works.at[i].set(work_of(solution)), allowed_error(solution, tolerance)
    best, other = (jnp.asarray(weights)[i] for weights in weights_of_runs(works.shape[0], split))
    work = jnp.sum(best * works)
    change = jnp.where(i > 0, jnp.abs(work - before.work), jnp.inf)
    # Of the first change, yes.
    falling = SEEN * change <= before.change
    ratio = jnp.clip(before.change / change, SEEN, FALLS if split else FALLS_OF_SOLVER)
    left = jnp.where(jnp.isfinite(before.change) & falling, change / (ratio - 1.0), change)
    error = jnp.maximum(left, jnp.abs(work - jnp.sum(other * works)) if split else 0.0)
    better = jnp.maximum(CLOSER * before.closeness, CLOSEST * tolerance)
    closeness = jnp.where(falling | (change > NEAR * allowed), before.closeness, better)
    return Estimate(works, work, change, error, closeness, error <= allowed)


class Found(eqx.Module):
    """A stationary cycle: its measured turn, and how the search ended.

    `residual` is the 2-norm over phase space of what the last turn changed; `cycles` counts the turns, `count` the
    steps between two measured times in the last run, or in the coarser of the last two where runs are extrapolated.
    """

    solution: DriveSolution
    residual: Float[Array, ""]
    step_error: Float[Array, ""]
    cycles: Int[Array, ""]
    count: Int[Array, ""]


def one_period(
    V: HierarchyState, engine: Engine, steps: Any, measured: Any, solver: Any, keep_states: bool, reverse: bool = False
) -> tuple[HierarchyState, DriveSolution]:
    """The state after one turn from the state V, and what was measured on the way."""
    if solver is None:
        done = propagate_fixed_steps(engine.drive, V, steps, keep_states, measured, reverse)
        return done.V, done
    steps = jnp.asarray(steps, jnp.int32)
    method = Method(solver, jnp.zeros(()), steps, steps * (engine.times.shape[0] - 1), keep_states)
    done = propagate_by(engine.drive, V, method, reverse)
    return done.V, done


class _Sequence(eqx.Module):
    """Runs with ever more steps: those that count, and what they say of the work."""

    index: Int[Array, ""]
    guess: HierarchyState
    runs: FixedPoint
    estimate: Estimate
    cycles: Int[Array, ""]
    done: Bool[Array, ""]


def most_runs(split: bool, halvings: int) -> int:
    """How many numbers of steps are tried; an extrapolation needs two."""
    return halvings + (2 if split else 1)


class CycleSearch(eqx.Module):
    """What is searched for, and how.

    `solver` is None for split steps. `count`: steps between two measured times at first; the step is halved `halvings`
    times at most. `max_cycles` is the limit at one number of steps.
    """

    engine: Engine
    solver: diffrax.AbstractSolver | None
    tolerance: Float[Array, ""]
    count: Int[Array, ""]
    max_cycles: Int[Array, ""]
    keep_states: bool = eqx.field(static=True)
    halvings: int = eqx.field(static=True)


def search_traced(wanted: CycleSearch) -> Found:
    """The stationary cycle as one program, with derivatives in either mode by the implicit function theorem."""
    engine, solver, keep_states, halvings = wanted.engine, wanted.solver, wanted.keep_states, wanted.halvings
    split = solver is None
    most = most_runs(split, halvings)
    # Runs that are not extrapolated are forgotten.
    kept = most if split else 1

    def step(V: HierarchyState, args: Any, steps: Any, reverse: bool) -> tuple[HierarchyState, DriveSolution]:
        return one_period(V, args[0], steps, True, solver, keep_states, reverse)

    def search(args: Any) -> tuple[FixedPoint, tuple[Array, Array, Array, Array]]:
        engine, count, max_cycles, tolerance = args

        def run(guess: HierarchyState, steps: Array) -> FixedPoint:
            def image(V: HierarchyState, engine: Engine, measured: Any) -> tuple[HierarchyState, DriveSolution]:
                return one_period(V, engine, steps, measured, solver, keep_states)

            # As close as it gets, since what `returns` asks is not looked at here.
            return repeated(image, guess, engine, CLOSEST * tolerance / engine.size, max_cycles, steps)

        def advance(so_far: _Sequence) -> _Sequence:
            i = so_far.index
            now = run(so_far.guess, count * 2**i)
            estimate = estimate_after(so_far.estimate, now.record, i, tolerance, split)
            before = so_far.runs.image[jnp.maximum(i - 1, 0) if split else 0]
            share = jnp.where((i > 0) & split, AHEAD, 0.0)
            guess = now.image + share * (now.image - before)
            runs = jax.tree.map(lambda all, one: all.at[i if split else 0].set(one), so_far.runs, now)
            lost = now.record.status != int(Status.ok)
            done = estimate.enough | lost | runs_into_rim(now.record, i) | (i + 1 >= most)
            return _Sequence(i + 1, guess, runs, estimate, so_far.cycles + now.applications, done)

        guess = first_guess(engine)
        shapes = jax.eval_shape(run, guess, count)
        empty = jax.tree.map(lambda leaf: jnp.zeros((kept, *leaf.shape), leaf.dtype), shapes)
        none = jnp.zeros((), jnp.int32)
        begin = _Sequence(none, guess, empty, no_estimate(most, tolerance), none, jnp.asarray(False))
        end = jax.lax.while_loop(lambda s: ~s.done, advance, begin)
        last = end.index - 1
        residual = end.runs.residual[last if split else 0] * engine.size
        return end.runs, (end.estimate.error if halvings else jnp.asarray(jnp.nan), end.cycles, residual, last)

    # Places of runs that were not needed hold no steps, and so nothing to derive.
    args = (engine, wanted.count, wanted.max_cycles, wanted.tolerance)
    runs, (error, cycles, residual, last) = derivable(search, step, args, _without_norm)
    weights = jnp.asarray(weights_of_runs(most, split)[0])[last] if split else jnp.ones(1)
    solution = extrapolated(runs.record, weights, last if split else 0, states=halvings > 0)
    return Found(solution, residual, error, cycles, runs.which[jnp.maximum(last - 1, 0) if split else 0])


def _without_norm(covector: HierarchyState, root: HierarchyState) -> HierarchyState:
    # A turn keeps the norm, so the sum over W_0 is its left eigenvector of 1, and the root the right one.
    return covector.at[:, 0].add(-jnp.sum(covector * root) / jnp.sum(root[:, 0]))


@lean_jit
def first_guess(engine: Engine) -> HierarchyState:
    """The canonical state at t = 0."""
    return canonical_members(engine.equation, 1.0 / engine.cycle.beta(0.0), engine.cycle.x(0.0))
