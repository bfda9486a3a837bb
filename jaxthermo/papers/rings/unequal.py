"""Rings whose states differ in energy: small differences leave the phases alone, large ones leave one fixed point."""

from typing import Any

import numpy as np
import xarray
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from jaxthermo.papers.rings.lanes import COUPLING, FORCE, POWER, attractors, labelled
from jaxthermo.plot.styles import PALETTE, UNKNOWN, caption, figure, panel_title
from jaxthermo.solve.attractor import AttractorKind

Q = 3
# Energies of the states in units of their spread: one is lowest, and no symmetry of the ring is left.
SHAPE = np.array([0.0, 1.0, 0.4])
COARSE = (np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0]), np.linspace(0.5, 10.0, 20))
FULL = (np.concatenate([[0.0], np.geomspace(0.01, 2.5, 29)]), np.linspace(0.25, 10.0, 40))
# Attractors with mean occupations nearer than this are the same.
SAME = 1e-4
SHOWN = (0.0, 0.05, 2.0)
# Spreads below this are drawn on a linear axis.
SMALL = 0.02


def attractors_of_unequal(spreads: np.ndarray, betas: np.ndarray, advance: Any = None) -> xarray.Dataset:
    """Attractors from each of the q localised starts, over the spread of the energies and beta."""
    start = np.full((Q, Q), 1e-9 / (Q - 1)) + np.eye(Q) * (1.0 - 1e-9 * Q / (Q - 1))
    spread, beta, which = (grid.ravel() for grid in np.meshgrid(spreads, betas, np.arange(Q), indexing="ij"))
    found = attractors(
        Q,
        beta,
        np.full(len(beta), FORCE),
        advance,
        energies=spread[:, None] * SHAPE,
        starts=start[which],
    )
    shape = len(spreads), len(betas), Q
    kind, occupation = np.reshape(found.attractor, shape), np.reshape(found.occupation, (*shape, Q))
    work = np.reshape(found.work_current, shape)
    axes = ("spread", "beta")
    variables = {
        "kind": ((*axes, "start"), kind, "1", "kind of attractor from each start"),
        "number": (axes, _distinct(kind, occupation), "1", "attractors reached, 0 where one start is undecided"),
        "work_current": ((*axes, "start"), work, POWER, "work current per unit"),
        "largest_occupation": ((*axes, "start"), occupation.max(axis=-1), "1", "largest mean occupation"),
        "fullest": ((*axes, "start"), occupation.argmax(axis=-1) + 1, "1", "state of the largest mean occupation"),
    }
    coords = {
        "spread": ("spread", spreads, "energy", "spread of the energies of the states"),
        "beta": ("beta", betas, "1/energy", "inverse temperature"),
        "start": ("start", np.arange(1, Q + 1), "1", "state that holds all units at first"),
    }
    return labelled(variables, coords)


def _distinct(kind: np.ndarray, occupation: np.ndarray) -> np.ndarray:
    """How many of the attractors of each point differ; 0 where not all are known."""
    count = np.zeros(kind.shape[:2], dtype=int)
    for index in np.ndindex(count.shape):
        if np.any(kind[index] == int(AttractorKind.undecided)):
            continue
        seen: list[tuple[int, np.ndarray]] = []
        for one, where in zip(kind[index], occupation[index], strict=True):
            if all(one != other or np.max(np.abs(where - there)) > SAME for other, there in seen):
                seen.append((one, where))
        count[index] = len(seen)
    return count


def draw(data: xarray.Dataset) -> Figure:
    """What is reached over spread and beta, and the work current at some spreads."""
    fig, (left, right) = figure(1, 2, height=3.9)
    cycling = (data.kind == int(AttractorKind.limit_cycle)).any("start").values
    classes = np.where(data.number == 0, 0, np.where(cycling, 2, np.where(data.number == 1, 1, 3)))
    words = ("undecided", "one fixed point", "limit cycle", "several fixed points")
    colours = ListedColormap([UNKNOWN, "#f7f4e9", "#e69f00", "#56b4e9"])
    norm = BoundaryNorm(np.arange(5) - 0.5, 4)
    left.pcolormesh(data.spread, data.beta, classes.T, cmap=colours, norm=norm, shading="nearest", rasterized=True)
    for level, word in enumerate(words):
        if (classes == level).any():
            left.plot([], [], "s", ms=9, mfc=colours(level), mec="black", mew=0.5, label=word)
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=8, handlelength=1.0)
    left.set_xscale("symlog", linthresh=SMALL)
    left.set(xlabel=r"spread $s$ of the energies  [energy]", ylabel=r"inverse temperature $\beta$  [1/energy]")
    for hue, spread in zip(PALETTE, SHOWN, strict=False):
        one = data.sel(spread=spread, method="nearest")
        known = (one.kind != int(AttractorKind.undecided)).values
        for start in range(Q):
            values = np.where(known[:, start], one.work_current[:, start], np.nan)
            name = f"$s={float(one.spread):.2g}$" if start == 0 else None
            right.plot(one.beta, values, color=hue, lw=1.0, marker=".", ms=3, label=name)
    right.set(xlabel=r"inverse temperature $\beta$  [1/energy]", ylabel=r"$\dot W$  [energy/time]")
    right.legend(fontsize=8)
    panel_title(left, 0, f"attractors from the {Q} localised starts")
    panel_title(right, 1, "work current, every start")
    shape = ", ".join(f"{value:g}" for value in SHAPE)
    caption(fig, f"$q={Q}$, $u={COUPLING:g}$, $f={FORCE:g}$, $\\Gamma=0.1$; $\\epsilon_i=s\\,({shape})$.")
    return fig
