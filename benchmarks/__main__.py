"""Run benchmarks: `python -m benchmarks [NAME ...] [--quick] [--out FOLDER]`.

A benchmark is a module of this package with `run(quick: bool) -> list[dict]`, one row per case; with `quick` it answers
on the smallest sizes within seconds.
"""

import argparse
import importlib
import pkgutil
import sys
import traceback
from pathlib import Path

import jax

import benchmarks
from benchmarks._bench import RESULTS, MissingPeer, device_slug, write


def names() -> list[str]:
    """Every benchmark there is."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmarks, or all; 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names()) or 'none yet'}; default all")
    parser.add_argument("--quick", action="store_true", help="smallest sizes; nothing is written unless --out is given")
    parser.add_argument("--out", type=Path, help="folder for the JSON files, default benchmarks/results/<device>")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(names())):
        parser.error(f"no benchmark named {', '.join(unknown)}")
    jax.config.update("jax_enable_x64", True)
    # Quick numbers must not overwrite the ones that are quoted.
    out = options.out or (None if options.quick else RESULTS / device_slug())
    # A list, as all() would stop at the first failure.
    return 0 if all([_run(name, options.quick, out) for name in options.names or names()]) else 1


def _run(name: str, quick: bool, out: Path | None) -> bool:
    print(f"{name} ...", flush=True)
    # Each benchmark pays for its own compilation, whatever ran before it.
    jax.clear_caches()
    try:
        rows = importlib.import_module(f"benchmarks.{name}").run(quick=quick)
    except MissingPeer as missing:
        # Quick runs show that all works that can; a record without its peer would not be one.
        print(f"  left out: {missing}")
        return quick
    except Exception:
        traceback.print_exc()
        return False
    for row in rows:
        print(
            "  "
            + "  ".join(
                f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()
            )
        )
    if out is not None:
        print(f"  {write(name, rows, out)}")
    return True


if __name__ == "__main__":
    sys.exit(main())
