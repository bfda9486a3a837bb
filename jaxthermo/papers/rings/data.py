"""The numbers behind Figs. 1-4 of Herpich & Esposito 2019, as labelled datasets."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray

from jaxthermo._status import coded
from jaxthermo.papers.rings.lanes import (
    COUPLING,
    FOLD_NAME,
    FORCE,
    POWER,
    PREFACTOR,
    attractors,
    folds,
    labelled,
    onset,
)
from jaxthermo.papers.rings.limits import sides
from jaxthermo.potts import (
    Phase,
    PottsRing,
    evolve,
    localised,
    low_temperature_work_current,
    maximum_power,
    output_power,
    phases,
    uniform_work_current,
)
from jaxthermo.potts.edges import Place, Side
from jaxthermo.solve.lanes import Progress

# Fixed by hand so that every phase of each q is met; beta_c1 = q.
PORTRAIT_BETAS = {
    3: (2.0, 3.5, 5.5, 7.0),
    4: (3.0, 4.2, 5.0, 7.0),
    5: (4.0, 5.3, 6.0, 8.0),
    6: (5.0, 6.3, 7.0, 9.0),
}
PORTRAIT_TIME, PORTRAIT_POINTS, PORTRAIT_RTOL, PORTRAIT_ATOL = 300.0, 3001, 1e-8, 1e-11


def portraits(q: int, advance: Progress | None = None) -> xarray.Dataset:
    """Fig. 1: trajectories from P_1 = 1 and, where the attractor is a limit cycle, one full turn of it."""
    betas = np.array(PORTRAIT_BETAS[q])
    found = attractors(q, betas, np.full(len(betas), FORCE), advance)
    phase = phases(found)
    spans = np.where(phase == Phase.limit_cycle, found.period, 1.0)
    unit = np.linspace(0.0, 1.0, PORTRAIT_POINTS)
    starts = np.tile(localised(q), (len(betas), 1))
    path = _occupations(q, betas, starts, np.tile(PORTRAIT_TIME * unit, (len(betas), 1)))
    turn = _occupations(q, betas, np.asarray(found.point), spans[:, None] * unit)
    turn = np.where((phase == Phase.limit_cycle)[:, None, None], turn, np.nan)
    variables = {
        "occupation": (("beta", "time", "state"), path, "1", "occupation P_i from P_1 = 1"),
        "cycle": (("beta", "turn", "state"), turn, "1", "occupation P_i round the limit cycle"),
        "attractor": (("beta", "state"), found.point, "1", "fixed point, or one point on the limit cycle"),
        "period": ("beta", found.period, "time", "period of the limit cycle"),
        "phase": ("beta", phase, "1", "phase reached"),
        "critical_beta": ((), onset(q), "1/energy", "beta_c1, where the uniform state loses stability"),
    }
    coords = {
        "beta": ("beta", betas, "1/energy", "inverse temperature"),
        "time": ("time", PORTRAIT_TIME * unit, "time", "time"),
        "turn": ("turn", unit, "1", "fraction of the period"),
        "state": ("state", np.arange(1, q + 1), "1", "state of a unit"),
    }
    return labelled(variables, coords)


def work(q: int, betas: np.ndarray, advance: Progress | None = None) -> xarray.Dataset:
    """Fig. 2: stationary work current against beta at f = 1, with its two exact limits."""
    found = attractors(q, betas, np.full(len(betas), FORCE), advance)
    ring = PottsRing(q, COUPLING, FORCE, PREFACTOR)
    uniform = jax.vmap(lambda beta: uniform_work_current(ring, beta))(jnp.asarray(betas))
    cold = float(low_temperature_work_current(ring, betas[-1]))
    variables = {
        "work_current": ("beta", found.work_current, POWER, "time-averaged work current W per unit"),
        "uniform_work_current": ("beta", uniform, POWER, "work current W_1 of the uniform state, Eq. (10)"),
        "entropy_production_rate": (
            "beta",
            found.entropy_production_rate,
            "k_B/time",
            "time-averaged rate of entropy production per unit",
        ),
        "largest_occupation": ("beta", np.max(found.occupation, axis=-1), "1", "largest mean occupation"),
        "low_temperature": ((), cold, POWER, "low-temperature limit of W at the largest beta"),
        "phase": ("beta", phases(found), "1", "phase reached"),
        "critical_beta": ((), onset(q), "1/energy", "beta_c1, where the uniform state loses stability"),
        "fold_beta": ((), float(folds(q, np.array([FORCE]))[0]), "1/energy", FOLD_NAME),
    }
    data = labelled(variables, {"beta": ("beta", betas, "1/energy", "inverse temperature")})
    return data.merge(sides(q, float(data.critical_beta), float(data.fold_beta)))


def landscape(q: int, betas: np.ndarray, loads: np.ndarray, advance: Progress | None = None) -> xarray.Dataset:
    """Fig. 3: output power over (f2, beta) with f1 = 1."""
    beta, load = (grid.ravel() for grid in np.meshgrid(betas, loads, indexing="ij"))
    found = attractors(q, beta, FORCE + load, advance)
    shape = (len(betas), len(loads))
    axes = ("beta", "force2")
    power = np.asarray(output_power(found, FORCE + load, load)).reshape(shape)
    variables = {
        "power": (axes, power, POWER, "time-averaged output power |P| per unit"),
        "phase": (axes, phases(found).reshape(shape), "1", "phase reached"),
        "critical_beta": ((), onset(q), "1/energy", "beta_c1, where the uniform state loses stability"),
        "fold_beta": ("force2", folds(q, FORCE + loads), "1/energy", FOLD_NAME),
    }
    coords = {
        "beta": ("beta", betas, "1/energy", "inverse temperature"),
        "force2": ("force2", loads, "energy", "load f2"),
    }
    return labelled(variables, coords)


def optimum(q: int) -> xarray.Dataset:
    """Fig. 4: the global maximum of the output power over (f2, beta) with f1 = 1, and its efficiency."""
    best = maximum_power(q, COUPLING, PREFACTOR, FORCE)
    variables = {
        "power": ((), best.power, POWER, "largest time-averaged output power |P| per unit"),
        "efficiency": ((), best.efficiency, "1", "efficiency at maximum power"),
        "force2": ((), best.force2, "energy", "load f2 at the maximum"),
        "beta": ((), best.beta, "1/energy", "inverse temperature at the maximum"),
        "phase": ((), best.phases[0], "1", "phase at the maximum"),
        "place": ((), best.places[0], "1", "where the maximum lies"),
        "side": ((), best.sides[0], "1", "from which side of an edge it is approached"),
        "gaps": ("candidate", best.gaps, POWER, "how far the maxima found are below the global one"),
        "betas": ("candidate", best.betas, "1/energy", "inverse temperatures of the maxima found"),
        "loads": ("candidate", best.loads, "energy", "loads of the maxima found"),
        "critical_beta": ((), onset(q), "1/energy", "beta_c1, where the uniform state loses stability"),
    }
    dataset = labelled(variables, {})
    dataset["place"].attrs |= coded(Place.words())
    dataset["side"].attrs |= coded(Side.words())
    return dataset


def _occupations(q: int, betas: np.ndarray, starts: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.asarray(_paths(PottsRing(q, COUPLING, FORCE, PREFACTOR), betas, starts, times))


@jax.jit
def _paths(ring: PottsRing, betas: Any, starts: Any, times: Any) -> Any:
    def path(beta: Any, start: Any, ts: Any) -> Any:
        return evolve(ring, beta, start, ts, rtol=PORTRAIT_RTOL, atol=PORTRAIT_ATOL).occupation

    return jax.vmap(path)(betas, starts, times)
