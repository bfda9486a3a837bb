"""Draws of engines in wells: straight pieces of temperature and field, with or without jumps.

A period maps a state linearly to another. GMRES finds the state that comes back to itself, for the hierarchy among
levels or for the Kramers equation, and one more period has the work.
"""

import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import oscillator_exact as exact
from scipy.sparse.linalg import LinearOperator, gmres

import jaxthermo as jt

from . import courses, draws, hierarchy, kramers, paths
from .ask import Answer, answer, oscillator, quiet
from .draws import Draw, Generator, between

Array = np.ndarray
# Of the work; of U at all times, over the kinetic energy.
TOL, ENERGY = 1e-5, 1e-4
# By how much two references may differ, as a share of what is promised; CPU seconds for all of one draw's.
SHARE, PATIENCE = 0.3, 240.0
# Of GMRES: the residual as a share of the first, and the most periods that are followed for it.
RESIDUAL, PERIODS = 1e-7, 60
# Saved times in each piece.
POINTS = 4
# Functions of the momentum, and points, beyond those of the temperatures.
RUNGS = ((-8, 96), (0, 120), (24, 160), (60, 210))


def _engine(rng: Generator, strength: float, poles: int | None, hot: float) -> Draw:
    """Three pieces, or the four strokes of Stirling; of the pieces half jump at their ends."""
    p = {"coefficients": draws.well(rng), "strength": strength, "poles": poles, "period": between(rng, 3.0, 20.0)}
    cold = hot * rng.uniform(1.2, 2.5)
    begin, end = rng.uniform(-0.5, 1.0, 2)
    if rng.uniform() < 0.4:
        return p | {"beta": [hot, hot, cold, cold], "x": [begin, end, end, begin], "strokes": [0.25] * 4}
    shape, lengths = (3, 2) if rng.uniform() < 0.5 else (3,), rng.uniform(0.5, 1.5, 3)
    betas = hot * (cold / hot) ** rng.uniform(0.0, 1.0, shape)
    fields = rng.uniform(-0.5, 1.0, shape)
    return p | {"beta": betas.tolist(), "x": fields.tolist(), "strokes": (lengths / lengths.sum()).tolist()}


def classical(rng: Generator, narrow: bool) -> Draw:
    return _engine(rng, between(rng, 0.3, 1.5), None, between(rng, 0.2, 2.0))


def quantum(rng: Generator, narrow: bool) -> Draw:
    return _engine(rng, between(rng, 0.3, 2.0), int(rng.integers(0, 5)), between(rng, 0.4, 3.0))


def run(p: Draw) -> Answer:
    cycle = jt.PiecewiseCycle(np.array(p["beta"]), np.array(p["x"]), p["period"], p["strokes"])
    found = quiet(jt.run_cycle, oscillator(p), cycle, TOL, points=POINTS)
    return answer(found, {"work": float(found.work), "time": np.asarray(found.time), "U": np.asarray(found.U)})


class Cycle(NamedTuple):
    """Work of one period; U and the kinetic energy at the times asked for."""

    work: float
    U: Array
    p2: Array


Turn = Callable[[Array], tuple[Array, dict[str, Array]]]


def stationary_cycle(start: Array, turn: Turn, path: paths.Path, ts: Array) -> Cycle | None:
    """The cycle that `turn`, a linear map of states whose trace stays, brings back to itself; None if not found."""

    def gap(v: Array) -> Array:
        return v - turn(v.reshape(start.shape))[0].ravel()

    first = gap(start.ravel())
    problem = LinearOperator((start.size, start.size), gap, dtype=float)
    found, _ = gmres(problem, -first, rtol=RESIDUAL, restart=PERIODS, maxiter=1)
    begin = start + found.reshape(start.shape)
    end, rows = turn(begin)
    # By the steps' own errors the residual is no smaller than they are.
    if np.linalg.norm(end - begin) > 10.0 * RESIDUAL * np.linalg.norm(first):
        return None
    work = float(rows["work"][-1]) + paths.work_of_jumps(path, ts, rows["X"])
    return Cycle(work, rows["U"], rows["p2"])


def apart(one: Cycle, other: Cycle) -> float:
    """The largest difference of work and U over what is promised of them."""
    size = max(float(np.ptp(other.U)), abs(other.work), 0.01 * float(other.p2.mean()))
    work, energy = abs(one.work - other.work), float(np.abs(one.U - other.U).max())
    return max(work / (2.0 * TOL * size), energy / (ENERGY * float(other.p2.max())))


Rungs = Iterator[Callable[[], Cycle | None]]


def converged(rungs: Rungs) -> Cycle | None:
    """The first reference that the one before it confirms."""
    at: Cycle | None = None
    for rung in rungs:
        try:
            less, at = at, rung()
        except TimeoutError:
            return None
        if at is None or (less is not None and apart(less, at) < SHARE):
            return at
    return None


def _spans(p: Draw) -> tuple[float, float, float, float]:
    """The least and the largest beta and field."""
    return float(np.min(p["beta"])), float(np.max(p["beta"])), float(np.min(p["x"])), float(np.max(p["x"]))


def classical_rungs(p: Draw, path: paths.Path, ts: Array, until: float) -> Rungs:
    least, most, low, high = _spans(p)
    reach = max(kramers.reach_of(p["coefficients"], least, x) for x in (low, high))
    theta = 0.5 / least + 0.5 / most
    asked = (tuple(p["coefficients"]), p["strength"], 0.5 * (low + high))

    def rung(more: int, points: int) -> Cycle | None:
        momenta, wide = kramers.momenta_for(least, most) + more, reach if more < 0 else 1.1 * reach
        model = kramers.Kramers(*asked, theta=theta, reach=wide, momenta=momenta, points=points)
        return stationary_cycle(model.start(most), lambda c: model.follow(c, path, ts, until), path, ts)

    return (functools.partial(rung, *pair) for pair in RUNGS)


def quantum_rungs(p: Draw, path: paths.Path, ts: Array, until: float) -> Rungs:
    least, most, low, high = _spans(p)
    ends, x, well = p | {"beta": (least, most), "x": (low, high)}, 0.5 * (low + high), _well(p)
    frame = hierarchy.best_frame(well, math.sqrt(least * most), x)
    depth, levels = courses.depths(ends), max(14, courses.populated(ends) + 2)

    def rung(more: int) -> Cycle | None:
        at = hierarchy.basis(well, x, math.ceil(levels * courses.RISE**more), frame.lightness)
        ladder = hierarchy.Hierarchy(well, at, tuple(v + more for v in depth), frame.shares)
        stepped = courses.Course(ladder, x)
        # The canonical state, without correlations, among the eigenstates of q.
        weight = np.exp(-most * (np.diag(at.H) - at.H[0, 0]))
        start = np.zeros((len(ladder.indices), *at.H.shape))
        start[0] = stepped.states.T @ np.diag(weight / weight.sum()) @ stepped.states
        return stationary_cycle(start, lambda M: stepped.follow(M, path, ts, until), path, ts)

    return (functools.partial(rung, more) for more in range(courses.RUNGS))


def _judge(rungs_of: Callable[[Draw, paths.Path, Array, float], Rungs]) -> Callable[[Draw, Answer], float | None]:
    def error(p: Draw, found: Answer) -> float | None:
        path, ts = paths.pieces_of(p), np.array(found.numbers["time"])
        # The times of corners are equal up to rounding errors.
        apart_by = np.abs(np.subtract.outer(path.knots, ts))
        assert apart_by.min(axis=1).max() < 1e-9 * p["period"]
        ts[apart_by.argmin(axis=1)] = path.knots
        at = converged(rungs_of(p, path, ts, time.process_time() + PATIENCE))
        return None if at is None else apart(Cycle(found.numbers["work"], found.numbers["U"], at.p2), at)

    return error


def _well(p: Draw) -> hierarchy.Well:
    return hierarchy.Well(tuple(p["coefficients"]), p["strength"], tuple(map(tuple, exact.pade(p["poles"]))))


JUDGES = {
    "cycle, classical, wells": (run, _judge(classical_rungs)),
    "cycle, quantum, wells": (run, _judge(quantum_rungs)),
}
draws.KINDS |= {"cycle, classical, wells": (classical, 0.0), "cycle, quantum, wells": (quantum, 0.0)}
draws.LATER[1600] += tuple(JUDGES)
