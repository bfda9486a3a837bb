"""Approximate trajectories in steps of equal time, for as many units as one likes."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxthermo.checks import as_float, require_double_for, require_integer, require_positive, require_scalar
from jaxthermo.flags import coded
from jaxthermo.jumps.bookkeeping import along_edges
from jaxthermo.jumps.finite.hops import Moment, hop_rates, moment
from jaxthermo.jumps.finite.labels import finite_dataset
from jaxthermo.jumps.finite.random import require_key
from jaxthermo.jumps.finite.schedules import require_schedules
from jaxthermo.jumps.finite.trajectories import OK, ledger, require_trajectories, start_counts, trajectory_variables
from jaxthermo.jumps.mean_field import levels
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork, checked, taken

if TYPE_CHECKING:
    import xarray

# Steps of the coarser of the two runs, if none is given.
STEPS = 256
STATUS = ("ok", "leaps too long", "counts not conserved")
TOO_LONG, LOST = 1, 2
# A float counts no further.
MOST_UNITS = 2**53
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
    beta: Any,
    units: Any,
    t_end: Any,
    trajectories: Any,
    key: Any,
    n0: Any = None,
    *,
    coupling: Any = None,
    steps: Any = STEPS,
) -> "xarray.Dataset":
    """Trajectories of N units by leaps, with an estimate of their bias; see `simulate` for what is measured.

    Equation   in a leap of length h: Binomial(N_i, V h N*_i/N_i) units leave state i, where V sums the rates of all its
               hops, and binomials share them among the hops; rates and N* are those half a leap ahead on the mean-field
               path (midpoint)

    network, beta, units, t_end, trajectories, key, n0, coupling
               as `simulate`
    steps      leaps of the coarse run; the fine run makes twice as many, and is the one returned
    Units      as `simulate`
    Raises     ValueError that names the argument; without double precision
    Source     Tian & Burrage, J. Chem. Phys. 121, 10356 (2004), and Chatterjee, Vlachos & Katsoulakis, J. Chem. Phys.
               122, 024112 (2005) for binomial leaps, which never take more units than there are

    A unit hops at most once in a leap, so leaps must be short against 1/V; a share above 1 is taken as 1, and the
    `status` is "leaps too long" where the fine run did so, and "counts not conserved", with NaN for the results, where
    counts do not add up to N. `work_bias` and its kin are coarse mean less fine mean, `*_bias_error` their standard
    error, from independent random numbers. That difference is the fine run's bias where noise makes it, with an error
    of order h, and three times it where there are so many units that the error of order h^2 is left.
    """
    model = network
    network, _ = checked(model, beta)
    require_double_for(1e-12, 1e-12)
    units = require_integer("units", units, 1)
    if units > MOST_UNITS:
        raise ValueError(f"`units` must be at most 2**53, beyond which a float does not count, but is {units}")
    count = require_trajectories(network.q, trajectories)
    steps = require_integer("steps", steps, 1)
    t_end = require_scalar("t_end", t_end)
    require_positive("t_end", t_end)
    key = require_key(key)
    beta = require_schedules(model, beta, coupling, 0.0, t_end)
    draw, *seeds = jax.random.split(key, 3)
    first = start_counts(network, beta, coupling, units, count, draw, n0)
    ends = tuple(moment(network, beta, t, coupling) for t in (jnp.zeros(()), t_end))
    runs = []
    for seed, number in zip(seeds, (steps, 2 * steps), strict=True):
        done = leaps(network, beta, coupling, units, t_end, jnp.asarray(number), as_float(first.T), seed)
        lost = _lost(np.asarray(done.counts), units)
        # What is not conserved has no thermodynamics: the ledger makes it NaN.
        totals = ledger(ends, first.T, done.counts, done.heats.T, done.beta_heat, np.where(lost, LOST, OK))
        runs.append((done, totals, np.where(lost, LOST, np.where(np.asarray(done.cut), TOO_LONG, OK))))
    (_, coarse, _), (fine, totals, codes) = runs
    variables = trajectory_variables(totals, units * float(t_end), first, fine.counts.T)
    for name in ("work", "heat", "entropy_production"):
        pair = [one[name] / (units * float(t_end)) for one in (coarse, totals)]
        error = np.sqrt(sum(np.var(one, ddof=1) for one in pair) / count) if count > 1 else np.nan
        unit = variables[name][2]
        variables[f"{name}_bias"] = ((), pair[0].mean() - pair[1].mean(), unit, f"coarse less fine mean of {name}")
        variables[f"{name}_bias_error"] = ((), error, unit, "standard error of that difference")
    variables["status"] = ("trajectory", codes.astype(np.int32), "1", "whether leaps were short enough")
    coords = {"state": ("state", np.arange(1, network.q + 1), "1", "state of a unit")}
    words = STATUS[int(np.max(codes))]
    attrs = {"t_end": float(t_end), "method": "binomial leaps", "step": float(t_end) / (2 * steps), "status": words}
    dataset = finite_dataset(variables, coords, model, beta, units, **attrs)
    dataset["status"].attrs |= coded(STATUS)
    return dataset


@eqx.filter_jit
def leaps(
    network: JumpNetwork,
    beta: Any,
    coupling: Any,
    units: int,
    t_end: Any,
    steps: Any,
    counts: Float[Array, "q lanes"],
    key: Any,
) -> Leaps:
    """`steps` leaps of equal length from the counts, all trajectories abreast."""
    h = t_end / steps.astype(counts.dtype)
    slots = _slots(network)
    edges = len(network.edges)

    def rates(t: Any, n: Array) -> tuple[Moment, list[Array]]:
        """Rates of one unit for the first hop out of every state, for the second, and so on."""
        now = moment(network, beta, t, coupling)
        forward, backward, _, _ = hop_rates(now, n, units)
        every = jnp.concatenate([forward, backward, jnp.zeros_like(forward[:1])])
        return now, [taken(every, slot) / jnp.maximum(n, 1e-300) for slot in slots]

    def along(flows: list[Array]) -> Array:
        """Net flow along every edge, from the flows through the hops out of every state."""
        flat = jnp.concatenate(flows)
        forward, backward = (taken(flat, _places(slots, first, edges)) for first in (0, edges))
        return forward - backward

    def leap(k: Any, state: Leaps) -> Leaps:
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


def _drawn(key: Any, n: Array, share: Array, units: int) -> Array:
    """How many of n go: Binomial(n, share); of very many units a rounded normal number, from 0 to n."""
    exact = jax.random.binomial(key, n, share)
    if units < MANY_UNITS:
        return exact
    variance = n * share * (1.0 - share)
    normal = n * share + jnp.sqrt(variance) * jax.random.normal(jax.random.fold_in(key, 1), n.shape, n.dtype)
    return jnp.where(variance > LARGE_VARIANCE, jnp.clip(jnp.round(normal), 0.0, n), exact)


def _lost(counts: np.ndarray, units: int) -> np.ndarray:
    """Where counts (q, lanes) are no whole numbers >= 0 with the sum N."""
    whole = np.all((counts >= 0) & (counts == np.rint(counts)), axis=0)
    return ~(whole & (np.sum(counts, axis=0) == units))


def _heat(now: Moment, before: Array, after: Array, net: Array) -> Float[Array, "reservoirs lanes"]:
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
