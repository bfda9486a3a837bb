"""Chunks as tasks of a `dask.distributed` cluster, whose workers write them into the one store."""

import contextlib
import pickle
import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np

from jaxthermo.scans.compiled import cut, in_turn
from jaxthermo.scans.files import StoreError
from jaxthermo.scans.layout import Layout
from jaxthermo.scans.loop import ScanProgress, lanes_done
from jaxthermo.scans.prepared import SHARED, Prepared
from jaxthermo.scans.stop import StopOnSignal
from jaxthermo.scans.store import Store
from jaxthermo.scans.worker import compute, costs, job_of, seconds
from jaxthermo.solve.progress import Line

# How often the process that waits for the workers looks whether it was asked to stop.
LOOK = 0.2
# How long a file of a worker may take to be seen here: systems of files on a network remember what is not there.
SEEN = 120.0


@runtime_checkable
class TaskClient(Protocol):
    """What a scan needs of `dask.distributed.Client`."""

    def submit(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """One task."""

    def map(self, func: Any, *iterables: Any, **kwargs: Any) -> Any:
        """Many tasks."""

    def gather(self, futures: Any) -> Any:
        """Their results."""

    def cancel(self, futures: Any) -> Any:
        """Tasks that are not wanted any more."""


def require_client(client: object) -> None:
    """Raise a ValueError unless this is a client that waits for its answers."""
    if not isinstance(client, TaskClient) or getattr(client, "asynchronous", False):
        raise ValueError(f"`client` must be a dask.distributed.Client that is not asynchronous, but is {client!r}")


class Cluster:
    """Computes the chunks of a scan on the workers of `client`."""

    fewest = SHARED

    def __init__(self, client: TaskClient, prepared: Prepared, line: Line) -> None:
        self.client, self.prepared, self._line = client, prepared, line
        # As a task of its own, whose result each worker asks for once, and which is run again where its worker is lost.
        self._job = client.submit(pickle.loads, pickle.dumps(job_of(prepared)), pure=False)

    def ready(self, layout: Layout) -> None:
        """Nothing: each worker compiles for itself, once."""

    def costs(self, layout: Layout, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        """What these lanes cost, tried by the workers."""
        parts = cut(columns, in_turn(len(columns[0]), layout.width))
        with _told("nothing is written yet"):
            tried = self.client.map(costs, parts, job=self._job, width=layout.width, pure=False)
            return np.concatenate(self.client.gather(tried))

    def seconds(self, layout: Layout, parts: list[tuple[np.ndarray, ...]]) -> list[float]:
        """How long each of these parts takes a worker."""
        with _told("nothing is written yet"):
            timed = self.client.map(seconds, parts, job=self._job, width=layout.width, pure=False)
            return list(self.client.gather(timed))

    def fill(self, store: Store, todo: list[int]) -> None:
        """Have these chunks computed and written.

        Raises     RuntimeError where the cluster is gone, or a chunk ends each worker that it is given to; what a
                   chunk itself raises. All that was written is kept, and no further chunk is begun
        """
        for chunk in todo:
            store.forget(chunk)
        begun = lanes_done(self.prepared.axes, store.layout, todo)
        kept = f"what is written is kept, so run it again to go on with {store.path}"
        progress = ScanProgress(self._line, self.prepared.axes.lanes, begun)
        with StopOnSignal() as stop, _told(kept):
            running = _Running(self.client, self._tasks(store, todo), todo)
            try:
                while running.chunk_of:
                    for done in running.some():
                        progress.advance(*done)
                    if stop.asked and running.chunk_of:
                        left = f"{len(running.chunk_of)} of {store.layout.chunks} chunks are left"
                        running.cancel()
                        stop.obey(f"scan stopped by SIGTERM: {left}; run it again to go on with {store.path}")
            except BaseException:
                running.cancel()
                raise
        _require_all(store, todo)

    def _tasks(self, store: Store, todo: list[int]) -> list[Any]:
        """One for each chunk, which the dashboard shows together."""
        given = {"job": self._job, "path": str(store.path.absolute()), "run": store.fence.run}
        keys = [(f"scan-{store.fence.run}", chunk) for chunk in todo]
        return list(self.client.map(compute, todo, key=keys, pure=False, **given))


class _Running:
    """Tasks of chunks, until all are done."""

    def __init__(self, client: TaskClient, futures: list[Any], todo: list[int]) -> None:
        self.client, self.futures = client, futures
        self.chunk_of = {future.key: chunk for future, chunk in zip(futures, todo, strict=True)}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for future in futures:
            future.add_done_callback(self._done.put)

    def some(self) -> list[tuple[int, dict[int, int], float]]:
        """What is known of the chunks that were done since, after a moment if there are none."""
        from distributed.comm.core import CommClosedError

        try:
            done = [self._done.get(timeout=LOOK)]
        except queue.Empty:
            return []
        while not self._done.empty():
            done.append(self._done.get())
        for future in done:
            if future.status == "error":
                raise _explained(future.exception(), self.chunk_of[future.key])
        try:
            found = self.client.gather(done)
        except CommClosedError:
            if not self._is_connected():
                raise
            # A connection that broke while the scheduler is there; a scheduler that is gone cancels all tasks.
            for future in done:
                self._done.put(future)
            return []
        for future in done:
            del self.chunk_of[future.key]
            future.release()
        return list(found)

    def _is_connected(self) -> bool:
        return getattr(self.client, "status", None) == "running"

    def cancel(self) -> None:
        """Begin no further chunk; those that are being computed are finished and kept."""
        if self._is_connected():
            with contextlib.suppress(Exception):
                self.client.cancel([future for future in self.futures if future.key in self.chunk_of])


def _explained(error: BaseException, chunk: int) -> BaseException:
    """The error of a task, with its chunk; one of the library about a chunk that no worker survives."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return RuntimeError(f"chunk {chunk} ended each worker it was given to, perhaps for lack of memory: {error}")
    error.add_note(f"in chunk {chunk}, on a worker of `client`")
    return error


@contextmanager
def _told(kept: str) -> Iterator[None]:
    """A cluster that is gone is one error, of a type that is not taken for trouble with the store.

    Raises     RuntimeError
    """
    from distributed import CancelledError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CancelledError, CommClosedError) as error:
        raise RuntimeError(f"the scheduler of `client` is gone, or its tasks were cancelled; {kept}") from error


def _require_all(store: Store, todo: list[int]) -> None:
    """Wait until the chunks that the workers wrote are seen here, whole.

    Raises     StoreError if they are not
    """
    end = time.monotonic() + SEEN
    while True:
        todo = [chunk for chunk in todo if not store.is_sound(chunk)]
        if not todo:
            return
        if time.monotonic() > end:
            raise StoreError(
                f"`store` {store.path} lacks {len(todo)} chunks that workers of `client` have written; "
                "it must be one folder that all of them see"
            )
        time.sleep(LOOK)
