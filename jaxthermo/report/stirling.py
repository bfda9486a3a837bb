"""Reproduction of Koyanagi & Tanimura, J. Chem. Phys. 161, 114113 (2024): the thermostatic Stirling engine."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import xarray
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxthermo.protocols import StirlingCycle
from jaxthermo.report import stirling_figures
from jaxthermo.report.stirling_data import KINDS, STRENGTHS, TABLE_4, cycle_of, our_cycle, potentials_of
from jaxthermo.report.stirling_figures import Cycles
from jaxthermo.report.style import save, style
from jaxthermo.report.tables import markdown, show

TITLE = "Koyanagi & Tanimura 2024, thermostatic Stirling engine"
NOTE = (
    "The schedules beta(t), x(t) of the paper are known only as a picture. These are works of a cycle of our own, "
    "on the paper's meshes; they cannot be compared with Table 4 number by number. `jaxthermo infer-protocol` looks "
    "for a cycle that has the paper's works."
)
HEADER = [
    "kind",
    "A",
    "thermostat",
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


@dataclass(frozen=True)
class Reproduction:
    """What `reproduce` made: the cycle, one dataset for each kind and coupling, the table's rows, the files."""

    cycle: StirlingCycle
    data: Cycles
    searched: Cycles
    rows: list[list[str]]
    files: list[Path]


def reproduce(out: Path, quick: bool = False) -> Reproduction:
    """Run the engine classically and quantum mechanically, draw Figs. 2 to 5, and write the works.

    Writes into `out`: stirling_fig2 to _fig5 as .png and .svg, stirling_cycles.zarr (one group for each run), and
    stirling_table.md.
    """
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    cycle = our_cycle()
    strengths = QUICK_STRENGTHS if quick else STRENGTHS
    cases = [(kind, strength) for kind in KINDS for strength in strengths]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    data: Cycles = {}
    symmetric: dict[float, xarray.Dataset] = {}
    searched: Cycles = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Stirling cycles", total=2 * len(cases) + len(strengths))
        for case in cases:
            data[case] = cycle_of(*case, cycle, quick)
            progress.advance(task)
        for strength in strengths:
            symmetric[strength] = cycle_of("quantum", strength, cycle, quick, "symmetric")
            progress.advance(task)
        for case in cases:
            searched[case] = potentials_of(*case, cycle, quick)
            progress.advance(task)
    named = {f"{kind}_{strength:g}": dataset for (kind, strength), dataset in data.items()}
    named |= {f"quantum_symmetric_{strength:g}": dataset for strength, dataset in symmetric.items()}
    named |= {f"potentials_{kind}_{strength:g}": dataset for (kind, strength), dataset in searched.items()}
    files = [_store(out / "stirling_cycles.zarr", named)]
    files += _draw(out, data, searched, cycle)
    rows = [_row(case, data[case]) for case in cases]
    rows += [_row(("quantum", strength), dataset) for strength, dataset in symmetric.items()]
    table = out / "stirling_table.md"
    table.write_text(f"# {TITLE}\n\n{NOTE}\n\n" + markdown("Work per cycle", HEADER, rows) + "\n" + _searches(searched))
    show(console, TITLE, HEADER, rows)
    console.print(NOTE, markup=False, highlight=False)
    return Reproduction(cycle, data, searched, rows, [*files, table])


def _row(case: tuple[str, float], dataset: xarray.Dataset) -> list[str]:
    kind, strength = case
    attrs = dataset.attrs
    numbers = [f"{attrs['work']:.4e}", f"{attrs['step_error']:.0e}", f"{attrs['first_law_residual']:.0e}"]
    thermostat = attrs["thermostat"] if kind == "quantum" else ""
    return [kind, f"{strength:g}", thermostat, *numbers, f"{TABLE_4[case].work:.2e}"]


def _searches(searched: Cycles) -> str:
    """A table of the entropy produced, how far the searches may be from the true minimum, and what they cost."""
    rows = []
    for (kind, strength), data in searched.items():
        exact = float(data.work_int[-1])
        numbers = [f"{float(data.entropy_production[-1]):.5f}", f"{exact:.5f}"]
        gap = f"{data.attrs['search_gap']:.1e}" if kind == "classical" else ""
        defect = f"{data.attrs['maxwell_defect']:.0e}" if kind == "quantum" else ""
        solves = f"{float(data.search_solves.mean()):.0f}"
        rows.append(
            [kind, f"{strength:g}", *numbers, f"{float(data.entropy_production_rate.min()):.1e}", gap, defect, solves]
        )
    return markdown("Entropy production per cycle (quantum: symmetric thermostat)", SEARCH_HEADER, rows)


def _store(path: Path, data: dict[str, xarray.Dataset]) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    for name, dataset in data.items():
        dataset.to_zarr(path, group=name, consolidated=False, mode="w")
    return path


def _draw(out: Path, data: Cycles, searched: Cycles, cycle: StirlingCycle) -> list[Path]:
    text = stirling_figures.describe(cycle, "A cycle of our own")
    with style():
        figures: dict[str, Figure] = {
            "fig2": stirling_figures.protocol(cycle, text),
            "fig3": stirling_figures.work_diagrams(data, cycle, text),
            "fig4": stirling_figures.entropies(searched, cycle, text),
            "fig5": stirling_figures.energies(data, searched, text),
        }
        return [path for name, figure in figures.items() for path in save(figure, out / f"stirling_{name}")]
