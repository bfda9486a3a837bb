"""Where a result came from, as attributes of the stored dataset."""

import dataclasses
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

PACKAGES = ("jaxthermo", "jax", "jaxlib", "diffrax")

UNKNOWN = "unknown"


def provenance(parameters: Mapping[str, object]) -> dict[str, str]:
    """Versions, commit, device, date and parameters of a calculation.

    Every value is a string, because that is the one type that zarr and netCDF attributes both take.
    """
    device = jax.devices()[0]
    commit, dirty = checkout()
    return {
        **{f"{name}_version": _version(name) for name in PACKAGES},
        "python_version": platform.python_version(),
        "git_commit": commit,
        "git_dirty": dirty,
        "device_platform": device.platform,
        "device_kind": device.device_kind,
        "date_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": json.dumps(parameters, default=_plain),
    }


def recorded(attrs: Mapping[str, object]) -> dict[str, Any]:
    """The parameters that `provenance` wrote into the attributes of a dataset."""
    return json.loads(str(attrs.get("parameters", "{}")))


def checkout() -> tuple[str, str]:
    """Commit, and "true" or "false" for uncommitted changes; both "unknown" unless the package runs from a checkout."""
    root = Path(__file__).resolve().parents[1]
    top = _git(root, "rev-parse", "--show-toplevel")
    # An installed copy may lie inside somebody else's repository, whose commit says nothing about it.
    if top is None or Path(top).resolve() != root:
        return UNKNOWN, UNKNOWN
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return UNKNOWN, UNKNOWN
    return commit, "true" if changes else "false"


def _git(directory: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(directory), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def _version(name: str) -> str:
    loaded = getattr(sys.modules.get(name), "__version__", None)
    if loaded is not None:
        # What an editable installation says of itself is as old as that installation.
        return str(loaded)
    try:
        return version(name)
    except PackageNotFoundError:
        return UNKNOWN


def _plain(value: object) -> object:
    """What json cannot write by itself: modules as their fields, arrays as lists, functions as names."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"class": type(value).__qualname__, **fields}
    if hasattr(value, "tolist"):
        return value.tolist()
    # The repr of a function holds its address, which would make equal runs look different.
    return getattr(value, "__qualname__", None) or str(value)
