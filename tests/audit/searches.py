"""Draws of searches for engines: what is said of the cycles that they find, beside closed moments of a parabola.

The stiffness of a classical parabola is 1 + x, so that X = -q^2/2, and heat becomes work.
"""

import itertools
import math
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

import jaxthermo as jt

from . import draws, periods
from .ask import Answer, quiet
from .draws import Draw, Generator, between

Array = np.ndarray
# What the runs at the start and the end of a search are asked for.
TOL, STEPS = 1e-5, 3
FORMS = {
    "pieces": lambda cycle: jt.PiecewiseCycle.along(cycle, 1),
    "spline": lambda cycle: jt.SplineCycle.along(cycle, 6),
}


def engine(rng: Generator, narrow: bool) -> Draw:
    hot, wide = between(rng, 0.4, 0.7), rng.uniform(0.0, 0.3)
    return {
        "strength": between(rng, 0.7, 1.2),
        "betas": (hot, hot * rng.uniform(1.7, 2.5)),
        "fields": (wide + rng.uniform(0.3, 0.8), wide),
        "period": between(rng, 15.0, 40.0),
        "form": ("pieces", "spline")[int(rng.integers(0, 2))],
    }


def _model_and_start(p: Draw) -> tuple[Any, Any]:
    well, breathing = jt.Polynomial([0.0, 0.0, 0.5, 0.0, 0.0]), jt.Polynomial([0.0, 0.0, -0.5])
    model = jt.classical_oscillator(well, p["strength"], coordinate=breathing)
    return model, FORMS[p["form"]](jt.StirlingCycle(*p["betas"], *p["fields"], p["period"]))


def _parameters(cycle: Any) -> Draw:
    """The numbers of a cycle as a draw of `periods` has them."""
    names = {"pieces": ("betas", "x_values"), "spline": ("beta_coefficients", "x_coefficients")}
    form = "spline" if isinstance(cycle, jt.SplineCycle) else "pieces"
    beta, x = (np.asarray(getattr(cycle, name)).tolist() for name in names[form])
    own = {"form": form, "beta": beta, "x": x, "period": float(cycle.period)}
    return own | ({} if form == "spline" else {"strokes": np.asarray(cycle.strokes).tolist()})


def ask_better(p: Draw) -> Answer:
    """Right or not is what the runs of both cycles say, however far the search has come."""
    model, start = _model_and_start(p)
    found = quiet(jt.optimise_cycle, model, start, steps=STEPS, progress=False)
    bounds = jt.search.default_bounds(start)
    inside = all(
        bool(np.all(np.asarray(getattr(found.cycle, name)) >= low - 1e-9))
        and bool(np.all(np.asarray(getattr(found.cycle, name)) <= high + 1e-9))
        for name, (low, high) in bounds.items()
        if name != "strokes"
    )
    numbers = {
        "cycles": [_parameters(found.start), _parameters(found.cycle)],
        "power": np.array([found.start_power, found.power]),
        "produced": np.array([found.start_entropy_production_rate, found.entropy_production_rate]),
        "fine": inside and float(found.value) >= float(found.start_value),
    }
    ok = int(found.start_status) == 0 and int(found.cycle_status) == 0
    return Answer(ok, str(found.outcome), numbers)


def ask_front(p: Draw) -> Answer:
    model, start = _model_and_start(p)
    front = quiet(jt.search.pareto_front, model, start, points=3, steps=STEPS, progress=False)
    numbers = {
        "cycles": [_parameters(cycle) for cycle in front.cycles],
        "power": np.asarray(front.power),
        "produced": np.asarray(front.entropy_production_rate),
        "fine": True,
    }
    return Answer(bool(np.all(np.asarray(front.cycle_status) == 0)), str(front.outcome), numbers)


def _measured(p: Draw, cycle: Draw) -> tuple[float, float, float]:
    """Power, entropy production per time, and the swing of U over the period, from <q^2>, <qp + pq>/2 and <p^2>."""
    course = periods.splines(cycle) if cycle["form"] == "spline" else periods.pieces_of(cycle)
    friction, knots = p["strength"] ** 2, course.knots

    def turn(start: Array) -> tuple[Array, float]:
        """The moments, work and int beta dQ at the end; and the swing of U."""
        y, low, high = np.append(start, [0.0, 0.0]), math.inf, -math.inf
        before = course.x(float(np.nextafter(knots[-1], 0.0)))
        for left, right in itertools.pairwise(knots):
            inside = (float(np.nextafter(left, right)), float(np.nextafter(right, left)))

            def rates(t: float, y: Array, inside: tuple[float, float] = inside) -> Array:
                s = min(max(t, inside[0]), inside[1])
                k, beta = 1.0 + course.x(s), course.beta(s)
                heat = friction * (1.0 / beta - y[2])
                moved = (2.0 * y[1], y[2] - k * y[0] - friction * y[1], -2.0 * k * y[1] + 2.0 * heat)
                return np.array([*moved, 0.5 * course.dx(s) * y[0], beta * heat])

            # A jump of the stiffness does its work at once.
            y[3] += 0.5 * y[0] * (course.x(inside[0]) - before)
            before = course.x(inside[1])
            ts = np.linspace(left, right, 21)
            done = solve_ivp(rates, (left, right), y, method="DOP853", rtol=1e-10, atol=1e-12, t_eval=ts).y
            U = 0.5 * (done[0] + done[2])
            y, low, high = done[:, -1], min(low, float(U.min())), max(high, float(U.max()))
        return y, high - low

    nothing = turn(np.zeros(3))[0][:3]
    linear = np.column_stack([turn(unit)[0][:3] - nothing for unit in np.eye(3)])
    end, swing = turn(np.linalg.solve(np.eye(3) - linear, nothing))
    period = float(knots[-1])
    return -float(end[3]) / period, -float(end[4]) / period, swing / period


def measures(p: Draw, found: Answer) -> float:
    """Powers to what `run_cycle` promises of the work; entropies to that over the temperature."""
    numbers, errors = found.numbers, []
    if not numbers["fine"]:
        return math.inf
    for cycle, power, produced in zip(numbers["cycles"], numbers["power"], numbers["produced"], strict=True):
        expected = _measured(p, cycle)
        allowed = 2.0 * TOL * expected[2]
        errors += [abs(power - expected[0]) / allowed, abs(produced - expected[1]) / (10.0 * allowed * p["betas"][1])]
    return max(errors)


JUDGES = {"search, better cycle": (ask_better, measures), "search, Pareto front": (ask_front, measures)}
draws.KINDS |= {"search, better cycle": (engine, 0.0), "search, Pareto front": (engine, 0.0)}
draws.LATER[1040] += tuple(JUDGES)
draws.SHORT |= {"search, better cycle": 1}
