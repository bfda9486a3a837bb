"""One function over many lanes: vmapped inside chunks, chunks over threads, one compilation; or lane after lane."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from jaxthermo.solve.lean import is_traced

Progress = Callable[[int], None]

# A vmapped adaptive loop runs to its slowest lane, so a processor gets neighbours of like cost in small chunks. An
# accelerator takes about as long for 16 lanes as for thousands.
CHUNK, CHUNK_ACCELERATOR = 16, 65536


def usual_chunk(lanes: int, host: int = CHUNK) -> int:
    """Lanes of a chunk where nobody asks for others: `host` on a CPU, else a power of two that holds all, or a cap."""
    return host if jax.default_backend() == "cpu" else min(CHUNK_ACCELERATOR, 1 << (lanes - 1).bit_length())


def map_lanes(
    vectorised: Callable[..., PyTree],
    *lanes: PyTree,
    chunk: int | None = None,
    advance: Progress | None = None,
    given: PyTree = None,
) -> PyTree:
    """vectorised(*lanes) chunk by chunk, as a pytree of NumPy arrays in the same order.

    `vectorised` is a jitted, vmapped function; it sees chunks of one length only, so it is compiled once, and once for
    all calls with the same function and chunk. Without `chunk` it is `usual_chunk`.
    Shapes     every leaf of `lanes` has the same leading axis; so has every leaf of the result
    Raises     ValueError if the leading axes differ or are empty

    `advance(count)` is called, from any thread, when `count` more lanes are done. An interrupt ends the call at once,
    except in the first chunk, which compiles; the chunks that run then end by themselves, at most one for each core.
    Under a jax transformation of the lanes, or of what `vectorised` is `given`, all lanes are one chunk, and the result
    holds what jax traces.
    """
    counts = {np.shape(leaf)[0] for leaf in jax.tree.leaves(lanes)}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"`lanes` must share one non-empty leading axis, but have lengths {sorted(counts)}")
    total = counts.pop()
    if is_traced((lanes, given)):
        return vectorised(*lanes)
    length = usual_chunk(total) if chunk is None else chunk

    def run(first: int) -> PyTree:
        result = jax.tree.map(np.asarray, vectorised(*_block(lanes, first, length, total)))
        if advance is not None:
            advance(min(length, total - first))
        return result

    # The first block compiles; the others then run side by side, since XLA releases the interpreter while it runs and
    # one chunk of a small system keeps one core busy.
    results = [run(0)]
    pool = ThreadPoolExecutor(os.cpu_count() if jax.default_backend() == "cpu" else 1)
    try:
        results += pool.map(run, range(length, total, length))
    except RuntimeError as error:
        # So comes out an interrupt that hits a lock of the pool while it is let go.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        # A running chunk cannot be stopped, but an interrupt need not wait for it. Those behind it never start.
        pool.shutdown(wait=False, cancel_futures=True)
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:total], *results)


def _block(lanes: PyTree, first: int, chunk: int, total: int) -> PyTree:
    """One chunk; the last is filled up by repeating its last lane, which costs no extra steps."""
    index = np.minimum(np.arange(first, first + chunk), total - 1)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[index], lanes)


def one_by_one(function: Callable[..., PyTree], *args: PyTree) -> PyTree:
    """function(*args), where a vmap around it becomes a loop over its lanes.

    An iterative solve then stops at its own lane's end, and its matrix products stay plain ones, which a CPU does
    faster than batches of small ones. Not to be differentiated: put it inside a rule such as `custom_linear_solve`.
    Shapes     args: trees of arrays and of anything else, which is static
    """
    arrays, static = eqx.partition(args, eqx.is_array)

    @jax.custom_batching.sequential_vmap
    def alone(arrays: PyTree) -> PyTree:
        return function(*eqx.combine(arrays, static))

    return alone(arrays)
