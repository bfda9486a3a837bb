"""`jt.scan`: one function over many lanes, on every device, in a store that survives whatever happens."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from jaxthermo.checks import require_integer
from jaxthermo.scans.axes import Axes, axes_for, units_of
from jaxthermo.scans.compiled import Chunks, chosen_width, own_devices, zeros_like
from jaxthermo.scans.files import StoreError
from jaxthermo.scans.labels import labelled, origin_of
from jaxthermo.scans.layout import TRIAL_FROM, Layout, grouped, layout_for
from jaxthermo.scans.loop import run_chunks, wait_for_others
from jaxthermo.scans.manifest import identity, layout_from, layout_record, require_same
from jaxthermo.scans.store import Store
from jaxthermo.scans.traced import Traced, trace

if TYPE_CHECKING:
    import xarray


class Prepared(NamedTuple):
    """A scan that has passed all checks and computed nothing."""

    function: Callable[..., Any]
    axes: Axes
    traced: Traced
    devices: list[jax.Device]
    chunk: int | None

    def layout(self) -> Layout:
        """The chunks that the memory, or the user, asks for."""
        lanes = self.axes.lanes
        width = chosen_width(self.traced, lanes, self.devices) if self.chunk is None else min(self.chunk, lanes)
        return layout_for(self.axes, width)

    def compiled(self, layout: Layout) -> Chunks:
        """The program of one chunk, traced and not yet compiled."""
        return Chunks(self.traced, layout.width, self.devices)


def scan(
    function: Callable[..., object],
    axes: Mapping[str | tuple[str, ...], object] | None = None,
    store: str | os.PathLike[str] | None = None,
    chunk: int | None = None,
    resume: bool = True,
    devices: Sequence[jax.Device] | None = None,
    **named: object,
) -> "xarray.Dataset":
    """A function of named numbers over all its lanes, as a labelled dataset.

    Equation   y(a, b, ...) = function(a=a, b=b, ...) at every combination of the axes

    function   of one lane, called with keywords; it returns a result of the library, a number, or a tree of them
               (dictionary, named tuple, module), such as `lambda beta: jt.potts.stationary(ring, beta)`
    axes       {name: values}, combined with each other; {(name, name): (values, values)}, run together along one
               dimension; all values one-dimensional
    store      a folder, in which every chunk is written when it is done; None: nothing is written
    chunk      lanes that are computed together; None: as memory allows
    resume     whether to go on with a scan that the store holds; False refuses such a store
    devices    over which lanes are spread; None: all of this process
    named      further axes as keywords, combined with all others: `beta=[1.0, 2.0]`
    Returns    an `xarray.Dataset` with the labelled arrays of the results and what they count, `status` as codes of
               `jt.Status`, and units where they are known (`jt.scans.with_units` tells others). A name that an axis
               has too begins with "result_"
    Raises     ValueError that names the argument, before any computation, for axes that do not fit the function, and
               functions that cannot be vmapped; `jt.scans.StoreError`, a ValueError, if the store holds another scan
               or is in use; OSError if the store cannot be written, with everything computed before kept

    Lanes are vmapped in chunks; one compilation serves all. A lane that fails leaves the others as they are. A scan
    that was killed goes on from its store, on its own one only; chunks that are torn or damaged are computed again.
    Under `jax.distributed` each process computes its share and writes it to the one store. See docs/scans.md.

    Example
        >>> import jaxthermo as jt
        >>> found = jt.scan(lambda a, b: a * b, a=[1.0, 2.0], b=[3.0, 4.0])
        >>> found.value.sel(a=2.0, b=4.0).item()
        8.0
    """
    axes = _with_named(axes, named)
    if not isinstance(resume, bool):
        raise ValueError(f"`resume` must be True or False, but is {resume!r}")
    prepared = prepare(function, axes, chunk, devices)
    if store is None:
        if jax.process_count() > 1:
            raise ValueError("`store` must be given when several processes share a scan, but is None")
        return _in_memory(prepared)
    try:
        path = Path(os.fspath(store))
    except TypeError:
        raise ValueError(f"`store` must be a path, but is {store!r}") from None
    if "://" in str(store):
        raise ValueError(f"`store` must be a path on a file system with locks, but is {store!r}")
    if not resume and jax.process_count() > 1:
        raise ValueError("`resume` must be True when several processes share a store, but is False")
    return _in_store(prepared, path, resume)


def _with_named(axes: Any, named: dict[str, object]) -> Any:
    """All axes in one dictionary; what is none is refused later, by name."""
    if not named:
        return {} if axes is None else axes
    given = {} if axes is None else axes
    twice = sorted(set(named) & set(given)) if isinstance(given, Mapping) else []
    if twice:
        raise ValueError(f"`axes` must name {twice[0]!r} once, but names it twice")
    return {**given, **named} if isinstance(given, Mapping) else given


def prepare(
    function: Callable[..., object],
    axes: Mapping[str | tuple[str, ...], object],
    chunk: int | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Prepared:
    """Check everything that can be checked before a computation."""
    checked = axes_for(function, axes)
    if chunk is not None:
        chunk = require_integer("chunk", chunk, 1)
    return Prepared(function, checked, trace(function, checked.names), own_devices(devices), chunk)


def _in_memory(prepared: Prepared) -> "xarray.Dataset":
    layout = prepared.layout()
    chunks = prepared.compiled(layout)
    layout = _by_stiffness(prepared, layout, chunks)
    names = [variable.name for variable in prepared.traced.variables]
    arrays = zeros_like(prepared.traced, prepared.axes.shape)

    def keep(chunk: int, results: tuple[np.ndarray, ...], about: dict[str, Any]) -> None:
        index = layout.lanes(chunk)
        for name, values in zip(names, results, strict=True):
            arrays[name][index] = values

    todo = list(range(layout.chunks))
    run_chunks(chunks, prepared.axes, layout, todo, keep, lambda event, chunk: None, None)
    own = identity(prepared.traced, prepared.axes)
    attrs = origin_of(prepared.function, prepared.axes, own["function"]["program"])
    return labelled(prepared.axes, prepared.traced.variables, arrays, units_of(prepared.function), attrs)


def _in_store(prepared: Prepared, path: Path, resume: bool) -> "xarray.Dataset":
    axes, traced = prepared.axes, prepared.traced
    own = identity(traced, axes)
    store = Store(path, jax.process_index(), jax.process_count())
    try:
        manifest = store.open()
        if manifest is not None and not resume:
            raise StoreError(f"`store` {path} holds a scan already; resume it, or give this one a store of its own")
        if manifest is not None:
            _require_own(manifest, own, prepared, path)
        chunks = None
        if manifest is None and store.process == 0:
            layout = prepared.layout()
            chunks = prepared.compiled(layout)
            chunks.compile()
            begin = time.perf_counter()
            layout = _by_stiffness(prepared, layout, chunks)
            trial = time.perf_counter() - begin
            attrs = origin_of(prepared.function, axes, own["function"]["program"])
            record = layout_record(layout) | {"chunk": prepared.chunk, "trial_seconds": trial}
            store.create(own, record, attrs, axes, layout, traced.variables, units_of(prepared.function))
        if manifest is None:
            manifest = store.wait_for_manifest()
            _require_own(manifest, own, prepared, path)
        layout = layout_from(manifest["layout"], axes.shape)
        store.attach(manifest, axes, layout)
        todo = [chunk for chunk in range(layout.chunks) if not store.is_sound(chunk)]
        mine = [chunk for chunk in todo if chunk % store.processes == store.process]
        for chunk in mine:
            store.forget(chunk)
        if mine:
            chunks = prepared.compiled(layout) if chunks is None else chunks
            run_chunks(chunks, axes, layout, mine, store.write, store.log, path)
        if store.processes > 1:
            wait_for_others(store, todo)
        arrays = store.read()
    except StoreError:
        raise
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        store.close()
    return labelled(axes, traced.variables, arrays, manifest["units"], manifest["attrs"])


def _explained(error: OSError, path: Path) -> OSError:
    """The same error with the store's path and what to do."""
    reason = error.strerror or str(error)
    kept = "and nothing that was written is lost; mend that and run it again"
    return type(error)(error.errno, f"`store` {path} cannot be used ({reason}), {kept}")


def _require_own(manifest: dict[str, Any], own: dict[str, Any], prepared: Prepared, path: Path) -> None:
    """A manifest of this very scan, with the chunks asked for."""
    require_same(manifest["identity"], own, path)
    given = manifest["layout"]["chunk"]
    if prepared.chunk is not None and prepared.chunk != given:
        width = int(np.prod(manifest["layout"]["box"]))
        if prepared.chunk != width:
            made = f"was made with chunks of {given or width} lanes, not {prepared.chunk}"
            raise StoreError(f"`store` {path} {made}; leave `chunk` out")


def _by_stiffness(prepared: Prepared, layout: Layout, chunks: Chunks) -> Layout:
    """The layout that keeps lanes of like cost together, where lanes count what they cost and there are many chunks."""
    where = prepared.traced.cost
    if where is None or layout.chunks < TRIAL_FROM:
        return layout

    def steps_of(index: tuple[np.ndarray, ...]) -> np.ndarray:
        columns = prepared.axes.columns(index)
        starts = range(0, len(columns[0]), layout.width)
        return np.concatenate([chunks.run(tuple(c[n : n + layout.width] for c in columns))[where] for n in starts])

    return grouped(prepared.axes, layout, steps_of)
