"""Pictures of driven oscillators: protocols, work and heat diagrams, whole cycles."""

from typing import TYPE_CHECKING, Unpack

import numpy as np
from matplotlib.axes import Axes

from jaxthermo.plot._data import AxesLike, Data, LineStyle, dataset_of, label, panels, single
from jaxthermo.plot.styles import PALETTE, next_colour

if TYPE_CHECKING:
    import xarray

# Places of a closed curve, as shares of its length, where an arrow says which way it is run through.
ARROWS = (0.15, 0.65)


def protocol(data: Data, axes: AxesLike = None) -> list[Axes]:
    """Field x(t) and inverse temperature beta(t) of a run.

    data       a result of `jt.drive` or `jt.run_cycle`, or its dataset
    axes       two Matplotlib axes; None: new ones
    Returns    the two axes
    """
    dataset = dataset_of(data, "time", "x", "beta")
    drawn = panels(axes, 2, height=2.8)
    for panel, name in zip(drawn, ("x", "beta"), strict=True):
        panel.plot(dataset.time, dataset[name], color=PALETTE[1])
        panel.set(xlabel=label(dataset.time), ylabel=label(dataset[name]))
    return drawn


def work_diagram(data: Data, axes: Axes | None = None, **line: Unpack[LineStyle]) -> Axes:
    """x against X with arrows: the area enclosed is the work of a cycle.

    Equation   W = -closed integral of X dx: run through counterclockwise, the engine gives work away
    data       a result of `jt.drive` or `jt.run_cycle`, or its dataset
    axes       Matplotlib axes; None: new ones
    line       colour, label and so on of the line
    Returns    the axes
    Source     Koyanagi & Tanimura 2024, Fig. 3
    """
    dataset = dataset_of(data, "x", "X")
    panel = single(axes)
    _curve(panel, dataset.X, dataset.x, **line)
    return panel


def ts_diagram(data: Data, axes: Axes | None = None, *, quasi_static: bool = True, **line: Unpack[LineStyle]) -> Axes:
    """Temperature against thermodynamic entropy with arrows, the quasi-static cycle beside it as a dotted line.

    data          potentials along a run, by `jt.potentials`, or their dataset
    axes          Matplotlib axes; None: new ones
    quasi_static  whether to draw the quasi-static entropy too
    line          colour, label and so on of the line
    Returns       the axes
    Source        Koyanagi & Tanimura 2024, Fig. 4
    """
    dataset = dataset_of(data, "m_entropy", "planck", "time")
    temperature = 1.0 / _beta(dataset)
    panel = single(axes)
    if quasi_static:
        panel.plot(dataset.m_entropy_qst, temperature, color=PALETTE[-1], ls=":", lw=0.9, label="quasi-static")
    _curve(panel, dataset.m_entropy, temperature, **line)
    panel.set_ylabel("$T$  [energy]")
    return panel


def cycle(data: Data, axes: AxesLike = None) -> list[Axes]:
    """All of a run on one sheet: x(t), beta(t), the work diagram, energies, work and heat so far, and purity.

    data       a result of `jt.run_cycle` or `jt.drive`, or its dataset
    axes       six Matplotlib axes; None: new ones
    Returns    the six axes
    """
    dataset = dataset_of(data, "time", "x", "beta", "X", "U", "H", "purity")
    drawn = panels(axes, 6, height=2.8)
    protocol(dataset, drawn[:2])
    work_diagram(dataset, drawn[2])
    sums = ["cumulative_work", "cumulative_heat"] if "cumulative_work" in dataset else ["work", "heat"]
    for panel, names in zip(drawn[3:], (["U", "H"], sums, ["purity"]), strict=True):
        for colour, name in zip(PALETTE[1:], names, strict=False):
            panel.plot(dataset.time, dataset[name], color=colour, label=name.replace("cumulative_", ""))
        panel.set_xlabel(label(dataset.time))
        panel.set_ylabel(
            f"[{dataset[names[0]].attrs.get('units', '1')}]" if len(names) > 1 else label(dataset[names[0]])
        )
        if len(names) > 1:
            panel.legend()
    if str(dataset.attrs.get("status", "ok")) != "ok":
        drawn[0].set_title(f"status: {dataset.attrs['status']}", color=PALETTE[2], loc="left")
    return drawn


def _curve(panel: Axes, across: "xarray.DataArray", up: "xarray.DataArray", **line: Unpack[LineStyle]) -> None:
    """A curve with arrows along it."""
    (drawn,) = panel.plot(across, up, **({"color": next_colour(panel)} | line))
    x, y = np.asarray(across), np.asarray(up)
    for share in ARROWS:
        at = int(share * (len(x) - 2))
        panel.annotate(
            "",
            xy=(x[at + 1], y[at + 1]),
            xytext=(x[at], y[at]),
            arrowprops={"arrowstyle": "-|>", "color": drawn.get_color()},
        )
    panel.set(xlabel=label(across), ylabel=label(up) if up.name is not None else "")


def _beta(dataset: "xarray.Dataset") -> "xarray.DataArray":
    """beta along the potentials: Planck potential over Gibbs energy, Xi = -beta G, where it is not stored."""
    if "beta" in dataset:
        return dataset.beta
    return -dataset.planck / dataset.gibbs
