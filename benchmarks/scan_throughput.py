"""What does `jt.scan` cost over the bare vmapped function, in the same chunks, with a store on the disk?

The rings are 200 000 lanes (q = 5) over inverse temperature and force, each the work done up to `FINAL_TIME`, by the
library's adaptive `evolve`. The oscillators are 500 stationary Stirling cycles of a classical oscillator over
period and coupling strength, on a coarse grid (`GRID`) and with coarse steps. On an accelerator there are ten million
rings and 10 000 oscillators.

The peer is `jax.jit(jax.vmap(function))` over the columns of the same chunks, in the same parts, each in one call;
compiled before it is timed, its results taken to NumPy and thrown away. Scan and peer take turns,
`TURNS` times, and the median of each is quoted. The scan is timed from the begin of its first chunk to the record of
its last (arithmetic, writing, checksums, waiting for the disk); what it tries before, to group lanes and to see how
many a chunk may have, is added. `cpu_ratio` compares time of the processor, which means something on cores that others
use too, but leaves out the waiting; `load` is how many processes wanted to run in the last minute. `call_seconds` is
the whole call, with tracing, compilation and the dataset read back. `peak_bytes` is the largest resident size of the
process so far, compilers and all; `chunk_bytes` is what XLA planned for the lanes computed at a time, and per lane
`lane_bytes_planned`. `lane_bytes_said` is the estimate that decides how many lanes are computed at a time.
"""

import json
import math
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from benchmarks._bench import on_accelerator
from jaxthermo.scans.axes import Axes
from jaxthermo.scans.compiled import cut
from jaxthermo.scans.layout import Layout
from jaxthermo.scans.manifest import layout_from
from jaxthermo.scans.memory import bytes_per_lane
from jaxthermo.scans.prepared import prepare

FINAL_TIME, TOLERANCE = 10.0, 1e-6
# The rings' is what the library chooses.
OSCILLATOR_CHUNK, OSCILLATOR_CHUNK_ACCELERATOR = 100, 2500
# Odd, for a median.
TURNS = 5
GRID = (5.6, 0.4, 6.3, 0.7)


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for the rings, one for the oscillators; `ratio` is the scan's throughput over the bare one."""
    large = on_accelerator()
    rings, engines = ((64, 64), (8, 4)) if quick else ((4000, 2500), (100, 100)) if large else ((500, 400), (25, 20))
    chunk = min(OSCILLATOR_CHUNK_ACCELERATOR if large else OSCILLATOR_CHUNK, math.prod(engines))
    return [
        _row("Potts rings, q = 5", ring_work, ring_axes(*rings), None),
        _row("classical Stirling cycles", engine_work(), engine_axes(*engines), chunk),
    ]


def ring_work(beta: Any, force: Any) -> dict[str, Any]:
    """Work done on a ring up to the final time, from near P_1 = 1."""
    ring = jt.PottsRing(5, -1.0, force, 0.1)
    start = jnp.asarray([0.96, 0.01, 0.01, 0.01, 0.01])
    ends = jnp.asarray([0.0, FINAL_TIME])
    settings: dict[str, Any] = {"rtol": TOLERANCE, "atol": TOLERANCE, "max_steps": 4096, "solver": diffrax.Tsit5()}
    done = jt.potts.evolve(ring, beta, start, ends, **settings)
    return {"work": done.work[-1], "status": done.status, "steps": done.stats["steps"]}


def ring_axes(betas: int, forces: int) -> dict[str, np.ndarray]:
    """betas x forces lanes."""
    return {"beta": np.linspace(0.5, 5.0, betas), "force": np.linspace(0.1, 1.5, forces)}


def engine_work() -> Callable[..., Any]:
    """Work per stationary cycle."""
    potential = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])

    def cycle_work(strength: Any, period: Any) -> dict[str, Any]:
        particle = jt.classical_oscillator(potential, strength, jt.PhaseGrid(*GRID))
        done = jt.run_cycle(particle, jt.StirlingCycle(0.5, 1.0, 1.0, 0.5, period), points=3, steps=1)
        return {"work": done.work, "heat": done.heat, "steps": done.stats["cycles"]}

    return cycle_work


def engine_axes(periods: int, strengths: int) -> dict[str, np.ndarray]:
    """periods x strengths lanes."""
    return {"period": np.linspace(10.0, 30.0, periods), "strength": np.linspace(0.6, 1.4, strengths)}


def _row(name: str, function: Callable[..., Any], axes: dict[str, np.ndarray], chunk: int | None) -> dict[str, Any]:
    bare = jax.jit(jax.vmap(lambda *values: function(**dict(zip(axes, values, strict=True)))))
    prepared = prepare(function, axes, chunk, jax.local_devices())
    scans, scans_cpu, peers, peers_cpu, calls = [], [], [], [], []
    for _ in range(TURNS):
        store = Path(tempfile.mkdtemp()) / "scan.zarr"
        try:
            begin = time.perf_counter()
            data = jt.scan(function, axes, store=store, chunk=chunk)
            calls.append(time.perf_counter() - begin)
            peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            written = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
            record = json.loads((store / "scan_record" / "manifest.json").read_text())["layout"]
            wall, cpu = _span(store)
            scans.append(wall + record["trial_seconds"])
            scans_cpu.append(cpu)
        finally:
            shutil.rmtree(store.parent)
        layout = layout_from(record, prepared.axes.shape)
        if not peers:
            # The last chunk may have a length of its own, and so its parts.
            _bare_seconds(bare, prepared.axes, layout, range(0, layout.chunks, max(1, layout.chunks - 1)))
        wall, cpu = _bare_seconds(bare, prepared.axes, layout, range(layout.chunks))
        peers.append(wall)
        peers_cpu.append(cpu)
    seconds, bare_seconds = statistics.median(scans), statistics.median(peers)
    return {
        "case": name,
        "lanes": prepared.axes.lanes,
        "chunks": layout.chunks,
        "lanes_per_chunk": layout.size,
        "lanes_at_a_time": layout.width,
        "devices": len(prepared.devices),
        "bare_seconds": bare_seconds,
        "scan_seconds": seconds,
        "turns_bare_seconds": peers,
        "turns_scan_seconds": scans,
        "call_seconds": statistics.median(calls),
        "lanes_per_second": prepared.axes.lanes / seconds,
        "ratio": bare_seconds / seconds,
        "cpu_ratio": statistics.median(peers_cpu) / statistics.median(scans_cpu),
        "sick_lanes": int((data.status != 0).sum()),
        "steps_mean": float(data.steps.mean()),
        "steps_max": int(data.steps.max()),
        "chunk_bytes": prepared.compiled(layout).memory,
        "lane_bytes_said": bytes_per_lane(prepared.traced.program),
        "lane_bytes_planned": prepared.compiled(layout).memory / layout.width,
        "load": os.getloadavg()[0],
        "peak_bytes": peak,
        "store_bytes": written,
    }


def _bare_seconds(bare: Callable[..., Any], axes: Axes, layout: Layout, chunks: range) -> tuple[float, float]:
    begin, begin_cpu = time.perf_counter(), time.process_time()
    for chunk in chunks:
        for part in cut(axes.columns(layout.lanes(chunk)), layout.parts(chunk)):
            jax.tree.map(np.asarray, bare(*part))
    return time.perf_counter() - begin, time.process_time() - begin_cpu


def _span(store: Path) -> tuple[float, float]:
    """From the begin of the first chunk to the record of the last, by the clock and in time of the processor."""
    lines = (store / "scan_record" / "log-0.jsonl").read_text().splitlines()
    first, last = json.loads(lines[0]), json.loads(lines[-1])
    return last["time"] - first["time"], last["cpu"] - first["cpu"]
