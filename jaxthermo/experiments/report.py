"""Scans on the command line: what one will cost, how far one is, and what it looks like."""

import contextlib
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import xarray

from jaxthermo._status import Status
from jaxthermo.experiments import Experiment
from jaxthermo.scans.cluster import TaskClient
from jaxthermo.scans.files import StoreError
from jaxthermo.scans.labels import PENDING
from jaxthermo.scans.memory import available
from jaxthermo.scans.prepared import by_time, prepare
from jaxthermo.scans.run import scan
from jaxthermo.scans.store import Store
from jaxthermo.scans.template import RECORD

# Seconds that a scheduler may take to answer.
CONNECT = 30


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[TaskClient | None]:
    """A client of the dask scheduler at this address, or that wrote this file; None where none is named."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("`--dask` needs dask.distributed: pip install 'jaxthermo[dask]'") from None
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**where, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise OSError(f"no scheduler of dask answers at {address}: {error}") from None
    with client:
        yield client


def run_experiment(experiment: Experiment, resume: bool, client: TaskClient | None = None) -> str:
    """Run a scan into its store; a summary."""
    store = experiment.store
    if not resume and (store / RECORD).exists():
        raise StoreError(f"`store` {store} holds a scan already; go on with it by --resume, or name another in [scan]")
    found = _found(store)
    data = scan(
        experiment.function(),
        experiment.axes,
        store=store,
        chunk=experiment.chunk,
        precision=experiment.precision,
        client=client,
    )
    return f"{found}{_counted(data.status.values)}\nWritten to {store}"


def _found(path: Path) -> str:
    """How many chunks a store holds, as a line; none where there is no store, or a damaged one, which a scan mends."""
    store = Store(path)
    try:
        store.look()
    except (StoreError, OSError):
        return ""
    chunks = store.layout.chunks
    return f"{sum(map(store.is_recorded, range(chunks)))} of {chunks} chunks found in {path}\n"


def dry_run(experiment: Experiment) -> str:
    """What the scan will take, from some lanes computed for a trial; nothing is written."""
    prepared = prepare(experiment.function(), experiment.axes, experiment.chunk, precision=experiment.precision)
    layout = prepared.layout()
    chunks = prepared.compiled(layout)
    begin = time.perf_counter()
    memory = chunks.memory
    compiling = time.perf_counter() - begin
    begin = time.perf_counter()
    chunks.run(prepared.axes.columns(layout.lanes(layout.chunks // 2)))
    seconds = time.perf_counter() - begin
    total = seconds * layout.chunks
    layout = by_time(prepared, layout, lambda layout, parts: [seconds] * len(parts))
    disk = prepared.axes.lanes * sum(v.dtype.itemsize * math.prod(v.shape) for v in prepared.traced.variables)
    where = f"{len(prepared.devices)} {prepared.devices[0].device_kind} device(s)"
    return "\n".join(
        [
            f"lanes     {prepared.axes.lanes} ({' x '.join(map(str, prepared.axes.shape))})",
            f"chunks    {layout.chunks} of {layout.size} lanes, computed {layout.width} at a time, on {where}",
            f"memory    {_bytes(memory)} on each device while it computes; a scan plans with at most "
            f"{_bytes(available(prepared.devices))}",
            f"results   {_bytes(disk)}, before compression",
            f"time      about {_duration(total)}: {_duration(seconds)} for {layout.width} lanes in the middle, "
            f"after {_duration(compiling)} of compilation",
            f"store     {experiment.store}{' (exists)' if (experiment.store / RECORD).exists() else ''}",
        ]
    )


def plan_to_show(path: Path) -> str:
    """What `show` will read, and how long that takes, as a line."""
    store = Store(path)
    variables = store.look()["identity"]["variables"]
    done = sum(map(store.is_recorded, range(store.layout.chunks)))
    lane = sum(math.prod(shape) * np.dtype(dtype).itemsize for _, shape, dtype in variables)
    size = _bytes(done * store.layout.size * lane)
    return f"Reads {done} chunks, {size} of numbers, checks each and draws them: seconds, unless there are gigabytes."


def show(path: Path, out: Path, variable: str | None = None) -> str:
    """A summary of a scan's store, finished or not, and a picture in `out`."""
    store = Store(path)
    manifest = store.look()
    done = [chunk for chunk in range(store.layout.chunks) if store.is_recorded(chunk)]
    damaged = [chunk for chunk in done if not store.is_sound(chunk)]
    groups, origin = manifest["identity"]["groups"], manifest["attrs"]
    lines = [f"{path}: {len(done)} of {store.layout.chunks} chunks of {store.layout.size} lanes"]
    for group in groups:
        for name in group:
            axis = manifest["identity"]["axes"][name]
            together = f", together with {', '.join(set(group) - {name})}" if len(group) > 1 else ""
            lines.append(f"  axis {name}: {axis['count']} values, {axis['ends'][0]:g} to {axis['ends'][1]:g}{together}")
    if damaged:
        raise StoreError("\n".join([*lines, f"damaged chunks: {len(damaged)}; run the scan again to mend them"]))
    # In the order in which the function returned them.
    names = [name for name, _, _ in manifest["identity"]["variables"]]
    data = xarray.open_zarr(path, consolidated=False, zarr_format=3)[names].load()
    for dim, order in zip(["_".join(group) for group in groups], store.layout.order, strict=True):
        data = data.isel({dim: np.argsort(order)})
    lines.append("  status: " + _counted(data.status.values))
    computed = data.status.values != PENDING
    lines += [f"  {name}: {_range(data[name], computed)}" for name in data.data_vars if name != "status"]
    lines.append(f"  made {origin['date_utc']} with jaxthermo {origin['jaxthermo_version']} on {origin['device_kind']}")
    name = variable or _first(data)
    if name not in data.data_vars:
        raise StoreError(f"`variable` must be one of {', '.join(map(str, data.data_vars))}, but is {name}")
    # Matplotlib is loaded by what draws, and by nothing else.
    from jaxthermo.experiments.picture import draw

    out.mkdir(parents=True, exist_ok=True)
    files = draw(data, name, out / path.resolve().stem, _counted(data.status.values))
    return "\n".join([*lines, f"Drawn in {files[0]}"])


def _first(data: xarray.Dataset) -> str:
    """The variable that a scan is most likely about."""
    plain = [
        str(name) for name in data.data_vars if data[name].dims == data.status.dims and name not in ("status", "steps")
    ]
    wanted = [name for name in ("value", "work_current", "work", "beta") if name in plain]
    real = [name for name in plain if data[name].dtype.kind == "f"]
    return (wanted + real + plain + ["status"])[0]


def _counted(status: np.ndarray) -> str:
    """How many lanes ended how."""
    counts = {member.word: int(np.sum(status == member)) for member in Status}
    counts["not computed"] = int(np.sum(status == PENDING))
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count or word == Status.ok.word)


def _range(values: xarray.DataArray, computed: np.ndarray) -> str:
    units = values.attrs.get("units", "")
    known = values.values[computed]
    known = known[np.isfinite(known)]
    if known.size == 0:
        return "no finite value"
    if np.iscomplexobj(known):
        return f"modulus {np.abs(known).min():g} to {np.abs(known).max():g} [{units}]"
    return f"{known.min():g} to {known.max():g} [{units}]"


def _bytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 2**20:.3g} MiB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.2g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def use_devices(distributed: bool) -> None:
    """Join the other processes of the job, or let XLA see each core of this machine as a device; before it looks."""
    if distributed:
        try:
            jax.distributed.initialize()
        except ValueError as error:
            raise ValueError(f"`--distributed` needs a job of SLURM or a cloud, but jax found none: {error}") from None
    elif "device_count" not in os.environ.get("XLA_FLAGS", ""):
        # Refused where jax has looked already.
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
