"""Pictures of scans and searches."""

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from matplotlib.axes import Axes

from jaxthermo.plot._data import AxesLike, Data, LineStyle, colour_bar, dataset_of, label, panels, single
from jaxthermo.plot.styles import HEAT, PALETTE, UNKNOWN, next_colour

if TYPE_CHECKING:
    import xarray


def scan(data: "xarray.Dataset", of: str | None = None, axes: AxesLike = None) -> list[Axes]:
    """A quantity over one axis of a scan as a line, over two as a map, over three as a row of maps.

    data       the dataset of `jt.scan`
    of         the quantity; None: the only one
    axes       as many Matplotlib axes as panels; None: new ones
    Returns    the axes
    Raises     ValueError for an unknown quantity, none of several, or other than one to three axes

    Lanes that did not end well are crosses at the bottom of a line, and grey in a map. A line marks where the quantity
    is 0, if it has both signs.
    """
    of = _only(data) if of is None else of
    dataset = dataset_of(data, of)
    values = dataset[of]
    failed = dataset["status"] != 0 if "status" in dataset else values.isnull()
    if values.ndim == 1:
        panel = single(axes)
        (dim,) = values.dims
        panel.plot(dataset[dim], values.where(~failed), color=PALETTE[1])
        lost = np.asarray(dataset[dim])[np.asarray(failed)]
        panel.plot(
            lost, np.zeros_like(lost), "x", color=PALETTE[2], transform=panel.get_xaxis_transform(), clip_on=False
        )
        if _is_signed(values.where(~failed)):
            panel.axhline(0.0, color=PALETTE[-1], lw=0.8)
        panel.set(xlabel=label(dataset[dim], str(dim)), ylabel=label(values))
        return [panel]
    if values.ndim not in (2, 3):
        raise ValueError(f"`of` must have one to three axes, but {of} has {values.ndim}: {values.dims}")
    first, count = values.dims[0], values.shape[0]
    facets: list[dict[Any, int]] = [{}] if values.ndim == 2 else [{first: index} for index in range(count)]
    drawn = panels(axes, len(facets))
    low, high = float(values.where(~failed).min()), float(values.where(~failed).max())
    for panel, facet in zip(drawn, facets, strict=True):
        part = values.where(~failed).isel(facet)
        up, across = part.dims
        panel.set_facecolor(UNKNOWN)
        shown: dict[str, Any] = {"cmap": HEAT, "vmin": low, "vmax": high, "shading": "nearest", "rasterized": True}
        image = panel.pcolormesh(dataset[across], dataset[up], np.ma.masked_invalid(part), **shown)
        if _is_signed(part) and min(part.shape) > 1:
            line: dict[str, Any] = {"colors": "white", "linewidths": 0.8}
            zero = panel.contour(dataset[across], dataset[up], np.ma.masked_invalid(part), [0.0], **line)
            panel.clabel(zero, fmt="0", fontsize="small")
        panel.set(xlabel=label(dataset[across], str(across)), ylabel=label(dataset[up], str(up)))
        if facet:
            panel.set_title(f"{first} = {float(dataset[first][facet[first]]):.4g}", loc="left")
    colour_bar(drawn[-1], image, drawn, label=label(values))
    return drawn


def _is_signed(values: "xarray.DataArray") -> bool:
    return bool(values.min() < 0.0 < values.max())


def _only(data: "xarray.Dataset") -> str:
    names = [str(name) for name in data.data_vars if name != "status"]
    if len(names) != 1:
        raise ValueError(f"`of` must be given, one of {', '.join(names)}")
    return names[0]


def pareto(data: Data, axes: Axes | None = None, **line: Unpack[LineStyle]) -> Axes:
    """Power against entropy production of the cycles between both.

    data       a result of `jt.search.pareto_front`, or its dataset
    axes       Matplotlib axes; None: new ones
    line       colour, label and so on of the line
    Returns    the axes
    """
    dataset = dataset_of(data, "power", "entropy_production_rate")
    panel = single(axes)
    panel.plot(dataset.entropy_production_rate, dataset.power, "o-", **({"color": next_colour(panel)} | line))
    panel.set(xlabel=label(dataset.entropy_production_rate), ylabel=label(dataset.power))
    return panel


def search(data: Data, axes: Axes | None = None, **line: Unpack[LineStyle]) -> Axes:
    """What a search has found after each step, with the bounds that are known.

    data       a result of `jt.minimum_work`, `jt.optimal_ramp` or `jt.optimise_cycle`, or its dataset
    axes       Matplotlib axes; None: new ones
    line       colour, label and so on of the line
    Returns    the axes
    """
    dataset = dataset_of(data, "history")
    panel = single(axes)
    panel.plot(np.arange(1, dataset.history.size + 1), dataset.history, **({"color": next_colour(panel)} | line))
    for index, name in enumerate(("upper", "lower")):
        if name in dataset and np.ndim(dataset[name]) == 0:
            panel.axhline(float(dataset[name]), color=PALETTE[2 + index], ls="--", lw=1.0, label=f"{name} bound")
    panel.set(xlabel="evaluation", ylabel=label(dataset.history))
    if panel.get_legend_handles_labels()[0]:
        panel.legend()
    return panel
