"""Graphs of states: edges and labels, how values go along them, spanning trees and the cycles of the other hops."""

import operator
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from jaxthermo.solve.lean import brief_jit

Edge = tuple[int, int]

Integers = Int[np.ndarray, " n"]
# The same where a compiled function may see them too.
Places = Int[Array, " n"] | Integers


def checked_edges(edges: ArrayLike | Sequence[Edge], q: int) -> tuple[Edge, ...]:
    """Edges between q states, or a ValueError unless they connect all of them."""
    pairs = _integers("edges", edges)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(f"`edges` must have shape (E, 2) with E >= 1, but has shape {pairs.shape}")
    strange = sorted({int(state) for state in pairs.ravel() if not 0 <= state < q})
    if strange:
        raise ValueError(f"`edges` must join states 0..{q - 1}, but name {strange}")
    loops = sorted({int(first) for first, second in pairs if first == second})
    if loops:
        raise ValueError(f"`edges` must join different states, but there are edges from {loops} to themselves")
    joined = tuple((int(first), int(second)) for first, second in pairs)
    missing = set(range(q)) - _reached(joined)
    if missing:
        raise ValueError(f"`edges` must connect all states, but none leads from state 0 to {sorted(missing)}")
    return joined


def _reached(edges: tuple[Edge, ...]) -> set[int]:
    """States that hops reach from state 0."""
    reached, size = {0}, 0
    while len(reached) > size:
        size = len(reached)
        reached |= {state for edge in edges if reached & set(edge) for state in edge}
    return reached


def checked_labels(reservoirs: ArrayLike | Sequence[int], edges: int) -> tuple[int, ...]:
    """The reservoir of each edge, or a ValueError unless they are numbered without gaps."""
    labels = _integers("reservoirs", reservoirs)
    if labels.shape != (edges,):
        raise ValueError(f"`reservoirs` must have shape ({edges},), one for each edge, but has shape {labels.shape}")
    names = sorted(set(labels.tolist()))
    if names != list(range(len(names))):
        raise ValueError(f"`reservoirs` must be numbered 0, 1, .. without gaps, but are {names}")
    return tuple(int(label) for label in labels)


def _integers(name: str, values: ArrayLike | Sequence[int] | Sequence[Edge]) -> np.ndarray:
    try:
        table = np.asarray(values)
        whole = [operator.index(value) for value in table.ravel().tolist()]
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must be integers, but is {values!r}") from None
    if table.dtype == bool:
        raise ValueError(f"`{name}` must be integers, but is {values!r}")
    return np.asarray(whole, np.int64).reshape(table.shape)


def take_rows(x: Array, index: tuple[int, ...]) -> Array:
    """x[index] along the first axis; where the index goes once round all of x, as on a ring, a rotation or x itself."""
    if is_cyclic(index, x.shape[0]):
        return rotated(x, -index[0])
    return jnp.take(x, np.asarray(index, np.int32), axis=0, mode="clip")


def rotated(x: Array, steps: int) -> Array:
    """x turned by so many steps along the first axis."""
    return jnp.roll(x, steps, axis=0) if steps else x


def is_cyclic(index: tuple[int, ...], size: int) -> bool:
    """Whether the index counts once through 0..size-1 in cyclic order."""
    return len(index) == size and all(k == (index[0] + step) % size for step, k in enumerate(index))


def incidence(edges: tuple[Edge, ...], q: int) -> np.ndarray:
    """(q, E): +1 where an edge ends, -1 where it starts."""
    matrix = np.zeros((q, len(edges)))
    for number, (first, second) in enumerate(edges):
        matrix[second, number] += 1.0
        matrix[first, number] -= 1.0
    return matrix


class Tree(NamedTuple):
    """How each state is reached from state 0: by `hop` from `parent`, along it (`sign` 1) or against it (-1).

    State 0 is its own parent, with sign 0. `chords` are the hops outside the tree; each closes one cycle.
    """

    parent: Integers
    hop: Integers
    sign: Integers
    depth: Integers
    chords: Integers


def spanning_tree(first: Integers, second: Integers, n: int) -> Tree:
    """The tree of shortest ways, by hops between n states that they connect."""
    parent, hop, sign = np.arange(n), np.zeros(n, int), np.zeros(n, int)
    depth = np.where(np.arange(n) == 0, 0, -1)
    level = 0
    while (depth < 0).any():
        level += 1
        for start, end, way in ((first, second, 1), (second, first, -1)):
            leading = np.flatnonzero((depth[start] == level - 1) & (depth[end] < 0))
            states, at = np.unique(end[leading], return_index=True)
            depth[states], hop[states], sign[states] = level, leading[at], way
            parent[states] = start[leading[at]]
    chords = np.setdiff1d(np.arange(len(first)), hop[1:])
    return Tree(parent, hop, sign, depth, chords)


def windings(tree: Tree, first: Integers, second: Integers, kinds: Integers, count: int) -> Float[np.ndarray, "c k"]:
    """How often each cycle goes along hops of each kind 0..count-1, less how often against them."""
    ways = np.zeros((len(tree.parent), count))
    for level in range(1, tree.depth.max() + 1):
        states = np.flatnonzero(tree.depth == level)
        ways[states] = ways[tree.parent[states]]
        ways[states, kinds[tree.hop[states]]] += tree.sign[states]
    found = ways[first[tree.chords]] - ways[second[tree.chords]]
    found[np.arange(len(tree.chords)), kinds[tree.chords]] += 1.0
    return found


def round_cycles(values: Float[Array, " hops"], tree: Tree, first: Integers, second: Integers) -> Float[Array, " c"]:
    """Sums of values of hops round the cycle of each chord: along the chord, and home through the tree."""
    return _round(values, tree, first[tree.chords], second[tree.chords], int(tree.depth.max()))


@brief_jit
def _round(values: Array, tree: Tree, first: Places, second: Places, deepest: int) -> Array:
    """The same from the states that chords join."""
    steps = tree.sign.astype(values.dtype) * values[tree.hop]

    def deeper(level: Array, sums: Array) -> Array:
        return jnp.where(tree.depth == level.astype(tree.depth.dtype), sums[tree.parent] + steps, sums)

    sums = jax.lax.fori_loop(1, deepest + 1, deeper, jnp.zeros_like(steps))
    return values[tree.chords] + sums[first] - sums[second]
