"""The empty zarr group of a scan, and its coordinates."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxthermo.scans.axes import Axes
from jaxthermo.scans.labels import PENDING, attributes, coordinates, dims_of
from jaxthermo.scans.layout import Layout
from jaxthermo.scans.traced import Variable

# A zarr group, so that readers do not take it for something foreign.
RECORD = "scan_record"


def make_arrays(
    path: Path,
    attrs: dict[str, Any],
    axes: Axes,
    layout: Layout,
    variables: tuple[Variable, ...],
    units: dict[str, str],
) -> None:
    """Make the group with its coordinates, and an empty array for each variable, one chunk of it for each of lanes."""
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec

    root = zarr.open_group(path, mode="a", zarr_format=3)
    # Which arrays are coordinates, as xarray looks for it.
    root.attrs.update({**attrs, "coordinates": " ".join(coordinates(axes))})
    root.require_group(RECORD)
    write_coordinates(root, axes, layout)
    for variable in variables:
        root.create_array(
            variable.name,
            shape=(*layout.shape, *variable.shape),
            chunks=(*layout.box, *(max(1, n) for n in variable.shape)),
            dtype=variable.dtype,
            # A checksum inside each chunk, so that any reader of zarr notices damage.
            compressors=[ZstdCodec(), Crc32cCodec()],
            fill_value=_missing(variable),
            dimension_names=dims_of(axes, variable),
            attributes=attributes(variable, units),
            overwrite=True,
        )


def _missing(variable: Variable) -> Any:
    """What stands where nothing was computed."""
    if variable.name == "status":
        return PENDING
    return variable.dtype.type(np.nan) if variable.dtype.kind in "fc" else variable.dtype.type(0)


def write_coordinates(root: Any, axes: Axes, layout: Layout) -> None:
    """The coordinates in the order in which lanes are stored."""
    for name, (values, dim, attrs) in stored_coordinates(axes, layout).items():
        array = root.create_array(
            name, shape=values.shape, dtype=values.dtype, dimension_names=(dim,), attributes=attrs, overwrite=True
        )
        array[:] = values


def stored_coordinates(axes: Axes, layout: Layout) -> dict[str, tuple[np.ndarray, str, dict[str, Any]]]:
    """(values, dimension, attributes) of every coordinate as stored."""
    order = dict(zip(axes.dims, layout.order, strict=True))
    return {name: (values[order[dim]], dim, attrs) for name, (dim, values, attrs) in coordinates(axes).items()}


def same_coordinates(root: Any, axes: Axes, layout: Layout) -> bool:
    """Whether the stored coordinates are those of these axes."""
    try:
        return all(
            np.array_equal(root[name][...], values) for name, (values, _, _) in stored_coordinates(axes, layout).items()
        )
    except (OSError, ValueError, KeyError, RuntimeError):
        return False
