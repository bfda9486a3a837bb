"""The end of many trajectories: a step size for each lane, lanes last in memory, in blocks that a cache holds.

A vmapped diffrax solve keeps all lanes until the slowest is done, and has lanes first, so that exponentials of a small
system are not vectorised. Here a block is done when its own slowest lane is, and blocks run beside each other.
"""

import os
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from jaxthermo._types import Real
from jaxthermo.solve.explicit import Scheme, follow, scheme_of
from jaxthermo.solve.integrate import VectorField, integrate, status_of, unreached_as_nan
from jaxthermo.solve.lanes_last import along_lanes

# Lanes of a block. On a processor their stages stay in the second-level cache; an accelerator wants all at once.
BLOCK, BLOCK_ACCELERATOR = 128, 1 << 20
# Blocks that a processor computes at the same time. Each is compiled by itself.
MOST_THREADS = 4

Settings = dict[str, Any]
End = tuple[PyTree, Int[Array, "*lanes"], Int[Array, "*lanes"]]


def final_state(
    field: VectorField,
    y: PyTree,
    args: PyTree,
    t0: Real,
    t1: Real,
    *,
    rtol: float | Array,
    atol: float | Array,
    max_steps: int,
    solver: diffrax.AbstractSolver | None = None,
) -> End:
    """The state at t1 > t0, NaN where it is not reached, the status and the number of steps.

    One lane is solved by diffrax; under vmap lanes share loops of our own, by the same scheme and the same control of
    steps, if the solver is an explicit one whose last stage is the first of the next step. `field` must not close over
    arrays that JAX is tracing. Not to be differentiated.
    """
    arrays, static = eqx.partition((y, args, t0, t1, rtol, atol), eqx.is_array)
    leaves, tree = jax.tree.flatten(arrays)
    scheme = scheme_of(diffrax.Dopri8() if solver is None else solver)

    def split(leaves: list[Array]) -> PyTree:
        return eqx.combine(jax.tree.unflatten(tree, leaves), static)

    def one(leaves: list[Array]) -> End:
        y, args, t0, t1, rtol, atol = split(leaves)
        limits: Settings = {"rtol": rtol, "atol": atol, "max_steps": max_steps}
        times: Settings = {"t0": t0, "t1": t1, "saveat": diffrax.SaveAt(t1=True)}
        solution = integrate(field, y, args, solver=solver, **times, **limits)
        end = jax.tree.map(lambda leaf: unreached_as_nan(leaf[0]), solution.ys)
        return end, status_of(solution), solution.stats["num_steps"]

    if scheme is None:
        return one(leaves)
    kept: Scheme = scheme

    def block(batched: list[bool], leaves: list[Array]) -> End:
        """Lanes along the last axis of those that are batched."""
        lanes = next(leaf.shape[-1] for leaf, own in zip(leaves, batched, strict=True) if own)
        spread = [leaf if own else _repeated(leaf, lanes) for leaf, own in zip(leaves, batched, strict=True)]
        y, _, t0, t1, _, _ = split(spread)
        _, args, _, _, rtol, atol = split(leaves)
        # What all lanes share stays one number in the field.
        numbers, fixed = eqx.partition(args, eqx.is_array)
        own = jax.tree.leaves(jax.tree.unflatten(tree, batched)[1])
        on_host = jax.default_backend() == "cpu"

        def single(t: Array, y: PyTree, numbers: PyTree) -> PyTree:
            return field(t, y, eqx.combine(numbers, fixed))

        def many(t: Array, y: PyTree, going: Array) -> PyTree:
            of_lanes = [True] * (1 + len(jax.tree.leaves(y))) + own
            return along_lanes(single, (t, y, numbers), of_lanes, going if on_host else None)

        return follow(many, y, t0, t1, kept, rtol=rtol, atol=atol, max_steps=max_steps)

    @jax.custom_batching.custom_vmap
    def alone(leaves: list[Array]) -> End:
        return one(leaves)

    @alone.def_vmap
    def _(size: int, batched: list[list[bool]], leaves: list[Array]) -> tuple[End, PyTree]:
        return _all_true(in_blocks(block, size, batched[0], leaves))

    return alone(leaves)


def in_blocks(
    block: Callable[[list[bool], list[Array]], PyTree], size: int, batched: list[bool], leaves: list[Array]
) -> PyTree:
    """block(batched, leaves) over `size` lanes, which stand first in those leaves that are batched and in the result.

    `block` has its lanes last, in what it is given and in what it returns. A vmap around this makes more lanes.
    """

    @jax.custom_batching.custom_vmap
    def many(leaves: list[Array]) -> PyTree:
        return _blockwise(block, size, batched, leaves)

    @many.def_vmap
    def _(outer: int, again: list[list[bool]], leaves: list[Array]) -> tuple[PyTree, PyTree]:
        def flat(leaf: Array, inner: bool, own: bool) -> Array:
            if not (inner or own):
                return leaf
            rest = leaf.shape[inner + own :]
            if not inner:
                leaf = leaf[:, None]
            return jnp.broadcast_to(leaf, (outer, size, *rest)).reshape(outer * size, *rest)

        all_lanes = [flat(*each) for each in zip(leaves, batched, again[0], strict=True)]
        either = [a or b for a, b in zip(batched, again[0], strict=True)]
        done = in_blocks(block, outer * size, either, all_lanes)
        return _all_true(jax.tree.map(lambda leaf: leaf.reshape(outer, size, *leaf.shape[1:]), done))

    return many(leaves)


def _blockwise(
    block: Callable[[list[bool], list[Array]], PyTree], size: int, batched: list[bool], leaves: list[Array]
) -> PyTree:
    on_host = jax.default_backend() == "cpu"
    count = -(-size // (BLOCK if on_host else BLOCK_ACCELERATOR))
    threads = min(count, os.cpu_count() or 1, MOST_THREADS) if on_host else 1
    rounds = -(-count // threads)
    width = -(-size // (rounds * threads))
    # Blocks that are too many repeat the last lane.
    index = np.minimum(np.arange(rounds * threads * width), size - 1)

    def laid_out(leaf: Array) -> Array:
        filled = leaf if len(index) == size else leaf[index]
        return filled.reshape(rounds, threads, width, *leaf.shape[1:])

    lanes = [laid_out(leaf) for leaf, own in zip(leaves, batched, strict=True) if own]

    def one(lanes: list[Array]) -> PyTree:
        own = iter(lanes)
        mixed = [jnp.moveaxis(next(own), 0, -1) if b else leaf for leaf, b in zip(leaves, batched, strict=True)]
        return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), block(batched, mixed))

    # Neighbours cost alike, so each thread takes every so many-th block.
    done = [jax.lax.map(one, [leaf[:, thread] for leaf in lanes]) for thread in range(threads)]
    whole = jax.tree.map(lambda *parts: jnp.stack(parts, 1).reshape(-1, *parts[0].shape[2:])[:size], *done)
    return whole


def _repeated(leaf: Array, lanes: int) -> Array:
    return jnp.broadcast_to(leaf[..., None], (*leaf.shape, lanes))


def _all_true(tree: PyTree) -> tuple[PyTree, PyTree]:
    """A tree, and that all of it has lanes."""
    return tree, jax.tree.map(lambda _: True, tree)
