"""Searches in rounds on the host: each is short, so that Ctrl-C stops a search, and tells how far it is."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import jax

# A round should take no longer than this, in seconds; and so many turns more or less than the last one.
ROUND, FACTOR = 1.0, 4


class Progress:
    """One line on standard error that is written over, where that is a terminal or `progress` is True."""

    def __init__(self, name: str, progress: bool | None = None) -> None:
        self._name = name
        self._shown = sys.stderr.isatty() if progress is None else progress
        self._width = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            print(file=sys.stderr, flush=True)

    def tell(self, text: str) -> None:
        """Write the line anew."""
        if self._shown:
            line = f"{self._name}: {text}"
            print(f"\r{line.ljust(self._width)}", end="", file=sys.stderr, flush=True)
            self._width = len(line)


def in_rounds(advance: Callable[[Any, int], Any], now: Any, going: Callable[[Any], bool]) -> Any:
    """`advance(now, turns)` again and again while `going`, with as many turns as fit into a round."""
    turns = 1
    while going(now):
        begin = time.perf_counter()
        now = jax.block_until_ready(advance(now, turns))
        spent = time.perf_counter() - begin
        if spent < ROUND / FACTOR:
            turns *= FACTOR
        elif spent > ROUND:
            # The first round compiles; one turn is the least.
            turns = max(1, turns // FACTOR)
    return now
