"""Searches in rounds on the host: each is short, so that Ctrl-C stops a search, and progress can be shown."""

import time
from collections.abc import Callable
from typing import Any

import jax

# A round should take no longer than this, in seconds; and so many turns more or less than the last one.
ROUND, FACTOR = 1.0, 4


def in_rounds(
    advance: Callable[[Any, int], Any],
    now: Any,
    going: Callable[[Any], bool],
    clock: Callable[[], float] = time.perf_counter,
) -> Any:
    """`advance(now, turns)` again and again while `going`, with as many turns as fit into a round."""
    turns = 1
    while going(now):
        begin = clock()
        now = jax.block_until_ready(advance(now, turns))
        spent = clock() - begin
        if spent < ROUND / FACTOR:
            turns *= FACTOR
        elif spent > ROUND:
            # The first round compiles; one turn is the least.
            turns = max(1, turns // FACTOR)
    return now
