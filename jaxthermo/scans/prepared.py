"""A scan that has passed all checks, how its lanes are cut into chunks, and what single precision costs it.

Of n lanes drawn at random none differs more than the largest difference that is reported. So with confidence c at most
a share 1 - (1 - c)^(1/n) of all lanes does, whatever their distribution: 1 % for 300 lanes and c = 95 %.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxthermo._status import Status
from jaxthermo.checks import require_integer
from jaxthermo.scans.axes import Axes, axes_for
from jaxthermo.scans.compiled import Chunks, chosen_width, own_devices
from jaxthermo.scans.layout import TRIAL_FROM, Layout, grouped, joined, layout_for
from jaxthermo.scans.traced import Traced, trace

# Computes lanes for a trial, in parts of a layout; what each of them counts as its cost, or the seconds of each part.
Try = Callable[[Layout, tuple[np.ndarray, ...]], np.ndarray]
TryEach = Callable[[Layout, list[tuple[np.ndarray, ...]]], list[float]]
# On a CPU a chunk takes about so many seconds, and where its lanes are the slowest at most the second number: writing
# one costs about 5 ms, and what is lost by a kill is one or two. Its results are at most so many bytes.
USUAL_SECONDS, MOST_SECONDS, MOST_BYTES = 1.0, 2.0, 1 << 26
# How many parts are timed, all over the scan. Their results are kept, so that costs nothing.
TIMED = 3
# Chunks that several processes should have to share, at least.
SHARED = 64
SAMPLE, CONFIDENCE = 300, 0.95
SEED = 0


class Prepared(NamedTuple):
    """A scan that has passed all checks and computed nothing."""

    function: Callable[..., Any]
    axes: Axes
    traced: Traced
    devices: list[jax.Device]
    chunk: int | None

    def certificate(self) -> dict[str, str]:
        """Attributes that say how far single precision is from double; none for a scan that is not asked for it."""
        if self.traced.precision != "single":
            return {}
        return certificate(self.function, self.axes, self.traced, self.devices[:1])

    def layout(self) -> Layout:
        """The chunks that the memory, or the user, asks for, each computed at once."""
        lanes = self.axes.lanes
        width = chosen_width(self.traced, lanes, self.devices) if self.chunk is None else min(self.chunk, lanes)
        return layout_for(self.axes, width)

    def compiled(self, layout: Layout) -> Chunks:
        """The program of one chunk, traced and not yet compiled."""
        return Chunks(self.traced, layout.width, self.devices)


def prepare(
    function: Callable[..., object],
    axes: Mapping[str | tuple[str, ...], object],
    chunk: int | None = None,
    devices: Sequence[jax.Device] | None = None,
    precision: str | None = None,
) -> Prepared:
    """Check everything that can be checked before a computation."""
    checked = axes_for(function, axes)
    if chunk is not None:
        chunk = require_integer("chunk", chunk, 1)
    if precision not in (None, "single"):
        raise ValueError(f"`precision` must be 'single' or None, but is {precision!r}")
    return Prepared(function, checked, trace(function, checked.names, precision), own_devices(devices), chunk)


def by_cost(prepared: Prepared, layout: Layout, costs: Try) -> Layout:
    """The layout that keeps lanes of like cost together, where lanes count what they cost and there are many chunks."""
    if prepared.traced.cost is None or layout.chunks < TRIAL_FROM:
        return layout
    return grouped(prepared.axes, layout, lambda index: costs(layout, prepared.axes.columns(index)))


def by_time(prepared: Prepared, layout: Layout, seconds: TryEach, fewest: int = 1) -> Layout:
    """The layout with as many of its chunks joined to one as take about a second, but at least so many left.

    On a CPU, and where the user has not said how long chunks are.
    """
    if prepared.chunk is not None or prepared.devices[0].platform != "cpu" or layout.chunks <= fewest:
        return layout
    some = np.unique(np.linspace(0, layout.chunks - 1, TIMED).astype(int))
    found = seconds(layout, [prepared.axes.columns(layout.lanes(int(chunk))) for chunk in some])
    return joined(layout, min(parts_in_a_chunk(prepared.traced, layout, found), layout.chunks // fewest))


def parts_in_a_chunk(traced: Traced, layout: Layout, seconds: list[float]) -> int:
    """How many parts a chunk has if some of them, all over the scan, take these times."""
    size = layout.width * sum(v.dtype.itemsize * math.prod(v.shape) for v in traced.variables)
    mean = sum(seconds) / len(seconds)
    return max(1, int(min(USUAL_SECONDS / mean, MOST_SECONDS / max(seconds), MOST_BYTES / size)))


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
