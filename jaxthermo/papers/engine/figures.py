"""Figs. 2 to 5 and 10 of Koyanagi & Tanimura 2024, in the paper's colours, drawn from stored datasets."""

from typing import Any

import jax
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxthermo import plot
from jaxthermo.papers.engine.data import LABELS, POLES, STRENGTHS
from jaxthermo.papers.engine.numbers import equilibrium_entropy
from jaxthermo.plot.styles import PALETTE, caption, figure, panel_title
from jaxthermo.protocols.stirling import STROKES, StirlingCycle

Cases = dict[tuple[str, float], xarray.Dataset]

# Red, green, blue, orange for the strokes; blue, green, red for weak, intermediate and strong coupling.
STROKE_COLOURS = ("#c43131", "#2e8b57", "#2f62b5", "#d98a1f")
STRENGTH_COLOURS = ("#2f62b5", "#2e8b57", "#c43131")
LINES = {"quantum": "-", "classical": "--"}


def describe(cycle: StirlingCycle, label: str, depth: int) -> str:
    """The cycle, the potential and the equations, in two lines."""
    numbers = (cycle.beta_hot, cycle.beta_cold, cycle.x_start, cycle.x_end, cycle.period)
    hot, cold, start, end, period = (float(value) for value in numbers)
    return (
        rf"{label}: $\beta={hot:.3g}\to{cold:.3g}$, $x={start:.3g}\to{end:.3g}$, $\tau={period:g}$;"
        "\n"
        r"$U=0.1q^2+0.02q^3+0.05q^4$; classical: Kramers; quantum: hierarchy, symmetric thermostat, "
        f"$K={POLES}$, depth {depth}."
    )


def protocol(cycles: dict[str, StirlingCycle], text: str) -> Figure:
    """Fig. 2: the schedules x(t) and beta(t) that were used, one row for each cycle."""
    fig, axes = figure(len(cycles), 2, height=2.6 * len(cycles) + 0.3)
    for row, (name, cycle) in enumerate(cycles.items()):
        period, corners = float(cycle.period), np.asarray(cycle.corners()) / float(cycle.period)
        words = (cycle.x, "$x(t)$  [energy/length]"), (cycle.beta, r"$\beta(t)$  [1/energy]")
        for column, (schedule, label) in enumerate(words):
            panel = axes[2 * row + column]
            for index, colour in enumerate(STROKE_COLOURS):
                # The right end belongs to the stroke, though the schedule is periodic.
                t = np.linspace(corners[index], corners[index + 1] - 1e-9, 101)
                panel.plot(t, jax.vmap(schedule)(period * t), color=colour, label=STROKES[index])
            panel.set(xlabel=r"$t/\tau$", ylabel=label)
            panel_title(panel, 2 * row + column, LABELS.get(name, name).split(",")[0])
    axes[0].legend(fontsize=8)
    caption(fig, text)
    return fig


def work_diagrams(cases: Cases, cycle: StirlingCycle, text: str) -> Figure:
    """Fig. 3: x against X, one panel for each coupling and kind, one colour for each stroke."""
    fig, axes = _grid_of(cases)
    for (kind, strength), (panel, index) in axes.items():
        data = cases[kind, strength]
        for stroke, colour in _strokes(data, cycle):
            plot.work_diagram(stroke, panel, color=colour)
        panel.set(xlabel="$X$  [length]", ylabel="$x$  [energy/length]")
        panel_title(panel, index, f"{kind}, $A={strength:g}$, $W={_power_of_ten(float(data.work))}$")
    return _finished(fig, text)


def entropies(cases: Cases, cycle: StirlingCycle, text: str) -> Figure:
    """Fig. 4: temperature against thermodynamic entropy; points where the potential was searched for."""
    fig, axes = _grid_of(cases)
    for (kind, strength), (panel, index) in axes.items():
        data = cases[kind, strength]
        panel.plot(equilibrium_entropy(data), 1.0 / data.beta, color=PALETTE[-1], lw=0.9, ls=":")
        for stroke, colour in _strokes(data, cycle):
            plot.ts_diagram(stroke, panel, quasi_static=False, color=colour)
        at = np.asarray(data.searched)
        panel.plot(data.m_entropy[at], 1.0 / data.beta[at], "k.", ms=4)
        panel.set(xlabel="$S$  [$k_B$]", ylabel="$T$  [energy]")
        panel_title(panel, index, f"{kind}, $A={strength:g}$")
    more = [Line2D([], [], color=PALETTE[-1], ls=":", label="quasi-static")]
    return _finished(fig, text, more)


def energies(cycles: Cases, searched: Cases, text: str) -> Figure:
    """Fig. 5: (a) entropy production rate, averaged between searches, (b) enthalpy and (c) internal energy."""
    fig, axes = figure(3, 1, height=8.6)
    for (kind, strength), found in searched.items():
        rate = found.entropy_production_rate
        axes[0].step(found.time / found.time[-1], rate, where="post", **_look(kind, strength))
        if "entropy_production_rate_exact" in found:
            own = {**_look(kind, strength), "ls": "", "marker": "x", "ms": 4.5, "label": None}
            axes[0].plot(found.search / found.time[-1], found.entropy_production_rate_exact, **own)
    for (kind, strength), data in cycles.items():
        for panel, name in zip(axes[1:], ("H", "U"), strict=True):
            values = data[name] - data[name][0]
            panel.plot(data.time / data.time[-1], values, **_look(kind, strength))
    words = (r"$\dot\Sigma$  [$k_B$/time]", r"$\Delta H$  [energy]", r"$\Delta U$  [energy]")
    for index, (panel, name) in enumerate(zip(axes, words, strict=True)):
        panel.set(xlabel=r"$t/\tau$", ylabel=name)
        panel_title(panel, index, ("entropy production rate", "enthalpy", "internal energy")[index])
    axes[0].set_ylim(bottom=0.0)
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    few = "" if any(kind == "quantum" for kind, _ in searched) else " (a): quantum rates belong to the full run."
    caption(fig, f"{text}\nCrosses: exact rate of the Kramers equation, from the state at that time.{few}")
    return fig


def planck_differences(searched: Cases, text: str) -> Figure:
    """Fig. 10: Xi_qst - Xi_neq at equal beta and x~ over a cycle."""
    fig, (panel,) = figure(1, 1, height=3.9)
    for (kind, strength), data in searched.items():
        look = _look(kind, strength)
        at = np.asarray(data.searched)
        gap = (data.planck_qst - data.planck).values
        panel.plot(data.search / data.time[-1], gap[at], marker="o", ms=3.5, **look)
    panel.axhline(0.0, color="black", lw=0.7)
    panel.set(xlabel=r"$t/\tau$", ylabel=r"$\Xi^{\rm qst}-\Xi^{\rm neq}$  [$k_B$]")
    fig.legend(*panel.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    caption(fig, text)
    return fig


def _power_of_ten(value: float) -> str:
    """As mantissa and power, for a title."""
    mantissa, exponent = f"{value:.2e}".split("e")
    return rf"{mantissa}\times10^{{{int(exponent)}}}"


def _look(kind: str, strength: float) -> dict[str, Any]:
    """Colour of a coupling, line of a kind."""
    colour = STRENGTH_COLOURS[STRENGTHS.index(strength)]
    return {"color": colour, "ls": LINES[kind], "label": f"{kind}, $A={strength:g}$"}


def _grid_of(cases: Cases) -> tuple[Figure, dict[tuple[str, float], tuple[Axes, int]]]:
    """A row for each coupling, a column for each kind; panels without data stay out."""
    strengths = sorted({strength for _, strength in cases})
    kinds = [kind for kind in ("classical", "quantum") if any(k == kind for k, _ in cases)]
    fig, axes = figure(len(strengths), len(kinds), height=2.9 * len(strengths) + 0.7)
    drawn: dict[tuple[str, float], tuple[Axes, int]] = {}
    for row, strength in enumerate(strengths):
        for column, kind in enumerate(kinds):
            panel = axes[len(kinds) * row + column]
            if (kind, strength) in cases:
                drawn[kind, strength] = panel, len(drawn)
            else:
                panel.set_axis_off()
    return fig, drawn


def _strokes(data: xarray.Dataset, cycle: StirlingCycle) -> list[tuple[xarray.Dataset, str]]:
    """The part of the cycle in each stroke, and its colour."""
    corners, time = np.asarray(cycle.corners()), np.asarray(data.time)
    names = [name for name in data.variables if data[name].dims in ((), ("time",))]
    parts = []
    for index, colour in enumerate(STROKE_COLOURS):
        inside = (time >= corners[index] - 1e-6) & (time <= corners[index + 1] + 1e-6)
        parts.append((data[names].isel(time=np.flatnonzero(inside)), colour))
    return parts


def _finished(fig: Figure, text: str, more: list[Line2D] | None = None) -> Figure:
    handles = [Line2D([], [], color=hue, label=name) for hue, name in zip(STROKE_COLOURS, STROKES, strict=True)]
    handles += more or []
    fig.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8, handlelength=1.2)
    caption(fig, text)
    return fig
