"""The pictures of docs/benchmarks.md from the committed records: cost against size, error and workers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from jaxthermo.plot.styles import PALETTE, style

Row = dict[str, Any]
FOLDER = Path(__file__).resolve().parents[1] / "docs" / "figures"


def scaling(panel: Axes, rows: list[Row]) -> None:
    """Time of the processor over size, and the power law that fits it."""
    size, seconds = _columns(rows, "size", "cpu_seconds")
    slope = rows[0]["exponent"]
    fitted = np.exp(np.mean(np.log(seconds) - slope * np.log(size))) * size**slope
    panel.loglog(size, seconds, "o", color=PALETTE[1])
    panel.loglog(size, fitted, "-", color=PALETTE[0], label=f"exponent {slope:.2f}")
    panel.set(title=rows[0]["family"], xlabel=rows[0]["what"], ylabel="processor time, s")
    # A share of a decade would show a cost that hardly changes as a steep line.
    low, high = panel.get_ylim()
    middle = np.sqrt(low * high)
    panel.set_ylim(min(low, middle / 10**0.5), max(high, middle * 10**0.5))
    panel.set_xticks(size, [f"{value:.0f}" if value < 1e5 else f"{value / 1e6:.2g} million" for value in size])
    panel.xaxis.set_minor_formatter(NullFormatter())
    _few_ticks(panel.yaxis)
    panel.legend()


def work_precision(panel: Axes, rows: list[Row]) -> None:
    """Error over time of the processor, a line for each method."""
    for color, method in zip(PALETTE, dict.fromkeys(row["method"] for row in rows), strict=False):
        seconds, error = _columns([row for row in rows if row["method"] == method], "cpu_seconds", "error")
        # Rounding has no smaller error to show.
        panel.loglog(seconds, np.maximum(error, ROUNDING), "o-", color=color, label=method)
    panel.set(title=rows[0]["family"], xlabel="processor time, s", ylabel="error")
    _few_ticks(panel.xaxis)
    # Below the panel, where no point is.
    panel.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.2))


def workers(panel: Axes, rows: list[Row]) -> None:
    """Processor time of a chunk over workers, and that of one process; time by the clock says more of the load."""
    count, cpu = _columns(rows, "workers", "cpu_seconds")
    slope = np.polyfit(np.log(count), np.log(cpu), 1)[0]
    chunks = rows[0]["chunks"]
    panel.plot(count, 1e3 * cpu / chunks, "o-", color=PALETTE[1], label=f"all processes, exponent {slope:.2f}")
    panel.axhline(1e3 * rows[0]["alone_cpu_seconds"] / chunks, color=PALETTE[0], label="one process, no cluster")
    panel.set(title=f"{chunks} chunks", xlabel="workers", xticks=count, ylim=(0.0, None))
    panel.set_ylabel("processor time of a chunk, ms")
    panel.legend(fontsize="x-small")


ROUNDING = 1e-15
# What is drawn: a panel for each value of a column.
PICTURES: dict[str, tuple[str, Callable[[Axes, list[Row]], None]]] = {
    "scaling": ("family", scaling),
    "work_precision": ("family", work_precision),
    "scan_dask": ("chunks", workers),
}


def picture_of(name: str, slug: str) -> str:
    """The file's name in docs/figures/."""
    return f"{name}_{slug.replace('.', '_')}.png"


def draw(name: str, slug: str, rows: list[Row]) -> None:
    """Write one picture into docs/figures/."""
    column, panel_of = PICTURES[name]
    groups = dict.fromkeys(row[column] for row in rows)
    across = 2
    down = -(-len(groups) // across)
    with style():
        figure, panels = plt.subplots(down, across, figsize=(8.0, 3.2 * down), layout="constrained", squeeze=False)
        for panel in panels.flat[len(groups) :]:
            panel.set_axis_off()
        for panel, group in zip(panels.flat, groups, strict=False):
            panel_of(panel, [row for row in rows if row[column] == group])
        figure.savefig(FOLDER / picture_of(name, slug), dpi=110)
        plt.close(figure)


def _few_ticks(axis: Axis) -> None:
    """Numbers at 1, 2 and 5 of a decade only, since those at all digits run into each other; over many at 1 only."""
    low, high = axis.get_view_interval()
    if high > 1e3 * low:
        return
    axis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
    axis.set_minor_formatter(LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(np.inf, np.inf)))


def _columns(rows: list[Row], *names: str) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray([row[name] for row in rows], float) for name in names)
