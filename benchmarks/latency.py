"""How long does a user wait for each verb: for its first call, for the next one, and for the first in a new process?

Two processes for each verb of `_latency_cases`. The first begins with an empty compilation cache, and writes down what
it compiles, so that operations are counted; that takes it about a hundredth of its time. The second finds the cache
that the first has left. CPU seconds are those of all threads of a process; they depend less than wall seconds on what else
the machine does.

`python -m benchmarks.latency` also writes docs/latency.md and benchmarks/operations.json, which the tests compare with.
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
from jaxthermo import cache
from jaxthermo.report.tables import markdown

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "latency.md"
OPERATIONS = Path(__file__).with_name("operations.json")
# The cheapest verb with a program of its own.
QUICK = ("equilibrium, classical",)
PATIENCE = 1800.0

HEADER = [
    "verb",
    "operations",
    "first call: before",
    "now",
    "wanted",
    "again: before",
    "now",
    "wanted",
    "second process: before",
    "now",
    "wanted",
]
TEXT = """# How long one waits

JAX compiles a function when it is first called. The table has the CPU seconds of the first call in a new process, of a
second call there with other values, and of the first call in a second process, with `jt.enable_cache()` on; beyond the
import. Two cores: the wall shows up to a half less where XLA compiles in parallel. "wanted" is what the project asks of
itself, and "before" is commit {before}. Operations are those of StableHLO in all programs of the first call; XLA takes
about a millisecond for each.

{table}
Importing jaxthermo takes {imports} s of CPU beyond jax and diffrax (before {imports_before} s, wanted
{import_wanted} s).

Measured on {device} with jax {jax} at commit {commit}{dirty} by `make bench-latency`, which writes this page. Wall
seconds, and those spent tracing, lowering and compiling, are in `benchmarks/results/{slug}/latency.json`.
"""


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each verb."""
    rows = []
    for name in QUICK if quick else cases.CASES:
        rows.append(row_of(name))
        print(f"  {name}: {rows[-1]['first_cpu']:.1f} s, then {rows[-1]['again_cpu']:.2f} s", flush=True)
    return rows


def row_of(name: str) -> dict[str, Any]:
    """The times of one verb, from two processes."""
    with tempfile.TemporaryDirectory() as folder:
        kept, texts = Path(folder, "cache"), Path(folder, "texts")
        texts.mkdir()
        cold, warm = worker(name, kept, str(texts)), worker(name, kept)
    row: dict[str, Any] = {"verb": name, "operations": cold["operations"], "largest": cold["largest"]}
    row |= {"programs": cold["programs"], "programs_again": cold["programs_again"], "loaded": warm["loaded"]}
    row |= {f"{stage}_wall": cold[stage] for stage in ("trace", "lower", "compile")}
    for label, record, key in (
        ("import", cold, "import"),
        ("first", cold, "first"),
        ("again", cold, "again"),
        ("second_process", warm, "first"),
    ):
        row |= {f"{label}_cpu": record[key][0], f"{label}_wall": record[key][1]}
    return row | dict(
        zip(("first_wanted", "again_wanted", "second_process_wanted"), cases.CASES[name].wanted, strict=True)
    )


def worker(name: str, kept: Path, *texts: str) -> dict[str, Any]:
    """What one process measures."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(kept),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(cache.MAX_SIZE),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": str(cache.MIN_COMPILE_SECONDS),
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        # Tables that the searches keep would be found by the second process only.
        "JAXTHERMO_CACHE": str(kept.with_name("tables")),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, "-m", "benchmarks._latency_worker", name, *texts]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def page(now: dict[str, Any], before: dict[str, Any], slug: str) -> str:
    """docs/latency.md from two records of this benchmark."""
    old = {row["verb"]: row for row in before["rows"]}
    lines = [_line(row, old.get(row["verb"], {})) for row in now["rows"]]
    return TEXT.format(
        before=before["git_commit"][:7],
        table=markdown("CPU seconds", HEADER, lines),
        imports=_seconds(min(row["import_cpu"] for row in now["rows"])),
        imports_before=_seconds(min(row["import_cpu"] for row in before["rows"])),
        import_wanted=cases.IMPORT_WANTED,
        device=now["device"],
        jax=now["jax_version"],
        commit=now["git_commit"][:7],
        dirty=" with changes" if now["git_dirty"] == "true" else "",
        slug=slug,
    )


def count_operations() -> None:
    """Write the counts that tests/test_operation_counts.py compares with, for this version of jax."""
    known = json.loads(OPERATIONS.read_text()) if OPERATIONS.exists() else {}
    known[jax.__version__] = {name: cases.operations(case) for name, case in cases.CASES.items() if case.program}
    OPERATIONS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """Measure, and write the record, the page and the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency")
    parser.add_argument("--only", choices=("operations", "page"), help="write only the counts, or only the page")
    chosen = parser.parse_args().only
    jax.config.update("jax_enable_x64", True)
    slug = device_slug()
    folder = RESULTS / slug
    if chosen is None:
        write("latency", run(False), folder)
    if chosen != "operations":
        records = (json.loads((folder / f"{name}.json").read_text()) for name in ("latency", "latency-before"))
        PAGE.write_text(page(*records, slug))
    if chosen != "page":
        count_operations()


def _line(row: dict[str, Any], old: dict[str, Any]) -> list[str]:
    cells = [row["verb"], str(row["operations"])]
    for label in ("first", "again", "second_process"):
        was = _seconds(old[f"{label}_cpu"]) if old else ""
        cells += [was, _seconds(row[f"{label}_cpu"]), f"{row[f'{label}_wanted']:g}"]
    return cells


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 0.995 else f"{value:.1f}"


if __name__ == "__main__":
    main()
