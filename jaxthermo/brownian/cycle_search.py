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
from jaxthermo.brownian.canonical import canonical_members
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, equation_on
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.propagation import (
    Drive,
    DriveSolution,
    Method,
    Protocol,
    extrapolated,
    propagate_by,
    propagate_fixed_steps,
)
from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.periodic import FixedPoint, derivable, repeated

# The first guess of a time step.
FIRST_STEP = 0.25
# Halving a step divides the error of the extrapolated work by 16 where steps are short; by how much it must have been
# seen to fall before that is relied on.
FALLS, SEEN = 16.0, 6.0
# Where halving does not lessen it, the cycle is not closed well enough for the work, and is closed by so much better
# each time, down to this share of the tolerance.
CLOSER, CLOSEST = 0.1, 0.01


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


def error_of_step(change: Any, before: Any) -> Float[Array, ""]:
    """The error of the work that is left, from what the last halving of the step changed and the one before it.

    Where the changes fall by a ratio r, those still to come add up to change/(r - 1). Where that has not been seen, the
    last change itself bounds it.
    """
    falling = jnp.isfinite(before) & is_falling(change, before)
    ratio = jnp.clip(jnp.asarray(before) / change, SEEN, FALLS)
    return jnp.where(falling, change / (ratio - 1.0), change)


def is_falling(change: Any, before: Any) -> Bool[Array, ""]:
    """Whether halving the step has lessened the change of the work as it should; of the first change, yes."""
    return SEEN * jnp.asarray(change) <= before


def closer(closeness: Any, change: Any, before: Any, tolerance: Any) -> Float[Array, ""]:
    """How well the next cycle is to be closed."""
    better = jnp.maximum(CLOSER * jnp.asarray(closeness), CLOSEST * jnp.asarray(tolerance))
    return jnp.where(is_falling(change, before), closeness, better)


class Found(eqx.Module):
    """A stationary cycle: its measured turn, and how the search ended.

    `residual` is the 2-norm over phase space of what the last turn changed; `cycles` counts the turns, `count` the
    steps between two measured times in the coarser of two runs that are extrapolated.
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
    """Runs with ever more steps: the last two, and how much the work still changes."""

    index: Int[Array, ""]
    guess: HierarchyState
    earlier: FixedPoint
    latest: FixedPoint
    work: Float[Array, ""]
    change: Float[Array, ""]
    error: Float[Array, ""]
    closeness: Float[Array, ""]
    cycles: Int[Array, ""]
    done: Bool[Array, ""]


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

    def step(V: HierarchyState, args: Any, steps: Any, reverse: bool) -> tuple[HierarchyState, DriveSolution]:
        return one_period(V, args[0], steps, True, solver, keep_states, reverse)

    def search(args: Any) -> tuple[FixedPoint, tuple[Array, Array, Array]]:
        engine, count, max_cycles, tolerance = args

        def run(guess: HierarchyState, steps: Array, closeness: Array) -> FixedPoint:
            def image(V: HierarchyState, engine: Engine, measured: Any) -> tuple[HierarchyState, DriveSolution]:
                return one_period(V, engine, steps, measured, solver, keep_states)

            return repeated(image, guess, engine, closeness / engine.size, max_cycles, steps)

        def advance(so_far: _Sequence) -> _Sequence:
            i, before = so_far.index, so_far.latest
            now = run(so_far.guess, count * 2**i, so_far.closeness)
            pair = extrapolated(before.record, now.record) if split else now.record
            better = jax.tree.map(lambda a, b: jnp.where(i > 0, a, b), pair, now.record)
            work = work_of(better)
            change = jnp.where(i > (1 if split else 0), jnp.abs(work - so_far.work), jnp.inf)
            error = error_of_step(change, so_far.change)
            closeness = closer(so_far.closeness, change, so_far.change, tolerance)
            ahead = jnp.where((i > 0) & split, 0.25, 0.0) * (now.image - before.image)
            lost = now.record.status != int(Status.ok)
            enough = (error <= allowed_error(better, tolerance)) | lost | (i >= halvings + (1 if split else 0))
            cycles = so_far.cycles + now.applications
            return _Sequence(i + 1, now.image + ahead, before, now, work, change, error, closeness, cycles, enough)

        guess = first_guess(engine)
        empty = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(run, guess, count, tolerance)
        )
        zero, none, inf = jnp.zeros(()), jnp.zeros((), jnp.int32), jnp.asarray(jnp.inf)
        begin = _Sequence(none, guess, empty, empty, zero, inf, inf, tolerance, none, jnp.asarray(False))
        end = jax.lax.while_loop(lambda s: ~s.done, advance, begin)
        both = [end.earlier, end.latest] if split else [end.latest]
        points = jax.tree.map(lambda *leaves: jnp.stack(leaves), *both)
        error = jnp.where(jnp.isfinite(end.change), end.error, jnp.nan)
        return points, (error, end.cycles, end.latest.residual * engine.size)

    args = (engine, wanted.count, wanted.max_cycles, wanted.tolerance)
    points, (error, cycles, residual) = derivable(search, step, args, _without_norm)
    coarse, fine = (jax.tree.map(lambda leaf, i=i: leaf[i], points) for i in (0, -1))
    solution = extrapolated(coarse.record, fine.record) if split else fine.record
    return Found(solution, residual, error, cycles, coarse.which)


def _without_norm(covector: HierarchyState, root: HierarchyState) -> HierarchyState:
    # A turn keeps the norm, so the sum over W_0 is its left eigenvector of 1, and the root the right one.
    return covector.at[:, 0].add(-jnp.sum(covector * root) / jnp.sum(root[:, 0]))


@lean_jit
def first_guess(engine: Engine) -> HierarchyState:
    """The canonical state at t = 0."""
    return canonical_members(engine.equation, 1.0 / engine.cycle.beta(0.0), engine.cycle.x(0.0))
