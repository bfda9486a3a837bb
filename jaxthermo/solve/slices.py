"""Long loops in slices, between which Python can be interrupted."""

import time
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from jaxthermo.solve.lean import is_traced

Carry = TypeVar("Carry")

# Steps of the first slice, where nobody asks for others, and seconds that the next ones are to take.
FIRST, SECONDS = 64, 1.0
# A slice may take twice as long as the last, and no more, since a step may not always take as long.
GROWTH = 2


def in_slices(
    advance: Callable[[Carry, Int[Array, ""]], Carry],
    carry: Carry,
    unfinished: Callable[[Carry], bool | Bool[Array, ""]],
    first: int = FIRST,
    given: PyTree = None,
) -> Carry:
    """advance(carry, steps) over and over until nothing is unfinished, with as many steps as take about a second.

    `advance` makes at most so many steps, of a compiled loop bounded by this number. Each slice is waited for, so
    that an interrupt of the thread which calls this leaves nothing to compute on; Python interrupts only its main one.
    Under a jax transformation of the carry, or of what `advance` and `unfinished` are `given`, all is one slice.
    """
    if is_traced((carry, given)):
        return advance(carry, jnp.asarray(jnp.iinfo(jnp.int32).max, jnp.int32))
    steps = first
    while True:
        begin = time.perf_counter()
        carry = jax.block_until_ready(advance(carry, jnp.asarray(steps, jnp.int32)))
        if not bool(unfinished(carry)):
            return carry
        took = time.perf_counter() - begin
        steps = steps * GROWTH if took < 0.5 * SECONDS else max(1, steps // GROWTH) if took > SECONDS else steps
