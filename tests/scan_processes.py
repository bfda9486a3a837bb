"""Starting, watching and killing runs of `scan_worker.py`."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

WORKER = Path(__file__).with_name("scan_worker.py")
ROOT = WORKER.parents[1]
# Far longer than any run here takes, even on a machine that is busy with something else.
PATIENCE = 240.0


def start(store, environment=None, **options):
    """A worker on this store, its output kept."""
    words = [f"{name}={value}" for name, value in options.items()]
    # Their programs are too small to be kept, and a worker that is killed must not leave half an entry to the suite.
    own = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_ENABLE_COMPILATION_CACHE": "false", **(environment or {})}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, WORKER, str(store), *words], env=own, text=True, **pipes)


def finish(process):
    """Its exit code and what it wrote on standard error."""
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


def events(store, process=0):
    """(event, chunk) of every line of a run's log."""
    path = Path(store) / "scan_record" / f"log-{process}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    parsed = [json.loads(line) for line in lines if line.endswith("}")]
    return [(line["event"], line["chunk"]) for line in parsed]


def wait_until(condition, process, what):
    """Wait while the process runs; it must not end first."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"ended before {what}: {process.communicate()[1]}"
        assert time.monotonic() < end, f"never came to {what}"
        time.sleep(0.002)


def computed_twice(store, processes=1):
    """Chunks that were begun again after their record was written, and those begun more than once."""
    again, begun = [], Counter()
    for process in range(processes):
        done = set()
        for event, chunk in events(store, process):
            if event == "done":
                done.add(chunk)
            else:
                again += [chunk] if chunk in done else []
                begun[chunk] += 1
    return again, [chunk for chunk, count in begun.items() if count > 1]
