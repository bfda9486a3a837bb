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
from jaxthermo.report.stirling_data import KINDS, STRENGTHS, TABLE_4, cycle_of, our_cycle
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
QUICK_STRENGTHS = (0.5, 1.5)


@dataclass(frozen=True)
class Reproduction:
    """What `reproduce` made: the cycle, one dataset for each kind and coupling, the table's rows, the files."""

    cycle: StirlingCycle
    data: Cycles
    rows: list[list[str]]
    files: list[Path]


def reproduce(out: Path, quick: bool = False) -> Reproduction:
    """Run the engine classically and quantum mechanically, draw Figs. 2, 3 and 5 (b, c), and write the works.

    Writes into `out`: stirling_fig2, _fig3, _fig5 as .png and .svg, stirling_cycles.zarr (one group for each run), and
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
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Stirling cycles", total=len(cases) + len(strengths))
        for case in cases:
            data[case] = cycle_of(*case, cycle, quick)
            progress.advance(task)
        for strength in strengths:
            symmetric[strength] = cycle_of("quantum", strength, cycle, quick, "symmetric")
            progress.advance(task)
    named = {f"{kind}_{strength:g}": dataset for (kind, strength), dataset in data.items()}
    named |= {f"quantum_symmetric_{strength:g}": dataset for strength, dataset in symmetric.items()}
    files = [_store(out / "stirling_cycles.zarr", named)]
    files += _draw(out, data, cycle)
    rows = [_row(case, data[case]) for case in cases]
    rows += [_row(("quantum", strength), dataset) for strength, dataset in symmetric.items()]
    table = out / "stirling_table.md"
    table.write_text(f"# {TITLE}\n\n{NOTE}\n\n" + markdown("Work per cycle", HEADER, rows))
    show(console, TITLE, HEADER, rows)
    console.print(NOTE, markup=False, highlight=False)
    return Reproduction(cycle, data, rows, [*files, table])


def _row(case: tuple[str, float], dataset: xarray.Dataset) -> list[str]:
    kind, strength = case
    attrs = dataset.attrs
    numbers = [f"{attrs['work']:.4e}", f"{attrs['step_error']:.0e}", f"{attrs['first_law_residual']:.0e}"]
    thermostat = attrs["thermostat"] if kind == "quantum" else ""
    return [kind, f"{strength:g}", thermostat, *numbers, f"{TABLE_4[case].work:.2e}"]


def _store(path: Path, data: dict[str, xarray.Dataset]) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    for name, dataset in data.items():
        dataset.to_zarr(path, group=name, consolidated=False, mode="w")
    return path


def _draw(out: Path, data: Cycles, cycle: StirlingCycle) -> list[Path]:
    text = stirling_figures.describe(cycle, "A cycle of our own")
    with style():
        figures: dict[str, Figure] = {
            "fig2": stirling_figures.protocol(cycle, text),
            "fig3": stirling_figures.work_diagrams(data, cycle, text),
            "fig5": stirling_figures.energies(data, text),
        }
        return [path for name, figure in figures.items() for path in save(figure, out / f"stirling_{name}")]
