"""Draws of cycle affinities, in the mean field and of N units; a tree of the reference's own, and potentials on it."""

import math
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

import jaxthermo as jt

from . import contacts, draws, graphs, networks
from .ask import Answer, answer, quiet
from .draws import Draw

Array = np.ndarray
# What the verbs promise at a fixed point that is known to 1e-9, and of N units.
FIELD, FINITE = 1e-6, 1e-9
NAMES = ("edges_of", "affinity", "current", "entropy_production_rate")


def ask_field(p: Draw) -> Answer:
    network, betas = graphs.network_of(p), np.array(p["betas"])
    rest = quiet(jt.jumps.stationary, network, betas, p["start"])
    found = quiet(jt.jumps.cycle_affinities, network, betas, rest.occupation)
    numbers = {name: np.asarray(getattr(found, name), float) for name in NAMES}
    numbers["occupation"] = np.asarray(rest.occupation)
    # Where the state goes round a limit cycle, its mean does not rest, and the verb says `not converged`.
    return answer(found, numbers)


def ask_units(p: Draw) -> Answer:
    found = quiet(jt.jumps.mesoscopic_affinities, graphs.network_of(p), np.array(p["betas"]), p["units"])
    names = (*NAMES, "closing_edge", "closing_counts")
    return answer(found, {name: np.asarray(getattr(found, name)) for name in names})


def field(p: Draw, found: Answer) -> float:
    """At a state that rests, flows round independent cycles of the graph, of which no other set is a part."""
    numbers, q = found.numbers, len(p["energies"])
    P, edges = numbers["occupation"], np.array(p["edges"])
    forward, backward, _ = graphs.flows(p, P)
    J = forward - backward
    if np.abs(_gains(edges, J, q)).max() > FIELD * np.abs(forward + backward).max():
        return math.inf
    polished = _rest(p, P)
    if polished is None or np.abs(polished - P).max() > FIELD:
        return math.inf
    forward, backward, heat = graphs.flows(p, polished)
    J, force = forward - backward, -np.array(p["betas"])[np.array(p["reservoirs"])] * heat
    cycles, own = numbers["edges_of"], _loops(edges, q)
    # Whole numbers of each other, both ways: a basis of all cycles.
    change = np.linalg.lstsq(own.T, cycles.T, rcond=None)[0] if len(own) else np.zeros((0, 0))
    whole = np.abs(change - np.round(change)).max(initial=0.0) < 1e-9
    if cycles.shape != own.shape or not whole or abs(abs(np.linalg.det(change)) - 1.0) > 1e-6:
        return math.inf
    expected = float(J @ np.log(forward / backward))
    # Where no force drives a cycle, nothing flows but rounding errors of the flows.
    size = max(1.0, float(np.abs(forward).max()))
    pairs = [
        (numbers["affinity"], cycles @ force),
        (cycles.T @ numbers["current"] / size, J / size),
        (numbers["entropy_production_rate"], expected),
    ]
    return contacts.furthest([(a, b) for a, b in pairs if np.size(a)], FIELD)


def _gains(edges: Array, J: Array, q: int) -> Array:
    gained = np.zeros(q)
    np.add.at(gained, edges[:, 1], J)
    np.add.at(gained, edges[:, 0], -J)
    return gained


def _rest(p: Draw, P: Array) -> Array | None:
    """Where a state comes to rest."""
    edges, q = np.array(p["edges"]), len(P)

    def slope(_: float, P: Array) -> Array:
        forward, backward, _ = graphs.flows(p, P)
        return _gains(edges, forward - backward, q)

    for _ in range(20):
        forward, backward, _ = graphs.flows(p, P)
        speed = float(np.abs(forward + backward).max())
        if np.abs(_gains(edges, forward - backward, q)).max() < 1e-11 * speed:
            return P
        P = solve_ivp(slope, (0.0, 1e3 / speed), P, method="LSODA", rtol=1e-11, atol=1e-14).y[:, -1]
    return None


def _loops(edges: Array, q: int) -> Array:
    """Cycles of the edges outside a tree that grows from the last state, in the order of edges from the last one."""
    way = {q - 1: np.zeros(len(edges))}
    tree = set()
    while len(way) < q:
        for e in range(len(edges))[::-1]:
            for sign, (a, b) in ((1.0, edges[e]), (-1.0, edges[e][::-1])):
                if int(a) in way and int(b) not in way:
                    way[int(b)] = way[int(a)] + sign * np.eye(len(edges))[e]
                    tree.add(e)
    closing = [e for e in range(len(edges)) if e not in tree]
    rows = [way[int(edges[e][0])] + np.eye(len(edges))[e] - way[int(edges[e][1])] for e in closing]
    return np.array(rows).reshape(-1, len(edges))


def units(p: Draw, found: Answer) -> float:
    """The hops that close no cycle are a tree, on which the logarithms of the rates are differences of a potential."""
    ladder, numbers = graphs.Ladder(p), found.numbers
    hops, size, count = ladder.hops(), len(ladder.counts), len(p["edges"])
    at = networks.null_vector(graphs.generator(hops, size))
    where = {tuple(n): i for i, n in enumerate(ladder.counts.tolist())}
    number = {(int(e), int(i)): k for k, (e, i) in enumerate(zip(hops.edge, hops.fro, strict=True))}
    ends = zip(numbers["closing_edge"], numbers["closing_counts"].tolist(), strict=True)
    closing = [number[int(e), where[tuple(n)]] for e, n in ends]
    tree = np.setdiff1d(np.arange(len(hops.edge)), closing)
    if len(set(closing)) != len(closing) or len(tree) != size - 1:
        return math.inf
    # Of the counts that may hop, rates have the shares that cancel round cycles.
    force = np.log(hops.out / hops.back)
    values = np.column_stack([force, np.eye(count)[hops.edge]])
    matrix = np.zeros((size, size))
    rows = np.arange(size - 1)
    matrix[rows, hops.to[tree]], matrix[rows, hops.fro[tree]], matrix[-1, 0] = 1.0, -1.0, 1.0
    if np.linalg.matrix_rank(matrix) < size:
        return math.inf
    potential = np.linalg.solve(matrix, np.vstack([values[tree], np.zeros(1 + count)]))
    round_them = values[closing] - (potential[hops.to[closing]] - potential[hops.fro[closing]])
    there, back = hops.out * at[hops.fro], hops.back * at[hops.to]
    pairs: list[tuple[Any, Any]] = [
        (numbers["affinity"], round_them[:, 0]),
        (numbers["edges_of"], round_them[:, 1:]),
        (numbers["current"], (there - back)[closing]),
        (numbers["entropy_production_rate"], graphs.production(hops, at) / ladder.units),
    ]
    return contacts.furthest([(a, b) for a, b in pairs if np.size(a)], FINITE)


JUDGES = {"network, affinities": (ask_field, field), "units, affinities": (ask_units, units)}
draws.KINDS |= dict.fromkeys(JUDGES, (graphs.graph, 0.0))
draws.LATER[1210] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 1)
