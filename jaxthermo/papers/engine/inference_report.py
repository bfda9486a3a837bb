"""A cycle inferred from the six works of Table 4 of Koyanagi & Tanimura 2024; never the paper's own schedule."""

import json
from pathlib import Path
from typing import Any

import equinox as eqx
from rich.console import Console

from jaxthermo._status import Status
from jaxthermo.brownian import OhmicBath, PhaseGrid, run_cycle
from jaxthermo.brownian.baths.ohmic import THERMOSTATS
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.papers.engine import figures as stirling_figures
from jaxthermo.papers.engine.cycle_inference import Fit, infer_cycle
from jaxthermo.papers.engine.data import FINE_TOLERANCE, KINDS, POLES, STRENGTHS, TABLE_4, oscillator
from jaxthermo.papers.tables import markdown
from jaxthermo.plot.styles import save, style
from jaxthermo.protocols import StirlingCycle
from jaxthermo.provenance import provenance

LABEL = "inferred"
# One mesh for all, so that each kind is compiled once. It must hold the coldest and narrowest state of the family: with
# dp = 0.5 the works drift with the time step by 20 times their rounding.
FIT_GRID = PhaseGrid(6.0, 0.3, 10.0, 0.3)
FIT_DEPTH = 2


def infer_protocol(out: Path, quick: bool = False, thermostat: str = "symmetric") -> Fit:
    """Fit a cycle to Table 4, write it with its residuals and its flatness; `quick`: the three classical works only.

    `thermostat` of the quantum works, see `OhmicBath`: which of the two the paper's own program has is not known to us.
    Writes into `out`: stirling_inferred.json, stirling_inferred.md, stirling_inferred.png and .svg.
    """
    if thermostat not in THERMOSTATS:
        raise ValueError(f"`thermostat` must be one of {', '.join(THERMOSTATS)}, but is {thermostat}")
    console = Console()
    out.mkdir(parents=True, exist_ok=True)
    cases = [(kind, strength) for kind in KINDS[: 1 if quick else 2] for strength in STRENGTHS]
    printed = [TABLE_4[case] for case in cases]
    fit = infer_cycle(
        [fitted(kind, strength, thermostat) for kind, strength in cases],
        [p.work for p in printed],
        [p.rounding for p in printed],
        _fine,
        starts=2 if quick else 8,
        max_evaluations=8 if quick else 40,
        corrections=1 if quick else 3,
        advance=lambda text: console.print(f"  {text}", markup=False, highlight=False),
    )
    rows = _rows(cases, fit)
    (out / "stirling_inferred.json").write_text(json.dumps(_record(cases, fit, thermostat), indent=1) + "\n")
    text = (
        f"Quantum works with the {thermostat} thermostat. {_verdict(fit)}\n\n"
        + markdown("Works", ROW_HEADER, rows)
        + "\n"
        + _parameters(fit)
    )
    (out / "stirling_inferred.md").write_text(f"# A cycle {LABEL} from Table 4\n\n{text}")
    console.print(text, markup=False, highlight=False)
    with style():
        caption = stirling_figures.describe(fit.cycle, f"Schedule {LABEL} from Table 4, not the paper's own", FIT_DEPTH)
        save(stirling_figures.protocol({LABEL: fit.cycle}, caption), out / "stirling_inferred")
    return fit


ROW_HEADER = ["kind", "A", "W, Table 4", "W of the inferred cycle", "difference / rounding", "status"]


def fitted(kind: str, strength: float, thermostat: str) -> Oscillator:
    model = eqx.tree_at(lambda o: o.grid, oscillator(kind, strength, thermostat=thermostat), FIT_GRID)
    if kind == "classical":
        return model
    return eqx.tree_at(lambda o: o.bath, model, OhmicBath(strength, POLES, FIT_DEPTH, thermostat=thermostat))


def _fine(model: Oscillator, cycle: StirlingCycle) -> tuple[float, str]:
    run = run_cycle(model, cycle, tol=FINE_TOLERANCE, points=4)
    return float(run.work), str(run.outcome)


def _rows(cases: list[tuple[str, float]], fit: Fit) -> list[list[str]]:
    return [
        [kind, f"{strength:g}", f"{TABLE_4[kind, strength].work:.3g}", f"{work:.4g}", f"{residual:+.2f}", status]
        for (kind, strength), work, residual, status in zip(cases, fit.works, fit.residuals, fit.statuses, strict=True)
    ]


def _verdict(fit: Fit) -> str:
    worst = float(abs(fit.residuals).max())
    count = len(fit.residuals)
    if set(fit.statuses) != {Status.ok.word}:
        return "Some of the works of the cycle found are not to be trusted, see their status; nothing is concluded."
    if worst <= 1.0:
        return (
            f"The inferred cycle reproduces all {count} works within their rounding "
            f"(largest {worst:.2f} of half a unit of the last digit)."
        )
    return (
        f"No member of this family was found that reproduces all {count} works within their rounding; "
        f"the best one misses by up to {worst:.1f} times half a unit of the last digit."
    )


def _parameters(fit: Fit) -> str:
    lines = [[name, f"{value:.5g}", f"{fit.flat[name]:+.2f}"] for name, value in fit.parameters.items()]
    sizes = ", ".join(f"{size:.2g}" for size in fit.singular_values)
    missing = len(fit.parameters) - len(fit.singular_values)
    note = (
        f"Singular values of d(residual)/d(parameter over the width of its bounds): {sizes}. The {missing} further "
        "directions are not fixed by the data at all; the flattest is in the last column. Many cycles fit as well.\n"
    )
    return markdown("Parameters", ["parameter", LABEL, "flattest direction"], lines) + "\n" + note


def _record(cases: list[tuple[str, float]], fit: Fit, thermostat: str) -> dict[str, Any]:
    return {
        "label": LABEL,
        "thermostat": thermostat,
        "parameters": fit.parameters,
        "cases": [list(case) for case in cases],
        "works": fit.works.tolist(),
        "statuses": list(fit.statuses),
        "residuals_over_rounding": fit.residuals.tolist(),
        "singular_values": fit.singular_values.tolist(),
        "flattest_direction": fit.flat,
        "evaluations": fit.evaluations,
        "provenance": provenance({"fit_depth": FIT_DEPTH, "fit_grid": FIT_GRID}),
    }
