"""Single precision on request: what it costs in accuracy, measured on lanes drawn at random.

Of n lanes drawn at random none differs more than the largest difference that is reported. So with confidence c at most
a share 1 - (1 - c)^(1/n) of all lanes does, whatever their distribution: 1 % for 300 lanes and c = 95 %.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxthermo._status import Status
from jaxthermo.scans.axes import Axes
from jaxthermo.scans.compiled import Chunks
from jaxthermo.scans.traced import Traced, trace

SAMPLE, CONFIDENCE = 300, 0.95
SEED = 0


def certificate(function: Callable[..., object], axes: Axes, single: Traced, devices: list[Any]) -> dict[str, str]:
    """How far the scan in single precision is from double precision, as an attribute of its dataset.

    Raises     ValueError if in double precision the function returns other arrays
    """
    double = trace(function, axes.names, "double")
    shapes = [[(v.name, v.shape) for v in one.variables] for one in (single, double)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"`function` must return the same arrays in both precisions, but: {shapes[0]}, {shapes[1]}")
    count = min(axes.lanes, SAMPLE)
    lanes = np.sort(np.random.default_rng(SEED).choice(axes.lanes, count, replace=False, shuffle=False))
    columns = axes.columns(np.unravel_index(lanes, axes.shape))
    found, exact = (Chunks(one, count, devices).run(columns) for one in (single, double))
    names = [variable.name for variable in single.variables]
    differences, compared = _differences(names, found, exact)
    # Of the lanes that are ok in both; all of them were compared, or some, or none.
    share = 0.0 if count == axes.lanes else 1.0 - (1.0 - CONFIDENCE) ** (1.0 / compared) if compared else 1.0
    report = {
        "lanes": count,
        "compared": compared,
        "status_differs": int(np.sum(found[0] != exact[0])),
        "largest_difference": {name: difference for name, (difference, _) in differences.items()},
        "largest_value": {name: value for name, (_, value) in differences.items()},
        "share_beyond_at_most": share,
        "confidence": CONFIDENCE,
    }
    return {"precision": "single", "single_precision": json.dumps(report)}


def _differences(
    names: list[str], found: tuple[np.ndarray, ...], exact: tuple[np.ndarray, ...]
) -> tuple[dict[str, tuple[float, float]], int]:
    """(largest difference, largest value) of each real or complex variable over lanes that are ok in both; how many."""
    well = (found[0] == Status.ok) & (exact[0] == Status.ok)
    largest = {}
    for name, one, other in zip(names, found, exact, strict=True):
        if other.dtype.kind in "fc":
            gap = np.abs(one[well].astype(other.dtype) - other[well])
            largest[name] = float(np.max(gap, initial=0.0)), float(np.max(np.abs(other[well]), initial=0.0))
    return largest, int(np.sum(well))
