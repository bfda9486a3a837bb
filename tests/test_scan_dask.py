"""Scans on a cluster of dask do what one process does, bit for bit, whoever is killed, slow or late."""

import json
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scan_processes
import scan_worker
import xarray
from typer.testing import CliRunner

import jaxthermo as jt
from jaxthermo.cli import app
from jaxthermo.scans import StoreError

pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install 'jaxthermo[dask]'")

import dask_cluster
from distributed import KilledWorker

from jaxthermo.scans import cluster as on_dask

CHUNKS, TURNS = 100, 3000


def scanned(**settings):
    return jt.scan(
        lambda a: scan_worker.function(a, TURNS), scan_worker.axes(CHUNKS), chunk=scan_worker.LANES, **settings
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The store of one process, and its dataset."""
    path = tmp_path_factory.mktemp("one") / "scan.zarr"
    return path, scanned(store=path)


@pytest.fixture(scope="module")
def clusters(tmp_path_factory):
    """Makes a cluster of a worker and a slow one, when first asked and after the last one was killed."""
    with ExitStack() as stack:
        found = []

        def living():
            if not found or found[-1][0].scheduler.poll() is not None:
                found.append(stack.enter_context(dask_cluster.cluster(tmp_path_factory.mktemp("cluster"), 1)))
                found[-1][0].worker("--preload", scan_processes.WORKER.with_name("slow_worker.py"))
                found[-1][1].wait_for_workers(2, timeout=dask_cluster.PATIENCE)
            return found[-1]

        yield living


@pytest.fixture
def two(clusters):
    return clusters()


def done_by(store):
    """How many chunks each process has written."""
    logs = (store / "scan_record").glob("log-*.jsonl")
    lines = {log.stem: [json.loads(line) for line in log.read_text().splitlines() if line[-1] == "}"] for log in logs}
    return {who: sum(line["event"] == "done" for line in found) for who, found in lines.items()}


def bytes_of(store):
    """All that a reader of zarr sees of the arrays, which is not what a killed worker had only begun to write."""
    files = (p for p in store.glob("*/c/**/*") if p.is_file() and p.suffix != ".partial")
    return {str(p.relative_to(store)): p.read_bytes() for p in files}


def test_all_lanes_are_those_of_one_process_and_a_slow_worker_gets_less(two, uninterrupted, tmp_path):
    """Bit for bit, on the disk as in the dataset; each worker traces once, and compiles once."""
    made, client = two
    store = tmp_path / "scan.zarr"
    data = scanned(store=store, client=client)
    xarray.testing.assert_identical(data.drop_attrs(deep=False), uninterrupted[1].drop_attrs(deep=False))
    assert bytes_of(store) == bytes_of(uninterrupted[0])
    done = {who.rsplit("-", 1)[1]: count for who, count in done_by(store).items()}
    quick, slow = (done[str(worker.pid)] for worker in made.workers)
    assert quick + slow == CHUNKS and 0 < slow < quick

    def programs():
        from jaxthermo.scans import worker

        return [len(ready._programs) for ready in worker._READY.values()]

    assert {max(found) for found in client.run(programs).values()} == {1}
    # And goes on where it ended: here, with one chunk to do.
    (store / "y" / "c" / "17").unlink()
    xarray.testing.assert_equal(scanned(store=store, client=client), uninterrupted[1])
    assert sum(done_by(store).values()) == CHUNKS + 1


@pytest.mark.slow
def test_a_thousand_chunks_cost_little(two, tmp_path):
    """Less than 20 ms each beyond what one process takes, which writes them too."""
    axes, spent = {"a": np.linspace(0.0, 1.0, 2000)}, {}
    # The second time, since workers compile in the first.
    for turn in range(2):
        for name, client in (("alone", None), ("together", two[1])):
            begin = time.perf_counter()
            data = jt.scan(lambda a: a * a, axes, chunk=2, store=tmp_path / f"{name}{turn}.zarr", client=client)
            spent[name] = time.perf_counter() - begin
            np.testing.assert_array_equal(data.value, axes["a"] ** 2)
    assert spent["together"] - spent["alone"] < 0.020 * 1000


@pytest.mark.slow
def test_the_trial_is_made_by_the_workers(two, tmp_path, monkeypatch):
    """And ends in the layout that one process chooses."""
    monkeypatch.setattr("jaxthermo.scans.prepared.TRIAL_FROM", 16)
    rng = np.random.default_rng(0)
    axes = {("a", "b"): (rng.uniform(1, 5, 320), rng.uniform(1, 5, 320))}

    def stiff(a, b):
        n = (a**4).astype(int)
        return {"y": jax.lax.fori_loop(0, n, lambda i, y: y + b, jnp.zeros(())), "steps": n}

    data = jt.scan(stiff, axes, store=tmp_path / "there.zarr", chunk=20, client=two[1])
    xarray.testing.assert_equal(data, jt.scan(stiff, axes, store=tmp_path / "here.zarr", chunk=20))
    assert bytes_of(tmp_path / "there.zarr") == bytes_of(tmp_path / "here.zarr")


@pytest.mark.slow
def test_the_workers_time_what_a_chunk_takes(two, tmp_path):
    """At least 64 chunks are left to share; lanes are those of one process, bit for bit, however many make a chunk."""

    def large(a):
        return jnp.sum(jnp.sin(a * jnp.arange(30_000.0)))

    axes = {"a": np.linspace(0.0, 1.0, 10_000)}
    data = jt.scan(large, axes, store=tmp_path / "there.zarr", client=two[1])
    layout = json.loads((tmp_path / "there.zarr" / "scan_record" / "manifest.json").read_text())["layout"]
    assert layout["part"][0] < layout["box"][0] <= -(-10_000 // 64)
    xarray.testing.assert_equal(data, jt.scan(large, axes))


def test_workers_take_the_precision_of_the_client(two, tmp_path):
    with jax.enable_x64(False):
        data = jt.scan(lambda a: a / 3, {"a": [1.0, 2.0]}, store=tmp_path / "scan.zarr", client=two[1])
    assert data.value.dtype == np.float32
    again = jt.scan(lambda a: a / 3, {"a": [1.0, 2.0]}, store=tmp_path / "other.zarr", client=two[1])
    assert again.value.dtype == np.float64
    asked = {"precision": "single", "client": two[1]}
    single = jt.scan(lambda a: a / 3, {"a": [1.0, 2.0]}, store=tmp_path / "single.zarr", **asked)
    assert single.value.dtype == np.float32 and single.a.dtype == np.float64


def test_experiments_from_the_command_line(two, tmp_path, monkeypatch):
    """By the scheduler's file; a cheap function stands for the quantity."""
    monkeypatch.setattr("jaxthermo.experiments.experiment.build", lambda *tables: lambda beta: beta * beta)
    file = tmp_path / "ring.toml"
    text = '[model]\nkind = "potts"\nq = 3\n[quantity]\nname = "stationary_work"\n[axes]\nbeta = [0.5, 1.0]\n'
    file.write_text(text + '[scan]\nstore = "ring.zarr"\nchunk = 1\n')
    result = CliRunner().invoke(app, ["scan", str(file), "--dask", str(two[0].file)])
    assert result.exit_code == 0 and "2 ok" in result.output, result.output
    assert sum(done_by(tmp_path / "ring.zarr").values()) == 2 and "log-0" not in done_by(tmp_path / "ring.zarr")


def test_trouble_with_the_store_on_a_worker_is_told_here(two, tmp_path, uninterrupted):
    """As an OSError that names the store; what was written is kept."""
    store = tmp_path / "scan.zarr"
    first = jt.scan(lambda a: a + 1.0, {"a": np.arange(40.0)}, chunk=2, store=store)
    for chunk in range(10, 20):
        (store / "value" / "c" / str(chunk)).unlink()
    # A folder stands where the file of one chunk belongs.
    (store / "value" / "c" / "15" / "in_the_way").mkdir(parents=True)
    with pytest.raises(OSError, match="cannot be used"):
        jt.scan(lambda a: a + 1.0, {"a": np.arange(40.0)}, chunk=2, store=store, client=two[1])
    (store / "value" / "c" / "15" / "in_the_way").rmdir()
    (store / "value" / "c" / "15").rmdir()
    again = jt.scan(lambda a: a + 1.0, {"a": np.arange(40.0)}, chunk=2, store=store, client=two[1])
    xarray.testing.assert_equal(again, first)


def test_sigterm_leaves_what_was_written(two, tmp_path, monkeypatch, uninterrupted):
    store, caught, some = tmp_path / "scan.zarr", [], on_dask._Running.some

    def signalled(self):
        found = some(self)
        if len(self.chunk_of) < CHUNKS - 3 and not caught:
            signal.raise_signal(signal.SIGTERM)
        return found

    before = signal.signal(signal.SIGTERM, lambda *_: caught.append(1))
    try:
        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match=r"of 100 chunks are left; run it again"):
            patch.setattr(on_dask._Running, "some", signalled)
            scanned(store=store, client=two[1])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught == [1] and 3 < sum(done_by(store).values()) < CHUNKS
    xarray.testing.assert_equal(scanned(store=store, client=two[1]), uninterrupted[1])


def after(store, target, running):
    """Wait until so many chunks are written by a scan that runs."""
    end = time.monotonic() + scan_processes.PATIENCE
    while not (store / "scan_record" / "chunks").exists() or len(recorded(store)) < target:
        assert not running.done(), running.exception()
        assert time.monotonic() < end, f"never came to chunk {target}"
        time.sleep(0.002)


def recorded(store):
    return list((store / "scan_record" / "chunks").glob("*.json"))


def test_a_worker_is_killed_then_the_scheduler(two, tmp_path, uninterrupted):
    """The other worker goes on with the chunks of the first; without the scheduler, this process alone."""
    made, client = two
    store = tmp_path / "scan.zarr"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(scanned, store=store, client=client)
        after(store, 10, running)
        made.workers[0].kill()
        after(store, len(recorded(store)) + 5, running)
        made.scheduler.kill()
        with pytest.raises(RuntimeError, match="the scheduler of `client` is gone") as caught:
            running.result(scan_processes.PATIENCE)
        assert str(store) in str(caught.value)
    for process in made.workers:
        process.kill()
        process.wait()
    kept = len(recorded(store))
    assert 15 <= kept < CHUNKS
    xarray.testing.assert_equal(scanned(store=store), uninterrupted[1])
    assert done_by(store)["log-0"] == CHUNKS - kept
    assert bytes_of(store) == bytes_of(uninterrupted[0])


@pytest.mark.slow
@pytest.mark.parametrize("kills", [3, 20])
def test_a_worker_is_killed_at_random_moments(tmp_path, uninterrupted, kills):
    """One worker at a time, which joins late, and is killed."""
    rng, store = random.Random(kills), tmp_path / "scan.zarr"
    with dask_cluster.cluster(tmp_path, 0) as (made, client), ThreadPoolExecutor(1) as pool:
        running = pool.submit(scanned, store=store, client=client)
        for kill in range(kills):
            worker = made.worker()
            # Not so late that the scan may end before.
            after(store, rng.uniform(kill, kill + 1) * 0.8 * CHUNKS / kills, running)
            time.sleep(rng.uniform(0.0, 0.03))
            worker.kill()
            worker.wait()
            assert not running.done()
        made.worker()
        xarray.testing.assert_equal(running.result(scan_processes.PATIENCE), uninterrupted[1])
    assert bytes_of(store) == bytes_of(uninterrupted[0])
    assert CHUNKS - kills <= sum(done_by(store).values()) <= CHUNKS


@pytest.mark.slow
def test_kill_9_of_the_process_that_waits(two, tmp_path, uninterrupted):
    """Another takes over at once, whatever the workers are writing."""
    store = tmp_path / "scan.zarr"
    process = scan_processes.start(store, dask=two[0].file, chunks=CHUNKS, turns=TURNS)
    scan_processes.wait_until(lambda: sum(done_by(store).values()) > 20, process, "its 20th chunk")
    process.kill()
    assert scan_processes.finish(process)[0] == -signal.SIGKILL
    assert len(recorded(store)) < CHUNKS
    xarray.testing.assert_equal(scanned(store=store, client=two[1]), uninterrupted[1])
    assert bytes_of(store) == bytes_of(uninterrupted[0])


class TestRefusals:
    """Before anything is computed, by the name of the argument."""

    class Client:
        def submit(self, func, *args, **kwargs):
            raise AssertionError("nothing may be submitted")

        map = gather = cancel = submit

    def refused(self, words, function=lambda a: a, client=None, **settings):
        with pytest.raises(ValueError, match=words):
            jt.scan(function, {"a": [1.0]}, client=self.Client() if client is None else client, **settings)

    def test_what_does_not_go_with_a_client(self, tmp_path):
        self.refused("`store` must be given with `client`")
        self.refused("`devices` must be None with `client`", store=tmp_path / "s", devices=jax.devices())

    def test_no_client(self, tmp_path, monkeypatch):
        monkeypatch.setattr(self.Client, "asynchronous", True, raising=False)
        self.refused("`client` must be a dask.distributed.Client that is not asynchronous", store=tmp_path / "s")

    def test_a_function_that_cannot_travel(self, tmp_path):
        lock = threading.Lock()
        self.refused("`function` must be picklable", lambda a: a * float(lock.locked()), store=tmp_path / "s")
        assert not (tmp_path / "s").exists()

    def test_no_scheduler(self, tmp_path, monkeypatch):
        monkeypatch.setattr("jaxthermo.experiments.report.CONNECT", 0.5)
        file = tmp_path / "ring.toml"
        file.write_text('[model]\nkind = "potts"\nq = 3\n[quantity]\nname = "fold"\n[axes]\nforce = [1.0]\n')
        result = CliRunner().invoke(app, ["scan", str(file), "--dask", "tcp://127.0.0.1:9"])
        assert result.exit_code == 1 and "no scheduler of dask answers at tcp://127.0.0.1:9" in result.output


def test_a_chunk_that_no_worker_survives_is_named():
    error = on_dask._explained(KilledWorker("task", SimpleNamespace(address="there"), 3), 7)
    assert isinstance(error, RuntimeError) and "chunk 7 ended each worker" in str(error)
    other = on_dask._explained(StoreError("mine"), 7)
    assert isinstance(other, StoreError) and "in chunk 7" in other.__notes__[0]
