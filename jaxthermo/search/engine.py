"""Better engines: stationary cycles improved by gradients through the periodic state."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian import run_cycle
from jaxthermo.brownian.automatic import resolved
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator, require_drivable
from jaxthermo.brownian.progress import Line
from jaxthermo.checks import require_integer
from jaxthermo.protocols.cycle import check_cycle
from jaxthermo.protocols.stirling import StirlingCycle
from jaxthermo.solve.bounded import descend

if TYPE_CHECKING:
    import xarray

OBJECTIVES = ("power", "entropy_production")
SCALARS = ("beta_hot", "beta_cold", "x_start", "x_end", "period")
# Of the search: saved times in each piece of the schedule, and the longest time step.
POINTS, STEP = 5, 0.35
TOLERANCE = 1e-7
# The search may stretch its strokes, so steps are counted for the longest it may make of them, up to this share.
LONGEST_STROKE = 0.5
# How hard a missing power is punished, in units of the power wanted.
PENALTY = 30.0
# Ramps begin before this share of a stroke and end after it.
MIDDLE = 0.5


class Optimised(NamedTuple):
    """The improved cycle, and the history of its search; see `optimise_cycle`."""

    cycle: StirlingCycle
    history: "xarray.Dataset"

    @property
    def status(self) -> str:
        """The `status` of the history: "ok", or what is wrong with the search or with the cycles run afresh."""
        return str(self.history.attrs["status"])


class Front(NamedTuple):
    """Cycles along a Pareto front, and their power, efficiency and entropy production; see `pareto_front`."""

    cycles: tuple[StirlingCycle, ...]
    data: "xarray.Dataset"


class _Bound(NamedTuple):
    name: str
    low: np.ndarray
    high: np.ndarray


def default_bounds(cycle: StirlingCycle) -> dict[str, tuple[float, float]]:
    """Half to twice the period, x moved by up to its own range, strokes of 5 to 85 %; temperatures and ramps fixed."""
    span, period = abs(float(cycle.x_end - cycle.x_start)), float(cycle.period)
    ends = {name: float(getattr(cycle, name)) for name in ("x_start", "x_end")}
    around = {name: (value - span, value + span) for name, value in ends.items()}
    return {**around, "period": (0.5 * period, 2.0 * period), "strokes": (0.05, 0.85)}


def optimise_cycle(
    oscillator: Any,
    cycle: Any,
    objective: str = "power",
    bounds: Mapping[str, tuple[float, float]] | None = None,
    steps: int = 20,
    *,
    power: float | None = None,
    progress: bool | None = None,
) -> Optimised:
    """A cycle of more power, or of less entropy production at a given power, near a given one.

    Equation   "power": maximise P = -W/period, W = -closed integral of X dx; "entropy_production": minimise
               Sigma' = (1/period) closed integral (U dbeta - X d(beta x)) with P >= `power`
    Shapes     bounds: {name: (low, high)} of what may change, of beta_hot, beta_cold, x_start, x_end, period, strokes
               (each share, before they are scaled to sum to 1) and ramps (begins between low and the middle of a
               stroke, ends between the middle and high); None: `jt.search.default_bounds(cycle)`
    Units      power: energy/time; entropy production: 1/time
    Raises     ValueError that names the argument
    Source     gradients through the stationary state as in `jt.run_cycle`; L-BFGS-B of SciPy

    `history` is a Dataset over `evaluation` with work, power and entropy_production of every cycle tried on the
    search's steps; its attrs have `start_power` and `power` of both cycles run afresh by `run_cycle`, what those runs
    say of themselves as `start_status` and `cycle_status`, `improvement`, `search_status`, `evaluations`, and as
    `status` the first of these that is not "ok": a power on a grid too small is none. The best cycle tried is returned,
    and never one with less of the objective than the start has. `progress`: whether to show it; by default on a
    terminal.
    """
    check_oscillator(oscillator)
    require_drivable(oscillator)
    check_cycle(cycle)
    if objective not in OBJECTIVES:
        raise ValueError(f"`objective` must be one of {', '.join(OBJECTIVES)}, but is {objective!r}")
    if (power is None) != (objective == "power"):
        raise ValueError('`power` must be given with objective="entropy_production", and only with it')
    limit = require_integer("steps", steps, 1)
    free = _checked(cycle, default_bounds(cycle) if bounds is None else bounds)
    oscillator = _with_grid(oscillator, cycle, free)
    wanted = 0.0 if power is None else float(power)
    theta, low, high = _packed(cycle, free)
    width = high - low
    record: list[dict[str, Any]] = []
    names = tuple((bound.name, bound.low.shape) for bound in free)
    longest = max(LONGEST_STROKE, float(np.max(np.asarray(cycle.strokes))))
    longest_period = max([float(cycle.period)] + [float(b.high) for b in free if b.name == "period"])
    count = max(1, math.ceil(longest * longest_period / POINTS / STEP))

    line = Line("optimise_cycle", progress)

    def evaluate(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        (value, (work, produced, period)), slope = _objective(
            jnp.asarray(low + scaled * width), oscillator, cycle, jnp.asarray(wanted), objective, names, count
        )
        now = {"work": float(work), "power": -float(work / period), "entropy_production": float(produced / period)}
        record.append({"objective": float(value), "theta": low + scaled * width, **now})
        line.tell(f"{len(record)} cycles tried, power {now['power']:.6g}")
        return float(value), np.asarray(slope) * width

    with line:
        status = descend(evaluate, (theta - low) / width, np.zeros_like(width), np.ones_like(width), limit)
    finite = [r for r in record if np.isfinite(r["objective"])]
    best = min(finite, key=lambda r: r["objective"]) if finite else record[0]
    improved = _unpacked(jnp.asarray(best["theta"]), cycle, names)
    return Optimised(improved, _history(oscillator, cycle, improved, record, status))


def pareto_front(
    oscillator: Any,
    cycle: Any,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    points: int = 5,
    steps: int = 15,
) -> Front:
    """Cycles between most power and least entropy production: the Pareto front of power against efficiency.

    Equation   the cycle of largest power P_max first, then least entropy production at P >= share * P_max for `points`
               shares from 1 down; efficiency = -W / Q_in, Q_in the heat taken in while the bath is hot or being heated
               (strokes 1 and 4, without a regenerator)
    Raises     as `optimise_cycle`, and ValueError if no cycle in the bounds delivers power

    `data` has power, efficiency, entropy_production, work and status over `point`, of runs by `run_cycle`.
    """
    import xarray

    count = require_integer("points", points, 2)
    strongest, _ = optimise_cycle(oscillator, cycle, "power", bounds, steps)
    bounds = default_bounds(cycle) if bounds is None else bounds
    oscillator = _with_grid(oscillator, cycle, _checked(cycle, bounds))
    first = _measured(oscillator, strongest)
    if not first["power"] > 0:
        raise ValueError("`bounds` must hold a cycle that delivers power, but the best one found takes it up")
    cycles, rows = [strongest], [first]
    for share in np.linspace(1.0, 0.0, count)[1:]:
        wanted = float(share * first["power"])
        cycles.append(optimise_cycle(oscillator, cycles[-1], "entropy_production", bounds, steps, power=wanted).cycle)
        rows.append(_measured(oscillator, cycles[-1]))
    data = xarray.Dataset({name: ("point", [row[name] for row in rows]) for name in rows[0]})
    return Front(tuple(cycles), data)


def _measured(oscillator: Oscillator, cycle: StirlingCycle) -> dict[str, Any]:
    run = run_cycle(oscillator, cycle, tol=1e-5, points=10)
    corners = np.asarray(cycle.corners())
    heat = np.interp(corners, np.asarray(run.time), np.asarray(run.cumulative_heat))
    taken = heat[1] - heat[0] + heat[4] - heat[3]
    period = float(cycle.period)
    return {
        "power": -float(run.work) / period,
        "efficiency": -float(run.work) / taken if taken > 0 else float("nan"),
        "entropy_production": float(run.cumulative_work_int[-1]) / period,
        "work": float(run.work),
        "status": run.outcome,
    }


@eqx.filter_jit
def _objective(
    theta: Float[Array, " parameters"],
    oscillator: Oscillator,
    cycle: StirlingCycle,
    wanted: Array,
    objective: str,
    names: tuple[tuple[str, tuple[int, ...]], ...],
    steps: int,
) -> Any:
    def value(theta: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        tried = _unpacked(theta, cycle, names)
        run = run_cycle(oscillator, tried, TOLERANCE, points=POINTS, steps=steps)
        produced = run.cumulative_work_int[-1]
        power = -run.work / tried.period
        if objective == "power":
            return -power, (run.work, produced, tried.period)
        rate = produced / tried.period
        missing = jnp.maximum(wanted - power, 0.0) / jnp.maximum(jnp.abs(wanted), 1e-12)
        # In units of the rate that goes with the power wanted, so that neither side of the sum is negligible.
        scale = jax.lax.stop_gradient(rate)
        return rate + PENALTY * scale * missing**2, (run.work, produced, tried.period)

    return jax.value_and_grad(value, has_aux=True)(theta)


def _checked(cycle: StirlingCycle, bounds: Mapping[str, tuple[float, float]]) -> list[_Bound]:
    known = (*SCALARS, "strokes", "ramps")
    if not bounds:
        raise ValueError("`bounds` must name at least one parameter that may change")
    free = []
    for name, pair in bounds.items():
        if name not in known:
            raise ValueError(f"`bounds` must name parameters of {', '.join(known)}, but has {name!r}")
        low, high = (float(side) for side in pair)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"`bounds` must be finite with low < high, but {name} has {low}, {high}")
        if low <= 0.0 and name in ("beta_hot", "beta_cold", "period", "strokes"):
            raise ValueError(f"`bounds` must be > 0 for {name}, but has {low}")
        if name == "ramps":
            if not low < MIDDLE < high:
                raise ValueError(f"`bounds` of ramps must hold the middle of a stroke, {MIDDLE}, but are {low}, {high}")
            sides = np.tile([[low, MIDDLE - 0.05], [MIDDLE + 0.05, high]], (4, 1, 1))
            free.append(_Bound(name, sides[:, :, 0], sides[:, :, 1]))
        else:
            shape = (4,) if name == "strokes" else ()
            free.append(_Bound(name, np.full(shape, low), np.full(shape, high)))
        start = _value(cycle, name)
        if np.any(start < free[-1].low - 1e-12) or np.any(start > free[-1].high + 1e-12):
            raise ValueError(f"`bounds` must hold the starting cycle, but its {name} is {start.tolist()}")
    return free


def _value(cycle: StirlingCycle, name: str) -> np.ndarray:
    if name == "ramps" and cycle.ramps is None:
        return np.tile([0.0, 1.0], (4, 1))
    return np.asarray(getattr(cycle, name))


def _packed(cycle: StirlingCycle, free: list[_Bound]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, lower and upper bounds as vectors."""
    start, low, high = (
        np.concatenate([np.ravel(side) for side in sides])
        for sides in zip(*((_value(cycle, b.name), b.low, b.high) for b in free), strict=True)
    )
    return start, low, high


def _unpacked(
    theta: Float[Array, " parameters"], cycle: StirlingCycle, names: tuple[tuple[str, tuple[int, ...]], ...]
) -> StirlingCycle:
    """The cycle with the free parameters replaced; strokes are scaled to sum to 1."""
    fields: dict[str, Any] = {name: getattr(cycle, name) for name in (*SCALARS, "strokes", "ramps")}
    first = 0
    for name, shape in names:
        size = math.prod(shape)
        fields[name] = theta[first : first + size].reshape(shape)
        first += size
    fields["strokes"] = fields["strokes"] / jnp.sum(fields["strokes"])
    return StirlingCycle(**fields)


def _with_grid(oscillator: Oscillator, cycle: StirlingCycle, free: list[_Bound]) -> Oscillator:
    """The oscillator with a grid and a depth for everything that the bounds allow."""
    reach = {name: [float(getattr(cycle, name))] for name in SCALARS}
    for bound in free:
        if bound.name in reach:
            reach[bound.name] += [float(bound.low), float(bound.high)]
    return resolved(oscillator, reach["beta_hot"] + reach["beta_cold"], reach["x_start"] + reach["x_end"])


def _history(
    oscillator: Oscillator,
    cycle: StirlingCycle,
    improved: StirlingCycle,
    record: list[dict[str, Any]],
    status: str,
) -> "xarray.Dataset":
    import xarray

    units = {"objective": "", "work": "energy", "power": "energy/time", "entropy_production": "1/time"}
    history = xarray.Dataset({name: ("evaluation", [r[name] for r in record]) for name in units})
    for name, unit in units.items():
        history[name].attrs["units"] = unit
    before, after = _measured(oscillator, cycle), _measured(oscillator, improved)
    words = (after["status"], before["status"], status)
    return history.assign_attrs(
        start_power=before["power"],
        power=after["power"],
        improvement=after["power"] - before["power"],
        start_entropy_production=before["entropy_production"],
        entropy_production=after["entropy_production"],
        evaluations=len(record),
        start_status=before["status"],
        cycle_status=after["status"],
        search_status=status,
        status=next((word for word in words if word != "ok"), "ok"),
    )
