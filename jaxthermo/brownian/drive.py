"""A driven trajectory of the oscillator, with its work and heat."""

import math
from typing import TYPE_CHECKING, Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._status import Status
from jaxthermo.brownian.automatic import resolved, with_depth
from jaxthermo.brownian.bath import SwitchedBaths
from jaxthermo.brownian.beginning import Protocol as Protocol
from jaxthermo.brownian.beginning import check_protocol, checked_step, require_solver
from jaxthermo.brownian.beginning import starting_members as starting_members
from jaxthermo.brownian.equilibria import state_at
from jaxthermo.brownian.hierarchy import Field, workspace
from jaxthermo.brownian.observables import Observables, observe
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator, require_fast_cutoff
from jaxthermo.brownian.pacing import Pace
from jaxthermo.brownian.state import State
from jaxthermo.brownian.stepper import Driven, DrivenTerm, SplitStep, start
from jaxthermo.checks import (
    as_float,
    require_double_for,
    require_integer,
    require_times,
)
from jaxthermo.protocols.schedule import as_schedule, value_at
from jaxthermo.solve.checks_off import without_checks
from jaxthermo.solve.constant import frozen
from jaxthermo.solve.integrate import status_of, unreached_as_nan

if TYPE_CHECKING:
    import xarray

# Error that one step may make, in the 2-norm of all members over phase space (that of W_0 itself is about 0.3).
TOLERANCE = 1e-5
MAX_STEPS = 1_000_000


class Course(eqx.Module):
    """A driven solve at the times asked for; see `course`."""

    measured: Observables
    beta: Float[Array, " times"]
    x: Float[Array, " times"]
    totals: Float[Array, "times 4"]
    V: Field
    history: Float[Array, "times p n q"] | None  # the states at those times, where they are kept
    status: Int[Array, ""]
    steps: Int[Array, ""]


def course(
    oscillator: Oscillator,
    protocol: Protocol,
    V: Field,
    ts: Float[Array, " times"],
    grid: Any,
    *,
    solver: diffrax.AbstractSolver | None = None,
    steps: int | Int[Array, ""] | None = None,
    tolerance: float | Float[Array, ""] = TOLERANCE,
    adjoint: diffrax.AbstractAdjoint | None = None,
    max_steps: int | Int[Array, ""] = MAX_STEPS,
    keep_states: bool = False,
) -> Course:
    """`drive` as a pure function of arrays, to be jitted, vmapped and differentiated.

    Shapes     V: (p_points, members, q_points) on the grid; ts: (times,), increasing; results: (times, ...)
    `steps` fixed steps between neighbouring times, or error control at `tolerance`. Both, and `max_steps`, may be
    arrays, so that other values run in the same program. The default adjoint is forward mode; for grad pass
    `adjoint=diffrax.RecursiveCheckpointAdjoint()` and an integer `max_steps` near the number of steps needed.
    """
    work = workspace(oscillator, grid)
    term = DrivenTerm(work, protocol.beta, protocol.x)
    solver = _default(oscillator) if solver is None else solver

    def measure(t: Any, y: Driven, args: Any) -> Any:
        return observe(y.V, work, 1.0 / value_at(protocol.beta, t), t), y.totals, y.V if keep_states else None

    # diffrax's own arithmetic on weak types would be promoted differently under strict promotion.
    with jax.numpy_dtype_promotion("standard"):
        solution = without_checks(diffrax.diffeqsolve)(
            term,
            solver,
            t0=ts[0],
            t1=ts[-1],
            dt0=None,
            y0=start(V),
            saveat=diffrax.SaveAt(subs=[diffrax.SubSaveAt(ts=ts, fn=measure), diffrax.SubSaveAt(t1=True)]),
            stepsize_controller=_pace(ts, steps, tolerance, max_steps, grid, solver),
            # In forward mode the pace counts the steps. In reverse mode diffrax must know how many it may keep.
            max_steps=None if adjoint is None else max_steps,
            throw=False,
            adjoint=diffrax.ForwardMode() if adjoint is None else adjoint,
        )
    saved: Any = solution.ys
    measured, totals, history = jax.tree.map(unreached_as_nan, saved[0])
    return Course(
        measured=measured,
        beta=jax.vmap(lambda t: value_at(protocol.beta, t))(ts),
        x=jax.vmap(lambda t: value_at(protocol.x, t))(ts),
        totals=totals,
        V=saved[1].V[0],
        history=history,
        status=status_of(solution),
        steps=solution.stats["num_steps"],
    )


def _pace(ts: Any, steps: Any, tolerance: Any, max_steps: Any, grid: Any, solver: Any) -> Pace:
    limit = jnp.asarray(max_steps, jnp.int32)
    if steps is not None:
        return Pace(ts, limit, None, jnp.asarray(steps, jnp.int32), None)
    cell = jnp.sqrt(frozen(grid.cell))

    def norm(scaled: Driven) -> Array:
        return jnp.sqrt(jnp.vdot(scaled.V, scaled.V, precision="highest")) * cell

    adaptive = diffrax.PIDController(rtol=0.0, atol=jnp.asarray(tolerance, ts.dtype), norm=norm)
    return Pace(ts, limit, adaptive, None, jnp.asarray(True) if isinstance(solver, SplitStep) else None)


def _default(oscillator: Oscillator) -> diffrax.AbstractSolver:
    return diffrax.Tsit5() if isinstance(oscillator.bath, SwitchedBaths) else SplitStep()


_compiled = eqx.filter_jit(course)


def drive(
    oscillator: Any,
    beta: Any,
    x: Any,
    ts: Any,
    state: Any = None,
    solver: Any = None,
    *,
    dt: Any = None,
    tolerance: float = TOLERANCE,
    max_steps: Any = MAX_STEPS,
    keep_states: bool = False,
) -> "xarray.Dataset":
    """The oscillator under schedules beta(t) and x(t), as a labelled dataset over `time`.

    Equation   work = -int X dx, heat = int (dU - x dX); dimensionless, with x~ = beta x: work_int = int (U dbeta - X
               dx~), work_ext = int (U dbeta + x~ dX), heat_int = int (beta dU + X dx~), heat_ext = int (beta dU - x~
               dX), all from ts[0] on; bath_heat is the heat again, from the currents through the bath's operators
    Shapes     beta, x: numbers, schedules (`jt.Constant`, `jt.Ramp`, `jt.Table`, `jt.Fourier`), or any callables of
               t (jax.numpy inside); ts: (times,), increasing; state None: equilibrium at the first beta and x
    Units      k_B = 1; each variable's attrs carry its unit. Heat is counted into the oscillator; negative work is work
               done by it
    Raises     ValueError that names the argument: schedules not finite or beta <= 0 at one of many times, a state of
               another grid or hierarchy, an explicit solver's fixed step beyond its limit of stability, a
               cutoff too slow
    Source     Koyanagi & Tanimura 2024, Sec. III.2

    The solver is `SplitStep` with error control (`tolerance`, per step), diffrax.Tsit5 for `SwitchedBaths`; any
    explicit diffrax Runge-Kutta method may be passed, and `dt` for fixed steps, no longer. Steps end at every time in
    ts, so give the corners of a schedule as times. What a solve that stops early did not reach is NaN, and
    `attrs["status"]` says why; it also says if at any of the times the grid or the hierarchy did not hold the state
    (`edge`, `coarse`, `tail`), or heat counted in two ways differs, and what is not "ok" raises a `JaxthermoWarning`.
    `keep_states` adds the whole
    hierarchy at every time as `members`, for `jt.brownian.state_of` and `jt.potentials`. One compiled program serves
    all schedules of the same kind, as many times, all tolerances, steps and limits; a callable has one of its own.
    """
    from jaxthermo.brownian.labels import labelled, warn_unless_ok

    check_oscillator(oscillator)
    require_solver(solver)
    ts = require_times("ts", ts)
    protocol = Protocol(as_schedule("beta", beta), as_schedule("x", x))
    betas, fields = check_protocol(oscillator, protocol, ts)
    require_fast_cutoff(oscillator)
    require_double_for(tolerance, tolerance)
    if state is None:
        oscillator = resolved(oscillator, betas, fields)
        state = state_at(oscillator, betas[0], fields[0])
    elif oscillator.bath.depth is None and isinstance(state, State):
        depth: Any = state.oscillator.bath.depth
        oscillator = eqx.tree_at(lambda o: o.bath, oscillator, with_depth(oscillator.bath, depth))
    V, grid = starting_members(oscillator, state, betas[0]), state.grid
    steps = None
    if dt is not None:
        step = float(checked_step(oscillator, grid, solver, dt, betas, fields))
        # A hair's breadth is not worth one more step.
        steps = jnp.asarray(max(1, math.ceil(float(np.max(np.diff(np.asarray(ts)))) / step - 1e-9)), jnp.int32)
    done = _compiled(
        oscillator,
        protocol,
        V,
        ts,
        grid,
        solver=solver,
        steps=steps,
        tolerance=as_float(tolerance),
        max_steps=jnp.asarray(require_integer("max_steps", max_steps, 1), jnp.int32),
        keep_states=keep_states,
    )
    dataset = labelled(oscillator, grid, ts, done, {"tolerance": tolerance, "dt": dt})
    # Grid and hierarchy are judged along the course, its first time included.
    if dataset.attrs["status"] == Status.ok.word and int(state.status) == Status.not_converged:
        dataset.attrs["status"] = f"start {state.outcome}"
    warn_unless_ok("drive", dataset.attrs["status"])
    return dataset
