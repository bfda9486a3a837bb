"""Draws of friction and slow ramps, and of transformed correlations; spectra by matrices of the generator refer."""

from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

import jaxthermo as jt

from . import draws, resonances
from .ask import Answer, answer, oscillator, quiet
from .draws import Draw, Generator, between
from .wells import place

# What the verbs promise: of spectra over the largest value, of lengths, and of transforms; and by how much two
# references of a friction may differ.
FRICTION, LENGTH, TRANSFORM, CHANGE = 1e-6, 1e-3, 1e-5, 3e-6
# A frequency that is low beside all rates, and high beside rounding errors; and fields at which a length is summed.
LOW, NODES = 1e-6, 14


def ramp(rng: Generator, narrow: bool) -> Draw:
    p = place(rng)
    return p | {"strength": between(rng, 0.4, 1.5), "to": p["x"] + rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 1.0)}


def transform(rng: Generator, narrow: bool) -> Draw:
    p = place(rng) | {"strength": between(rng, 0.7, 1.5)}
    while p["coefficients"][2] < 0.0:
        p |= {"coefficients": draws.well(rng)}
    # Of the slowest motion, that of friction or that of creeping, 14 decay times.
    least = 2.0 * p["coefficients"][2]
    slow = min(0.5 * p["strength"] ** 2, 0.7 * least / p["strength"] ** 2)
    return p | {"times": 1 + 2 * int(14.0 / slow / 0.2), "step": 0.1}


def ask_ramp(p: Draw) -> Answer:
    found = quiet(jt.search.slow_ramp, oscillator(p), p["beta"], p["x"], p["to"], 7.0, progress=False)
    numbers = {name: np.asarray(getattr(found, name)) for name in ("field", "friction", "length", "excess_work")}
    return answer(found, numbers | {"times": np.asarray(found.ramp.times), "values": np.asarray(found.ramp.values)})


def ask_transform(p: Draw) -> Answer:
    ts = p["step"] * np.arange(p["times"])
    run = quiet(jt.correlation, oscillator(p), p["beta"], p["x"], ts, progress=False)
    found = quiet(run.spectrum)
    return answer(found, {name: np.asarray(getattr(found, name)) for name in ("frequency", "symmetrised", "response")})


def _friction(p: Draw, x: float, levels: int, depth: int) -> float:
    power, _ = resonances._spectra(p | {"x": x, "frequencies": (LOW,)}, levels, depth)
    return float(0.5 * p["beta"] * power[0])


def slow(p: Draw, found: Answer) -> float | None:
    """Friction at the fields that were asked; and the share of the length behind each corner of the ramp."""
    numbers, at = found.numbers, None
    for levels, depth in resonances.LADDERS[p["poles"]]:
        less, at = at, np.array([_friction(p, float(x), levels, depth) for x in numbers["field"]])
        change = np.inf if less is None else float(np.max(np.abs(at / less - 1.0)))
        if change < CHANGE:
            break
    else:
        return None
    wrong = max(0.0, float(np.max(np.abs(numbers["friction"] / at - 1.0))) - change) / FRICTION

    middle, half = 0.5 * (p["x"] + p["to"]), 0.5 * (p["to"] - p["x"])
    nodes = chebyshev.chebpts1(NODES)
    roots = np.sqrt([_friction(p, float(middle + half * node), levels, depth) for node in nodes])
    behind = chebyshev.chebint(chebyshev.chebfit(nodes, roots, NODES - 1), lbnd=-1.0)
    length = abs(half) * chebyshev.chebval(1.0, behind)
    share = abs(half) * chebyshev.chebval((numbers["values"] - middle) / half, behind) / length
    apart = (
        numbers["length"] / length - 1.0,
        0.5 * (7.0 * numbers["excess_work"] / length**2 - 1.0),
        np.max(np.abs(share - numbers["times"] / 7.0)),
    )
    return max(wrong, *(float(abs(one)) / LENGTH for one in apart))


def transformed(p: Draw, found: Answer) -> float | None:
    """At some of the frequencies; the largest values are at the lowest ones or where the particle resounds."""
    numbers = found.numbers
    some = np.unique(np.linspace(1, len(numbers["frequency"]) - 1, 12).astype(int))
    asked: dict[str, Any] = p | {"frequencies": numbers["frequency"][some]}
    mine = {name: numbers[name][some] for name in ("symmetrised", "response")}
    error = resonances.spectra(asked, Answer(True, "ok", mine))
    return None if error is None else error * resonances.SPECTRUM / TRANSFORM


JUDGES = {"slow ramp": (ask_ramp, slow), "spectrum, transformed": (ask_transform, transformed)}
draws.KINDS |= {"slow ramp": (ramp, 0.0), "spectrum, transformed": (transform, 0.0)}
draws.LATER[1510] += tuple(JUDGES)
