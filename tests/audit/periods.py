"""Draws of splines, of straight pieces with jumps and of callables as cycles of a parabola; closed moments refer."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
from scipy.interpolate import BSpline

import jaxthermo as jt

from . import draws
from .ask import Answer, answer, oscillator, quiet
from .draws import HARMONIC, Draw, Generator, between
from .paths import Path, pieces_of, work_of_jumps

Array = np.ndarray
TOL, PIECES = 1e-4, 5


def _engine(rng: Generator) -> Draw:
    return {
        "coefficients": HARMONIC,
        "strength": between(rng, 0.4, 1.5),
        "poles": (None, 0, 1, 2)[int(rng.integers(0, 4))],
        "period": between(rng, 5.0, 30.0),
    }


def spline(rng: Generator, narrow: bool) -> Draw:
    mean = between(rng, 0.5, 2.0)
    return _engine(rng) | {
        "beta": (mean * rng.uniform(0.6, 1.4, PIECES)).tolist(),
        "x": rng.uniform(-0.5, 1.0, PIECES).tolist(),
    }


def pieces(rng: Generator, narrow: bool) -> Draw:
    """Of unequal lengths, of which half jump at their ends."""
    mean, shape = between(rng, 0.5, 2.0), (3, 2) if rng.uniform() < 0.5 else (3,)
    lengths = rng.uniform(0.5, 1.5, 3)
    return _engine(rng) | {
        "beta": (mean * rng.uniform(0.7, 1.4, shape)).tolist(),
        "x": rng.uniform(-0.5, 1.0, shape).tolist(),
        "strokes": (lengths / lengths.sum()).tolist(),
    }


def callables(rng: Generator, narrow: bool) -> Draw:
    """The field rises in a straight line up to a corner, and falls after it."""
    return _engine(rng) | {
        "beta": (between(rng, 0.5, 2.0), rng.uniform(0.1, 0.5), rng.uniform(0.0, 2.0 * np.pi)),
        "x": (rng.uniform(-0.5, 0.5), rng.uniform(0.2, 1.0)),
        "corner": rng.uniform(0.2, 0.8),
    }


def _run(p: Draw, cycle: Any) -> Answer:
    run = quiet(jt.run_cycle, oscillator(p), cycle, TOL, points=4)
    return answer(run, {"work": float(run.work)})


def ask_spline(p: Draw) -> Answer:
    return _run(p, jt.SplineCycle(p["beta"], p["x"], p["period"]))


def ask_pieces(p: Draw) -> Answer:
    return _run(p, jt.PiecewiseCycle(np.array(p["beta"]), np.array(p["x"]), p["period"], p["strokes"]))


def ask_callables(p: Draw) -> Answer:
    (mean, swing, phase), (low, rise), period = p["beta"], p["x"], p["period"]
    corner = p["corner"] * period

    def beta(t: Any) -> Any:
        return mean * jnp.exp(swing * jnp.sin(2.0 * jnp.pi * t / period + phase))

    def x(t: Any) -> Any:
        return low + rise * jnp.minimum(t / corner, (period - t) / (period - corner))

    return _run(p, jt.PeriodicCycle(beta, x, period, corners=[corner]))


def splines(p: Draw) -> Path:
    count = len(p["x"])
    step = p["period"] / count

    def curve(values: list[float]) -> BSpline:
        # Coefficient i is that of the B-spline about t = i period/pieces.
        knots = step * np.arange(-3.0, count + 4.0)
        return BSpline(knots, np.take(values, np.arange(-1, count + 2), mode="wrap"), 3)

    beta, x = curve(p["beta"]), curve(p["x"])
    slope = x.derivative()
    return Path(lambda t: float(beta(t)), lambda t: float(x(t)), lambda t: float(slope(t)), step * np.arange(count + 1))


def _callables(p: Draw) -> Path:
    (mean, swing, phase), (low, rise), period = p["beta"], p["x"], p["period"]
    corner = p["corner"] * period
    return Path(
        lambda t: float(mean * np.exp(swing * np.sin(2.0 * np.pi * t / period + phase))),
        lambda t: float(low + rise * min(t / corner, (period - t) / (period - corner))),
        lambda t: rise / corner if t < corner else -rise / (period - corner),
        np.array([0.0, corner, period]),
    )


def closed(p: Draw, path: Path) -> tuple[float, float]:
    """Work of the stationary cycle and the swing of U; moments after a period are an affine map of those before."""
    xi, eta = exact.pade(p["poles"] or 0)
    keys: dict[str, Any] = {"w0": 1.0, "gamma": p["strength"] ** 2, "xi": xi, "eta": eta}
    size, knots = 5 + 2 * len(xi), path.knots
    ts = np.unique(np.concatenate([knots, np.linspace(0.0, knots[-1], 41)]))

    def turn(start: Array) -> dict[str, Array]:
        return exact.harmonic_trajectory(path.beta, path.x, path.dx, ts, start=start, kinks=knots, **keys)

    nothing = turn(np.zeros(size))["state"][-1]
    linear = np.column_stack([turn(unit)["state"][-1] - nothing for unit in np.eye(size)])
    at = turn(np.linalg.solve(np.eye(size) - linear, nothing))
    return float(at["work"][-1]) + work_of_jumps(path, ts, at["q"]), float(np.ptp(at["U"]))


def _judge(paths: Callable[[Draw], Path]) -> Callable[[Draw, Answer], float]:
    def error(p: Draw, found: Answer) -> float:
        work, swing = closed(p, paths(p))
        return abs(found.numbers["work"] - work) / (2.0 * TOL * swing)

    return error


JUDGES = {
    "cycle, spline": (ask_spline, _judge(splines)),
    "cycle, pieces": (ask_pieces, _judge(pieces_of)),
    "cycle, callables": (ask_callables, _judge(_callables)),
}
draws.KINDS |= {"cycle, spline": (spline, 0.0), "cycle, pieces": (pieces, 0.0), "cycle, callables": (callables, 0.0)}
draws.LATER[1040] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 2)
