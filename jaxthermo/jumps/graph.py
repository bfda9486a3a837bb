"""Graphs of states: edges and labels as users give them, checked, and how values go along them."""

import operator
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

Edge = tuple[int, int]


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


def taken(x: Array, index: tuple[int, ...]) -> Array:
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
