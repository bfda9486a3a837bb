"""What this process computes with: versions, devices, precision, memory, kept programs."""

import html
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax

from jaxthermo import cache

PACKAGES = ("jaxthermo", "jax", "jaxlib", "diffrax", "equinox", "numpy")
MISSING = "missing"
MEMINFO = Path("/proc/meminfo")
GIB, MIB = 2**30, 2**20


@dataclass(frozen=True)
class About:
    """What a process computes with, in lines; made by `jt.about`. It prints itself.

    versions    of Python and of the packages that decide a result, by name
    devices     each device that jax has found, with its memory
    memory      free and total memory of the host
    precision   "double" or "single", and how to change it
    flags       XLA_FLAGS, or "none"
    cache       where compiled programs are kept, and how many there are
    """

    versions: dict[str, str]
    devices: tuple[str, ...]
    memory: str
    precision: str
    flags: str
    cache: str

    def lines(self) -> list[tuple[str, str]]:
        """What is known, as pairs of a name and its value."""
        devices = [(f"device {number}", one) for number, one in enumerate(self.devices)]
        own = [("host memory", self.memory), ("precision", self.precision)]
        return [*self.versions.items(), *devices, *own, ("flags of XLA", self.flags), ("compiled programs", self.cache)]

    def __repr__(self) -> str:
        return "\n".join(f"{name:<18} {value}" for name, value in self.lines())

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{html.escape(a)}</th><td>{html.escape(b)}</td></tr>" for a, b in self.lines())
        return f"<table><caption>jaxthermo</caption>{rows}</table>"


def about() -> About:
    """Versions, devices, precision, memory and the cache folder of this process: what a bug report needs.

    Returns    an `About`, which prints itself; `jaxthermo doctor` also checks them

    Example
        >>> import jaxthermo as jt
        >>> "jax" in jt.about().versions
        True
    """
    return About(
        versions=versions(),
        devices=tuple(f"{one.platform}, {one.device_kind}, memory {device_memory(one)}" for one in jax.devices()),
        memory=host_memory(),
        precision=precision(),
        flags=os.environ.get("XLA_FLAGS") or "none",
        cache=kept_programs(),
    )


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result."""
    return {"python": platform.python_version()} | {name: version_of(name) for name in PACKAGES}


def precision() -> str:
    """Double or single, and how to get the other."""
    if jax.config.read("jax_enable_x64"):
        return "double"
    return 'single; jax.config.update("jax_enable_x64", True) before the first calculation makes it double'


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


def kept_programs() -> str:
    """Where compiled programs are kept, and how many there are."""
    folder = jax.config.values.get("jax_compilation_cache_dir")
    if not folder:
        return "not kept (jaxthermo.enable_cache() keeps them)"
    known = list(Path(folder).glob(f"*{cache.ENTRY}"))
    return f"{len(known)} kept in {folder}, {sum(path.stat().st_size for path in known) / MIB:.1f} MiB"


def version_of(name: str) -> str:
    """The version of an installed package, or "missing"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING
