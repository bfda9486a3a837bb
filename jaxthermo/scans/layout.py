"""How the lanes of a scan are cut into chunks: boxes of neighbours, so that lanes of like cost run together.

A chunk is what is written at a time. It is computed in parts, smaller boxes inside it, each a call of one program.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxthermo.scans.axes import Axes

# A trial of one chunk is worth its cost from this many chunks on, and one of more up to this share of them: its lanes
# are spread over the scan, so that it runs to the slowest of all and costs some times an ordinary chunk.
TRIAL_FROM, TRIAL_SHARE = 100, 0.01
# Another layout is taken if it is expected to save this share of the steps.
WORTH = 0.1


class Layout(NamedTuple):
    """Boxes of `box` lanes over dimensions of `shape`, stored in the `order` given by one permutation each.

    Each is computed in boxes of `part` lanes.
    """

    shape: tuple[int, ...]
    box: tuple[int, ...]
    order: tuple[np.ndarray, ...]
    part: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of boxes along each dimension."""
        return tuple(-(-n // size) for n, size in zip(self.shape, self.box, strict=True))

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return math.prod(self.counts)

    @property
    def width(self) -> int:
        """Lanes of a full part, for which the program is compiled."""
        return math.prod(self.part)

    @property
    def size(self) -> int:
        """Lanes of a full chunk."""
        return math.prod(self.box)

    def place(self, chunk: int) -> tuple[int, ...]:
        """Where a chunk is among the boxes."""
        return tuple(int(i) for i in np.unravel_index(chunk, self.counts))

    def region(self, chunk: int) -> tuple[slice, ...]:
        """The part of the stored arrays that a chunk fills."""
        sizes = zip(self.place(chunk), self.box, self.shape, strict=True)
        return tuple(slice(i * size, min((i + 1) * size, n)) for i, size, n in sizes)

    def lanes(self, chunk: int) -> tuple[np.ndarray, ...]:
        """For each lane of a chunk its index along every axis as it was given, one array for each dimension."""
        along = [order[part] for order, part in zip(self.order, self.region(chunk), strict=True)]
        return tuple(grid.ravel() for grid in np.meshgrid(*along, indexing="ij"))

    def parts(self, chunk: int) -> list[np.ndarray]:
        """Where the lanes of each part are among those of the chunk."""
        counts = tuple(part.stop - part.start for part in self.region(chunk))
        place = np.arange(math.prod(counts)).reshape(counts)
        begins = [range(0, n, size) for n, size in zip(counts, self.part, strict=True)]
        return [
            place[tuple(slice(b, b + size) for b, size in zip(begin, self.part, strict=True))].ravel()
            for begin in itertools.product(*begins)
        ]


def layout_for(axes: Axes, chunk: int) -> Layout:
    """Boxes of at most `chunk` lanes: whole rows of the last axes where they fit. Each is computed at once."""
    return _boxes(axes, chunk, tuple(range(len(axes.shape)))[::-1], _as_given(axes))


def joined(layout: Layout, most: int) -> Layout:
    """Chunks of at most so many of the layout's, which become their parts; nothing else about a lane changes."""
    box = list(layout.box)
    for d in reversed(range(len(box))):
        times = _even(layout.counts[d], most)
        box[d] = min(times * box[d], layout.shape[d])
        most //= times
    return layout._replace(box=tuple(box))


def grouped(axes: Axes, plain: Layout, steps_of: Callable[[tuple[np.ndarray, ...]], np.ndarray]) -> Layout:
    """A layout that keeps lanes of like cost together, by a trial on lanes spread over the scan, or the plain one.

    `steps_of` counts the steps of lanes given by an index for each dimension. Boxes are filled
    first along the axes on which the steps depend least. Axes that run together, whose order means nothing, are sorted
    by the steps of the nearest lane of the trial.
    """
    sample = _sample(axes, plain.width * max(1, int(TRIAL_SHARE * plain.chunks)))
    index = tuple(grid.ravel() for grid in np.meshgrid(*sample, indexing="ij"))
    tried = steps_of(index).reshape([len(part) for part in sample])
    near = [_nearest(axes, d, part) for d, part in enumerate(sample)]
    expected = tried[np.ix_(*near)]
    dims = range(len(axes.shape))
    order = list(_as_given(axes))
    for d, group in enumerate(axes.groups):
        if len(group) > 1:
            order[d] = np.argsort(expected.mean(axis=tuple(e for e in dims if e != d)), kind="stable")
    spread = [float(np.mean(np.ptp(tried, axis=d))) for d in dims]
    # Of two axes that matter alike the last is filled first, as in the plain layout.
    fill = tuple(sorted(dims, key=lambda d: (spread[d], -d)))
    other = _boxes(axes, plain.width, fill, tuple(order))
    saves = _lockstep(expected, other) < (1.0 - WORTH) * _lockstep(expected, plain)
    return other if saves else plain


def _as_given(axes: Axes) -> tuple[np.ndarray, ...]:
    return tuple(np.arange(n) for n in axes.shape)


def _even(n: int, most: int) -> int:
    """The length of pieces of n, at most so long, and of equal length, so that the last one is not half empty."""
    pieces = -(-n // min(n, most))
    return -(-n // pieces)


def _boxes(axes: Axes, chunk: int, fill: tuple[int, ...], order: tuple[np.ndarray, ...]) -> Layout:
    box, room = [1] * len(axes.shape), chunk
    for d in fill:
        box[d] = _even(axes.shape[d], room)
        room //= box[d]
    return Layout(axes.shape, tuple(box), order, tuple(box))


def _sample(axes: Axes, most: int) -> list[np.ndarray]:
    """Indices spread over each dimension, at most so many combinations."""
    counts = [1] * len(axes.shape)
    while True:
        short = [d for d, n in enumerate(axes.shape) if counts[d] < n]
        grown = min(short, key=lambda d: counts[d], default=None)
        if grown is None or math.prod(counts) // counts[grown] * (counts[grown] + 1) > most:
            break
        counts[grown] += 1
    return [
        np.unique(np.linspace(0, n - 1, count).round().astype(int)) for n, count in zip(axes.shape, counts, strict=True)
    ]


def _nearest(axes: Axes, d: int, sample: np.ndarray) -> np.ndarray:
    """For each place along a dimension the number of the sample nearest to it, each axis in units of its range."""
    from scipy.spatial import cKDTree

    points = np.stack([axes.values[name] / (np.ptp(axes.values[name]) or 1.0) for name in axes.groups[d]], axis=1)
    return np.asarray(cKDTree(points[sample]).query(points)[1])


def _lockstep(expected: np.ndarray, layout: Layout) -> float:
    """Steps of all parts, in each of which every lane waits for the slowest, divided by the lanes of one."""
    slowest = expected[np.ix_(*layout.order)]
    for d, size in enumerate(layout.part):
        slowest = np.maximum.reduceat(slowest, np.arange(0, layout.shape[d], size), axis=d)
    return float(slowest.sum())
