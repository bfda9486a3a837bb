"""Scans as labelled datasets."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxthermo._status import coded, flags
from jaxthermo.provenance import provenance
from jaxthermo.scans.axes import UNITS, UNKNOWN, Axes
from jaxthermo.scans.traced import Variable

if TYPE_CHECKING:
    import xarray

# The status of a lane that has not been computed yet, in a store that is not complete.
PENDING = -1


def dims_of(axes: Axes, variable: Variable) -> tuple[str, ...]:
    """Dimensions of a variable: those of the scan, and those of a lane's array."""
    return (*axes.dims, *variable.dims)


def attributes(variable: Variable, units: dict[str, str]) -> dict[str, Any]:
    """Unit and meaning of a variable; `units` are those that the function says itself."""
    if variable.name == "status":
        return {"units": "1", "long_name": "how the lane ended", **flags(), "pending": PENDING}
    known = variable.units or UNITS.get(variable.name, UNKNOWN)
    words = {} if variable.codes is None else coded(variable.codes.words())
    return {"units": units.get(variable.name, known), "long_name": variable.long_name, **words}


def coordinates(axes: Axes) -> dict[str, tuple[str, np.ndarray, dict[str, Any]]]:
    """(dimension, values, attributes) of every coordinate; lanes of axes that run together are numbered."""
    coords: dict[str, tuple[str, np.ndarray, dict[str, Any]]] = {}
    for dim, group in zip(axes.dims, axes.groups, strict=True):
        for name in group:
            attrs = {"units": axes.units[name], "long_name": name.replace("_", " ")}
            coords[name] = (dim, axes.values[name], attrs)
        if len(group) > 1:
            numbers = np.arange(len(axes.values[group[0]]))
            coords[dim] = (dim, numbers, {"units": "1", "long_name": f"number of the pair {', '.join(group)}"})
    return coords


def origin_of(function: Any, axes: Axes, digest: str) -> dict[str, str]:
    """Provenance of a scan."""
    name = getattr(function, "__name__", None) or type(function).__name__
    ranges = {n: [float(axes.values[n][0]), float(axes.values[n][-1]), len(axes.values[n])] for n in axes.names}
    return provenance({"function": name, "function_sha256": digest, "axes": ranges, **getattr(function, "origin", {})})


def labelled(
    axes: Axes,
    variables: tuple[Variable, ...],
    arrays: dict[str, np.ndarray],
    units: dict[str, str],
    attrs: dict[str, Any],
) -> "xarray.Dataset":
    """The dataset of arrays over the axes as they were given."""
    import xarray

    return xarray.Dataset(
        {v.name: (dims_of(axes, v), arrays[v.name], attributes(v, units)) for v in variables},
        coords=coordinates(axes),
        attrs=attrs,
    )
