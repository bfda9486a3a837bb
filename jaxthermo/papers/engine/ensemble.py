"""Other cycles with the six works of Table 4, reached from the inferred one along directions that the works do not fix.

Six works of fifteen parameters leave nine directions flat. From the inferred cycle a step is taken along a random one
of them, and least squares of least norm bring the works back. What holds for all such cycles does not hang on which one
the paper used.
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray

from jaxthermo.brownian import PeriodicRun, run_cycle
from jaxthermo.papers.engine import cycle_inference as inference
from jaxthermo.papers.engine.data import INFERRED, KINDS, STRENGTHS, TABLE_4, TOLERANCE, oscillator
from jaxthermo.papers.engine.inference_report import fitted
from jaxthermo.papers.labels import labelled
from jaxthermo.papers.tables import markdown
from jaxthermo.protocols import StirlingCycle
from jaxthermo.search.bounded_least_squares import least_squares

MEMBERS = 4
# A change of x or beta that is rounding.
REST = 1e-12
# Length of the step, over the widths of the parameters' bounds, and how well the works must be met to stop.
STEP, ENOUGH, EVALUATIONS = 0.25, 0.3, 12
CASES = tuple((kind, a) for kind in KINDS for a in STRENGTHS)
LOW, HIGH = (np.array([row[i] for row in inference.PARAMETERS]) for i in (2, 3))


def member(number: int) -> xarray.Dataset:
    """One further cycle (0: the inferred one itself), run for both kinds and all couplings."""
    start = (np.array(INFERRED) - LOW) / (HIGH - LOW)
    point = start if number == 0 else _moved(start, number)
    return _described(inference.cycle_from(jnp.asarray(LOW + point * (HIGH - LOW))), point)


def _moved(start: np.ndarray, number: int) -> np.ndarray:
    """A step along a random flat direction, and back to the works."""
    shift, jacobian = _at_inferred()
    _, _, directions = np.linalg.svd(jacobian)
    flat = directions[len(CASES) :]
    along = np.random.default_rng(number).normal(size=len(flat)) @ flat
    point = np.clip(start + STEP * along / np.linalg.norm(along), 0.0, 1.0)
    return least_squares(lambda each: _misfit(each, shift), point, EVALUATIONS, ENOUGH).point


@functools.cache
def _at_inferred() -> tuple[np.ndarray, np.ndarray]:
    """What the search's meshes and steps miss at the inferred cycle, in units of the roundings; and its Jacobian."""
    start = (np.array(INFERRED) - LOW) / (HIGH - LOW)
    found, jacobian = _misfit(start, np.zeros(len(CASES)))
    runs = _runs(inference.cycle_from(jnp.asarray(INFERRED)))
    true = np.array([(float(runs[case].work) - TABLE_4[case].work) / TABLE_4[case].rounding for case in CASES])
    return true - found, jacobian


def _misfit(point: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(work - printed)/rounding of every case, and its derivatives over the widths of the bounds."""
    theta = jnp.asarray(LOW + point * (HIGH - LOW))
    pairs = [inference.work_and_gradient(theta, fitted(*case, "symmetric"), inference.FINE_STEPS) for case in CASES]
    scale = np.array([TABLE_4[case].rounding for case in CASES])
    works = np.array([float(work) for work, _ in pairs])
    slopes = np.stack([np.asarray(slope) for _, slope in pairs]) * (HIGH - LOW)
    return (works - np.array([TABLE_4[case].work for case in CASES])) / scale + shift, slopes / scale[:, None]


def _runs(cycle: StirlingCycle) -> dict[tuple[str, float], PeriodicRun]:
    return {case: run_cycle(oscillator(*case), cycle, TOLERANCE, points=4) for case in CASES}


def _described(cycle: StirlingCycle, point: np.ndarray) -> xarray.Dataset:
    runs = _runs(cycle)
    shape = len(KINDS), len(STRENGTHS)

    def of(value: Any) -> np.ndarray:
        return np.array([value(runs[case]) for case in CASES], dtype=float).reshape(shape)

    axes = ("kind", "strength")
    apart = [[_apart(runs, a, name) for a in STRENGTHS] for name in ("H", "U")]
    variables = {
        "parameter": ("name", LOW + point * (HIGH - LOW), "mixed", "parameter of the cycle"),
        "work": (axes, of(lambda run: run.work), "energy", "work per cycle"),
        "absorbed": (axes, of(_absorbed), "energy", "heat taken up per cycle"),
        "entropy": (axes, of(lambda run: run.cumulative_work_int[-1]), "k_B", "entropy produced per cycle"),
        "apart": (("energy", "strength"), apart, "1", "largest difference of quantum and classical, over the span"),
        "horizontal": ((), horizontal(runs["classical", 1.0]), "1", "share of the way of X while x and beta rest"),
        "ok": (axes, of(lambda run: int(run.status) == 0), "1", "whether the run is ok"),
    }
    coords = {
        "name": ("name", list(inference.NAMES), "1", "parameter"),
        "kind": ("kind", list(KINDS), "1", "kind"),
        "strength": ("strength", list(STRENGTHS), "1/time^(1/2)", "coupling A"),
        "energy": ("energy", ["H", "U"], "1", "which energy"),
    }
    return labelled(variables, coords)


def horizontal(data: Any) -> float:
    """The share of the way of X that is gone while x and beta rest."""
    rests = (np.abs(np.diff(np.asarray(data.x))) < REST) & (np.abs(np.diff(np.asarray(data.beta))) < REST)
    moved = np.abs(np.diff(np.asarray(data.X)))
    return float(moved[rests].sum() / moved.sum())


def _absorbed(run: PeriodicRun) -> float:
    steps = np.diff(np.asarray(run.cumulative_heat))
    return float(steps[steps > 0].sum())


def _apart(runs: dict[tuple[str, float], PeriodicRun], strength: float, name: str) -> float:
    series = [np.asarray(getattr(runs[kind, strength], name)) for kind in KINDS]
    gains = [one - one[0] for one in series]
    return float(np.abs(gains[1] - gains[0]).max() / np.ptp(gains[0]))


STATEMENTS = {
    "All six works are those of Table 4, within their rounding": lambda d: bool((np.abs(_residuals(d)) <= 1.0).all()),
    "The quantum effect on the work falls with A": lambda d: _falls(np.abs(d.work[1] - d.work[0])),
    "At A = 1.5 the cycle takes work up": lambda d: bool((d.work.sel(strength=1.5) > 0).all()),
    "A cycle produces entropy": lambda d: bool((d.entropy > 0).all()),
    "It produces more at stronger coupling": lambda d: all(_falls(-d.entropy[kind]) for kind in (0, 1)),
    "The efficiency falls with A": lambda d: all(_falls(-d.work[kind] / d.absorbed[kind]) for kind in (0, 1)),
    "H and U are nearer to the classical ones at A = 0.5 than at 1.5": lambda d: bool(
        (d.apart[:, 0] < d.apart[:, 2]).all()
    ),
    "X moves while x and beta rest": lambda d: float(d.horizontal) > 0.01,
}


def _falls(values: Any) -> bool:
    return bool(np.all(np.diff(np.asarray(values)) < 0.0))


def _residuals(data: xarray.Dataset) -> np.ndarray:
    printed = np.array([[TABLE_4[kind, a].work for a in STRENGTHS] for kind in KINDS])
    scale = np.array([[TABLE_4[kind, a].rounding for a in STRENGTHS] for kind in KINDS])
    return (data.work.values - printed) / scale


def text(members: list[xarray.Dataset]) -> str:
    """The cycles, and for how many of those with the six works each statement holds."""
    header = ["parameter", *(f"cycle {number}" for number in range(len(members)))]
    lines = [[name, *(f"{float(d.parameter[i]):.4g}" for d in members)] for i, name in enumerate(inference.NAMES)]
    worst = ["largest (W - W of Table 4) / half of the last digit"]
    lines.append(worst + [f"{float(np.abs(_residuals(d)).max()):.2f}" for d in members])
    fitting = [d for d in members if np.abs(_residuals(d)).max() <= 1.0 and bool(d.ok.all())]
    held = [[words, f"{sum(judge(d) for d in fitting)} of {len(fitting)}"] for words, judge in STATEMENTS.items()]
    judged = markdown("What holds for the cycles that fit", ["statement", "holds for"], held)
    return f"{markdown('Cycles', header, lines)}\n{judged}"
