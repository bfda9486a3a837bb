"""Run benchmarks: `python -m benchmarks [NAME ...] [--quick] [--out FOLDER]`.

A benchmark is a module of this package with `run(quick: bool) -> list[dict]`, one row per case; with `quick` it answers
on the smallest sizes within seconds.
"""

import argparse
import importlib
import os
import pkgutil
import sys
import time
import traceback
from pathlib import Path

import jax

import benchmarks
from benchmarks._bench import RESULTS, MissingPeer, device_slug, write
from benchmarks._guard import worse

# What benchmarks race against, and where each comes from.
PEERS = {"numba": "test", "distributed": "dask", "qutip": "bench"}
# Has a target and a page of its own, `make bench-latency`, and takes as long as all others.
APART = "latency"


def names() -> list[str]:
    """Every benchmark there is."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmarks, or all but the one of latency; 1 if one failed, or is slower beside its peers.

    One whose peer is not installed says so, and leaves its record as it is.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(names()) or 'none yet'}; default all but {APART}"
    )
    parser.add_argument("--quick", action="store_true", help="smallest sizes; nothing is written unless --out is given")
    parser.add_argument("--out", type=Path, help="folder for the JSON files, default benchmarks/results/<device>")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(names())):
        parser.error(f"no benchmark named {', '.join(unknown)}")
    jax.config.update("jax_enable_x64", True)
    # Quick numbers must not overwrite the ones that are quoted.
    out = options.out or (None if options.quick else RESULTS / device_slug())
    wanted = options.names or [name for name in names() if options.quick or name != APART]
    # A list, as all() would stop at the first failure.
    return 0 if all([_run(name, options.quick, out) for name in wanted]) else 1


def _run(name: str, quick: bool, out: Path | None) -> bool:
    print(f"{name} ...", flush=True)
    begin, begin_cpu = time.perf_counter(), _cpu_seconds()
    # Each benchmark pays for its own compilation, whatever ran before it.
    jax.clear_caches()
    try:
        rows = importlib.import_module(f"benchmarks.{name}").run(quick=quick)
    except Exception as error:
        missing = _missing_peer(error)
        if missing is None:
            traceback.print_exc()
            return False
        # A record without its peer would not be one.
        print(f"  left out: {missing}")
        return True
    for row in rows:
        print(
            "  "
            + "  ".join(
                f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()
            )
        )
    losses = []
    if out is not None:
        losses = worse(name, rows, out)
        print(f"  {write(name, rows, out)}")
    for loss in losses:
        print(f"  WORSE than the last record: {loss}")
    print(f"  {time.perf_counter() - begin:.0f} s, {_cpu_seconds() - begin_cpu:.0f} s of processors", flush=True)
    return not losses


def _missing_peer(error: Exception) -> str | None:
    """What is not installed, and how it is; None where that is not the trouble."""
    if isinstance(error, MissingPeer):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name in PEERS:
        return f"it needs {error.name}: pip install 'jaxthermo[{PEERS[error.name]}]'"
    return None


def _cpu_seconds() -> float:
    """Of this process and of those that it has waited for."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    sys.exit(main())
