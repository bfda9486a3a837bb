"""Timing of compiled functions, and the record that every benchmark writes."""

import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxthermo.provenance import provenance

RESULTS = Path(__file__).parent / "results"


class MissingPeer(ModuleNotFoundError):
    """What a benchmark compares with is not installed."""


class Timing(NamedTuple):
    """Seconds: the first call, which compiles and runs once, and the median of the calls after it."""

    compile_seconds: float
    run_seconds: float


def time_call(function: Callable[..., Any], *args: Any, repeats: int = 5) -> Timing:
    """Time `function(*args)`, waiting for the result each time. Pass a function that is not yet compiled."""
    if repeats < 5:
        raise ValueError(f"`repeats` must be >= 5 for a median worth quoting, but is {repeats}")
    first, *rest = (_seconds(function, args) for _ in range(repeats + 1))
    return Timing(first, statistics.median(rest))


def write(name: str, rows: Sequence[dict[str, Any]], out: Path, measured: dict[str, str] | None = None) -> Path:
    """Write the rows of one benchmark with all that is needed to read them later; returns the file.

    `measured`: commit and dirty flag of what was measured, if that is not this checkout.
    """
    origin = provenance({}) | (measured or {})
    del origin["parameters"]
    record = {
        "benchmark": name,
        **origin,
        "device": device_name(),
        "host_cpu": cpu_name(),
        "host_cores": os.cpu_count(),
        "dtype": str(jnp.zeros(()).dtype),
        "rows": list(rows),
    }
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def on_accelerator() -> bool:
    """Whether jax computes on something larger than the host's processor."""
    return jax.default_backend() != "cpu"


def device_name() -> str:
    """The accelerator's name, or the CPU model with its number of cores."""
    device = jax.devices()[0]
    return f"{cpu_name()} {os.cpu_count()} cores" if device.platform == "cpu" else device.device_kind


def device_slug() -> str:
    """The device's name as a folder name."""
    words = re.sub(r"\((r|tm)\)|@|\bcpu\b", " ", device_name().lower())
    return re.sub(r"[^a-z0-9.]+", "-", words).strip("-")


def cpu_name() -> str:
    """Model name of the host's processor."""
    try:
        models = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        models = []
    return models[0] if models else platform.processor() or platform.machine()


def _seconds(function: Callable[..., Any], args: tuple[Any, ...]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function(*args))
    return time.perf_counter() - start
