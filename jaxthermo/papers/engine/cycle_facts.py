"""What the claims about the engine need of one cycle: works, heats and energies of its six runs."""

import functools
import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxthermo._status import Status
from jaxthermo.brownian import PeriodicRun, run_cycle
from jaxthermo.papers.engine.cycle_inference import cycle_from
from jaxthermo.papers.engine.data import FINE_TOLERANCE, KINDS, STRENGTHS, TABLE_4, oscillator

CASES = tuple((kind, a) for kind in KINDS for a in STRENGTHS)
PRINTED = np.array([TABLE_4[case].work for case in CASES])
ROUNDING = np.array([TABLE_4[case].rounding for case in CASES])
# Saved times of each piece of a cycle.
POINTS = 4
FIGURES = 8
# A change of a work that its rounding hides.
SMALL = 0.1


# What `jaxthermo infer-protocol --others 4` wrote.
STORED = Path(__file__).with_name("cycles.json")


@functools.cache
def stored() -> dict[str, Any]:
    """The cycles with the six works of Table 4 that are kept with the library, the inferred one first, and their facts.

    They come with the command, the settings and the versions that made them.
    """
    known: dict[str, Any] = json.loads(STORED.read_text())
    return known | {"cycles": [each for each in known["cycles"] if fits(each)]}


def facts_of(parameters: tuple[float, ...]) -> dict[str, Any]:
    """The runs of a cycle on the finer mesh, in the order of `CASES`, as numbers that a file can hold.

    absorbed    heat taken up, where its current is positive
    horizontal  share of the way of X while x and beta rest, classical, A = 1
    apart       largest difference of quantum and classical over the span, for H and U, by coupling
    """
    cycle = cycle_from(jnp.asarray(parameters))
    runs = {case: run_cycle(oscillator(*case, full=True), cycle, FINE_TOLERANCE, points=POINTS) for case in CASES}
    each = list(runs.values())
    return {
        "parameters": list(parameters),
        "work": [short(run.work) for run in each],
        "absorbed": [short(_absorbed(run)) for run in each],
        "entropy_produced": [short(run.cumulative_work_int[-1]) for run in each],
        "horizontal": short(_horizontal(runs["classical", 1.0])),
        "apart": {name: [short(_apart(runs, a, name)) for a in STRENGTHS] for name in ("H", "U")},
        "outcomes": [str(run.outcome) for run in each],
    }


def residuals(facts: dict[str, Any]) -> np.ndarray:
    """(W - W of Table 4) over half of its last digit."""
    return (np.array(facts["work"]) - PRINTED) / ROUNDING


def one_level_more(facts: dict[str, Any]) -> list[float]:
    """By how much one more level changes each work, where a hierarchy was called too shallow; 0 elsewhere."""
    cycle, found = cycle_from(jnp.asarray(facts["parameters"])), []
    for case, work, outcome in zip(CASES, facts["work"], facts["outcomes"], strict=True):
        change = 0.0
        if outcome == Status.hierarchy_too_shallow.word:
            model = oscillator(*case, full=True)
            model = model.with_depth((model.bath.depth or 0) + 1)
            change = float(run_cycle(model, cycle, FINE_TOLERANCE, points=POINTS).work) - work
        found.append(float(f"{change:.1g}"))
    return found


def fits(facts: dict[str, Any]) -> bool:
    """Whether all six works are those of Table 4 within their rounding, from runs that are ok.

    A hierarchy that was called too shallow will do if one more level changes the work by less than a tenth of that.
    """
    allowed = {Status.ok.word, Status.hierarchy_too_shallow.word}
    still = np.abs(np.array(facts["one_level_more"])) < SMALL * ROUNDING
    return bool(np.abs(residuals(facts)).max() <= 1.0 and set(facts["outcomes"]) <= allowed and still.all())


def _absorbed(run: PeriodicRun) -> float:
    steps = np.diff(np.asarray(run.cumulative_heat))
    return float(steps[steps > 0].sum())


def _horizontal(run: PeriodicRun) -> float:
    rests = (np.abs(np.diff(np.asarray(run.x))) < 1e-12) & (np.abs(np.diff(np.asarray(run.beta))) < 1e-12)
    moved = np.abs(np.diff(np.asarray(run.X)))
    return float(moved[rests].sum() / moved.sum())


def _apart(runs: dict[tuple[str, float], PeriodicRun], strength: float, name: str) -> float:
    series = [np.asarray(getattr(runs[kind, strength], name)) for kind in KINDS]
    gains = [one - one[0] for one in series]
    return float(np.abs(gains[1] - gains[0]).max() / np.ptp(gains[0]))


def short(value: Any) -> float:
    """A number with as many figures as are kept."""
    return float(f"{float(value):.{FIGURES}g}")
