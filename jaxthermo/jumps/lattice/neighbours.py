"""Who is whose neighbour."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from jaxthermo._types import VectorLike


def cubic_lattice(sides: Sequence[int]) -> Int[np.ndarray, "units neighbours"]:
    """Neighbours on a periodic cubic lattice in any dimension, for `jt.jumps.simulate_lattice`.

    sides      units along each axis, d integers >= 3; one side makes a ring
    Returns    (N, 2 d) integers, N the product of all sides; the last axis counts fastest
    Raises     ValueError for other sides

    Example
        >>> import jaxthermo as jt
        >>> jt.jumps.cubic_lattice([4]).tolist()
        [[3, 1], [0, 2], [1, 3], [2, 0]]
    """
    shape = tuple(int(side) for side in sides)
    if not shape or min(shape) < 3 or any(side != whole for side, whole in zip(sides, shape, strict=True)):
        raise ValueError(f"`sides` must be integers >= 3, but are {sides!r}")
    units = np.arange(np.prod(shape)).reshape(shape)
    around = [np.roll(units, step, axis).ravel() for axis in range(len(shape)) for step in (1, -1)]
    return np.stack(around, axis=1)


def checked_neighbours(neighbours: VectorLike) -> Int[np.ndarray, "units neighbours"]:
    """(N, z) neighbours, or a ValueError unless all units have as many, and each is a neighbour of its neighbours."""
    table = np.asarray(neighbours)
    if table.ndim != 2 or 0 in table.shape or not np.issubdtype(table.dtype, np.integer):
        raise ValueError(f"`neighbours` must be integers of shape (units, z), but has shape {table.shape}")
    units, z = table.shape
    if table.min() < 0 or table.max() >= units:
        raise ValueError(f"`neighbours` must name units 0..{units - 1}, but names {table.min()} and {table.max()}")
    here = np.repeat(np.arange(units), z)
    there = table.ravel()
    if (here == there).any():
        raise ValueError(f"`neighbours` must be others, but unit {here[here == there][0]} is its own")
    bonds = Counter(zip(here.tolist(), there.tolist(), strict=True))
    for (unit, other), count in bonds.items():
        if bonds[other, unit] != count:
            raise ValueError(
                f"`neighbours` must be mutual, but {other} is {count} times a neighbour of {unit}, and {unit} "
                f"{bonds[other, unit]} times of {other}"
            )
    return table
