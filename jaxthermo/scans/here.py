"""Chunks computed by this process, one after another."""

from typing import Any

import numpy as np

from jaxthermo.scans.compiled import Chunks
from jaxthermo.scans.layout import Layout
from jaxthermo.scans.loop import Keep, run_chunks, wait_for_others
from jaxthermo.scans.prepared import Prepared, slices
from jaxthermo.scans.store import Store
from jaxthermo.solve.progress import Line


class Here:
    """Computes the chunks of a scan on this process's devices; compiled once."""

    def __init__(self, prepared: Prepared, line: Line) -> None:
        self.prepared, self._line = prepared, line
        self._chunks: Chunks | None = None

    def ready(self, layout: Layout) -> Chunks:
        """The program of a chunk, compiled."""
        if self._chunks is None:
            self._line.tell("compiling")
            self._chunks = self.prepared.compiled(layout)
        self._chunks.compile()
        return self._chunks

    def costs(self, layout: Layout, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        """What these lanes cost."""
        where, chunks = self.prepared.traced.cost, self.ready(layout)
        assert where is not None
        return np.concatenate([chunks.run(part)[where] for part in slices(columns, layout.width)])

    def run(self, layout: Layout, todo: list[int], keep: Keep, log: Any = None, store: Any = None) -> None:
        """Compute these chunks and hand each to `keep`."""
        log = log or (lambda event, chunk: None)
        run_chunks(self.ready(layout), self.prepared.axes, layout, todo, keep, self._line, log, store)

    def fill(self, store: Store, todo: list[int]) -> None:
        """Compute this process's share of the missing chunks into the store, and wait for the others'."""
        mine = [chunk for chunk in todo if chunk % store.processes == store.process]
        for chunk in mine:
            store.forget(chunk)
        if mine:
            self.run(store.layout, mine, store.write, store.log, store.path)
        if store.processes > 1:
            wait_for_others(store, todo)
