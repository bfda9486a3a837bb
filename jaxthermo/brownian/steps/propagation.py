"""The driven hierarchy from one time to the next: by diffrax, or by bare split steps of fixed number in one loop."""

import functools
from typing import Any

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._status import Status, as_codes
from jaxthermo._types import IntLike
from jaxthermo.brownian.hierarchy import HierarchyState, equation_on
from jaxthermo.brownian.observables import Observables, observe
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.steps.pacing import SIZE, Pace, size_of
from jaxthermo.brownian.steps.spectrum import from_spectrum, to_spectrum
from jaxthermo.brownian.steps.split import noise_of
from jaxthermo.brownian.steps.stepper import Driven, DrivenTerm, SplitStep, start, strang
from jaxthermo.protocols.schedules import Schedule, value_at
from jaxthermo.solve.blank import blank_of
from jaxthermo.solve.checks_off import without_checks
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.either_mode import by_mode
from jaxthermo.solve.integrate import status_of, unreached_as_nan

# States that reverse mode keeps of one solve by default. With n of them it repeats n^2/2 steps once or twice.
CHECKPOINTS = 64


class Protocol(eqx.Module):
    """Schedules of inverse temperature and field."""

    beta: Schedule
    x: Schedule


class DriveSolution(eqx.Module):
    """A driven solve at the times asked for.

    `totals` are those of `Driven` since the first time; `V` the
    members at the last time, `members` those at every time where they are kept.
    """

    measured: Observables
    totals: Float[Array, "times totals"]
    V: HierarchyState
    members: Float[Array, "times p n q"] | None
    status: Int[Array, ""]
    steps: Int[Array, ""]


def unaccounted(solution: DriveSolution, x: Float[Array, " times"]) -> Float[Array, " times"]:
    """What H = U - x X changed by since the first time, beyond work and the bath's own count of its heat."""
    H = solution.measured.U - x * solution.measured.X
    return H - H[0] + solution.totals[:, 0] - solution.totals[:, 3]


class Drive(eqx.Module):
    """An oscillator under a protocol, looked at at increasing times."""

    oscillator: Oscillator
    protocol: Protocol
    times: Float[Array, " times"]


class Method(eqx.Module):
    """How a drive is solved: by `steps` equal steps between neighbouring times, or by error control at `tol`.

    `keep_states`: whether all members of the hierarchy at every time are kept. `checkpoints`: states that reverse mode
    keeps.
    """

    solver: diffrax.AbstractSolver
    tol: Float[Array, ""]
    steps: Int[Array, ""] | None
    max_steps: Int[Array, ""]
    keep_states: bool = eqx.field(static=True)
    checkpoints: int = eqx.field(static=True, default=CHECKPOINTS)


def propagate(drive: Drive, V: HierarchyState, method: Method) -> DriveSolution:
    """The members V at the first time driven on, by diffrax; derivatives in either mode, the times held constant."""

    held = Drive(drive.oscillator, drive.protocol, stop_gradient(drive.times))
    return by_mode(
        lambda args, reverse: propagate_by(args[0], args[1], args[2], reverse), (held, V, stop_gradient(method))
    )


def propagate_by(drive: Drive, V: HierarchyState, method: Method, reverse: bool) -> DriveSolution:
    """`propagate` for one mode of differentiation: forward, or `reverse`."""
    protocol, ts, solver = drive.protocol, drive.times, method.solver
    adjoint = diffrax.RecursiveCheckpointAdjoint(checkpoints=method.checkpoints) if reverse else diffrax.ForwardMode()
    equation = equation_on(drive.oscillator)
    term = DrivenTerm(equation, protocol.beta, protocol.x)

    def measure(t: Any, y: Driven) -> Any:
        return observe(y.V, equation, 1.0 / value_at(protocol.beta, t), t), y.totals

    def packed(t: Any, y: Driven, args: Any) -> Any:
        return ravel_pytree(measure(t, y))[0], y.V if method.keep_states else None

    begin = start(V, equation)
    # Explicit solvers look at the schedules at the ends of their steps; see `Pace`.
    t0, t1 = (ts[0], ts[-1]) if isinstance(solver, SplitStep) else (eqxi.nextafter(ts[0]), eqxi.prevbefore(ts[-1]))
    # diffrax's own arithmetic on weak types would be promoted differently under strict promotion.
    with jax.numpy_dtype_promotion("standard"):
        solution = without_checks(diffrax.diffeqsolve)(
            term,
            solver,
            t0=t0,
            t1=t1,
            dt0=None,
            y0=begin,
            saveat=diffrax.SaveAt(
                subs=[diffrax.SubSaveAt(ts=jnp.clip(ts, t0, t1), fn=packed), diffrax.SubSaveAt(t1=True)]
            ),
            stepsize_controller=_controller(ts, method, begin),
            # The controller counts the steps.
            max_steps=None,
            throw=False,
            adjoint=adjoint,
        )
    saved: Any = solution.ys
    rows, members = jax.tree.map(unreached_as_nan, saved[0])
    # One row of numbers for each time: diffrax's program grows with every array that it saves.
    measured, totals = jax.vmap(ravel_pytree(blank_of(measure, ts[0], begin))[1])(rows)
    return DriveSolution(
        measured, totals, saved[1].V[0], members, status_of(solution), solution.stats["num_steps"].astype(jnp.int32)
    )


def _controller(ts: Array, method: Method, begin: Driven) -> Pace:
    split = jnp.asarray(True) if isinstance(method.solver, SplitStep) else None
    if method.steps is not None:
        return Pace(ts, method.max_steps, None, method.steps, split)
    first = size_of(begin)

    def norm(scaled: Driven) -> Array:
        return SIZE * jnp.sqrt(jnp.vdot(scaled.V, scaled.V, precision="highest")) / first

    adaptive = diffrax.PIDController(rtol=0.0, atol=method.tol, norm=norm)
    return Pace(ts, method.max_steps, adaptive, None, split, first)


def propagate_fixed_steps(
    drive: Drive,
    V: HierarchyState,
    steps: IntLike,
    keep_states: bool = False,
    measured: bool | Bool[Array, ""] = True,
    reverse: bool = False,
    checkpoints: int = CHECKPOINTS,
) -> DriveSolution:
    """`propagate` by `steps` bare second-order split steps, or none, from each time to the next.

    The same steps as `SplitStep(extrapolate=False)` in diffrax, for calculations that repeat a whole period: the loop
    compiles in a fraction of the time. An array of `steps` serves every number with one compilation. Nothing is
    measured, and the solution holds zeros, where `measured` is False. `reverse`: for reverse mode, which keeps the
    state at every time, and of the steps between two of them `checkpoints` states at once.
    """
    equation, ts, protocol = equation_on(drive.oscillator), drive.times, drive.protocol
    term = DrivenTerm(equation, protocol.beta, protocol.x)
    noise = noise_of(equation)
    steps = jnp.asarray(steps, jnp.int32)

    # Inside a loop no other computation of the same values could be merged with the repeated one.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def advance(y: Driven, piece: tuple[Array, Array, Array]) -> tuple[Driven, Any]:
        t0, t1, count = piece
        h = (t1 - t0) / jnp.maximum(steps, 1).astype(t0.dtype)

        def step(carry: tuple[Array, Driven]) -> tuple[Array, Driven]:
            i, y = carry
            begin = t0 + i.astype(h.dtype) * h
            return i + 1, strang(term, noise, y, begin, begin + h)

        def due(carry: tuple[Array, Driven]) -> Array:
            return carry[0] < count

        _, y = loop_for(due, step, (jnp.zeros((), jnp.int32), y), reverse, checkpoints)
        if measured is True:
            return y, measure(y, t1)
        return y, jax.lax.cond(measured, measure, nothing, y, t1)

    def measure(y: Driven, t: Any) -> Any:
        V = from_spectrum(y.V, equation)
        return observe(V, equation, 1.0 / value_at(protocol.beta, t), t), y.totals, V if keep_states else None

    def nothing(y: Driven, t: Any) -> Any:
        return blank_of(measure, y, t)

    # A piece without steps comes first, so that the first time is measured by the same piece of program.
    counts = jnp.full(ts.shape, steps).at[0].set(0)
    pieces = (jnp.concatenate([ts[:1], ts[:-1]]), ts, counts)
    end, (observed, totals, members) = jax.lax.scan(advance, start(to_spectrum(V, equation), equation), pieces)
    status = jnp.where(jnp.all(jnp.isfinite(end.V)), as_codes(Status.ok), as_codes(Status.solver_failed))
    return DriveSolution(observed, totals, from_spectrum(end.V, equation), members, status, steps * (ts.shape[0] - 1))


def loop_for(due: Any, step: Any, start: Any, reverse: bool, checkpoints: int = CHECKPOINTS) -> Any:
    """A loop without a bound, for one mode of differentiation: forward, or `reverse`, which keeps `checkpoints`."""
    if not reverse:
        return jax.lax.while_loop(due, step, start)
    with jax.numpy_dtype_promotion("standard"):
        return eqxi.while_loop(due, step, start, kind="checkpointed", checkpoints=checkpoints)


def extrapolated(runs: DriveSolution, weights: Array | np.ndarray, last: Any, states: bool) -> DriveSolution:
    """Everything at step 0, from runs with ever shorter steps, stacked along the first axis of all arrays.

    `weights`, (runs,), are those of the `last` run and the ones before it; beyond it they are 0. What says how grid
    and hierarchy held the states is of that run, and so are the states unless `states`: where steps are long, what they
    are extrapolated to is no density.
    """

    def to_zero(leaf: Any) -> Any:
        return (weights.reshape(-1, *[1] * (leaf.ndim - 1)) * leaf).sum(0)

    numbers, counts = eqx.partition(runs, lambda leaf: jnp.issubdtype(leaf.dtype, jnp.floating))
    at_zero: DriveSolution = eqx.combine(jax.tree.map(to_zero, numbers), counts)
    names = ("edge", "coarse", "tail", "tail_density", "min_wigner")

    def kept(run: DriveSolution) -> list[Any]:
        return [getattr(run.measured, name) for name in names]

    at_zero = eqx.tree_at(kept, at_zero, [leaf[last] for leaf in kept(runs)])
    if not states:
        at_zero = eqx.tree_at(lambda run: run.V, at_zero, runs.V[last])
        if runs.members is not None:
            at_zero = eqx.tree_at(lambda run: run.members, at_zero, runs.members[last])
    return eqx.tree_at(lambda run: (run.status, run.steps), at_zero, (runs.status.max(0), runs.steps.sum(0)))
