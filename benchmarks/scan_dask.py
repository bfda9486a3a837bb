"""What does a chunk cost as a task of a dask cluster, beyond what it costs one process?

Each of `CHUNKS` chunks squares two numbers, so that nothing is timed but the machinery: one process with a store, then
the workers of clusters on this machine, whose first scan, in which they compile, is not timed. `overhead_ms` is the
difference for each chunk. Workers write side by side, so with several of them it may be negative. `cpu_seconds` is that
of this process, of the scheduler and of the workers together.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import jaxthermo as jt

CHUNKS, WORKERS = 1000, (1, 2)


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each number of workers."""
    from distributed import Client, LocalCluster

    chunks = 50 if quick else CHUNKS
    with tempfile.TemporaryDirectory() as folder:
        _seconds(chunks, Path(folder) / "first")
        alone, alone_cpu = _seconds(chunks, Path(folder) / "alone")
        rows = []
        for workers in WORKERS[:1] if quick else WORKERS:
            settings: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": None}
            with LocalCluster(n_workers=workers, **settings) as cluster, Client(cluster) as client:
                _seconds(chunks, Path(folder) / f"first-{workers}", client)
                seconds, cpu = _seconds(chunks, Path(folder) / f"again-{workers}", client)
            rows.append(
                {
                    "workers": workers,
                    "chunks": chunks,
                    "seconds": seconds,
                    "cpu_seconds": cpu,
                    "alone_seconds": alone,
                    "alone_cpu_seconds": alone_cpu,
                    "overhead_ms": 1000.0 * (seconds - alone) / chunks,
                    "load": os.getloadavg()[0],
                }
            )
    return rows


def _seconds(chunks: int, store: Path, client: Any = None) -> tuple[float, float]:
    """Of one scan, by the clock and in time of the processor, that of its workers included."""
    begin, begin_cpu = time.perf_counter(), _cpu()
    jt.scan(lambda a: a * a, {"a": np.linspace(0.0, 1.0, 2 * chunks)}, chunk=2, store=store, client=client)
    return time.perf_counter() - begin, _cpu() - begin_cpu


def _cpu() -> float:
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in times)
