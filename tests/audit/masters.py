"""Draws of N units that are followed in time, and of their work theorem; exponentials of dense matrices refer."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.linalg import expm

import jaxthermo as jt

from . import contacts, draws, graphs
from .ask import Answer, answer, quiet
from .draws import Draw, Generator

Array = np.ndarray
# What the verbs promise: of a run whose steps are accurate to 1e-9; of averages, whose steps are accurate to 1e-10.
RUN, AVERAGE = 1e-6, 1e-7
# Pieces of time of the reference, doubled until nothing moves by as much.
PIECES, NEAR = (32, 64, 128, 256), 1e-8


def evolution(rng: Generator, narrow: bool) -> Draw:
    """A start among the counts, and times; temperatures, forces and the coupling change in two of three draws."""
    p = graphs.graph(rng, narrow)
    changes = not narrow and rng.uniform() < 0.67
    share = rng.multinomial(p["units"], p["start"]).tolist()
    return _moving(p, rng, changes) | {
        "counts": None if rng.uniform() < 0.2 else share,
        "times": sorted(float(t) for t in rng.uniform(0.0, 3.0, 3)),
    }


def process(rng: Generator, narrow: bool) -> Draw:
    p = graphs.graph(rng, narrow, reservoirs=1)
    p["betas"] = [float(np.clip(p["betas"][0], 0.05, 2.0))]
    return _moving(p, rng, True) | {"duration": rng.uniform(0.1, 3.0), "s": [0.0, 0.5, 1.0, rng.uniform(-0.5, 1.5)]}


def _moving(p: Draw, rng: Generator, changes: bool) -> Draw:
    """Swings of temperature, forces and coupling, in shares of each."""
    swings = rng.uniform(-0.7, 0.7, 3) if changes else np.zeros(3)
    if np.ndim(p["interaction"]) or p["interaction"] is None:
        swings[2] = 0.0
    return p | {"swings": swings.tolist(), "rate": rng.uniform(0.3, 3.0)}


def _course(p: Draw) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """beta(t), the factor of the forces, and u(t), each with `sin` of the library's side or of the reference's."""
    (b, f, u), w = p["swings"], p["rate"]
    return (
        lambda t, m: np.array(p["betas"]) * (1.0 + b * m.sin(w * t)),
        lambda t, m: 1.0 + f * m.sin(w * t),
        lambda t, m: p["interaction"] * (1.0 + u * m.sin(w * t)),
    )


def _asked(p: Draw) -> tuple[Any, Any, dict[str, Any]]:
    """The library's network, its temperatures and its coupling."""
    beta, factor, u = _course(p)
    if not any(p["swings"]):
        return graphs.network_of(p), np.array(p["betas"]), {}
    network = graphs.network_of(p, forces=lambda t: jnp.array(p["forces"]) * factor(t, jnp))
    keys = {"coupling": lambda t: u(t, jnp)} if p["swings"][2] else {}
    one = len(p["betas"]) == 1
    return network, (lambda t: beta(t, jnp)[0] if one else beta(t, jnp)), keys


NAMES = ("occupation", "covariance", "energy", "entropy", "work_current", "heat_currents")
TOTALS = ("work", "heats", "entropy_produced")


def ask_evolution(p: Draw) -> Answer:
    network, betas, keys = _asked(p)
    ts = np.array([0.0, *p["times"]])
    run = quiet(jt.jumps.mesoscopic_evolve, network, betas, p["units"], p["counts"], ts, **keys)
    names = (*NAMES, *TOTALS, "entropy_production_rate")
    return answer(run, {name: np.asarray(getattr(run, name), float) for name in names})


def ask_process(p: Draw) -> Answer:
    network, betas, keys = _asked(p)
    found = quiet(jt.jumps.work_theorem, network, betas, p["units"], p["duration"], p["s"], **keys)
    names = ("forward", "backward", "crooks_error", "partition_ratio")
    ok = bool(np.all(np.asarray(found.ok)))
    words = "ok" if ok else str(np.asarray(found.status).tolist())
    return Answer(ok, words, {name: np.asarray(getattr(found, name), float) for name in names})


class _Course:
    """The matrices of a draw at all times."""

    def __init__(self, p: Draw):
        self.p, self.ladder = p, graphs.Ladder(p)
        self.size = len(self.ladder.counts)
        self.beta, self.factor, self.u = _course(p)

    def coupling(self, t: float) -> float | None:
        return float(self.u(t, np)) if self.p["swings"][2] else None

    def hops(self, t: float) -> graphs.Hops:
        return self.ladder.hops(self.beta(t, np), self.factor(t, np), self.coupling(t))

    def rates(self, t: float, hops: graphs.Hops) -> Array:
        """Per unit, of each row of the counts: work of the forces and the coupling, heats, sum of beta times heat."""
        reservoir = np.array(self.p["reservoirs"])[hops.edge]
        force = (self.factor(t, np) * np.array(self.p["forces"]))[hops.edge]
        weights = [force, *((reservoir == r) * hops.heat for r in range(len(self.p["betas"])))]
        weights.append(self.beta(t, np)[reservoir] * hops.heat)
        rows = np.zeros((len(weights), self.size))
        for row, weight in zip(rows, weights, strict=True):
            np.add.at(row, hops.fro, hops.out * weight)
            np.add.at(row, hops.to, -hops.back * weight)
        if self.p["swings"][2]:
            _, _, u = self.p["swings"]
            slope = self.p["interaction"] * u * self.p["rate"] * math.cos(self.p["rate"] * t)
            rows[0] += 0.5 * slope / self.ladder.units * (self.ladder.counts**2).sum(axis=1)
        return rows / self.ladder.units

    def augmented(self, t: float) -> Array:
        """The matrix of the probabilities and, below them, of the integrals of `rates`."""
        hops = self.hops(t)
        L, rows = graphs.generator(hops, self.size), self.rates(t, hops)
        return np.block([[L, np.zeros((self.size, len(rows)))], [rows, np.zeros((len(rows), len(rows)))]])


def _magnus(matrix: Callable[[float], Array], y: Array, start: float, end: float, pieces: int) -> Array:
    """dy/dt = matrix(t) y by exponentials of fourth order without commutators, (Blanes & Moan 2006)."""
    h, root = (end - start) / pieces, math.sqrt(3.0) / 6.0
    for k in range(pieces):
        early, late = (matrix(start + (k + 0.5 + sign * root) * h) for sign in (-1.0, 1.0))
        big, small = 0.25 + root, 0.25 - root
        y = expm(h * (small * early + big * late)) @ (expm(h * (big * early + small * late)) @ y)
    return y


def followed(p: Draw, pieces: int) -> dict[str, Array]:
    """All that a run shows, at all its times."""
    course, times = _Course(p), [0.0, *p["times"]]
    ladder, reservoirs = course.ladder, len(p["betas"])
    counts = p["counts"] or [p["units"]] + [0] * (len(p["energies"]) - 1)
    y = np.zeros(course.size + reservoirs + 2)
    y[np.flatnonzero((ladder.counts == counts).all(axis=1))[0]] = 1.0
    rows = []
    for before, t in zip([0.0, *times[:-1]], times, strict=True):
        if t > before and any(p["swings"]):
            y = _magnus(course.augmented, y, before, t, pieces)
        elif t > before:
            y = expm((t - before) * course.augmented(0.0)) @ y
        state, totals = np.maximum(y[: course.size], 0.0), y[course.size :]
        hops, share = course.hops(t), ladder.counts / ladder.units
        now, mean = course.rates(t, hops) @ state, state @ share
        force = (course.factor(t, np) * np.array(p["forces"]))[hops.edge]
        current = hops.out * state[hops.fro] - hops.back * state[hops.to]
        row = {
            "occupation": mean,
            "covariance": (share * state[:, None]).T @ share - np.outer(mean, mean),
            "energy": ladder.energy(course.coupling(t)) @ state / ladder.units,
            "entropy": graphs.entropy(ladder, state),
            "work_current": force @ current / ladder.units,
            "heat_currents": now[1:-1],
            "work": totals[0],
            "heats": totals[1:-1],
            "entropy_production_rate": graphs.production(hops, state) / ladder.units,
        }
        rows.append(row | {"entropy_produced": row["entropy"] - totals[-1]})
    whole = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return whole | {"entropy_produced": whole["entropy_produced"] - whole["entropy_produced"][0]}


def _settled(reference: Callable[[int], dict[str, Array]]) -> dict[str, Array] | None:
    """The reference among so many pieces of time that twice as many say the same."""
    at = reference(PIECES[0])
    for pieces in PIECES[1:]:
        less, at = at, reference(pieces)
        if contacts.furthest([(less[name], value) for name, value in at.items()], NEAR) < 1.0:
            return at
    return None


def evolved(p: Draw, found: Answer) -> float | None:
    at = _settled(lambda pieces: followed(p, pieces)) if any(p["swings"]) else followed(p, 1)
    if at is None:
        return None
    # The rate of entropy production starts at infinity.
    late = "entropy_production_rate"
    pairs = [(found.numbers[name], at[name]) for name in (*NAMES, *TOTALS)]
    return contacts.furthest([*pairs, (found.numbers[late][1:], at[late][1:])], RUN)


def averages(p: Draw, found: Answer) -> float | None:
    """What is said of exp(-s w), by changes at once between which nothing changes; and Crooks' relation itself."""
    course, T, points = _Course(p), p["duration"], np.array(p["s"])

    def reduced(t: float) -> Array:
        """beta E of each row of the counts."""
        return course.beta(t, np)[0] * course.ladder.energy(course.coupling(t))

    def logs(t: float) -> Array:
        """Logarithms of the weights of equilibrium without forces."""
        return course.ladder.multiplicity - reduced(t)

    def averaged(s: float, backwards: bool, pieces: int) -> float:
        """Half of a change, rest, half of a change: of second order, with even powers of the piece only."""
        ts = np.linspace(T, 0.0, pieces + 1) if backwards else np.linspace(0.0, T, pieces + 1)
        psi = np.exp(logs(ts[0]) - logs(ts[0]).max())
        psi /= psi.sum()
        for before, after in itertools.pairwise(ts):
            middle = 0.5 * (before + after)
            hops = course.hops(middle)
            force = course.factor(middle, np) * np.array(p["forces"])
            tilt = np.exp(-s * course.beta(middle, np)[0] * force)[hops.edge]
            psi = psi * np.exp(-s * (reduced(middle) - reduced(before)))
            psi = expm(abs(after - before) * graphs.generator(hops, course.size, tilt)) @ psi
            psi = psi * np.exp(-s * (reduced(after) - reduced(middle)))
        return float(psi.sum())

    def limit(s: float, backwards: bool) -> float:
        """Extrapolated from three numbers of pieces to order six; nan where that still changes it."""
        for least in (24, 96):
            one, two, four = (averaged(s, backwards, pieces * least) for pieces in (1, 2, 4))
            first, second = (4.0 * two - one) / 3.0, (4.0 * four - two) / 3.0
            if abs(second - first) / 15.0 < 0.3 * AVERAGE * abs(second):
                return (16.0 * second - first) / 15.0
        return math.nan

    values = np.array([[limit(s, False) for s in points], [limit(1.0 - s, True) for s in points]])
    if np.any(np.isnan(values)):
        return None
    ratio = math.exp(np.logaddexp.reduce(logs(T)) - np.logaddexp.reduce(logs(0.0)))
    numbers = found.numbers
    pairs = [
        (numbers["forward"] / values[0], 1.0),
        (numbers["backward"] / values[1], 1.0),
        (numbers["crooks_error"], np.zeros(len(points))),
        (numbers["partition_ratio"] / ratio, 1.0),
        # Jarzynski's equality, s = 1.
        (numbers["forward"][2] / ratio, 1.0),
    ]
    return contacts.furthest(pairs, AVERAGE)


JUDGES = {"units, evolution": (ask_evolution, evolved), "units, work theorem": (ask_process, averages)}
draws.KINDS |= {"units, evolution": (evolution, 0.0), "units, work theorem": (process, 0.0)}
draws.LATER[1210] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 1)
