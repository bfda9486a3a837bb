"""The protocol that moves the field from one value to another in a given time with the least work."""

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.polynomial import chebyshev

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, as_codes
from jaxthermo._types import IntLike, ScalarLike
from jaxthermo.brownian.bath import require_one_temperature
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.checks import require_double_for, require_integer, require_known, require_positive, require_scalar
from jaxthermo.interrupted import Interrupted
from jaxthermo.search.newton import Descent, newton_descent
from jaxthermo.search.ramp_problem import RampProblem, powers_of, value_and_slope
from jaxthermo.search.ramp_start import classical_start, correlated_start, with_room_for
from jaxthermo.search.slow_ramps import SlowRamp
from jaxthermo.search.work_functional import bound_of
from jaxthermo.solve.progress import Line

# The longest step that a search begins with, and the fewest it takes; a program serves at least so many.
STEP, FEWEST_STEPS, LEAST_BOUND = 0.05, 32, 256
MAX_STEPS = 60
# A search ends where another step would gain no more than this, in units of the temperature + |work|.
GAIN = 1e-13
# The error of the time step, in the same units: the search is repeated with half the step, so many times, until it is
# below the first, and not called resolved above the second; nor is what the grid's rim cuts off.
FINE_ENOUGH, RESOLVED, REFINEMENTS = 1e-9, 1e-6, 4


class OptimalRamp(AbstractResult):
    """The ramp of least work, made by `optimal_ramp`.

    x(s) = a + (b - a) s + s (1 - s) sum_j c_j s^j, s = t/duration, with `ends` (a, b) and `coefficients` c. `history`
    is the work after each step of the last search; `stats`: `solves`, propagations with their gradient, and `steps` of
    the search.
    """

    status: Int[Array, ""]
    stats: dict[str, int]
    oscillator: Oscillator
    beta: Float[Array, ""]
    x_start: Float[Array, ""]
    x_end: Float[Array, ""]
    duration: Float[Array, ""]
    work: Float[Array, ""] = quantity("energy", "work of the ramp, -int X dx")
    error: Float[Array, ""] = quantity("energy", "what the time step and the rim of the grid change in the work")
    step_error: Float[Array, ""] = quantity("energy", "change by halving the time step, before extrapolation")
    gradient: Float[Array, ""] = quantity("energy", "norm of the gradient in its parameters, over x_end - x_start")
    coefficients: Float[Array, " order"] = quantity("energy/X", "coefficients c of the ramp", ("power",))
    ends: Float[Array, "2"] = quantity("energy/X", "x at the two ends, inside of jumps", ("end",), main=True)
    kicks: Float[Array, "2"] = quantity(
        "energy time/X", "impulses int x dt at the two ends, 0 without jumps", ("end",), main=True
    )
    history: Float[Array, " steps"] = quantity("energy", "work after each step of the last search", ("step",))

    @property
    def solves(self) -> int:
        """How often the state was propagated with its gradient."""
        return self.stats["solves"]


def optimal_ramp(
    oscillator: Oscillator,
    beta: ScalarLike,
    x_start: ScalarLike,
    x_end: ScalarLike,
    duration: ScalarLike,
    order: IntLike,
    jumps: bool = False,
    *,
    dt: ScalarLike = STEP,
    start: SlowRamp | None = None,
    progress: bool | None = None,
) -> OptimalRamp:
    """The protocol x(t) from x_start to x_end of least work, from equilibrium, at constant beta.

    Equation   minimise W = -int X dx over x(s) = line + s (1 - s) sum_j c_j s^j, s = t/duration, with `order`
               coefficients c; with jumps the line's ends are free too, and at both ends the field may give an impulse
               (a peak of vanishing width), as the optimal protocols of underdamped systems do

    oscillator      what is moved; a grid that was left open has room for the motion
    beta            inverse temperature, a known number; 1/energy
    x_start, x_end  fields before and after, known numbers; energy per unit of X
    duration        of the ramp, a known number; time
    order           number of coefficients, >= 1, with jumps >= 0
    jumps           whether x may jump and give impulses at both ends
    dt              longest time step to begin with; it is halved until `error` is small
    start           where the search begins: as a `jt.search.slow_ramp` between the same fields; None: as the line
    progress        whether a line tells how far the search is; None: on a terminal
    Returns         the ramp and its work, in energy, negative where the oscillator does it; see `OptimalRamp`
    Raises          ValueError that names the argument
    Accuracy        `work` is that of the ramp found to within `error`, below 1e-6 (1/beta + |work|) and usually below
                    1e-9, and another step would gain less than 1e-13 of that sum, where `status` is ok
    Source          Schmiedl & Seifert 2007, Phys. Rev. Lett. 98, 108301; underdamped: Gomez-Marin, Schmiedl & Seifert
                    2008, J. Chem. Phys. 129, 024114

    Newton's method on exact gradients. For U = m w^2 q^2/2 the work is quadratic in all it depends on, so one step
    ends the search; the minimum over all protocols is then -(dx)^2 t / [2 m w^2 (t + 2 gamma/(m w^2))]: jumps with
    order 0 reach it, and without jumps every order stays above. A keyboard interrupt between two propagations ends the
    search with a `jt.Interrupted`, whose `result` has the best ramp until then, and its work on steps half as long.

    Example
        >>> import jaxthermo as jt
        >>> harmonic = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(8.0, 0.4, 8.0, 0.4))
        >>> found = jt.optimal_ramp(harmonic, beta=1.0, x_start=0.0, x_end=1.0, duration=2.0, order=2)
        >>> round(float(found.work), 4), found.outcome  # without jumps; with them -0.25
        (-0.2095, 'ok')
    """
    check_oscillator(oscillator)
    require_double_for(GAIN, GAIN)
    require_one_temperature(oscillator)
    numbers = {"beta": beta, "x_start": x_start, "x_end": x_end, "duration": duration, "dt": dt}
    require_known("optimal_ramp", (oscillator, numbers), "trace `jt.minimum_work`, or `jt.drive` of one ramp")
    beta, x_start, x_end, duration, dt = (require_scalar(name, value) for name, value in numbers.items())
    for name, value in (("beta", beta), ("duration", duration), ("dt", dt)):
        require_positive(name, value)
    order = require_integer("order", order, 0 if jumps else 1)
    times, betas = jnp.asarray([0.0, float(duration)]), jnp.asarray([float(beta)] * 2)
    oscillator.bath.check_drive(oscillator.mass, oscillator.hbar, times, betas)
    oscillator = with_room_for(oscillator, beta, x_start, x_end, duration, bool(jumps))
    equilibrium = correlated_start if oscillator.quantum else classical_start
    V, equation, unsolved = equilibrium(oscillator, beta, x_start)
    steps = max(FEWEST_STEPS, int(np.ceil(float(duration) / float(dt) - 1e-9)))
    problem = RampProblem(
        V, equation, beta, x_start, x_end, duration, jnp.asarray(steps, jnp.int32), 0, order, bool(jumps)
    )
    z = np.zeros(order + (4 if jumps else 0))
    if start is not None and order:
        z[-order:] = _shape_of(start, problem)
    with Line("optimal_ramp", progress) as line:
        result, stopped = _refined(problem, z, line, unsolved)
        if stopped:
            raise Interrupted("optimal_ramp", replace(result, status=as_codes(Status.interrupted)))
    warn_unless_ok(result)
    return result


def _shape_of(start: SlowRamp, problem: RampProblem) -> Float[np.ndarray, " order"]:
    """The shape of a ramp of this order that is nearest to a slow one; ValueError unless their fields agree."""
    ends = np.array([float(problem.x_start), float(problem.x_end)])
    values = np.asarray(start.ramp.values)
    if not np.allclose(values[[0, -1]], ends, rtol=0.0, atol=1e-9 * np.max(np.abs(ends))):
        raise ValueError(f"`start` must go from {ends[0]} to {ends[1]}, but goes from {values[0]} to {values[-1]}")
    s = np.asarray(start.ramp.times) / float(start.ramp.times[-1])
    shapes = (s * (1.0 - s))[:, None] * chebyshev.chebvander(2.0 * s - 1.0, problem.order - 1)
    return np.linalg.lstsq(shapes, values - ends[0] - (ends[1] - ends[0]) * s)[0]


def _refined(problem: RampProblem, z: np.ndarray, line: Line, unsolved: bool) -> tuple[OptimalRamp, bool]:
    """Searches with ever shorter steps, each from the ramp found before, until the error of the time step is small.

    Also whether a keyboard interrupt has ended them; then it is the best ramp until then.
    """
    solves = 0
    best: tuple[RampProblem, Descent, _Seen] | None = None
    for left in reversed(range(REFINEMENTS + 1)):
        try:
            problem, found, seen = best = _searched(problem, z, line)
        except KeyboardInterrupt:
            if best is None:
                raise
            return _labelled(*best, solves, unsolved), True
        solves += found.evaluations + 1
        if found.status is Status.interrupted:
            return _labelled(*best, solves, unsolved), True
        hopeless = left == 0 or float(seen.edge) >= RESOLVED
        if hopeless or not seen.error > FINE_ENOUGH * _scale(problem, seen):
            break
        z = found.point
    return _labelled(problem, found, seen, solves, unsolved), False


class _Seen(NamedTuple):
    """A ramp on steps half as long as those of its search, and what these have changed."""

    work: Array
    error: float
    step_error: Array
    edge: Array


def _searched(problem: RampProblem, z: np.ndarray, line: Line) -> tuple[RampProblem, Descent, _Seen]:
    """The best ramp near z, and its work on half the step; the problem that is returned has this step."""
    # One program serves the search and the check of what it found, with twice as many steps.
    problem = replace(problem, most=max(LEAST_BOUND, bound_of(2 * int(problem.steps))))

    # Work in units of the temperature, parameters in those of the way: a search knows no other.
    energy, units = 1.0 / float(problem.beta), _units(problem)

    def evaluate(z: np.ndarray) -> tuple[float, np.ndarray]:
        (value, _), slope = value_and_slope(problem, jnp.asarray(z * units))
        line.tell(f"{int(problem.steps)} steps, work {float(value):.9g}")
        return float(value) / energy, np.asarray(slope) * units / energy

    found = newton_descent(evaluate, z / units, gain=GAIN, max_steps=MAX_STEPS)
    found = found._replace(
        point=found.point * units,
        value=found.value * energy,
        gradient=found.gradient * energy,
        history=found.history * energy,
    )
    finer = replace(problem, steps=jnp.asarray(2 * int(problem.steps), jnp.int32))

    def seen() -> _Seen:
        (work, (step_error, edge)), _ = value_and_slope(finer, jnp.asarray(found.point))
        return _Seen(work, abs(float(work) - found.value), step_error, edge)

    try:
        return finer, found, seen()
    except KeyboardInterrupt:
        if found.status is Status.interrupted:
            raise
        return finer, found._replace(status=Status.interrupted), seen()


def _scale(problem: RampProblem, seen: _Seen) -> float:
    """The temperature + |work|, in which errors are counted."""
    return 1.0 / float(problem.beta) + abs(float(seen.work))


def _units(problem: RampProblem) -> np.ndarray:
    """The sizes of the parameters: fields by how far the ramp goes, impulses by that in the time it has."""
    start, end = float(problem.x_start), float(problem.x_end)
    field = abs(end - start) or abs(end) or 1.0
    kicks = [field * float(problem.duration)] * 2
    return np.array([*([field] * 2 + kicks if problem.jumps else ()), *[field] * problem.order])


def _labelled(problem: RampProblem, found: Descent, seen: _Seen, solves: int, unsolved: bool) -> OptimalRamp:
    jumps, kicks = (found.point[:2], found.point[2:4]) if problem.jumps else (np.zeros(2), np.zeros(2))
    shape = found.point[len(found.point) - problem.order :]
    # What reaches the rim of the grid is lost: beside closed moments the work is then off by about that share.
    unit = _scale(problem, seen)
    # A search that stands still for rounding errors is named last, a search that broke off first.
    problems = (
        Status.not_converged if unsolved else Status.ok,
        Status.ok if found.status is Status.plateau else found.status,
        Status.grid_too_small if float(seen.edge) >= RESOLVED else Status.ok,
        Status.time_step_too_long if not seen.error <= RESOLVED * unit else Status.ok,
        found.status,
    )
    return OptimalRamp(
        status=as_codes(next((status for status in problems if status is not Status.ok), Status.ok)),
        stats={"solves": solves, "steps": len(found.history) - 1},
        oscillator=problem.equation.oscillator,
        beta=problem.beta,
        x_start=problem.x_start,
        x_end=problem.x_end,
        duration=problem.duration,
        work=seen.work,
        error=jnp.asarray(seen.error + float(seen.edge) * unit),
        step_error=seen.step_error,
        gradient=jnp.asarray(found.gradient),
        coefficients=jnp.asarray(powers_of(shape)),
        ends=jnp.asarray(np.array([float(problem.x_start), float(problem.x_end)]) + jumps),
        kicks=jnp.asarray(kicks),
        history=jnp.asarray(found.history),
    )
