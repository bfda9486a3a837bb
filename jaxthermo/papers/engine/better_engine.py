"""Engines of more power than the cycle of the figures, found by gradients and run again on a finer mesh."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console

from jaxthermo.brownian import PeriodicRun, PhaseGrid, Polynomial, classical_oscillator, run_cycle
from jaxthermo.papers.engine.data import POTENTIAL, our_cycle
from jaxthermo.papers.tables import markdown, show
from jaxthermo.plot.style import PALETTE, caption, figure, panel_title, save, style
from jaxthermo.protocols import StirlingCycle
from jaxthermo.search.engine import optimise_cycle

TITLE = "Classical Stirling engines of more power"
HEADER = ["A", "cycle", "x_start", "x_end", "period", "strokes", "power", "power, finer mesh"]
STRENGTHS = (1.0, 1.5)
SEARCH_GRID, FINE_GRID = PhaseGrid(5.6, 0.35, 10.5, 0.6), PhaseGrid(6.3, 0.25, 12.0, 0.4)
STEPS, FINE_TOLERANCE = 12, 1e-6


@dataclass(frozen=True)
class Engine:
    """A cycle, its power on the mesh of the search, and its stationary run on the finer one."""

    cycle: StirlingCycle
    power: float
    run: PeriodicRun

    @property
    def fine_power(self) -> float:
        return -float(self.run.work) / float(self.cycle.period)


def better_engine(out: Path, quick: bool = False) -> dict[float, tuple[Engine, Engine]]:
    """Maximise the power at A = 1.0 and 1.5, within the default bounds; for each coupling (before, after).

    Writes into `out`: engine.md, engine.png and .svg. `quick`: one coupling and three steps.
    """
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    found = {}
    for strength in STRENGTHS[: 1 if quick else None]:
        found[strength] = _improved(strength, 3 if quick else STEPS)
        before, after = found[strength]
        console.print(f"  A = {strength:g}: power {before.fine_power:.3e} -> {after.fine_power:.3e}")
    rows = [
        row
        for strength, pair in found.items()
        for row in (_row(strength, label, one) for label, one in zip(("start", "improved"), pair, strict=True))
    ]
    (out / "engine.md").write_text(f"# {TITLE}\n\n" + markdown("Power per unit time", HEADER, rows))
    show(console, TITLE, HEADER, rows)
    with style():
        save(_draw(found), out / "engine")
    return found


def _improved(strength: float, steps: int) -> tuple[Engine, Engine]:
    potential = Polynomial(POTENTIAL)
    found = optimise_cycle(classical_oscillator(potential, strength, SEARCH_GRID), our_cycle(), steps=steps)
    fine = classical_oscillator(potential, strength, FINE_GRID)
    powers, cycles = (float(found.start_power), float(found.power)), (our_cycle(), found.cycle)
    first, second = (
        Engine(cycle, power, run_cycle(fine, cycle, tol=FINE_TOLERANCE))
        for cycle, power in zip(cycles, powers, strict=True)
    )
    return first, second


def _row(strength: float, label: str, engine: Engine) -> list[str]:
    cycle = engine.cycle
    strokes = ", ".join(f"{share:.3f}" for share in np.asarray(cycle.strokes))
    numbers = [f"{float(value):.4g}" for value in (cycle.x_start, cycle.x_end, cycle.period)]
    return [f"{strength:g}", label, *numbers, strokes, f"{engine.power:.4e}", f"{engine.fine_power:.4e}"]


def _draw(found: dict[float, tuple[Engine, Engine]]) -> Figure:
    """Schedules and work diagrams, one row for each coupling."""
    fig, axes = figure(len(found), 3, height=2.8 * len(found) + 0.3)
    for row, (strength, pair) in enumerate(found.items()):
        field, temperature, diagram = axes[3 * row : 3 * row + 3]
        for engine, colour, label in zip(pair, PALETTE[1:3], ("start", "improved"), strict=True):
            run, period = engine.run, float(engine.cycle.period)
            look: dict[str, Any] = {"color": colour, "label": rf"{label}, $\tau={period:.3g}$"}
            field.plot(run.time / period, run.x, **look)
            temperature.plot(run.time / period, run.beta, **look)
            diagram.plot(run.X, run.x, **look)
        field.set(xlabel=r"$t/\tau$", ylabel="$x$")
        temperature.set(xlabel=r"$t/\tau$", ylabel=r"$\beta$")
        diagram.set(xlabel="$X$", ylabel="$x$")
        field.legend(fontsize=7)
        gain = pair[1].fine_power / pair[0].fine_power
        panel_title(field, 3 * row, f"$A={strength:g}$")
        panel_title(diagram, 3 * row + 2, rf"power $\times\,{gain:.2g}$" if gain > 0 else "now an engine")
    caption(fig, r"Classical, $\beta=0.5\leftrightarrow1$, $U=0.1q^2+0.02q^3+0.05q^4$; power maximised by gradients.")
    return fig
