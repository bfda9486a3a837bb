"""What a scan looks like."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxthermo.plot.styles import HEAT, caption, figure, save, style
from jaxthermo.scans.labels import PENDING


def draw(data: xarray.Dataset, name: str, path: Path, counted: str) -> list[Path]:
    """`picture` in files beside each other, of which `path` is the name without its ending."""
    with style():
        return save(picture(data, name, counted), path)


def picture(data: xarray.Dataset, name: str, counted: str) -> Figure:
    """One variable over one or two axes; over others, and within a lane's array, the middle value."""
    values = data[name].where(data.status != PENDING) if name != "status" else data[name]
    values = values.astype(float) if values.dtype.kind in "bi" else values
    dims = list(data.status.dims)
    across = [dim for dim in dims if data.sizes[dim] > 1][:2] or dims[:1]
    held = {dim: values.sizes[dim] // 2 for dim in values.dims if dim not in across}
    shown = values.isel(held)
    shown = abs(shown) if np.iscomplexobj(shown.values) else shown
    fig, (axes,) = figure(1, 1)
    label = f"{data[name].attrs.get('long_name', name)} [{data[name].attrs.get('units', '')}]"
    if len(across) == 2:
        image = axes.pcolormesh(
            data[across[1]], data[across[0]], shown.transpose(*across), cmap=HEAT, shading="nearest", rasterized=True
        )
        fig.colorbar(image, ax=axes, label=label)
        axes.set(xlabel=_axis_label(data, across[1]), ylabel=_axis_label(data, across[0]))
    else:
        _line(axes, data, shown, across[0], label)
    fixed = [f"{dim} = {float(data[dim][n]):g}" for dim, n in held.items() if dim in dims]
    fixed += [f"{dim} {n}" for dim, n in held.items() if dim not in dims]
    caption(fig, ", ".join([counted, *map(str, fixed)]))
    return fig


def _line(axes: Axes, data: xarray.Dataset, shown: Any, dim: Hashable, label: str) -> None:
    together = [name for name in data.coords if data[name].dims == (dim,) and name != dim]
    if len(together) > 1:
        image = axes.scatter(data[together[0]], data[together[1]], c=shown, cmap=HEAT, s=8)
        axes.figure.colorbar(image, ax=axes, label=label)
        axes.set(xlabel=_axis_label(data, together[0]), ylabel=_axis_label(data, together[1]))
        return
    axes.plot(data[dim], shown, marker="." if data.sizes[dim] < 100 else "", color="black")
    if np.nanmin(shown) < 0 < np.nanmax(shown):
        axes.axhline(0.0, color="gray", lw=0.6)
    axes.set(xlabel=_axis_label(data, dim), ylabel=label)


def _axis_label(data: xarray.Dataset, name: Hashable) -> str:
    return f"{name} [{data[name].attrs.get('units', '')}]"
