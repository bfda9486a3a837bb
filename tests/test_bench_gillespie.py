import os
import subprocess

import numpy as np

from benchmarks import gillespie


def test_the_hand_written_loop_does_the_same_work():
    """Means of work and of jumps within four standard errors of each other."""
    *ours, _ = gillespie.jaxthermo_run(30, 512, 2.0)
    theirs = gillespie.numba_run(30)(512, 2.0)
    for one, other in zip(ours, theirs, strict=True):
        error = np.sqrt((one.var() + other.var()) / 512)
        assert error > 0 and abs(one.mean() - other.mean()) < 4 * error


def fake(tmp_path, monkeypatch, script):
    """An interpreter that runs a shell script in place of the worker."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setenv("GILLESPY2_PYTHON", str(python))


def test_a_peer_that_does_not_end_is_stopped_with_its_children(tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, f"sleep 600 & echo $! > {tmp_path}/child; wait")
    assert gillespie.gillespy_run(30, 2, 1.0, timeout=1.0) == "stopped: not done after 1 s"
    child = int((tmp_path / "child").read_text())
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True).stdout.strip()
    assert state == "" or state.startswith("Z")


def test_a_peer_that_is_missing_or_fails_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("GILLESPY2_PYTHON", os.fspath(tmp_path / "nothing"))
    assert "cannot be run" in gillespie.gillespy_run(30, 2, 1.0)
    fake(tmp_path, monkeypatch, "echo \"ModuleNotFoundError: No module named 'gillespy2'\" >&2; exit 1")
    assert "cannot import GillesPy2" in gillespie.gillespy_run(30, 2, 1.0)
    fake(tmp_path, monkeypatch, "echo 'no compiler' >&2; exit 1")
    assert gillespie.gillespy_run(30, 2, 1.0) == "failed: no compiler"
