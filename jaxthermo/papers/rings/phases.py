"""A phase diagram as a figure, a store and one line of text."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from jaxthermo.plot.styles import HEAT, UNKNOWN, caption, figure, panel_title, save, style
from jaxthermo.potts import Phase, phase_diagram

# One colour for each phase.
COLOURS = (UNKNOWN, "#f7f4e9", "#56b4e9", "#009e73", "#e69f00")
COEXISTENCE = "localised and cyclic, or localised and uniform, states stable"


def draw_phases(
    out: Path,
    q: int,
    coupling: float,
    prefactor: float,
    beta_max: float,
    force_max: float,
    points: int,
    forward_force: float | None = None,
) -> xarray.Dataset:
    """Compute a diagram at the midpoints of points x points cells; write phases_q<q>.png, .svg and .zarr into `out`."""
    middle = (np.arange(points) + 0.5) / points
    forces = force_max * middle if forward_force is None else -forward_force * middle[::-1]
    betas = beta_max * middle
    found = phase_diagram(q, coupling, betas, forces, prefactor=prefactor, forward_force=forward_force)
    data = found.to_dataset()
    out.mkdir(parents=True, exist_ok=True)
    stem = out / f"phases_q{q}"
    path = stem.with_suffix(".zarr")
    shutil.rmtree(path, ignore_errors=True)
    data.to_zarr(path, consolidated=False, mode="w")
    with style():
        save(diagram(data, f"$q={q}$, $u={coupling:g}$, $\\Gamma={prefactor:g}$"), stem)
    return data


def summary(data: xarray.Dataset) -> str:
    """Shares of the phases, and what coexists, in one line."""
    total = data.phase.size
    shares = [f"{name} {float((data.phase == code).sum()) / total:.1%}" for code, name in enumerate(Phase.words())]
    both = float((data.localised_stable & (data.cycle_stable | data.uniform_stable)).sum()) / total
    return f"{', '.join(shares)}; localised beside cyclic or uniform states {both:.1%}"


def diagram(data: xarray.Dataset, fixed: str) -> Figure:
    """Phases with the exact lines and the regions of coexistence, and the work or power that goes with them."""
    fig, (left, right) = figure(1, 2, height=3.9)
    _phases(left, data)
    panel_title(left, 0, "phase from $P_1=1$")
    image = _heat(right, data)
    fig.colorbar(image, ax=right, pad=0.02)
    title = "output power $|P|$" if "output_power" in data else "$\\log_{10}$ of the work current"
    panel_title(right, 1, title)
    caption(fig, f"{fixed}. Hatched: {COEXISTENCE}.")
    return fig


def draw_lines(axes: Axes, data: xarray.Dataset, hue: str) -> None:
    """beta_c1 and the fold over the force."""
    across = _across(data)
    axes.plot(across, data.beta_c1, color=hue, ls="--", lw=1.3)
    axes.plot(across, data.beta_fold, color=hue, lw=1.3)
    axes.set(ylim=(float(data.beta[0]), float(data.beta[-1])), xlabel=str(across.attrs["long_name"]))


def _phases(axes: Axes, data: xarray.Dataset) -> None:
    across = _across(data)
    mesh: dict[str, Any] = {"shading": "nearest", "rasterized": True}
    axes.pcolormesh(across, data.beta, data.phase, cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=4.5, **mesh)
    both = (data.localised_stable & (data.cycle_stable | data.uniform_stable)).values.astype(float)
    if both.any() and min(both.shape) > 1:
        axes.contourf(across, data.beta, both, levels=[0.5, 1.5], colors="none", hatches=["////"])
    draw_lines(axes, data, "black")
    present = [code for code in Phase if (data.phase == code).any()]
    handles = [
        *(Patch(facecolor=COLOURS[code], edgecolor="black", lw=0.5, label=code.word) for code in present),
        Line2D([], [], color="black", ls="--", label=r"$\beta_{c1}$"),
        Line2D([], [], color="black", label="fold"),
    ]
    axes.legend(handles=handles, loc="lower right", frameon=True, framealpha=0.9, fontsize=8)
    axes.set_ylabel(r"inverse temperature $\beta$")


def _heat(axes: Axes, data: xarray.Dataset) -> Any:
    known = data.phase.values != 0
    if "output_power" in data:
        values = data.output_power.values
    else:
        work = data.work_current.values
        values = np.log10(np.where(work > 0, work, np.nan))
    across = _across(data)
    shown = np.ma.masked_invalid(np.where(known, values, np.nan))
    image = axes.pcolormesh(across, data.beta, shown, cmap=HEAT, shading="nearest", rasterized=True)
    draw_lines(axes, data, "white")
    return image


def _across(data: xarray.Dataset) -> xarray.DataArray:
    """The load where there is one, else the force."""
    return data.force2 if "force2" in data else data.force
