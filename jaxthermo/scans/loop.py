"""The chunks of a scan one after another, and what becomes of each."""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import jax
import numpy as np

from jaxthermo._status import Status
from jaxthermo.scans.axes import Axes
from jaxthermo.scans.compiled import Chunks, Running, fetched
from jaxthermo.scans.layout import Layout
from jaxthermo.scans.prepared import SHARED, Prepared
from jaxthermo.scans.stop import StopOnSignal
from jaxthermo.scans.store import Store
from jaxthermo.solve.progress import Line

# How often a process that is done looks whether the others are.
LOOK = 0.2
# How long it waits for one that has not been seen: processes of a run start together.
LATE = 120.0

Keep = Callable[[int, tuple[np.ndarray, ...], dict[str, Any]], None]


def run_chunks(
    chunks: Chunks, axes: Axes, layout: Layout, todo: list[int], keep: Keep, line: Line, log: Any, store: Any
) -> None:
    """Compute these chunks and hand each to `keep`, which works in the background while the next one is computed.

    `line` shows how far it is, and `log(event, chunk)` is told when one is begun and done. Trouble of `keep` is raised
    before another chunk is begun.
    """

    def finish(chunk: int, running: Running, seconds: float) -> tuple[int, dict[int, int], float]:
        results = fetched(running)
        counts = ended(results)
        keep(chunk, results, about(counts, seconds))
        log("done", chunk)
        return len(results[0]), counts, seconds

    progress = ScanProgress(line, axes.lanes, lanes_done(axes, layout, todo))
    with StopOnSignal() as stop, Writer(finish) as writer:

        def settle() -> None:
            kept = writer.wait()
            if kept is not None:
                progress.advance(*kept)

        for number, chunk in enumerate(todo):
            if stop.asked:
                settle()
                left = f"{len(todo) - number} of {layout.chunks} chunks are left"
                stop.obey(
                    f"scan stopped by SIGTERM: {left}" + (f"; run it again to go on with {store}" if store else "")
                )
            log("begin", chunk)
            begin = time.perf_counter()
            running = chunks.start(axes.columns(layout.lanes(chunk)), layout.parts(chunk))
            # While this one runs: the one before is kept, or there is no use in going on.
            settle()
            jax.block_until_ready(running.results)
            writer.hand(chunk, running, time.perf_counter() - begin)
        settle()


def ended(results: tuple[np.ndarray, ...]) -> dict[int, int]:
    """How many lanes of a chunk ended how, by the code of their status."""
    codes, counts = np.unique(results[0], return_counts=True)
    return {int(code): int(count) for code, count in zip(codes, counts, strict=True)}


def about(counts: dict[int, int], seconds: float) -> dict[str, Any]:
    """What the record of a chunk says beside its checksums."""
    return {"seconds": seconds, "status": {str(code): count for code, count in counts.items()}}


def lanes_done(axes: Axes, layout: Layout, todo: list[int]) -> int:
    """Lanes of all chunks but these."""
    regions = (layout.region(chunk) for chunk in todo)
    return axes.lanes - sum(math.prod(part.stop - part.start for part in region) for region in regions)


def wait_for_others(store: Store, todo: list[int]) -> None:
    """Wait until the other processes of a run have written these chunks.

    Raises     RuntimeError if one of them ended before it was done
    """
    others = {n for n in range(store.processes) if n != store.process}
    begin = time.monotonic()
    with StopOnSignal() as stop:
        while True:
            gone = {other for other in others if not store.lock_of(other).is_held()}
            # Looked at after the locks: what a process wrote before it ended counts.
            todo = [chunk for chunk in todo if not (store.is_recorded(chunk) and store.is_sound(chunk))]
            if not todo:
                return
            for other in gone & {chunk % store.processes for chunk in todo}:
                if store.was_here(other) or time.monotonic() > begin + LATE:
                    raise RuntimeError(
                        f"process {other} of {store.processes} ended early and {len(todo)} chunks are missing from "
                        f"{store.path}; what is there is kept, so run the scan again to go on"
                    )
            if stop.asked:
                stop.obey(f"scan stopped by SIGTERM while it waited for other processes; {store.path} is kept")
            time.sleep(LOOK)


class Writer:
    """Hands chunks to `keep`, one at a time, in a thread of its own; what was handed is kept whatever ends the block.

    `wait` for a chunk before the next is handed: so at most one is being written while one is computed.
    """

    def __init__(self, keep: Callable[..., Any]) -> None:
        self._keep = keep
        self._pool = ThreadPoolExecutor(1, "scan-writer")
        self._handed: Future[Any] | None = None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def hand(self, *chunk: Any) -> None:
        """Call `keep` with these arguments in the background."""
        self._handed = self._pool.submit(self._keep, *chunk)

    def wait(self) -> Any:
        """What `keep` returned for the chunk handed last, or raised; None if there is none."""
        handed, self._handed = self._handed, None
        return None if handed is None else handed.result()


class ScanProgress:
    """What is told of a scan's chunks on its line."""

    def __init__(self, line: Line, lanes: int, done: int) -> None:
        self._advance = line.counter(lanes, "lanes", done)
        self._counts = dict.fromkeys(Status, 0)

    def advance(self, lanes: int, counts: dict[int, int], seconds: float) -> None:
        """Count the lanes of one chunk, by status."""
        for code, count in counts.items():
            self._counts[Status(code)] += count
        rate = [f"{lanes / seconds:.3g}/s"] if seconds > 0 else []
        failed = [f"{n} {status.word}" for status, n in self._counts.items() if n and status is not Status.ok]
        self._advance(lanes, "".join(f", {word}" for word in rate + failed))


class Here:
    """Computes the chunks of a scan on this process's devices; compiled once."""

    def __init__(self, prepared: Prepared, line: Line) -> None:
        self.prepared, self._line = prepared, line
        self._chunks: Chunks | None = None
        # Processes of one run have shares to compute.
        self.fewest = 1 if jax.process_count() == 1 else SHARED

    def ready(self, layout: Layout) -> Chunks:
        """The program of a part, compiled."""
        if self._chunks is None:
            self._line.tell("compiling")
            self._chunks = self.prepared.compiled(layout)
        self._chunks.compile()
        return self._chunks

    def costs(self, layout: Layout, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        """What these lanes cost."""
        where, chunks = self.prepared.traced.cost, self.ready(layout)
        assert where is not None
        return chunks.run(columns)[where]

    def seconds(self, layout: Layout, parts: list[tuple[np.ndarray, ...]]) -> list[float]:
        """How long each of these parts takes; what was computed is kept for the chunks that they belong to."""
        chunks = self.ready(layout)
        return [chunks.seconds(part) for part in parts]

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
