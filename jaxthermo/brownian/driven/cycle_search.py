"""The search for a stationary cycle: what is tried next, and when it is good enough.

A cycle is closed on one number of steps by repeating it (`jaxthermo.solve.periodic`), then on twice as many, until the
work rests. These are its rules, as functions of small records. `traced_search` follows them in one program, for what
jax transforms, and `host_search` in short calls.
"""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._status import Status
from jaxthermo.brownian.accuracy.promise import FIRST_LAW, RIM, swing_of
from jaxthermo.brownian.driven.engine import Engine
from jaxthermo.brownian.hierarchy import HierarchyState
from jaxthermo.brownian.steps.propagation import DriveSolution, extrapolated, unaccounted
from jaxthermo.checks import as_float
from jaxthermo.solve.extrapolation import weights_of_runs
from jaxthermo.solve.periodic import CLOSER, CLOSEST, FixedPoint, Repetition, begin_repetition

# Halving a step divides the error of the work by more than this where steps are short: split steps are extrapolated to
# an order that grows with every run, and explicit solvers have their own, 4 or more. By how much it must have been seen
# to fall before that is relied on.
FALLS, FALLS_OF_SOLVER, SEEN = 64.0, 16.0, 6.0
# Where halving does not lessen a change of the work that is so many times the allowed error, or less, the cycle is not
# closed well enough for it, and is closed better the next time.
NEAR = 100.0
# The share of what halving a split step changed that halving it again should change.
AHEAD = 0.25
# U of a closed cycle comes back to this share of the error that the work may have. What is missing in each run adds up
# where runs are extrapolated, with weights whose sizes sum up to less than two.
RETURNED, RETURNED_OF_RUN = 0.3, 0.15
# So little of the kinetic energy may the last halving of a step have moved U by, at every time; what it has left is a
# tenth of that.
SETTLED = 1e-3
# Rounding errors of U, over U.
ROUNDING = 1e-11
# Steps are halved for the first law too, until it holds this share of what a run promises; not where halving leaves
# more than the second share of what was missing, since then it is not the step that is to blame.
BALANCED, STEP_BLAMED = 0.8, 0.5


def work_of(solution: DriveSolution) -> Float[Array, ""]:
    """Work done on the oscillator in one turn."""
    return -solution.totals[-1, 0]


def unit_of(V: Any) -> Any:
    """What turns a 2-norm over the grid's points into one over phase space, an array of jax or of NumPy.

    In units of length and momentum in which a Gaussian state with the norm of V has sigma_q sigma_p = 1.
    """
    return (4.0 * np.pi * (V * V).sum()) ** -0.5


def allowed_error(solution: DriveSolution, tol: Any) -> Float[Array, ""]:
    """The error that the work may have from the time step."""
    return tol * swing_of(solution.measured.U, work_of(solution))


def comes_back(solution: DriveSolution, tol: Any, share: float = RETURNED) -> Bool[Array, ""]:
    """Whether U comes back after the turn, to a share of the error that the work may have.

    The 2-norm of a wide state is small, and what friction has not forgotten yet adds up over turns to come: with A =
    0.34 and a temperature ten times that of the baths 6e-6 in the 2-norm were 1.6e-3 in U and 2.5e-3 in the work.
    """
    return returned(solution.measured.U, work_of(solution), share * tol)


def returned(U: Any, work: Any, tol: Any) -> Any:
    """`comes_back`, of arrays of jax or of NumPy."""
    moved, span = abs(U[-1] - U[0]), U.max() - U.min()
    # Without work a U that moves by rounding errors only is that of an equilibrium, since neither beta nor x changes.
    resting = (work == 0.0) & (span <= ROUNDING * abs(U).max())
    # On resonance U rests, and all work is heat at once.
    return (moved <= tol * span) | (moved <= tol * abs(work)) | resting


def runs_into_rim(solution: DriveSolution, index: Int[Array, ""]) -> Bool[Array, ""]:
    """Whether the run of this index asks for another grid, and not for shorter steps; the first may have waves."""
    return (index > 0) & (jnp.max(solution.measured.edge) > RIM)


class Estimate(eqx.Module):
    """What the runs so far say of the work at step 0.

    `works` of all runs, 0 where they are to come, and at every time U in each, `energies`, and what the first law
    misses, `gaps`; the best `work` of them, by how much the last one moved it, its `error`, the best `energy` at every
    time, whether that has `settled`, the largest `gap`, and whether these are `enough`. `closeness`: how well the next
    cycle is to be closed.
    """

    works: Float[Array, " runs"]
    energies: Float[Array, "runs times"]
    gaps: Float[Array, "runs times"]
    work: Float[Array, ""]
    change: Float[Array, ""]
    error: Float[Array, ""]
    energy: Float[Array, " times"]
    settled: Bool[Array, ""]
    gap: Float[Array, ""]
    closeness: Float[Array, ""]
    enough: Bool[Array, ""]


def no_estimate(runs: int, engine: Engine, tol: Float[Array, ""]) -> Estimate:
    """What is known before the first of so many runs."""
    unknown, none, no = as_float(float("inf")), jnp.zeros((runs, engine.times.shape[0])), jnp.asarray(False)
    return Estimate(jnp.zeros(runs), none, none, jnp.zeros(()), unknown, unknown, none[0], no, unknown, tol, no)


def estimate_after(
    before: Estimate,
    solution: DriveSolution,
    engine: Engine,
    i: Int[Array, ""],
    tol: Float[Array, ""],
    split: bool,
) -> Estimate:
    """The estimate that run number i adds.

    Equation   error: where the changes fall by a ratio r, those still to come add up to change/(r - 1); where that has
               not been seen, the last change itself bounds them; and no less than what leaving out the first run of an
               extrapolation changes

    The bath's count of its heat needs shorter steps than the work: with A = 1.5 and one step to a saved time the work
    was off by 3e-5 of its scale, that heat by 1e-2.

    The work says nothing of U where it does not depend on the temperature: a parabola between beta = 0.1 and 2 had its
    work to 1e-10 on steps with which U was off by 2e-3 of its scale, and the entropy produced by 5e-4.
    """
    works, allowed = before.works.at[i].set(work_of(solution)), allowed_error(solution, tol)
    gaps = before.gaps.at[i].set(unaccounted(solution, jax.vmap(engine.cycle.x)(engine.times)))
    best, other = (jnp.asarray(weights)[i] for weights in weights_of_runs(works.shape[0], split))
    work = jnp.sum(best * works)
    change = jnp.where(i > 0, jnp.abs(work - before.work), jnp.inf)
    # Of the first change, yes.
    falling = SEEN * change <= before.change
    # Where the field rests there is no work, and so no change of it.
    ratio = jnp.clip(before.change / jnp.where(change > 0.0, change, 1.0), SEEN, FALLS if split else FALLS_OF_SOLVER)
    left = jnp.where(jnp.isfinite(before.change) & falling, change / (ratio - 1.0), change)
    error = jnp.maximum(left, jnp.abs(work - jnp.sum(other * works)) if split else 0.0)
    better = jnp.maximum(CLOSER * before.closeness, CLOSEST * tol)
    closeness = jnp.where(falling | (change > NEAR * allowed), before.closeness, better)
    gap, kinetic = jnp.max(jnp.abs(best @ gaps)), jnp.mean(solution.measured.p2) / engine.oscillator.mass
    balanced = (gap <= BALANCED * FIRST_LAW * kinetic) | (gap > STEP_BLAMED * before.gap)
    energies = before.energies.at[i].set(solution.measured.U)
    energy = best @ energies
    settled = (i > 0) & (jnp.max(jnp.abs(energy - before.energy)) <= SETTLED * kinetic)
    enough = (error <= allowed) & balanced & settled
    return Estimate(works, energies, gaps, work, change, error, energy, settled, gap, closeness, enough)


class CycleSearch(eqx.Module):
    """What is searched for, and how.

    `solver` is None for split steps. `count`: steps between two measured times at first; the step is halved `halvings`
    times at most. `max_cycles` is the limit at one number of steps. `checkpoints`: states that reverse mode keeps
    between two measured times.
    """

    engine: Engine
    solver: diffrax.AbstractSolver | None
    tol: Float[Array, ""]
    count: Int[Array, ""]
    max_cycles: Int[Array, ""]
    keep_states: bool = eqx.field(static=True)
    halvings: int = eqx.field(static=True)
    checkpoints: int = eqx.field(static=True)

    @property
    def is_split(self) -> bool:
        """Whether steps are symmetric, so that runs of several numbers of steps are extrapolated."""
        return self.solver is None

    @property
    def most_runs(self) -> int:
        """How many numbers of steps are tried; an extrapolation needs two."""
        return self.halvings + (2 if self.is_split else 1)


class Runs(eqx.Module):
    """What is known after `index` runs, each with twice the steps of the one before.

    `guess`: what the next run begins with; `image`: what the last one ended with; `contraction`: what its last turn
    left of the change before; `cycles`: turns so far; `done`: whether no other run is to follow.
    """

    index: Int[Array, ""]
    guess: HierarchyState
    image: HierarchyState
    estimate: Estimate
    contraction: Float[Array, ""]
    cycles: Int[Array, ""]
    done: Bool[Array, ""]


def no_runs(wanted: CycleSearch, guess: HierarchyState) -> Runs:
    """What is known before the first run."""
    none, estimate = jnp.zeros((), jnp.int32), no_estimate(wanted.most_runs, wanted.engine, wanted.tol)
    return Runs(none, guess, guess, estimate, as_float(float("inf")), none, jnp.asarray(False))


def next_run(wanted: CycleSearch, runs: Runs) -> tuple[Repetition, Int[Array, ""]]:
    """The repetition that the next run begins as, and its steps between two measured times."""
    closeness = runs.estimate.closeness / unit_of(runs.guess)
    return begin_repetition(runs.guess, closeness, wanted.max_cycles, runs.contraction), wanted.count * 2**runs.index


def after_run(wanted: CycleSearch, runs: Runs, run: FixedPoint) -> Runs:
    """What a run adds, as the record of its last turn says."""
    split, i = wanted.is_split, runs.index
    estimate = estimate_after(runs.estimate, run.record, wanted.engine, i, wanted.tol, split)
    # What half the step should give, with an error that falls with the square of the step.
    share = jnp.where((i > 0) & split, AHEAD, 0.0)
    guess = run.image + share * (run.image - runs.image)
    lost = run.record.status != int(Status.ok)
    done = estimate.enough | lost | runs_into_rim(run.record, i) | (i + 1 >= wanted.most_runs)
    return Runs(i + 1, guess, run.image, estimate, run.contraction, runs.cycles + run.applications, done)


class Found(eqx.Module):
    """A stationary cycle: its measured turn, and how the search ended.

    `residual` is the 2-norm of what the last turn changed, see `unit_of`; `settled` says of a step that was to be
    halved whether U rests; `cycles` counts the turns, `count` the steps between two measured times in the last run, or
    in the coarser of the last two where runs are extrapolated.
    """

    solution: DriveSolution
    residual: Float[Array, ""]
    step_error: Float[Array, ""]
    settled: Bool[Array, ""]
    cycles: Int[Array, ""]
    count: Int[Array, ""]


def found_in(wanted: CycleSearch, runs: Runs, kept: FixedPoint, weights: Array | np.ndarray, last: Any) -> Found:
    """The stationary cycle, at step 0, from the runs that were `kept`, stacked; `last` is the place of the last one."""
    error = runs.estimate.error if wanted.halvings else jnp.asarray(jnp.nan)
    solution = extrapolated(kept.record, weights, last, states=wanted.halvings > 0)
    # Runs from the host are arrays of NumPy, which has no program for every number of them.
    residual, count = kept.residual[last] * unit_of(kept.image[last]), kept.which[jnp.maximum(last - 1, 0)]
    solution, residual, count = jax.tree.map(jnp.asarray, (solution, residual, count))
    return Found(solution, residual, error, runs.estimate.settled, runs.cycles, count)
