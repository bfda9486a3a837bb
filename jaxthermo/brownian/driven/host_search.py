"""The search for a stationary cycle as short calls from the host, which show progress and can be interrupted."""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxthermo._status import Status, as_codes
from jaxthermo.brownian.driven.cycle_search import (
    RETURNED_OF_RUN,
    CycleSearch,
    Found,
    after_run,
    found_in,
    next_run,
    no_runs,
    returned,
    unit_of,
)
from jaxthermo.brownian.driven.engine import first_guess
from jaxthermo.brownian.driven.host_periods import SolverPeriods, SplitPeriods
from jaxthermo.brownian.steps.propagation import DriveSolution
from jaxthermo.solve.extrapolation import weights_of_runs
from jaxthermo.solve.lean import brief_jit
from jaxthermo.solve.periodic import FixedPoint, Repetition, after_application

_no_runs, _next_run, _after_run = brief_jit(no_runs), brief_jit(next_run), brief_jit(after_run)
# It knows nothing of the engine, so that one program serves all engines on meshes of one size.
_after = brief_jit(after_application)


def _is_back(wanted: CycleSearch, solution: DriveSolution) -> np.bool_:
    """Whether U comes back in this turn."""
    U, totals = np.asarray(solution.measured.U), np.asarray(solution.totals)
    return np.bool_(returned(U, totals[-1, 0], RETURNED_OF_RUN * float(wanted.tol)))


def closed(
    wanted: CycleSearch,
    periods: SplitPeriods | SolverPeriods,
    so_far: Repetition,
    steps: Array,
    tell: Callable[[str], None],
) -> FixedPoint:
    """The stationary cycle at one number of steps; `tell` is given a line of text after every turn."""
    count, size, limit = int(steps), float(unit_of(np.asarray(so_far.x))), float(so_far.tol)
    while True:
        x = so_far.x
        solution = periods.measured(x, count) if so_far.recorded else None
        image = periods.image(x, count) if solution is None else solution.V
        back = np.bool_(False) if solution is None else _is_back(wanted, solution)
        so_far = _after(so_far, image, jnp.asarray(back))
        changes = f"changes {size * float(so_far.residual):.1e}, wanted {size * limit:.1e}"
        tell(f"{count} steps a piece, cycle {int(so_far.history.count)}: {changes}")
        if solution is not None and so_far.done:
            return FixedPoint(x, image, solution, so_far.residual, so_far.contraction, so_far.history.count, steps)


def search_from_host(
    wanted: CycleSearch, tell: Callable[[str], None], misses: Callable[[DriveSolution], bool]
) -> Found:
    """`search_traced` as short calls.

    `misses` says of a period whether shorter steps are of no use, since another grid or depth will be taken. What an
    interrupt ends has the status `interrupted`, once a cycle has been closed.
    """
    engine, solver, split = wanted.engine, wanted.solver, wanted.is_split
    periods = (
        SplitPeriods(engine, wanted.keep_states)
        if solver is None
        else SolverPeriods(engine, solver, wanted.keep_states)
    )
    runs, stopped = _no_runs(wanted, first_guess(engine)), False
    kept: list[FixedPoint] = []
    while not runs.done:
        try:
            now = closed(wanted, periods, *_next_run(wanted, runs), tell)
        except KeyboardInterrupt:
            if not kept:
                raise
            stopped = True
            break
        runs = _after_run(wanted, runs, now)
        kept = [*kept, now] if split else [now]
        if runs.index > 1 and misses(now.record):
            break
    last = len(kept) - 1
    weights = weights_of_runs(last + 1, split)[0][last]
    stacked: FixedPoint = jax.tree.map(lambda *leaves: np.stack(leaves), *kept)
    found = found_in(wanted, runs, stacked, weights, last)
    if stopped:
        return replace(found, solution=replace(found.solution, status=as_codes(Status.interrupted)))
    return found
