"""Exact jump trajectories, many at once: states first and trajectories last, so that a hop is elementwise over them."""

from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo._types import Real
from jaxthermo.checks import as_float
from jaxthermo.jumps.bookkeeping import along_edges
from jaxthermo.jumps.finite.driving import DrivenNetwork
from jaxthermo.jumps.finite.hops import NetworkAtTime, hop_rates
from jaxthermo.jumps.finite.random import Stream
from jaxthermo.jumps.network import JumpNetwork

# Hops between two looks at whether all trajectories have ended.
BLOCK = 32
NEWTON_STEPS = 4

# A walk, or a walk with the hazard left before its next hop.
Carry = TypeVar("Carry")


class Walk(eqx.Module):
    """Trajectories on their way: counts, time, what they took up, and how many hops they made.

    Shapes     counts: (q, lanes), whole numbers as floats; heats: (R, lanes); the others (lanes,)
    Units      net: hops along edges less those against them; heats: energy of all units, from each reservoir;
               beta_heat: sum of beta times heat
    """

    counts: Float[Array, "q lanes"]
    t: Float[Array, " lanes"]
    net: Float[Array, " lanes"]
    heats: Float[Array, "reservoirs lanes"]
    beta_heat: Float[Array, " lanes"]
    jumps: Int[Array, " lanes"]
    stream: Stream


def start(counts: Int[Array, "lanes q"], stream: Stream, reservoirs: int = 1) -> Walk:
    """Trajectories before their first hop."""
    counts = as_float(counts).T
    zero = jnp.zeros_like(counts[0])
    heats = jnp.zeros((reservoirs, *zero.shape))
    return Walk(counts, zero, zero, heats, zero, jnp.zeros(zero.shape, int), stream)


def unfinished(walk: Walk, t_end: Real, cap: Real) -> Bool[Array, ""]:
    """Whether any trajectory goes on."""
    return jnp.any((walk.t < t_end) & (walk.jumps < cap))


@eqx.filter_jit
def steady_jumps(now: NetworkAtTime, units: Real, t_end: Real, cap: Real, before: Walk, blocks: Real) -> Walk:
    """Gillespie's direct method for constant parameters: waiting time -ln(U)/total rate, then one hop by its share.

    Shapes     cap: the most hops of one trajectory; a walk that ends with t < t_end was stopped by it, one that ends
               with t = NaN by rates that are not finite; blocks: after so many blocks of hops it is handed back
               unfinished, to be handed in again
    Source     Gillespie, J. Comput. Phys. 22, 403 (1976)
    """
    network = now.network
    # Then the heat follows at the end from the energy and the net number of hops.
    is_simple = network.reservoir_count == 1 and now.force.ndim == 0

    def hop(_: object, walk: Walk) -> Walk:
        forward, backward, gain, loss = hop_rates(now, walk.counts, units)
        stream, waiting = walk.stream.uniform()
        stream, choice = stream.uniform()
        sums = _sums(forward, backward)
        t = walk.t - jnp.log(waiting) / sums[-1]
        live = (t < t_end) & (walk.jumps < cap) & jnp.isfinite(sums[-1])
        chosen = _chosen(sums, choice) & live[None]
        counts, net = _moved(network, walk.counts, chosen)
        ended = (walk.t < t_end) & (t >= t_end) & (walk.jumps < cap)
        t = jnp.where(live, t, jnp.where(ended, t_end, walk.t))
        t = jnp.where(jnp.isfinite(sums[-1]), t, jnp.nan)
        heats = walk.heats
        if not is_simple:
            heats = heats + network.by_reservoir(_heat_along(chosen, gain, loss, along_edges(now.force, gain)))
        return Walk(counts, t, walk.net + net, heats, walk.beta_heat, walk.jumps + live.astype(int), stream)

    walk = _run(hop, before, t_end, cap, blocks)
    heats = walk.heats
    if is_simple:
        work = now.force * (walk.net - before.net)
        heats = heats + (now.energy(walk.counts) - now.energy(before.counts) - work)[None]
    beta_heat = jnp.sum(along_edges(now.beta, heats) * heats, axis=0)
    return eqx.tree_at(lambda w: (w.heats, w.beta_heat), walk, (heats, beta_heat))


def first_hazard(walk: Walk) -> tuple[Walk, Float[Array, " lanes"]]:
    """A walk before its first hop, and the hazard -ln(U) at which that happens."""
    following, waiting = walk.stream.uniform()
    return eqx.tree_at(lambda w: w.stream, walk, following), -jnp.log(waiting)


@eqx.filter_jit
def driven_jumps(
    driven: DrivenNetwork,
    units: Real,
    t_end: Real,
    cap: Real,
    step: Real,
    before: tuple[Walk, Float[Array, " lanes"]],
    blocks: Real,
) -> tuple[Walk, Float[Array, " lanes"]]:
    """Hops under beta(t), f(t), u(t) by the integrated hazard: the next is where int (total rate) dt reaches -ln(U).

    The total rate of a state is taken as a parabola in time over windows of at most `step`, and of about the waiting
    time; the hop is chosen by the rates at its own time. The error of a window falls with the fourth power of its
    length. Walks come with the hazard that is left before their next hop, at first that of `first_hazard`.
    """
    network = driven.network

    def rates_at(counts: Array, t: Array) -> tuple[Array, ...]:
        # Every trajectory has its own time, and so its own parameters.
        def one(counts: Array, t: Array) -> tuple[Array, ...]:
            now = driven.at(t)
            return (*hop_rates(now, counts, units), now.force, network.betas_at(now.beta, 0.0))

        return jax.vmap(one, in_axes=-1, out_axes=-1)(counts, t)

    def total(counts: Array, t: Array) -> Array:
        forward, backward, *_ = rates_at(counts, t)
        return jnp.sum(forward, axis=0) + jnp.sum(backward, axis=0)

    def window(_: object, carry: tuple[Walk, Array]) -> tuple[Walk, Array]:
        walk, budget = carry
        live = (walk.t < t_end) & (walk.jumps < cap)
        first = total(walk.counts, walk.t)
        h = jnp.minimum(jnp.minimum(step, t_end - walk.t), 2.0 * budget / first)
        # A budget of nearly nothing must still move time on.
        h = jnp.maximum(h, 1e-14 * t_end)
        middle, last = total(walk.counts, walk.t + 0.5 * h), total(walk.counts, walk.t + h)
        slope, bend = 4.0 * middle - 3.0 * first - last, 2.0 * (first + last - 2.0 * middle)

        def hazard(x: Array) -> Array:
            return h * x * (first + x * (0.5 * slope + x * bend / 3.0))

        whole = hazard(jnp.ones_like(h))
        hops = live & (whole >= budget)
        x = jnp.clip(budget / whole, 0.0, 1.0)
        for _ in range(NEWTON_STEPS):
            x = jnp.clip(x - (hazard(x) - budget) / (h * (first + x * (slope + x * bend))), 0.0, 1.0)
        t = jnp.where(hops, walk.t + x * h, jnp.where(walk.t + h >= t_end, t_end, walk.t + h))
        t = jnp.where(live, jnp.where(jnp.isfinite(whole), t, jnp.nan), walk.t)
        forward, backward, gain, loss, force, betas = rates_at(walk.counts, t)
        stream, choice = walk.stream.uniform()
        stream, waiting = stream.uniform()
        chosen = _chosen(_sums(forward, backward), choice) & hops[None]
        counts, net = _moved(network, walk.counts, chosen)
        heat = _heat_along(chosen, gain, loss, force)
        walk = Walk(
            counts,
            t,
            walk.net + net,
            walk.heats + network.by_reservoir(heat),
            walk.beta_heat + jnp.sum(jnp.broadcast_to(betas, heat.shape) * heat, axis=0),
            walk.jumps + hops.astype(int),
            stream,
        )
        return walk, jnp.where(hops, -jnp.log(waiting), budget - jnp.where(live, whole, 0.0))

    return _run(window, before, t_end, cap, blocks)


def _run(hop: Callable[[Array, Carry], Carry], carry: PyTree, t_end: Real, cap: Real, blocks: Real) -> Carry:
    def goes_on(state: tuple[PyTree, Array]) -> Array:
        carry, done = state
        walk = carry if isinstance(carry, Walk) else carry[0]
        return unfinished(walk, t_end, cap) & (done < blocks)

    def block(state: tuple[PyTree, Array]) -> tuple[PyTree, Array]:
        carry, done = state
        return jax.lax.fori_loop(0, BLOCK, hop, carry), done + 1

    return jax.lax.while_loop(goes_on, block, (carry, jnp.zeros((), jnp.int32)))[0]


def _sums(forward: Array, backward: Array) -> Array:
    """Running sums of the rates of all hops, forward ones first: (2E, lanes)."""
    rows = [*forward, *backward]
    for k in range(1, len(rows)):
        rows[k] = rows[k - 1] + rows[k]
    return jnp.stack(rows)


def _chosen(sums: Array, choice: Array) -> Array:
    """Which of the 2E hops a number from (0, 1] picks: one row per hop."""
    mark = choice * sums[-1]
    below = jnp.concatenate([jnp.zeros_like(sums[:1]), sums[:-1]])
    return (mark[None] > below) & (mark[None] <= sums)


def _moved(network: JumpNetwork, counts: Array, chosen: Array) -> tuple[Array, Array]:
    """Counts after the chosen hops, and +1 or -1 where they went along an edge or against it."""
    edges = len(network.edges)
    taken = chosen.astype(counts.dtype)
    along = taken[:edges] - taken[edges:]
    return counts + network.gains(along), jnp.sum(along, axis=0)


def _heat_along(chosen: Array, gain: Array, loss: Array, force: Array) -> Array:
    """Heat that the chosen hops take up, filed by edge, (E, lanes): energy change less the work of the edge's force.

    Shapes     gain, loss: (E, lanes); force: whatever broadcasts against them
    """
    edges = gain.shape[0]
    force = jnp.broadcast_to(force, gain.shape)
    return jnp.where(chosen[:edges], gain - force, 0.0) + jnp.where(chosen[edges:], loss + force, 0.0)
