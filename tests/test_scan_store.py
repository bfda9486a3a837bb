"""Scans on the disk: what resumes, what is refused, and what each fault comes to."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scan_processes
import scan_worker
import xarray

import jaxthermo as jt
from jaxthermo.scans import StoreError
from jaxthermo.scans.compiled import Chunks
from jaxthermo.scans.files import Lock, read_record, write_record
from jaxthermo.scans.store import Store

AXES = {"a": np.linspace(1.0, 2.0, 6), "b": np.linspace(0.0, 1.0, 4)}
CHUNK = 4
CONSTANTS = np.array([1.0, 2.0])


def function(a, b):
    return {"y": a * jnp.sin(b), "pair": jnp.stack([a, b]) * CONSTANTS, "n": jnp.zeros((), int)}


@pytest.fixture
def store(tmp_path):
    return tmp_path / "scan.zarr"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished store and its dataset, to be copied."""
    path = tmp_path_factory.mktemp("whole") / "scan.zarr"
    return path, jt.scan(function, AXES, store=path, chunk=CHUNK)


@pytest.fixture
def copy(whole, store):
    shutil.copytree(whole[0], store)
    return store


def begun(path):
    return [chunk for event, chunk in scan_processes.events(path) if event == "begin"]


def again(path, expected):
    """Run the scan once more; the chunks that were computed then."""
    before = len(begun(path))
    data = jt.scan(function, AXES, store=path, chunk=CHUNK)
    xarray.testing.assert_equal(data, expected)
    return begun(path)[before:]


def test_a_store_holds_what_memory_holds(whole):
    path, data = whole
    xarray.testing.assert_equal(data, jt.scan(function, AXES, chunk=CHUNK))
    assert begun(path) == list(range(6))


def test_any_reader_of_zarr_sees_the_same_dataset(whole):
    path, data = whole
    stored = xarray.open_zarr(path, consolidated=False).load()
    xarray.testing.assert_equal(stored, data)
    assert all(stored[name].attrs == data[name].attrs for name in data.variables)
    assert stored.attrs == data.attrs
    assert all(stored[name].dtype.kind in "if" for name in stored.variables)


def test_a_finished_scan_computes_nothing(copy, whole):
    assert again(copy, whole[1]) == []


def test_a_store_may_be_refused_to_be_resumed(copy, whole):
    with pytest.raises(StoreError, match="holds a scan already"):
        jt.scan(function, AXES, store=copy, chunk=CHUNK, resume=False)
    assert again(copy, whole[1]) == []


def test_lanes_run_together_are_stored_in_the_order_of_their_cost(store, monkeypatch):
    """And come back in the order given, here and for any other reader."""
    monkeypatch.setattr("jaxthermo.scans.prepared.TRIAL_FROM", 16)
    rng = np.random.default_rng(0)
    axes = {("a", "b"): (rng.uniform(1, 5, 320), rng.uniform(1, 5, 320))}

    def slow(a, b):
        n = (a**4).astype(int)
        return {"y": jax.lax.fori_loop(0, n, lambda i, y: y + b, jnp.zeros(())), "steps": n}

    data = jt.scan(slow, axes, store=store, chunk=20)
    stored = xarray.open_zarr(store, consolidated=False).load()
    assert (np.diff(stored.a_b) < 0).any()
    # By the nearest of 20 lanes tried, so not quite in order.
    ranks = np.argsort(np.argsort(stored.steps.values))
    assert np.corrcoef(ranks, np.arange(320))[0, 1] > 0.8
    xarray.testing.assert_equal(stored.sortby("a_b"), data)
    np.testing.assert_array_equal(data.a, axes["a", "b"][0])
    xarray.testing.assert_equal(jt.scan(slow, axes, store=store), data)


class TestAnotherScan:
    """A store goes on with its own scan only, and says what differs."""

    def refused(self, path, words, function=function, axes=AXES, chunk=CHUNK):
        before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
        with pytest.raises(StoreError, match=words):
            jt.scan(function, axes, store=path, chunk=chunk)
        assert before == {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}

    def test_other_operations(self, copy):
        self.refused(copy, "operations differ", lambda a, b: {**function(a, b), "y": a * jnp.cos(b)})

    def test_other_numbers_in_the_code(self, copy):
        self.refused(copy, "operations differ", lambda a, b: {**function(a, b), "y": 2.0 * a})

    def test_other_constants(self, copy, monkeypatch):
        monkeypatch.setattr(f"{__name__}.CONSTANTS", np.array([1.0, 3.0]))
        self.refused(copy, "closes over other constants")

    def test_the_name_is_not_part_of_it(self, copy, whole):
        def renamed(a, b):
            return function(a, b)

        data = jt.scan(renamed, AXES, store=copy, chunk=CHUNK)
        xarray.testing.assert_equal(data, whole[1])

    def test_other_results(self, copy):
        self.refused(copy, "its function returns .*, not ", lambda a, b: a + b)

    def test_other_values(self, copy):
        moved = AXES["a"].copy()
        moved[2] += 1e-12
        self.refused(copy, "axis `a` has 6 values from 1.0 to 2.0 .*in between differ", axes={**AXES, "a": moved})

    def test_other_lengths(self, copy):
        self.refused(copy, "axis `b` has 4 values .*, not 5 values", axes={**AXES, "b": np.linspace(0.0, 1.0, 5)})

    def test_another_order_of_axes(self, copy):
        self.refused(copy, "its axes are a x b, not b x a", axes={"b": AXES["b"], "a": AXES["a"]})

    def test_other_chunks(self, copy, whole):
        self.refused(copy, "chunks of 4 lanes, not 5", chunk=5)
        xarray.testing.assert_equal(jt.scan(function, AXES, store=copy), whole[1])

    def test_other_versions(self, copy):
        path = copy / "scan_record" / "manifest.json"
        manifest = read_record(path)
        manifest["identity"]["versions"]["jax"] = "0.0.1"
        write_record(path, manifest)
        self.refused(copy, f"made with jax 0.0.1, not {jax.__version__}")

    def test_other_precision(self, copy):
        with jax.enable_x64(False), pytest.raises(StoreError, match=r"float64, not .* float32"):
            jt.scan(function, AXES, store=copy, chunk=CHUNK)


class TestDamage:
    """What is torn or damaged is found, and computed or written again; nothing else is."""

    def flip(self, path):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))

    def test_a_flipped_byte_in_a_chunk(self, copy, whole):
        self.flip(copy / "y" / "c" / "2" / "0")
        with pytest.raises(Exception, match=r"(?i)crc32|checksum"):
            xarray.open_zarr(copy, consolidated=False).load()
        assert again(copy, whole[1]) == [2]

    @pytest.mark.parametrize("name", ["status", "n", "pair"])
    def test_in_any_variable(self, copy, whole, name):
        self.flip(next((copy / name / "c" / "5").rglob("0/0" if name == "pair" else "0")))
        assert again(copy, whole[1]) == [5]

    def test_a_torn_chunk(self, copy, whole):
        path = copy / "y" / "c" / "1" / "0"
        path.write_bytes(path.read_bytes()[:10])
        assert again(copy, whole[1]) == [1]

    def test_a_lost_chunk(self, copy, whole):
        (copy / "n" / "c" / "3" / "0").unlink()
        assert again(copy, whole[1]) == [3]

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"chunk": 4}'])
    def test_a_damaged_record(self, copy, whole, text):
        (copy / "scan_record" / "chunks" / "00000004.json").write_text(text)
        assert again(copy, whole[1]) == [4]

    def test_a_record_of_another_scan(self, copy, whole, tmp_path):
        jt.scan(lambda a, b: a, AXES, store=tmp_path / "other", chunk=CHUNK)
        record = "scan_record/chunks/00000004.json"
        shutil.copy(tmp_path / "other" / record, copy / record)
        assert again(copy, whole[1]) == [4]

    @pytest.mark.parametrize("name", ["zarr.json", "y/zarr.json", "a/c/0", "b/zarr.json"])
    def test_metadata_and_coordinates(self, copy, whole, name):
        self.flip(copy / name)
        assert again(copy, whole[1]) == []
        xarray.testing.assert_equal(xarray.open_zarr(copy, consolidated=False).load(), whole[1])

    def test_a_damaged_manifest_is_refused(self, copy):
        self.flip(copy / "scan_record" / "manifest.json")
        with pytest.raises(StoreError, match="damaged manifest"):
            jt.scan(function, AXES, store=copy, chunk=CHUNK)

    def test_leftovers_of_a_killed_write(self, copy, whole):
        left = copy / "y" / "c" / "1" / "0.abc.partial"
        left.write_bytes(b"half")
        assert again(copy, whole[1]) == [] and not left.exists()


class TestPaths:
    def test_a_file(self, store):
        store.write_text("mine")
        with pytest.raises(StoreError, match="is a file"):
            jt.scan(function, AXES, store=store)
        assert store.read_text() == "mine"

    def test_a_folder_with_other_files(self, store):
        store.mkdir()
        (store / "mine").write_text("mine")
        with pytest.raises(StoreError, match="holds other files"):
            jt.scan(function, AXES, store=store)
        assert [p.name for p in store.iterdir()] == ["mine"]

    def test_nothing_is_made_for_a_function_that_is_refused(self, store):
        with pytest.raises(ValueError, match="must not look"):
            jt.scan(lambda a, b: a if a > b else b, AXES, store=store)
        assert not store.exists()

    def test_two_processes_on_one_store(self, copy, whole):
        """The second is turned away at once; the first goes on."""
        first = Store(copy)
        first.open()
        with pytest.raises(StoreError, match="being written by another process"):
            jt.scan(function, AXES, store=copy, chunk=CHUNK)
        first.close()
        assert again(copy, whole[1]) == []

    def test_a_lock_dies_with_its_process(self, tmp_path):
        code = "import sys, os; from jaxthermo.scans.files import Lock; from pathlib import Path; "
        code += "print(Lock(Path(sys.argv[1])).acquire(), flush=True); sys.stdin.read()"
        path = tmp_path / "lock"
        environment = {**os.environ, "PYTHONPATH": str(scan_processes.ROOT)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment}
        with subprocess.Popen([scan_processes.sys.executable, "-c", code, path], **pipes) as other:
            assert other.stdout.readline() == b"True\n"
            assert Lock(path).is_held() and not Lock(path).acquire(patience=0.0)
            other.kill()
            other.wait()
            assert not Lock(path).is_held()


class TestDisk:
    """Trouble with the disk is one error that names the path; what was written before is kept."""

    @pytest.fixture
    def small_disk(self, tmp_path):
        """A disk of 128 kB; skipped where this process may not mount one."""
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk], capture_output=True)
        if mount.returncode:
            pytest.skip("may not mount a small disk")
        yield disk
        subprocess.run(["umount", disk], check=True)

    def test_a_full_disk(self, small_disk):
        def large(a):
            return jax.random.normal(jax.random.key((1000 * a).astype(int)), (500,))

        axes = {"a": np.linspace(0.0, 1.0, 100)}
        path = small_disk / "scan.zarr"
        with pytest.raises(OSError, match="No space left") as caught:
            jt.scan(large, axes, store=path, chunk=2)
        assert caught.value.errno == errno.ENOSPC and str(path) in str(caught.value)
        kept = [chunk for event, chunk in scan_processes.events(path) if event == "done"]
        assert len(kept) > 3
        subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
        data = jt.scan(large, axes, store=path, chunk=2)
        xarray.testing.assert_equal(data, jt.scan(large, axes, chunk=2))
        assert scan_processes.computed_twice(path)[0] == []

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
    def test_a_write_that_fails(self, store, whole, monkeypatch, code):
        written = Store.write

        def failing(self, chunk, results, about):
            if chunk == 3:
                raise OSError(code, os.strerror(code))
            written(self, chunk, results, about)

        with monkeypatch.context() as patch, pytest.raises(OSError, match="cannot be used") as caught:
            patch.setattr(Store, "write", failing)
            jt.scan(function, AXES, store=store, chunk=CHUNK)
        assert caught.value.errno == code and str(store) in str(caught.value)
        # Nothing is begun after the chunk that was being computed.
        assert begun(store) in ([0, 1, 2, 3], [0, 1, 2, 3, 4])
        assert again(store, whole[1]) == [3, 4, 5]

    def test_a_folder_that_is_read_only(self, tmp_path):
        """Checked on a disk that is mounted so, since root may write to any other folder."""
        disk = tmp_path / "disk"
        disk.mkdir()
        disk.chmod(0o555)
        mount = ["mount", "-t", "tmpfs", "-o", "ro,size=128k", "tmpfs", disk]
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
        try:
            if not mounted and os.access(disk, os.W_OK):
                pytest.skip("may write everywhere, and not mount a disk")
            with pytest.raises(OSError, match=r"cannot be used \((Read-only file system|Permission denied)\)"):
                jt.scan(function, AXES, store=disk / "scan.zarr")
        finally:
            if mounted:
                subprocess.run(["umount", disk], check=True)


class TestWorkers:
    """Other processes that take part in a run: `Store.join`."""

    def run_of(self, path):
        return read_record(path / "scan_record" / "run.json")["run"]

    def results(self, fill):
        shape = {"pair": (CHUNK, 2)}
        return tuple(np.full(shape.get(name, (CHUNK,)), fill) for name in ("status", "n", "pair", "y"))

    def test_a_worker_of_an_earlier_run_cannot_write_any_more(self, copy, whole):
        late = Store(copy)
        late.join(self.run_of(copy))
        assert again(copy, whole[1]) == []
        with pytest.raises(StoreError, match="taken over by another run"):
            late.write(2, self.results(7), {"seconds": 0.0, "status": {}})
        assert again(copy, whole[1]) == []
        with pytest.raises(StoreError, match="taken over by another run"):
            Store(copy).join("an earlier one")

    def test_a_chunk_that_another_worker_has_written_stays(self, copy, whole):
        second = Store(copy)
        second.join(self.run_of(copy))
        second.write(2, self.results(7), {"seconds": 0.0, "status": {}})
        assert again(copy, whole[1]) == []


class TestInTheBackground:
    """A chunk is written while the next one is computed, and never more than these two are in flight."""

    def test_a_chunk_is_written_while_the_next_is_computed(self, store, whole, monkeypatch):
        """Each write, but the last, waits for the begin of the next chunk; it must come, and that after it must not."""
        written, logged = Store.write, Store.log
        begun_of = [threading.Event() for _ in range(8)]

        def log(self, event, chunk):
            logged(self, event, chunk)
            if event == "begin":
                begun_of[chunk].set()

        def write(self, chunk, *rest):
            assert chunk == 5 or begun_of[chunk + 1].wait(60)
            assert not begun_of[chunk + 2].wait(0.05)
            written(self, chunk, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(Store, "log", log)
            patch.setattr(Store, "write", write)
            data = jt.scan(function, AXES, store=store, chunk=CHUNK)
        xarray.testing.assert_equal(data, whole[1])

    def test_what_is_computed_is_kept_when_the_next_chunk_fails(self, store, whole, monkeypatch):
        started = Chunks.start

        def failing(self, columns, parts):
            if len(begun(store)) == 4:
                raise RuntimeError("no more")
            return started(self, columns, parts)

        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="no more"):
            patch.setattr(Chunks, "start", failing)
            jt.scan(function, AXES, store=store, chunk=CHUNK)
        assert begun(store) == [0, 1, 2, 3]
        assert again(store, whole[1]) == [3, 4, 5]


def test_chunks_of_several_parts(store, monkeypatch):
    """As many as take a second; a part that was timed is not computed again, and a resumed scan times nothing."""
    calls, compiled, axes = [], Chunks.compile, {"a": np.arange(40.0), "b": np.arange(30.0)}

    def counted(self):
        return lambda *columns: calls.append(1) or compiled(self)(*columns)

    monkeypatch.setattr(Chunks, "compile", counted)
    timed = Chunks.seconds
    monkeypatch.setattr(Chunks, "seconds", lambda self, columns: 0.4 + 0.0 * timed(self, columns))
    data = jt.scan(lambda a, b: 100.0 * a + b, axes, store=store)
    np.testing.assert_array_equal(data.value, 100.0 * axes["a"][:, None] + axes["b"])
    layout = json.loads((store / "scan_record" / "manifest.json").read_text())["layout"]
    assert (layout["part"], layout["box"]) == ([8, 30], [16, 30]) and len(calls) == 5
    (store / "value" / "c" / "1" / "0").unlink()
    monkeypatch.setattr(Chunks, "seconds", None)
    xarray.testing.assert_equal(jt.scan(lambda a, b: 100.0 * a + b, axes, store=store), data)
    assert len(calls) == 5 + 2 and begun(store) == [0, 1, 2, 1]


def test_sigterm_keeps_the_chunk_in_flight(store):
    """The worker says how far it came, and ends by the signal; the next run needs no chunk twice."""
    process = scan_processes.start(store, chunks=30, turns=200_000)
    scan_processes.wait_until(lambda: len(begun(store)) > 3, process, "its fourth chunk")
    process.terminate()
    code, errors = scan_processes.finish(process)
    assert code == -signal.SIGTERM
    done = [chunk for event, chunk in scan_processes.events(store) if event == "done"]
    assert f"scan stopped by SIGTERM: {30 - len(done)} of 30 chunks are left" in errors
    assert sorted(done) == sorted(begun(store)) and len(done) < 30
    jt.scan(lambda a: scan_worker.function(a, 200_000), scan_worker.axes(30), store=store, chunk=scan_worker.LANES)
    assert sorted(begun(store)) == list(range(30))


def test_a_sigterm_that_is_survived_stops_the_scan(store, whole, monkeypatch):
    """Where the program has a handler of its own, it is called, and the scan ends in an error."""
    written, caught = Store.write, []

    def signalled(self, chunk, *rest):
        written(self, chunk, *rest)
        if chunk == 2:
            signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: caught.append(1))
    try:
        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match=r"[23] of 6 chunks are left") as stopped:
            patch.setattr(Store, "write", signalled)
            jt.scan(function, AXES, store=store, chunk=CHUNK)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught == [1]
    # The one that was computed meanwhile is kept too.
    left = int(re.search("([23]) of 6", str(stopped.value))[1])
    assert again(store, whole[1]) == list(range(6 - left, 6))


def test_nothing_in_a_store_is_executed_or_unpickled(whole):
    """Text and numbers only: JSON, and arrays of plain types."""
    for path in whole[0].rglob("*"):
        if path.suffix == ".json":
            json.loads(path.read_text())
        assert path.suffix not in (".pkl", ".pickle", ".npy", ".py")
    for path in whole[0].rglob("zarr.json"):
        described = json.loads(path.read_text())
        if described["node_type"] == "array":
            assert described["data_type"] in ("float64", "int32", "int64")
