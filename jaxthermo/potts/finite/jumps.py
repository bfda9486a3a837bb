"""Exact jump trajectories, many at once: states first and trajectories last, so that a hop is elementwise over them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo.checks import as_float
from jaxthermo.potts.finite.hops import Moment, hop_rates, moment
from jaxthermo.potts.finite.random import Stream
from jaxthermo.potts.ring import PottsRing

# Hops between two looks at whether all trajectories have ended.
BLOCK = 32
NEWTON_STEPS = 4


class Walk(eqx.Module):
    """Trajectories on their way: counts, time, what they took up, and how many hops they made.

    Shapes     counts: (q, lanes), whole numbers as floats; the others (lanes,)
    Units      heat: energy of all units; beta_heat: sum of beta times heat
    """

    counts: Float[Array, "q lanes"]
    t: Float[Array, " lanes"]
    net: Float[Array, " lanes"]
    heat: Float[Array, " lanes"]
    beta_heat: Float[Array, " lanes"]
    jumps: Int[Array, " lanes"]
    stream: Stream


def start(counts: Int[Array, "lanes q"], stream: Stream) -> Walk:
    """Trajectories before their first hop."""
    counts = as_float(counts).T
    zero = jnp.zeros_like(counts[0])
    return Walk(counts, zero, zero, zero, zero, jnp.zeros(zero.shape, int), stream)


def unfinished(walk: Walk, t_end: Any, cap: Any) -> Bool[Array, ""]:
    """Whether any trajectory goes on."""
    return jnp.any((walk.t < t_end) & (walk.jumps < cap))


@eqx.filter_jit
def steady_jumps(ring: PottsRing, beta: Any, units: Any, t_end: Any, cap: Any, before: Walk, blocks: Any) -> Walk:
    """Gillespie's direct method for constant beta and force: waiting time -ln(U)/total rate, then one hop by its share.

    Shapes     cap: the most hops of one trajectory; a walk that ends with t < t_end was stopped by it, one that ends
               with t = NaN by rates that are not finite; blocks: after so many blocks of hops it is handed back
               unfinished, to be handed in again
    Source     Gillespie, J. Comput. Phys. 22, 403 (1976)
    """
    now = moment(ring, beta)

    def hop(_: Any, walk: Walk) -> Walk:
        forward, backward, _, _ = hop_rates(now, walk.counts, units)
        stream, waiting = walk.stream.uniform()
        stream, choice = stream.uniform()
        sums = _sums(forward, backward)
        t = walk.t - jnp.log(waiting) / sums[-1]
        live = (t < t_end) & (walk.jumps < cap) & jnp.isfinite(sums[-1])
        chosen = _chosen(sums, choice) & live
        counts, net = _moved(walk.counts, chosen)
        ended = (walk.t < t_end) & (t >= t_end) & (walk.jumps < cap)
        t = jnp.where(live, t, jnp.where(ended, t_end, walk.t))
        t = jnp.where(jnp.isfinite(sums[-1]), t, jnp.nan)
        return Walk(counts, t, walk.net + net, walk.heat, walk.beta_heat, walk.jumps + live.astype(int), stream)

    walk = _run(hop, before, t_end, cap, blocks)
    work = now.force * (walk.net - before.net)
    heat = walk.heat + now.energy(walk.counts) - now.energy(before.counts) - work
    return eqx.tree_at(lambda w: (w.heat, w.beta_heat), walk, (heat, now.beta * heat))


def first_hazard(walk: Walk) -> tuple[Walk, Float[Array, " lanes"]]:
    """A walk before its first hop, and the hazard -ln(U) at which that happens."""
    following, waiting = walk.stream.uniform()
    return eqx.tree_at(lambda w: w.stream, walk, following), -jnp.log(waiting)


@eqx.filter_jit
def driven_jumps(
    ring: PottsRing,
    beta: Any,
    coupling: Any,
    units: Any,
    t_end: Any,
    cap: Any,
    step: Any,
    before: tuple[Walk, Float[Array, " lanes"]],
    blocks: Any,
) -> tuple[Walk, Float[Array, " lanes"]]:
    """Hops under beta(t), f(t), u(t) by the integrated hazard: the next is where int (total rate) dt reaches -ln(U).

    The total rate of a state is taken as a parabola in time over windows of at most `step`, and of about the waiting
    time; the hop is chosen by the rates at its own time. The error of a window falls with the fourth power of its
    length. Walks come with the hazard that is left before their next hop, at first that of `first_hazard`.
    """

    def rates_at(counts: Array, t: Array) -> tuple[Moment, Array, Array, Array, Array]:
        now = jax.vmap(lambda t: moment(ring, beta, t, coupling))(t)
        # Every trajectory has its own time, and so its own parameters.
        rates = jax.vmap(lambda now, n: hop_rates(now, n, units), in_axes=(0, 1), out_axes=1)(now, counts)
        return now, *rates

    def total(counts: Array, t: Array) -> Array:
        _, forward, backward, _, _ = rates_at(counts, t)
        return jnp.sum(forward, axis=0) + jnp.sum(backward, axis=0)

    def window(_: Any, carry: tuple[Walk, Array]) -> tuple[Walk, Array]:
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
        now, forward, backward, gain, loss = rates_at(walk.counts, t)
        stream, choice = walk.stream.uniform()
        stream, waiting = stream.uniform()
        chosen = _chosen(_sums(forward, backward), choice) & hops
        counts, net = _moved(walk.counts, chosen)
        change = jnp.sum(jnp.where(chosen, jnp.concatenate([gain, loss]), 0.0), axis=0)
        heat = change - now.force * net
        walk = Walk(
            counts,
            t,
            walk.net + net,
            walk.heat + heat,
            walk.beta_heat + now.beta * heat,
            walk.jumps + hops.astype(int),
            stream,
        )
        return walk, jnp.where(hops, -jnp.log(waiting), budget - jnp.where(live, whole, 0.0))

    return _run(window, before, t_end, cap, blocks)


def _run(hop: Any, carry: Any, t_end: Any, cap: Any, blocks: Any) -> Any:
    def goes_on(state: tuple[Any, Array]) -> Array:
        carry, done = state
        walk = carry if isinstance(carry, Walk) else carry[0]
        return unfinished(walk, t_end, cap) & (done < blocks)

    def block(state: tuple[Any, Array]) -> tuple[Any, Array]:
        carry, done = state
        return jax.lax.fori_loop(0, BLOCK, hop, carry), done + 1

    return jax.lax.while_loop(goes_on, block, (carry, jnp.zeros((), jnp.int32)))[0]


def _sums(forward: Array, backward: Array) -> Array:
    """Running sums of the rates of all hops, forward ones first: (2q, lanes)."""
    rows = [*forward, *backward]
    for k in range(1, len(rows)):
        rows[k] = rows[k - 1] + rows[k]
    return jnp.stack(rows)


def _chosen(sums: Array, choice: Array) -> Array:
    """Which of the 2q hops a number from (0, 1] picks: one row per hop."""
    mark = choice * sums[-1]
    below = jnp.concatenate([jnp.zeros_like(sums[:1]), sums[:-1]])
    return (mark > below) & (mark <= sums)


def _moved(counts: Array, chosen: Array) -> tuple[Array, Array]:
    """Counts after the chosen hops, and +1 or -1 where they went along the force or against it."""
    q = counts.shape[0]
    taken = chosen.astype(counts.dtype)
    along = taken[:q] - taken[q:]
    return counts + jnp.roll(along, 1, axis=0) - along, jnp.sum(along, axis=0)
