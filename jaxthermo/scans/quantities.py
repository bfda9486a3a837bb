"""The quantities that are scanned most, as pure functions of named numbers for `jt.scan`.

The functions that return labelled datasets cannot be vmapped; these are what is beneath them.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from jaxthermo._status import Status, first_problem, status_if
from jaxthermo.brownian.automatic import resolved
from jaxthermo.brownian.bath import OhmicBath
from jaxthermo.brownian.cycle import MAX_CYCLES, POINTS, stationary_turn
from jaxthermo.brownian.equilibria import equilibrium
from jaxthermo.brownian.hierarchy import workspace
from jaxthermo.brownian.oscillator import check_oscillator
from jaxthermo.brownian.promise import course_held
from jaxthermo.checks import require_finite, require_positive, require_scalar
from jaxthermo.potts.fold import Fold, fold
from jaxthermo.potts.ring import PottsRing
from jaxthermo.potts.stationary import MAX_ROUNDS, Stationary, stationary
from jaxthermo.protocols.stirling import StirlingCycle, check_cycle
from jaxthermo.scans.units import with_units
from jaxthermo.search.minimise import PLATEAU, STOPPED
from jaxthermo.search.minimum_work import STEP, search_for, search_one, starting_points

Function = Callable[..., Any]


def stationary_work(
    q: Any,
    coupling: Any = -1.0,
    force: Any = 1.0,
    prefactor: Any = 1.0,
    *,
    rates: Any = None,
    max_rounds: int = MAX_ROUNDS,
) -> Function:
    """`jt.potts.stationary` as a function of beta, coupling, force, prefactor.

    A lane gives the fields of `Stationary`; "undecided" is not converged, and steps are those of its rounds.
    """
    PottsRing(q, coupling, force, prefactor, rates=rates)

    def stationary_work(
        beta: Any, coupling: Any = coupling, force: Any = force, prefactor: Any = prefactor
    ) -> Stationary:
        return stationary(PottsRing(q, coupling, force, prefactor, rates=rates), beta, max_rounds=max_rounds)

    return with_units(stationary_work, period="time", prefactor="1/time", code="1", rounds="1", state="1")


def fold_point(q: Any, coupling: Any = -1.0, force: Any = 1.0, prefactor: Any = 1.0, *, rates: Any = None) -> Function:
    """`jt.potts.fold` as a function of coupling, force, prefactor; `beta` is where the localised states are born."""
    PottsRing(q, coupling, force, prefactor, rates=rates)

    def fold_point(coupling: Any = coupling, force: Any = force, prefactor: Any = prefactor) -> Fold:
        return fold(PottsRing(q, coupling, force, prefactor, rates=rates))

    return with_units(fold_point, prefactor="1/time", code="1")


def cycle_work(
    oscillator: Any,
    cycle: Any,
    *,
    points: int = POINTS,
    steps: int = 2,
    tolerance: float = 1e-8,
    max_cycles: int = MAX_CYCLES,
) -> Function:
    """`jt.brownian.stationary_turn` as a function of beta_hot, beta_cold, x_start, x_end, period, strength.

    What is no axis is that of `cycle` and `oscillator`, which needs a grid for all lanes. A lane gives work and heat
    per cycle, how much halving the time step changed the work (`correction`), and the residual, converged below
    `tolerance`; what it counts as steps are the cycles that the search ran.
    """
    check_oscillator(oscillator)
    check_cycle(cycle)
    if oscillator.grid is None:
        raise ValueError("`oscillator` must have a grid, jt.PhaseGrid(q_max, dq, p_max, dp), for all lanes of a scan")
    if not isinstance(oscillator.bath, OhmicBath):
        raise ValueError(f"`oscillator` must have an OhmicBath, but has a {type(oscillator.bath).__name__}")

    def cycle_work(
        beta_hot: Any = cycle.beta_hot,
        beta_cold: Any = cycle.beta_cold,
        x_start: Any = cycle.x_start,
        x_end: Any = cycle.x_end,
        period: Any = cycle.period,
        strength: Any = oscillator.bath.strength,
    ) -> dict[str, Any]:
        lane = StirlingCycle(beta_hot, beta_cold, x_start, x_end, period, cycle.strokes, cycle.ramps)
        engine = eqx.tree_at(lambda o: o.bath.strength, oscillator, jnp.asarray(strength))
        check_cycle(lane)
        check_oscillator(engine)
        settings: dict[str, Any] = {"points": points, "steps": steps, "tolerance": tolerance, "max_cycles": max_cycles}
        turn = stationary_turn(engine, lane, oscillator.grid, **settings)
        U, totals = turn.course.measured.U, turn.course.totals
        held = turn.course.x * turn.course.measured.X
        converged = turn.residual <= tolerance
        # As in `jt.run_cycle`, a state that does not come back is named before what else is wrong with it.
        away = status_if(~converged, Status.not_periodic)
        return {
            "work": turn.work,
            "heat": U[-1] - U[0] - (held[-1] - held[0] - totals[-1, 0]),
            "correction": turn.correction,
            "residual": turn.residual,
            "converged": converged,
            "status": first_problem(turn.course.status, away, course_held(turn.course, engine, closed=True)),
            "steps": turn.cycles,
        }

    units = dict.fromkeys(("work", "heat", "correction"), "energy") | dict.fromkeys(("x_start", "x_end"), "energy/X")
    return with_units(cycle_work, **units, period="time", strength="sqrt(mass/time)", converged="1")


def minimum_work(
    oscillator: Any,
    betas: Any,
    fields: Any,
    *,
    order: int = 5,
    horizon: Any = 1.0,
    jumps: bool = False,
    dt: float = STEP,
) -> Function:
    """`jt.minimum_work` from equilibrium at beta_start, x_start to beta, x, as a function of these four.

    `betas` and `fields` hold the extremes of all that will be asked for: the potential is prepared for that range, and
    a grid if the oscillator has none. A lane gives the value with its bounds `upper` and, classically, `lower`, and
    `step_error`; steps are those of the search.
    """
    check_oscillator(oscillator)
    require_positive("betas", betas)
    corners = [(b, x) for b in (min(betas), max(betas)) for x in (min(fields), max(fields))]
    betas, fields = [float(b) for b, _ in corners], [float(x) for _, x in corners]
    oscillator = resolved(oscillator, betas, fields)
    work = workspace(oscillator, oscillator.grid)
    search = search_for(oscillator, work, betas, fields, order=order, horizon=horizon, jumps=jumps, dt=dt)
    starts = starting_points(search, 0)

    def minimum_work(beta_start: Any, x_start: Any, beta: Any, x: Any) -> dict[str, Any]:
        beta, x = require_scalar("beta", beta), require_scalar("x", x)
        require_positive("beta", beta)
        require_finite("x", x)
        state = equilibrium(oscillator, beta_start, x_start)
        found = search_one(search, state.V, work, beta, x, starts)
        lower = {} if oscillator.quantum else {"lower": found.lower}
        values = {"value": found.value, "upper": found.upper, **lower, "step_error": found.step_error}
        # A search from a state that is no equilibrium is none from the one asked for.
        there = state.status == int(Status.ok)
        stopped = jnp.where(found.code == STOPPED, int(Status.max_steps_reached), int(Status.ok))
        return {
            **values,
            "converged": there & (found.code <= PLATEAU),
            "status": first_problem(state.status, stopped),
            "steps": found.minimum.steps,
        }

    units = dict.fromkeys(("value", "upper", "lower", "step_error", "converged"), "1")
    return with_units(minimum_work, **units, x="energy/X", x_start="energy/X", beta_start="1/energy")
