"""Approximate trajectories in steps of equal time, for as many units as one likes."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from jaxthermo._results import warn_unless_ok
from jaxthermo._status import Status
from jaxthermo._types import IntLike, Real, ScalarLike
from jaxthermo.checks import as_float, require_double_for, require_integer, require_positive_scalar
from jaxthermo.jumps.arguments import checked
from jaxthermo.jumps.bookkeeping import along_edges
from jaxthermo.jumps.finite.driving import DrivenNetwork, driven_network
from jaxthermo.jumps.finite.hops import NetworkAtTime, hop_rates
from jaxthermo.jumps.finite.random import require_key
from jaxthermo.jumps.finite.states import require_countable
from jaxthermo.jumps.finite.trajectories import Trajectories, ledger, require_trajectories, start_counts
from jaxthermo.jumps.graph import take_rows
from jaxthermo.jumps.mean_field import Betas, levels
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.schedules import Schedule
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.lean import brief_jit

# Steps of the coarser of the two runs, if none is given.
STEPS = 256
# From so many units on, binomials of a large variance are drawn as normal ones: their skewness is below 1e-5, while
# the logarithms of exact ones lose their digits.
MANY_UNITS, LARGE_VARIANCE = 2**40, 1e10


class Leaps(eqx.Module):
    """Where leaping trajectories end; heats are those of all units.

    `cut` says where more units would have left a state than were there.
    """

    counts: Float[Array, "q lanes"]
    heats: Float[Array, "reservoirs lanes"]
    beta_heat: Float[Array, " lanes"]
    cut: Bool[Array, " lanes"]


def tau_leap(
    network: AbstractJumpModel,
    beta: Betas,
    units: IntLike,
    t_end: ScalarLike,
    trajectories: IntLike,
    key: Array,
    n0: ArrayLike | Sequence[int] | None = None,
    *,
    coupling: Schedule | None = None,
    steps: IntLike = STEPS,
) -> Trajectories:
    """Trajectories of N units by leaps, with an estimate of their bias; see `simulate` for what is measured.

    Equation   in a leap of length h: Binomial(N_i, V h N*_i/N_i) units leave state i, where V sums the rates of all its
               hops, and binomials share them among the hops; rates and N* are those half a leap ahead on the mean-field
               path (midpoint)

    network        a `jt.JumpNetwork` or a `jt.PottsRing`
    beta           a number, (R,) numbers, one for each reservoir, a callable of t with either as value, or R schedules
    units          N, at most 2**53
    t_end          time of the end
    trajectories   how many
    key            a `jax.random.key`
    n0             (q,) counts for all, or (trajectories, q); None: drawn from the stationary state at time 0
    coupling       a number or a callable of t in place of an interaction that is a number
    steps          leaps of the coarse run; the fine run makes twice as many, and is the one returned
    Units          as `simulate`
    Raises         ValueError that names the argument; without double precision
    Source         Tian & Burrage, J. Chem. Phys. 121, 10356 (2004), and Chatterjee, Vlachos & Katsoulakis, J. Chem.
                   Phys. 122, 024112 (2005) for binomial leaps, which never take more units than there are

    A unit hops at most once in a leap, so leaps must be short against 1/V; a share above 1 is taken as 1, and the
    status is `leaps_too_long` where the fine run did so, and `not_finite`, with NaN for the results, where counts do
    not add up to N. `work_bias` and its kin are coarse mean less fine mean, `*_bias_error` their standard error, from
    independent random numbers. That difference is the fine run's bias where noise makes it, with an error of order h,
    and three times it where there are so many units that the error of order h^2 is left. There are no derivatives.

    Example
        >>> import jax
        >>> import jaxthermo as jt
        >>> pair = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 2.0], -0.6, [0.0, 0.8], [0, 1])
        >>> runs = jt.jumps.tau_leap(pair, [0.5, 2.0], 1000, 1.0, 4, jax.random.key(0), [1000, 0])
        >>> runs.work.shape, bool((runs.final_counts.sum(axis=1) == 1000).all())
        ((4,), True)
    """
    graph, _ = checked(network, beta)
    require_double_for(1e-12, 1e-12)
    units = require_countable(units)
    count = require_trajectories(graph.q, trajectories)
    steps = require_integer("steps", steps, 1)
    t_end = require_positive_scalar("t_end", t_end)
    key = require_key(key)
    driven = driven_network(network, beta, coupling, 0.0, t_end)
    draw, *seeds = jax.random.split(key, 3)
    first = start_counts(driven, units, count, draw, n0)
    ends = driven.at(jnp.zeros(())), driven.at(t_end)
    runs = []
    for seed, number in zip(seeds, (steps, 2 * steps), strict=True):
        done = leaps(driven, units, t_end, jnp.asarray(number), as_float(first.T), seed)
        lost = _lost(done.counts, as_float(units))
        # What is not conserved has no thermodynamics: the ledger makes it NaN.
        taken_up = ledger(ends, first.T, done.counts, done.heats.T, done.beta_heat, lost, units * t_end)
        runs.append((done, lost, taken_up))
    (_, _, coarse), (fine, lost, taken_up) = runs
    too_long = jnp.where(fine.cut, int(Status.leaps_too_long), int(Status.ok))
    result = Trajectories(
        stats={"step": t_end / (2 * steps)},
        network=network,
        betas=driven.betas,
        coupling=driven.coupling,
        t_end=t_end,
        units=units,
        method="binomial leaps",
        status=jnp.where(lost, int(Status.not_finite), too_long).astype(jnp.int32),
        initial_counts=first,
        final_counts=jnp.rint(fine.counts.T).astype(int),
        **taken_up,
        **_biases(coarse, taken_up),
    )
    warn_unless_ok(result)
    return without_derivatives(result, "tau_leap")


@brief_jit
def _biases(coarse: dict[str, Array], fine: dict[str, Array]) -> dict[str, Array]:
    """Coarse mean less fine mean of work, heat and entropy production, and its standard error."""
    found = {}
    for name in ("work", "heat", "entropy_production_rate"):
        pair = [jnp.sum(one["heats"], axis=1) if name == "heat" else one[name] for one in (coarse, fine)]
        count = pair[0].shape[0]
        spread = jnp.sqrt((jnp.var(pair[0], ddof=1) + jnp.var(pair[1], ddof=1)) / count) if count > 1 else jnp.nan
        found[f"{name}_bias"] = jnp.mean(pair[0]) - jnp.mean(pair[1])
        found[f"{name}_bias_error"] = as_float(spread)
    return found


@eqx.filter_jit
def leaps(
    driven: DrivenNetwork,
    units: int,
    t_end: Real,
    steps: Int[Array, ""],
    counts: Float[Array, "q lanes"],
    key: PRNGKeyArray,
) -> Leaps:
    """`steps` leaps of equal length from the counts, all trajectories abreast."""
    network, h = driven.network, t_end / steps.astype(counts.dtype)
    slots = _slots(network)
    edges = len(network.edges)

    def rates(t: Real, n: Array) -> tuple[NetworkAtTime, list[Array]]:
        """Rates of one unit for the first hop out of every state, for the second, and so on."""
        now = driven.at(t)
        forward, backward, _, _ = hop_rates(now, n, units)
        every = jnp.concatenate([forward, backward, jnp.zeros_like(forward[:1])])
        return now, [take_rows(every, slot) / jnp.maximum(n, 1e-300) for slot in slots]

    def along(flows: list[Array]) -> Array:
        """Net flow along every edge, from the flows through the hops out of every state."""
        flat = jnp.concatenate(flows)
        forward, backward = (take_rows(flat, _places(slots, first, edges)) for first in (0, edges))
        return forward - backward

    def leap(k: Int[Array, ""], state: Leaps) -> Leaps:
        t, n = k.astype(counts.dtype) * h, state.counts
        _, each = rates(t, n)
        ahead = jnp.maximum(n + 0.5 * h * network.gains(along([one * n for one in each])), 0.0)
        now, each = rates(t + 0.5 * h, ahead)
        keys = jax.random.split(jax.random.fold_in(key, k), len(slots))
        total = sum(each[1:], each[0])
        share = total * ahead * h / jnp.maximum(n, 1.0)
        left = _drawn(keys[0], n, jnp.minimum(jnp.nan_to_num(share, nan=1.0), 1.0), units)
        flows: list[Array] = []
        for number, one in enumerate(each[:-1]):
            part = jnp.nan_to_num(one / jnp.maximum(total, 1e-300), nan=1.0)
            # Of what is left, so that rounding errors of the sums ask for no more than all.
            flows.append(_drawn(keys[number + 1], left, jnp.clip(part, 0.0, 1.0), units))
            left, total = left - flows[-1], total - one
        flows.append(left)
        net = along(flows)
        after = n + network.gains(net)
        heat = _heat(now, n, after, net)
        betas = along_edges(now.beta, heat)
        # Not a number, from rates that are none, counts as too many.
        cut = state.cut | jnp.any((n > 0) & ~(share <= 1.0), axis=0)
        return Leaps(after, state.heats + heat, state.beta_heat + jnp.sum(betas * heat, axis=0), cut)

    zero = jnp.zeros_like(counts[0])
    heats = jnp.zeros((network.reservoir_count, *zero.shape))
    return jax.lax.fori_loop(0, steps, leap, Leaps(counts, heats, zero, zero > 0))


def _drawn(key: PRNGKeyArray, n: Array, share: Array, units: int) -> Array:
    """How many of n go: Binomial(n, share); of very many units a rounded normal number, from 0 to n."""
    exact = jax.random.binomial(key, n, share)
    if units < MANY_UNITS:
        return exact
    variance = n * share * (1.0 - share)
    normal = n * share + jnp.sqrt(variance) * jax.random.normal(jax.random.fold_in(key, 1), n.shape, n.dtype)
    return jnp.where(variance > LARGE_VARIANCE, jnp.clip(jnp.round(normal), 0.0, n), exact)


@brief_jit
def _lost(counts: Float[Array, "q lanes"], units: Float[Array, ""]) -> Bool[Array, " lanes"]:
    """Where counts are no whole numbers >= 0 with the sum N."""
    whole = jnp.all((counts >= 0) & (counts == jnp.rint(counts)), axis=0)
    return ~(whole & (jnp.sum(counts, axis=0) == units))


def _heat(now: NetworkAtTime, before: Array, after: Array, net: Array) -> Float[Array, "reservoirs lanes"]:
    """Heat of each reservoir in one leap.

    With levels halfway between both counts, which add up to the change of the energy exactly where it is quadratic.
    """
    network = now.network
    if network.reservoir_count == 1:
        work = jnp.sum(along_edges(now.force, net) * net, axis=0)
        return (now.energy(after) - now.energy(before) - work)[None]
    halfway = 0.5 * (before + after)
    level = jax.vmap(lambda n: levels(n / jnp.sum(n), network), in_axes=1, out_axes=1)(halfway)
    change = network.at_targets(level) - network.at_sources(level)
    return network.by_reservoir(net * (change - along_edges(now.force, net)))


def _slots(network: JumpNetwork) -> list[tuple[int, ...]]:
    """For every state its first hop, its second, and so on, as rows of (forward, backward, none)."""
    edges = network.edges
    hops: list[list[int]] = [[] for _ in range(network.q)]
    for number, (first, second) in enumerate(edges):
        hops[first].append(number)
        hops[second].append(len(edges) + number)
    most = max(len(one) for one in hops)
    rows = [sorted(one) + [2 * len(edges)] * (most - len(one)) for one in hops]
    return [tuple(row[k] for row in rows) for k in range(most)]


def _places(slots: list[tuple[int, ...]], first: int, count: int) -> tuple[int, ...]:
    """Where the hops first .. first + count - 1 stand in the slots, one after the other."""
    flat = [hop for slot in slots for hop in slot]
    return tuple(flat.index(hop) for hop in range(first, first + count))
