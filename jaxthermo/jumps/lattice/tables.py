"""What one unit on a lattice may do: its hops, for every way in which its neighbours may be."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo.jumps.finite.hops import network_at
from jaxthermo.jumps.network import JumpNetwork
from jaxthermo.solve.lean import lean_jit

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
