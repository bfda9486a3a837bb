"""How much probability a distribution has in other places than the flows between these places ask for.

A residual is relative to all traffic. Where some hops are far rarer than others, such as those between wells or along
a slow edge, a residual of rounding errors leaves open how much is on either side of them. The flows across tell.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxthermo.jumps.elimination import stationary_for
from jaxthermo.jumps.finite.generator import Hops
from jaxthermo.jumps.finite.space import Space

# What an empty state counts as where hops between cells are weighed.
LEAST = 1e-300


def misplaced(p: Float[Array, " states"], hops: Hops, space: Space) -> Float[Array, ""]:
    """The larger of what `between_cells` and `across_slow_edges` see."""
    return jnp.maximum(between_cells(p, hops, *coarsest_cells(space)), across_slow_edges(p, hops, space))


def between_cells(p: Float[Array, " states"], hops: Hops, cell: Int[Array, " states"], cells: int) -> Float[Array, ""]:
    """Between cells of states, such as the coarsest ones, which tell wells apart.

    Equation   half of the sum over cells of |pi - P|, where P are the probabilities of the cells, and pi is at rest
               under the rates (flow from cell to cell)/P, by elimination; pi = P if p is the stationary state

    Where the states between two wells hold nothing but rounding errors, the flows between the wells are as wrong as
    their probabilities, and in another way.
    """
    p = jnp.maximum(p, LEAST)
    probability = jnp.zeros(cells, p.dtype).at[cell].add(p)
    # The ratio of pi to P, which is at rest under the flows.
    asked = probability * stationary_for(flows_between(cell, cells, hops, p))
    return 0.5 * jnp.sum(jnp.abs(asked / jnp.sum(asked) - probability))


def coarsest_cells(space: Space) -> tuple[Int[Array, " states"], int]:
    """The coarsest cell of each state, and how many cells there are; few states are cells themselves."""
    cell = jnp.arange(space.size)
    while space.coarse is not None:
        assert space.parent is not None
        cell, space = space.parent[cell], space.coarse
    return cell, space.size


def flows_between(cell: Int[Array, " states"], cells: int, hops: Hops, p: Float[Array, " states"]) -> Array:
    """Flows from each cell of states (row) to each other; with p = 1 and a cell for each state the rates."""
    flows = jnp.zeros((cells, cells), p.dtype)
    for target, forward, backward in zip(hops.links.target, *hops.flows(p), strict=True):
        flows = flows.at[cell, cell[target]].add(forward).at[cell[target], cell].add(backward)
    return flows


def across_slow_edges(p: Float[Array, " states"], hops: Hops, space: Space) -> Float[Array, ""]:
    """Between numbers of units in states that faster edges join.

    Equation   half of the sum over n of |pi(n) - P(n)|, P(n) the probability that n units are in a set of states, and
               pi(n + 1)/pi(n) = (flow up/P(n))/(flow down/P(n + 1)), since at rest as much goes up as down; the
               largest of this over the sets: for each edge, the states that edges with more traffic join to either end
    """
    p = jnp.maximum(p, LEAST)
    forward, backward = hops.flows(p)

    def beside(members: Bool[Array, " q"]) -> Array:
        number = members.astype(jnp.int32) @ space.counts
        up = down = jnp.zeros(space.units, p.dtype)
        for (first, second), there, back in zip(space.edges, forward, backward, strict=True):
            # A hop into the set starts from n and ends at n + 1; one out of it, which is filed under n, is at n - 1.
            enters, leaves = members[second] & ~members[first], members[first] & ~members[second]
            up = up.at[number].add(jnp.where(enters, there, 0.0), mode="drop")
            down = down.at[number].add(jnp.where(enters, back, 0.0), mode="drop")
            below = jnp.where(number > 0, number - 1, space.units)
            up = up.at[below].add(jnp.where(leaves, back, 0.0), mode="drop")
            down = down.at[below].add(jnp.where(leaves, there, 0.0), mode="drop")
        probability = jnp.zeros(space.units + 1, p.dtype).at[number].add(p)
        # ln of pi/P, which is 0 where as much goes up as down.
        rise = jnp.where((up > 0) & (down > 0), jnp.log(up) - jnp.log(down), 0.0)
        excess = jnp.concatenate([jnp.zeros(1, p.dtype), jnp.cumsum(rise)])
        excess = excess - excess[jnp.argmax(probability)]
        asked = probability * jnp.exp(excess)
        return 0.5 * jnp.sum(jnp.abs(asked / jnp.sum(asked) - probability))

    return jnp.max(jax.lax.map(beside, faster_sets(jnp.sum(forward + backward, axis=1), space)))


def faster_sets(traffic: Float[Array, " edges"], space: Space) -> Bool[Array, "sets q"]:
    """For each edge the states that edges with more traffic join to its first state, and to its second."""
    ends = np.asarray(space.edges)
    faster = traffic[None, :] > traffic[:, None]
    joined = jnp.broadcast_to(jnp.eye(space.q, dtype=bool), (len(ends), space.q, space.q))
    for number, (first, second) in enumerate(space.edges):
        joined = joined.at[:, first, second].set(joined[:, first, second] | faster[:, number])
        joined = joined.at[:, second, first].set(joined[:, second, first] | faster[:, number])
    for _ in range(max(1, int(np.ceil(np.log2(space.q))))):
        joined = jnp.einsum("eij,ejk->eik", joined.astype(jnp.int32), joined.astype(jnp.int32)) > 0
    rows = np.arange(len(ends))
    return jnp.concatenate([joined[rows, ends[:, 0]], joined[rows, ends[:, 1]]])
