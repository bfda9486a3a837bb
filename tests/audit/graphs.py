"""Networks of any graph, law and number of reservoirs as dense matrices: of N units by their counts, in NumPy alone.

Energy of N units sum_i n_i eps_i + sum_ij n_i K_ij n_j/(2N); a hop from state a to b that takes up the energy dE has a
rate n_a V+(dE), and the hop back m_b V-(dE), with the law's V+-.
"""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, gammaln

import jaxthermo as jt

from . import ask
from .draws import LAWS, Draw, Generator, between

Array = np.ndarray
# Edges, and reservoirs as they may share them.
GRAPHS: tuple[tuple[tuple[tuple[int, int], ...], tuple[int, ...]], ...] = (
    (((0, 1),), (0,)),
    (((0, 1), (1, 0)), (0, 1)),
    (((0, 1), (0, 1), (1, 0)), (0, 1, 2)),
    (((0, 1), (1, 2), (2, 0)), (0, 0, 0)),
    (((0, 1), (2, 1), (0, 2), (0, 1)), (0, 1, 0, 1)),
    (((0, 1), (1, 2), (2, 3), (3, 0)), (0, 0, 1, 1)),
    (((0, 1), (0, 2), (0, 3), (2, 3)), (0, 1, 0, 1)),
    (((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3)), (0, 1, 0, 1, 0, 1)),
)
# Those of one reservoir take each edge of a graph for it.
UNITS = {2: (1, 3, 12, 40), 3: (1, 2, 5, 9), 4: (1, 2, 4)}


def graph(rng: Generator, narrow: bool, reservoirs: int | None = None) -> Draw:
    """A network of any law; rates of hops span at most some five decades."""
    edges, labels = GRAPHS[4 if narrow else int(rng.integers(0, len(GRAPHS)))]
    q, count = 1 + max(map(max, edges)), len(edges)
    labels = (0,) * count if reservoirs == 1 else labels
    K = rng.uniform(-2.0, 1.0, (q, q))
    couplings = (None, float(rng.uniform(-2.0, 1.0)), (0.5 * (K + K.T)).tolist())
    return {
        "edges": list(edges),
        "reservoirs": list(labels),
        "energies": rng.normal(0.0, 0.7, q).tolist(),
        "interaction": couplings[2 if narrow else int(rng.integers(0, 3))],
        "forces": rng.uniform(-1.5, 1.5, count).tolist(),
        "prefactor": [between(rng, 0.05, 3.0) for _ in range(count)],
        "betas": [between(rng, 0.05, 4.0) for _ in range(1 + max(labels))],
        "law": "arrhenius" if narrow else str(rng.choice(LAWS)),
        "split": rng.uniform(0.1, 0.9),
        "units": 2 if narrow else int(rng.choice(UNITS[q])),
        "start": rng.dirichlet(np.ones(q)).tolist(),
    }


def network_of(p: Draw, **others: Any) -> Any:
    """The library's network of a draw, with other parameters in the place of its own."""
    names = ("edges", "energies", "interaction", "forces", "reservoirs", "prefactor")
    return jt.JumpNetwork(**{name: p[name] for name in names} | {"rates": ask.LAWS[p["law"]](p["split"])} | others)


def matrix_of(p: Draw) -> Array:
    """The interaction as a matrix."""
    q = len(p["energies"])
    K = p["interaction"]
    return np.zeros((q, q)) if K is None else K * np.eye(q) if np.ndim(K) == 0 else np.array(K)


def speeds(p: Draw, edge: int, dE: Any, betas: Any, force: float) -> tuple[Any, Any]:
    """Of one unit along an edge and back, by the law of the draw."""
    beta, G = betas[p["reservoirs"][edge]], p["prefactor"][edge]
    a, f = beta * (force - dE), beta * force
    if p["law"] == "glauber":
        return G * expit(a), G * expit(-a)
    if p["law"] == "metropolis":
        return G * np.exp(np.minimum(a, 0.0)), G * np.exp(np.minimum(-a, 0.0))
    share = p["split"] if p["law"] == "load sharing" else 0.5
    return G * np.exp(share * f - 0.5 * beta * dE), G * np.exp(0.5 * beta * dE - (1.0 - share) * f)


def flows(p: Draw, P: Array) -> tuple[Array, Array, Array]:
    """In the mean field: flows along each edge and back, and what a hop forward takes up as heat."""
    first, second = np.array(p["edges"]).T
    level = np.array(p["energies"]) + matrix_of(p) @ P
    dE, force = level[second] - level[first], np.array(p["forces"])
    rates = [speeds(p, e, dE[e], p["betas"], force[e]) for e in range(len(dE))]
    forward, backward = np.array(rates).T
    return forward * P[first], backward * P[second], dE - force


class Hops(NamedTuple):
    """All hops of N units along edges, from one row of the counts to another, with both rates of all units together.

    `out` and `back` are those rates, `heat` is what a hop forward takes up from its reservoir, in energy.
    """

    edge: Array
    fro: Array
    to: Array
    out: Array
    back: Array
    heat: Array


class Ladder:
    """The counts of N units of a draw and how they hop, which depends on temperatures, forces and the coupling."""

    def __init__(self, p: Draw):
        self.p, self.units, q = p, p["units"], len(p["energies"])
        rows = [n for n in itertools.product(range(self.units + 1), repeat=q) if sum(n) == self.units]
        self.counts, place = np.array(rows), {n: i for i, n in enumerate(rows)}
        ways = [
            (e, i, place[tuple(int(k) for k in self.counts[i] + np.eye(q, dtype=int)[b] - np.eye(q, dtype=int)[a])])
            for e, (a, b) in enumerate(p["edges"])
            for i in range(len(rows))
            if rows[i][a] > 0
        ]
        self.edge, self.fro, self.to = np.array(ways).T
        self.multiplicity = gammaln(self.units + 1.0) - gammaln(self.counts + 1.0).sum(axis=1)

    def energy(self, coupling: float | None = None) -> Array:
        """Of all units in each row of the counts; `coupling` u takes the place of the interaction."""
        n, K = self.counts, matrix_of(self.p)
        K = K if coupling is None else coupling * np.eye(len(K))
        return n @ np.array(self.p["energies"]) + 0.5 / self.units * np.einsum("si,ij,sj->s", n, K, n)

    def hops(self, betas: Any = None, force_scale: float = 1.0, coupling: float | None = None) -> Hops:
        """At these temperatures, with all forces multiplied, and with this coupling."""
        p, energy = self.p, self.energy(coupling)
        betas = p["betas"] if betas is None else betas
        change, forces = energy[self.to] - energy[self.fro], force_scale * np.array(p["forces"])
        out, back = np.empty(len(change)), np.empty(len(change))
        for e, (a, b) in enumerate(p["edges"]):
            own = self.edge == e
            there, home = speeds(p, e, change[own], betas, forces[e])
            out[own], back[own] = there * self.counts[self.fro[own], a], home * self.counts[self.to[own], b]
        return Hops(self.edge, self.fro, self.to, out, back, change - forces[self.edge])


def generator(hops: Hops, size: int, tilt: Array | float = 1.0) -> Array:
    """The matrix of rates, with hops along edges weighted by `tilt` and those back by its inverse."""
    W = np.zeros((size, size))
    np.add.at(W, (hops.to, hops.fro), hops.out * tilt)
    np.add.at(W, (hops.fro, hops.to), hops.back / tilt)
    np.add.at(W, (hops.fro, hops.fro), -hops.out)
    np.add.at(W, (hops.to, hops.to), -hops.back)
    return W


def entropy(ladder: Ladder, p: Array) -> float:
    """Per unit; that inside of each row of the counts included."""
    there = p > 0.0
    return float(p[there] @ (ladder.multiplicity[there] - np.log(p[there]))) / ladder.units


def production(hops: Hops, p: Array) -> float:
    """Entropy production of all units per time."""
    there, home = hops.out * p[hops.fro], hops.back * p[hops.to]
    moving = (there > 0.0) & (home > 0.0)
    return math.fsum((there - home)[moving] * np.log(there[moving] / home[moving]))
