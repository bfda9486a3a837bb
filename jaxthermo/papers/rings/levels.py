"""Apps. A and B of Herpich & Esposito 2019: laws for single units, for occupation numbers and for the mean field.

q = 3, beta = 3.5: between its transitions, where the mean field is a limit cycle, so that the limit is at its hardest.
"""

import math
from typing import Any

import numpy as np
import xarray

import jaxthermo as jt
from jaxthermo.papers.rings.lanes import COUPLING, FORCE, POWER, PREFACTOR, labelled
from jaxthermo.papers.tables import markdown

Q, BETA = 3, 3.5
UNITS, COARSE_UNITS = (1, 2, 3, 4, 5, 10, 20, 40, 80), (4, 80)
# Up to so many units the q^N states of single units are followed too.
MICROSCOPIC = 4
TIMES = np.linspace(0.0, 20.0, 41)
OBSERVABLES = {
    "work_current": (POWER, "stationary work current per unit"),
    "heat_current": (POWER, "stationary heat current per unit"),
    "energy": ("energy", "stationary energy per unit"),
    "entropy": ("k_B", "stationary entropy per unit"),
    "entropy_production_rate": ("k_B/time", "stationary rate of entropy production per unit"),
}


def ring() -> jt.PottsRing:
    """The paper's ring of three states."""
    return jt.PottsRing(Q, COUPLING, FORCE, PREFACTOR)


def stationary_levels(units: tuple[int, ...]) -> xarray.Dataset:
    """Stationary values on every level, over N; micro is NaN for more units than are followed."""
    values = {name: np.full((2, len(units)), np.nan) for name in OBSERVABLES}
    for column, number in enumerate(units):
        solvers = [jt.potts.mesoscopic_stationary]
        solvers += [jt.potts.microscopic_stationary] if number <= MICROSCOPIC else []
        for row, solve in enumerate(solvers):
            for name, value in _observed(solve(ring(), BETA, number)).items():
                values[name][row, column] = value
    limit = _observed(jt.potts.stationary(ring(), BETA))
    variables: dict[str, Any] = {
        name: (("level", "units"), values[name], *words) for name, words in OBSERVABLES.items()
    }
    variables |= {f"{name}_limit": ((), limit[name], *words) for name, words in OBSERVABLES.items()}
    coords = {
        "level": ("level", ["meso", "micro"], "1", "level of description"),
        "units": ("units", list(units), "1", "number of units"),
    }
    return labelled(variables, coords)


def _observed(found: Any) -> dict[str, float]:
    heat = float(np.sum(found.heat_currents))
    return {name: heat if name == "heat_current" else float(getattr(found, name)) for name in OBSERVABLES}


def relaxation() -> xarray.Dataset:
    """How units and occupation numbers relax from all units in the first state, on both levels."""
    runs = [
        evolve(ring(), BETA, MICROSCOPIC, None, TIMES)
        for evolve in (jt.potts.mesoscopic_evolve, jt.potts.microscopic_evolve)
    ]
    # From a start with two kinds of units: until these have mixed, the levels' entropies differ.
    mixed = [
        evolve(ring(), BETA, MICROSCOPIC, [2, 2, 0], TIMES)
        for evolve in (jt.potts.mesoscopic_evolve, jt.potts.microscopic_evolve)
    ]
    axes = ("start", "level", "time")
    both = [runs, mixed]

    def series(name: str) -> np.ndarray:
        return np.array([[np.asarray(getattr(run, name)) for run in pair] for pair in both])

    variables = {
        "energy": (axes, series("energy"), "energy", "energy per unit"),
        "entropy": (axes, series("entropy"), "k_B", "entropy per unit"),
        "work": (axes, series("work"), "energy", "work since the first time, per unit"),
        "heat": (axes, series("heat"), "energy", "heat since the first time, per unit"),
        "entropy_produced": (axes, series("entropy_produced"), "k_B", "entropy produced, per unit"),
        "entropy_production_rate": (axes, series("entropy_production_rate"), "k_B/time", "its rate, per unit"),
    }
    coords = {
        "start": ("start", ["one state", "two states"], "1", "which states are filled at first"),
        "level": ("level", ["meso", "micro"], "1", "level of description"),
        "time": ("time", TIMES, "time", "time"),
    }
    return labelled(variables, coords)


IDENTITY_HEADER = ["equation", "what it says", "largest deviation", "where"]


def identities(still: xarray.Dataset, moving: xarray.Dataset) -> list[tuple[str, str, float, str]]:
    """Each identity of App. B with its largest deviation, or for an inequality its smallest value."""
    meso, micro = (moving.sel(level=name) for name in ("meso", "micro"))
    gain = moving.energy - moving.energy.isel(time=0)
    flow = moving.entropy - moving.entropy.isel(time=0) - moving.entropy_produced
    closed = still.where(np.isfinite(still.work_current))
    many = f"N = {', '.join(str(n) for n in still.units.values)}"
    few = f"N = {', '.join(str(n) for n in still.units.values if n <= MICROSCOPIC)}"
    relaxed = f"relaxation of N = {MICROSCOPIC} from two starts"

    def largest(values: Any) -> float:
        return float(np.nanmax(np.abs(values)))

    between = {name: largest(closed[name].sel(level="meso") - closed[name].sel(level="micro")) for name in OBSERVABLES}
    return [
        ("B3, B9", "dE = Q + W", largest(gain - moving.work - moving.heat), f"{relaxed}, both levels"),
        ("B6, B7, B13", "dS - Sigma = beta Q", largest(flow - BETA * moving.heat), f"{relaxed}, both levels"),
        ("B8, B14", "rate of Sigma >= 0 (smallest value)", float(moving.entropy_production_rate.min()), relaxed),
        ("B15", "E meso = E micro", largest(meso.energy - micro.energy), relaxed),
        ("B15", "Q meso = Q micro", largest(meso.heat - micro.heat), relaxed),
        ("B15", "W meso = W micro", largest(meso.work - micro.work), relaxed),
        ("below B15", "S meso differs from S micro (largest)", largest(meso.entropy - micro.entropy), relaxed),
        (
            "below B15",
            "Sigma meso differs from Sigma micro (largest)",
            largest(meso.entropy_produced - micro.entropy_produced),
            relaxed,
        ),
        ("B15", "stationary W, Q meso = micro", max(between["work_current"], between["heat_current"]), few),
        ("below B15", "stationary S meso = micro", between["entropy"], few),
        ("below B15", "stationary Sigma meso = micro", between["entropy_production_rate"], few),
        (
            "B16",
            "stationary rate of Sigma = -beta Q",
            largest(closed.entropy_production_rate + BETA * closed.heat_current),
            many,
        ),
        (
            "Sec. IV",
            "stationary rate of Sigma = beta W",
            largest(closed.entropy_production_rate - BETA * closed.work_current),
            many,
        ),
    ]


def text(still: xarray.Dataset, moving: xarray.Dataset) -> str:
    """Both tables: the identities, and the approach to the mean field."""
    lines = [[eq, words, f"{value:.1e}", where] for eq, words, value, where in identities(still, moving)]
    header = ["N", "q^N", "occupation numbers", "W micro", "W meso", "Q meso", "E meso", "S meso", "Sigma rate meso"]
    body = []
    for number in still.units.values:
        meso, micro = (still.sel(units=number, level=level) for level in ("meso", "micro"))
        cells = [f"{float(micro.work_current):.6f}" if np.isfinite(micro.work_current) else ""]
        cells += [f"{float(meso[name]):.6f}" for name in OBSERVABLES]
        body.append([str(number), f"{float(Q) ** int(number):.3g}", str(mesostates(int(number))), *cells])
    body.append(["mean field", "", "", "", *[f"{float(still[f'{name}_limit']):.6f}" for name in OBSERVABLES]])
    fixed = f"q = {Q}, beta = {BETA}, u = {COUPLING:g}, f = {FORCE:g}, prefactor {PREFACTOR:g}; per unit."
    approach = markdown("Towards the mean field, Eq. (A10)", header, body)
    return f"{markdown('Identities', IDENTITY_HEADER, lines)}\n{fixed}\n\n{approach}"


def mesostates(units: int) -> int:
    """How many occupation numbers there are."""
    return math.comb(units + Q - 1, Q - 1)
