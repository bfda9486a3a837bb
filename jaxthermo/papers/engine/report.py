"""Reproduction of Koyanagi & Tanimura, J. Chem. Phys. 161, 114113 (2024): the thermostatic Stirling engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray
from matplotlib.figure import Figure
from rich.console import Console

from jaxthermo.papers import index, plan
from jaxthermo.papers.engine import figures as stirling_figures
from jaxthermo.papers.engine.data import (
    KINDS,
    STRENGTHS,
    TABLE_4,
    cycle_of,
    cycle_settings,
    our_cycle,
    potentials_of,
    settings_of,
)
from jaxthermo.papers.engine.figures import Cycles
from jaxthermo.papers.tables import markdown, show
from jaxthermo.plot.style import save, style
from jaxthermo.protocols import StirlingCycle

TITLE = "Koyanagi & Tanimura 2024, thermostatic Stirling engine"
NOTE = (
    "The schedules beta(t), x(t) of the paper are known only as a picture. These are works of a cycle of our own, "
    "on the paper's meshes; they cannot be compared with Table 4 number by number. The quantum noise has the symmetric "
    "memory, C(t, t') ~ T(t) T(t'). `jaxthermo infer-protocol` looks for a cycle that has the paper's works."
)
QUICK_NOTE = "A quick run: two couplings on coarse meshes, few searches. "
STORE = "stirling_cycles.zarr"
# Rough seconds of a cycle and of its searches.
COSTS = {"classical": (10.0, 30.0), "quantum": (40.0, 60.0)}
HEADER = [
    "kind",
    "A",
    "work per cycle, our cycle",
    "error of the time step",
    "first law",
    "W in Table 4, its own cycle",
]
SEARCH_HEADER = [
    "kind",
    "A",
    "from the searches",
    "closed integral of U dbeta - X dx~",
    "smallest rate",
    "largest Xi_neq - Xi_info",
    "Maxwell defect",
    "gradients per point",
]
QUICK_STRENGTHS = (0.5, 1.5)
FIGURES = {
    "fig2": "Fig. 2: the schedules of field and inverse temperature, of a cycle of our own.",
    "fig3": "Fig. 3: field against coordinate round the cycle; the loop is the work.",
    "fig4": "Fig. 4: temperature against thermodynamic entropy, from searches for the minimum work.",
    "fig5": "Fig. 5: enthalpy and internal energy against time.",
}
TABLE = "Works per cycle, and the entropy produced."
Cases = dict[tuple[str, float], plan.Job]


@dataclass(frozen=True)
class Reproduction:
    """What `reproduce` made: the cycle, one dataset for each kind and coupling, the table's rows, the files."""

    cycle: StirlingCycle
    data: Cycles
    searched: Cycles
    rows: list[list[str]]
    files: list[Path]
    reused: int


@dataclass(frozen=True)
class Jobs:
    """The calculations: cycles and searches, all with the default thermostat."""

    cycles: Cases
    searches: Cases


def reproduce(out: Path, quick: bool = False) -> Reproduction:
    """Run the engine classically and quantum mechanically, draw Figs. 2 to 5, and write the works.

    Writes into `out`: stirling_fig2 to _fig5 as .png and .svg, stirling_cycles.zarr (one group for each run),
    stirling_table.md, and the page index.html. What an earlier run has computed with the same code is used again.
    """
    console = Console()
    cycle = our_cycle()
    jobs = jobs_of(QUICK_STRENGTHS if quick else STRENGTHS, cycle, quick)
    products = products_of(jobs, cycle, quick)
    made = plan.run(out, products, console)
    rows = _rows(jobs, made.data)
    show(console, TITLE, HEADER, rows)
    console.print(NOTE, markup=False, highlight=False)
    index.record(out, "stirling", TITLE, f"{QUICK_NOTE if quick else ''}{NOTE}", products, made)
    files = [out / STORE, *made.paths()]
    return Reproduction(cycle, _of(jobs.cycles, made.data), _of(jobs.searches, made.data), rows, files, made.reused)


def jobs_of(strengths: tuple[float, ...], cycle: StirlingCycle, quick: bool) -> Jobs:
    """All calculations; those of one kind share their compiled cycle."""

    def job(name: str, kind: str, strength: float, weight: float, make: Callable[[], xarray.Dataset]) -> plan.Job:
        settings = {"name": name, "cycle": cycle_settings(cycle), "quick": quick, **settings_of(kind, strength, quick)}
        text = name.replace("_", ", ")
        return plan.Job(f"stirling {text}", STORE, name, settings, lambda _: make(), weight, f"{kind} {name[:4]}")

    def run(kind: str, strength: float) -> plan.Job:
        name = f"{kind}_{strength:g}"
        return job(name, kind, strength, COSTS[kind][0], lambda: cycle_of(kind, strength, cycle, quick))

    def search(kind: str, strength: float) -> plan.Job:
        name = f"potentials_{kind}_{strength:g}"
        return job(name, kind, strength, COSTS[kind][1], lambda: potentials_of(kind, strength, cycle, quick))

    cases = [(kind, strength) for kind in KINDS for strength in strengths]
    return Jobs({case: run(*case) for case in cases}, {case: search(*case) for case in cases})


def products_of(jobs: Jobs, cycle: StirlingCycle, quick: bool) -> list[plan.Product]:
    """Figures and table, the cheap ones first."""
    text = stirling_figures.describe(cycle, "A cycle of our own") + (" Quick run." if quick else "")
    draw: dict[str, Callable[[plan.Data], Figure]] = {
        "fig2": lambda data: stirling_figures.protocol(cycle, text),
        "fig3": lambda data: stirling_figures.work_diagrams(_of(jobs.cycles, data), cycle, text),
        "fig4": lambda data: stirling_figures.entropies(_of(jobs.searches, data), cycle, text),
        "fig5": lambda data: stirling_figures.energies(_of(jobs.cycles, data), _of(jobs.searches, data), text),
    }
    cycles, searches = tuple(jobs.cycles.values()), tuple(jobs.searches.values())
    needs = {"fig2": (), "fig3": cycles, "fig4": searches, "fig5": cycles + searches}

    def writer(figure: str) -> Callable[[Path, plan.Data], list[Path]]:
        return lambda out, data: _draw(out / f"stirling_{figure}", draw[figure], data)

    def write_table(out: Path, data: plan.Data) -> list[Path]:
        path = out / "stirling_table.md"
        works = markdown("Work per cycle", HEADER, _rows(jobs, data))
        path.write_text(f"# {TITLE}\n\n{NOTE}\n\n{works}\n{_searches(_of(jobs.searches, data))}")
        return [path]

    figures = [plan.Product(f"stirling_{name}", FIGURES[name], needs[name], writer(name)) for name in FIGURES]
    return [*figures, plan.Product("stirling_table", TABLE, (*cycles, *searches), write_table)]


def _of(cases: Cases, data: plan.Data) -> Cycles:
    return {case: data[job.name] for case, job in cases.items()}


def _rows(jobs: Jobs, data: plan.Data) -> list[list[str]]:
    """The works, our own beside those of the paper's cycle."""
    return [_row(case, dataset) for case, dataset in _of(jobs.cycles, data).items()]


def _row(case: tuple[str, float], dataset: xarray.Dataset) -> list[str]:
    kind, strength = case
    work, step, law = (float(dataset[name]) for name in ("work", "step_error", "first_law_residual"))
    numbers = [f"{work:.4e}", f"{step:.0e}", f"{law:.0e}"]
    return [kind, f"{strength:g}", *numbers, f"{TABLE_4[case].work:.2e}"]


def _searches(searched: Cycles) -> str:
    """A table of the entropy produced, how far the searches may be from the true minimum, and what they cost."""
    rows = []
    for (kind, strength), data in searched.items():
        exact = float(data.cumulative_work_int[-1])
        numbers = [f"{float(data.entropy_produced[-1]):.5f}", f"{exact:.5f}"]
        found = data.planck.values[data.searched.values]
        gap = f"{float(np.max(found - data.planck_lower.values)):.1e}" if kind == "classical" else ""
        defect = f"{float(data.maxwell_defect):.0e}" if kind == "quantum" else ""
        solves = f"{data.attrs['solves'] / data.sizes['search']:.0f}"
        rows.append(
            [kind, f"{strength:g}", *numbers, f"{float(data.entropy_production_rate.min()):.1e}", gap, defect, solves]
        )
    return markdown("Entropy production per cycle", SEARCH_HEADER, rows)


def _draw(stem: Path, draw: Callable[[plan.Data], Figure], data: plan.Data) -> list[Path]:
    with style():
        return save(draw(data), stem)
