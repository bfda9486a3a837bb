"""Occupation numbers as a graph: neighbours along every edge, the rotation of a ring, and the cells of a coarser one.

States are numbered by `rank`. Cells join states whose halves, rounded down, agree in all but the last state of a unit,
which makes the cells the occupation numbers of half as many units.
"""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from jaxthermo.jumps.finite.states import mesostates, rank_table
from jaxthermo.jumps.graph import Edge, take_rows
from jaxthermo.jumps.network import JumpNetwork

# At most so many states are solved for by elimination: single rings, and the coarsest cells.
DIRECT = 400

# (gains, loses): the two states between which one unit moves.
Move = tuple[int, int]


class Links(eqx.Module):
    """States joined by hops: `target[b]` after the forward hop b, `source[b]` before it.

    Where there is no such hop, the target is the state itself and the source is a state that has no forward hop b.
    """

    target: Int[Array, "hops states"]
    source: Int[Array, "hops states"]


class Space(eqx.Module):
    """The occupation numbers of N units in q states; made by `space`.

    `neighbours[k]` is the state reached by `moves(edges, q)[k]`, or the state itself. Only a ring has a `rotation`.
    """

    q: int = eqx.field(static=True)
    units: int = eqx.field(static=True)
    edges: tuple[Edge, ...] = eqx.field(static=True)
    counts: Int[Array, "q states"]
    neighbours: Int[Array, "moves states"]
    empty: Int[Array, " edges"]
    rotation: Int[Array, " states"] | None
    parent: Int[Array, " states"] | None
    children: Int[Array, "corners cells"] | None
    coarse: "Space | None"

    @property
    def size(self) -> int:
        """The number of states."""
        return self.counts.shape[1]

    @property
    def moves(self) -> tuple[Move, ...]:
        """The moves that lead to the rows of `neighbours`."""
        return moves(self.edges, self.q)

    @property
    def links(self) -> Links:
        """The hops along the edges."""
        number = len(self.edges)
        source = self.neighbours[number : 2 * number]
        # Without a unit to take back there is no source: point to a state whose forward flow on this edge is zero.
        following = take_rows(self.counts, tuple(second for _, second in self.edges))
        return Links(self.neighbours[:number], jnp.where(following > 0, source, self.empty[:, None]))


def require_ring_edges(network: JumpNetwork) -> None:
    """Raise a ValueError unless the network is a ring in one reservoir under one force."""
    one_force = callable(network.forces) or network.forces.ndim == 0
    one_prefactor = callable(network.prefactor) or network.prefactor.ndim == 0
    alike = network.reservoir_count == 1 and one_prefactor and one_force
    if network.edges != ring_edges(network.q) or not alike:
        raise ValueError("`network` must be a ring with one force, one prefactor and one reservoir for this function")


def ring_edges(q: int) -> tuple[Edge, ...]:
    """The q edges i -> i+1 (mod q)."""
    return tuple((state, (state + 1) % q) for state in range(q))


def moves(edges: tuple[Edge, ...], q: int) -> tuple[Move, ...]:
    """Forward hops along all edges, backward hops, then moves to and from the last state, which cells need."""
    forward = [(second, first) for first, second in edges]
    hops = forward + [(first, second) for second, first in forward]
    last = q - 1
    extra = [(last, i) for i in range(last)] + [(i, last) for i in range(last)]
    return tuple(hops + [move for move in extra if move not in hops])


@functools.lru_cache(maxsize=8)
def space(q: int, units: int, edges: tuple[Edge, ...] | None = None) -> Space:
    """The space with all its coarser ones; without `edges` that of the ring."""
    ring = ring_edges(q)
    edges = ring if edges is None else edges
    # Made outside of any trace, since it is kept.
    with jax.ensure_compile_time_eval():
        counts = mesostates(q, units)
        size = counts.shape[1]
        here = np.arange(size, dtype=np.int32)
        table = rank_table(q, units)
        neighbours = np.stack([_moved(counts, table, here, move) for move in moves(edges, q)])
        rotation = _rank(np.roll(counts, 1, axis=0), table) if edges == ring else None
        # All units beyond an edge: its forward hop has nobody to take.
        corners = np.eye(q, dtype=np.int64) * units
        empty = _rank(corners[:, [second for _, second in edges]], table)
        parent = children = coarse = None
        if size > DIRECT and units >= 4:
            coarse = space(q, units // 2, edges)
            parent, children = _cells(counts, here, coarse)
        return Space(
            q,
            units,
            edges,
            jnp.asarray(counts, jnp.int32),
            jnp.asarray(neighbours, jnp.int32),
            jnp.asarray(empty, jnp.int32),
            None if rotation is None else jnp.asarray(rotation, jnp.int32),
            None if parent is None else jnp.asarray(parent, jnp.int32),
            None if children is None else jnp.asarray(children, jnp.int32),
            coarse,
        )


def _rank(counts: np.ndarray, table: np.ndarray) -> np.ndarray:
    total, result = np.zeros(counts.shape[1], np.int64), np.zeros(counts.shape[1], np.int64)
    for j, row in enumerate(table):
        total = total + counts[j]
        result += row[total]
    return result.astype(np.int32)


def _moved(counts: np.ndarray, table: np.ndarray, here: np.ndarray, move: Move) -> np.ndarray:
    gains, loses = move
    possible = counts[loses] > 0
    after = np.where(possible, counts, 0)
    after[gains] += possible
    after[loses] -= possible
    return np.where(possible, _rank(after, table), here).astype(np.int32)


def _cells(counts: np.ndarray, here: np.ndarray, coarse: Space) -> tuple[np.ndarray, np.ndarray]:
    """The cell of every state, and the states of every cell, filled up with the number of states."""
    q = counts.shape[0]
    halves = counts // 2
    halves[q - 1] = coarse.units - halves[: q - 1].sum(axis=0)
    parent = _rank(halves, rank_table(q, coarse.units))
    corner = sum((counts[i] % 2) << i for i in range(q - 1))
    children = np.full((2 ** (q - 1), coarse.size), here.size, np.int32)
    children[corner, parent] = here
    return parent, children


def microscopic_links(q: int, each: np.ndarray) -> Links:
    """The hops of single units round a ring, from the state of every unit, (N, q^N)."""
    units, size = each.shape
    index = np.arange(size, dtype=np.int64)
    place = q ** np.arange(units, dtype=np.int64)[:, None]
    target = index + ((each + 1) % q - each) * place
    source = index + ((each - 1) % q - each) * place
    return Links(jnp.asarray(target, jnp.int32), jnp.asarray(source, jnp.int32))


def parities(q: int, move: Move) -> dict[tuple[int, int], PyTree]:
    """Which cell a move leads to, by whether the counts of its two states are odd: a move of cells, or None inside.

    The last state is not halved, and takes what the others do not show.
    """
    last = q - 1
    found: dict[tuple[int, int], PyTree] = {}
    for odd_gains, odd_loses in itertools.product((0, 1), repeat=2):
        gains = move[0] if move[0] != last and odd_gains else last
        loses = move[1] if move[1] != last and not odd_loses else last
        found[odd_gains, odd_loses] = None if gains == loses else (gains, loses)
    return found
