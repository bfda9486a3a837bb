"""Better engines: stationary cycles improved by gradients through the periodic state."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxthermo._parameters import shown
from jaxthermo._results import warn_unless_ok
from jaxthermo._status import Status, as_codes, first_problem
from jaxthermo._types import IntLike
from jaxthermo.brownian import PeriodicRun, run_cycle
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.checks import as_float, require_integer
from jaxthermo.interrupted import Interrupted
from jaxthermo.protocols.cycle import AbstractCycle, Bounds, check_cycle
from jaxthermo.protocols.formula import UNTRACED
from jaxthermo.search.bounded import descend
from jaxthermo.search.free_parameters import (
    Free,
    Names,
    default_bounds,
    extremes,
    free_parameters,
    with_parameters,
    with_room,
)
from jaxthermo.search.objectives import AtLeast, Negative, Objective, entropy_production_rate, power
from jaxthermo.search.optimised import MEASURES, OptimisedCycle, ParetoFront
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.progress import Line

# Of the search: saved times in each piece of the schedule, and the longest time step.
POINTS, STEP = 5, 0.35
TOLERANCE = 1e-7
# Of the runs that measure the start and the end of a search.
FINAL_TOLERANCE, FINAL_POINTS = 1e-5, 10
# A search may stretch the pieces of a cycle: steps are counted for its longest piece times this, in the longest period.
STRETCH = 2.0
# By how much a cycle that is tried may miss a constraint, and the one found, run afresh, to count as keeping it.
KEPT, KEPT_AFRESH = 1e-5, 1e-3


def optimise_cycle(
    oscillator: Oscillator,
    cycle: AbstractCycle,
    objective: Objective = power,
    bounds: Bounds | None = None,
    steps: IntLike = 20,
    *,
    constraints: Sequence[Objective] = (),
    progress: bool | None = None,
) -> OptimisedCycle:
    """A cycle near a given one, of the same kind, with more of an objective, such as power.

    Equation   maximise objective(run, cycle) over the parameters in `bounds`, with constraint(run, cycle) >= 0

    oscillator   of the engine
    cycle        where the search starts: any `jt.AbstractCycle`, such as `jt.StirlingCycle`, `jt.CarnotCycle`,
                 `jt.FourierCycle`; `jt.PiecewiseCycle.along(cycle)` and `jt.SplineCycle.along(cycle)` give another
                 cycle's values a free form
    objective    a function of the `PeriodicRun` of a cycle and of the cycle, which JAX can differentiate:
                 `jt.search.power`, `efficiency`, `Negative(entropy_production_rate)`, or your own
    bounds       {name: (low, high)} of the cycle's parameters that may change, by the names of its fields ("period",
                 "x_end", "strokes", "x_series.sines"), low and high numbers or arrays of the parameter's shape; strokes
                 are bounded before they are scaled to sum to 1. None: `jt.search.default_bounds(cycle)`
    steps        of the search at most
    constraints  functions like the objective, of the order of 1 where they are missed by far, such as
                 `jt.search.AtLeast(jt.search.power, 1e-3)`
    progress     whether a line tells how far the search is; None: on a terminal
    Returns      of the cycles tried that keep the constraints the one with most of the objective; where none does, the
                 one that misses them least. See `OptimisedCycle`
    Raises       ValueError that names the argument
    Accuracy     `status` is ok where the search has converged, both cycles keep what `jt.run_cycle` promises, and the
                 one found keeps the constraints to 1e-3; it is `Status.not_converged` where constraints are missed
    Source       gradients through the stationary state as in `jt.run_cycle`; L-BFGS-B of SciPy, SLSQP with constraints

    A keyboard interrupt ends the search with a `jt.Interrupted`, whose `result` has the best cycle tried until then.

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period=20.0)
        >>> potential, grid = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), jt.PhaseGrid(5.6, 0.28, 10.5, 0.5)
        >>> oscillator = jt.classical_oscillator(potential, 1.0, grid)
        >>> found = jt.optimise_cycle(oscillator, cycle, jt.search.power, {'x_end': (0.4, 1.4)}, steps=10)
        >>> bool(found.improvement > 0), found.outcome
        (True, 'ok')
    """
    check_oscillator(oscillator)
    check_cycle(cycle)
    knots = cycle.knots()
    oscillator.bath.check_drive(oscillator.mass, oscillator.hbar, knots, jax.vmap(cycle.beta)(knots))
    limit = require_integer("steps", steps, 1)
    _require_function_of_a_run("objective", objective)
    for constraint in constraints:
        _require_function_of_a_run("constraints", constraint)
    free = free_parameters(cycle, default_bounds(cycle) if bounds is None else bounds)
    oscillator = with_room(oscillator, cycle, free)
    search = _Search(oscillator, cycle, objective, tuple(constraints), free)
    with Line("optimise_cycle", progress) as line:
        try:
            result = search.result(search.descend(limit, line))
        except KeyboardInterrupt:
            if not search.tried:
                raise
            line.say(f"interrupted; the best of {len(search.tried)} cycles tried is run again, Ctrl-C leaves at once")
            raise Interrupted("optimise_cycle", search.result(Status.interrupted)) from None
    warn_unless_ok(result)
    return result


def _require_function_of_a_run(name: str, function: object) -> None:
    """Raise a ValueError that names the argument unless it can be called with a run and its cycle."""
    try:
        inspect.signature(function).bind(None, None)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"`{name}` must be called with (run, cycle), but is {shown(function)}") from None


class _Search:
    """A search with all cycles that it has tried."""

    def __init__(
        self,
        oscillator: Oscillator,
        cycle: AbstractCycle,
        objective: Objective,
        constraints: tuple[Objective, ...],
        free: Free,
    ):
        self.oscillator, self.cycle, self.objective, self.constraints = oscillator, cycle, objective, constraints
        self.free = free
        self.tried: list[dict[str, PyTree]] = []
        self.time_steps = max(1, math.ceil(_longest_piece(cycle, free) / POINTS / STEP))

    def descend(self, limit: int, line: Line) -> Status:
        """Tries cycles until none is better."""
        low, width = self.free.low, self.free.high - self.free.low

        def evaluate(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            theta = low + scaled * width
            (losses, seen), slopes = _loss(
                jnp.asarray(theta),
                self.oscillator,
                self.cycle,
                self.free.names,
                self.objective,
                self.constraints,
                self.time_steps,
            )
            values = np.asarray(losses)
            loss = float(values[0]) if np.all(np.isfinite(values)) else np.nan
            measures = {name: float(x) for name, x in seen.items()}
            self.tried.append({"loss": loss, "missed": missed(values[1:]), "theta": theta, **measures})
            line.tell(f"{len(self.tried)} cycles tried, objective {self.tried[-1]['value']:.6g}")
            if np.isfinite(loss):
                return values, np.asarray(slopes) * width
            value, slope = self._uphill(theta, width)
            flat = np.zeros((len(self.constraints), len(width)))
            return np.array([value, *flat[:, 0]]), np.concatenate([slope[None], flat])

        return descend(evaluate, (self.free.start - low) / width, limit, len(self.constraints))

    def _best(self) -> dict[str, PyTree] | None:
        """The best cycle tried that can be run, None where there is none."""
        finite = [one for one in self.tried if np.isfinite(one["loss"])]
        return min(finite, key=lambda one: (max(one["missed"], KEPT), one["loss"]), default=None)

    def _uphill(self, theta: np.ndarray, width: np.ndarray) -> tuple[float, np.ndarray]:
        """In place of a cycle that cannot be run: a slope back to the best one so far, from above all others."""
        best = self._best()
        if best is None:
            return np.nan, np.full(theta.shape, np.nan)
        away = (theta - best["theta"]) / width
        losses = np.array([one["loss"] for one in self.tried if np.isfinite(one["loss"])])
        scale = max(float(np.ptp(losses)), float(np.max(np.abs(losses))))
        return float(np.max(losses) + scale * away @ away), 2.0 * scale * away

    def result(self, search_status: Status) -> OptimisedCycle:
        """The best cycle tried, and the first one, run afresh."""
        best = self._best() or self.tried[0]
        improved = with_parameters(jnp.asarray(best["theta"]), self.cycle, self.free.names)
        functions = self.objective, self.constraints
        before, after = (measured(self.oscillator, cycle, *functions) for cycle in (self.cycle, improved))
        lost = Status.ok if after["missed"] <= KEPT_AFRESH else Status.not_converged
        columns = {name: jnp.asarray([one[name] for one in self.tried]) for name in self.tried[0] if name != "theta"}
        return OptimisedCycle(
            status=first_problem(after["status"], before["status"], search_status, lost),
            stats={"evaluations": len(self.tried)},
            oscillator=self.oscillator,
            objective=self.objective,
            constraints=self.constraints,
            start=self.cycle,
            cycle=improved,
            **{name: after[name] for name in ("value", *MEASURES)},
            **{f"start_{name}": before[name] for name in ("value", *MEASURES)},
            missed=jnp.asarray(after["missed"]),
            cycle_status=after["status"],
            start_status=before["status"],
            search_status=as_codes(search_status),
            history=columns["value"],
            history_power=columns["power"],
            history_entropy_production_rate=columns["entropy_production_rate"],
        )


def _longest_piece(cycle: AbstractCycle, free: Free) -> float:
    """The longest time between two knots that a search is prepared for."""
    share = float(np.max(np.diff(np.asarray(cycle.knots())))) / float(cycle.period)
    periods = [float(one.period) for one in (cycle, *extremes(cycle, free))]
    return min(1.0, STRETCH * share) * max(periods)


@lean_jit
def _loss(
    theta: Float[Array, " parameters"],
    oscillator: Oscillator,
    cycle: AbstractCycle,
    names: Names,
    objective: Objective,
    constraints: tuple[Objective, ...],
    steps: int,
) -> tuple[tuple[Array, dict[str, Array]], Array]:
    """What is minimised with the constraints behind it, with what is recorded beside them, and their Jacobian."""

    def losses(theta: Array) -> tuple[Array, dict[str, Array]]:
        tried = with_parameters(theta, cycle, names)
        run = run_cycle(oscillator, tried, TOLERANCE, points=POINTS, steps=steps)
        value = _number("objective", objective, run, tried)
        seen = {name: measure(run, tried) for name, measure in MEASURES.items() if name != "efficiency"}
        kept = [_number("constraints", constraint, run, tried) for constraint in constraints]
        return jnp.stack([-value, *kept]), {"value": value, **seen}

    values, pull, seen = jax.vjp(losses, theta, has_aux=True)
    # One after another, so that the program holds the way back once.
    return (values, seen), jax.lax.map(lambda one: pull(one)[0], jnp.eye(len(values)))


def _number(name: str, function: Objective, run: PeriodicRun, cycle: AbstractCycle) -> Float[Array, ""]:
    """What an objective or a constraint returns, or a ValueError that names the argument."""
    try:
        found = function(run, cycle)
    except UNTRACED as error:
        raise ValueError(f"`{name}` must be functions that jax can trace: write jax.numpy for numpy or math") from error
    try:
        value = as_float(found)
    except TypeError:
        raise ValueError(f"`{name}` must return one number, but returns {found!r}") from None
    if value.shape:
        raise ValueError(f"`{name}` must return one number, but what it returns has shape {value.shape}")
    return value


def missed(kept: Array | np.ndarray) -> float:
    """By how much the worst of these constraints is missed, 0 where none is; NaN counts as missed."""
    return float(np.max(np.nan_to_num(-np.asarray(kept), nan=np.inf), initial=0.0))


def measured(
    oscillator: Oscillator, cycle: AbstractCycle, objective: Objective, constraints: tuple[Objective, ...]
) -> dict[str, Any]:
    """The objective and the usual measures of a cycle that is run afresh, and the status of that run."""
    run: PeriodicRun = run_cycle(oscillator, cycle, FINAL_TOLERANCE, points=FINAL_POINTS, progress=False)
    seen = {name: jnp.asarray(measure(run, cycle)) for name, measure in MEASURES.items()}
    short = missed(np.array([float(constraint(run, cycle)) for constraint in constraints]))
    return {"value": jnp.asarray(objective(run, cycle)), **seen, "status": run.status, "missed": short}


def pareto_front(
    oscillator: Oscillator,
    cycle: AbstractCycle,
    bounds: Bounds | None = None,
    points: IntLike = 5,
    steps: IntLike = 15,
    *,
    progress: bool | None = None,
) -> ParetoFront:
    """Cycles between most power and least entropy production: the Pareto front of power against efficiency.

    Equation   the cycle of largest power P_max first, then least entropy production at P >= share * P_max for `points`
               shares from 1 down

    oscillator   of the engine
    cycle        where the search for most power starts; each further one starts at the cycle found before
    bounds       as in `optimise_cycle`
    points       cycles on the front, >= 2
    steps        of each search at most
    progress     as in `optimise_cycle`
    Returns      the cycles with their measures, from runs under control of the time step; see `ParetoFront`
    Raises       as `optimise_cycle`, and ValueError if no cycle in the bounds delivers power

    A keyboard interrupt after the first search ends it with a `jt.Interrupted`, whose `result` is the front up to then.
    """
    count = require_integer("points", points, 2)
    bounds = default_bounds(cycle) if bounds is None else bounds
    found = [optimise_cycle(oscillator, cycle, power, bounds, steps, progress=progress)]
    most = float(found[0].power)
    if not most > 0:
        raise ValueError("`bounds` must hold a cycle that delivers power, but the best one found takes it up")
    saving = Negative(entropy_production_rate)
    for share in np.linspace(1.0, 0.0, count)[1:]:
        enough = AtLeast(power, share * most, most)
        cycle, limits = found[-1].cycle, [enough]
        try:
            found.append(
                optimise_cycle(oscillator, cycle, saving, bounds, steps, constraints=limits, progress=progress)
            )
        except Interrupted as stop:
            assert isinstance(stop.result, OptimisedCycle)
            raise Interrupted("pareto_front", _front([*found, stop.result])) from None
    return _front(found)


def _front(found: list[OptimisedCycle]) -> ParetoFront:
    return ParetoFront(
        status=first_problem(*(one.status for one in found)),
        stats={"evaluations": sum(one.stats["evaluations"] for one in found)},
        oscillator=found[0].oscillator,
        cycles=tuple(one.cycle for one in found),
        **{name: jnp.stack([getattr(one, name) for one in found]) for name in MEASURES},
        work=jnp.stack([-one.power * one.cycle.period for one in found]),
        cycle_status=jnp.stack([one.cycle_status for one in found]),
    )
