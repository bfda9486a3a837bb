"""Draws of a few units that see their neighbours, beside the dense master equation of all their states."""

import itertools
from typing import Any

import jax
import numpy as np
from scipy.sparse import bmat, csr_array
from scipy.sparse.linalg import expm_multiply

import jaxthermo as jt

from . import draws, graphs
from .ask import Answer, quiet
from .draws import Draw, Generator

Array = np.ndarray
# How many standard errors, and how many hops of one trajectory, a mean may be off.
SIGMAS, FEW = 5.0, 3.0
TRAJECTORIES = 2000
# Units in each number of states, at most 256 in all.
UNITS = {2: (3, 5, 8), 3: (3, 4, 5), 4: (3, 4)}


def lattice(rng: Generator, narrow: bool) -> Draw:
    p = graphs.graph(rng, narrow)
    # At lower temperatures the largest rate of all, at which hops are proposed, is far above those of most.
    p["betas"], q = [min(beta, 1.5) for beta in p["betas"]], len(p["energies"])
    units = 3 if narrow else int(rng.choice(UNITS[q]))
    ring = [[(n - 1) % units, (n + 1) % units] for n in range(units)]
    everyone = [[m for m in range(units) if m != n] for n in range(units)]
    # Twice a neighbour of the next one, once of the one before: chains of bonds of two strengths, for even numbers.
    uneven = [[n ^ 1, n ^ 1, (n - 1 if n % 2 == 0 else n + 1) % units] for n in range(units)]
    tables = [ring, everyone] + ([uneven] if units % 2 == 0 else [])
    return p | {
        "neighbours": tables[0 if narrow else int(rng.integers(0, len(tables)))],
        "states": rng.integers(0, q, units).tolist(),
        "times": sorted(float(t) for t in rng.uniform(0.1, 3.0, 2)),
        "key": int(rng.integers(0, 2**31)),
    }


def ask_lattice(p: Draw) -> Answer:
    network, betas, key = graphs.network_of(p), np.array(p["betas"]), jax.random.key(p["key"])
    ts, table = np.array([0.0, *p["times"]]), np.array(p["neighbours"])
    runs = quiet(jt.jumps.simulate_lattice, network, betas, table, ts, TRAJECTORIES, key, p["states"])
    ok = bool(np.all(np.asarray(runs.ok)))
    values = np.concatenate(
        [runs.occupation, np.asarray(runs.energy)[..., None], np.asarray(runs.work)[..., None], runs.heats], axis=-1
    )
    names = {"mean": values.mean(axis=0), "variance": values.var(axis=0, ddof=1), "states": runs.final_states}
    return Answer(ok, "ok" if ok else "not ok", {name: np.asarray(value, float) for name, value in names.items()})


class _Units:
    """The states of all units, and what a hop of one takes up."""

    def __init__(self, p: Draw):
        table, K, eps = p["neighbours"], graphs.matrix_of(p), np.array(p["energies"])
        number, z, q = len(table), len(table[0]), len(eps)
        self.rows = np.array(list(itertools.product(range(q), repeat=number)))
        place = {tuple(row): i for i, row in enumerate(self.rows.tolist())}
        bonds = [(n, m) for n, around in enumerate(table) for m in around]
        self.energy = np.array([eps[s].sum() + 0.5 / z * sum(K[s[n], s[m]] for n, m in bonds) for s in self.rows])
        self.share = np.array([np.bincount(s, minlength=q) for s in self.rows]) / number
        hops = []
        for i, s in enumerate(self.rows.tolist()):
            for n, (e, (a, b)) in itertools.product(range(number), enumerate(p["edges"])):
                if s[n] != a:
                    continue
                j = place[tuple(b if m == n else s[m] for m in range(number))]
                dE, f = self.energy[j] - self.energy[i], p["forces"][e]
                out, back = graphs.speeds(p, e, dE, p["betas"], f)
                hops += [(j, i, out, e, dE - f, f), (i, j, back, e, f - dE, -f)]
        to, fro, rate, edge, heat, work = map(np.array, zip(*hops, strict=True))
        self.to, self.fro, self.rate, self.edge, self.heat, self.work = to, fro, rate, edge, heat, work

    def matrix(self, weight: Array) -> csr_array:
        """Rates times weights from one state to another."""
        return csr_array((self.rate * weight, (self.to, self.fro)), shape=2 * (len(self.rows),))


def exactly(p: Draw) -> tuple[Array, Array, Array]:
    """Means and variances of all that is seen, at all times, and the least that a hop changes of each, per unit."""
    units = _Units(p)
    size, number = len(units.rows), len(p["states"])
    start = int(np.flatnonzero((units.rows == p["states"]).all(axis=1))[0])
    L = units.matrix(np.ones(len(units.rate)))
    L = L - csr_array((L.sum(axis=0), (np.arange(size), np.arange(size))), shape=L.shape)
    reservoir = np.array(p["reservoirs"])[units.edge]
    counted = [units.work, *((reservoir == r) * units.heat for r in range(len(p["betas"])))]
    means, squares = [], []
    for t in (0.0, *p["times"]):
        parts = []
        for weight in counted:
            # Probabilities, and the first and second moment of what is counted with the state it is in.
            first, second = units.matrix(weight), units.matrix(weight**2)
            whole = bmat([[L, None, None], [first, L, None], [second, 2.0 * first, L]], format="csr")
            y = np.zeros(3 * size)
            y[start] = 1.0
            parts.append((expm_multiply(whole * t, y) if t > 0.0 else y).reshape(3, size))
        at, shown = parts[0][0], np.column_stack([units.share, units.energy / number])
        row = [at @ shown, [part[1].sum() / number for part in parts]]
        square = [at @ shown**2, [part[2].sum() / number**2 for part in parts]]
        means.append(np.concatenate(row))
        squares.append(np.concatenate(square))
    changes = [1.0, np.abs(units.heat).max(), *(np.abs(one).max() for one in counted)]
    hop = np.array([1.0] * len(p["energies"]) + changes[1:]) / number
    return np.array(means), np.array(squares) - np.array(means) ** 2, hop


def means(p: Draw, found: Answer) -> float:
    """Means within five exact standard errors, besides what hops of few trajectories can do."""
    mean, variance, hop = exactly(p)
    states = found.numbers["states"]
    seen = np.array([np.bincount(s, minlength=len(p["energies"])) for s in states.astype(int)]) / states.shape[1]
    if np.abs(seen.mean(axis=0) - found.numbers["mean"][-1, : seen.shape[1]]).max() > 1e-9:
        return np.inf
    allowed = SIGMAS * np.sqrt(np.maximum(variance, 0.0) / TRAJECTORIES) + FEW * hop / TRAJECTORIES + 1e-9
    return float(np.max(np.abs(found.numbers["mean"] - mean) / allowed))


JUDGES: dict[str, tuple[Any, Any]] = {"units, lattice": (ask_lattice, means)}
draws.KINDS |= {"units, lattice": (lattice, 0.0)}
draws.LATER[1210] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 1)
