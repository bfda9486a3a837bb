"""A scan in a store: what is there is kept, what is missing is computed, here or on a cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import jax
import numpy as np

from jaxthermo.scans.axes import units_of
from jaxthermo.scans.files import StoreError
from jaxthermo.scans.labels import labelled, origin_of
from jaxthermo.scans.layout import Layout
from jaxthermo.scans.manifest import identity, layout_from, layout_record, require_same
from jaxthermo.scans.prepared import Prepared, by_cost, by_time
from jaxthermo.scans.store import Store
from jaxthermo.solve.progress import Line

if TYPE_CHECKING:
    import xarray


@runtime_checkable
class Workshop(Protocol):
    """Where chunks are computed: this process, or a cluster.

    `fewest`: how many chunks it should be given at least.
    """

    fewest: int

    def ready(self, layout: Layout) -> object:
        """Fail now rather than later, where that can be known; before a store is made."""

    def costs(self, layout: Layout, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        """What these lanes cost."""

    def seconds(self, layout: Layout, parts: list[tuple[np.ndarray, ...]]) -> list[float]:
        """How long each of these parts takes."""

    def fill(self, store: Store, todo: list[int]) -> None:
        """Compute the missing chunks into the store, all of them before this returns."""


def scan_in_store(prepared: Prepared, path: Path, resume: bool, workshop: Workshop, line: Line) -> xarray.Dataset:
    """The dataset of a scan whose chunks lie, or will lie, in the store at `path`; `line` says what it held."""
    axes, traced = prepared.axes, prepared.traced
    own = identity(traced, axes)
    store = Store(path, jax.process_index(), jax.process_count())
    try:
        manifest = store.open()
        if manifest is not None and not resume:
            raise StoreError(f"`store` {path} holds a scan already; resume it, or give this one a store of its own")
        made = manifest is None
        if manifest is None:
            if store.process == 0:
                _create(store, prepared, own, workshop)
            manifest = store.wait_for_manifest()
        _require_own(manifest, own, prepared, path)
        store.attach(manifest, axes, layout_from(manifest["layout"], axes.shape))
        todo = [chunk for chunk in range(store.layout.chunks) if not store.is_sound(chunk)]
        if not made:
            chunks = store.layout.chunks
            line.say(f"{chunks - len(todo)} of {chunks} chunks found in {path}, {len(todo)} to compute")
        if todo:
            workshop.fill(store, todo)
        arrays = store.read()
    except StoreError:
        raise
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        store.close()
    return labelled(axes, traced.variables, arrays, manifest["units"], manifest["attrs"])


def _create(store: Store, prepared: Prepared, own: dict[str, Any], workshop: Workshop) -> None:
    """Make the store, once it is known that the chunks can be computed, and how they are cut."""
    layout = prepared.layout()
    workshop.ready(layout)
    begin = time.perf_counter()
    layout = by_cost(prepared, layout, workshop.costs)
    layout = by_time(prepared, layout, workshop.seconds, workshop.fewest)
    trial = time.perf_counter() - begin
    attrs = origin_of(prepared.function, prepared.axes, own["function"]["program"])
    attrs |= prepared.certificate()
    record = layout_record(layout) | {"chunk": prepared.chunk, "trial_seconds": trial}
    store.create(own, record, attrs, prepared.axes, layout, prepared.traced.variables, units_of(prepared.function))


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
