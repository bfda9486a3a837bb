"""Figs. 1-4 of Herpich & Esposito 2019, drawn from the datasets of `data`."""

from typing import Any

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from jaxthermo import plot
from jaxthermo.papers.rings.lanes import FORCE, PREFACTOR
from jaxthermo.plot.styles import HEAT, PALETTE, UNKNOWN, caption, figure, panel_title
from jaxthermo.potts import Phase
from jaxthermo.potts.edges import Place

ByQ = dict[int, xarray.Dataset]

PLACES = {
    Place.interior: "inside a phase",
    Place.onset: r"at $\beta_{c1}$",
    Place.fold: "at the fold",
    Place.basin_edge: "on the edge of a basin",
    Place.period_doubling: "where a period doubles",
    Place.unknown: "on an edge that is not known",
}

FIXED = r"$u=-1$, $\Gamma=0.1$, start $P_1=1$"


def colour(q: int) -> str:
    """The colour of a number of states, the same in every figure."""
    return PALETTE[(q - 2) % len(PALETTE)]


def portraits(data: ByQ) -> Figure:
    """Fig. 1: P_1-P_2 portraits."""
    rows = (len(data) + 1) // 2
    fig, axes = figure(rows, min(2, len(data)), height=3.75 * rows + 0.3)
    for index, (q, dataset) in enumerate(data.items()):
        _portrait(axes[index], q, dataset)
        panel_title(axes[index], index, f"$q={q}$")
    caption(
        fig,
        f"{FIXED}, $f=1$; the values of $\\beta$ are ours. Thick: limit cycle; dots: fixed points;\n"
        "large open circle: uniform state, unstable for $\\beta>q$; small open circle: start.",
    )
    return fig


def _portrait(axes: Axes, q: int, dataset: xarray.Dataset) -> None:
    handles = []
    for index, beta in enumerate(dataset.beta.values):
        lane = dataset.isel(beta=index)
        phase = int(lane.phase)
        line: dict[str, Any] = {"color": PALETTE[index + 1]}
        plot.portrait(lane, axes, linewidth=0.8, **line)
        if phase == Phase.limit_cycle:
            axes.plot(*_pair(lane.cycle.values), lw=2.2, **line)
        elif phase not in (Phase.undecided, Phase.uniform):
            # Every turn of the ring makes another fixed point; together they are the pairs of neighbours.
            point = lane.attractor.values
            axes.plot(point, np.roll(point, -1), "o", ms=6, mec="black", mew=0.6, zorder=3, **line)
        handles.append(Line2D([], [], lw=2.2, label=rf"$\beta={beta:g}$, {Phase(phase).word}", **line))
    stable = "black" if dataset.beta.values.max() < float(dataset.critical_beta) else "white"
    axes.plot(1 / q, 1 / q, "o", ms=6.5, mfc=stable, mec="black", mew=1.2, zorder=4)
    axes.legend(handles=handles, loc="upper right", handlelength=1.2)


def _pair(occupation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return occupation[:, 0], occupation[:, 1]


def work(data: ByQ) -> Figure:
    """Fig. 2: W_1 - W, and W / W_1, against beta: the paper's points, and the limits at both transitions."""
    fig, axes = figure(1, 2, height=4.1)
    for q, dataset in data.items():
        _saved(axes, q, dataset)
    axes[0].set(xlabel=r"inverse temperature $\beta$  [1/energy]", ylabel=r"$\dot W_1-\dot W$  [energy/time]")
    axes[1].set(xlabel=r"inverse temperature $\beta$  [1/energy]", ylabel=r"$\dot W/\dot W_1$", ylim=(-0.02, 1.08))
    axes[0].legend(loc="upper left")
    for index, panel in enumerate(axes):
        panel.set_xlim(0, 10)
        panel_title(panel, index, ("work saved", "work relative to the uniform state")[index])
    caption(
        fig,
        f"{FIXED}, $f=1$. Dots: the paper's $\\beta=0,1,\\ldots,10$; open: limits from either side of\n"
        "$\\beta_{c1}=q$ and of the fold $\\beta_{c2}$; squares: low-temperature limit; crosses at the top: undecided.",
    )
    return fig


def _saved(axes: list[Axes], q: int, dataset: xarray.Dataset) -> None:
    """One q, with a line from limit to limit."""
    beta, uniform = dataset.beta.values, dataset.uniform_work_current.values
    known = dataset.phase.values != Phase.undecided
    actual = np.where(known, dataset.work_current.values, np.nan)
    edges = np.array([float(dataset.critical_beta), float(dataset.fold_beta)])
    limits = dataset.limit.values
    ends = uniform_at(edges)
    cold, last = float(dataset.low_temperature), uniform[-1]
    look: dict[str, Any] = {"color": colour(q), "zorder": 4}
    for panel, of in zip(axes, (_saving, _ratio), strict=True):
        line = _with_limits(beta, of(uniform, actual), edges, of(ends[:, None], limits))
        panel.plot(*line, color=colour(q), label=f"$q={q}$")
        whole = np.isclose(beta, np.round(beta)) & known
        panel.plot(beta[whole], of(uniform[whole], actual[whole]), "o", ms=3.5, **look)
        for side in (0, 1):
            panel.plot(edges, of(ends, limits[:, side]), "o", ms=5, mfc="white", mec=colour(q), zorder=5)
        panel.plot(beta[-1], of(last, cold), "s", ms=5, clip_on=False, **look)
        for at in beta[~known & ~np.isclose(beta, edges[0])]:
            panel.plot(at, 1.0, "x", ms=5, transform=panel.get_xaxis_transform(), clip_on=False, **look)


def uniform_at(beta: np.ndarray) -> np.ndarray:
    """Work current of the uniform state, Eq. (10)."""
    return np.asarray(2.0 * PREFACTOR * FORCE * np.sinh(0.5 * beta * FORCE))


def _saving(uniform: Any, work: Any) -> np.ndarray:
    return np.asarray(np.asarray(uniform) - np.asarray(work))


def _ratio(uniform: Any, work: Any) -> np.ndarray:
    uniform, work = np.broadcast_arrays(np.asarray(uniform, float), np.asarray(work, float))
    return np.divide(work, uniform, out=np.full(work.shape, np.nan), where=uniform > 0)


def _with_limits(
    beta: np.ndarray, values: np.ndarray, edges: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points of a line without undecided ones, with the limits at the edges, and a gap where the two differ."""
    places, heights = [beta], [values]
    for edge, (warm, cold) in zip(edges, limits, strict=True):
        tiny = 1e-9 * edge
        gap = [np.nan] if not np.isclose(warm, cold, rtol=1e-2, atol=1e-3) else [0.5 * (warm + cold)]
        places.append(np.array([edge - tiny, edge, edge + tiny]))
        heights.append(np.array([warm, *gap, cold]))
    across, up = np.concatenate(places), np.concatenate(heights)
    order = np.argsort(across, kind="stable")
    across, up = across[order], up[order]
    # An undecided point of the grid is no gap: its neighbours, or the limits, go on.
    undecided = np.isin(across, beta) & ~np.isfinite(up)
    return across[~undecided], up[~undecided]


def landscapes(data: ByQ, best: ByQ) -> Figure:
    """Fig. 3: output power over (f2, beta)."""
    fig, axes = figure(1, len(data), height=4.4)
    known = {q: d.power.where(d.phase != Phase.undecided) for q, d in data.items()}
    top = max(float(best[q].power) if q in best else float(known[q].max()) for q in data)
    for index, (q, dataset) in enumerate(data.items()):
        image = _landscape(axes[index], dataset, best.get(q), top)
        panel_title(axes[index], index, f"$q={q}$")
    fig.colorbar(image, ax=axes, label="output power $|P|$  [energy/time]", pad=0.02)
    handles = [
        Line2D([], [], color="white", ls="--", label=r"$\beta_{c1}$"),
        Line2D([], [], color="white", ls=":", label="fold of the localised states"),
        Line2D([], [], color="white", marker="o", ls="", mfc="none", label="maximum"),
        Patch(facecolor=UNKNOWN, label="undecided"),
    ]
    axes[0].legend(handles=handles, loc="upper left", labelcolor="white")
    count = ", ".join(f"{int((d.phase == Phase.undecided).sum())} of {d.phase.size}" for d in data.values())
    edge = ", ".join(f"$q={q}$: {PLACES[Place(int(best[q].place))]}" for q in data if q in best)
    caption(fig, f"{FIXED}, $f_1=1$. Undecided: {count} points.\nWhere the maximum lies: {edge or 'see the full run'}.")
    return fig


def _landscape(axes: Axes, dataset: xarray.Dataset, best: xarray.Dataset | None, top: float) -> Any:
    loads, betas = dataset.force2.values, dataset.beta.values
    unknown = dataset.phase.values == Phase.undecided
    power = np.ma.masked_where(unknown, dataset.power.values)
    image = axes.pcolormesh(loads, betas, power, cmap=HEAT, vmin=0.0, vmax=top, shading="nearest", rasterized=True)
    shade = np.ma.masked_where(~unknown, np.ones(unknown.shape))
    axes.pcolormesh(loads, betas, shade, cmap=ListedColormap([UNKNOWN]), shading="nearest", rasterized=True)
    axes.axhline(float(dataset.critical_beta), color="white", ls="--", lw=1.3)
    axes.plot(loads, dataset.fold_beta.values, color="white", ls=":", lw=1.8)
    if (dataset.phase == Phase.limit_cycle).any():
        axes.text(-0.2, float(dataset.critical_beta) + 0.35, "S", color="white", ha="center", va="bottom")
    if best is not None:
        axes.plot(float(best.force2), float(best.beta), "o", ms=9, mfc="none", mec="white", mew=1.8)
    axes.set(
        xlabel="load $f_2$  [energy]", ylabel=r"inverse temperature $\beta$  [1/energy]", ylim=(betas[0], betas[-1])
    )
    return image


def optima(data: ByQ) -> Figure:
    """Fig. 4: the largest output power and its efficiency against q."""
    fig, (left,) = figure(1, 1, height=4.2)
    right = left.twinx()
    qs = np.array(list(data))
    for axes, name, markers, hue in ((left, "power", "o^", PALETTE[1]), (right, "efficiency", "sD", PALETTE[2])):
        values = np.array([float(d[name]) for d in data.values()])
        axes.plot(qs, values, color=hue, lw=1.2)
        for q, value, d in zip(qs, values, data.values(), strict=True):
            filled = hue if int(d.phase) == Phase.limit_cycle else "white"
            marker = markers[int(d.place) != Place.interior]
            axes.plot(q, value, marker, ms=8, mfc=filled, mec=hue, mew=1.6, zorder=3)
        axes.tick_params(axis="y", colors=hue, which="both", left=axes is left, right=axes is right)
    left.set_xlabel("number of states $q$")
    left.set_ylabel("largest output power $|P|$  [energy/time]", color=PALETTE[1])
    right.set_ylabel(r"efficiency at maximum power $\eta^*$", color=PALETTE[2])
    left.set(xticks=qs, xlim=(qs[0] - 0.5, qs[-1] + 0.5), ylim=(0, 1.1 * max(float(d.power) for d in data.values())))
    right.set_ylim(0.2, 0.52)
    for q in qs[qs % 2 == 1]:
        left.axvline(q, color="black", ls=":", lw=0.8, zorder=0)
        left.text(q, 1.01, "S", transform=left.get_xaxis_transform(), ha="center", va="bottom")
    caption(
        fig,
        f"{FIXED}, $f_1=1$. Circles: $|P|$, squares: $\\eta^*$; triangles and diamonds: the maximum is the limit at an "
        "edge\n($\\beta_{c1}$, a fold, the border of a basin). Filled: a limit cycle; open: a fixed point. S: odd $q$.",
    )
    return fig
