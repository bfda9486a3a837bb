"""What a worker of a cluster does: it makes a scan's program once, then computes chunks and writes them."""

import contextlib
import hashlib
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxthermo.cache import enable_cache, fingerprint
from jaxthermo.scans.axes import Axes
from jaxthermo.scans.compiled import Chunks
from jaxthermo.scans.files import StoreError
from jaxthermo.scans.loop import about, ended
from jaxthermo.scans.manifest import identity, require_same
from jaxthermo.scans.prepared import Prepared
from jaxthermo.scans.store import Store
from jaxthermo.scans.traced import trace

# Settings of jax that decide what a program computes; a worker takes those of the process that began the scan.
DECISIVE = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
)
# Scans that a worker remembers; more than one where several run on one cluster.
REMEMBERED = 4


class Job(NamedTuple):
    """A scan on its way to the workers: its function, pickled, and what else decides the program of a chunk.

    `cache` is the folder of compiled programs, if there is one; `name` a hash of all else.
    """

    name: str
    function: bytes
    axes: Axes
    settings: dict[str, Any]
    precision: str | None
    cache: str | None


def job_of(prepared: Prepared) -> Job:
    """The scan as a job.

    Raises     ValueError if the function cannot travel
    """
    import cloudpickle

    try:
        function = cloudpickle.dumps(prepared.function)
    except Exception as error:
        # Whatever the objects that the function closes over raise.
        raise ValueError(f"`function` must be picklable to travel to the workers of `client`, but: {error}") from error
    settings = {name: getattr(jax.config, name) for name in DECISIVE}
    precision = prepared.traced.precision
    said = repr((settings, precision, prepared.axes.groups)).encode()
    said += b"".join(prepared.axes.values[name].tobytes() for name in prepared.axes.names)
    return Job(hashlib.sha256(function + said).hexdigest(), function, prepared.axes, settings, precision, _cache())


def _cache() -> str | None:
    """The folder of compiled programs, above the one that is for this processor only."""
    folder = getattr(jax.config, "jax_compilation_cache_dir", None)
    if not folder:
        return None
    path = Path(folder)
    return str(path.parent if path.name == fingerprint() else path)


class _Ready:
    """A job in this process: traced, and compiled for each width of parts and store that it is asked for."""

    def __init__(self, job: Job) -> None:
        import cloudpickle

        for name, value in job.settings.items():
            if getattr(jax.config, name) != value:
                jax.config.update(name, value)
        if job.cache is not None and not getattr(jax.config, "jax_compilation_cache_dir", None):
            # Without it each worker compiles for itself, which costs time only.
            with contextlib.suppress(ValueError):
                enable_cache(job.cache)
        function = cloudpickle.loads(job.function)
        self.axes, self.traced = job.axes, trace(function, job.axes.names, job.precision)
        self._programs: dict[int, Chunks] = {}
        self._stores: dict[str, Store] = {}

    def program(self, width: int) -> Chunks:
        """For parts of this width, on all devices of this worker."""
        if width not in self._programs:
            self._programs[width] = Chunks(self.traced, width, jax.local_devices())
        return self._programs[width]

    def store(self, path: str, run: str) -> Store:
        """The store of one run, joined once; it must hold this very scan, as this worker understands it."""
        if run not in self._stores:
            store = Store(Path(path), who=f"{socket.gethostname()}-{os.getpid()}")
            manifest = store.join(run)
            require_same(manifest["identity"], identity(self.traced, self.axes), path)
            self._stores = {run: store}
        return self._stores[run]


_READY: dict[str, _Ready] = {}
# One chunk at a time in each process, since it uses all of its devices; writing needs none.
_BUSY = threading.Lock()


def _ready(job: Job) -> _Ready:
    if job.name not in _READY:
        while len(_READY) >= REMEMBERED:
            del _READY[next(iter(_READY))]
        _READY[job.name] = _Ready(job)
    return _READY[job.name]


def costs(columns: tuple[np.ndarray, ...], job: Job, width: int) -> np.ndarray:
    """What these lanes cost, each of them."""
    with _BUSY:
        ready = _ready(job)
        where = ready.traced.cost
        assert where is not None
        return ready.program(width).run(columns)[where]


def seconds(columns: tuple[np.ndarray, ...], job: Job, width: int) -> float:
    """How long these lanes take, one part, once compiled."""
    with _BUSY:
        program = _ready(job).program(width)
        program.compile()
        begin = time.perf_counter()
        program.run(columns)
        return time.perf_counter() - begin


def compute(chunk: int, job: Job, path: str, run: str) -> tuple[int, dict[int, int], float]:
    """Compute a chunk and write it, unless it is there already; how many lanes, how they ended, and the seconds.

    Raises     StoreError if another run has taken over the store, or it is not to be seen from here
    """
    with _BUSY:
        ready = _ready(job)
        store = ready.store(path, run)
        store.fence.require()
        # A worker that was taken for lost may have written it.
        results = None
        if not store.is_sound(chunk):
            program = ready.program(store.layout.width)
            program.compile()
            store.log("begin", chunk)
            begin = time.perf_counter()
            results = program.run(ready.axes.columns(store.layout.lanes(chunk)), store.layout.parts(chunk))
            taken = time.perf_counter() - begin
    if results is not None:
        store.write(chunk, results, about(ended(results), taken))
        store.log("done", chunk)
    record = store.record(chunk)
    if record is None:
        raise StoreError(f"`store` {path} has lost chunk {chunk}, which was just written")
    counts = {int(code): count for code, count in record["status"].items()}
    return sum(counts.values()), counts, record["seconds"]
