"""How long does a user wait for each verb: for its first call, for the next one, and for the first in a new process?

Two processes for each verb of `_latency_cases`. The first begins with an empty compilation cache, and writes down what
it compiles, so that operations are counted; that takes it about a hundredth of its time. The second finds the cache
that the first has left. CPU seconds are those of all threads of a process; they depend less than wall seconds on
what else the machine does.

`python -m benchmarks.latency` also writes docs/latency.md, benchmarks/operations.json, which the tests compare with,
and jaxthermo/speed.json, which `jaxthermo doctor` compares with.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax

from benchmarks import _latency_cases as cases
from benchmarks._bench import RESULTS, device_slug, write
from benchmarks._latency_page import page
from jaxthermo import cache, speed

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "latency.md"
OPERATIONS = Path(__file__).with_name("operations.json")
# The cheapest verb with a program of its own.
QUICK = ("equilibrium, classical",)
PATIENCE = 1800.0
WORKER = Path(__file__).with_name("_latency_worker.py")


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each verb."""
    return [row_of(name) for name in (QUICK if quick else cases.CASES)]


def row_of(name: str, source: Path = ROOT) -> dict[str, Any]:
    """The times of one verb of the library in `source`, from two processes."""
    with tempfile.TemporaryDirectory() as folder:
        kept, texts = Path(folder, "cache"), Path(folder, "texts")
        texts.mkdir()
        cold, warm = worker(name, source, kept, str(texts)), worker(name, source, kept)
    row: dict[str, Any] = {"verb": name, "operations": cold["operations"], "largest": cold["largest"]}
    row |= {"programs": cold["programs"], "programs_again": cold["programs_again"], "loaded": warm["loaded"]}
    row |= {f"{stage}_wall": cold[stage] for stage in ("trace", "lower", "compile")}
    for label, record, key in (
        ("import", cold, "import"),
        ("load", cold, "load"),
        ("first", cold, "first"),
        ("again", cold, "again"),
        ("second_process", warm, "first"),
    ):
        row |= {f"{label}_cpu": record[key][0], f"{label}_wall": record[key][1]}
    return row | dict(
        zip(("first_wanted", "again_wanted", "second_process_wanted"), cases.CASES[name].wanted, strict=True)
    )


def worker(name: str, source: Path, kept: Path, *texts: str) -> dict[str, Any]:
    """What one process measures."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(kept),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(cache.MAX_SIZE),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": str(cache.MIN_COMPILE_SECONDS),
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        # Tables that the searches keep would be found by the second process only.
        "JAXTHERMO_CACHE": str(kept.with_name("tables")),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(source),
    }
    command = [sys.executable, str(WORKER), name, *texts]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def count_operations() -> None:
    """Write the counts that tests/test_operation_counts.py compares with, for this version of jax."""
    known = json.loads(OPERATIONS.read_text()) if OPERATIONS.exists() else {}
    known[jax.__version__] = {name: cases.operations(case) for name, case in cases.CASES.items() if case.program}
    OPERATIONS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def measure(source: Path, path: Path, fresh: bool = False) -> None:
    """Measure every verb of the library in `source`; unless `fresh`, rows of the same commit in the record are kept."""
    commit, changed = _git(source, "rev-parse", "HEAD"), _git(source, "status", "--porcelain", "--untracked-files=no")
    origin = {"git_commit": commit, "git_dirty": "true" if changed else "false"}
    known = json.loads(path.read_text()) if path.exists() else {"rows": []}
    same = not fresh and not changed and {**known, **origin} == known
    rows = {row["verb"]: row for row in known["rows"] if same}
    for name in cases.CASES:
        if name not in rows:
            rows[name] = row_of(name, source)
            print(f"  {name}: {rows[name]['first_cpu']:.1f} s, then {rows[name]['again_cpu']:.2f} s", flush=True)
        # After each verb, so that an interrupt loses one only.
        write(path.stem, list(rows.values()), path.parent, origin)


def main() -> None:
    """Measure, and write the record, the page and the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency")
    parser.add_argument("--only", choices=("operations", "page"), help="write only the counts, or only the page")
    parser.add_argument(
        "--before", type=Path, help="measure the checkout in this folder instead, for the column `before`"
    )
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    slug = device_slug()
    now, before = (RESULTS / slug / f"{name}.json" for name in ("latency", "latency-before"))
    if options.before:
        return measure(options.before.resolve(), before)
    if options.only is None:
        measure(ROOT, now, fresh=True)
    if options.only != "operations":
        records = [json.loads(path.read_text()) for path in (now, before)]
        PAGE.write_text(page(*records, slug))
        speed.REFERENCE.write_text(json.dumps(reference(records[0]), indent=1) + "\n")
    if options.only != "page":
        count_operations()


def reference(record: dict[str, Any]) -> dict[str, Any]:
    """What of the latency table `jaxthermo doctor` compares a machine with."""
    rows = {row["verb"]: {name: row[name] for name in ("first_cpu", "again_cpu")} for row in record["rows"]}
    where = {name: record[name] for name in ("device", "jax_version", "git_commit")}
    return where | {"verbs": {name: rows[name] for name in speed.VERBS}}


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
