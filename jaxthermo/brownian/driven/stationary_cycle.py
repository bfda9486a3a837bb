"""The stationary cycle of a periodically driven oscillator."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxthermo._results import warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo.brownian.accuracy.automatic import resolved, until_held, with_more_room
from jaxthermo.brownian.accuracy.promise import growth_of_cycle, judged_period, run_problem, weight_of_cycle
from jaxthermo.brownian.baths.switched import require_periodic, with_baths
from jaxthermo.brownian.driven.arguments import checked_steps, require_solver, solver_for
from jaxthermo.brownian.driven.cycle_search import CycleSearch, Found, allowed_error, comes_back, work_of
from jaxthermo.brownian.driven.engine import engine_of
from jaxthermo.brownian.driven.host_search import search_from_host
from jaxthermo.brownian.driven.runs import PeriodicRun, series_of
from jaxthermo.brownian.driven.traced_search import search_traced
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.brownian.steps.propagation import CHECKPOINTS, DriveSolution
from jaxthermo.checks import as_float, is_known, require_double_for, require_integer
from jaxthermo.interrupted import Interrupted
from jaxthermo.protocols.cycle import AbstractCycle, check_cycle
from jaxthermo.solve.lean import brief_jit, lean_jit
from jaxthermo.solve.progress import Line

MAX_CYCLES = 200
# Saved times for each piece between two corners of the schedule.
POINTS = 20
# How often a time step may be halved.
HALVINGS = 6
# How often a grid or a depth that was left open is chosen; and by how much its limits are missed where no shorter steps
# are tried on it, since these change U and the work a little.
ATTEMPTS, CLEARLY = 4, 1.5
# Strokes without a bath heat a state beyond its baths, and shake it: the grid reaches further from the start, since a
# second one is another program.
SHAKEN = 1.3


def run_cycle(
    oscillator: Oscillator,
    cycle: AbstractCycle,
    tol: float = 1e-6,
    *,
    solver: diffrax.AbstractSolver | None = None,
    points: int = POINTS,
    steps: int | None = None,
    max_cycles: int = MAX_CYCLES,
    keep_states: bool = False,
    checkpoints: int = CHECKPOINTS,
    progress: bool | None = None,
) -> PeriodicRun:
    """The stationary cycle of an engine, one period long.

    Equation   V(period) = V(0), by accelerated repetition from the canonical state at t = 0; work per cycle W = -closed
               integral of X dx, negative for an engine; with several baths W + sum of switching_of + sum of heat_of =
               0. Bare second-order split steps; runs of ever shorter steps are extrapolated to step 0 (Romberg): unlike
               the extrapolation of single steps this is stable at any coupling

    oscillator   of `jt.quantum_oscillator` or `jt.classical_oscillator`; a grid or a depth left open is chosen
    cycle        a `jt.StirlingCycle`, `jt.FourierCycle`, `jt.SplineCycle` or another `jt.AbstractCycle`; or
                 `jt.CarnotCycle`, `jt.OttoCycle`, which switch baths of their own: the oscillator's `OhmicBath` stands
                 for each, with indices of its own in the hierarchy
    tol          of what one more cycle changes, in the 2-norm over phase space, and of the error of the work from the
                 time step, as a share of the span of U in the cycle, or of the work where that is more
    solver       None: split steps, or diffrax.Tsit5 for a bath that has no split flows; or another explicit diffrax
                 Runge-Kutta method, with fixed steps within its limit of stability
    points       saved times in each piece between two corners of the cycle
    steps        steps to each saved time, and in a second run half as long ones; None: as many as it takes, by halving
                 the step until the work rests to `tol`, and U to a thousandth of the kinetic energy
    max_cycles   before the search at one time step gives up
    keep_states  whether all members of the hierarchy at every time are kept, as `members`, for `state_at` and
                 `jt.potentials`
    checkpoints  states of members x q_points x p_points x 8 bytes that reverse mode keeps between two saved times, of
                 which it keeps one each besides; >= 1. Fewer take less memory and repeat more steps
    progress     whether a line on standard error tells how far the search is; None: where that is a terminal
    Returns      a `PeriodicRun`: work and heat per cycle, and series over `time` by name
    Raises       ValueError that names the argument, as `steps` beyond the limit of stability; if jax traces a parameter
                 and the oscillator has no grid
    Accuracy     `status` is ok where the state comes back (`residual`), the step is short enough (`step_error`, and if
                 halved so short that U is right to 1e-4 of the kinetic energy), grid and hierarchy hold the state at
                 all times (`edge`, `coarse`, `tail_density`, by limits that are lower where the bath is weak and where
                 U swings little), both counts of heat agree to a thousandth of the kinetic energy
                 (`first_law_residual`), and the closed integral of U d beta - X d(beta x), or of several baths
                 -sum of beta_b heat_of_b, is not negative (second law). Then the work is right to 2 `tol`, or 2e-5
                 where that is more, of the span of U, of the work or of a hundredth of the kinetic energy, whichever is
                 most. Else a `JaxthermoWarning` is raised, unless jax traces. A grid or a depth that was left open, and
                 was found too small, is chosen up to three times more: `stats["meshes"]` says how often one was chosen,
                 and `oscillator` has the last
    Source       Koyanagi & Tanimura 2024, Sec. III.4

    The search runs in calls of about a second, after any of which a keyboard interrupt ends it. Once a cycle is closed
    on one number of steps, and shorter ones are under way, that is a `jt.Interrupted`, whose `result` is the cycle on
    the steps until then; its `step_error` is inf where there was only one number. Where jax traces, it is one program.
    Derivatives in the cycle and the oscillator, in either mode, are those of the periodic state, as a
    series over further cycles, and not those of the search; NaN where it has not ended after 2000 cycles.

    Example
        >>> import jaxthermo as jt
        >>> potential = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
        >>> particle = jt.classical_oscillator(potential, 1.0, jt.PhaseGrid(5.6, 0.28, 9.8, 0.5))
        >>> cycle = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)
        >>> run = jt.run_cycle(particle, cycle, tol=1e-4, points=4)
        >>> round(float(run.work), 3), round(float(run.heat), 3), run.outcome  # work < 0: an engine
        (-0.026, 0.026, 'ok')
    """
    check_oscillator(oscillator)
    check_cycle(cycle)
    require_double_for(tol, tol, "tol")
    if not tol < 1.0:
        raise ValueError(f"`tol` must be < 1, but is {tol}")
    points, max_cycles = require_integer("points", points, 1), require_integer("max_cycles", max_cycles, 1)
    steps = None if steps is None else require_integer("steps", steps, 1)
    require_solver(solver)
    checkpoints = require_integer("checkpoints", checkpoints, 1)
    # One bath at a time is coupled, so grid and depth are those that each of them needs alone.
    room = 1.0 if cycle.switching() is None else SHAKEN
    whole = with_baths(resolved(oscillator, *cycle.bounds(), room), cycle)
    require_periodic(whole, cycle.period)
    solver = solver_for(whole, solver)

    def searched(chosen: Oscillator, attempt: int) -> PeriodicRun:
        engine, betas, first = engine_of(chosen, cycle, points)
        chosen.bath.check_drive(chosen.mass, chosen.hbar, engine.times, betas)
        count = checked_steps(chosen, solver, steps, first, cycle, engine.times)
        limit, halvings = jnp.asarray(max_cycles, jnp.int32), HALVINGS if steps is None else 0
        wanted = CycleSearch(engine, solver, as_float(tol), count, limit, keep_states, halvings, checkpoints)
        # Inside jax.jit nothing can be looked at once it has been computed with, even where all arguments are known.
        if not is_known(jax.tree.leaves((chosen, cycle)), betas):
            return _traced(wanted, points)

        def another(period: DriveSolution) -> bool:
            if attempt + 1 == ATTEMPTS:
                return False
            seen = jax.tree.map(np.asarray, period.measured)
            missing, growth = judged_period(seen, chosen, work_of(period), tol, CLEARLY)
            return with_more_room(chosen, oscillator, missing, growth) is not None

        # No shorter steps where another grid or depth will follow.
        found = search_from_host(wanted, line.tell, another)
        return _described(wanted, found, points, jnp.asarray(attempt + 1, jnp.int32))

    with Line("run_cycle", progress) as line:
        run = until_held(searched, whole, oscillator, growth_of_cycle, ATTEMPTS, line)
    if is_known(run.status) and int(run.status) == Status.interrupted:
        raise Interrupted("run_cycle", run)
    warn_unless_ok(run)
    return run


@lean_jit
def _traced(wanted: CycleSearch, points: int) -> PeriodicRun:
    return _described(wanted, search_traced(wanted), points, jnp.ones((), jnp.int32))


@brief_jit
def _described(wanted: CycleSearch, found: Found, points: int, meshes: Int[Array, ""]) -> PeriodicRun:
    """A run with its status."""
    engine, tol, solution = wanted.engine, wanted.tol, found.solution
    series = series_of(engine.drive, solution, "cumulative_")
    heat_of, switching_of = (series[f"cumulative_{name}_of"] for name in ("heat", "switching"))
    produced = series["cumulative_work_int"][-1] if heat_of is None else -jnp.sum(series["bath"] * heat_of[-1])
    work, seen = series["cumulative_work"][-1], solution.measured
    weight = weight_of_cycle(seen, engine.drive.oscillator, work, tol)
    # A state that does not come back is named before what else is wrong with it.
    problems = [
        solution.status,
        status_if(~((found.residual <= tol) & comes_back(solution, tol)), Status.not_periodic),
        # Given steps so long that heat is off by as much as the kinetic energy spread a state over any grid.
        status_if(
            (wanted.halvings == 0) & (series["first_law_residual"] > jnp.mean(seen.p2) / engine.drive.oscillator.mass),
            Status.first_law_violated,
        ),
        run_problem(series, seen, produced, weight),
    ]
    # Where the time step was to be halved until the work and U rest.
    if wanted.halvings:
        short = (found.step_error <= allowed_error(solution, tol)) & found.settled
        problems.append(status_if(~short, Status.time_step_too_long))
    return PeriodicRun(
        status=first_problem(*problems),
        stats={"cycles": found.cycles, "steps": solution.steps, "steps_per_piece": found.count, "meshes": meshes},
        cycle=engine.cycle,
        tol=tol,
        points=points,
        work=work,
        heat=series["cumulative_heat"][-1],
        heat_of=None if heat_of is None else heat_of[-1],
        switching_of=None if switching_of is None else switching_of[-1],
        residual=found.residual,
        step_error=found.step_error,
        **series,
    )
