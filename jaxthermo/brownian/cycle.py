"""The stationary cycle of a periodically driven oscillator."""

import functools
import math
from typing import TYPE_CHECKING, Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxthermo.brownian.automatic import resolved
from jaxthermo.brownian.bath import SwitchedBaths
from jaxthermo.brownian.beginning import Protocol, require_solver
from jaxthermo.brownian.canonical import canonical_members
from jaxthermo.brownian.drive import Course, course
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.halving import engine_of, halved, times_of, work_of
from jaxthermo.brownian.hierarchy import Field, workspace
from jaxthermo.brownian.march import extrapolated, march
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator, require_fast_cutoff
from jaxthermo.brownian.progress import Line
from jaxthermo.brownian.turns import SolverTurns, SplitTurns
from jaxthermo.checks import require_double_for, require_integer
from jaxthermo.protocols.stirling import StirlingCycle, check_cycle
from jaxthermo.solve.constant import frozen
from jaxthermo.solve.periodic import found_backward, found_forward

if TYPE_CHECKING:
    import xarray

MAX_CYCLES = 200
# Saved times for each piece between two corners of the schedule.
POINTS = 20
# The first guess of a time step, and how often it may be halved.
FIRST_STEP, HALVINGS = 0.25, 6


class Turn(eqx.Module):
    """One turn of the stationary cycle, and how it was found; see `stationary_turn`."""

    course: Course
    times: Float[Array, " times"]
    residual: Float[Array, ""]
    cycles: Int[Array, ""]
    correction: Float[Array, ""]  # what halving the step changed in the work, before extrapolation

    @property
    def work(self) -> Float[Array, "*batch"]:
        """Work done on the oscillator in one cycle, -int X dx; negative for an engine."""
        return -self.course.totals[..., -1, 0]


def stationary_turn(
    oscillator: Oscillator,
    cycle: StirlingCycle,
    grid: PhaseGrid,
    *,
    points: int = POINTS,
    steps: int | Int[Array, ""] = 2,
    tolerance: float = 1e-8,
    max_cycles: int = MAX_CYCLES,
    solver: diffrax.AbstractSolver | None = None,
    reverse: bool = False,
    guess: Field | None = None,
    keep_states: bool = False,
) -> Turn:
    """`run_cycle` as a pure function of arrays with fixed steps, to be jitted, vmapped and differentiated.

    Equation   V(period) = V(0), by accelerated repetition from the canonical state at t = 0; derivatives of V(0) by
               the implicit function theorem, as a series over further cycles. With the default solver, bare
               second-order split steps, the cycle is found for `steps` and for 2 `steps`, and everything measured is
               extrapolated to step 0 (order 4): unlike the extrapolation of single steps this is stable at any coupling
    Shapes     `points` saved times in each piece of the schedule, each reached in `steps` steps; a number of steps
               that is an array serves all numbers with one compilation, but not in reverse mode
    `reverse`: whether derivatives are wanted in reverse mode (jax.grad) or in forward mode (jax.jvp, jax.jacfwd). The
    reverse pass of one cycle keeps checkpoints, about sqrt(2 steps) states of all members.
    """
    cell = jnp.sqrt(frozen(grid.cell))
    if guess is None:
        guess = canonical_members(workspace(oscillator, grid), 1.0 / cycle.beta(0.0), cycle.x(0.0))
    most = 2 * steps if isinstance(steps, int) else None
    settings: dict[str, Any] = {"points": points, "most": most, "solver": solver, "reverse": reverse}
    turn = functools.partial(_turn, keep_states=keep_states, **settings)

    def periodic(guess: Field, count: Any) -> tuple[Field, Turn]:
        problem = (turn, guess, (oscillator, cycle, grid, count), tolerance / cell, max_cycles)
        found = found_backward(*problem, _without_norm) if reverse else found_forward(*problem)
        times = times_of(cycle, points)
        done = Turn(found.record, times, found.residual * cell, found.applications, jnp.zeros(()))
        return found.image, done

    if solver is not None:
        return periodic(guess, jnp.asarray(steps, jnp.int32))[1]
    # One loop over both, since each part of it compiles for seconds.
    counts = jnp.asarray(steps, jnp.int32) * jnp.asarray([1, 2], jnp.int32)
    _, turns = jax.lax.scan(periodic, guess, counts)
    coarse, fine = (jax.tree.map(lambda leaf, i=i: leaf[i], turns) for i in (0, 1))
    correction = jnp.abs(fine.work - coarse.work)
    both = extrapolated(coarse.course, fine.course)
    return Turn(both, fine.times, fine.residual, coarse.cycles + fine.cycles, correction)


def _turn(
    V: Field,
    args: tuple[Oscillator, StirlingCycle, PhaseGrid, Any],
    measured: bool | Bool[Array, ""],
    *,
    points: int,
    most: int | None,
    solver: diffrax.AbstractSolver | None,
    reverse: bool,
    keep_states: bool,
) -> tuple[Field, Course]:
    """The state after one cycle from the state V, and what was measured on the way."""
    oscillator, cycle, grid, steps = args
    times, protocol = times_of(cycle, points), Protocol(cycle.beta, cycle.x)
    if solver is None:
        done = march(oscillator, protocol, V, times, grid, steps, keep_states, most, measured)
        return done.V, done
    limits: dict[str, Any] = {"keep_states": keep_states, "steps": steps}
    if reverse:
        if most is None:
            raise ValueError("`steps` must be an integer, not an array, where a solver runs in reverse mode")
        limits |= {"adjoint": diffrax.RecursiveCheckpointAdjoint(), "max_steps": most * (times.shape[0] - 1) + 1}
    done = course(oscillator, protocol, V, times, grid, solver=solver, **limits)
    return done.V, done


def _without_norm(covector: Field, root: Field) -> Field:
    # A turn keeps the norm, so the sum over W_0 is its left eigenvector of 1, and the root the right one.
    return covector.at[:, 0].add(-jnp.sum(covector * root) / jnp.sum(root[:, 0]))


def run_cycle(
    oscillator: Any,
    cycle: Any,
    tol: float = 1e-6,
    *,
    solver: Any = None,
    points: Any = POINTS,
    steps: Any = None,
    max_cycles: Any = MAX_CYCLES,
    keep_states: bool = False,
    progress: bool | None = None,
) -> "xarray.Dataset":
    """The stationary cycle of an engine as a labelled dataset over `time`, one period long.

    Equation   V(period) = V(0); work per cycle W = -closed integral of X dx, negative for an engine
    Shapes     as `drive`; `points` saved times in each piece between two corners of the schedule
    Units      as `drive`
    Raises     ValueError that names the argument
    Source     Koyanagi & Tanimura 2024, Sec. III.4

    attrs: `work` (physical, per cycle), `heat`, `residual` (2-norm of what one more cycle changes; sought below `tol`),
    `cycles` run, `step_error` (estimated error of the work from the time step: the step is halved until what that
    changes is below `tol` times the energy span of the cycle, unless `steps` fixes it), `status`. `keep_states` adds
    the whole hierarchy at every time as `members`, for `jt.brownian.state_of` and `jt.potentials`. `progress`: whether
    a line on standard error tells how far the search is; None: where that is a terminal. The search runs in calls of
    about a second, after any of which a keyboard interrupt ends it.
    """
    from jaxthermo.brownian.labels import TOUCHED, labelled
    from jaxthermo.solve.integrate import STATUS

    check_oscillator(oscillator)
    check_cycle(cycle)
    require_double_for(tol, tol)
    if not tol < 1.0:
        raise ValueError(f"`tol` must be < 1, but is {tol}")
    points, max_cycles = require_integer("points", points, 1), require_integer("max_cycles", max_cycles, 1)
    steps = None if steps is None else require_integer("steps", steps, 1)
    require_solver(solver)
    if isinstance(oscillator.bath, SwitchedBaths):
        raise ValueError(
            "`oscillator` must not have SwitchedBaths in a thermostatic cycle; use jt.drive over several periods"
        )
    betas, fields = [cycle.beta_hot, cycle.beta_cold], [cycle.x_start, cycle.x_end]
    require_fast_cutoff(oscillator)
    oscillator = resolved(oscillator, betas, fields)
    grid: Any = oscillator.grid
    engine = engine_of(oscillator, cycle, grid, points)
    longest = float(np.max(np.diff(np.asarray(cycle.knots()))))
    count = steps if steps is not None else max(1, math.ceil(longest / points / FIRST_STEP))
    turns = SplitTurns(engine, keep_states) if solver is None else SolverTurns(engine, solver, keep_states)
    with Line("run_cycle", progress) as line:
        found = halved(turns, count, 0 if steps is not None else HALVINGS, tol, max_cycles, line.tell)
    done, residual, cycles, step_error, count = found
    dataset = labelled(
        oscillator, grid, engine.times, done, {"cycle": cycle, "tol": tol, "points": points, "steps": count}
    )
    if dataset.attrs["status"] in (STATUS[0], TOUCHED) and not residual <= tol:
        dataset.attrs["status"] = "not periodic"
    dataset.attrs |= {
        "work": work_of(done),
        "heat": float(dataset.heat[-1]),
        "residual": residual,
        "cycles": cycles,
        "step_error": step_error,
    }
    return dataset
