"""A scan on the disk: a zarr group that any reader of zarr opens, and beside its arrays what has been computed.

A chunk of lanes is one chunk of every array. It counts as computed once its record is there, which is written, whole,
after its data have reached the disk, and holds their checksums. What has no such record, or other bytes than the record
says, is computed again.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxthermo.scans.axes import Axes
from jaxthermo.scans.files import Fence, Lock, StoreError, digest, read_record, sync, write_record, write_whole
from jaxthermo.scans.layout import Layout
from jaxthermo.scans.manifest import layout_from
from jaxthermo.scans.template import RECORD, make_arrays, same_coordinates, write_coordinates
from jaxthermo.scans.traced import Variable

MANIFEST = "manifest.json"
META = "zarr.json"
# How long a process waits for the first one to make the store, which compiles first.
PATIENCE = 1800.0


class Store:
    """The store of one scan at a path; `open` it before use and `close` it afterwards."""

    def __init__(self, path: Path, process: int = 0, processes: int = 1, who: str | None = None) -> None:
        self.path, self.process, self.processes = path, process, processes
        self.folder = path / RECORD
        self.who = str(process) if who is None else who
        self.fence = Fence(self.folder)
        self._locks: list[Lock] = []
        self._arrays: dict[str, Any] = {}
        self._since = 0.0
        self._pool = ThreadPoolExecutor(8)
        self.manifest: dict[str, Any] = {}

    def open(self) -> dict[str, Any] | None:
        """Lock the store, made if need be, and read its manifest; None if it has none yet.

        Raises     StoreError if the folder holds something else, another process uses it, or its manifest is damaged
        """
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"`store` must be a folder, but {self.path} is a file")
        if self.path.is_dir() and any(self.path.iterdir()) and not self.folder.is_dir():
            raise StoreError(f"`store` must be new, empty or the store of a scan, but {self.path} holds other files")
        (self.folder / "chunks").mkdir(parents=True, exist_ok=True)
        # Processes of one run share the store, each under a lock of its own; other runs are kept out.
        wanted = [(Lock(self.folder / "run.lock"), self.processes > 1), (self.lock_of(self.process), False)]
        for lock, shared in wanted:
            if not lock.acquire(shared):
                self.close()
                raise StoreError(f"`store` {self.path} is being written by another process; one at a time")
            self._locks.append(lock)
        own = self.lock_of(self.process).path
        own.touch()
        self._since = own.stat().st_mtime
        for left in self.path.rglob("*.partial") if self.processes == 1 else ():
            left.unlink(missing_ok=True)
        return self._read_manifest()

    def _read_manifest(self) -> dict[str, Any] | None:
        path = self.folder / MANIFEST
        if not path.exists():
            return None
        manifest = read_record(path)
        if manifest is None:
            raise StoreError(f"`store` {self.path} has a damaged manifest, {path}: what it holds cannot be known")
        return manifest

    def wait_for_manifest(self) -> dict[str, Any]:
        """The manifest that the first process writes."""
        end = time.monotonic() + PATIENCE
        started = False
        while time.monotonic() < end:
            manifest = self._read_manifest()
            if manifest is not None:
                return manifest
            held = self.lock_of(0).is_held()
            if started and not held:
                break
            started |= held
            time.sleep(0.2)
        raise StoreError(f"`store` {self.path} was not made by the first process, which may have failed")

    def was_here(self, process: int) -> bool:
        """Whether a process took its lock, or began a chunk, since this one took its own."""
        paths = (self.lock_of(process).path, self._log_of(process))
        return any(path.exists() and path.stat().st_mtime >= self._since for path in paths)

    def lock_of(self, process: int) -> Lock:
        """The lock that a process of this run holds while it is alive."""
        return Lock(self.folder / f"process-{process}.lock")

    def create(
        self,
        identity: dict[str, Any],
        layout_record: dict[str, Any],
        attrs: dict[str, Any],
        axes: Axes,
        layout: Layout,
        variables: tuple[Variable, ...],
        units: dict[str, str],
    ) -> None:
        """Make all arrays, empty, and the manifest last."""
        make_arrays(self.path, attrs, axes, layout, variables, units)
        metadata = {str(p.relative_to(self.path)): p.read_text() for p in sorted(self.path.rglob(META))}
        write_record(
            self.folder / MANIFEST,
            {"identity": identity, "layout": layout_record, "attrs": attrs, "units": units, "metadata": metadata},
        )

    def attach(self, manifest: dict[str, Any], axes: Axes, layout: Layout) -> None:
        """Make ready for chunks; damaged metadata and coordinates are mended, since both are known."""
        import zarr

        self._know(manifest, layout)
        if self.process == 0:
            self.fence.take_over()
            for name, text in manifest["metadata"].items():
                path = self.path / name
                if not path.is_file() or path.read_text(errors="replace") != text:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(path, text)
            root = zarr.open_group(self.path, mode="r+", zarr_format=3, use_consolidated=False)
            if not same_coordinates(root, axes, layout):
                write_coordinates(root, axes, layout)
        self._open_arrays()

    def join(self, run: str) -> dict[str, Any]:
        """Make ready for chunks of a run that another process began, and watches over; the manifest.

        Raises     StoreError if this is no store, or another run has taken it over
        """
        manifest = self._look()
        self.fence.join(run)
        self._open_arrays()
        return manifest

    def _open_arrays(self) -> None:
        import zarr

        root = zarr.open_group(self.path, mode="r+", zarr_format=3, use_consolidated=False)
        # A chunk of zeros must be written too, to be told from one that is missing.
        with zarr.config.set({"array.write_empty_chunks": True}):
            self._arrays = {name: root[name] for name in self._names}

    def look(self) -> dict[str, Any]:
        """Make ready for reading only, whoever is writing; the manifest.

        Raises     StoreError if this is no store, or a damaged one
        """
        import zarr

        manifest = self._look()
        try:
            root = zarr.open_group(self.path, mode="r", zarr_format=3, use_consolidated=False)
            self._arrays = {name: root[name] for name in self._names}
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(f"`store` {self.path} has damaged metadata; run the scan again to mend it") from error
        return manifest

    def _look(self) -> dict[str, Any]:
        """The manifest of a store that is there already."""
        manifest = self._read_manifest()
        if manifest is None:
            raise StoreError(f"{self.path} is not the store of a scan, or not yet")
        shape = tuple(len_of(manifest, group) for group in manifest["identity"]["groups"])
        self._know(manifest, layout_from(manifest["layout"], shape))
        return manifest

    def _know(self, manifest: dict[str, Any], layout: Layout) -> None:
        self.manifest, self.layout = manifest, layout
        self._names = [name for name, _, _ in manifest["identity"]["variables"]]
        # Records of another scan, copied into this folder, are not taken for this one's.
        self._mark = digest(json.dumps(manifest["identity"], sort_keys=True).encode())

    def write(self, chunk: int, results: tuple[np.ndarray, ...], about: dict[str, Any]) -> None:
        """Write one chunk to the disk, and then its record, unless it is there already.

        Raises     StoreError if this store joined a run that is over; OSError
        """
        with self.fence.alone(chunk):
            self.fence.require()
            # By a worker that was taken for lost.
            if not (self.fence.joined and self.is_sound(chunk)):
                self._write(chunk, results, about)

    def _write(self, chunk: int, results: tuple[np.ndarray, ...], about: dict[str, Any]) -> None:
        region = self.layout.region(chunk)
        shape = tuple(part.stop - part.start for part in region)
        files = []
        for name, values in zip(self._names, results, strict=True):
            path = self._file(name, chunk)
            path.unlink(missing_ok=True)
            self._arrays[name][region] = values.reshape(*shape, *values.shape[1:])
            files.append(path)
        # Side by side, since a disk takes several for little more than one. What a failing machine loses all the same
        # is found by its checksum.
        list(self._pool.map(sync, files))
        sums = {name: digest(path.read_bytes()) for name, path in zip(self._names, files, strict=True)}
        write_record(self._record(chunk), {"chunk": chunk, "scan": self._mark, "sums": sums, **about})

    def record(self, chunk: int) -> dict[str, Any] | None:
        """What is known of a chunk, if its record is whole and of this scan."""
        record = read_record(self._record(chunk))
        return record if record is not None and (record["scan"], record["chunk"]) == (self._mark, chunk) else None

    def is_sound(self, chunk: int) -> bool:
        """Whether a chunk was computed, and its bytes are those that were written."""
        record = self.record(chunk)
        if record is None:
            return False
        for name in self._names:
            try:
                data = self._file(name, chunk).read_bytes()
            except OSError:
                return False
            if digest(data) != record["sums"].get(name):
                return False
        return True

    def is_recorded(self, chunk: int) -> bool:
        """Whether a chunk's record is there, unread."""
        return self._record(chunk).exists()

    def forget(self, chunk: int) -> None:
        """Take a chunk's record away, so that no one trusts what it says."""
        self._record(chunk).unlink(missing_ok=True)

    def log(self, event: str, chunk: int) -> None:
        """One line for each chunk that is begun or done."""
        line = {
            "event": event,
            "chunk": chunk,
            "process": self.who,
            "time": time.time(),
            "cpu": time.process_time(),
        }
        with self._log_of(self.who).open("a") as file:
            file.write(json.dumps(line) + "\n")

    def read(self) -> dict[str, np.ndarray]:
        """All variables, along the axes as they were given."""
        back = np.ix_(*(np.argsort(order) for order in self.layout.order))
        return {name: np.asarray(array[...])[back] for name, array in self._arrays.items()}

    def close(self) -> None:
        """Let the locks go."""
        self._pool.shutdown()
        while self._locks:
            self._locks.pop().release()

    def _log_of(self, who: int | str) -> Path:
        return self.folder / f"log-{who}.jsonl"

    def _file(self, name: str, chunk: int) -> Path:
        inner = len(self._arrays[name].shape) - len(self.layout.shape)
        return self.path.joinpath(name, "c", *map(str, self.layout.place(chunk)), *["0"] * inner)

    def _record(self, chunk: int) -> Path:
        return self.folder / "chunks" / f"{chunk:08d}.json"


def len_of(manifest: dict[str, Any], group: list[str]) -> int:
    """Length of the dimension along which these names run."""
    return int(manifest["identity"]["axes"][group[0]]["count"])
