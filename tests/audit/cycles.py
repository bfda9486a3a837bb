"""Draws of Otto's cycle and of Fourier series, in a parabola, whose closed moments are the reference."""

from collections.abc import Callable
from typing import Any

import numpy as np
import oscillator_exact as exact

import jaxthermo as jt

from . import draws, switched
from .ask import Answer, answer, oscillator, quiet
from .draws import HARMONIC, Draw, Generator, between

# A trajectory is closed when a period changes it by less; at most so many periods.
CLOSED, PERIODS = 1e-10, 400


def otto(rng: Generator, narrow: bool) -> Draw:
    hot, cold = rng.uniform(-0.2, 0.2), rng.uniform(-0.6, -0.2)
    return switched.carnot(rng, narrow) | {"fields": (hot, hot, cold, cold)}


def fourier(rng: Generator, narrow: bool) -> Draw:
    mean = between(rng, 0.5, 2.0)
    return {
        "coefficients": HARMONIC,
        "strength": between(rng, 0.4, 1.5),
        "poles": (None, 0, 1, 2)[int(rng.integers(0, 4))],
        "beta": (mean, *(mean * rng.uniform(-0.2, 0.2, 4)).tolist()),
        "x": (rng.uniform(0.0, 1.0), *rng.uniform(-0.4, 0.4, 4).tolist()),
        "period": between(rng, 5.0, 30.0),
        "tol": 1e-4,
    }


def ask_otto(p: Draw) -> Answer:
    well, stiffness = jt.Polynomial([0.0, 0.0, 0.5, 0.0, 0.0]), jt.Polynomial([0.0, 0.0, -0.5])
    model = jt.classical_oscillator(well, p["strength"], coordinate=stiffness)
    cycle = jt.OttoCycle(*p["betas"], p["fields"][0], p["fields"][2], p["period"], rise=p["rise"])
    run = quiet(jt.run_cycle, model, cycle, 1e-5, points=2)
    return answer(run, {name: np.asarray(getattr(run, name)) for name in ("work", "heat_of", "switching_of")})


def ask_fourier(p: Draw) -> Answer:
    series = [value for name in ("beta", "x") for value in (p[name][0], p[name][1:3], p[name][3:])]
    run = quiet(jt.run_cycle, oscillator(p), jt.FourierCycle(*series, period=p["period"]), p["tol"], points=5)
    return answer(run, {"work": float(run.work)})


def _series(values: Any, period: float) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """The sum of a mean, two cosines and two sines, and its slope."""
    mean, a, b = values[0], np.array(values[1:3]), np.array(values[3:])
    w = 2.0 * np.pi * np.arange(1, 3) / period
    return (
        lambda t: float(mean + a @ np.cos(w * t) + b @ np.sin(w * t)),
        lambda t: float((-a * w) @ np.sin(w * t) + (b * w) @ np.cos(w * t)),
    )


def fourier_cycle(p: Draw, found: Answer) -> float | None:
    (beta, _), (x, dx) = _series(p["beta"], p["period"]), _series(p["x"], p["period"])
    xi, eta = exact.pade(p["poles"] or 0)
    keys: dict[str, Any] = {"w0": 1.0, "gamma": p["strength"] ** 2, "xi": xi, "eta": eta}
    ts, start = np.linspace(0.0, p["period"], 41), None
    for _ in range(PERIODS):
        at = exact.harmonic_trajectory(beta, x, dx, ts, start=start, **keys)
        change = np.inf if start is None else float(np.abs(at["state"][-1] - start).max())
        start = at["state"][-1]
        if change < CLOSED:
            span = float(np.ptp(at["U"]))
            return abs(found.numbers["work"] - float(at["work"][-1])) / (2.0 * p["tol"] * span)
    return None


JUDGES = {"cycle, Otto": (ask_otto, switched.carnot_cycle), "cycle, Fourier": (ask_fourier, fourier_cycle)}
draws.KINDS |= {"cycle, Otto": (otto, 0.015), "cycle, Fourier": (fourier, 0.015)}
