"""Exact hops of units on a lattice: proposals at the largest rate of any unit, taken with the share of its own."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._types import Real
from jaxthermo.jumps.finite.random import Stream
from jaxthermo.jumps.lattice.tables import Hopping

# Proposals between two looks at whether all trajectories have come to the next time.
BLOCK = 64


class LatticeWalk(eqx.Module):
    """Trajectories on their way: the state of every unit, time, heat from each reservoir, hops and proposals."""

    units: Int[Array, "*lanes units"]
    t: Float[Array, "*lanes"]
    heats: Float[Array, "*lanes reservoirs"]
    hops: Int[Array, "*lanes"]
    proposals: Int[Array, "*lanes"]
    stream: Stream


def underway(walk: LatticeWalk, until: Real) -> Bool[Array, ""]:
    """Whether a trajectory has not come to its next time."""
    return jnp.any(walk.t < until)


@eqx.filter_jit
def onward(
    hopping: Hopping, neighbours: Int[Array, "units z"], until: Float[Array, ""], before: LatticeWalk, blocks: Real
) -> LatticeWalk:
    """All trajectories up to the time `until`, or until so many blocks of proposals are made.

    Equation   proposals come at the rate N x (largest total rate R of a unit), each to a unit drawn evenly; it makes
               the hop h with the probability (its rate)/R, and none with the rest
    Source     uniformisation: Jensen, Skand. Aktuarietidskr. 36, 87 (1953)
    """
    number = before.units.shape[-1]
    rate = number * hopping.fastest

    def propose(_: Array, walk: LatticeWalk) -> LatticeWalk:
        stream, waiting = walk.stream.uniform()
        stream, where = stream.uniform()
        stream, choice = stream.uniform()
        t = walk.t - jnp.log(waiting) / rate
        live = t < until
        # Numbers are from (0, 1].
        unit = jnp.ceil(where * number).astype(jnp.int32) - 1
        state = walk.units[unit].astype(jnp.int32)
        around = jnp.sum(hopping.weight[walk.units[neighbours[unit]].astype(jnp.int32)])
        hop = jnp.sum(choice > hopping.sums[state, around])
        hops = live & (hop < hopping.sums.shape[-1])
        hop = jnp.minimum(hop, hopping.sums.shape[-1] - 1)
        after = jnp.where(hops, hopping.target[state, hop], state).astype(walk.units.dtype)
        own = jnp.arange(walk.heats.shape[-1], dtype=jnp.int32) == hopping.reservoir[state, hop]
        heat = jnp.where(hops, hopping.heat[state, around, hop], 0.0)
        return LatticeWalk(
            walk.units.at[unit].set(after),
            jnp.where(live, t, jnp.where(walk.t < until, until, walk.t)),
            walk.heats + jnp.where(own, heat, 0.0),
            walk.hops + hops.astype(walk.hops.dtype),
            walk.proposals + live.astype(walk.proposals.dtype),
            stream,
        )

    def goes_on(carry: tuple[LatticeWalk, Array]) -> Array:
        walk, done = carry
        return underway(walk, until) & (done < blocks)

    def block(carry: tuple[LatticeWalk, Array]) -> tuple[LatticeWalk, Array]:
        walk, done = carry
        return jax.lax.fori_loop(0, BLOCK, lambda k, walk: jax.vmap(propose, (None, 0))(k, walk), walk), done + 1

    return jax.lax.while_loop(goes_on, block, (before, jnp.zeros((), jnp.int32)))[0]
