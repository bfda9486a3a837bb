"""What every picture needs: labelled data from a result or its dataset, axes to draw on, and words for them."""

import re
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, TypeAlias, TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar

from jaxthermo._results import AbstractResult
from jaxthermo.plot.styles import Picture, style

if TYPE_CHECKING:
    import xarray

# A result of the library, or the dataset that its `to_dataset` makes.
Data: TypeAlias = "AbstractResult | xarray.Dataset"

# One panel, or a row of them, as Matplotlib gives them.
AxesLike: TypeAlias = Axes | np.ndarray | Sequence[Axes] | None

# A symbol in words: P_i.
INDEXED = re.compile(r"\b([A-Z]_[a-z])\b")


class LineStyle(TypedDict, total=False):
    """The more usual of the settings that Matplotlib takes for a line."""

    color: str | tuple[float, ...]
    linestyle: str
    linewidth: float
    marker: str
    markersize: float
    alpha: float
    label: str
    zorder: float


# Characters of a line of a label: no longer than the side of a picture of the usual size.
LINE = 30
# How a quantity is written on an axis; others are written by their names.
SYMBOLS = {
    "beta": r"\beta",
    "x": "x",
    "X": "X",
    "U": "U",
    "H": "H",
    "q2": r"\langle q^2\rangle",
    "p2": r"\langle p^2\rangle",
    "time": "t",
    "position": "q",
    "momentum": "p",
    "wigner": "W",
    "work": "W",
    "heat": "Q",
    "work_current": r"\dot W",
    "heat_current": r"\dot Q",
    "entropy": "S",
    "entropy_production_rate": r"\dot\Sigma",
    "entropy_produced": r"\Sigma",
    "m_entropy": "S",
    "planck": r"\Xi",
    "force": "f",
    "force2": "f_2",
    "output_power": "|P|",
    "power": "P",
    "efficiency": r"\eta",
    "period": r"\tau",
    "rate_function": "I",
    "scaled_cumulant": r"\lambda(s)",
    "s": "s",
    "purity": r"2\pi\hbar\int W^2\,dq\,dp",
}


def dataset_of(data: Data, *needed: str) -> "xarray.Dataset":
    """The labelled data of a result; a dataset as it is.

    Raises     ValueError if one of the variables needed is missing
    """
    dataset = data.to_dataset() if isinstance(data, AbstractResult) else data
    if not hasattr(dataset, "variables"):
        raise ValueError(f"`data` must be a result of the library or its dataset, but is {type(data).__name__}")
    missing = [name for name in needed if name not in dataset.variables]
    if missing:
        hint = "; a run has states: jt.plot.wigner(run.final), or run.state_at(time) where keep_states=True kept them"
        raise ValueError(
            f"`data` must hold {', '.join(missing)}, but has {', '.join(map(str, dataset.variables))}"
            + (hint if "wigner" in missing and {"time", "members"} & set(dataset.variables) else "")
        )
    return dataset


def label(variable: "xarray.DataArray", name: str | None = None) -> str:
    """Symbol, or long name, and unit of a variable, from its attributes."""
    name = str(variable.name) if name is None else name
    words = f"${SYMBOLS[name]}$" if name in SYMBOLS else str(variable.attrs.get("long_name", name))
    units = variable.attrs.get("units", "1")
    # The unit of X is X itself, whatever the potential couples to; of a function of the user it is not known.
    said = words if units in ("1", "X", "unknown") else f"{words}  [{units}]"
    return said if name in SYMBOLS else INDEXED.sub(r"$\1$", fill(said, LINE))


def colour_bar(panel: Axes, image: ScalarMappable, axes: AxesLike = None, label: str = "") -> Colorbar:
    """A colour bar beside the panel, or beside all axes given."""
    fig = panel.get_figure()
    assert fig is not None
    return fig.colorbar(image, ax=panel if axes is None else axes, label=label)


def panels(axes: AxesLike, count: int = 1, columns: int | None = None, height: float = 3.4) -> list[Axes]:
    """The axes given, or new ones in a figure of the library's look that needs no display."""
    if axes is not None:
        given = list(np.ravel(np.asarray(axes, dtype=object)))
        if len(given) != count:
            raise ValueError(f"`axes` must be {count} Matplotlib axes, but are {len(given)}")
        return given
    columns = min(count, 3) if columns is None else columns
    rows = -(-count // columns)
    with style():
        fig = Picture(figsize=(3.5 * columns if columns > 1 else 4.6, height * rows), layout="constrained")
        drawn = list(fig.subplots(rows, columns, squeeze=False).ravel())
    for unused in drawn[count:]:
        unused.set_visible(False)
    return drawn[:count]


def single(axes: AxesLike) -> Axes:
    """The axes given, or a new one."""
    return panels(axes)[0]
