"""The library's side of the audit: its public verbs, asked with plain numbers, answered with plain numbers.

The one file that knows how results of the library look.
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import jaxthermo as jt

LAWS = {
    "arrhenius": lambda split: jt.potts.Arrhenius(),
    "glauber": lambda split: jt.potts.Glauber(),
    "metropolis": lambda split: jt.potts.Metropolis(),
    "load sharing": lambda split: jt.potts.LoadSharing(split),
}


class Answer(NamedTuple):
    """Whether the library says that its numbers are right, in which words if not, and the numbers."""

    ok: bool
    words: str
    numbers: dict[str, Any]


def answer(result: Any, numbers: dict[str, Any]) -> Answer:
    """With the status of a result: `ok` and `outcome`, or words in `status` or in the attributes of a dataset."""
    if hasattr(result, "ok"):
        return Answer(bool(result.ok), str(result.outcome), numbers)
    if hasattr(result, "attrs"):
        words = str(result.attrs["status"])
    else:
        words = "undecided" if getattr(result, "kind", "") == "undecided" else str(getattr(result, "status", "ok"))
    return Answer(words in ("ok", "plateau"), words, numbers)


def quiet(function: Any, *args: Any, **settings: Any) -> Any:
    """A call whose warnings of the library are kept back: the status says the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **settings)


def oscillator(p: dict[str, Any]) -> Any:
    """The oscillator of a draw: `coefficients`, `strength`, `poles` (None: classical), and perhaps `depth`, `grid`."""
    padded = [*p["coefficients"], *[0.0] * (5 - len(p["coefficients"]))]
    potential, grid = jt.Polynomial(padded), jt.PhaseGrid(*p["grid"]) if p.get("grid") else None
    if p["poles"] is None:
        return jt.classical_oscillator(potential, p["strength"], grid)
    return jt.quantum_oscillator(potential, p["strength"], p["poles"], p.get("depth"), grid)


def _moments(result: Any, names: Sequence[str] = ("X", "q2", "p2", "U")) -> dict[str, np.ndarray]:
    return {name: np.asarray(getattr(result, name), dtype=float) for name in names}


def equilibrium(p: dict[str, Any]) -> Answer:
    state = quiet(jt.equilibrium, oscillator(p), p["beta"], p["x"])
    return answer(state, _moments(state))


def schedule(ramp: Sequence[float]) -> Any:
    """From one value to another between two times: (start, end, t0, t1)."""
    return jt.Ramp(*ramp)


def drive(p: dict[str, Any]) -> Answer:
    run = quiet(jt.drive, oscillator(p), schedule(p["beta"]), schedule(p["x"]), np.array(p["ts"]))
    return answer(run, _moments(run, ("X", "q2", "p2", "U", "work")))


def run_cycle(p: dict[str, Any]) -> Answer:
    run = quiet(jt.run_cycle, oscillator(p), jt.StirlingCycle(*p["cycle"]), p["tol"], points=p["points"])
    work = run.attrs["work"] if hasattr(run, "attrs") else run.work
    return answer(run, {"work": float(work)})


def ring(p: dict[str, Any]) -> Any:
    rates = LAWS[p["law"]](p["split"])
    return jt.PottsRing(p["q"], p["coupling"], p["force"], p["prefactor"], p["energies"], rates)


def stationary(p: dict[str, Any]) -> Answer:
    found = quiet(jt.potts.stationary, ring(p), p["beta"], p["start"])
    numbers = {name: np.asarray(getattr(found, name), float) for name in ("point", "period", "work_current")}
    return answer(found, {"state": numbers["point"], "kind": str(found.kind)} | numbers)


def limit_cycle(p: dict[str, Any]) -> Answer:
    found = quiet(jt.potts.limit_cycle, ring(p), p["beta"])
    numbers = {name: np.asarray(getattr(found, name), float) for name in ("point", "period", "work_current")}
    return answer(found, numbers)


def mesoscopic_stationary(p: dict[str, Any]) -> Answer:
    found = quiet(jt.potts.mesoscopic_stationary, ring(p), p["beta"], p["units"])
    produced = found.entropy_production if hasattr(found, "entropy_production") else found.entropy_production_rate
    numbers = {name: float(getattr(found, name)) for name in ("work_current", "energy")}
    return answer(found, numbers | {"entropy_production": float(produced)})


def minimum_work(p: dict[str, Any]) -> Answer:
    engine = oscillator(p)
    state = quiet(jt.equilibrium, engine, *p["from"])
    found = quiet(jt.minimum_work, engine, state, *p["to"], p["order"], p["horizon"])
    names = ("value", "error", "upper", "lower", "beta_coefficients", "x_coefficients")
    return answer(found, {name: np.asarray(getattr(found, name), float) for name in names})
