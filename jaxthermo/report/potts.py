"""Reproduction of Herpich & Esposito, "Universality in driven Potts models", Phys. Rev. E 99, 022135 (2019)."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxthermo.provenance import provenance
from jaxthermo.report import potts_data, potts_figures, potts_table
from jaxthermo.report.style import caption, save, style
from jaxthermo.report.tables import markdown, show

ByQ = dict[int, xarray.Dataset]

TITLE = "Herpich & Esposito 2019, driven Potts models"
FIGURES = {
    "fig1": "P1-P2 portraits",
    "fig2": "work saved",
    "fig3": "output power",
    "fig4": "maximum power",
}


@dataclass(frozen=True)
class Plan:
    """Which q, and how fine."""

    portraits: tuple[int, ...]
    work: tuple[int, ...]
    landscapes: tuple[int, ...]
    optima: tuple[int, ...]
    work_points: int
    landscape_points: tuple[int, int]

    def qs(self) -> list[int]:
        return sorted({*self.portraits, *self.work, *self.landscapes, *self.optima})


FULL = Plan((3, 4, 5, 6), (2, 3, 4, 5, 6, 7), (4, 5), tuple(range(2, 10)), 201, (60, 48))
# Most of a short run is compilation, one for each q.
QUICK = Plan((3,), (3, 4), (3,), (3, 4), 51, (24, 20))
BETA_MAX = 10.0


@dataclass(frozen=True)
class Reproduction:
    """What `reproduce` made: datasets by figure and q, the table, the paper's sentences judged, the files."""

    data: dict[str, ByQ]
    rows: list[potts_table.Row]
    findings: list[potts_table.Finding]
    files: list[Path]


def reproduce(out: Path, quick: bool = False) -> Reproduction:
    """Compute Figs. 1-4, draw them, store their data, and set the numbers beside the paper's.

    Writes into `out`: potts_fig1.png, .svg and .zarr (one group for each q) to potts_fig4, and potts_table.md.
    """
    plan = QUICK if quick else FULL
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    data = _compute(plan, console)
    files = [path for name in FIGURES for path in _store(out / f"potts_{name}", data[name], quick)]
    files += _draw(out, data, quick)
    rows = potts_table.rows(data["fig2"], data["fig4"])
    findings = potts_table.findings(data["fig2"], data["fig4"])
    files.append(_write_table(out / "potts_table.md", rows, findings, quick))
    _print(console, rows, findings)
    return Reproduction(data, rows, findings, files)


def _compute(plan: Plan, console: Console) -> dict[str, ByQ]:
    """All datasets by figure and q. Two q at a time, since a compilation keeps one core busy."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    workers = min(2, os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        steps = _Steps(plan, progress)
        with ThreadPoolExecutor(workers) as pool:
            # The largest q take longest, so they go first.
            by_q = dict(pool.map(lambda q: (q, steps.run(q)), reversed(plan.qs())))
    wanted = zip(FIGURES, (plan.portraits, plan.work, plan.landscapes, plan.optima), strict=True)
    return {name: {q: by_q[q][name] for q in qs} for name, qs in wanted}


class _Steps:
    """The calculations of one q, all with the same compiled search, and their progress bars."""

    def __init__(self, plan: Plan, progress: Progress):
        self.plan, self.progress = plan, progress
        self.betas = np.linspace(0.0, BETA_MAX, plan.work_points)
        points, loads = plan.landscape_points
        # Midpoints of cells, since the power is zero at beta = 0, f2 = 0 and f2 = -1, and beta_c1 = q decides slowly.
        self.landscape_axes = BETA_MAX * _midpoints(points), -_midpoints(loads)[::-1]
        lanes = len(potts_data.PORTRAIT_BETAS[3]), plan.work_points, points * loads, 1
        counts = (len(qs) * n for qs, n in zip(self._qs().values(), lanes, strict=True))
        self.tasks = {
            name: progress.add_task(f"{name} {FIGURES[name]}", total=total)
            for name, total in zip(FIGURES, counts, strict=True)
        }

    def run(self, q: int) -> dict[str, xarray.Dataset]:
        makers: dict[str, Any] = {
            "fig1": lambda: potts_data.portraits(q, self._advance("fig1")),
            "fig2": lambda: potts_data.work(q, self.betas, self._advance("fig2")),
            "fig3": lambda: potts_data.landscape(q, *self.landscape_axes, self._advance("fig3")),
            "fig4": lambda: self._optimum(q),
        }
        return {name: makers[name]() for name, qs in self._qs().items() if q in qs}

    def _optimum(self, q: int) -> xarray.Dataset:
        best = potts_data.optimum(q)
        self._advance("fig4")(1)
        return best

    def _qs(self) -> dict[str, tuple[int, ...]]:
        plan = self.plan
        return {"fig1": plan.portraits, "fig2": plan.work, "fig3": plan.landscapes, "fig4": plan.optima}

    def _advance(self, name: str) -> Any:
        return lambda count: self.progress.advance(self.tasks[name], count)


def _midpoints(count: int) -> np.ndarray:
    """Centres of `count` equal cells of (0, 1)."""
    return (np.arange(count) + 0.5) / count


def _store(stem: Path, data: ByQ, quick: bool) -> list[Path]:
    """One zarr store for a figure, one group for each q."""
    path = stem.with_name(f"{stem.name}.zarr")
    shutil.rmtree(path, ignore_errors=True)
    for q, dataset in data.items():
        attrs = provenance({**potts_data.PARAMETERS, "q": q, "quick": quick})
        dataset.assign_attrs(attrs).to_zarr(path, group=f"q{q}", consolidated=False, mode="w")
    return [path]


def _draw(out: Path, data: dict[str, ByQ], quick: bool) -> list[Path]:
    with style():
        figures: dict[str, Figure] = {
            "fig1": potts_figures.portraits(data["fig1"]),
            "fig2": potts_figures.work(data["fig2"]),
            "fig3": potts_figures.landscapes(data["fig3"], data["fig4"]),
            "fig4": potts_figures.optima(data["fig4"]),
        }
        for figure in figures.values():
            if quick:
                caption(figure, f"{figure.get_supxlabel()} Quick run.")
        return [path for name, figure in figures.items() for path in save(figure, out / f"potts_{name}")]


def _write_table(path: Path, rows: list[potts_table.Row], findings: list[potts_table.Finding], quick: bool) -> Path:
    note = "\nA quick run: fewer q and coarser grids than the figures of the paper.\n" if quick else ""
    path.write_text(
        f"# {TITLE}\n{note}\n"
        + markdown("Numbers", potts_table.ROW_HEADER, [row.cells() for row in rows])
        + "\n"
        + markdown("The paper's words", potts_table.FINDING_HEADER, [f.cells() for f in findings])
    )
    return path


def _print(console: Console, rows: list[potts_table.Row], findings: list[potts_table.Finding]) -> None:
    for header, lines in (
        (potts_table.ROW_HEADER, [row.cells() for row in rows]),
        (potts_table.FINDING_HEADER, [finding.cells() for finding in findings]),
    ):
        show(console, TITLE, header, lines)
