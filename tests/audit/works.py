"""Draws of fluctuating work: in a well Jarzynski's average by quadrature refers, in a parabola moments of (q, p, w)."""

from typing import Any

import numpy as np
from scipy.integrate import quad, solve_ivp

import jaxthermo as jt

from . import draws
from .ask import Answer, answer, oscillator, quiet
from .draws import Draw, Generator, between

# What the verb promises: of logarithms of averages, and of cumulants in units of the standard deviation.
COUNTED = 1e-4


def ramp(rng: Generator, narrow: bool) -> Draw:
    """A ramp of the field at one temperature in a well, or one of both in a parabola."""
    straight = bool(rng.uniform() < 0.5)
    beta = between(rng, 0.3, 4.0)
    grid = {"grid": (9.0, 9.0 / 26, 9.0, 9.0 / 22)} if narrow and straight else {}
    return grid | {
        "coefficients": draws.HARMONIC if straight else draws.well(rng),
        "strength": between(rng, 0.1, 2.0),
        "poles": None,
        "betas": (beta, between(rng, 0.5, 2.0) * beta) if straight else (beta, beta),
        "ends": (rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0)),
        "duration": between(rng, 0.01, 6.0),
        "times": 4,
    }


def ask_ramp(p: Draw) -> Answer:
    duration = p["duration"]
    beta, x = (jt.Ramp(*p[name], 0.0, duration) for name in ("betas", "ends"))
    ts = np.linspace(0.0, duration, p["times"])
    run = quiet(jt.drive, oscillator(p), beta, x, ts, keep_states=True, progress=False)
    found = quiet(jt.work_fluctuations, run, [p["betas"][0]], progress=False)
    names = ("mean", "variance", "third_cumulant", "generating")
    return answer(found, {name: np.asarray(getattr(found, name))[-1] for name in names})


def counted(p: Draw, found: Answer) -> float:
    return (_closed if tuple(p["coefficients"]) == draws.HARMONIC else _jarzynski)(p, found.numbers)


def _jarzynski(p: Draw, numbers: dict[str, Any]) -> float:
    """<exp(-beta w)> against the partition functions; the second law for the mean."""
    beta, polynomial = p["betas"][0], np.polynomial.Polynomial(p["coefficients"])

    def log_partition(x: float) -> float:
        q = np.linspace(-12.0, 12.0, 4801)
        least = float(np.min(polynomial(q) - x * q))
        span = q[polynomial(q) - x * q - least < 60.0 / beta]
        ends = float(span.min()), float(span.max())
        value = quad(lambda q: np.exp(-beta * (polynomial(q) - x * q - least)), *ends, epsabs=0.0, limit=400)[0]
        return float(np.log(value)) - beta * least

    exact = log_partition(p["ends"][1]) - log_partition(p["ends"][0])
    short = exact + beta * float(numbers["mean"])
    return max(abs(float(numbers["generating"][0]) - exact), -short) / COUNTED


def _closed(p: Draw, numbers: dict[str, Any]) -> float:
    """Mean and covariance of (q, p, w), which are Gaussian."""
    T, rate = p["duration"], p["strength"] ** 2
    speed = (p["ends"][1] - p["ends"][0]) / T
    A = np.array([[0.0, 1.0, 0.0], [-1.0, -rate, 0.0], [-speed, 0.0, 0.0]])

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        mean, S = y[:3], y[3:].reshape(3, 3)
        beta, x = (p[name][0] + (p[name][1] - p[name][0]) * t / T for name in ("betas", "ends"))
        noise = np.diag([0.0, 2.0 * rate / beta, 0.0])
        return np.concatenate([A @ mean + np.array([0.0, x, 0.0]), (A @ S + S @ A.T + noise).ravel()])

    start = np.concatenate([[p["ends"][0], 0.0, 0.0], np.diag([1.0, 1.0, 0.0]).ravel() / p["betas"][0]])
    end = solve_ivp(slope, (0.0, T), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    mean, variance, kappa = end[2], end[11], p["betas"][0]
    width = np.sqrt(variance)
    apart = (
        abs(float(numbers["mean"]) - mean) / width,
        abs(float(numbers["variance"]) - variance) / variance,
        abs(float(numbers["third_cumulant"])) / width**3,
        abs(float(numbers["generating"][0]) - (0.5 * kappa**2 * variance - kappa * mean)),
    )
    return max(apart) / COUNTED


JUDGES = {"work fluctuations": (ask_ramp, counted)}
draws.KINDS |= {"work fluctuations": (ramp, 0.0)}
draws.LATER[1480] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 2)
