"""Other cycles with the six works of Table 4, and what holds for all of them.

Six works of fifteen parameters leave nine directions flat. What holds for every cycle found along them does not hang on
which one the paper used.
"""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray
from matplotlib.figure import Figure
from rich.console import Console

from jaxthermo._results import JaxthermoWarning
from jaxthermo.brownian import PeriodicRun, run_cycle
from jaxthermo.papers.engine import cycle_inference as inference
from jaxthermo.papers.engine.data import INFERRED, KINDS, MEMBERS, STRENGTHS, TABLE_4, TOLERANCE, oscillator
from jaxthermo.papers.engine.flat_directions import another
from jaxthermo.papers.engine.inference_report import fitted
from jaxthermo.papers.engine.numbers import horizontal
from jaxthermo.papers.labels import labelled
from jaxthermo.papers.tables import markdown
from jaxthermo.plot.style import PALETTE, caption, figure, panel_title
from jaxthermo.protocols import StirlingCycle
from jaxthermo.provenance import provenance

CASES = tuple((kind, a) for kind in KINDS for a in STRENGTHS)
LOW, HIGH = (np.array([row[i] for row in inference.PARAMETERS]) for i in (2, 3))
PRINTED = np.array([TABLE_4[case].work for case in CASES])
ROUNDING = np.array([TABLE_4[case].rounding for case in CASES])
# Of a search: length of a step and distance from the bounds, over the widths of the bounds; how well the works must be
# met; further runs of all six cycles in one step; figures of a parameter that are kept.
STEP, MARGIN, ENOUGH, EVALUATIONS, FIGURES = 0.2, 0.02, 0.5, 10, 6


def cycle_of(parameters: tuple[float, ...]) -> StirlingCycle:
    """The cycle of these parameters."""
    return inference.cycle_from(jnp.asarray(parameters))


def runs_of(cycle: StirlingCycle, full: bool) -> dict[tuple[str, float], PeriodicRun]:
    """The cycle with both kinds and all couplings, on the coarse mesh of the report or on the finer one."""
    return {case: run_cycle(oscillator(*case, full), cycle, TOLERANCE, points=4) for case in CASES}


def misfit(point: np.ndarray) -> np.ndarray:
    """(W - W of Table 4) over half of its last digit, for each of the six works, on the coarse mesh."""
    cycle = inference.cycle_from(jnp.asarray(LOW + point * (HIGH - LOW)))
    with warnings.catch_warnings():
        # That the hierarchy is a little too shallow here is judged by `described`, on the finer mesh.
        warnings.simplefilter("ignore", JaxthermoWarning)
        runs = runs_of(cycle, full=False)
    return (np.array([float(run.work) for run in runs.values()]) - PRINTED) / ROUNDING


def slopes(point: np.ndarray) -> np.ndarray:
    """Derivatives of the six misfits over the widths of the bounds, on the coarse steps of the inference."""
    theta = jnp.asarray(LOW + point * (HIGH - LOW))
    found = [inference.work_and_gradient(theta, fitted(*case, "symmetric"), inference.STEPS)[1] for case in CASES]
    return np.stack([np.asarray(slope) for slope in found]) * (HIGH - LOW) / ROUNDING[:, None]


def search(count: int, say: Callable[[str], None], seed: int = 0) -> list[tuple[float, ...]]:
    """Parameters of further cycles: from the inferred one along so many random flat directions."""
    start = (np.array(INFERRED) - LOW) / (HIGH - LOW)
    jacobian = slopes(start)
    say("singular values " + ", ".join(f"{size:.3g}" for size in np.linalg.svd(jacobian, compute_uv=False)))
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        direction = rng.normal(size=len(start))
        end = another(
            misfit, start, jacobian, direction, STEP, margin=MARGIN, enough=ENOUGH, max_evaluations=EVALUATIONS
        )
        parameters = tuple(float(f"{value:.{FIGURES}g}") for value in LOW + end.point * (HIGH - LOW))
        worst = float(np.abs(misfit((np.array(parameters) - LOW) / (HIGH - LOW))).max())
        say(f"cycle {number + 1}: misfit {worst:.2f} after {end.evaluations} evaluations, {parameters}")
        if worst <= 1.0:
            found.append(parameters)
    return found


def others(out: Path, count: int) -> list[tuple[float, ...]]:
    """The search with its progress on the terminal, and what it found in `out`/stirling_others.json."""
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    found = search(count, lambda text: console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True))
    record = {"names": inference.NAMES, "cycles": found, "provenance": provenance({"start": INFERRED, "step": STEP})}
    (out / "stirling_others.json").write_text(json.dumps(record, indent=1) + "\n")
    console.print(f"  {len(found)} of {count} cycles have the six works", markup=False, highlight=False)
    return found


def described(parameters: tuple[float, ...]) -> xarray.Dataset:
    """What the statements need of one cycle, on the finer mesh."""
    runs = runs_of(cycle_of(parameters), full=True)

    def of(value: Callable[[PeriodicRun], Any]) -> np.ndarray:
        return np.array([float(value(run)) for run in runs.values()]).reshape(len(KINDS), len(STRENGTHS))

    axes = ("kind", "strength")
    variables = {
        "parameter": ("name", list(parameters), "mixed", "parameter of the cycle"),
        "work": (axes, of(lambda run: run.work), "energy", "work per cycle"),
        "absorbed": (axes, of(_absorbed), "energy", "heat taken up per cycle"),
        "entropy": (axes, of(lambda run: run.cumulative_work_int[-1]), "k_B", "entropy produced per cycle"),
        "ok": (axes, of(lambda run: bool(run.ok)), "1", "whether the run is ok"),
        "apart": (
            ("energy", "strength"),
            [[_apart(runs, a, name) for a in STRENGTHS] for name in ("H", "U")],
            "1",
            "largest difference of quantum and classical, over the span",
        ),
        "horizontal": ((), horizontal(runs["classical", 1.0]), "1", "share of the way of X while x and beta rest"),
    }
    coords = {
        "name": ("name", list(inference.NAMES), "1", "parameter"),
        "kind": ("kind", list(KINDS), "1", "kind"),
        "strength": ("strength", list(STRENGTHS), "1/time^(1/2)", "coupling A"),
        "energy": ("energy", ["H", "U"], "1", "which energy"),
    }
    return labelled(variables, coords)


def _absorbed(run: PeriodicRun) -> float:
    steps = np.diff(np.asarray(run.cumulative_heat))
    return float(steps[steps > 0].sum())


def _apart(runs: dict[tuple[str, float], PeriodicRun], strength: float, name: str) -> float:
    series = [np.asarray(getattr(runs[kind, strength], name)) for kind in KINDS]
    gains = [one - one[0] for one in series]
    return float(np.abs(gains[1] - gains[0]).max() / np.ptp(gains[0]))


STATEMENTS: dict[str, Callable[[xarray.Dataset], bool]] = {
    "The larger the coupling, the smaller the quantum effect on the work": lambda d: _falls(
        np.abs(d.work[1] - d.work[0])
    ),
    "At strong coupling (A = 1.5) the cycle takes work up": lambda d: bool((d.work.sel(strength=1.5) > 0).all()),
    "Every cycle produces entropy": lambda d: bool((d.entropy > 0).all()),
    "It produces more at stronger coupling": lambda d: all(_falls(-d.entropy[kind]) for kind in (0, 1)),
    "The efficiency -W/Q falls with A, so that none is largest at A = 1": lambda d: all(
        _falls(-d.work[kind] / d.absorbed[kind]) for kind in (0, 1)
    ),
    "Efficiency stays below Carnot's": lambda d: bool(
        (-d.work / d.absorbed).max() < 1.0 - d.parameter.sel(name="beta_hot") / d.parameter.sel(name="beta_cold")
    ),
    "H is nearer to the classical one at A = 0.5 than at 1.5": lambda d: bool(d.apart[0, 0] < d.apart[0, 2]),
    "U is nearer to the classical one at A = 0.5 than at 1.5": lambda d: bool(d.apart[1, 0] < d.apart[1, 2]),
    "Horizontal pieces: X moves while x and beta rest": lambda d: float(d.horizontal) > 0.01,
}


def _falls(values: Any) -> bool:
    return bool(np.all(np.diff(np.asarray(values)) < 0.0))


def residuals(data: xarray.Dataset) -> np.ndarray:
    """The six misfits of a cycle that was run."""
    return np.asarray((data.work.values.ravel() - PRINTED) / ROUNDING)


def fits(data: xarray.Dataset) -> bool:
    """Whether all six works are those of Table 4 within their rounding, from runs that are ok."""
    return bool(np.abs(residuals(data)).max() <= 1.0 and data.ok.all())


def text(members: list[xarray.Dataset]) -> str:
    """The cycles, their works beside Table 4, and for how many of them each statement holds."""
    names = ["inferred", *(f"cycle {number}" for number in range(1, len(members)))]
    lines = [[name, *(f"{float(d.parameter[i]):.4g}" for d in members)] for i, name in enumerate(inference.NAMES)]
    misfits = [
        [f"{kind}, A = {a:g}", f"{PRINTED[i]:.3g}", *(f"{residuals(d)[i]:+.2f}" for d in members)]
        for i, (kind, a) in enumerate(CASES)
    ]
    fitting = [d for d in members if fits(d)]
    held = []
    for words, judge in STATEMENTS.items():
        holding = [judge(d) for d in fitting]
        verdict = "all of them" if all(holding) else f"{sum(holding)} of {len(holding)}"
        held.append([words, verdict if any(holding) else "none of them"])
    spread = np.ptp([d.parameter.values for d in fitting], axis=0) / (HIGH - LOW)
    note = (
        f"{len(fitting)} of {len(members)} cycles have all six works within half of the last digit. They differ by up "
        f"to {spread.max():.0%} of the width of a parameter's bounds. None is the paper's."
    )
    return "\n".join(
        (
            markdown("What holds for all cycles with the six works", ["statement", "holds for"], held),
            note + "\n",
            markdown("(W - W of Table 4) / half of its last digit", ["case", "Table 4", *names], misfits),
            markdown("Parameters", ["parameter", *names], lines),
        )
    )


def draw() -> Figure:
    """The schedules of all cycles over one another."""
    fig, axes = figure(1, 2, height=3.4)
    for number, parameters in enumerate((INFERRED, *MEMBERS)):
        cycle = cycle_of(parameters)
        times = np.linspace(0.0, float(cycle.period), 801)
        look: dict[str, Any] = {"color": PALETTE[number % len(PALETTE)], "lw": 1.2}
        label = "inferred" if number == 0 else f"cycle {number}"
        for panel, schedule in zip(axes, (cycle.x, cycle.beta), strict=True):
            panel.plot(times / times[-1], [float(schedule(t)) for t in times], label=label, **look)
    for index, (panel, label) in enumerate(zip(axes, ("$x(t)$  [energy/X]", r"$\beta(t)$  [1/energy]"), strict=True)):
        panel.set(xlabel=r"$t/\tau$", ylabel=label)
        panel_title(panel, index, ("field", "inverse temperature")[index])
    axes[1].legend(fontsize=8)
    caption(fig, r"Cycles of period $\tau=20$ that all have the six works of Table 4; none is the paper's own.")
    return fig
