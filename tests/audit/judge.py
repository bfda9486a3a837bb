"""Whether an answer of the library is right, fails honestly, or is wrong and says ok."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import oscillator_exact as exact

from . import (
    ask,
    bends,
    contacts,
    courses,
    crowds,
    cycles,
    engines,
    hierarchy,
    kramers,
    lattices,
    loops,
    masters,
    networks,
    periods,
    ramps,
    resonances,
    searches,
    slow,
    starts,
    switched,
    thermal,
    wells,
    windows,
    works,
)
from .ask import Answer
from .courses import COURSE

# What the verbs promise: of an equilibrium; of rings, where the reference integrates; of N units.
EQUILIBRIUM, RING, FINITE = 1e-6, 1e-6, 1e-9

RIGHT, HONEST, WRONG, UNKNOWN = "right", "honest failure", "WRONG AND OK", "no reference"
# Where a reference shows that the equation has no solution that is a state of a particle, or a cycle no stationary
# state, to say so is the answer.
REFUSED, NO_DENSITY, NO_GRID = "rightly refused", "no density", "grid too small"


class Verdict(NamedTuple):
    """What was found of one draw; `error` is over what the verb promises, so that above 1 it is wrong."""

    outcome: str
    error: float
    words: str
    seconds: float  # CPU, of the library
    reference: float  # CPU, of the reference


def judge(kind: str, p: dict[str, Any]) -> Verdict:
    """Ask the library, ask a reference unless the library says that it failed, and compare."""
    verb, compare = JUDGES[kind]
    begin = time.process_time()
    try:
        found = verb(p)
    except ValueError as refusal:
        return Verdict(HONEST, math.nan, f"refused: {str(refusal)[:80]}", time.process_time() - begin, 0.0)
    asked = time.process_time()
    error = compare(p, found) if found.ok else math.nan
    words, shown = REFUSALS.get(kind, ("", None))
    refused = shown is not None and found.words == words and shown(p)
    spent = (asked - begin, time.process_time() - asked)
    if not found.ok:
        return Verdict(REFUSED if refused else HONEST, math.nan, found.words, *spent)
    if error is None:
        return Verdict(UNKNOWN, math.nan, "reference not converged", *spent)
    return Verdict(RIGHT if error <= 1.0 else WRONG, float(error), found.words, *spent)


def _well(p: dict[str, Any]) -> hierarchy.Well:
    return hierarchy.Well(tuple(p["coefficients"]), p["strength"], _poles(p))


def _poles(p: dict[str, Any]) -> Any:
    return tuple(map(tuple, exact.pade(p["poles"] or 0)))


def _moments(p: dict[str, Any]) -> exact.HarmonicMoments:
    xi, eta = exact.pade(p["poles"] or 0)
    return exact.HarmonicMoments(1.0, p["strength"] ** 2, xi, eta)


def harmonic_equilibrium(p: dict[str, Any], found: Answer) -> float:
    moments = _moments(p)
    at = exact.harmonic_stationary(p["beta"], p["x"], w0=1.0, gamma=moments.gamma, xi=moments.xi, eta=moments.eta)
    return hierarchy.furthest(found.numbers, at | {"X": at["q"]}) / EQUILIBRIUM


def classical_equilibrium(p: dict[str, Any], found: Answer) -> float:
    at = exact.classical_equilibrium(np.polynomial.Polynomial(p["coefficients"]), p["beta"], p["x"])
    return hierarchy.furthest(found.numbers, at) / EQUILIBRIUM


def quantum_equilibrium(p: dict[str, Any], found: Answer) -> float | None:
    at, change = hierarchy.converged(_well(p), p["beta"], p["x"], 0.3 * EQUILIBRIUM)
    return None if at is None else max(0.0, hierarchy.furthest(found.numbers, at) - change) / EQUILIBRIUM


def no_harmonic_equilibrium(p: dict[str, Any]) -> bool:
    moments = _moments(p)
    at = exact.harmonic_stationary(p["beta"], p["x"], w0=1.0, gamma=moments.gamma, xi=moments.xi, eta=moments.eta)
    return hierarchy.without_density(at["q2"] - at["q"] ** 2, at["p2"])


def no_quantum_equilibrium(p: dict[str, Any]) -> bool:
    return hierarchy.has_no_density(_well(p), p["beta"], p["x"])


def no_state_on_the_way(p: dict[str, Any]) -> bool:
    """At one of five fields of the way."""
    return any(hierarchy.has_no_density(_well(p), p["beta"], float(x)) for x in np.linspace(p["x"], p["to"], 5))


def harmonic_drive(p: dict[str, Any], found: Answer) -> float:
    (beta, _), (x, dx) = courses.ramp(*p["beta"]), courses.ramp(*p["x"])
    moments, ts = _moments(p), np.array(p["ts"])
    keys: dict[str, Any] = {"w0": 1.0, "gamma": moments.gamma, "xi": moments.xi, "eta": moments.eta}
    at = exact.harmonic_trajectory(beta, x, dx, ts, kinks=(*p["beta"][2:], *p["x"][2:]), **keys)
    return courses.along(found, at | {"X": at["q"]})


# More functions of the momentum cost too much.
MOST_MOMENTA = 130


def classical_drive(p: dict[str, Any], found: Answer) -> float | None:
    path, ts = courses.path_of(p), np.array(p["ts"])
    least, most = sorted(p["beta"][:2])
    asked = (tuple(p["coefficients"]), p["strength"], p["x"][0])
    reach = max(kramers.reach_of(p["coefficients"], least, field) for field in p["x"][:2])
    settings: dict[str, Any] = {"theta": 0.5 / least + 0.5 / most, "reach": reach}
    momenta = kramers.momenta_for(least, most)
    if momenta > MOST_MOMENTA:
        return None
    at: dict[str, Any] | None = None
    # Weak friction leaves fine structure, which ever more functions resolve.
    for more, points in ((-8, 108), (0, 128), (24, 172), (60, 224), (110, 290)):
        model = kramers.Kramers(*asked, **settings, momenta=momenta + more, points=points)
        less, at = at, model.follow(model.start(p["beta"][0]), path, ts)[1]
        if less is not None and _blur(less, at) < 0.3 * COURSE:
            return courses.along(found, at)
    return None


def _blur(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two references."""
    return max(float(np.max(np.abs(one[name] - other[name]))) for name in one)


def harmonic_cycle(p: dict[str, Any], found: Answer) -> float:
    hot, cold, x0, x1, period = p["cycle"]
    quarter, moments = period / 4.0, _moments(p)
    beta = _periodic((hot, hot, cold, cold, hot), quarter)
    x = _periodic((x0, x1, x1, x0, x0), quarter)
    slopes = [(b - a) / quarter for a, b in ((x0, x1), (x1, x1), (x1, x0), (x0, x0))]

    def dx(t: float) -> float:
        return slopes[min(int(t / quarter), 3)]

    ts = np.linspace(0.0, period, 41)
    keys: dict[str, Any] = {"w0": 1.0, "gamma": moments.gamma, "xi": moments.xi, "eta": moments.eta}
    start = moments.stationary(hot, x0)
    for _ in range(200):
        at = exact.harmonic_trajectory(beta, x, dx, ts, kinks=ts[::10], start=start, **keys)
        gap, start = float(np.abs(at["state"][-1] - start).max()), at["state"][-1]
        if gap < 1e-10:
            break
    span = float(np.ptp(at["U"]))
    return abs(found.numbers["work"] - float(at["work"][-1])) / (2.0 * p["tol"] * span)


def _periodic(values: tuple[float, ...], quarter: float) -> Callable[[float], float]:
    corners = quarter * np.arange(5)
    return lambda t: float(np.interp(t, corners, values))


def _ring(p: dict[str, Any]) -> networks.Ring:
    names = ("q", "coupling", "force", "prefactor", "energies", "law", "split")
    return networks.Ring(**{name: p[name] for name in names})


# A trajectory is followed for so long at a time, and so often, until it has come this near; where rates are large, for
# so many turns or relaxation times at a time.
STRETCH, STRETCHES, NEAR = 40.0, 100, 1e-4
TURNS = 100.0


def ring_stationary(p: dict[str, Any], found: Answer) -> float | None:
    """The state is on an attractor, and the trajectory from the start comes to it."""
    ring, beta, state = _ring(p), p["beta"], found.numbers["state"]
    start = np.array(p["start"])
    if found.numbers["kind"] == "fixed point":
        decay = networks.slowest(ring, beta, state)
        if not decay > 0.0:
            return math.inf
        J = ring.force * ring.currents(state, beta).sum()
        error = abs(J - found.numbers["work_current"]) / (RING * max(1.0, abs(J)))
        return _arrives(ring, beta, start, 1.0 / decay, lambda P: float(np.abs(P - state).max()), error)
    period = float(found.numbers["period"])
    error = _closed(ring, beta, state, found)
    return _arrives(ring, beta, start, period, lambda P: networks.nearest(ring, beta, P, 1.1 * period, state), error)


def _arrives(
    ring: networks.Ring, beta: float, P: np.ndarray, time: float, gap: Callable[[np.ndarray], float], error: float
) -> float | None:
    """The error of an attractor, if the trajectory comes to it; inf if it rests elsewhere, None if it goes on.

    `time` is that of one turn, or of the slowest relaxation.
    """
    stretch = min(STRETCH, TURNS * time)
    for _ in range(STRETCHES):
        P, _ = networks.flow(ring, beta, P, stretch)
        if gap(P) < NEAR:
            return error
        if np.abs(ring.slope(P, beta)).max() < 1e-10 * np.abs(ring.currents(P, beta)).max():
            return math.inf
    return None


def _closed(ring: networks.Ring, beta: float, point: np.ndarray, found: Answer) -> float:
    """Whether an orbit closes after its period, with the work that is said."""
    period = float(found.numbers["period"])
    end, work = networks.flow(ring, beta, point, period)
    said = float(found.numbers["work_current"])
    return max(float(np.abs(end - point).max()) / RING, abs(work / period - said) / (RING * max(1.0, abs(said))))


def ring_cycle(p: dict[str, Any], found: Answer) -> float:
    return _closed(_ring(p), p["beta"], found.numbers["point"], found)


def finite(p: dict[str, Any], found: Answer) -> float:
    at = networks.dense_stationary(_ring(p), p["beta"], p["units"])
    return max(abs(found.numbers[name] - value) / (FINITE * max(1.0, abs(value))) for name, value in at.items())


def minimum_work(p: dict[str, Any], found: Answer) -> float:
    """The protocol costs its value, which lies between the exact bound and the cost of resting."""
    (b0, x0), (b, x), horizon = p["from"], p["to"], p["horizon"]
    numbers = found.numbers
    value, error = float(numbers["value"]), float(numbers["error"])
    moments = _moments(p)

    def planck(beta: float, field: float) -> float:
        return -math.log(beta) + 0.5 * beta * field**2

    # KL of the starting Gaussian from the canonical one at (beta, x); <q^2> = T, <p^2> = T.
    divergence = math.log(b0 / b) + b / b0 - 1.0 + 0.5 * b * (x0 - x) ** 2
    bound = planck(b, x) - divergence
    temperature, field = (np.polynomial.Polynomial(numbers[f"{n}_coefficients"]) for n in ("beta", "x"))
    scaled = temperature * field

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        rates = moments.rates(y[:-1], float(temperature(t)), float(field(t)))
        energy = 0.5 * (y[2] + y[4])
        return np.append(rates, energy * temperature.deriv()(t) - y[0] * scaled.deriv()(t))

    start = np.append(moments.stationary(b0, x0), 0.0)
    spent = exact.solve_ivp(slope, (0.0, horizon), start, method="DOP853", rtol=1e-11, atol=1e-13).y[-1, -1]
    cost = planck(float(temperature(horizon)), float(field(horizon))) + float(spent)
    allowed, scale = error + 1e-6 * (1.0 + abs(value)), 1e-6 * (1.0 + abs(value))
    wrong = (abs(cost - value) / allowed, abs(float(numbers["lower"]) - bound) / scale, (bound - value) / allowed)
    return max(*wrong, (value - planck(b, x)) / scale)


# What the library says, and what shows that it is right to.
REFUSALS: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
    "equilibrium, harmonic": (NO_DENSITY, no_harmonic_equilibrium),
    "equilibrium, quantum": (NO_DENSITY, no_quantum_equilibrium),
    "correlation, anharmonic": (NO_DENSITY, no_quantum_equilibrium),
    "spectrum, anharmonic": (NO_DENSITY, no_quantum_equilibrium),
    "relaxation rates, anharmonic": (NO_DENSITY, no_quantum_equilibrium),
    "drive, quantum, wide": (NO_DENSITY, courses.no_state_at_an_end),
    "slow ramp": (NO_DENSITY, no_state_on_the_way),
    "spectrum, transformed": (NO_DENSITY, no_quantum_equilibrium),
    "cycle, Carnot": (NO_GRID, switched.no_cycle),
    "cycle, Otto": (NO_GRID, switched.no_cycle),
}

JUDGES: dict[str, tuple[Callable[[dict[str, Any]], Answer], Callable[[dict[str, Any], Answer], float | None]]] = {
    "equilibrium, harmonic": (ask.equilibrium, harmonic_equilibrium),
    "equilibrium, classical": (ask.equilibrium, classical_equilibrium),
    "equilibrium, quantum": (ask.equilibrium, quantum_equilibrium),
    "drive, harmonic": (ask.drive, harmonic_drive),
    "drive, classical": (ask.drive, classical_drive),
    "drive, quantum": (ask.drive, courses.quantum_drive),
    "cycle, harmonic": (ask.run_cycle, harmonic_cycle),
    "ring, stationary": (ask.stationary, ring_stationary),
    "ring, limit cycle": (ask.limit_cycle, ring_cycle),
    "ring, N units": (ask.mesoscopic_stationary, finite),
    "minimum work": (ask.minimum_work, minimum_work),
    **switched.JUDGES,
    **contacts.JUDGES,
    **cycles.JUDGES,
    **wells.JUDGES,
    **resonances.JUDGES,
    **periods.JUDGES,
    **windows.JUDGES,
    **starts.JUDGES,
    **crowds.JUDGES,
    **bends.JUDGES,
    **searches.JUDGES,
    **masters.JUDGES,
    **loops.JUDGES,
    **lattices.JUDGES,
    **ramps.JUDGES,
    **thermal.JUDGES,
    **works.JUDGES,
    **slow.JUDGES,
    **courses.JUDGES,
    **engines.JUDGES,
}
