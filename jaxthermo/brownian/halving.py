"""The time step of a stationary cycle halved until the work rests."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.drive import Course
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import Field
from jaxthermo.brownian.march import extrapolated
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.turns import Engine, Found, SolverTurns, SplitTurns, first_guess, search
from jaxthermo.protocols.stirling import StirlingCycle
from jaxthermo.solve.integrate import OK


def times_of(cycle: StirlingCycle, points: int) -> Float[Array, " times"]:
    """`points` equal intervals in each piece between two corners of the schedule."""
    knots = cycle.knots()
    inside = knots[:-1, None] + (knots[1:] - knots[:-1])[:, None] * (jnp.arange(points) / points)
    return jnp.concatenate([inside.ravel(), knots[-1:]])


@eqx.filter_jit
def engine_of(oscillator: Oscillator, cycle: StirlingCycle, grid: PhaseGrid, points: int) -> Engine:
    return Engine(oscillator, cycle, times_of(cycle, points), grid)


_extrapolated = eqx.filter_jit(extrapolated)


@eqx.filter_jit
def _ahead(coarse: Field, fine: Field) -> Field:
    """What half the step of `fine` should give, with an error that falls with the square of the step."""
    return fine + 0.25 * (fine - coarse)


def work_of(course: Course) -> float:
    return -float(np.asarray(course.totals)[-1, 0])


def halved(
    turns: SplitTurns | SolverTurns, count: int, halvings: int, tol: float, limit: int, tell: Callable[[str], None]
) -> tuple[Course, float, int, float, int]:
    """The cycle with steps short enough: its course, residual, cycles run, estimated error of the work, and steps.

    Split steps are extrapolated from two runs, the finer of which serves again as the coarser of the next pair.
    """
    split = isinstance(turns, SplitTurns)
    cycles, contraction, coarse = 0, float("inf"), None

    def run(count: int, guess: Field) -> Found:
        nonlocal cycles, contraction
        found = search(turns, guess, count, tol, limit, tell, contraction)
        cycles, contraction = cycles + found.cycles, found.contraction
        return found

    fine = run(count, first_guess(turns.engine))
    guess = fine.course.V
    if split:
        coarse, fine = fine, run(2 * count, guess)
        guess = _ahead(coarse.course.V, fine.course.V)
    done = fine.course if coarse is None else _extrapolated(coarse.course, fine.course)
    step_error = float("nan")
    for _ in range(halvings):
        if int(done.status) != OK:
            break
        finer = run(4 * count if split else 2 * count, guess)
        guess = _ahead(fine.course.V, finer.course.V) if split else finer.course.V
        better = _extrapolated(fine.course, finer.course) if split else finer.course
        step_error = abs(work_of(better) - work_of(done))
        count, fine, done = 2 * count, finer, better
        if not step_error > tol * float(np.ptp(np.asarray(done.measured.U))):
            break
    return done, fine.residual, cycles, step_error, count
