"""Pictures of rings and networks: portraits, attractors, branches, basins, phases."""

from typing import Any, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap

from jaxthermo.plot._data import AxesLike, Data, LineStyle, colour_bar, dataset_of, label, panels, single
from jaxthermo.plot.styles import PALETTE, UNKNOWN, next_colour


def portrait(data: Data, axes: Axes | None = None, *, simplex: bool = False, **line: Unpack[LineStyle]) -> Axes:
    """A trajectory of the occupations in the plane of P_1 and P_2, or for three states in their triangle.

    data       a result of `jt.potts.evolve`, `jt.jumps.evolve` or `jt.jumps.periodic_state`, or its dataset
    axes       Matplotlib axes; None: new ones
    simplex    draw in the triangle of three states, whose corners are P_i = 1
    line       colour, label and so on of the line
    Returns    the axes
    Raises     ValueError for a triangle of other than three states
    Source     Herpich & Esposito 2019, Fig. 1
    """
    occupation = np.asarray(dataset_of(data, "occupation").occupation)
    panel = single(axes)
    if simplex and occupation.shape[1] != 3:
        raise ValueError(f"`simplex` must be False for {occupation.shape[1]} states: a triangle has three corners")
    across, up = _in_triangle(occupation) if simplex else (occupation[:, 0], occupation[:, 1])
    (drawn,) = panel.plot(across, up, **({"color": next_colour(panel)} | line))
    panel.plot(across[0], up[0], "o", ms=4, mfc="white", mec=drawn.get_color())
    panel.set_aspect("equal")
    if simplex:
        _triangle(panel)
    else:
        panel.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="$P_1$", ylabel="$P_2$")
    return panel


def attractor(data: Data, axes: AxesLike = None) -> list[Axes]:
    """Occupations against time, and how they stand around the ring at the last time.

    data       a result of `jt.potts.evolve`, `jt.jumps.evolve` or `jt.jumps.periodic_state`, or its dataset
    axes       two Matplotlib axes; None: new ones
    Returns    the two axes
    """
    dataset = dataset_of(data, "occupation", "time")
    occupation = np.asarray(dataset.occupation)
    left, right = panels(axes, 2, height=3.2)
    for index, values in enumerate(occupation.T):
        left.plot(dataset.time, values, color=PALETTE[index % len(PALETTE)], label=f"$P_{{{index + 1}}}$")
    left.set(xlabel=label(dataset.time), ylabel="occupation $P_i$")
    if occupation.shape[1] <= 8:
        left.legend(ncols=2)
    angle = 2.0 * np.pi * np.arange(occupation.shape[1]) / occupation.shape[1]
    for index, (turn, share) in enumerate(zip(angle, occupation[-1], strict=True)):
        colour = PALETTE[index % len(PALETTE)]
        right.plot(np.sin(turn), np.cos(turn), "o", ms=4 + 40 * np.sqrt(share), color=colour, alpha=0.8)
        right.annotate(str(index + 1), (1.45 * np.sin(turn), 1.45 * np.cos(turn)), ha="center", va="center")
    right.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), xticks=[], yticks=[])
    right.set_aspect("equal")
    return [left, right]


def branch(data: Data, axes: Axes | None = None, *, of: str = "occupation", **line: Unpack[LineStyle]) -> Axes:
    """A quantity along a branch of fixed points: full where stable, dotted where not, circles at folds.

    data       a result of `jt.potts.branch` or `jt.jumps.branch`, or its dataset
    axes       Matplotlib axes; None: new ones
    of         the quantity: "occupation" (that of the first state), "work_current", ...
    line       colour, label and so on of the line
    Returns    the axes
    """
    dataset = dataset_of(data, of, "beta", "stable", "fold")
    beta, stable, fold = (np.asarray(dataset[name]) for name in ("beta", "stable", "fold"))
    along_force = np.ptp(beta) == 0.0
    across = np.asarray(dataset.forces)[:, 0] if along_force else beta
    values = np.asarray(dataset[of])
    values = values[:, 0] if values.ndim > 1 else values
    panel = single(axes)
    style: LineStyle = {"color": next_colour(panel), **line}
    panel.plot(across, np.where(stable, values, np.nan), **style)
    (unstable,) = panel.plot(across, np.where(stable, np.nan, values), **style)
    unstable.set(linestyle=":", label="_unstable")
    panel.plot(across[fold], values[fold], "o", ms=5, mfc="white", mec=style["color"])
    panel.set(xlabel="force $f$  [energy]" if along_force else label(dataset.beta), ylabel=label(dataset[of]))
    return panel


def basins(data: Data, axes: Axes | None = None) -> Axes:
    """Shares of random starts that reach each attractor, with their standard errors.

    data       a result of `jt.potts.attractors`, or its dataset
    axes       Matplotlib axes; None: new ones
    Returns    the axes
    """
    dataset = dataset_of(data, "basin", "basin_error", "attractor")
    kinds = np.asarray(dataset.attractor)
    words = str(dataset.attractor.attrs.get("flag_meanings", "")).split()
    names = [words[kind].replace("_", " ") if kind < len(words) else str(kind) for kind in kinds]
    panel = single(axes)
    places = np.arange(len(kinds))
    panel.bar(places, dataset.basin, yerr=dataset.basin_error, color=[PALETTE[1 + kind] for kind in kinds], capsize=3)
    panel.set_xticks(places, [f"{index + 1}: {name}" for index, name in enumerate(names)], rotation=20, ha="right")
    panel.set(ylabel="share of starts", ylim=(0.0, 1.05))
    return panel


def phase_diagram(data: Data, axes: Axes | None = None, *, of: str = "phase") -> Axes:
    """Phases, or a quantity, over force and inverse temperature, with the exact lines beta_c1 and the fold.

    data       a result of `jt.potts.phase_diagram`, or its dataset
    axes       Matplotlib axes; None: new ones
    of         "phase", or a quantity such as "work_current" or "output_power"
    Returns    the axes
    Source     Herpich & Esposito 2019, Fig. 3
    """
    dataset = dataset_of(data, of, "beta", "force", "beta_c1", "beta_fold")
    across = dataset.force2 if "force2" in dataset else dataset.force
    panel = single(axes)
    shape: dict[str, Any] = {"shading": "nearest", "rasterized": True}
    beta, values = np.asarray(dataset.beta), np.asarray(dataset[of])
    if of == "phase":
        words = str(dataset.phase.attrs.get("flag_meanings", "")).split()
        count = max(len(words), int(values.max()) + 1)
        colours = ListedColormap([UNKNOWN, *("#f2f2f2", "#9ecae1", "#fdae6b", "#a1d99b", "#bcbddc")][:count])
        bounds = BoundaryNorm(np.arange(count + 1) - 0.5, count)
        image = panel.pcolormesh(across, beta, values, cmap=colours, norm=bounds, **shape)
        bar = colour_bar(panel, image)
        bar.set_ticks(list(range(count)))
        bar.set_ticklabels([word.replace("_", " ") for word in words] or [str(k) for k in range(count)])
    else:
        image = panel.pcolormesh(across, beta, np.ma.masked_invalid(values), cmap="cividis", **shape)
        colour_bar(panel, image, label=label(dataset[of]))
    panel.plot(across, dataset.beta_c1, color="black", ls="--", lw=1.2, label=r"$\beta_{c1}$")
    panel.plot(across, dataset.beta_fold, color="black", ls=":", lw=1.4, label="fold")
    panel.set(xlabel=label(across), ylabel=label(dataset.beta), ylim=(beta.min(), beta.max()))
    panel.legend()
    return panel


def _in_triangle(occupation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (0, 0), (1, 0), (1/2, sqrt(3)/2) for P_1, P_2, P_3."""
    return occupation[:, 1] + 0.5 * occupation[:, 2], np.sqrt(0.75) * occupation[:, 2]


def _triangle(panel: Axes) -> None:
    top = np.sqrt(0.75)
    panel.plot([0, 1, 0.5, 0], [0, 0, top, 0], color="black", lw=0.8)
    for corner, (x, y) in enumerate(((-0.05, -0.04), (1.05, -0.04), (0.5, top + 0.05))):
        panel.annotate(f"${corner + 1}$", (x, y), ha="center", va="center")
    panel.set(xlim=(-0.12, 1.12), ylim=(-0.12, 1.0))
    panel.set_axis_off()
