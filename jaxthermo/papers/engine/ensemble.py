"""The search for other cycles with the six works of Table 4: walks along what the works do not fix.

Six works of fifteen parameters leave nine directions flat. A tenth hardly matters: the works at A = 1.5, classical and
quantum, change together.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from rich.console import Console

from jaxthermo._results import JaxthermoWarning
from jaxthermo.brownian import run_cycle
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.papers.engine import cycle_entropy, cycle_inference as inference
from jaxthermo.papers.engine.cycle_facts import (
    CASES,
    PRINTED,
    ROUNDING,
    facts_of,
    fits,
    one_level_more,
    residuals,
)
from jaxthermo.papers.engine.data import INFERRED
from jaxthermo.papers.engine.flat_directions import Place, Residuals, corrected, walk
from jaxthermo.papers.engine.inference_report import fitted
from jaxthermo.provenance import provenance
from jaxthermo.solve.lean import lean_jit

LOW, HIGH = (np.array([row[i] for row in inference.PARAMETERS]) for i in (2, 3))
NAME = "stirling_others.json"
# Of a walk, over the widths of the bounds: its length, one stretch, and the distance from the bounds. Residuals on the
# way and at the end, over half of a work's last digit; rounds of corrections on the finer mesh; figures that are kept.
LENGTH, STRETCH, MARGIN = 0.4, 0.1, 0.01
ON_THE_WAY, AT_THE_END, ROUNDS, FIGURES = 1.0, 0.4, 3, 6


def further_cycles(out: Path, count: int, say: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
    """The inferred cycle and so many further ones with the six works, in `out`/stirling_others.json.

    What is in the file already is not searched for again, so that the same command goes on after an interrupt.
    """
    out.mkdir(parents=True, exist_ok=True)
    console = Console()

    def printed(text: str) -> None:
        console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)
        console.file.flush()

    say, path = say or printed, out / NAME
    known = _known(path)
    if not known["cycles"]:
        known["cycles"] = [_checked({"walk": 0} | _described(INFERRED))]
        _write(path, known)
    say(f"the inferred cycle: residuals {_words(known['cycles'][0])}")
    if "slopes" not in known:
        known["slopes"] = slopes(_unit(INFERRED)).tolist()
        _write(path, known)
    say("singular values " + ", ".join(f"{size:.3g}" for size in np.linalg.svd(known["slopes"], compute_uv=False)))
    done = {each["walk"] for each in known["cycles"]}
    for number in range(1, count + 1):
        if number not in done:
            say(f"walk {number} of {count}")
            known["cycles"].append(_checked({"walk": number} | _other(number, known, say)))
            _write(path, known)
    for index, each in enumerate(known["cycles"]):
        if not each.keys() >= cycle_entropy.NAMES:
            known["cycles"][index] = each | cycle_entropy.entropy_of(tuple(each["parameters"]))
            _write(path, known)
    fitting = [each for each in known["cycles"] if fits(each)]
    say(f"{len(fitting)} of {len(known['cycles'])} cycles have the six works, the inferred one included")
    return fitting


def _other(number: int, known: dict[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """A cycle at the end of a walk from the inferred one, and what the finer mesh says of it."""
    start = _unit(INFERRED)
    # What the mesh and the steps of the walk add to the works, from the cycle where both are known.
    shift = residuals(known["cycles"][0]) - misfit(start)
    place = Place(start, residuals(known["cycles"][0]), np.array(known["slopes"]))
    direction = np.random.default_rng(number).normal(size=len(start))
    place = walk(
        _shifted(shift), place, direction, LENGTH, STRETCH, margin=MARGIN, enough=ON_THE_WAY, say=say,
    )  # fmt: skip
    for _ in range(ROUNDS):
        place = corrected(_shifted(shift), place, AT_THE_END)
        found = _described(tuple(_rounded(_theta(place.point))))
        say(f"on the finer mesh: residuals {_words(found)}")
        if np.abs(residuals(found)).max() <= 1.0:
            break
        point = _unit(found["parameters"])
        shift = residuals(found) - misfit(point)
        place = replace(place, point=point, residuals=residuals(found))
    return found


def misfit(point: np.ndarray) -> np.ndarray:
    """(W - W of Table 4) over half of its last digit, for each of the six works, on the steps of the inference."""
    theta = jnp.asarray(_theta(point))
    works = [float(_work(theta, fitted(*case, "symmetric"), inference.FINE_STEPS)) for case in CASES]
    return (np.array(works) - PRINTED) / ROUNDING


@lean_jit
def _work(theta: Array, oscillator: Oscillator, steps: int) -> Array:
    cycle = inference.cycle_from(theta)
    return run_cycle(oscillator, cycle, inference.TOLERANCE, points=inference.POINTS, steps=steps).work


def _shifted(shift: np.ndarray) -> Residuals:
    return lambda point: misfit(point) + shift


def slopes(point: np.ndarray) -> np.ndarray:
    """Derivatives of the six misfits over the widths of the bounds."""
    theta = jnp.asarray(_theta(point))
    found = [inference.work_and_gradient(theta, fitted(*case, "symmetric"), inference.FINE_STEPS)[1] for case in CASES]
    return np.stack([np.asarray(slope) for slope in found]) * (HIGH - LOW) / ROUNDING[:, None]


def _described(parameters: tuple[float, ...]) -> dict[str, Any]:
    with warnings.catch_warnings():
        # The outcome of each run is part of what is written.
        warnings.simplefilter("ignore", JaxthermoWarning)
        return facts_of(parameters)


def _checked(found: dict[str, Any]) -> dict[str, Any]:
    """With the change of the works by one more level, where a hierarchy was called too shallow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JaxthermoWarning)
        return found | {"one_level_more": one_level_more(found)}


def _words(found: dict[str, Any]) -> str:
    text = ", ".join(f"{value:+.2f}" for value in residuals(found))
    return f"{text}; {', '.join(sorted(set(found['outcomes'])))}"


def _theta(point: np.ndarray) -> np.ndarray:
    return np.asarray(LOW + point * (HIGH - LOW))


def _unit(parameters: Any) -> np.ndarray:
    return (np.asarray(parameters) - LOW) / (HIGH - LOW)


def _rounded(theta: np.ndarray) -> list[float]:
    return [float(f"{value:.{FIGURES}g}") for value in theta]


def _settings() -> dict[str, Any]:
    return {"start": list(INFERRED), "length": LENGTH, "stretch": STRETCH, "steps": inference.FINE_STEPS}


def _known(path: Path) -> dict[str, Any]:
    """What an earlier search with the same settings has written."""
    settings = _settings()
    if path.exists():
        known: dict[str, Any] = json.loads(path.read_text())
        if known.get("settings") == settings:
            return known
    return {"command": "jaxthermo infer-protocol --others", "settings": settings, "names": list(inference.NAMES),
            "cycles": []}  # fmt: skip


def _write(path: Path, known: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(known | {"provenance": provenance(_settings())}, indent=1) + "\n")
    partial.replace(path)
