"""Trajectories of N units: exact jumps, with work, heat and entropy along each, as a labelled dataset."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxthermo.checks import as_float, require_double_for, require_finite, require_integer, require_positive
from jaxthermo.checks import require_scalar as scalar
from jaxthermo.flags import coded
from jaxthermo.potts.finite.distribution import CONVERGED, stationary_distribution
from jaxthermo.potts.finite.hops import moment
from jaxthermo.potts.finite.jumps import Walk, driven_jumps, first_hazard, start, steady_jumps, unfinished
from jaxthermo.potts.finite.labels import finite_dataset
from jaxthermo.potts.finite.random import require_key, streams
from jaxthermo.potts.finite.schedules import require_schedules
from jaxthermo.potts.finite.space import space
from jaxthermo.potts.finite.states import MEMORY_LIMIT, initial_counts, log_multiplicity, require_mesostates
from jaxthermo.potts.ring import PottsRing, check_ring
from jaxthermo.scans.lanes import map_lanes, usual_chunk
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
    ring: PottsRing,
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

    Equation   hops i -> i+1 at rate N_i V+(dE), back at rate N_{i+1} V-(dE); work f per hop along the force (and
               dE/du at rest, if u depends on time), heat dE less the work of the hop;
               entropy production = -sum beta heat + change of ln(N!/prod N_i!)
    Shapes     n0: (q,) counts for all, or (trajectories, q); None: drawn from the stationary state of beta, f and u at
               time 0. Results: (trajectories,), and the counts (trajectories, q)
    Units      `work`, `heat`, `entropy_production`: per unit and per unit time; `dimensionless_work`: of all units
    Raises     ValueError that names the argument; without double precision
    Source     Gillespie 1976 for constant beta, f and u. If one is a callable of time, the hazard is integrated, a
               parabola in time over windows of at most `step` (t_end/1000 if None); see `driven_jumps`

    The entropy production leaves out -ln p, which only a distribution has; it is bounded, so its share in a rate falls
    like 1/t_end. `dimensionless_work` is w = int E dbeta + beta dW, the one of Jarzynski's equality, <exp(-w)> =
    Z(end)/Z(0) for a start in equilibrium. The same key gives the same trajectories. One that is stopped by `max_jumps`
    or by rates beyond all numbers has NaN for its results, and a `status`.
    """
    check_ring(ring)
    require_double_for(1e-12, 1e-12)
    units = require_integer("units", units, 1)
    count = require_trajectories(ring.q, trajectories)
    cap = require_integer("max_jumps", max_jumps, 1)
    t_end = scalar("t_end", t_end)
    require_positive("t_end", t_end)
    key = require_key(key)
    beta = require_schedules(ring, beta, coupling, 0.0, t_end)
    driven = callable(beta) or callable(ring.force) or callable(coupling)
    step = t_end / WINDOWS if step is None else scalar("step", step)
    require_positive("step", step)

    seed, draw = jax.random.split(key)
    first = start_counts(ring, beta, coupling, units, count, draw, n0)
    limit = jnp.asarray(cap)

    # As an array, so that another number of units is not compiled again.
    number = as_float(units)

    def chunk(n: Any, stream: Any) -> Walk:
        n, stream = jax.tree.map(jnp.asarray, (n, stream))
        walk = start(n, stream)
        if driven:
            begin = first_hazard(walk)
            return in_slices(
                lambda now, blocks: driven_jumps(ring, beta, coupling, number, t_end, limit, step, now, blocks),
                begin,
                lambda now: unfinished(now[0], t_end, limit),
            )[0]
        still = fixed_coupling(ring, coupling)
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
            "heat": walk.heat,
            "beta_heat": walk.beta_heat,
            "jumps": walk.jumps,
            "status": jnp.where(jnp.isnan(walk.t), OVERFLOWED, jnp.where(walk.t < t_end, CAPPED, OK)),
        }

    # Powers of two, so that numbers of like size share one compilation.
    size = min(1 << (count - 1).bit_length(), usual_chunk(count, CHUNK))
    done = map_lanes(turned, first, streams(seed, count), chunk=size)
    ends = tuple(moment(ring, beta, t, coupling) for t in (jnp.zeros(()), t_end))
    totals = ledger(ends, first.T, done["counts"].T, done["heat"], done["beta_heat"], done["status"])
    variables = trajectory_variables(totals, units * float(t_end), first, done["counts"])
    variables["jumps"] = ("trajectory", done["jumps"], "1", "hops made")
    variables["status"] = ("trajectory", done["status"], "1", "how the trajectory ended")
    coords = {"state": ("state", np.arange(1, ring.q + 1), "1", "state of the ring")}
    method = "integrated hazard" if driven else "direct"
    attrs = {"t_end": float(t_end), "method": method, "status": status_words(done["status"])}
    dataset = finite_dataset(variables, coords, ring, beta, units, **attrs)
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
    ring: PottsRing, beta: Any, coupling: Any, units: int, count: int, key: Any, n0: Any
) -> Int[Array, "lanes q"]:
    """The counts that every trajectory starts from; drawn from the stationary state at time 0 if n0 is None."""
    if n0 is not None:
        n0 = np.asarray(as_float(n0))
        if n0.ndim == 2:
            if n0.shape[0] != count:
                raise ValueError(f"`n0` must have shape ({count}, {ring.q}), but has shape {n0.shape}")
            require_finite("n0", n0)
            if (n0 != np.rint(n0)).any() or n0.min() < 0 or (n0.sum(axis=1) != units).any() or n0.shape[1] != ring.q:
                raise ValueError(f"`n0` must be {ring.q} counts >= 0 that sum to {units} units in every trajectory")
            return jnp.asarray(n0, int)
        return jnp.tile(jnp.asarray(initial_counts(ring.q, units, n0), int), (count, 1))
    try:
        require_mesostates(ring.q, units)
    except ValueError as error:
        raise ValueError(f"`n0` must be given for so many units: {error}") from None
    states = space(ring.q, units)
    found = stationary_distribution(moment(ring, beta, 0.0, coupling), states)
    if float(found.residual) > CONVERGED:
        raise ValueError(f"`n0` must be given: the stationary state was found to a residual of {found.residual} only")
    sums = jnp.cumsum(found.p)
    chosen = jnp.searchsorted(sums, sums[-1] * jax.random.uniform(key, (count,), sums.dtype))
    return states.counts[:, jnp.minimum(chosen, states.size - 1)].T.astype(int)


def fixed_coupling(ring: PottsRing, coupling: Any) -> PottsRing:
    """The ring with a number in place of its coupling, if there is one."""
    return ring if coupling is None else moment(ring, 1.0, 0.0, coupling).ring


def ledger(ends: Any, first: Any, last: Any, heat: Any, beta_heat: Any, status: Any) -> dict[str, np.ndarray]:
    """Totals of all units from the first and the last counts (q, lanes) and the heat in between; NaN if cut short.

    Equation   work = change of E - heat; w = change of (beta E) - sum beta heat
    """
    first, last = as_float(first), as_float(last)
    begin, end = (one.energy(n) for one, n in zip(ends, (first, last), strict=True))
    inner = log_multiplicity(last) - log_multiplicity(first)
    totals = {
        "work": end - begin - heat,
        "heat": heat,
        "entropy_production": inner - beta_heat,
        "dimensionless_work": ends[1].beta * end - ends[0].beta * begin - beta_heat,
    }
    return {name: np.where(status == OK, np.asarray(values), np.nan) for name, values in totals.items()}


def trajectory_variables(totals: dict[str, np.ndarray], scale: float, first: Any, last: Any) -> dict[str, Any]:
    """The variables that trajectories of every method have; `scale` is N t_end."""
    return {
        "work": ("trajectory", totals["work"] / scale, "energy/time", "work per unit and time"),
        "heat": ("trajectory", totals["heat"] / scale, "energy/time", "heat taken in, per unit and time"),
        "entropy_production": (
            "trajectory",
            totals["entropy_production"] / scale,
            "k_B/time",
            "entropy production per unit and time, without the change of -ln p",
        ),
        "dimensionless_work": ("trajectory", totals["dimensionless_work"], "1", "int E dbeta + beta dW of all units"),
        "initial_counts": (("trajectory", "state"), np.asarray(first, np.int64), "1", "counts at time 0"),
        "final_counts": (("trajectory", "state"), np.asarray(np.rint(last), np.int64), "1", "counts at t_end"),
    }


def status_words(codes: np.ndarray) -> str:
    """The worst status of all trajectories."""
    return STATUS[int(np.max(codes))]
