"""Draws of quantum drives over the whole range: strong and weak coupling, up to four poles, hot and cold, quenches.

The number-basis hierarchy refers. It is stepped among the eigenstates of q, where noise and decay act on each element
of a matrix alone, and each mode of the bath has a depth of its own, since fast ones need less.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import oscillator_exact as exact
from scipy.sparse import csr_array

from . import ask, draws, hierarchy
from .ask import Answer
from .draws import Draw, Generator, between
from .paths import Path, follow

Array = np.ndarray
# What the verb promises, in moments and work over their scale.
COURSE = 1e-4
# By how much two references may differ, and how far a state among the fewest levels may change with one more member.
CHANGE, DEEPER = 0.2 * COURSE, 1e-4
# CPU seconds that a reference may take, and members times levels^6, the work of its first state; levels^3 at weak
# coupling.
PATIENCE, AFFORDED, AFFORDED_WEAK = 240.0, 2e11, 2e7
# Levels of the tries for the depth, and by which factor there are more of them at the next rung.
FEW, RISE, RUNGS = 10, 1.2, 12


def wide(rng: Generator, narrow: bool) -> Draw:
    return {
        "coefficients": draws.well(rng),
        "strength": between(rng, 0.1, 2.0) if rng.uniform() < 0.5 else rng.uniform(0.5, 2.0),
        "poles": int(rng.integers(0, 5)),
    } | draws._ramps(rng, (0.3, 10.0))


class Course:
    """A hierarchy in the basis of a field `x`, as it is stepped: d/dt of all members at any temperature and field."""

    def __init__(self, ladder: hierarchy.Hierarchy, x: float) -> None:
        self.untouched, self.x = ladder, x
        own, well = ladder.at, ladder.well
        _, self.states = np.linalg.eigh(own.q)
        turned = {f.name: self.states.T @ getattr(own, f.name) @ self.states for f in dataclasses.fields(own)}
        self.ladder = dataclasses.replace(ladder, at=hierarchy.Basis(**turned))
        at, self.well = self.ladder.at, well
        self.apart = np.subtract.outer(np.diag(at.q), np.diag(at.q)) / well.hbar
        self.H, self.P = at.H, at.P
        count = len(self.ladder.indices)
        flow, drift = self.ladder.coupling(1.0)
        flows, drifts = np.zeros((count, count)), np.zeros((count, count))
        for upper, lower, k, number in self.ladder.links:
            flows[upper, lower] = flows[lower, upper] = math.sqrt(number) * flow[k] / well.mass
            drifts[lower, upper] = math.sqrt(number) * drift[k]
            drifts[upper, lower] = -drifts[lower, upper]
        self.flow, self.drift = csr_array(flows), csr_array(drifts)
        rest = float(np.sum((1.0 - self.ladder.shares) ** 2 * self.ladder.decays(1.0) * well.jitter**2))
        decay = self.ladder.indices @ self.ladder.decays(1.0)
        self.falls = decay[:, None, None] + (well.friction + rest) * self.apart**2

    def rates(self, M: Array, beta: float, x_above: float) -> Array:
        count, n, _ = M.shape
        apart, T, well = self.apart, 1.0 / beta, self.well
        left, right = np.concatenate([self.H, self.P]) @ M, (M.reshape(-1, n) @ np.hstack([self.H, self.P]))
        right = right.reshape(count, n, 2 * n)
        HM, PM, MH, MP = left[:, :n], left[:, n:], right[:, :, :n], right[:, :, n:]
        by_p = -apart * np.swapaxes(M, -1, -2)
        out = np.swapaxes(HM - MH, -1, -2) / well.hbar - x_above * by_p - T * self.falls * M
        out += (0.5 * well.friction / well.mass) * apart * (PM + MP)
        if count > 1:
            flat = (count, n * n)
            flowing = well.friction * by_p + (PM - MP) / well.hbar
            out += (self.flow @ flowing.reshape(flat) + T * (self.drift @ by_p.reshape(flat))).reshape(M.shape)
        return out

    def follow(self, M: Array, path: Path, ts: Array, until: float) -> tuple[Array, dict[str, Array]]:
        """The members at the end, with moments and work at ts, which hold its knots; TimeoutError if it takes long."""
        q = np.diag(self.ladder.at.q)

        def rates(M: Array, beta: float, x: float) -> Array:
            return self.rates(M, beta, x - self.x)

        def mean(M: Array) -> float:
            return float(np.diag(M[0]) @ q)

        return follow(M, path, ts, rates, mean, lambda M: self.ladder.measure(M, 0.0), until)

    def stationary(self, beta: float) -> tuple[Array, float]:
        """The members at constant temperature and the basis's field, and the residual of the solve."""
        members, residual = self.untouched.stationary(beta)
        return self.states.T @ members @ self.states, residual


def ramp(start: float, end: float, t0: float, t1: float) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """A ramp and its slope."""
    slope = (end - start) / (t1 - t0)
    return (
        lambda t: start + (end - start) * min(max((t - t0) / (t1 - t0), 0.0), 1.0),
        lambda t: slope if t0 <= t <= t1 else 0.0,
    )


def path_of(p: Draw) -> Path:
    """Of two ramps, whose corners are among the times."""
    return Path(ramp(*p["beta"])[0], *ramp(*p["x"]), knots=np.array(p["ts"]))


def along(found: Answer, at: dict[str, Any]) -> float:
    """The largest error of moments and work at any saved time."""
    scale = hierarchy.scales({"q2": float(np.max(at["q2"])), "p2": float(np.max(at["p2"]))})
    scale["work"] = scale["U"]
    return max(float(np.max(np.abs(found.numbers[name] - at[name]))) / scale[name] for name in scale) / COURSE


def _well(p: Draw) -> hierarchy.Well:
    return hierarchy.Well(tuple(p["coefficients"]), p["strength"], tuple(map(tuple, exact.pade(p["poles"]))))


def _frame(p: Draw) -> hierarchy.Frame:
    return hierarchy.best_frame(_well(p), math.sqrt(p["beta"][0] * p["beta"][1]), p["x"][0])


def depths(p: Draw) -> tuple[int, ...]:
    """Of each mode, so that one more changes neither the first nor the last state among few levels."""
    well, frame = _well(p), _frame(p)
    modes = len(well.poles[0])
    found = (1,) * modes
    for beta, x in {(p["beta"][0], p["x"][0]), (p["beta"][1], p["x"][1])}:
        at = hierarchy.basis(well, x, FEW, frame.lightness)

        def state(depth: tuple[int, ...], at: hierarchy.Basis = at, beta: float = beta) -> dict[str, float]:
            ladder = hierarchy.Hierarchy(well, at, depth, frame.shares)
            return ladder.measure(ladder.stationary(beta)[0], 0.0)

        for _ in range(12):
            last = state(found)
            steps = [_deeper(found, k) for k in range(modes)]
            needed = [k for k, step in enumerate(steps) if hierarchy.furthest(state(step), last) > DEEPER]
            if not needed:
                break
            found = tuple(v + (k in needed) for k, v in enumerate(found))
    return found


def _deeper(depth: tuple[int, ...], k: int) -> tuple[int, ...]:
    return tuple(v + (j == k) for j, v in enumerate(depth))


def populated(p: Draw) -> int:
    """Levels that matter at the highest temperature."""
    well, hot = _well(p), min(p["beta"][:2])
    energies = np.linalg.eigvalsh(hierarchy.basis(well, p["x"][0], 70).H)
    return int(np.sum(np.exp(-hot * (energies - energies[0])) > 1e-6))


def course(p: Draw, levels: int, depth: tuple[int, ...], until: float) -> dict[str, Array] | None:
    well, frame = _well(p), _frame(p)
    at = hierarchy.basis(well, p["x"][0], levels, frame.lightness)
    ladder = hierarchy.Hierarchy(well, at, depth, frame.shares)
    count, energies = len(ladder.indices), np.diag(at.H)
    slow = np.abs(np.subtract.outer(energies, energies)) < 10.0 * well.hbar * well.friction / well.mass
    weak = bool(np.sum(slow) <= 2 * levels) and count * levels**3 <= AFFORDED_WEAK
    if not weak and count * levels**6 > AFFORDED:
        return None
    stepped = Course(ladder, p["x"][0])
    members, residual = stepped.stationary(p["beta"][0])
    if residual > 1e-7:
        return None
    try:
        return stepped.follow(members, path_of(p), np.array(p["ts"]), until)[1]
    except TimeoutError:
        return None


def quantum_drive(p: Draw, found: Answer) -> float | None:
    until = time.process_time() + PATIENCE
    depth, levels = depths(p), max(14, populated(p) + 2)
    at: dict[str, Any] | None = None
    for _ in range(RUNGS):
        less, at = at, course(p, levels, depth, until)
        if at is None:
            return None
        if less is not None and change(less, at) < CHANGE:
            return along(found, at)
        levels, depth = math.ceil(RISE * levels), tuple(v + 1 for v in depth)
    return None


def change(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two courses over the scale of each number."""
    scale = hierarchy.scales({"q2": float(np.max(other["q2"])), "p2": float(np.max(other["p2"]))})
    return max(float(np.abs(one[name] - other[name]).max()) / scale.get(name, scale["U"]) for name in other)


def no_state_at_an_end(p: Draw) -> bool:
    return any(hierarchy.has_no_density(_well(p), p["beta"][i], p["x"][i]) for i in (0, 1))


JUDGES = {"drive, quantum, wide": (ask.drive, quantum_drive)}
draws.KINDS |= {"drive, quantum, wide": (wide, 0.0)}
draws.LATER[1570] += tuple(JUDGES)
