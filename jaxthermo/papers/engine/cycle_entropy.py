"""Entropy along the classical runs of one cycle, exact: its delay, where it is produced, its area, slower strokes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxthermo.brownian import PeriodicRun, run_cycle
from jaxthermo.brownian.hierarchy import equation_on
from jaxthermo.brownian.states.canonical import boltzmann
from jaxthermo.brownian.states.information import entropy_production_rate, gibbs_entropy
from jaxthermo.papers.engine.cycle_facts import short
from jaxthermo.papers.engine.cycle_inference import cycle_from
from jaxthermo.papers.engine.data import FINE_TOLERANCE, STRENGTHS, oscillator
from jaxthermo.papers.engine.relations import Terms, integrated
from jaxthermo.papers.engine.runs import slower
from jaxthermo.protocols import StirlingCycle

# Saved times of each piece of a cycle.
POINTS = 10
# What `entropy_of` gives.
NAMES = {"rates", "delay", "area", "longer"}


class _Course(NamedTuple):
    """Entropy of the state, that of the equilibrium at its beta and x, and the rate of production, by time."""

    entropy: np.ndarray
    equilibrium: np.ndarray
    rate: np.ndarray


def entropy_of(parameters: tuple[float, ...]) -> dict[str, Any]:
    """What a file keeps of the entropy of a cycle with these parameters, by coupling.

    Equation   S = -int W ln(2 pi hbar W) dq dp; its production gamma beta int (p W/m + T dW/dp)^2/W dq dp; means over
               time and closed integrals by the trapezoidal rule

    rates    mean rate of production in the two kinds of strokes
    delay    mean of |S - S of the equilibrium at beta, x| in the thermostatic strokes, over the span of S
    area     closed integral of T dS less heat and waste heat, over the heat absorbed, and the error of the quadrature
    longer   entropy produced at the strongest coupling in a cycle, and with isothermal strokes of twice the length: in
             all, and in the thermostatic strokes
    """
    cycle = cycle_from(jnp.asarray(parameters))
    rates: dict[str, list[float]] = {"isothermal": [], "thermostatic": []}
    delay, area = [], []
    runs = [_run(cycle, strength) for strength in STRENGTHS]
    for run in runs:
        course, moving = _course_of(run), _moving(run, cycle)
        one = np.ones(len(course.rate))
        for name, chosen in (("isothermal", ~moving), ("thermostatic", moving)):
            rates[name].append(short(_integral(run, course.rate, chosen) / _integral(run, one, chosen)))
        behind = _integral(run, np.abs(course.entropy - course.equilibrium), moving) / _integral(run, one, moving)
        delay.append(short(behind / np.ptp(course.entropy)))
        area.append([short(value) for value in _area(run, course)])
    longer = [_produced(runs[-1], cycle), _produced(_run(slower(cycle), STRENGTHS[-1]), slower(cycle))]
    return {"rates": rates, "delay": delay, "area": area, "longer": longer}


def _run(cycle: StirlingCycle, strength: float) -> PeriodicRun:
    model = oscillator("classical", strength, full=True)
    return run_cycle(model, cycle, FINE_TOLERANCE, points=POINTS, keep_states=True)


def _course_of(run: PeriodicRun) -> _Course:
    return _Course(*(np.asarray(series) for series in _course(run)))


@jax.jit
def _course(run: PeriodicRun) -> tuple[jax.Array, jax.Array, jax.Array]:
    assert run.members is not None and run.oscillator.grid is not None
    equation = equation_on(run.oscillator, run.oscillator.grid)

    def at(V: jax.Array, beta: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        still = boltzmann(equation, 1.0 / beta, x)[:, None]
        return gibbs_entropy(V, equation), gibbs_entropy(still, equation), entropy_production_rate(V, equation, beta)

    return jax.lax.map(lambda each: at(*each), (run.members, run.beta, run.x))


def _moving(run: PeriodicRun, cycle: StirlingCycle) -> np.ndarray:
    """For each interval between saved times, whether it lies in a stroke that moves the temperature."""
    time = np.asarray(run.time)
    return np.searchsorted(np.asarray(cycle.corners()), 0.5 * (time[1:] + time[:-1]), side="right") % 2 == 0


def _integral(run: PeriodicRun, series: np.ndarray, chosen: np.ndarray) -> float:
    """Over the time of the chosen intervals."""
    return float((0.5 * (series[1:] + series[:-1]) * np.diff(np.asarray(run.time)))[chosen].sum())


def _produced(run: PeriodicRun, cycle: StirlingCycle) -> list[float]:
    """Entropy produced in the cycle, and in its thermostatic strokes."""
    moving = _integral(run, _course_of(run).rate, _moving(run, cycle))
    return [short(run.cumulative_work_int[-1]), short(moving)]


def _area(run: PeriodicRun, course: _Course) -> tuple[float, float]:
    """The closed integral of T dS less that of dQ and of T d Sigma, and the error of the quadrature, over the heat."""
    T, heat = 1.0 / np.asarray(run.beta), np.asarray(run.cumulative_heat)
    terms: Terms = [(T, course.entropy), (-T * course.rate, np.asarray(run.time))]
    gaps = [float(integrated(terms, step)[-1]) - float(heat[-1]) for step in (1, 2)]
    gains = np.diff(heat)
    absorbed = float(gains[gains > 0].sum())
    return abs(gaps[0]) / absorbed, abs(gaps[1] - gaps[0]) / 3.0 / absorbed
