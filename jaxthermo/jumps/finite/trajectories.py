"""Trajectories of N units: exact jumps, with work, heat and entropy along each."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from jaxthermo._results import AbstractResult, quantity, status_over, warn_unless_ok
from jaxthermo._status import Status
from jaxthermo._types import IntLike, ScalarLike, Stats
from jaxthermo.checks import (
    as_float,
    is_known,
    require_double_for,
    require_finite,
    require_integer,
    require_positive_scalar,
)
from jaxthermo.jumps.arguments import checked
from jaxthermo.jumps.finite.distribution import stationary_distribution
from jaxthermo.jumps.finite.driving import DrivenNetwork, driven_network
from jaxthermo.jumps.finite.hops import NetworkAtTime
from jaxthermo.jumps.finite.jumps import Walk, driven_jumps, first_hazard, start, steady_jumps, unfinished
from jaxthermo.jumps.finite.random import Stream, require_key, streams
from jaxthermo.jumps.finite.space import space
from jaxthermo.jumps.finite.states import (
    MEMORY_LIMIT,
    initial_counts,
    log_multiplicity,
    require_countable,
    require_mesostates,
)
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.jumps.schedules import Schedule
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.lanes import map_lanes, usual_chunk
from jaxthermo.solve.lean import brief_jit
from jaxthermo.solve.slices import in_slices

# Lanes per chunk on a CPU: a few numbers for each stay in the first-level cache, and chunks share the cores.
CHUNK = 256
MAX_JUMPS = 10**12
# Windows of a driven trajectory, if no `dt` is given.
WINDOWS = 1000
# Numbers kept for each trajectory, beside the counts: before, after, copies of both, and totals.
COPIES, TOTALS = 6, 24


class Trajectories(AbstractResult):
    """Trajectories of N units, one for each index; made by `simulate` and `tau_leap`.

    `work`, `heat`, `heats` and `entropy_production_rate` are averages over the time of the trajectory, per unit; that
    of the entropy leaves out the change of -ln p. All are NaN where `status` says that a trajectory was cut short.
    What only one of the two functions measures is None in results of the other.
    """

    stats: Stats
    network: AbstractJumpModel
    betas: Schedule
    coupling: Schedule | None
    t_end: Float[Array, ""]
    units: int = eqx.field(static=True)
    method: str = eqx.field(static=True)
    status: Int[Array, "*batch trajectory"] = status_over("trajectory")
    work: Float[Array, "*batch trajectory"] = quantity(
        "energy/time", "work per unit and time", ("trajectory",), main=True
    )
    heats: Float[Array, "*batch trajectory reservoirs"] = quantity(
        "energy/time", "heat from each reservoir, per unit and time", ("trajectory", "reservoir"), main=True
    )
    entropy_production_rate: Float[Array, "*batch trajectory"] = quantity(
        "k_B/time", "entropy production per unit and time, without the change of -ln p", ("trajectory",), main=True
    )
    initial_counts: Int[Array, "*batch trajectory q"] = quantity("1", "counts at time 0", ("trajectory", "state"))
    final_counts: Int[Array, "*batch trajectory q"] = quantity("1", "counts at t_end", ("trajectory", "state"))
    dimensionless_work: Float[Array, "*batch trajectory"] | None = quantity(
        "1", "int E dbeta + beta dW of all units", ("trajectory",), default=None
    )
    jumps: Int[Array, "*batch trajectory"] | None = quantity("1", "hops made", ("trajectory",), default=None)
    work_bias: Float[Array, "*batch"] | None = quantity("energy/time", "coarse less fine mean work", default=None)
    work_bias_error: Float[Array, "*batch"] | None = quantity("energy/time", "standard error of that", default=None)
    heat_bias: Float[Array, "*batch"] | None = quantity("energy/time", "coarse less fine mean heat", default=None)
    heat_bias_error: Float[Array, "*batch"] | None = quantity("energy/time", "standard error of that", default=None)
    entropy_production_rate_bias: Float[Array, "*batch"] | None = quantity(
        "k_B/time", "coarse less fine mean entropy production", default=None
    )
    entropy_production_rate_bias_error: Float[Array, "*batch"] | None = quantity(
        "k_B/time", "standard error of that", default=None
    )

    @property
    def heat(self) -> Float[Array, "*batch trajectory"]:
        """Heat from all reservoirs together, per unit and time."""
        return jnp.sum(self.heats, axis=-1)

    @property
    def entropy_production(self) -> Float[Array, "*batch trajectory"]:
        """`entropy_production_rate`."""
        return self.entropy_production_rate


def simulate(
    network: AbstractJumpModel,
    beta: Betas,
    units: IntLike,
    t_end: ScalarLike,
    trajectories: IntLike,
    key: Array,
    n0: ArrayLike | Sequence[int] | None = None,
    *,
    coupling: Schedule | None = None,
    dt: ScalarLike | None = None,
    max_jumps: IntLike = MAX_JUMPS,
) -> Trajectories:
    """Exact trajectories of N units from time 0 to t_end.

    Equation   hops along an edge i -> j at rate N_i V+(dE), back at rate N_j V-(dE); work f_e per hop along the edge
               (and dE/du at rest, if the coupling u depends on time), heat from the edge's reservoir dE less the work
               of the hop; entropy production = -sum beta heat + change of ln(N!/prod N_i!)

    network        a `jt.JumpNetwork` or a `jt.PottsRing`
    beta           a number, (R,) numbers, one for each reservoir, a callable of t with either as value, or R schedules
    units          N, at most 2**53
    t_end          time of the end
    trajectories   how many
    key            a `jax.random.key`
    n0             (q,) counts for all, or (trajectories, q); None: drawn from the stationary state at time 0
    coupling       a number or a callable of t in place of an interaction that is a number
    dt             longest window of the integrated hazard; None: t_end/1000
    max_jumps      hops after which a trajectory is stopped
    Units          `dimensionless_work`: of all units; all else per unit and per unit time
    Returns        a `Trajectories`: `work`, `heats` and `entropy_production_rate`, averages over the time of each
                   trajectory, and `final_counts`
    Raises         ValueError that names the argument; without double precision
    Accuracy       each trajectory is exact; means have the errors of sampling
    Source         Gillespie 1976 for constant beta, forces and coupling. If one is a callable of time, the hazard is
                   integrated, a parabola in time over windows of at most `dt`; see `driven_jumps`

    The entropy production leaves out -ln p, which only a distribution has; it is bounded, so its share in a rate falls
    like 1/t_end. `dimensionless_work` is w = int E dbeta + beta dW, the one of Jarzynski's equality, <exp(-w)> =
    Z(end)/Z(0) for a start in equilibrium; it is left out with several reservoirs. The same key gives the same
    trajectories. One that is stopped by `max_jumps` or by rates beyond all numbers has NaN for its results, and the
    status `max_jumps_reached` or `not_finite`. Trajectories have no derivatives.

    Example
        >>> import jax
        >>> import jaxthermo as jt
        >>> pair = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 2.0], -0.6, [0.0, 0.8], [0, 1])
        >>> runs = jt.jumps.simulate(pair, [0.5, 2.0], 10, 5.0, 4, jax.random.key(0), [10, 0])
        >>> runs.work.shape, bool((runs.final_counts.sum(axis=1) == 10).all())
        ((4,), True)
    """
    graph, _ = checked(network, beta)
    require_double_for(1e-12, 1e-12)
    units = require_countable(units)
    count = require_trajectories(graph.q, trajectories)
    cap = require_integer("max_jumps", max_jumps, 1)
    t_end = require_positive_scalar("t_end", t_end)
    key = require_key(key)
    driven = driven_network(network, beta, coupling, 0.0, t_end)
    dt = t_end / WINDOWS if dt is None else require_positive_scalar("dt", dt)

    seed, draw = jax.random.split(key)
    first = start_counts(driven, units, count, draw, n0)
    # As arrays, so that other numbers are not compiled again.
    limit, number = jnp.asarray(cap), as_float(units)
    given = (driven, t_end, dt)

    def walked(counts: Array | np.ndarray, stream: Stream) -> Walk:
        walk = start(jnp.asarray(counts), jax.tree.map(jnp.asarray, stream), graph.reservoir_count)
        if driven.is_autonomous:
            return in_slices(
                lambda now, blocks: steady_jumps(driven.at(0.0), number, t_end, limit, now, blocks),
                walk,
                lambda now: unfinished(now, t_end, limit),
                given=given,
            )
        return in_slices(
            lambda now, blocks: driven_jumps(driven, number, t_end, limit, dt, now, blocks),
            first_hazard(walk),
            lambda now: unfinished(now[0], t_end, limit),
            given=given,
        )[0]

    # A walk has its trajectories last; map_lanes wants them first.
    def chunk(counts: Array | np.ndarray, stream: Stream) -> dict[str, Array]:
        walk = walked(counts, stream)
        capped = jnp.where(walk.t < t_end, int(Status.max_jumps_reached), int(Status.ok))
        return {
            "counts": walk.counts.T,
            "heats": walk.heats.T,
            "beta_heat": walk.beta_heat,
            "jumps": walk.jumps,
            "status": jnp.where(jnp.isnan(walk.t), int(Status.not_finite), capped).astype(jnp.int32),
        }

    # Powers of two, so that numbers of like size share one compilation.
    size = min(1 << (count - 1).bit_length(), usual_chunk(count, CHUNK))
    done = jax.tree.map(jnp.asarray, map_lanes(chunk, first, streams(seed, count), chunk=size, given=given))
    ends = driven.at(jnp.zeros(())), driven.at(t_end)
    cut = done["status"] != int(Status.ok)
    result = Trajectories(
        stats={},
        network=network,
        betas=driven.betas,
        coupling=driven.coupling,
        t_end=t_end,
        units=units,
        method="direct" if driven.is_autonomous else "integrated hazard",
        status=done["status"],
        initial_counts=first,
        final_counts=jnp.rint(done["counts"]).astype(int),
        jumps=done["jumps"],
        **ledger(ends, first.T, done["counts"].T, done["heats"], done["beta_heat"], cut, units * t_end),
    )
    warn_unless_ok(result)
    return without_derivatives(result, "simulate")


Ends = tuple[NetworkAtTime, NetworkAtTime]


def require_trajectories(q: int, trajectories: IntLike) -> int:
    """The number of trajectories, or a ValueError with the bytes that they would take."""
    count = require_integer("trajectories", trajectories, 1)
    need = 8 * count * (COPIES * q + TOTALS)
    if need > MEMORY_LIMIT:
        raise ValueError(f"`trajectories` must fit into {MEMORY_LIMIT:.2e} bytes, but {count} take {need:.2e} bytes")
    return count


def start_counts(
    driven: DrivenNetwork, units: int, count: int, key: Array, n0: ArrayLike | Sequence[int] | None
) -> Int[Array, "lanes q"]:
    """The counts that every trajectory starts from; drawn from the stationary state at time 0 if n0 is None."""
    network = driven.network
    if n0 is not None:
        n0 = np.asarray(n0, float)
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
    found = stationary_distribution(driven.at(0.0), states)
    if is_known(found.status) and int(found.status) != Status.ok:
        raise ValueError(
            f"`n0` must be given: of the stationary state at time 0 a search says {Status(int(found.status)).word!r}, "
            f"with residual {float(found.residual):.2g}; where shut edges part the states there are several"
        )
    return _drawn(states.counts, found.p, key, count)


@brief_jit
def _drawn(counts: Int[Array, "q states"], p: Float[Array, " states"], key: Array, lanes: int) -> Int[Array, "lanes q"]:
    """A state for each lane, with probability p."""
    sums = jnp.cumsum(p)
    chosen = jnp.searchsorted(sums, sums[-1] * jax.random.uniform(key, (lanes,), sums.dtype))
    return counts[:, jnp.minimum(chosen, counts.shape[1] - 1)].T.astype(int)


@brief_jit
def ledger(
    ends: Ends,
    first: Array,
    last: Array,
    heats: Float[Array, "lanes reservoirs"],
    beta_heat: Float[Array, " lanes"],
    cut: Array,
    scale: Float[Array, ""],
) -> dict[str, Array]:
    """What was taken up, from the first and last counts (q, lanes) and the heats between; NaN where `cut` short.

    Equation   work = change of E - heat; w = change of (beta E) - sum beta heat, which only one reservoir has; all but
               w over `scale`, N t_end
    """
    first, last = as_float(first), as_float(last)
    begin, end = (one.energy(n) for one, n in zip(ends, (first, last), strict=True))
    inner = log_multiplicity(last) - log_multiplicity(first)
    rates = {
        "work": (end - begin - jnp.sum(heats, axis=1)) / scale,
        "heats": heats / scale,
        "entropy_production_rate": (inner - beta_heat) / scale,
    }
    if ends[0].network.reservoir_count == 1:
        before, after = (jnp.reshape(one.beta, ()) for one in ends)
        rates["dimensionless_work"] = after * end - before * begin - beta_heat
    return {name: jnp.where(cut if one.ndim == 1 else cut[:, None], jnp.nan, one) for name, one in rates.items()}
