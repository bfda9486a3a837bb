"""Long searches as short calls from the host, so that Ctrl-C stops a search, and progress can be shown."""

import time
from collections.abc import Callable
from typing import TypeVar

import jax

State = TypeVar("State")

# A call should take no longer than this, in seconds; and do so many times more or less than the last one.
LONGEST, FACTOR = 1.0, 4


def in_rounds(
    advance: Callable[[State, int], State],
    state: State,
    going: Callable[[State], bool],
    clock: Callable[[], float] = time.perf_counter,
) -> State:
    """`advance(state, evaluations)` again and again while `going`, with as many evaluations as fit into a call."""
    evaluations = 1
    while going(state):
        begin = clock()
        state = jax.block_until_ready(advance(state, evaluations))
        spent = clock() - begin
        if spent < LONGEST / FACTOR:
            evaluations *= FACTOR
        elif spent > LONGEST:
            # The first call compiles; one evaluation is the least.
            evaluations = max(1, evaluations // FACTOR)
    return state
