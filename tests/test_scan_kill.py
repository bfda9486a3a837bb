"""A scan that is killed goes on; several devices and several processes do what one does."""

import os
import random
import signal
import socket

import numpy as np
import pytest
import scan_processes as runs
import scan_worker
import xarray

import jaxthermo as jt

CHUNKS, TURNS = 200, 3000


def scanned(chunks=CHUNKS, turns=TURNS, **settings):
    return jt.scan(
        lambda a: scan_worker.function(a, turns), scan_worker.axes(chunks), chunk=scan_worker.LANES, **settings
    )


@pytest.fixture(scope="module")
def uninterrupted():
    return scanned()


def kill_and_resume(store, kills, seed, expected):
    """Kill -9 at random moments, spread over the chunks and within them, then let it end."""
    rng = random.Random(seed)
    for kill in range(kills):
        process = runs.start(store)
        # Not so late that the run may end before it is killed.
        target = rng.uniform(kill, kill + 1) * 0.8 * CHUNKS / kills
        if kill:
            runs.wait_until(lambda: len(done(store)) >= target, process, f"chunk {target}")  # noqa: B023
        else:
            # Once while the store is being made.
            runs.wait_until(lambda: (store / "scan_record").exists(), process, "its store")
        try:
            process.wait(rng.uniform(0.0, 0.04))
        except runs.subprocess.TimeoutExpired:
            process.kill()
        assert runs.finish(process)[0] == -signal.SIGKILL
        torn = xarray.open_zarr(store, consolidated=False) if kill else None
        assert torn is None or (torn.status.values == -1).any()
    xarray.testing.assert_equal(scanned(store=store), expected)
    again, twice = runs.computed_twice(store)
    assert again == []
    # One was computed and one written when the kill came.
    assert len(twice) <= 2 * kills
    assert sorted({chunk for event, chunk in runs.events(store) if event == "begin"}) == list(range(CHUNKS))


def done(store):
    return [chunk for event, chunk in runs.events(store) if event == "done"]


def test_kill_9_at_random_moments(tmp_path, uninterrupted):
    kill_and_resume(tmp_path / "scan.zarr", 3, 0, uninterrupted)


@pytest.mark.slow
def test_kill_9_at_20_random_moments(tmp_path, uninterrupted):
    kill_and_resume(tmp_path / "scan.zarr", 20, 1, uninterrupted)


def loaded(path):
    with np.load(path) as file:
        return dict(file)


def test_two_devices_do_what_one_does(tmp_path, uninterrupted):
    """To 1e-12: loops over lanes have other remainders, so rounding may differ."""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    process = runs.start(tmp_path / "scan.zarr", flags, out=tmp_path / "out.npz")
    code, errors = runs.finish(process)
    assert code == 0, errors
    for name, values in loaded(tmp_path / "out.npz").items():
        np.testing.assert_allclose(values, uninterrupted[name], rtol=1e-12, err_msg=name)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_two(store, **options):
    port = free_port()
    common = {"processes": 2, "port": port, **options}
    return [runs.start(store, process=n, out=store.with_name(f"out{n}.npz"), **common) for n in (0, 1)]


def test_two_processes_do_what_one_does(tmp_path, uninterrupted):
    """Each computes every second chunk, and both have the whole dataset, bit for bit."""
    store = tmp_path / "scan.zarr"
    for process in start_two(store):
        code, errors = runs.finish(process)
        assert code == 0, errors
    for n in (0, 1):
        for name, values in loaded(tmp_path / f"out{n}.npz").items():
            np.testing.assert_array_equal(values, uninterrupted[name], err_msg=name)
        begun = [chunk for event, chunk in runs.events(store, n) if event == "begin"]
        assert begun == list(range(n, CHUNKS, 2))


def test_one_of_two_processes_killed(tmp_path):
    """The other finishes its share and says what is missing; a run of one process then does the rest."""
    store = tmp_path / "scan.zarr"
    first, second = start_two(store, chunks=40, turns=400_000)
    # Long before the first is done, so that it finds the lock free when it looks.
    runs.wait_until(lambda: len(runs.events(store, 1)) > 4, second, "its second chunk")
    second.kill()
    code, errors = runs.finish(first)
    runs.finish(second)
    assert code != 0
    assert "process 1 of 2 ended early" in errors and "chunks are missing" in errors
    missing = set(range(40)) - {c for n in (0, 1) for event, c in runs.events(store, n) if event == "done"}
    assert missing and all(chunk % 2 for chunk in missing)
    expected = scanned(40, 400_000)
    before = len(runs.events(store))
    xarray.testing.assert_equal(scanned(40, 400_000, store=store), expected)
    begun = [chunk for event, chunk in runs.events(store)[before:] if event == "begin"]
    assert begun == sorted(missing)
    assert os.path.exists(store)
