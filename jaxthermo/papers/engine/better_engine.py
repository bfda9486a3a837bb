"""Engines of more power than the cycle of the figures, found by gradients and run again on a finer mesh."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console

from jaxthermo.brownian import PeriodicRun, PhaseGrid, Polynomial, classical_oscillator, run_cycle
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.papers.engine.data import POTENTIAL, our_cycle
from jaxthermo.papers.tables import markdown, show
from jaxthermo.plot.styles import PALETTE, caption, figure, panel_title, save, style
from jaxthermo.protocols import PiecewiseCycle, StirlingCycle
from jaxthermo.protocols.cycle import AbstractCycle, Bounds
from jaxthermo.protocols.strokes import AbstractStrokes
from jaxthermo.search.engine import optimise_cycle
from jaxthermo.search.free_parameters import default_bounds

TITLE = "Classical engines of more power"
HEADER = ["A", "cycle", "x", "period", "strokes", "power", "power, finer mesh"]
LABELS = ("start", "best Stirling", "free form")
# Of a step of a search, and of the rest, compilation included, on two cores.
STEP_SECONDS, FIRST_SECONDS = 6.0, 30.0
STRENGTHS = (1.0, 1.5)
SEARCH_GRID, FINE_GRID = PhaseGrid(5.6, 0.35, 10.5, 0.6), PhaseGrid(6.3, 0.25, 12.0, 0.4)
STEPS, FINE_TOLERANCE = 12, 1e-6
# Straight pieces of a free form in each stroke of the Stirling cycle that it begins as, and the shortest piece.
PARTS, SHORTEST = 2, 0.005


@dataclass(frozen=True)
class Engine:
    """A cycle, its power on the mesh of the search, and its stationary run on the finer one."""

    cycle: AbstractStrokes
    power: float
    run: PeriodicRun

    @property
    def fine_power(self) -> float:
        return -float(self.run.work) / float(self.cycle.period)


def better_engine(out: Path, quick: bool = False) -> dict[float, tuple[Engine, ...]]:
    """Maximise the power at A = 1.0 and 1.5; for each coupling the first engine, the best Stirling one, the free form.

    The Stirling search keeps to the default bounds. The free form begins as what it has found, with jumps between eight
    straight pieces, and keeps beta(t), x(t) and the period in the same bounds.

    Writes into `out`: engine.md, engine.png and .svg. `quick`: one coupling and three steps.
    """
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    strengths, steps = STRENGTHS[: 1 if quick else None], 3 if quick else STEPS
    console.print(_plan(strengths, steps), markup=False, highlight=False)
    found = {}
    for strength in strengths:
        found[strength] = _improved(strength, steps)
        powers = " -> ".join(f"{one.fine_power:.3e}" for one in found[strength])
        console.print(f"  A = {strength:g}: power {powers}")
    rows = [
        row
        for strength, engines in found.items()
        for row in (_row(strength, label, one) for label, one in zip(LABELS, engines, strict=True))
    ]
    (out / "engine.md").write_text(f"# {TITLE}\n\n" + markdown("Power per unit time", HEADER, rows))
    show(console, TITLE, HEADER, rows)
    with style():
        save(_draw(found), out / "engine")
    return found


def _plan(strengths: Sequence[float], steps: int) -> str:
    """What will be done, for how many couplings; a search tells how far it is by itself."""
    minutes = (FIRST_SECONDS + 2 * steps * STEP_SECONDS) * len(strengths) / 60.0
    searched, measured = (f"{grid.q_points} x {grid.p_points} points" for grid in (SEARCH_GRID, FINE_GRID))
    return (
        f"{2 * len(strengths)} searches of at most {steps} steps on {searched}: at A = "
        f"{' and '.join(f'{strength:g}' for strength in strengths)} the best Stirling cycle, then a free form of "
        f"{4 * PARTS} pieces; {len(LABELS) * len(strengths)} cycles are run again on {measured}. "
        f"About {minutes:.0f} min."
    )


def _improved(strength: float, steps: int) -> tuple[Engine, ...]:
    potential = Polynomial(POTENTIAL)
    coarse, fine = (classical_oscillator(potential, strength, grid) for grid in (SEARCH_GRID, FINE_GRID))
    best = optimise_cycle(coarse, our_cycle(), steps=steps)
    free = optimise_cycle(coarse, PiecewiseCycle.along(best.cycle, PARTS), bounds=free_bounds(our_cycle()), steps=steps)
    tried = ((best.start, best.start_power), (best.cycle, best.power), (free.cycle, free.power))
    return tuple(_measured(fine, cycle, float(power)) for cycle, power in tried)


def _measured(oscillator: Oscillator, cycle: AbstractCycle, power: float) -> Engine:
    assert isinstance(cycle, AbstractStrokes)
    return Engine(cycle, power, run_cycle(oscillator, cycle, tol=FINE_TOLERANCE))


def free_bounds(cycle: StirlingCycle) -> Bounds:
    """The default bounds of a Stirling cycle as bounds of beta(t), x(t) and the period of a free form."""
    own = default_bounds(cycle)
    sides = [float(np.asarray(side)) for name in ("x_start", "x_end") for side in own[name]]
    betas = (float(cycle.beta_hot), float(cycle.beta_cold))
    longest = float(np.asarray(own["strokes"][1]))
    x = (min(sides), max(sides))
    return {"betas": betas, "x_values": x, "period": own["period"], "strokes": (SHORTEST, longest)}


def _row(strength: float, label: str, engine: Engine) -> list[str]:
    cycle = engine.cycle
    strokes = ", ".join(f"{share:.3f}" for share in np.asarray(cycle.strokes))
    fields = np.asarray(cycle.bounds()[1])
    numbers = [f"{fields.min():.4g} to {fields.max():.4g}", f"{float(cycle.period):.4g}"]
    return [f"{strength:g}", label, *numbers, strokes, f"{engine.power:.4e}", f"{engine.fine_power:.4e}"]


def _draw(found: dict[float, tuple[Engine, ...]]) -> Figure:
    """Schedules and work diagrams, one row for each coupling."""
    fig, axes = figure(len(found), 3, height=2.8 * len(found) + 0.3)
    for row, (strength, engines) in enumerate(found.items()):
        field, temperature, diagram = axes[3 * row : 3 * row + 3]
        for engine, colour, label in zip(engines, PALETTE[1:4], LABELS, strict=True):
            run, period = engine.run, float(engine.cycle.period)
            look: dict[str, Any] = {"color": colour, "label": rf"{label}, $\tau={period:.3g}$"}
            field.plot(run.time / period, run.x, **look)
            temperature.plot(run.time / period, run.beta, **look)
            diagram.plot(run.X, run.x, **look)
        field.set(xlabel=r"$t/\tau$", ylabel="$x$")
        temperature.set(xlabel=r"$t/\tau$", ylabel=r"$\beta$")
        diagram.set(xlabel="$X$", ylabel="$x$")
        field.legend(fontsize=7)
        gain = engines[2].fine_power / engines[1].fine_power
        panel_title(field, 3 * row, f"$A={strength:g}$")
        panel_title(diagram, 3 * row + 2, rf"free form: power $\times\,{gain:.3g}$")
    caption(fig, r"Classical, $\beta=0.5\leftrightarrow1$, $U=0.1q^2+0.02q^3+0.05q^4$; power maximised by gradients.")
    return fig
