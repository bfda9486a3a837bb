"""The stationary cycle of a periodically driven oscillator."""

import functools
import math
from typing import TYPE_CHECKING, Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo.brownian.automatic import grid_for
from jaxthermo.brownian.bath import SwitchedBaths
from jaxthermo.brownian.canonical import canonical_members
from jaxthermo.brownian.drive import Course, Protocol, course
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import Field, workspace
from jaxthermo.brownian.march import march
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator, require_fast_cutoff
from jaxthermo.checks import require_double_for
from jaxthermo.protocols.stirling import StirlingCycle, check_cycle
from jaxthermo.solve.constant import frozen
from jaxthermo.solve.periodic import FixedPoint, find, follow_backward, follow_forward

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


def times_of(cycle: StirlingCycle, points: int) -> Float[Array, " times"]:
    """`points` equal intervals in each piece between two corners of the schedule."""
    knots = cycle.knots()
    inside = knots[:-1, None] + (knots[1:] - knots[:-1])[:, None] * (jnp.arange(points) / points)
    return jnp.concatenate([inside.ravel(), knots[-1:]])


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
        guess = _first_guess(oscillator, cycle, grid)
    most = 2 * steps if isinstance(steps, int) else None
    turn = functools.partial(_turn, grid=grid, points=points, most=most, solver=solver, reverse=reverse)

    def advance(V: Field, args: Any) -> Field:
        return turn(V, args).V

    def periodic(guess: Field, count: Any) -> tuple[Field, Turn]:
        args = (oscillator, cycle, count)
        found: FixedPoint = find(advance, guess, args, tolerance / cell, max_cycles)
        start = _backward(advance, found.x, args) if reverse else follow_forward(advance, found.x, args)
        course = turn(start, args, keep_states=keep_states)
        done = Turn(course, times_of(cycle, points), found.residual * cell, found.applications, jnp.zeros(()))
        return course.V, done

    if solver is not None:
        return periodic(guess, steps)[1]
    # One loop over both, since each part of it compiles for seconds.
    counts = jnp.asarray(steps, jnp.int32) * jnp.asarray([1, 2], jnp.int32)
    _, turns = jax.lax.scan(periodic, guess, counts)
    coarse, fine = (jax.tree.map(lambda leaf, i=i: leaf[i], turns) for i in (0, 1))

    def extrapolated(a: Array, b: Array) -> Array:
        return (4.0 * b - a) / 3.0 if eqx.is_inexact_array(b) else a + b

    both = jax.tree.map(extrapolated, coarse.course, fine.course)
    # The state stays one that a run has been in, and so does what watches over it.
    last = (
        fine.course.V,
        fine.course.measured.edge,
        fine.course.measured.tail,
        fine.course.measured.min_wigner,
        fine.course.history,
    )
    status = jnp.maximum(coarse.course.status, fine.course.status)
    both = eqx.tree_at(_from_one_run, both, (*last, status), is_leaf=lambda leaf: leaf is None)
    correction = jnp.abs(fine.work - coarse.work)
    return Turn(both, fine.times, fine.residual, coarse.cycles + fine.cycles, correction)


def _first_guess(oscillator: Oscillator, cycle: StirlingCycle, grid: PhaseGrid) -> Field:
    """The canonical state at t = 0."""
    return canonical_members(workspace(oscillator, grid), 1.0 / cycle.beta(0.0), cycle.x(0.0))


def _from_one_run(course: Course) -> Any:
    measured = course.measured
    return course.V, measured.edge, measured.tail, measured.min_wigner, course.history, course.status


def _turn(
    V: Field,
    args: tuple[Oscillator, StirlingCycle, Any],
    *,
    grid: PhaseGrid,
    points: int,
    most: int | None,
    solver: diffrax.AbstractSolver | None,
    reverse: bool,
    keep_states: bool = False,
) -> Course:
    """One cycle from the state V."""
    oscillator, cycle, steps = args
    times, protocol = times_of(cycle, points), Protocol(cycle.beta, cycle.x)
    if solver is None:
        return march(oscillator, protocol, V, times, grid, steps, keep_states, most)
    # diffrax counts the step that ends a run.
    adjoint: Any = diffrax.RecursiveCheckpointAdjoint() if reverse else diffrax.ForwardMode()
    limits: dict[str, Any] = {"keep_states": keep_states, "steps": steps, "max_steps": steps * (times.shape[0] - 1) + 1}
    return course(oscillator, protocol, V, times, grid, solver=solver, adjoint=adjoint, **limits)


def _backward(advance: Any, root: Field, args: Any) -> Field:
    def project(covector: Array, root: Array) -> Array:
        # The map keeps the norm, so the sum over W_0 is its left eigenvector of 1, and the root the right one.
        return covector.at[:, 0].add(-jnp.sum(covector * root) / jnp.sum(root[:, 0]))

    return follow_backward(advance, root, args, project)


_compiled = eqx.filter_jit(stationary_turn)


def run_cycle(
    oscillator: Any,
    cycle: Any,
    tol: float = 1e-6,
    *,
    solver: Any = None,
    points: int = POINTS,
    steps: int | None = None,
    max_cycles: int = MAX_CYCLES,
    keep_states: bool = False,
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
    the whole hierarchy at every time as `members`, for `jt.brownian.state_of` and `jt.potentials`.
    """
    from jaxthermo.brownian.labels import TOUCHED, labelled
    from jaxthermo.solve.integrate import STATUS

    check_oscillator(oscillator)
    check_cycle(cycle)
    require_double_for(tol, tol)
    if not tol < 1.0:
        raise ValueError(f"`tol` must be < 1, but is {tol}")
    if isinstance(oscillator.bath, SwitchedBaths):
        raise ValueError(
            "`oscillator` must not have SwitchedBaths in a thermostatic cycle; use jt.drive over several periods"
        )
    betas, fields = [cycle.beta_hot, cycle.beta_cold], [cycle.x_start, cycle.x_end]
    require_fast_cutoff(oscillator)
    grid = oscillator.grid if oscillator.grid is not None else grid_for(oscillator, betas, fields)
    longest = float(np.max(np.diff(np.asarray(cycle.knots()))))
    count = steps if steps is not None else max(1, math.ceil(longest / points / FIRST_STEP))

    def turn(count: int, guess: Field) -> Turn:
        return _compiled(
            oscillator,
            cycle,
            grid,
            points=points,
            steps=count if solver is not None else jnp.asarray(count, jnp.int32),
            tolerance=tol,
            max_cycles=max_cycles,
            solver=solver,
            guess=guess,
            keep_states=keep_states,
        )

    # The same signature for the first run and for those that go on from it: one compilation.
    done = turn(count, _first_guess(oscillator, cycle, grid))
    step_error = float("nan")
    cycles = int(done.cycles)
    for _ in range(HALVINGS if steps is None else 0):
        finer = turn(2 * count, done.course.V)
        step_error = abs(float(finer.work - done.work))
        count, done = 2 * count, finer
        cycles += int(done.cycles)
        if not step_error > tol * float(np.ptp(np.asarray(done.course.measured.U))):
            break
    dataset = labelled(
        oscillator, grid, done.times, done.course, {"cycle": cycle, "tol": tol, "points": points, "steps": count}
    )
    if dataset.attrs["status"] in (STATUS[0], TOUCHED) and not float(done.residual) <= tol:
        dataset.attrs["status"] = "not periodic"
    dataset.attrs |= {
        "work": float(done.work),
        "heat": float(dataset.heat[-1]),
        "residual": float(done.residual),
        "cycles": cycles,
        "step_error": step_error,
    }
    return dataset
