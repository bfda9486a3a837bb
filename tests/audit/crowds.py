"""Draws of N units between two temperatures: fluctuations, clocks, trajectories, engines; dense matrices refer."""

import math
from typing import Any

import jax
import numpy as np
from scipy.special import gammaln

import jaxthermo as jt

from . import contacts, draws, networks
from .ask import Answer, answer, quiet
from .draws import Draw, Generator, between

Array = np.ndarray
# What the verbs promise of eigenvalues and their derivatives; how many standard errors a mean may be off.
LINEAR, SIGMAS = 1e-7, 5.0
TRAJECTORIES, DURATION = 400, 4.0


def few(rng: Generator, narrow: bool) -> Draw:
    """At most eight units, of which the dense matrix has 45 rows; of few numbers, which each compile once."""
    return contacts.network(rng, narrow) | {
        "units": int(rng.choice([1, 3, 8])),
        "s": rng.uniform(-0.6, 0.6, 3).tolist(),
    }


def many(rng: Generator, narrow: bool) -> Draw:
    return contacts.network(rng, narrow) | {"units": 12, "key": int(rng.integers(0, 2**31))}


def machine(rng: Generator, narrow: bool) -> Draw:
    """Two states, both of whose reservoirs share the edge, with a load on one of them."""
    return {
        "gap": rng.uniform(0.5, 4.0),
        "load": rng.uniform(-2.0, 3.0),
        "coupling": rng.uniform(-2.0, 2.0),
        "prefactor": [between(rng, 0.2, 2.0) for _ in range(2)],
        "betas": [between(rng, 0.2, 1.0), between(rng, 1.0, 4.0)],
        "units": int(rng.choice([1, 2, 7, 30])),
    }


def ask_fluctuations(p: Draw) -> Answer:
    network, betas = contacts.network_of(p), np.array(p["betas"])
    counted = quiet(jt.jumps.cumulants, network, betas, p["units"], 3, of=0)
    tilted = quiet(jt.jumps.scaled_cumulant, network, betas, p["units"], p["s"], of="entropy")
    relation = jt.bounds(counted)
    found = answer(
        counted,
        {
            "cumulant": np.asarray(counted.cumulant),
            "scaled": np.asarray(tilted.scaled_cumulant),
            "bound": np.asarray(relation.bound),
            "value": np.asarray(relation.value),
        },
    )
    return found._replace(ok=found.ok and bool(np.all(np.asarray(tilted.ok))))


def ask_clock(p: Draw) -> Answer:
    network, betas = contacts.network_of(p), np.array(p["betas"])
    mode = quiet(jt.jumps.coherence, network, betas, p["units"])
    steady = quiet(jt.jumps.mesoscopic_stationary, network, betas, p["units"])
    numbers = {
        "decay": np.asarray(mode.eigenvalue_real),
        "turn": np.asarray(mode.eigenvalue_imag),
        "information": float(jt.jumps.multipartite_information(steady)),
    }
    found = answer(mode, numbers)
    return found._replace(ok=bool(np.all(np.asarray(mode.ok))) and bool(steady.ok))


def ask_paths(p: Draw) -> Answer:
    """Exact trajectories from the stationary state."""
    return _means(p, jt.jumps.simulate)


def ask_leaps(p: Draw) -> Answer:
    """Leaps so short that their bias is below the noise."""
    return _means(p, jt.jumps.tau_leap, steps=400)


def _means(p: Draw, sampler: Any, **options: int) -> Answer:
    """Means over trajectories, with their standard errors."""
    network, betas, key = contacts.network_of(p), np.array(p["betas"]), jax.random.key(p["key"])
    runs = quiet(sampler, network, betas, p["units"], DURATION, TRAJECTORIES, key, **options)
    ok = bool(np.all(np.asarray(runs.ok)))
    values = np.column_stack([runs.work, runs.heats, np.asarray(runs.final_counts) / runs.units])
    spread = values.std(axis=0) / math.sqrt(TRAJECTORIES)
    return Answer(ok, "ok" if ok else "not ok", {"mean": values.mean(axis=0), "error": spread})


def ask_machine(p: Draw) -> Answer:
    unlike = np.array([[0.0, 1.0], [1.0, 0.0]])
    network = jt.JumpNetwork(
        [(0, 1), (0, 1)],
        [0.0, p["gap"]],
        p["coupling"] * unlike,
        [0.0, p["load"]],
        reservoirs=[0, 1],
        prefactor=p["prefactor"],
    )
    steady = quiet(jt.jumps.mesoscopic_stationary, network, np.array(p["betas"]), p["units"])
    found = quiet(jt.jumps.conversion, steady.work_current, steady.heat_currents, np.array(p["betas"]))
    numbers = {name: float(getattr(found, name)) for name in ("power", "efficiency", "performance", "carnot")}
    return answer(found, numbers | {"mode": str(found.mode)})._replace(ok=bool(steady.ok) and bool(found.ok))


def _leading(W: Array, hops: list[contacts.Hop], weights: Array, s: complex) -> complex:
    """Of the generator whose hops of edge e are weighted by exp(s w), the eigenvalue that grows out of 0."""
    tilted = W.astype(complex)
    for hop, w in zip(hops, weights, strict=True):
        tilted[hop.to, hop.fro] += hop.out * (np.exp(s * w) - 1.0)
        tilted[hop.fro, hop.to] += hop.back * (np.exp(-s * w) - 1.0)
    values = np.linalg.eigvals(tilted)
    return values[np.argmax(values.real)]


def fluctuations(p: Draw, found: Answer) -> float:
    """Tilted generators; cumulants by Cauchy's integral round s = 0."""
    _, _, W, hops = contacts.generator(p)
    N = p["units"]
    heat = np.array([hop.heat * (contacts.RESERVOIRS[hop.edge] == 0) for hop in hops])
    entropy = np.array([-p["betas"][contacts.RESERVOIRS[hop.edge]] * hop.heat for hop in hops])
    scaled = [_leading(W, hops, entropy, s).real / N for s in p["s"]]
    # Hops carry heats of a few units of energy, so that the circle stays far from where the eigenvalue branches.
    radius, count = 0.1, 32
    circle = radius * np.exp(2j * np.pi * np.arange(count) / count)
    values = np.array([_leading(W, hops, heat, s) for s in circle])
    powers = circle[None, :] ** -np.arange(1, 4)[:, None]
    cumulants = (values * powers).mean(axis=1).real * np.array([1.0, 2.0, 6.0]) / N
    numbers = found.numbers
    # What cannot be wrong: the uncertainty relation.
    if not np.all(numbers["value"] >= numbers["bound"] * (1.0 - 1e-9)):
        return math.inf
    pairs = [
        (numbers["cumulant"], cumulants),
        (numbers["scaled"], np.array(scaled)),
        (numbers["bound"], np.array([2.0 * cumulants[0] ** 2 / cumulants[1]])),
    ]
    return contacts.furthest(pairs, LINEAR)


def clock(p: Draw, found: Answer) -> float:
    """The whole spectrum; entropies by sums over all sequences of units that share their counts."""
    states, _, W, _ = contacts.generator(p)
    values = np.linalg.eigvals(W)
    rest = np.delete(values, np.argmin(np.abs(values)))
    slowest = rest[np.argmax(rest.real)]
    at, N = networks.null_vector(W), p["units"]
    arrangements = gammaln(N + 1.0) - gammaln(states + 1.0).sum(axis=1)
    whole = float(-np.sum(at * (np.log(at) - arrangements)))
    share = at @ states / N
    pairs = [
        (found.numbers["decay"], slowest.real),
        (np.abs(found.numbers["turn"]), abs(slowest.imag)),
        (found.numbers["information"], N * float(-np.sum(share * np.log(share))) - whole),
    ]
    return contacts.furthest(pairs, LINEAR)


def paths(p: Draw, found: Answer) -> float:
    """Means of stationary trajectories are those of the stationary state."""
    states, _, W, hops = contacts.generator(p)
    at, N = networks.null_vector(W), p["units"]
    rates = np.zeros(3)
    for hop in hops:
        J = (hop.out * at[hop.fro] - hop.back * at[hop.to]) / N
        rates[0] += J * p["forces"][hop.edge]
        rates[1 + contacts.RESERVOIRS[hop.edge]] += J * hop.heat
    expected = np.append(rates, at @ states / N)
    return float(np.max(np.abs(found.numbers["mean"] - expected) / found.numbers["error"])) / SIGMAS


def conversions(p: Draw, found: Answer) -> float:
    """A chain of births and deaths, its currents, and what they are good for."""
    N, betas, G = p["units"], np.array(p["betas"])[:, None], np.array(p["prefactor"])[:, None]
    n, force = np.arange(N + 1), np.array([[0.0], [p["load"]]])
    change = np.diff(p["gap"] * n + p["coupling"] * n * (1.0 - n / N))
    push = np.exp(-0.5 * betas * (change - force))
    up, down = G * (N - n[:-1]) * push, G * n[1:] / push
    logs = np.append(0.0, np.cumsum(np.log(up.sum(axis=0) / down.sum(axis=0))))
    at = np.exp(logs - logs.max())
    at /= at.sum()
    J = up * at[:-1] - down * at[1:]
    work, heats = float((force * J).sum()) / N, ((change - force) * J).sum(axis=1) / N
    carnot = 1.0 - p["betas"][0] / p["betas"][1]
    mode, efficiency, performance = "dissipator", math.nan, math.nan
    if work < 0.0:
        mode, efficiency = "heat engine", -work / float(heats[heats > 0.0].sum())
    elif heats[1] > 0.0:
        mode, performance = "refrigerator", heats[1] / work
    numbers = found.numbers
    if numbers["mode"] != mode:
        return math.inf
    pairs = [(numbers["power"], -work), (numbers["carnot"], carnot)]
    pairs += [(numbers["efficiency"], efficiency)] if mode == "heat engine" else []
    pairs += [(numbers["performance"], performance)] if mode == "refrigerator" else []
    return contacts.furthest(pairs, LINEAR)


JUDGES = {
    "units, cumulants": (ask_fluctuations, fluctuations),
    "units, slowest mode": (ask_clock, clock),
    "units, trajectories": (ask_paths, paths),
    "units, leaps": (ask_leaps, paths),
    "units, conversion": (ask_machine, conversions),
}
draws.KINDS |= {
    "units, cumulants": (few, 0.0),
    "units, slowest mode": (few, 0.0),
    "units, trajectories": (many, 0.0),
    "units, leaps": (many, 0.0),
    "units, conversion": (machine, 0.0),
}
draws.LATER[1040] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 2)
