"""The eight potentials along a driven process, quasi-static and out of equilibrium, and its entropy production."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.bath import OhmicBath
from jaxthermo.brownian.cycle import run_cycle
from jaxthermo.brownian.hierarchy import Workspace, workspace
from jaxthermo.brownian.information import entropy_production_rate
from jaxthermo.brownian.kept import NOT_KEPT, grid_of, with_depth_of
from jaxthermo.brownian.oscillator import check_oscillator
from jaxthermo.brownian.progress import Line
from jaxthermo.brownian.quasistatic import QuasiStatic
from jaxthermo.flags import coded
from jaxthermo.protocols.stirling import StirlingCycle, cycle_from_record
from jaxthermo.provenance import recorded
from jaxthermo.search.protocol_cost import Search
from jaxthermo.search.minimum_work import (
    REFINEMENTS,
    SEARCH_STATUS,
    STEP,
    UNRESOLVED,
    Found,
    finer,
    search_for,
    search_one,
    starting_points,
)
from jaxthermo.solve.lanes import map_lanes
from jaxthermo.thermo.potentials import MEANING, from_planck, mean_rate

if TYPE_CHECKING:
    import xarray

# States that are searched from at the same time, by one thread.
CHUNK = 10

# A process that came to its end, though its work may miss what is promised of it: its status stays in the dataset.
USABLE = ("ok", "grid too coarse", "hierarchy too shallow")


def potentials(
    dataset: "xarray.Dataset | StirlingCycle",
    oscillator: Any,
    points: int = 20,
    *,
    order: int = 5,
    horizon: Any = 1.0,
    jumps: bool = False,
    dt: float = STEP,
    progress: bool | None = None,
) -> "xarray.Dataset":
    """A driven process with its potentials, entropy production rate and waste heat added.

    Equation   at `points` equal parts of the process the non-equilibrium Planck potential Xi_neq is found by
               `minimum_work` from the state at that time and its own beta, x; between two times Sigma = Xi_neq(t) -
               Xi_neq(0) + int (U dbeta - X dx~) is taken as linear. All potentials follow by Legendre transforms
    Shapes     dataset: from `jt.run_cycle`, or from `jt.drive(..., keep_states=True)`, or a cycle that is to be run;
               oscillator: the one it is of
    Raises     ValueError that names the argument; for a drive without its states
    Source     Koyanagi & Tanimura 2024, Tables 1, 2 and Fig. 5a

    Added over `time`: `planck`, `massieu`, `m_entropy`, `p_entropy`, `gibbs`, `helmholtz`, `internal_energy`,
    `enthalpy`, each also with `_qst` for the quasi-static one; `entropy_production` Sigma, `entropy_production_rate`
    its average over each interval, `waste_heat` int dSigma/beta dt, `searched` where a search was made. Over `search`:
    `planck_upper` (Xi_qst), `planck_lower` (Xi_info, classical), `search_solves`, `search_status`, an index into the
    words of its attribute `flag_meanings`, and `search_error`, what the time step may have changed. Classically also
    `entropy_production_rate_exact` at those times, from the Kramers equation.

    A dataset of `run_cycle` without states is run again from the cycle in its attributes. Quantum values belong to the
    dataset's number of poles. Steps of at most `dt` are halved where they are too long. `progress`: whether to show it;
    by default on a terminal.
    """
    check_oscillator(oscillator)
    if not isinstance(oscillator.bath, OhmicBath):
        raise ValueError(f"`oscillator` must have an OhmicBath, but has a {type(oscillator.bath).__name__}")
    if isinstance(dataset, StirlingCycle):
        dataset = run_cycle(oscillator, dataset, keep_states=True, progress=progress)
    chosen = _chosen(dataset, points)
    oscillator = with_depth_of(dataset, oscillator)
    kept = dataset if "members" in dataset else _again(dataset, oscillator)
    grid = grid_of(dataset)
    oscillator = eqx.tree_at(lambda o: o.grid, oscillator, grid, is_leaf=lambda leaf: leaf is None)
    work = workspace(oscillator, grid)
    beta, x, U, X, t = (np.asarray(dataset[name]) for name in ("beta", "x", "U", "X", "time"))
    search = search_for(oscillator, work, beta, x, order=order, horizon=horizon, jumps=jumps, dt=dt)
    states = np.asarray(kept["members"])[chosen]
    with Line("potentials", progress) as line:
        found, exact = _searched(search, work, states, beta[chosen], x[chosen], line)
    work_int = np.asarray(dataset.work_int)
    produced = found.value - found.value[0] + work_int[chosen] - work_int[chosen[0]]
    sigma = np.interp(t, t[chosen], produced)
    planck = found.value[0] - (work_int - work_int[chosen[0]]) + sigma
    quasi_static = np.asarray(_quasi_static(search.potential, jnp.asarray(beta), jnp.asarray(x)))
    rates = mean_rate(produced, t[chosen])
    interval = np.clip(np.searchsorted(t[chosen], t, side="right") - 1, 0, len(rates) - 1)
    added: dict[str, tuple[str, Any, str, str]] = {}
    for suffix, values in (("", planck), ("_qst", quasi_static)):
        label = "quasi-static " if suffix else "non-equilibrium "
        for name, series in from_planck(values, beta, x, U, X)._asdict().items():
            units, meaning = MEANING[name]
            added[name + suffix] = ("time", np.asarray(series), units, label + meaning)
    rate = rates[interval]
    heat = np.concatenate(
        [[0.0], np.cumsum(0.5 * (rate / beta)[1:] * np.diff(t) + 0.5 * (rate / beta)[:-1] * np.diff(t))]
    )
    added |= {
        "entropy_production": ("time", sigma, "1", "entropy production since the first time"),
        "entropy_production_rate": ("time", rate, "1/time", "its average over each interval between searches"),
        "waste_heat": ("time", -heat, "energy", "waste heat, -int dSigma/beta"),
        "searched": ("time", np.isin(np.arange(len(t)), chosen), "", "whether the potential was searched for"),
        "planck_upper": ("search", found.upper, "1", "quasi-static Planck potential"),
        "planck_lower": ("search", found.lower, "1", "information bound, NaN for a quantum oscillator"),
        "search_status": ("search", found.code, "", "how the search ended, an index into flag_meanings"),
        "search_error": ("search", found.error, "1", "what the time step may have changed in the potential"),
        "search_solves": ("search", found.solves, "1", "propagations with their gradient"),
        "entropy_production_rate_exact": ("search", exact, "1/time", "from the Kramers equation; NaN if quantum"),
    }
    result = dataset.assign({name: (dim, values) for name, (dim, values, _, _) in added.items()})
    for name, (_, _, units, meaning) in added.items():
        result[name].attrs = {"units": units, "long_name": meaning}
    result.search_status.attrs |= coded(SEARCH_STATUS)
    result = result.assign_coords(search=("search", t[chosen]))
    gap = float("nan") if oscillator.quantum else float(np.max(found.value - found.lower))
    table = search.potential.table
    return result.assign_attrs(
        search_order=order,
        search_horizon=float(horizon),
        search_gap=gap,
        maxwell_defect=float("nan") if table is None else table.maxwell_defect,
    )


@eqx.filter_jit
def _quasi_static(potential: QuasiStatic, betas: Float[Array, " n"], fields: Float[Array, " n"]) -> Float[Array, " n"]:
    return jax.vmap(potential)(betas, fields)


def _searched(search: Search, work: Workspace, states: Any, beta: Any, x: Any, line: Line) -> tuple[Found, Any]:
    """All searches, from the protocols that rest, and again with half the step where it was too long."""
    starts = np.repeat(np.asarray(starting_points(search, 0))[None], len(beta), axis=0)
    solves = np.zeros(len(beta), dtype=int)
    for left in reversed(range(REFINEMENTS + 1)):
        done = 0

        def tell(count: int, steps: int = int(search.steps)) -> None:
            nonlocal done
            done += count
            line.tell(f"{done} of {len(beta)} states, {steps} steps")

        def lanes(*each: Any, search: Search = search) -> Any:
            return _lanes(search, work, *each)

        found, exact = map_lanes(lanes, states, beta, x, starts, chunk=min(CHUNK, len(beta)), advance=tell)
        solves += found.solves
        if left == 0 or not np.any(found.code == UNRESOLVED):
            break
        search = finer(search)
        # Where coarse steps were deceived, a search begins anew.
        deceived = (found.value >= found.upper)[:, None, None]
        starts = np.where(deceived, 0.0, found.minimum.point[:, None])
    return eqx.tree_at(lambda f: f.solves, found, solves), exact


@eqx.filter_jit
def _lanes(search: Search, work: Workspace, states: Any, betas: Any, fields: Any, starts: Any) -> tuple[Found, Any]:
    def one(V: Any, beta: Any, x: Any, starts: Any) -> tuple[Found, Any]:
        found = search_one(search, V, work, beta, x, starts)
        rate = jnp.nan if work.oscillator.quantum else entropy_production_rate(V, work, beta)
        return found, jnp.asarray(rate)

    return jax.vmap(one)(states, betas, fields, starts)


def _chosen(dataset: "xarray.Dataset", points: int) -> np.ndarray:
    """Indices of the times nearest to `points` equal parts of the process, both ends included."""
    if "time" not in getattr(dataset, "dims", ()) or "work_int" not in dataset:
        raise ValueError("`dataset` must come from jt.run_cycle or jt.drive")
    if dataset.attrs.get("status") not in USABLE:
        raise ValueError(f"`dataset` must have status ok, but has {dataset.attrs.get('status')!r}")
    t = np.asarray(dataset.time)
    if not isinstance(points, int) or points < 1:
        raise ValueError(f"`points` must be an integer >= 1, but is {points!r}")
    wanted = np.linspace(t[0], t[-1], points + 1)
    return np.unique(np.abs(t[:, None] - wanted).argmin(axis=0))


def _again(dataset: "xarray.Dataset", oscillator: Any) -> "xarray.Dataset":
    """The same stationary cycle with its states."""
    record = recorded(dataset.attrs)
    if "cycle" not in record:
        raise ValueError(NOT_KEPT)
    oscillator = eqx.tree_at(lambda o: o.grid, oscillator, grid_of(dataset), is_leaf=lambda leaf: leaf is None)
    again = run_cycle(
        oscillator,
        cycle_from_record(record["cycle"]),
        float(record["tol"]),
        points=int(record["points"]),
        steps=int(record["steps"]),
        keep_states=True,
    )
    if abs(again.attrs["work"] - dataset.attrs["work"]) > 1e-6 * (1.0 + abs(dataset.attrs["work"])):
        raise ValueError("`oscillator` must be the one that the dataset was made with, but its cycle has another work")
    return again
