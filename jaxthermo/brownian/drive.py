"""A driven trajectory of the oscillator, with its work and heat."""

import math
from typing import TYPE_CHECKING, Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo.brownian.automatic import resolved, with_depth
from jaxthermo.brownian.bath import SwitchedBaths
from jaxthermo.brownian.equilibrium import State, equilibrium
from jaxthermo.brownian.grid import same_grid
from jaxthermo.brownian.hierarchy import Field, workspace
from jaxthermo.brownian.limits import stability_extents, step_limit
from jaxthermo.brownian.observables import Observables, observe
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator, require_fast_cutoff
from jaxthermo.brownian.pacing import Pace
from jaxthermo.brownian.split import change_temperature
from jaxthermo.brownian.stepper import Driven, DrivenTerm, SplitStep, start
from jaxthermo.checks import (
    as_float,
    is_known,
    require_double_for,
    require_finite,
    require_integer,
    require_positive,
    require_scalar,
    require_times,
)
from jaxthermo.protocols.schedule import as_schedule, value_at
from jaxthermo.solve.checks_off import without_checks
from jaxthermo.solve.constant import frozen
from jaxthermo.solve.integrate import STATUS, status_of, unreached_as_nan

if TYPE_CHECKING:
    import xarray

# Error that one step may make, in the 2-norm of all members over phase space (that of W_0 itself is about 0.3).
TOLERANCE = 1e-5
MAX_STEPS = 1_000_000
# Times from each saved time to the next at which the schedules are looked at before a solve.
SAMPLES = 32


class Protocol(eqx.Module):
    """Schedules of inverse temperature and field: numbers, schedules or callables of t."""

    beta: Any
    x: Any


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


def require_solver(solver: Any) -> None:
    """Raise a ValueError unless the solver is None, `SplitStep`, or an explicit Runge-Kutta method of diffrax."""
    if solver is not None and not isinstance(solver, SplitStep | diffrax.AbstractERK):
        raise ValueError(
            "`solver` must be an explicit Runge-Kutta method of diffrax, such as diffrax.Tsit5(), or SplitStep, "
            f"but is {solver!r}"
        )


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
    max_steps: int = MAX_STEPS,
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
    `attrs["status"]` says why; it also says if the state touched the rim of the grid. `keep_states` adds the whole
    hierarchy at every time as `members`, for `jt.brownian.state_of` and `jt.potentials`. One compiled program serves
    all schedules of the same kind, as many times, all tolerances, steps and limits; a callable has one of its own.
    """
    from jaxthermo.brownian.labels import labelled

    check_oscillator(oscillator)
    require_solver(solver)
    ts = require_times("ts", ts)
    protocol = Protocol(as_schedule("beta", beta), as_schedule("x", x))
    betas, fields = check_protocol(protocol, ts)
    require_fast_cutoff(oscillator)
    require_double_for(tolerance, tolerance)
    started_here = state is None
    if state is None:
        oscillator = resolved(oscillator, betas, fields)
        state = equilibrium(oscillator, betas[0], fields[0])
    elif oscillator.bath.depth is None and isinstance(state, State):
        depth: Any = state.work.oscillator.bath.depth
        oscillator = eqx.tree_at(lambda o: o.bath, oscillator, with_depth(oscillator.bath, depth))
    V, grid = starting_members(oscillator, state, betas[0]), state.grid
    steps = None
    if dt is not None:
        step = float(_checked_step(oscillator, grid, solver, dt, betas, fields))
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
    if started_here and dataset.attrs["status"] == STATUS[0] and state.status != STATUS[0]:
        dataset.attrs["status"] = f"start {state.status}"
    return dataset


def check_protocol(protocol: Protocol, ts: Float[Array, " times"]) -> tuple[np.ndarray, np.ndarray]:
    """Values of beta and x at many times, the first of them ts[0], after refusing impossible ones.

    What a schedule does between these times is met by the solve, which ends with a status where beta is not > 0.
    """
    betas, fields = _sampled(protocol, ts)
    require_positive("beta", betas)
    require_finite("x", fields)
    return np.asarray(betas), np.asarray(fields)


@eqx.filter_jit
def _sampled(protocol: Protocol, ts: Float[Array, " times"]) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Both schedules at the times asked for, and at `SAMPLES` times from each to the next."""
    parts = jnp.arange(SAMPLES, dtype=ts.dtype) / SAMPLES
    moments = jnp.append((ts[:-1, None] + (ts[1:] - ts[:-1])[:, None] * parts).ravel(), ts[-1])
    values = (jax.vmap(lambda t, s=s: value_at(s, t))(moments) for s in (protocol.beta, protocol.x))
    return next(values), next(values)


def starting_members(oscillator: Oscillator, state: Any, beta: Any) -> Field:
    """The members of a state, written for the temperature it is to meet; ValueError if it is another oscillator's."""
    if not isinstance(state, State):
        raise ValueError(
            f"`state` must come from jt.equilibrium or jt.brownian.state_of, but is {type(state).__name__}"
        )
    if oscillator.grid is not None and not same_grid(oscillator.grid, state.grid):
        raise ValueError(f"`state` must be on the oscillator's grid {oscillator.grid}, but is on {state.grid}")
    own, given = oscillator.bath, state.work.oscillator.bath
    # The members are measured in units of the bath's noise, so they mean something else in another bath.
    if not (_shape(own) == _shape(given) and _same(own, given)):
        raise ValueError("`state` must come from the oscillator's own bath, but its bath has other parameters")
    if not _same(oscillator.hbar, state.work.oscillator.hbar):
        raise ValueError("`state` must come from an oscillator with the same hbar, but its hbar differs")
    if not isinstance(own, SwitchedBaths) and not (is_known(state.beta, beta) and float(state.beta) == float(beta)):
        return change_temperature(state.V, workspace(oscillator, state.grid), 1.0 / state.beta, 1.0 / jnp.asarray(beta))
    return state.V


def _shape(bath: Any) -> Any:
    return jax.tree.structure(bath)


def _same(a: Any, b: Any) -> bool:
    """Whether all arrays agree, as far as they are known."""
    pairs = zip(jax.tree.leaves(eqx.filter(a, eqx.is_array)), jax.tree.leaves(eqx.filter(b, eqx.is_array)), strict=True)
    return all(not is_known(x, y) or np.array_equal(np.asarray(x), np.asarray(y)) for x, y in pairs)


def _checked_step(oscillator: Oscillator, grid: Any, solver: Any, dt: Any, betas: Any, fields: Any) -> Float[Array, ""]:
    dt = require_scalar("dt", dt)
    require_positive("dt", dt)
    if solver is None or isinstance(solver, SplitStep):
        return dt
    extents = stability_extents(solver)
    work = workspace(oscillator, grid)
    corners = [(1.0 / b, x) for b in (betas.min(), betas.max()) for x in (fields.min(), fields.max())]
    limit = min(float(step_limit(work, jnp.asarray(T), jnp.asarray(x), extents)) for T, x in corners)
    if float(dt) > limit:
        name = type(solver).__name__
        raise ValueError(
            f"`dt` must be <= {limit:.3g} for {name} to be stable on this grid, but is {float(dt):.3g}; use SplitStep"
        )
    return dt
