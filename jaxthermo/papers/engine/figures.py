"""Figs. 2 to 5 of Koyanagi & Tanimura 2024, drawn from the datasets of `stirling_data`."""

from typing import Any

import numpy as np
import xarray
from matplotlib.figure import Figure

from jaxthermo.plot.style import PALETTE, caption, figure, panel_title
from jaxthermo.protocols.stirling import STROKES, StirlingCycle

Cycles = dict[tuple[str, float], xarray.Dataset]

STROKE_COLOURS = ("#c43131", "#2e8b57", "#2f62b5", "#d98a1f")
LINES = {"quantum": "-", "classical": "--"}


def describe(cycle: StirlingCycle, label: str) -> str:
    """What was held fixed, in one line."""
    numbers = (cycle.beta_hot, cycle.beta_cold, cycle.x_start, cycle.x_end, cycle.period)
    hot, cold, start, end, period = (float(value) for value in numbers)
    return (
        rf"{label}: $\beta={hot:.3g}\to{cold:.3g}$, $x={start:.3g}\to{end:.3g}$, $\tau={period:g}$; "
        r"$U=0.1q^2+0.02q^3+0.05q^4$, $K=2$."
    )


def protocol(cycle: StirlingCycle, text: str) -> Figure:
    """Fig. 2: the schedules x(t) and beta(t) that were used."""
    fig, axes = figure(1, 2, height=3.0)
    period = float(cycle.period)
    corners = np.asarray(cycle.corners()) / period
    for panel, schedule, name in ((axes[0], cycle.x, "$x(t)$"), (axes[1], cycle.beta, r"$\beta(t)$")):
        for index, colour in enumerate(STROKE_COLOURS):
            # The right end belongs to the stroke, though the schedule is periodic.
            t = np.linspace(corners[index], corners[index + 1] - 1e-9, 101)
            panel.plot(t, [float(schedule(period * moment)) for moment in t], color=colour, label=STROKES[index])
        panel.set(xlabel=r"$t/\tau$", ylabel=name)
    axes[0].legend(fontsize=8)
    caption(fig, text)
    return fig


def work_diagrams(cycles: Cycles, cycle: StirlingCycle, text: str) -> Figure:
    """Fig. 3: x against X, one panel for each coupling and kind, one colour for each stroke."""
    strengths = sorted({strength for _, strength in cycles})
    fig, axes = figure(len(strengths), 2, height=3.1 * len(strengths) + 0.3)
    corners = np.asarray(cycle.corners())
    for row, strength in enumerate(strengths):
        for column, kind in enumerate(("classical", "quantum")):
            panel, data = axes[2 * row + column], cycles[kind, strength]
            for index, colour in enumerate(STROKE_COLOURS):
                inside = (data.time >= corners[index] - 1e-6) & (data.time <= corners[index + 1] + 1e-6)
                panel.plot(data.X[inside], data.x[inside], color=colour, label=STROKES[index])
            middle = int(np.argmax(np.asarray(data.time) > 0.5 * corners[1]))
            panel.annotate(
                "",
                xy=(data.X[middle + 1], data.x[middle + 1]),
                xytext=(data.X[middle], data.x[middle]),
                arrowprops={"arrowstyle": "-|>", "color": STROKE_COLOURS[0]},
            )
            panel.set(xlabel=r"$X$", ylabel="$x$")
            panel_title(panel, 2 * row + column, f"{kind}, $A={strength:g}$, $W={float(data.work):.2e}$")
    axes[0].legend(fontsize=8)
    caption(fig, text)
    return fig


def entropies(searched: Cycles, cycle: StirlingCycle, text: str) -> Figure:
    """Fig. 4: temperature against thermodynamic entropy, at the points where the potential was searched for."""
    strengths = sorted({strength for _, strength in searched})
    fig, axes = figure(len(strengths), 2, height=3.1 * len(strengths) + 0.3)
    corners = np.asarray(cycle.corners())
    for row, strength in enumerate(strengths):
        for column, kind in enumerate(("classical", "quantum")):
            panel, data = axes[2 * row + column], searched[kind, strength]
            time = np.asarray(data.time)
            panel.plot(data.m_entropy_qst, 1.0 / data.beta, color=PALETTE[-1], lw=0.8, ls=":", label="quasi-static")
            for index, colour in enumerate(STROKE_COLOURS):
                inside = (time >= corners[index] - 1e-6) & (time <= corners[index + 1] + 1e-6)
                panel.plot(data.m_entropy[inside], 1.0 / data.beta[inside], color=colour, label=STROKES[index])
            at = np.asarray(data.searched)
            panel.plot(data.m_entropy[at], 1.0 / data.beta[at], "k.", ms=4)
            panel.set(xlabel=r"$S$", ylabel="$T$")
            panel_title(panel, 2 * row + column, f"{kind}, $A={strength:g}$")
    axes[0].legend(fontsize=8)
    caption(fig, text)
    return fig


def energies(cycles: Cycles, searched: Cycles, text: str) -> Figure:
    """Fig. 5: (a) entropy production rate, averaged between searches, (b) enthalpy and (c) internal energy."""
    fig, axes = figure(1, 3, height=3.9)
    strengths = sorted({strength for _, strength in cycles})
    for (kind, strength), data in cycles.items():
        style: dict[str, Any] = {"color": PALETTE[1 + strengths.index(strength)], "ls": LINES[kind]}
        label = f"{kind}, $A={strength:g}$"
        found = searched[kind, strength]
        axes[0].step(found.time / found.time[-1], found.entropy_production_rate, where="post", label=label, **style)
        for panel, name in zip(axes[1:], ("H", "U"), strict=True):
            values = data[name] - data[name][0]
            panel.plot(data.time / data.time[-1], values, label=label, **style)
    for panel, name in zip(axes, (r"$\dot\Sigma$", r"$\Delta H$", r"$\Delta U$"), strict=True):
        panel.set(xlabel=r"$t/\tau$", ylabel=name)
    # Above the panels: the curves leave no room inside any of them.
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    caption(fig, text)
    return fig
