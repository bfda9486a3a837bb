"""The oscillator driven by schedules of temperature and field, with its work and heat."""

from dataclasses import replace

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxthermo._results import warn_unless_ok
from jaxthermo._status import Status, as_codes, first_problem, status_if
from jaxthermo._types import IntLike, ScalarLike, ScheduleLike, VectorLike
from jaxthermo.brownian.accuracy.automatic import in_words, resolved, until_held
from jaxthermo.brownian.accuracy.promise import growth_of_run, run_problem
from jaxthermo.brownian.driven.arguments import (
    check_protocol,
    checked_step,
    require_solver,
    solver_for,
    starting_members,
)
from jaxthermo.brownian.driven.runs import DrivenRun, series_of
from jaxthermo.brownian.equilibria.equilibria import require_depth, state_at
from jaxthermo.brownian.hierarchy import HierarchyState
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.brownian.states.state import State
from jaxthermo.brownian.steps.propagation import CHECKPOINTS, Drive, DriveSolution, Method, Protocol, propagate
from jaxthermo.brownian.steps.stepper import SplitStep
from jaxthermo.checks import as_float, is_known, require_double_for, require_integer, require_times
from jaxthermo.interrupted import Interrupted
from jaxthermo.protocols.schedules import as_schedule
from jaxthermo.solve.lean import brief_jit, is_traced, lean_jit
from jaxthermo.solve.progress import Line

# Error that one step may make, in the 2-norm of all members, where that of W_0 counts as 0.3. Errors of steps end as
# waves at the rim, where friction does not reach them: at 1e-5 a quench of a quantum well had `edge` at 1.8e-4 on any
# grid, at 1e-6 it is 2e-9 with half as many steps again.
TOLERANCE = 1e-6
MAX_STEPS = 1_000_000
# How often a grid or a depth that was left open is chosen, and by how much the tolerance is tightened each time.
RETRIES, TIGHTER = 3, 0.1
# Intervals between saved times that one call solves. Error control begins anew with each, which costs a step or two.
BLOCK = 16


def drive(
    oscillator: Oscillator,
    beta: ScheduleLike,
    x: ScheduleLike,
    ts: VectorLike,
    state: State | None = None,
    solver: diffrax.AbstractSolver | None = None,
    *,
    dt: ScalarLike | None = None,
    tol: float = TOLERANCE,
    max_steps: IntLike = MAX_STEPS,
    keep_states: bool = False,
    checkpoints: int = CHECKPOINTS,
    progress: bool | None = None,
) -> DrivenRun:
    """The oscillator under schedules beta(t) and x(t): what is measured on the way, work and heat.

    Equation   work = -int X dx, heat = int (dU - x dX); dimensionless, with x~ = beta x: work_int = int (U dbeta - X
               dx~), work_ext = int (U dbeta + x~ dX), heat_int = int (beta dU + X dx~), heat_ext = int (beta dU - x~
               dX), all from ts[0] on; bath_heat is the heat again, from the currents through the bath's operators. Of
               `SwitchedBaths` heat_of and switching_of are bath by bath the heat and the work of moving its window,
               whose sum is the heat

    oscillator    of `jt.quantum_oscillator` or `jt.classical_oscillator`; a grid or a depth left open is chosen
    beta, x       inverse temperature, 1/energy, and field, energy per unit of X: numbers, schedules (`jt.Constant`,
                  `jt.Ramp`, `jt.Table`, `jt.Fourier`), or any callables of t (jax.numpy inside)
    ts            times of the result, (times,), increasing. Steps end at every one, so give the corners of a schedule
    state         start, from `jt.equilibrium`, `run.final` or `run.state_at`; None: equilibrium at the first beta and
                  x, with the windows of `SwitchedBaths` as they are at ts[0], of which one must be open
    solver        None: `SplitStep`, or diffrax.Tsit5 for a bath that has no split flows; or any explicit diffrax
                  Runge-Kutta method
    dt            fixed steps, no longer; None: error control
    tol           of the error control, per step, in the 2-norm of all members, where that of W_0 counts as 0.3
    max_steps     before the solve gives up
    keep_states   whether all members of the hierarchy at every time are kept, as `members`, for `state_at` and
                  `jt.potentials`
    checkpoints   states of members x q_points x p_points x 8 bytes that reverse mode keeps; >= 1. Fewer take less
                  memory and repeat more steps
    progress      whether a line on standard error tells how far it is; None: on a terminal and in notebooks, where it
                  takes seconds
    Returns       a `DrivenRun`: series over `time` by name. Heat is counted into the oscillator; negative work is work
                  done by it
    Raises        ValueError that names the argument: schedules not finite or beta <= 0 at one of many times, a state of
                  another grid or hierarchy, an explicit solver's fixed step beyond its limit of stability, a cutoff too
                  slow; if jax traces the schedules and the oscillator has no grid
    Accuracy      `status` is ok where X, <q^2>, <p^2>, U and the work are right to 1e-4 of their scale: where grid and
                  hierarchy held the state at all times (`edge`, `coarse`, `tail_density`) and heat counted in two ways
                  agrees. A grid or a depth that was left open, and was found too small, is chosen again, with a tighter
                  tolerance. Else a `JaxthermoWarning` is raised, unless jax traces. What a solve that stops early did
                  not reach is NaN
    Source        Koyanagi & Tanimura 2024, Sec. III.2

    One compiled program serves all schedules of the same kind, as many times, all tolerances, steps and limits; a
    callable has one of its own. Derivatives in the schedules, the oscillator and the state are those of the steps, in
    either mode, at constant `ts`; reverse mode repeats steps from `checkpoints`. Where nothing is traced, many times
    are solved in blocks, between which a keyboard interrupt ends the call with a `jt.Interrupted`, whose `result` is
    the run up to then.

    Example
        >>> import jaxthermo as jt
        >>> harmonic = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(8.0, 0.4, 8.0, 0.4))
        >>> run = jt.drive(harmonic, beta=1.0, x=jt.Ramp(0.0, 1.0, 0.0, 2.0), ts=[0.0, 1.0, 2.0])
        >>> round(float(run.work[-1]), 4), run.outcome
        (-0.1048, 'ok')
    """
    check_oscillator(oscillator)
    require_solver(solver)
    checkpoints = require_integer("checkpoints", checkpoints, 1)
    ts = require_times("ts", ts)
    protocol = Protocol(as_schedule("beta", beta), as_schedule("x", x))
    betas, fields = check_protocol(oscillator, protocol, ts)
    require_double_for(tol, tol, "tol")
    limit = jnp.asarray(require_integer("max_steps", max_steps, 1), jnp.int32)

    def run_from(oscillator: Oscillator, state: State, tol: float, line: Line) -> DrivenRun:
        V = starting_members(oscillator, state, betas[0])
        oscillator = oscillator.with_grid(state.grid)
        steps = None
        if dt is not None:
            step = checked_step(oscillator, solver, dt, ts, betas, fields)
            # A hair's breadth is not worth one more step.
            steps = jnp.maximum(1, jnp.ceil(jnp.max(jnp.diff(ts)) / step - 1e-9)).astype(jnp.int32)
        chosen = solver_for(oscillator, solver) or SplitStep()
        method = Method(chosen, as_float(tol), steps, limit, keep_states, checkpoints)
        drive = Drive(oscillator, protocol, ts)
        line.tell(f"{in_words(oscillator)}, {len(ts)} times")
        problem = drive, V, method
        whole = len(ts) <= 2 * BLOCK or not is_known(jax.tree.leaves(problem)) or is_traced(problem)
        solution = _piece(*problem) if whole else _in_blocks(*problem, line)
        return _described(drive, method, solution, state.status)

    def beginning(oscillator: Oscillator) -> State:
        return state_at(oscillator, betas[0], fields[0], ts[0])

    with Line("drive", progress) as line:
        if state is not None:
            if oscillator.bath.depth is None and isinstance(state, State):
                oscillator = oscillator.with_depth(state.oscillator.depth)
            run = run_from(oscillator, state, tol, line)
        else:
            require_depth(oscillator)
            run = until_held(
                lambda chosen, attempt: run_from(chosen, beginning(chosen), TIGHTER**attempt * tol, line),
                resolved(oscillator, betas, fields),
                oscillator,
                growth_of_run,
                RETRIES,
                line,
            )
        if is_known(run.status):
            jax.block_until_ready(run.status)
            if int(run.status) == Status.interrupted:
                raise Interrupted("drive", run)
    warn_unless_ok(run)
    return run


_piece = lean_jit(propagate)


def _in_blocks(drive: Drive, V: HierarchyState, method: Method, line: Line) -> DriveSolution:
    """`propagate` of known values as calls for a few times each, which show progress and can be interrupted.

    One program serves every number of times. What an interrupt ends has the status `interrupted`, once a block is done.
    """
    last = len(drive.times) - 1
    advance = line.counter(last, "times")
    advance(0)
    parts: list[DriveSolution] = []
    for first in range(0, last, BLOCK):
        # The last block is filled up by its last time, to which no step leads.
        index = np.minimum(np.arange(first, first + BLOCK + 1), last)
        try:
            part = jax.block_until_ready(_piece(replace(drive, times=drive.times[index]), V, method))
        except KeyboardInterrupt:
            if not parts:
                raise
            parts[-1] = replace(parts[-1], status=as_codes(Status.interrupted))
            break
        parts.append(part)
        V, method = part.V, replace(method, max_steps=method.max_steps - part.steps)
        if int(part.status) != Status.ok:
            break
        advance(min(BLOCK, last - first))
    return _joined(parts, last + 1)


def _joined(parts: list[DriveSolution], count: int) -> DriveSolution:
    """One solution of many: each begins where the one before it ends, and what was not reached is NaN."""

    def together(*leaves: Array) -> Array:
        known = jnp.concatenate([leaves[0], *(leaf[1:] for leaf in leaves[1:])])[:count]
        return jnp.concatenate([known, jnp.full((count - len(known), *known.shape[1:]), jnp.nan, known.dtype)])

    sums = [parts[0].totals]
    for part in parts[1:]:
        sums.append(sums[-1][-1:] + part.totals)
    measured, members = (jax.tree.map(together, *(getattr(p, name) for p in parts)) for name in ("measured", "members"))
    end = parts[-1]
    steps = sum((part.steps for part in parts[1:]), start=parts[0].steps)
    return DriveSolution(measured, together(*sums), end.V, members, end.status, steps)


# It runs once, so its machine code need not be good, and takes half the time to compile.
@brief_jit
def _described(drive: Drive, method: Method, solution: DriveSolution, start: Int[Array, ""]) -> DrivenRun:
    """A run with its status; `start` is that of the state it began with."""
    series = series_of(drive, solution)
    # Grid and hierarchy are judged along the run, its first time included, whatever they were at its start.
    lost = status_if(start == int(Status.not_converged), Status.not_converged)
    held = run_problem(series, solution.measured)
    return DrivenRun(
        status=first_problem(solution.status, held, lost),
        stats={"steps": solution.steps},
        protocol=drive.protocol,
        tol=method.tol,
        **series,
    )
