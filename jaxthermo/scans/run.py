"""`jt.scan`: one function over many lanes, on every device, in a store that survives whatever happens."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxthermo.scans.axes import units_of
from jaxthermo.scans.cluster import Cluster, TaskClient, require_client
from jaxthermo.scans.compiled import zeros_like
from jaxthermo.scans.labels import labelled, origin_of
from jaxthermo.scans.loop import Here
from jaxthermo.scans.manifest import identity
from jaxthermo.scans.prepared import Prepared, by_cost, by_time, prepare
from jaxthermo.scans.stored import scan_in_store
from jaxthermo.solve.progress import Line

if TYPE_CHECKING:
    import xarray


def scan(
    function: Callable[..., object],
    axes: Mapping[str | tuple[str, ...], object] | None = None,
    store: str | os.PathLike[str] | None = None,
    chunk: int | None = None,
    resume: bool = True,
    devices: Sequence[jax.Device] | None = None,
    client: TaskClient | None = None,
    precision: str | None = None,
    progress: bool | None = None,
    **named: object,
) -> "xarray.Dataset":
    """A function of named numbers over all its lanes, as a labelled dataset.

    Equation   y(a, b, ...) = function(a=a, b=b, ...) at every combination of the axes

    function   of one lane, called with keywords; it returns a result of the library, a number, or a tree of them
               (dictionary, named tuple, module), such as `lambda beta: jt.potts.stationary(ring, beta)`
    axes       {name: values}, combined with each other; {(name, name): (values, values)}, run together along one
               dimension; all values one-dimensional
    store      a folder, in which every chunk is written when it is done; None: nothing is written
    chunk      lanes that are computed together and written at a time; None: as memory allows, and on a CPU as many as
               take about a second
    resume     whether to go on with a scan that the store holds; False refuses such a store
    devices    over which lanes are spread; None: all of this process
    client     a `dask.distributed.Client`, whose workers compute the chunks, each on all devices that it has, and
               write them into `store`, a folder that they all see; None: this process computes
    precision  "single": computed in float32, and 300 lanes drawn at random are compared with float64; the largest
               differences are in the attribute `single_precision`. None: as jax is set
    progress   whether a line on standard error tells what a store held, and how far the scan is; None: on a terminal
               and in notebooks
    named      further axes as keywords, combined with all others: `beta=[1.0, 2.0]`
    Returns    an `xarray.Dataset` with the labelled arrays of the results and what they count, `status` as codes of
               `jt.Status`, and units where they are known (`jt.scans.with_units` tells others). A name that an axis
               has too begins with "result_"
    Raises     ValueError that names the argument, before any computation, for axes that do not fit the function, and
               functions that cannot be vmapped, or not travel to the workers of `client`; `jt.scans.StoreError`, a
               ValueError, if the store holds another scan or is in use; OSError if the store cannot be written, and
               RuntimeError if the cluster of `client` is gone, with everything written before kept

    Lanes are vmapped in chunks; one compilation serves all. A lane that fails leaves the others as they are. A scan
    that was killed goes on from its store, on its own one only; chunks that are torn or damaged are computed again.
    Under `jax.distributed` each process computes its share and writes it to the one store. See docs/scans.md, and
    docs/dask.md for clusters.

    Example
        >>> import jaxthermo as jt
        >>> found = jt.scan(lambda a, b: a * b, a=[1.0, 2.0], b=[3.0, 4.0])
        >>> found.value.sel(a=2.0, b=4.0).item()
        8.0
    """
    axes = _with_named(axes, named)
    if not isinstance(resume, bool):
        raise ValueError(f"`resume` must be True or False, but is {resume!r}")
    if client is not None:
        _require_alone(client, store, devices)
    with Line("scan", progress) as line:
        line.tell("tracing")
        prepared = prepare(function, axes, chunk, devices, precision)
        return _scanned(prepared, store, resume, client, line)


def _scanned(
    prepared: Prepared, store: str | os.PathLike[str] | None, resume: bool, client: TaskClient | None, line: Line
) -> "xarray.Dataset":
    if store is None:
        if jax.process_count() > 1:
            raise ValueError("`store` must be given when several processes share a scan, but is None")
        return _in_memory(prepared, line)
    try:
        path = Path(os.fspath(store))
    except TypeError:
        raise ValueError(f"`store` must be a path, but is {store!r}") from None
    if "://" in str(store):
        raise ValueError(f"`store` must be a path on a file system with locks, but is {store!r}")
    if not resume and jax.process_count() > 1:
        raise ValueError("`resume` must be True when several processes share a store, but is False")
    workshop = Here(prepared, line) if client is None else Cluster(client, prepared, line)
    return scan_in_store(prepared, path, resume, workshop, line)


def _require_alone(client: object, store: object, devices: object) -> None:
    """Raise a ValueError where a cluster does not go with the other arguments."""
    require_client(client)
    if store is None:
        raise ValueError("`store` must be given with `client`, since its workers write there, but is None")
    if devices is not None:
        raise ValueError("`devices` must be None with `client`, whose workers use their own")
    if jax.process_count() > 1:
        raise ValueError("`client` must be None when several processes of jax.distributed share a scan")


def _with_named(axes: Any, named: dict[str, object]) -> Any:
    """All axes in one dictionary; what is none is refused later, by name."""
    if not named:
        return {} if axes is None else axes
    given = {} if axes is None else axes
    twice = sorted(set(named) & set(given)) if isinstance(given, Mapping) else []
    if twice:
        raise ValueError(f"`axes` must name {twice[0]!r} once, but names it twice")
    return {**given, **named} if isinstance(given, Mapping) else given


def _in_memory(prepared: Prepared, line: Line) -> "xarray.Dataset":
    here = Here(prepared, line)
    layout = by_time(prepared, by_cost(prepared, prepared.layout(), here.costs), here.seconds)
    names = [variable.name for variable in prepared.traced.variables]
    arrays = zeros_like(prepared.traced, prepared.axes.shape)

    def keep(chunk: int, results: tuple[np.ndarray, ...], about: dict[str, Any]) -> None:
        index = layout.lanes(chunk)
        for name, values in zip(names, results, strict=True):
            arrays[name][index] = values

    here.run(layout, list(range(layout.chunks)), keep)
    own = identity(prepared.traced, prepared.axes)
    attrs = origin_of(prepared.function, prepared.axes, own["function"]["program"])
    attrs |= prepared.certificate()
    return labelled(prepared.axes, prepared.traced.variables, arrays, units_of(prepared.function), attrs)
