"""Whether this machine can be trusted with a calculation: versions, devices, precision, memory, compiled arithmetic."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo import cache
from jaxthermo.solve.lean import brief_jit, lean_jit

PACKAGES = ("jaxthermo", "jax", "jaxlib", "diffrax", "equinox", "numpy")

MISSING = "missing"

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")

MEMINFO = Path("/proc/meminfo")

# jax 0.10.2 goes wrong from 16 385 lanes in float64 and 32 769 in float32 (jax-ml/jax#39103).
LANES = 40_000

GIB, MIB = 2**30, 2**20


@dataclass(frozen=True)
class Diagnosis:
    """What was found, as lines to print, and what is wrong, as one sentence each."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def miscompiled_lanes() -> int:
    """Lanes out of 40 000 where a compiled matrix-vector product with a reduction differs from the exact value.

    It is compiled as the library's programs are, once with the process' own flags and once with each set of options
    that programs of small arrays have, so that it goes wrong where they do. The worst of them counts.
    """

    def lane(matrix: Float[Array, "3 3"], vector: Float[Array, " 3"]) -> Float[Array, ""]:
        return jnp.sum((matrix @ vector) ** 2)

    # Integers below 256 are exact in every float type, tf32 and bfloat16 products included, so no tolerance is needed;
    # a period that is prime tells a lane from its neighbours at any power of two.
    numbers = np.arange(LANES) % 251
    vectors = jnp.asarray(np.stack([numbers, 0 * numbers, 0 * numbers], axis=1), dtype=float)
    lanes = jax.vmap(lane, in_axes=(None, 0))
    found = [compiled(lanes)(jnp.eye(3), vectors) for compiled in (jax.jit, lean_jit, brief_jit)]
    return max(int(np.sum(np.asarray(values) != numbers**2)) for values in found)


def host_memory() -> str:
    """Free and total host memory, where the operating system tells."""
    try:
        entries = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
        free, total = (int(entries[key].split()[0]) * 1024 / GIB for key in ("MemAvailable", "MemTotal"))
    except (OSError, KeyError, ValueError):
        return "unknown"
    return f"{free:.1f} of {total:.1f} GiB free"


def device_memory(device: jax.Device) -> str:
    """Free and total memory of a device, where jax tells."""
    stats = device.memory_stats() or {}
    if "bytes_limit" not in stats or "bytes_in_use" not in stats:
        return "unknown"
    return f"{(stats['bytes_limit'] - stats['bytes_in_use']) / GIB:.1f} of {stats['bytes_limit'] / GIB:.1f} GiB free"


def diagnose() -> Diagnosis:
    """Look at the packages, the devices and the memory, and run the known-bad calculation once."""
    devices = jax.devices()
    wrong = miscompiled_lanes()
    double = (
        "on" if jax.config.read("jax_enable_x64") else "off (jax.config.update('jax_enable_x64', True) turns it on)"
    )
    lines = [f"{name} {number}" for name, number in versions().items()]
    lines += [f"device {d.id}: {d.platform}, {d.device_kind}, memory {device_memory(d)}" for d in devices]
    lines += [f"host memory: {host_memory()}", f"double precision: {double}"]
    lines += [f"compiled against exact: {wrong} of {LANES} lanes differ"]
    lines += [
        f"flags of the compiler: {os.environ.get('XLA_FLAGS') or 'none'}",
        f"compiled programs: {kept_programs()}",
    ]
    return Diagnosis(tuple(lines), tuple(_problems(wrong, devices[0].platform)))


def kept_programs() -> str:
    """Where compiled programs are kept, and how many there are."""
    folder = jax.config.values.get("jax_compilation_cache_dir")
    if not folder:
        return "not kept (jaxthermo.enable_cache() keeps them)"
    known = list(Path(folder).glob(f"*{cache.ENTRY}"))
    return f"{len(known)} kept in {folder}, {sum(path.stat().st_size for path in known) / MIB:.1f} MiB"


def main() -> int:
    """Print the diagnosis; 1 if anything is wrong."""
    diagnosis = diagnose()
    print("\n".join(diagnosis.lines))
    print("\n".join(diagnosis.problems) or "No problems found.")
    return int(bool(diagnosis.problems))


def _problems(wrong_lanes: int, platform_name: str) -> list[str]:
    problems = [f"{name} is not installed." for name, number in versions().items() if number == MISSING]
    if wrong_lanes:
        problems.append(
            f"jax {jax.__version__} computes wrong numbers on this machine ({wrong_lanes} of {LANES} lanes of a "
            "compiled matrix-vector product); install another version, such as 0.10.1."
        )
    if reason := _cache_trouble():
        problems.append(f"Compiled programs are not kept from process to process: {reason}.")
    if platform_name == "cpu" and NVIDIA_DRIVER.exists() and "JAX_PLATFORMS" not in os.environ:
        problems.append("There is an NVIDIA driver here but jax sees no GPU; install jaxthermo[cuda].")
    return problems


def _cache_trouble() -> str:
    """Why `enable_cache` does not help here; empty if it does."""
    before = {name: getattr(jax.config, name) for name in cache.SETTINGS}
    try:
        cache.enable_cache()
    except ValueError as error:
        return str(error)
    finally:
        # To look must not turn it on.
        for name, value in before.items():
            jax.config.update(name, value)
    return "" if cache.works() else "jax does not find again what it has just stored"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING
