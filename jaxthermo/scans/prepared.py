"""A scan that has passed all checks, and how its lanes are cut into chunks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxthermo.checks import require_integer
from jaxthermo.scans.axes import Axes, axes_for
from jaxthermo.scans.compiled import Chunks, chosen_width, own_devices
from jaxthermo.scans.layout import TRIAL_FROM, Layout, grouped, layout_for
from jaxthermo.scans.precision import certificate
from jaxthermo.scans.traced import Traced, trace


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
        """The chunks that the memory, or the user, asks for."""
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


# Computes lanes for a trial, in chunks of a layout; what each of them cost.
Try = Callable[[Layout, tuple[np.ndarray, ...]], np.ndarray]


def by_cost(prepared: Prepared, layout: Layout, costs: Try) -> Layout:
    """The layout that keeps lanes of like cost together, where lanes count what they cost and there are many chunks."""
    if prepared.traced.cost is None or layout.chunks < TRIAL_FROM:
        return layout
    return grouped(prepared.axes, layout, lambda index: costs(layout, prepared.axes.columns(index)))


def slices(columns: tuple[np.ndarray, ...], width: int) -> list[tuple[np.ndarray, ...]]:
    """Columns cut into chunks."""
    return [tuple(c[n : n + width] for c in columns) for n in range(0, len(columns[0]), width)]
