"""Exact hops of units on a lattice: proposals at the largest rate of any unit, taken with the share of its own.

What one unit may do is tabulated for every way in which its neighbours may be.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._types import Real
from jaxthermo.jumps.finite.hops import network_at
from jaxthermo.jumps.finite.random import Stream
from jaxthermo.jumps.network import JumpNetwork
from jaxthermo.solve.lean import lean_jit

# Proposals between two looks at whether all trajectories have come to the next time.
BLOCK = 64

# Of the states of the neighbours that are told apart.
MAX_SURROUNDINGS = 2_000_000


class Hopping(eqx.Module):
    """Rates and heats of the hops of one unit in state s, by the number of its surroundings; made by `hopping`.

    `sums` are running sums over the hops h of a state, relative to the largest total rate of all; what a proposal
    draws from (0, 1] picks the first hop whose sum is not below it, or none. `weight[s]` is what a neighbour in state s
    adds to the number of the surroundings.
    """

    sums: Float[Array, "q surroundings hops"]
    heat: Float[Array, "q surroundings hops"]
    target: Int[Array, "q hops"]
    reservoir: Int[Array, "q hops"]
    weight: Int[Array, " q"]
    fastest: Float[Array, ""]


def surroundings(q: int, z: int) -> Int[np.ndarray, "q surroundings"]:
    """Neighbours in each state, by number; impossible where those of the last state would be less than none."""
    count = (z + 1) ** (q - 1)
    if count * q > MAX_SURROUNDINGS:
        raise ValueError(f"`neighbours` must be few enough to be told apart, but {z} in {q} states are {count} ways")
    digits = np.arange(count) // (z + 1) ** np.arange(q - 1)[:, None] % (z + 1)
    return np.concatenate([digits, z - digits.sum(axis=0, keepdims=True)])


@lean_jit
def hopping(network: JumpNetwork, beta: Float[Array, "*betas"], z: int) -> Hopping:
    """All hops of one unit with z neighbours.

    Equation   levels e_k = eps_k + (1/z) sum of K_{k s} over the neighbours' states s; a hop along the edge i -> j
               changes the energy by e_j - e_i
    """
    q = network.q
    counts = surroundings(q, z)
    now = network_at(network, beta)
    around = jnp.asarray(np.maximum(counts, 0), now.beta.dtype)
    level = network.constant_energies[:, None] + coupling_matrix(network) @ around / z
    change = network.at_targets(level) - network.at_sources(level)
    force = jnp.broadcast_to(now.force, len(network.edges))[:, None]
    possible = jnp.asarray((counts >= 0).all(axis=0, keepdims=True))
    forward, backward = (jnp.where(possible, one, 0.0) for one in now.rates(change))
    rates, heat, target, reservoir = [], [], [], []
    most = max(np.bincount(np.ravel(network.edges), minlength=q))
    for state in range(q):
        hops = [
            (rate[number], way * (change - force)[number], edge[end], network.reservoirs[number])
            for start, end, rate, way in ((0, 1, forward, 1.0), (1, 0, backward, -1.0))
            for number, edge in enumerate(network.edges)
            if edge[start] == state
        ]
        # States with fewer hops are filled up with hops that never happen.
        hops += [(jnp.zeros_like(rate), jnp.zeros_like(rate), state, 0) for rate in forward[:1]] * (most - len(hops))
        columns = list(zip(*hops, strict=True))
        rates.append(jnp.stack(columns[0], axis=-1))
        heat.append(jnp.stack(columns[1], axis=-1))
        target.append(columns[2])
        reservoir.append(columns[3])
    sums = jnp.cumsum(jnp.stack(rates), axis=-1)
    fastest = jnp.max(sums)
    weight = np.append((z + 1) ** np.arange(q - 1), 0)
    targets, reservoirs, weights = (jnp.asarray(one, jnp.int32) for one in (target, reservoir, weight))
    return Hopping(sums / fastest, jnp.stack(heat), targets, reservoirs, weights, fastest)


def coupling_matrix(network: JumpNetwork) -> Float[Array, "q q"]:
    """K of the interaction energy P.K.P/2, or a ValueError where the interaction is a function."""
    interaction = network.interaction
    if interaction is None:
        return jnp.zeros((network.q, network.q))
    if callable(interaction):
        raise ValueError("`network` must have an interaction of pairs: a number or a matrix, not a function")
    return interaction * jnp.eye(network.q, dtype=interaction.dtype) if interaction.ndim == 0 else interaction


class LatticeWalk(eqx.Module):
    """Trajectories on their way: the state of every unit, time, heat from each reservoir, hops and proposals."""

    units: Int[Array, "*lanes units"]
    t: Float[Array, "*lanes"]
    heats: Float[Array, "*lanes reservoirs"]
    hops: Int[Array, "*lanes"]
    proposals: Int[Array, "*lanes"]
    stream: Stream


def has_time_left(walk: LatticeWalk, until: Real) -> Bool[Array, ""]:
    """Whether a trajectory has not come to its next time."""
    return jnp.any(walk.t < until)


@eqx.filter_jit
def hop_until(
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
        return has_time_left(walk, until) & (done < blocks)

    def block(carry: tuple[LatticeWalk, Array]) -> tuple[LatticeWalk, Array]:
        walk, done = carry
        return jax.lax.fori_loop(0, BLOCK, lambda k, walk: jax.vmap(propose, (None, 0))(k, walk), walk), done + 1

    return jax.lax.while_loop(goes_on, block, (before, jnp.zeros((), jnp.int32)))[0]
