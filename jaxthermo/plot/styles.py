"""One look for every figure: black on white, one typeface, one colour per number of states."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

# Okabe & Ito's colours, which stay apart for colour-blind readers, in an order that keeps neighbours unlike.
PALETTE = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f")
HEAT = "cividis"
UNKNOWN = "#d9d9d9"
WIDTH = 7.0
DPI = 200

SETTINGS: Any = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral", "DejaVu Serif"],
    "mathtext.fontset": "stix",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 12,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.4,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Equal data should give equal files.
    "svg.hashsalt": "jaxthermo",
}


class Picture(Figure):
    """A figure that a notebook shows as a picture, also where nothing has loaded pyplot."""

    def _repr_png_(self) -> bytes:
        written = BytesIO()
        self.savefig(written, format="png")
        return written.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """The settings of every figure, for the length of a `with` block."""
    with mpl.rc_context(SETTINGS):
        yield


def figure(rows: int = 1, columns: int = 1, height: float = 4.2) -> tuple[Figure, list[Axes]]:
    """A figure without global state, so that it may be drawn in any thread and without a display."""
    fig = Figure(figsize=(WIDTH, height), layout="constrained")
    return fig, list(fig.subplots(rows, columns, squeeze=False).ravel())


def next_colour(axes: Axes) -> str:
    """The first colour that no line on the axes has yet, so that curves which share axes can be told apart."""
    taken = {to_hex(line.get_color()) for line in axes.get_lines()}
    return next((colour for colour in PALETTE[1:-1] if colour not in taken), PALETTE[1])


def panel_title(axes: Axes, index: int, text: str) -> None:
    """(a), (b), ... and a few words, outside the data."""
    axes.set_title(f"({chr(ord('a') + index)})  {text}", loc="left")


def caption(fig: Figure, text: str) -> None:
    """What was held fixed, below the panels."""
    fig.supxlabel(text, fontsize=9, color="#404040", x=0.01, ha="left")


def save(fig: Figure, stem: Path) -> list[Path]:
    """Write stem.png and stem.svg, laid out once for both."""
    fig.draw_without_rendering()
    fig.set_layout_engine("none")
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
    for path in paths:
        metadata = {"Date": None} if path.suffix == ".svg" else None
        fig.savefig(path, dpi=DPI, metadata=metadata)
    return paths
