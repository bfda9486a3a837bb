"""Draws of correlation functions in wells that are no parabolas; the reference is the number-basis hierarchy."""

from typing import Any

import numpy as np
import oscillator_exact as exact

import jaxthermo as jt

from . import draws, hierarchy
from .ask import Answer, answer, oscillator, quiet
from .draws import Draw, Generator, between

# What the verb promises, over the scale of each function; and by how much two references may differ.
CORRELATION, CHANGE = 1e-6, 3e-7
# Levels and depths of the references, in turn.
LADDERS = ((20, 3), (26, 4), (32, 6), (38, 8))


def place(rng: Generator) -> Draw:
    """A well, its bath, temperature and field."""
    return {
        "coefficients": draws.well(rng),
        "strength": between(rng, 0.2, 0.8),
        "poles": int(rng.integers(0, 2)),
        "beta": between(rng, 0.6, 3.0),
        "x": rng.uniform(-0.5, 0.5),
    }


def correlation(rng: Generator, narrow: bool) -> Draw:
    return place(rng) | {"ts": sorted(float(t) for t in rng.uniform(0.0, 6.0, 4))}


def ask_correlation(p: Draw) -> Answer:
    found = quiet(jt.correlation, oscillator(p), p["beta"], p["x"], np.array(p["ts"]))
    return answer(found, {name: np.asarray(getattr(found, name)) for name in ("symmetrised", "response")})


def _reference(p: Draw, levels: int, depth: int) -> tuple[np.ndarray, np.ndarray, float]:
    """<q(t) q> - <q>^2, symmetrised, and (i/hbar) <[q(t), q]>; with the variance of q.

    A real matrix M stands for the Hermitian one whose real part is symmetric, and whose imaginary part antisymmetric:
    [q, M^T] stands for i [q, rho].
    """
    well = hierarchy.Well(tuple(p["coefficients"]), p["strength"], tuple(map(tuple, exact.pade(p["poles"]))))
    shares = hierarchy.best_frame(well, p["beta"], p["x"]).shares
    ladder = hierarchy.Hierarchy(well, hierarchy.basis(well, p["x"], levels), depth, shares)
    state, _ = ladder.stationary(p["beta"])
    q = ladder.at.q
    mean = float(np.sum(state[0] * q))
    turned = np.swapaxes(state, -1, -2)
    starts = (0.5 * (q @ state + state @ q) - mean * state, (q @ turned - turned @ q) / well.hbar)
    ts = np.array([0.0, *p["ts"]])

    def rest(value: float) -> Any:
        return lambda t: value

    functions = []
    for start in starts:
        states, _ = ladder.drive(start, rest(p["beta"]), rest(p["x"]), rest(0.0), p["x"], ts)
        functions.append(np.array([np.sum(one[0] * q) for one in states[1:]]))
    return functions[0], functions[1], float(np.sum(starts[0][0] * q))


def _apart(one: Any, other: Any, scale: np.ndarray) -> float:
    return max(float(np.abs(one[i] - other[i]).max() / scale[i]) for i in (0, 1))


def correlation_functions(p: Draw, found: Answer) -> float | None:
    at: tuple[np.ndarray, np.ndarray, float] | None = None
    for levels, depth in LADDERS:
        less, at = at, _reference(p, levels, depth)
        scale = np.array([at[2], min(2.0, p["beta"]) * at[2]])
        change = np.inf if less is None else _apart(less, at, scale)
        if change < CHANGE:
            error = _apart((found.numbers["symmetrised"], found.numbers["response"]), at, scale)
            return max(0.0, error - change) / CORRELATION
    return None


JUDGES = {"correlation, anharmonic": (ask_correlation, correlation_functions)}
draws.KINDS |= {"correlation, anharmonic": (correlation, 0.02)}
