"""Spanning trees of graphs, and the cycles that the other hops close."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Integers = Int[np.ndarray, " n"]


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
    steps = jnp.asarray(tree.sign, values.dtype) * values[tree.hop]
    parent, depth = jnp.asarray(tree.parent), jnp.asarray(tree.depth)

    def deeper(level: Array, sums: Array) -> Array:
        return jnp.where(depth == level.astype(depth.dtype), sums[parent] + steps, sums)

    sums = jax.lax.fori_loop(1, int(tree.depth.max()) + 1, deeper, jnp.zeros_like(steps))
    return values[tree.chords] + sums[first[tree.chords]] - sums[second[tree.chords]]
