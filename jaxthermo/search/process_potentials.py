"""The eight potentials along a driven process, quasi-static and out of equilibrium, and its entropy production."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, as_codes
from jaxthermo._types import IntLike, ScalarLike, Stats
from jaxthermo.brownian import DrivenRun, PeriodicRun, run_cycle
from jaxthermo.brownian.bath import require_ohmic
from jaxthermo.brownian.equilibria.quasistatic import QuasiStatic
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.checks import require_integer, require_scalar
from jaxthermo.interrupted import Interrupted
from jaxthermo.protocols import AbstractCycle
from jaxthermo.search.least_work import STEP, steps_of
from jaxthermo.search.many_searches import Found, searched
from jaxthermo.search.potential_range import potential_around
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.progress import Line
from jaxthermo.thermo.potentials import MEANING, from_planck, mean_rate

# A process that did not come to its end. The status of any other goes on into the result.
UNFINISHED = (Status.max_steps_reached, Status.solver_failed, Status.not_finite)
NOT_KEPT = "`run` must hold its states: make it with jt.drive(..., keep_states=True) or jt.run_cycle(...)"


def _label(name: str, kind: str = "non-equilibrium") -> tuple[str, str, tuple[str, ...]]:
    units, meaning = MEANING[name]
    return units, f"{kind} {meaning}", ("time",)


def _quasi_static(name: str) -> tuple[str, str, tuple[str, ...]]:
    return _label(name, "quasi-static")


class ProcessPotentials(AbstractResult):
    """Potentials along a process, made by `potentials`; `stats` has `solves`, propagations with their gradient."""

    status: Int[Array, ""]
    stats: Stats
    oscillator: Oscillator
    order: int
    horizon: Float[Array, ""]
    jumps: bool
    time: Float[Array, " time"] = quantity("time", "time", ("time",), coordinate=True)
    planck: Float[Array, " time"] = quantity(*_label("planck"))
    massieu: Float[Array, " time"] = quantity(*_label("massieu"))
    m_entropy: Float[Array, " time"] = quantity(*_label("m_entropy"))
    p_entropy: Float[Array, " time"] = quantity(*_label("p_entropy"))
    gibbs: Float[Array, " time"] = quantity(*_label("gibbs"))
    helmholtz: Float[Array, " time"] = quantity(*_label("helmholtz"))
    internal_energy: Float[Array, " time"] = quantity(*_label("internal_energy"))
    enthalpy: Float[Array, " time"] = quantity(*_label("enthalpy"))
    planck_qst: Float[Array, " time"] = quantity(*_quasi_static("planck"))
    massieu_qst: Float[Array, " time"] = quantity(*_quasi_static("massieu"))
    m_entropy_qst: Float[Array, " time"] = quantity(*_quasi_static("m_entropy"))
    p_entropy_qst: Float[Array, " time"] = quantity(*_quasi_static("p_entropy"))
    gibbs_qst: Float[Array, " time"] = quantity(*_quasi_static("gibbs"))
    helmholtz_qst: Float[Array, " time"] = quantity(*_quasi_static("helmholtz"))
    internal_energy_qst: Float[Array, " time"] = quantity(*_quasi_static("internal_energy"))
    enthalpy_qst: Float[Array, " time"] = quantity(*_quasi_static("enthalpy"))
    entropy_produced: Float[Array, " time"] = quantity("k_B", "entropy produced since the first time", ("time",))
    entropy_production_rate: Float[Array, " time"] = quantity(
        "k_B/time", "its average over each interval between searches", ("time",)
    )
    waste_heat: Float[Array, " time"] = quantity("energy", "waste heat, -int dSigma/beta", ("time",))
    searched: Bool[Array, " time"] = quantity("1", "whether the potential was searched for", ("time",))
    search: Float[Array, " search"] = quantity("time", "times of the searches", ("search",), coordinate=True)
    planck_upper: Float[Array, " search"] = quantity("1", "quasi-static Planck potential", ("search",))
    planck_lower: Float[Array, " search"] | None = quantity("1", "information bound of a classical state", ("search",))
    search_status: Int[Array, " search"] = quantity("1", "how the search ended", ("search",), codes=Status)
    search_error: Float[Array, " search"] = quantity("1", "what the time step may have changed", ("search",))
    entropy_production_rate_exact: Float[Array, " search"] | None = quantity(
        "k_B/time", "rate of entropy production of a classical state, from the Kramers equation", ("search",)
    )
    maxwell_defect: Float[Array, ""] | None = quantity("1", "largest |dU/dx~ + dX/dbeta| of a quantum potential")

    @property
    def search_gap(self) -> Float[Array, ""] | None:
        """The largest of what may be missing to the true minima; None for a quantum oscillator."""
        if self.planck_lower is None:
            return None
        return jnp.max(self.planck[self.searched] - self.planck_lower)


def potentials(
    run: PeriodicRun | DrivenRun | AbstractCycle,
    oscillator: Oscillator | None = None,
    points: IntLike = 20,
    *,
    order: IntLike = 5,
    horizon: ScalarLike = 1.0,
    jumps: bool = False,
    dt: ScalarLike = STEP,
    progress: bool | None = None,
) -> ProcessPotentials:
    """The potentials, the entropy production rate and the waste heat of a driven process.

    Equation   at `points` equal parts of the process the non-equilibrium Planck potential Xi_neq is found by
               `minimum_work` from the state at that time and its own beta, x; between two times Sigma = Xi_neq(t) -
               Xi_neq(0) + int (U dbeta - X dx~) is taken as linear. All potentials follow by Legendre transforms

    run          from `jt.run_cycle`, or from `jt.drive(..., keep_states=True)`, or a cycle that is to be run. A cycle
                 that was run without keeping its states is run again
    oscillator   the one that a cycle is to be run with; None: the run's own
    points       equal parts of the process, at the ends of which is searched
    order, horizon, jumps, dt
                 of the searches, as in `jt.minimum_work`
    progress     whether a line tells how far it is; None: on a terminal
    Returns      series over the run's times, and the outcome of each search; see `ProcessPotentials`
    Raises       ValueError that names the argument; for a drive without its states
    Accuracy     `status` is ok where the run and all searches are
    Source       Koyanagi & Tanimura 2024, Tables 1, 2 and Fig. 5a

    Quantum values belong to the run's number of poles. A keyboard interrupt ends the searches with a `jt.Interrupted`,
    whose `result` has the series up to the last state searched, from the second on, and NaN beyond.

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period=20.0)
        >>> potential, grid = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), jt.PhaseGrid(5.6, 0.28, 10.5, 0.5)
        >>> oscillator = jt.classical_oscillator(potential, 1.0, grid)
        >>> found = jt.potentials(cycle, oscillator, points=4, order=2)
        >>> bool(found.entropy_production_rate.min() >= -1e-8), found.outcome
        (True, 'ok')
    """
    run = _with_states(run, oscillator, progress)
    oscillator = run.oscillator
    require_ohmic(oscillator)
    if int(run.status) in UNFINISHED:
        raise ValueError(f"`run` must have come to its end, but its status is {run.outcome!r}")
    t, beta, x = (np.asarray(series) for series in (run.time, run.beta, run.x))
    chosen = _nearest(t, require_integer("points", points, 1))
    order, steps = require_integer("order", order, 1), steps_of(horizon, dt)
    assert run.members is not None
    potential = potential_around(oscillator, beta, x)
    settings = potential, require_scalar("horizon", horizon), order, bool(jumps), steps
    done: dict[int, Found] = {}
    with Line("potentials", progress) as line:
        stopped = False

        def tell(count: int) -> None:
            line.tell(f"{len(done)} of {len(chosen)} states")

        try:
            found = searched(oscillator, settings, run.members[chosen], beta[chosen], x[chosen], done, tell)
        except KeyboardInterrupt:
            reached = next(place for place in range(len(done) + 1) if place not in done)
            if reached < 2:
                raise
            found, stopped = jax.tree.map(lambda *each: np.concatenate(each), *map(done.get, range(reached))), True
    result = _result(run, found, chosen[: len(found.value)], settings)
    if stopped:
        raise Interrupted("potentials", replace(result, status=as_codes(Status.interrupted)))
    warn_unless_ok(result)
    return result


def _with_states(
    run: PeriodicRun | DrivenRun | AbstractCycle, oscillator: Oscillator | None, progress: bool | None
) -> PeriodicRun | DrivenRun:
    if isinstance(run, AbstractCycle):
        check_oscillator(oscillator)
        assert oscillator is not None
        return run_cycle(oscillator, run, keep_states=True, progress=progress)
    if not isinstance(run, PeriodicRun | DrivenRun):
        raise ValueError(f"`run` must come from jt.run_cycle or jt.drive, but is {type(run).__name__}")
    if run.members is not None:
        return run
    if isinstance(run, DrivenRun):
        raise ValueError(NOT_KEPT)
    # A search that chose its steps extrapolated more runs than one number of steps would.
    steps = int(run.stats["steps_per_piece"]) if bool(jnp.isnan(run.step_error)) else None
    how: dict[str, Any] = {"points": run.points, "steps": steps, "keep_states": True, "progress": progress}
    return run_cycle(run.oscillator, run.cycle, float(run.tol), **how)


def _nearest(t: np.ndarray, points: int) -> np.ndarray:
    """Indices of the times nearest to the ends of so many equal parts of the process."""
    wanted = np.linspace(t[0], t[-1], points + 1)
    return np.unique(np.abs(t[:, None] - wanted).argmin(axis=0))


@lean_jit
def _along(potential: QuasiStatic, betas: Float[Array, " n"], fields: Float[Array, " n"]) -> Float[Array, " n"]:
    return jax.vmap(potential)(betas, fields)


def _mean_temperature(beta: np.ndarray) -> np.ndarray:
    """Mean of 1/beta between neighbouring times, for a beta that is linear between them."""
    step = np.diff(beta)
    logarithmic = np.log(beta[1:] / beta[:-1]) / np.where(step == 0.0, 1.0, step)
    return np.where(np.abs(step) > 1e-6 * beta[1:], logarithmic, 2.0 / (beta[1:] + beta[:-1]))


def _result(
    run: PeriodicRun | DrivenRun, found: Found, chosen: np.ndarray, settings: tuple[PyTree, ...]
) -> ProcessPotentials:
    potential, horizon, order, jumps, _ = settings
    t, beta, x, U, X = (np.asarray(series) for series in (run.time, run.beta, run.x, run.U, run.X))
    # Beyond the last search, where an interrupt ended them, nothing is known.
    known = np.where(np.arange(len(t)) <= chosen[-1], 1.0, np.nan)
    work_int = np.asarray(run.work_int if isinstance(run, DrivenRun) else run.cumulative_work_int)
    produced = found.value - found.value[0] + work_int[chosen] - work_int[chosen[0]]
    sigma = known * np.interp(t, t[chosen], produced)
    planck = found.value[0] - (work_int - work_int[chosen[0]]) + sigma
    rates = mean_rate(produced, t[chosen])
    interval = np.clip(np.searchsorted(t[chosen], t, side="right") - 1, 0, len(rates) - 1)
    rate = known * rates[interval]
    heat = _mean_temperature(beta) * np.diff(sigma)
    neq, qst = (
        from_planck(values, beta, x, U, X)._asdict()
        for values in (planck, np.asarray(_along(potential, jnp.asarray(beta), jnp.asarray(x))))
    )
    series = neq | {f"{name}_qst": values for name, values in qst.items()}
    return ProcessPotentials(
        status=as_codes(next((code for code in (int(run.status), *found.status) if code != Status.ok), Status.ok)),
        stats={"solves": int(np.sum(found.solves))},
        oscillator=run.oscillator,
        order=order,
        horizon=horizon,
        jumps=jumps,
        time=run.time,
        **{name: jnp.asarray(values) for name, values in series.items()},
        entropy_produced=jnp.asarray(sigma),
        entropy_production_rate=jnp.asarray(rate),
        waste_heat=-jnp.asarray(np.concatenate([[0.0], np.cumsum(heat)])),
        searched=jnp.asarray(np.isin(np.arange(len(t)), chosen)),
        search=jnp.asarray(t[chosen]),
        planck_upper=jnp.asarray(found.upper),
        planck_lower=None if found.lower is None else jnp.asarray(found.lower),
        search_status=jnp.asarray(found.status),
        search_error=jnp.asarray(found.error),
        entropy_production_rate_exact=None if found.exact is None else jnp.asarray(found.exact),
        maxwell_defect=None if potential.table is None else potential.table.maxwell_defect,
    )
