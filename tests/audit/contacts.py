"""Draws of networks between two temperatures, at rest, driven, split, of N units; references by numpy and scipy.

Units on a triangle whose edges two reservoirs share; energy per unit eps.P + P.K.P/2, rates G exp(-beta (dE - f)/2).
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

import jaxthermo as jt

from . import draws, networks
from .ask import Answer, answer, quiet
from .draws import Draw, Generator, between

Array = np.ndarray
TRIANGLE = [(0, 1), (1, 2), (2, 0)]
EDGES, RESERVOIRS = np.array(TRIANGLE * 2), np.array([0, 0, 0, 1, 1, 1])
ARRIVALS = np.array([[float(i == b) - float(i == a) for a, b in EDGES] for i in range(3)])
# What the verbs promise: a run of the mean field, of which periodic states and stationary ones are made; N units.
FIELD, FINITE = 1e-6, 1e-9


def network(rng: Generator, narrow: bool) -> Draw:
    """Attraction too weak for several attractors, or for a rhythm."""
    K = rng.uniform(-0.6, 0.3, (3, 3))
    return {
        "energies": rng.normal(0.0, 0.5, 3).tolist(),
        "interaction": (0.5 * (K + K.T)).tolist(),
        "forces": rng.uniform(-1.0, 1.0, 6).tolist(),
        "prefactor": [between(rng, 0.1, 2.0) for _ in range(6)],
        "betas": [between(rng, 0.2, 1.5), between(rng, 0.2, 1.5)],
        "start": rng.dirichlet(np.ones(3)).tolist(),
        "swing": rng.uniform(0.1, 0.8),
        "period": between(rng, 0.5, 20.0),
        "times": sorted(float(t) for t in rng.uniform(0.0, 3.0, 4)),
        "units": 4 if narrow else int(rng.integers(1, 13)),
    }


def network_of(p: Draw) -> Any:
    settings = {"forces": p["forces"], "reservoirs": RESERVOIRS.tolist(), "prefactor": p["prefactor"]}
    return jt.JumpNetwork([*TRIANGLE, *TRIANGLE], p["energies"], p["interaction"], **settings)


def _numbers(found: Any, *names: str) -> Answer:
    return answer(found, {name: np.asarray(getattr(found, name), float) for name in names})


def ask_stationary(p: Draw) -> Answer:
    found = quiet(jt.jumps.stationary, network_of(p), np.array(p["betas"]), p["start"])
    return _numbers(found, "occupation", "work_current", "heat_currents", "entropy_production_rate")


def ask_finite(p: Draw) -> Answer:
    found = quiet(jt.jumps.mesoscopic_stationary, network_of(p), np.array(p["betas"]), p["units"])
    return _numbers(found, "work_current", "heat_currents", "energy", "entropy_production_rate")


def ask_periodic(p: Draw) -> Answer:
    hot, cold = p["betas"]

    def swinging(t: Any) -> Any:
        return hot * (1.0 + p["swing"] * jnp.cos(2.0 * jnp.pi * t / p["period"]))

    found = quiet(jt.jumps.periodic_state, network_of(p), (swinging, cold), p["period"])
    return _numbers(found, "work", "heats", "entropy_produced")


def ask_parts(p: Draw) -> Answer:
    run = quiet(jt.jumps.evolve, network_of(p), np.array(p["betas"]), p["start"], np.array([0.0, *p["times"]]))
    parts = quiet(jt.jumps.housekeeping, run)
    return _numbers(parts, "housekeeping", "excess", "adiabatic", "nonadiabatic")


def flows(p: Draw, P: Array, betas: Array) -> tuple[Array, Array, Array]:
    """Flows forward and backward along each edge, and what a hop forward takes up as heat."""
    levels = np.array(p["energies"]) + np.array(p["interaction"]) @ P
    heat = levels[EDGES[:, 1]] - levels[EDGES[:, 0]] - np.array(p["forces"])
    half = 0.5 * betas[RESERVOIRS] * heat
    rates = np.array(p["prefactor"]) * np.exp(np.stack([-half, half]))
    return rates[0] * P[EDGES[:, 0]], rates[1] * P[EDGES[:, 1]], heat


def _rates(p: Draw, P: Array, betas: Array) -> Array:
    """dP/dt, work, the heat from each reservoir, and entropy production per time."""
    forward, backward, heat = flows(p, P, betas)
    J = forward - backward
    heats = [float((J * heat)[r == RESERVOIRS].sum()) for r in (0, 1)]
    return np.array([*ARRIVALS @ J, J @ np.array(p["forces"]), *heats, J @ np.log(forward / backward)])


def follow(p: Draw, P: Array, betas: Callable[[float], Array], ts: Array) -> Array:
    """States, and work, heats and entropy production since the first time, at all times."""

    def slope(t: float, y: Array) -> Array:
        return _rates(p, y[:3], betas(t))

    start = np.concatenate([P, np.zeros(4)])
    return solve_ivp(slope, (ts[0], ts[-1]), start, method="LSODA", rtol=1e-11, atol=1e-13, t_eval=ts).y.T


def furthest(pairs: list[tuple[Any, Any]], promised: float) -> float:
    """The largest difference, over 1 or the size of what is expected."""
    return max(float(np.max(np.abs(a - b)) / max(1.0, np.max(np.abs(b)))) for a, b in pairs) / promised


def stationary(p: Draw, found: Answer) -> float | None:
    P, betas = np.array(p["start"]), np.array(p["betas"])
    for _ in range(20):
        P = follow(p, P, lambda t: betas, np.array([0.0, 100.0]))[-1, :3]
        at = _rates(p, P, betas)
        if np.abs(at[:3]).max() < 1e-10:
            numbers = found.numbers
            return furthest(
                [
                    (numbers["occupation"], P),
                    (numbers["work_current"], at[3]),
                    (numbers["heat_currents"], at[4:6]),
                    (numbers["entropy_production_rate"], at[6]),
                ],
                FIELD,
            )
    return None


def periodic(p: Draw, found: Answer) -> float | None:
    (hot, cold), P = p["betas"], np.array(p["start"])

    def betas(t: float) -> Array:
        return np.array([hot * (1.0 + p["swing"] * math.cos(2.0 * math.pi * t / p["period"])), cold])

    for _ in range(300):
        y = follow(p, P, betas, np.array([0.0, p["period"]]))[-1]
        gap, P = float(np.abs(y[:3] - P).max()), y[:3]
        if gap < 1e-11:
            numbers = found.numbers
            pairs = [(numbers["work"], y[3]), (numbers["heats"], y[4:6]), (numbers["entropy_produced"], y[6])]
            return furthest(pairs, FIELD)
    return None


def parts(p: Draw, found: Answer) -> float:
    """Excess as the least sum of squares by a pseudo-inverse; the state at rest as a null vector."""
    betas = np.array(p["betas"])
    states = follow(p, np.array(p["start"]), lambda t: betas, np.array([0.0, *p["times"]]))[:, :3]
    rows = np.array([_parts(p, P, betas) for P in states]).T
    names = ("housekeeping", "excess", "adiabatic", "nonadiabatic")
    return furthest([(found.numbers[name], row) for name, row in zip(names, rows, strict=True)], FIELD)


def _parts(p: Draw, P: Array, betas: Array) -> tuple[float, float, float, float]:
    forward, backward, _ = flows(p, P, betas)
    force = np.log(forward / backward)
    J = forward - backward
    moved, total = ARRIVALS @ J, float(J @ force)
    least = np.linalg.pinv(ARRIVALS * np.sqrt(J / force)) @ moved
    generator = np.zeros((3, 3))
    for (a, b), out, back in zip(EDGES, forward / P[EDGES[:, 0]], backward / P[EDGES[:, 1]], strict=True):
        generator[b, a] += out
        generator[a, a] -= out
        generator[a, b] += back
        generator[b, b] -= back
    away = -float(moved @ np.log(P / networks.null_vector(generator)))
    excess = float(least @ least)
    return total - excess, excess, total - away, away


class Hop(NamedTuple):
    """Of N units along an edge, from one state to another: both rates, and what one forward takes up as heat."""

    edge: int
    fro: int
    to: int
    out: float
    back: float
    heat: float


def generator(p: Draw) -> tuple[Array, Array, Array, list[Hop]]:
    """Counts of all states of N units, their energies, the matrix of rates and its hops."""
    N, eps, K = p["units"], np.array(p["energies"]), np.array(p["interaction"])
    states = np.array([n for n in itertools.product(range(N + 1), repeat=3) if sum(n) == N])
    place = {tuple(n): i for i, n in enumerate(states)}
    energy = states @ eps + 0.5 / N * np.einsum("si,ij,sj->s", states, K, states)
    W, hops = np.zeros((len(states), len(states))), []
    for n, i in place.items():
        for e, (a, b) in enumerate(EDGES):
            if n[a] == 0:
                continue
            m = list(n)
            m[a], m[b] = m[a] - 1, m[b] + 1
            j = place[tuple(m)]
            heat = energy[j] - energy[i] - p["forces"][e]
            half = 0.5 * p["betas"][RESERVOIRS[e]] * heat
            out, back = (p["prefactor"][e] * count * math.exp(s * half) for count, s in ((n[a], -1), (m[b], 1)))
            W[j, i] += out
            W[i, i] -= out
            W[i, j] += back
            W[j, j] -= back
            hops.append(Hop(e, i, j, out, back, heat))
    return states, energy, W, hops


def finite(p: Draw, found: Answer) -> float:
    """The null vector of the whole matrix of N units."""
    _, energy, W, hops = generator(p)
    at, N = networks.null_vector(W), p["units"]
    work, heats, produced = 0.0, np.zeros(2), 0.0
    for hop in hops:
        there, back = hop.out * at[hop.fro], hop.back * at[hop.to]
        work += (there - back) * p["forces"][hop.edge]
        heats[RESERVOIRS[hop.edge]] += (there - back) * hop.heat
        produced += (there - back) * math.log(there / back)
    numbers = found.numbers
    pairs = [
        (numbers["work_current"], work / N),
        (numbers["heat_currents"], heats / N),
        (numbers["energy"], energy @ at / N),
        (numbers["entropy_production_rate"], produced / N),
    ]
    return furthest(pairs, FINITE)


JUDGES = {
    "network, stationary": (ask_stationary, stationary),
    "network, N units": (ask_finite, finite),
    "network, periodic": (ask_periodic, periodic),
    "network, housekeeping": (ask_parts, parts),
}
draws.KINDS |= dict.fromkeys(JUDGES, (network, 0.02))
draws.SHORT |= dict.fromkeys(JUDGES, 2)
