"""What a store holds, so that a scan goes on only with its own."""

import hashlib
from typing import Any

import numpy as np

from jaxthermo.provenance import PACKAGES, provenance
from jaxthermo.scans.axes import Axes
from jaxthermo.scans.files import StoreError
from jaxthermo.scans.layout import Layout
from jaxthermo.scans.program_hash import fingerprint
from jaxthermo.scans.traced import Traced

FORMAT = 1


def identity(traced: Traced, axes: Axes) -> dict[str, Any]:
    """Everything that two runs of one scan have in common: function, axes and versions."""
    print_of = fingerprint(traced.program)
    origin = provenance({})
    return {
        "format": FORMAT,
        "function": {"program": print_of.program, "constants": print_of.constants},
        "variables": [[v.name, list(v.shape), v.dtype.str] for v in traced.variables],
        "groups": [list(group) for group in axes.groups],
        "axes": {name: _described(axes.values[name]) for name in axes.names},
        "versions": {name: origin[f"{name}_version"] for name in PACKAGES},
    }


def layout_record(layout: Layout) -> dict[str, Any]:
    """How the lanes are cut up; the order only of dimensions that are not stored as they were given."""
    order = {str(d): o.tolist() for d, o in enumerate(layout.order) if not np.array_equal(o, np.arange(len(o)))}
    parts = {} if layout.part == layout.box else {"part": list(layout.part)}
    return {"box": list(layout.box), **parts, "order": order}


def layout_from(record: dict[str, Any], shape: tuple[int, ...]) -> Layout:
    """The layout that a store was made with."""
    order = [np.asarray(record["order"].get(str(d), np.arange(n)), int) for d, n in enumerate(shape)]
    return Layout(shape, tuple(record["box"]), tuple(order), tuple(record.get("part", record["box"])))


def require_same(stored: dict[str, Any], own: dict[str, Any], path: Any) -> None:
    """Raise a StoreError that says everything in which a store's scan differs from this one."""
    differences = _differences(stored, own)
    if differences:
        raise StoreError(
            f"`store` {path} holds another scan, which is left as it is: {'; '.join(differences)}. "
            "Give this scan a store of its own"
        )


def _differences(stored: dict[str, Any], own: dict[str, Any]) -> list[str]:
    if stored["format"] != own["format"]:
        return [f"its format is {stored['format']}, not {own['format']}"]
    found = []
    if stored["groups"] != own["groups"]:
        found.append(f"its axes are {_spelled(stored['groups'])}, not {_spelled(own['groups'])}")
    for name in own["axes"]:
        there, here = stored["axes"].get(name), own["axes"][name]
        if there is not None and there != here:
            found.append(f"its axis `{name}` has {_said(there)}, not {_said(here)}" + _hint(there, here))
    if stored["variables"] != own["variables"]:
        found.append(f"its function returns {_names(stored)}, not {_names(own)}")
    elif stored["function"]["program"] != own["function"]["program"]:
        found.append("its function is another: the operations differ")
    elif stored["function"]["constants"] != own["function"]["constants"]:
        found.append("its function closes over other constants")
    for name, version in own["versions"].items():
        if stored["versions"].get(name) != version:
            found.append(f"it was made with {name} {stored['versions'].get(name)}, not {version}")
    return found


def _described(values: np.ndarray) -> dict[str, Any]:
    digest = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    ends = [float(values[0]), float(values[-1])]
    return {"count": len(values), "dtype": str(values.dtype), "ends": ends, "values": digest}


def _said(axis: dict[str, Any]) -> str:
    return f"{axis['count']} values from {axis['ends'][0]!r} to {axis['ends'][1]!r} in {axis['dtype']}"


def _hint(there: dict[str, Any], here: dict[str, Any]) -> str:
    return " (values in between differ)" if _said(there) == _said(here) else ""


def _spelled(groups: list[list[str]]) -> str:
    return " x ".join("(" + ", ".join(group) + ")" if len(group) > 1 else group[0] for group in groups)


def _names(record: dict[str, Any]) -> str:
    return ", ".join(f"{name}{tuple(shape) or ''}:{dtype}" for name, shape, dtype in record["variables"])
