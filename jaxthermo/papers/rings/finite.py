"""How N units approach the mean field, in three phases: the figure of docs/finite.md and its data.

`python -m jaxthermo.papers.rings.finite FOLDER` writes finite.png and finite.svg.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

import jaxthermo as jt
from jaxthermo.papers.labels import labelled
from jaxthermo.plot.styles import PALETTE, caption, figure, panel_title, save, style
from jaxthermo.provenance import provenance

if TYPE_CHECKING:
    import xarray

Q, COUPLING, FORCE, PREFACTOR = 3, -1.0, 1.0, 1.0
PHASES = {"uniform": 2.0, "synchronised": 3.5, "localised": 8.0}
UNITS = (1, 2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320)
ROUNDING = 1e-9
COHERENT = 5  # units from which modes are followed: fewer hardly oscillate


def approach(units: Sequence[int] = UNITS) -> "xarray.Dataset":
    """Stationary work currents and quality factors over N and phase, beside the mean field's work currents."""
    ring = jt.PottsRing(Q, COUPLING, FORCE, PREFACTOR)
    shape = len(PHASES), len(units)
    work, quality, residual = (np.full(shape, np.nan) for _ in range(3))
    for column, number in enumerate(units):
        for row, beta in enumerate(PHASES.values()):
            found = jt.potts.mesoscopic_stationary(ring, beta, number)
            work[row, column], residual[row, column] = float(found.work_current), float(found.residual)
            if number >= COHERENT:
                mode = jt.potts.coherence(ring, beta, number)
                quality[row, column] = float(mode.quality_factor) if bool(mode.ok.all()) else np.nan
    limit = [float(jt.potts.stationary(ring, beta).work_current) for beta in PHASES.values()]
    variables = {
        "work_current": (("beta", "units"), work, "energy/time", "stationary work current per unit"),
        "mean_field": ("beta", limit, "energy/time", "work current of the mean field"),
        "quality_factor": (("beta", "units"), quality, "1", "|Im/Re| of the slowest mode"),
        "residual": (("beta", "units"), residual, "1", "residual of the stationary state"),
    }
    coords = {
        "beta": ("beta", list(PHASES.values()), "1/energy", "inverse temperature"),
        "units": ("units", list(units), "1", "number of units"),
    }
    parameters = {"q": Q, "coupling": COUPLING, "force": FORCE, "prefactor": PREFACTOR}
    return labelled(variables, coords).assign_attrs(provenance(parameters))


def slopes(data: "xarray.Dataset") -> np.ndarray:
    """d ln |W_N - W| / d ln N between the last two numbers of units, by phase."""
    gap = np.abs(data.work_current - data.mean_field).values[:, -2:]
    return np.diff(np.log(gap), axis=1)[:, 0] / np.diff(np.log(data.units.values[-2:]))[0]


def draw(data: "xarray.Dataset", stem: Path) -> list[Path]:
    """Work currents, their distance from the mean field, and quality factors over N."""
    colours = dict(zip(PHASES, (PALETTE[1], PALETTE[2], PALETTE[3]), strict=True))
    with style():
        fig, (left, middle, right) = figure(1, 3, height=3.1)
        for row, (name, beta) in enumerate(PHASES.items()):
            one = data.isel(beta=row)
            limit = float(one.mean_field)
            line: dict[str, Any] = {"color": colours[name], "marker": "o", "markersize": 3}
            left.plot(one.units, one.work_current / limit, **line)
            gap = np.abs(one.work_current / limit - 1.0)
            # One unit of the uniform phase is the mean field, to rounding.
            middle.plot(one.units, gap.where(gap > ROUNDING), **line)
            right.plot(one.units, one.quality_factor, label=rf"{name}, $\beta$ = {beta:g}", **line)
        left.axhline(1.0, color="#7f7f7f", linewidth=0.8)
        left.set(xscale="log", ylim=(0.75, 1.85), xlabel="units $N$", ylabel="$W_N/W$")
        guide = np.array([10.0, data.units.values[-1]])
        middle.plot(guide, 0.35 / guide, color="#7f7f7f", linestyle="--", linewidth=0.8)
        middle.annotate("$1/N$", (guide[0], 0.35 / guide[0]), ha="right", va="center", fontsize=9, color="#404040")
        middle.set(xscale="log", yscale="log", xlabel="units $N$", ylabel="$|W_N/W - 1|$")
        label = r"$|{\rm Im}\,\Lambda/{\rm Re}\,\Lambda|$"
        right.set(xscale="log", yscale="log", xlabel="units $N$", ylabel=label)
        right.legend(loc="upper left", handlelength=1.2, fontsize=8)
        panel_title(left, 0, "work current")
        panel_title(middle, 1, "approach")
        panel_title(right, 2, "quality factor")
        caption(fig, f"q = {Q}, u = {COUPLING:g}, f = {FORCE:g}, prefactor {PREFACTOR:g}")
        return save(fig, stem)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    data = approach()
    folder = Path(*sys.argv[1:2])
    folder.mkdir(parents=True, exist_ok=True)
    print(draw(data, folder / "finite"), "slopes:", dict(zip(PHASES, slopes(data), strict=True)))
