"""Trajectories of N units: exact jumps, with work, heat and entropy along each, as a labelled dataset."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxthermo.checks import as_float, require_double_for, require_finite, require_integer, require_positive
from jaxthermo.checks import require_scalar as scalar
from jaxthermo.flags import coded
from jaxthermo.jumps.finite.distribution import CONVERGED, stationary_distribution
from jaxthermo.jumps.finite.hops import moment
from jaxthermo.jumps.finite.jumps import Walk, driven_jumps, first_hazard, start, steady_jumps, unfinished
from jaxthermo.jumps.finite.labels import finite_dataset
from jaxthermo.jumps.finite.random import require_key, streams
from jaxthermo.jumps.finite.schedules import require_schedules
from jaxthermo.jumps.finite.space import space
from jaxthermo.jumps.finite.states import MEMORY_LIMIT, initial_counts, log_multiplicity, require_mesostates
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork, checked
from jaxthermo.solve.lanes import map_lanes, usual_chunk
from jaxthermo.solve.slices import in_slices

if TYPE_CHECKING:
    import xarray

# Lanes per chunk on a CPU: a few numbers for each stay in the first-level cache, and chunks share the cores.
CHUNK = 256
MAX_JUMPS = 10**12
# Windows of a driven trajectory, if no step is given.
WINDOWS = 1000
STATUS = ("ok", "max jumps reached", "rates not finite")
OK, CAPPED, OVERFLOWED = range(3)
# Numbers kept for each trajectory, beside the counts: before, after, copies of both, and totals.
COPIES, TOTALS = 6, 24


def simulate(
    network: AbstractJumpModel,
    beta: Any,
    units: Any,
    t_end: Any,
    trajectories: Any,
    key: Any,
    n0: Any = None,
    *,
    coupling: Any = None,
    step: Any = None,
    max_jumps: Any = MAX_JUMPS,
) -> "xarray.Dataset":
    """Exact trajectories of N units from time 0 to t_end.

    Equation   hops along an edge i -> j at rate N_i V+(dE), back at rate N_j V-(dE); work f_e per hop along the edge
               (and dE/du at rest, if the coupling u depends on time), heat from the edge's reservoir dE less the work
               of the hop; entropy production = -sum beta heat + change of ln(N!/prod N_i!)

    network        a `jt.JumpNetwork` or a `jt.PottsRing`
    beta           a number, (R,) numbers, one for each reservoir, a callable of t with either as value, or R schedules
    units          N
    t_end          time of the end
    trajectories   how many
    key            a `jax.random.key`
    n0             (q,) counts for all, or (trajectories, q); None: drawn from the stationary state at time 0
    coupling       a number or a callable of t in place of an interaction that is a number
    step           longest window of the integrated hazard; None: t_end/1000
    max_jumps      hops after which a trajectory is stopped
    Shapes         results: (trajectories,), `heats` (trajectories, R), counts (trajectories, q)
    Units          `work`, `heat`, `heats`, `entropy_production`: per unit and per unit time; `dimensionless_work`: of
                   all units
    Raises     ValueError that names the argument; without double precision
    Source     Gillespie 1976 for constant beta, forces and coupling. If one is a callable of time, the hazard is
               integrated, a parabola in time over windows of at most `step`; see `driven_jumps`

    The entropy production leaves out -ln p, which only a distribution has; it is bounded, so its share in a rate falls
    like 1/t_end. `dimensionless_work` is w = int E dbeta + beta dW, the one of Jarzynski's equality, <exp(-w)> =
    Z(end)/Z(0) for a start in equilibrium; it is left out with several reservoirs. The same key gives the same
    trajectories. One that is stopped by `max_jumps` or by rates beyond all numbers has NaN for its results, and a
    `status`.
    """
    model = network
    network, _ = checked(model, beta)
    require_double_for(1e-12, 1e-12)
    units = require_integer("units", units, 1)
    count = require_trajectories(network.q, trajectories)
    cap = require_integer("max_jumps", max_jumps, 1)
    t_end = scalar("t_end", t_end)
    require_positive("t_end", t_end)
    key = require_key(key)
    beta = require_schedules(model, beta, coupling, 0.0, t_end)
    driven = callable(beta) or not network.is_autonomous or callable(coupling)
    step = t_end / WINDOWS if step is None else scalar("step", step)
    require_positive("step", step)

    seed, draw = jax.random.split(key)
    first = start_counts(network, beta, coupling, units, count, draw, n0)
    limit = jnp.asarray(cap)

    # As an array, so that another number of units is not compiled again.
    number = as_float(units)

    def chunk(n: Any, stream: Any) -> Walk:
        n, stream = jax.tree.map(jnp.asarray, (n, stream))
        walk = start(n, stream, network.reservoir_count)
        if driven:
            begin = first_hazard(walk)
            return in_slices(
                lambda now, blocks: driven_jumps(network, beta, coupling, number, t_end, limit, step, now, blocks),
                begin,
                lambda now: unfinished(now[0], t_end, limit),
            )[0]
        still = network.at(0.0, coupling)
        return in_slices(
            lambda now, blocks: steady_jumps(still, beta, number, t_end, limit, now, blocks),
            walk,
            lambda now: unfinished(now, t_end, limit),
        )

    # A walk has its trajectories last; map_lanes wants them first.
    def turned(n: Any, stream: Any) -> Any:
        walk = chunk(n, stream)
        return {
            "counts": walk.counts.T,
            "heats": walk.heats.T,
            "beta_heat": walk.beta_heat,
            "jumps": walk.jumps,
            "status": jnp.where(jnp.isnan(walk.t), OVERFLOWED, jnp.where(walk.t < t_end, CAPPED, OK)),
        }

    # Powers of two, so that numbers of like size share one compilation.
    size = min(1 << (count - 1).bit_length(), usual_chunk(count, CHUNK))
    done = map_lanes(turned, first, streams(seed, count), chunk=size)
    ends = tuple(moment(network, beta, t, coupling) for t in (jnp.zeros(()), t_end))
    totals = ledger(ends, first.T, done["counts"].T, done["heats"], done["beta_heat"], done["status"])
    variables = trajectory_variables(totals, units * float(t_end), first, done["counts"])
    variables["jumps"] = ("trajectory", done["jumps"], "1", "hops made")
    variables["status"] = ("trajectory", done["status"], "1", "how the trajectory ended")
    coords = {"state": ("state", np.arange(1, network.q + 1), "1", "state of a unit")}
    method = "integrated hazard" if driven else "direct"
    attrs = {"t_end": float(t_end), "method": method, "status": status_words(done["status"])}
    dataset = finite_dataset(variables, coords, model, beta, units, **attrs)
    dataset["status"].attrs |= coded(STATUS)
    return dataset


def require_trajectories(q: int, trajectories: Any) -> int:
    """The number of trajectories, or a ValueError with the bytes that they would take."""
    count = require_integer("trajectories", trajectories, 1)
    need = 8 * count * (COPIES * q + TOTALS)
    if need > MEMORY_LIMIT:
        raise ValueError(f"`trajectories` must fit into {MEMORY_LIMIT:.2e} bytes, but {count} take {need:.2e} bytes")
    return count


def start_counts(
    network: JumpNetwork, beta: Any, coupling: Any, units: int, count: int, key: Any, n0: Any
) -> Int[Array, "lanes q"]:
    """The counts that every trajectory starts from; drawn from the stationary state at time 0 if n0 is None."""
    if n0 is not None:
        n0 = np.asarray(as_float(n0))
        if n0.ndim == 2:
            if n0.shape[0] != count:
                raise ValueError(f"`n0` must have shape ({count}, {network.q}), but has shape {n0.shape}")
            require_finite("n0", n0)
            if (n0 != np.rint(n0)).any() or n0.min() < 0 or (n0.sum(axis=1) != units).any() or n0.shape[1] != network.q:
                raise ValueError(f"`n0` must be {network.q} counts >= 0 that sum to {units} units in every trajectory")
            return jnp.asarray(n0, int)
        return jnp.tile(jnp.asarray(initial_counts(network.q, units, n0), int), (count, 1))
    try:
        require_mesostates(network.q, units, len(network.edges))
    except ValueError as error:
        raise ValueError(f"`n0` must be given for so many units: {error}") from None
    states = space(network.q, units, network.edges)
    found = stationary_distribution(moment(network, beta, 0.0, coupling), states)
    if float(found.residual) > CONVERGED:
        raise ValueError(f"`n0` must be given: the stationary state was found to a residual of {found.residual} only")
    sums = jnp.cumsum(found.p)
    chosen = jnp.searchsorted(sums, sums[-1] * jax.random.uniform(key, (count,), sums.dtype))
    return states.counts[:, jnp.minimum(chosen, states.size - 1)].T.astype(int)


def ledger(ends: Any, first: Any, last: Any, heats: Any, beta_heat: Any, status: Any) -> dict[str, np.ndarray]:
    """Totals of all units from the first and last counts (q, lanes) and the heats (lanes, R) between; NaN if cut short.

    Equation   work = change of E - heat; w = change of (beta E) - sum beta heat, which only one reservoir has
    """
    first, last = as_float(first), as_float(last)
    begin, end = (one.energy(n) for one, n in zip(ends, (first, last), strict=True))
    inner = log_multiplicity(last) - log_multiplicity(first)
    heat = jnp.sum(heats, axis=1)
    totals = {
        "work": end - begin - heat,
        "heat": heat,
        "heats": heats,
        "entropy_production": inner - beta_heat,
    }
    if ends[0].network.reservoir_count == 1:
        before, after = (jnp.reshape(one.beta, ()) for one in ends)
        totals["dimensionless_work"] = after * end - before * begin - beta_heat
    ok = np.asarray(status) == OK
    return {name: np.where(ok if np.ndim(one) == 1 else ok[:, None], one, np.nan) for name, one in totals.items()}


def trajectory_variables(totals: dict[str, np.ndarray], scale: float, first: Any, last: Any) -> dict[str, Any]:
    """The variables that trajectories of every method have; `scale` is N t_end."""
    heats = (("trajectory", "reservoir"), totals["heats"] / scale, "energy/time", "heat from each reservoir")
    variables = {
        "work": ("trajectory", totals["work"] / scale, "energy/time", "work per unit and time"),
        "heat": ("trajectory", totals["heat"] / scale, "energy/time", "heat taken in, per unit and time"),
        "heats": heats,
        "entropy_production": (
            "trajectory",
            totals["entropy_production"] / scale,
            "k_B/time",
            "entropy production per unit and time, without the change of -ln p",
        ),
        "initial_counts": (("trajectory", "state"), np.asarray(first, np.int64), "1", "counts at time 0"),
        "final_counts": (("trajectory", "state"), np.asarray(np.rint(last), np.int64), "1", "counts at t_end"),
    }
    if "dimensionless_work" in totals:
        work = totals["dimensionless_work"]
        variables["dimensionless_work"] = ("trajectory", work, "1", "int E dbeta + beta dW of all units")
    return variables


def status_words(codes: np.ndarray) -> str:
    """The worst status of all trajectories."""
    return STATUS[int(np.max(codes))]
