"""Reproduction of Herpich & Esposito, "Universality in driven Potts models", Phys. Rev. E 99, 022135 (2019)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from matplotlib.figure import Figure
from rich.console import Console

from jaxthermo.papers import index, plan
from jaxthermo.papers.rings import data as potts_data
from jaxthermo.papers.rings import figures as potts_figures
from jaxthermo.papers.rings import table as potts_table
from jaxthermo.papers.tables import markdown, show
from jaxthermo.plot.style import caption, save, style
from jaxthermo.provenance import provenance

ByQ = dict[int, xarray.Dataset]

TITLE = "Herpich & Esposito 2019, driven Potts models"
FIGURES = {
    "fig1": "Fig. 1: trajectories from P_1 = 1 in the plane of P_1 and P_2, and the attractors they reach.",
    "fig2": "Fig. 2: the work that order saves, and its share of the uniform state's, against beta.",
    "fig3": "Fig. 3: output power over load and inverse temperature, with the transitions and the maximum.",
    "fig4": "Fig. 4: the largest output power and its efficiency against q.",
}
TABLE = "Every number beside the exact one or the paper's, and the paper's words beside the numbers."


@dataclass(frozen=True)
class Scope:
    """Which q, and how fine."""

    portraits: tuple[int, ...]
    work: tuple[int, ...]
    landscapes: tuple[int, ...]
    optima: tuple[int, ...]
    work_points: int
    landscape_points: tuple[int, int]


FULL = Scope((3, 4, 5, 6), (2, 3, 4, 5, 6, 7), (4, 5), tuple(range(2, 10)), 201, (60, 48))
# Most of a short run is compilation, one for each q.
QUICK = Scope((3,), (3, 4), (3,), (3, 4), 51, (24, 20))
BETA_MAX = 10.0


@dataclass(frozen=True)
class Reproduction:
    """What `reproduce` made: datasets by figure and q, the table, the paper's sentences judged, the files."""

    data: dict[str, ByQ]
    rows: list[potts_table.Row]
    findings: list[potts_table.Finding]
    files: list[Path]
    reused: int


def reproduce(out: Path, quick: bool = False) -> Reproduction:
    """Compute Figs. 1-4, draw them, store their data, and set the numbers beside the paper's.

    Writes into `out`: potts_fig1.png, .svg and .zarr (one group for each q) to potts_fig4, potts_table.md, and the page
    index.html. What an earlier run has computed with the same code is used again.
    """
    console = Console()
    scope = QUICK if quick else FULL
    jobs = jobs_of(scope, quick)
    products = products_of(jobs, quick)
    made = plan.run(out, products, console)
    data = {figure: {q: made.data[job.name] for q, job in by_q.items()} for figure, by_q in jobs.items()}
    rows, findings = _judged(data["fig2"], data["fig4"])
    _print(console, rows, findings)
    note = "A quick run: fewer q and coarser grids than the figures of the paper." if quick else ""
    index.record(out, "potts", TITLE, note, products, made)
    stores = [out / f"potts_{figure}.zarr" for figure in FIGURES]
    return Reproduction(data, rows, findings, [*stores, *made.paths()], made.reused)


def jobs_of(scope: Scope, quick: bool) -> dict[str, dict[int, plan.Job]]:
    """The calculations by figure and q; those of one q share their compiled search."""
    betas = np.linspace(0.0, BETA_MAX, scope.work_points)
    points, loads = scope.landscape_points
    # Midpoints of cells, since the power is zero at beta = 0, f2 = 0 and f2 = -1, and beta_c1 = q decides slowly.
    axes = BETA_MAX * _midpoints(points), -_midpoints(loads)[::-1]
    makers: dict[str, tuple[tuple[int, ...], int, float, Callable[..., xarray.Dataset]]] = {
        "fig1": (scope.portraits, len(potts_data.PORTRAIT_BETAS[3]), 20.0, potts_data.portraits),
        "fig2": (scope.work, scope.work_points, 10.0, lambda q, advance: potts_data.work(q, betas, advance)),
        "fig3": (scope.landscapes, points * loads, 10.0, lambda q, advance: potts_data.landscape(q, *axes, advance)),
        "fig4": (scope.optima, 1, 25.0, lambda q, advance: potts_data.optimum(q)),
    }
    return {
        figure: {q: _job(figure, q, scope, quick, lanes, cost, make) for q in qs}
        for figure, (qs, lanes, cost, make) in makers.items()
    }


def _job(figure: str, q: int, scope: Scope, quick: bool, lanes: int, cost: float, make: Any) -> plan.Job:
    settings = {**potts_data.PARAMETERS, "q": q, "quick": quick, "beta_max": BETA_MAX}
    settings |= {"work_points": scope.work_points} if figure == "fig2" else {}
    settings |= {"landscape_points": scope.landscape_points} if figure == "fig3" else {}

    def labelled(advance: plan.Advance) -> xarray.Dataset:
        return make(q, lambda count: advance(count / lanes)).assign_attrs(provenance(settings))

    # A lane costs the more the larger q is; compiling costs alike.
    weight = cost + 0.002 * q * lanes
    return plan.Job(f"potts {figure}, q = {q}", f"potts_{figure}.zarr", f"q{q}", settings, labelled, weight, f"q{q}")


def products_of(jobs: dict[str, dict[int, plan.Job]], quick: bool) -> list[plan.Product]:
    """Figures and table, the cheap ones first."""

    def by_q(figure: str, data: plan.Data) -> ByQ:
        return {q: data[job.name] for q, job in jobs[figure].items() if job.name in data}

    draw: dict[str, Callable[[plan.Data], Figure]] = {
        "fig1": lambda data: potts_figures.portraits(by_q("fig1", data)),
        "fig2": lambda data: potts_figures.work(by_q("fig2", data)),
        "fig4": lambda data: potts_figures.optima(by_q("fig4", data)),
        "fig3": lambda data: potts_figures.landscapes(by_q("fig3", data), by_q("fig4", data)),
    }
    needs = {figure: tuple(jobs[figure].values()) for figure in jobs}
    # The maxima of Fig. 4 are marked in Fig. 3.
    needs["fig3"] += tuple(jobs["fig4"][q] for q in jobs["fig3"])

    def writer(figure: str) -> Callable[[Path, plan.Data], list[Path]]:
        return lambda out, data: _draw(out / f"potts_{figure}", draw[figure], data, quick)

    def write_table(out: Path, data: plan.Data) -> list[Path]:
        return [_write_table(out / "potts_table.md", *_judged(by_q("fig2", data), by_q("fig4", data)), quick)]

    figures = [plan.Product(f"potts_{figure}", FIGURES[figure], needs[figure], writer(figure)) for figure in draw]
    table = plan.Product("potts_table", TABLE, needs["fig2"] + needs["fig4"], write_table)
    return [*figures[:3], table, figures[3]]


def _midpoints(count: int) -> np.ndarray:
    """Centres of `count` equal cells of (0, 1)."""
    return (np.arange(count) + 0.5) / count


def _judged(work: ByQ, best: ByQ) -> tuple[list[potts_table.Row], list[potts_table.Finding]]:
    return potts_table.rows(work, best), potts_table.findings(work, best)


def _draw(stem: Path, draw: Callable[[plan.Data], Figure], data: plan.Data, quick: bool) -> list[Path]:
    with style():
        figure = draw(data)
        if quick:
            caption(figure, f"{figure.get_supxlabel()} Quick run.")
        return save(figure, stem)


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
