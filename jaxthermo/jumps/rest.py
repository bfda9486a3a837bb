"""Currents of work, heat and entropy at rest, free of the rounding errors of hops that are fast and nearly balanced."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.jumps.bookkeeping import Flows, along_edges
from jaxthermo.jumps.graph import incidence
from jaxthermo.jumps.network import JumpNetwork
from jaxthermo.solve.derivatives import stop_gradient


def currents_at_rest(
    flow: Flows, network: JumpNetwork, beta: Float[Array, "*edges"]
) -> tuple[Float[Array, ""], Float[Array, " reservoirs"], Float[Array, ""]]:
    """Work of the forces, heat of each reservoir and entropy production per unit time in a stationary state.

    Equation   sum of J w over hops, J the net flow and w what a hop counts: f_e; dE_e - f_e on the edges of the
               reservoir; beta_e (f_e - dE_e); each w as `weights_at_rest` has it

    flow       flows of a stationary state, (E, states)
    beta       inverse temperature of all edges, or of each, (E,)
    """
    heat = flow.energy_change - along_edges(flow.force, flow.energy_change)
    force = jnp.broadcast_to(along_edges(flow.force, heat), (len(network.edges), 1))
    heats = [jnp.where(jnp.asarray(mine)[:, None], heat, 0.0) for mine in network.edges_by_reservoir]
    weights = weights_at_rest([force, *heats, -along_edges(beta, heat) * heat], flow, network)
    work, *each, produced = (jnp.sum((flow.forward - flow.backward) * weight) for weight in weights)
    return work, jnp.stack(each), produced


def edge_currents_at_rest(flow: Flows, network: JumpNetwork) -> tuple[Float[Array, ""], Float[Array, " reservoirs"]]:
    """Work and heats of one unit at rest, or of the mean field: `currents_at_rest` with a = 0, flows (E,).

    dE = e_j - e_i is a difference of two numbers of the states here, which c has in it. c solves the least-squares
    problem's normal equations, the currents of a net of resistors; many small systems at once take no time.
    """
    total = stop_gradient(flow.forward + flow.backward)
    force = jnp.broadcast_to(flow.force, total.shape)
    heats = jnp.where(jnp.asarray(network.edges_by_reservoir), (flow.energy_change - force)[None], 0.0)
    weights = jnp.concatenate([force[None], heats])
    # State 0 has c = 0.
    moves = jnp.asarray(incidence(network.edges, network.q).T[:, 1:], total.dtype)
    matrix = (moves.T * total[None]) @ moves
    # Where slow edges are lost in the rounding of fast ones, c is any number that is not large.
    matrix = matrix + jnp.diag(4.0 * jnp.finfo(total.dtype).eps * jnp.diagonal(matrix))
    found = jnp.linalg.solve(matrix, (moves.T * total[None]) @ stop_gradient(weights).T)
    counted = jnp.sum((weights - (moves @ found).T) * (flow.forward - flow.backward)[None], axis=1)
    return counted[0], counted[1:]


def weights_at_rest(weights: Sequence[Float[Array, "edges ..."]], flow: Flows, network: JumpNetwork) -> list[Array]:
    """What hops may count instead at rest, so that those that are many and nearly balanced hardly count.

    Equation   w - a dE - c_j + c_i for a hop along i -> j. At rest the flows change neither energy nor occupations, so
               that every a and c give the same current. Those are taken with which the sum of
               (forward + backward flow) (w - a dE - c_j + c_i)^2 is least

    weights    each (E, states) or (E, 1): what forward hops count, and backward ones with the other sign
    flow       flows of a stationary state, (E, states)
    Accuracy   a net flow J is known to 1e-16 of the flows there and back. Where an edge, or all edges of a reservoir,
               are many times faster than what turns the whole cycle, w alone would multiply J by that error

    a and c are held constant under differentiation, which their being arbitrary allows.
    """
    traffic, change = stop_gradient((flow.forward + flow.backward, flow.energy_change))
    total = jnp.sum(traffic, axis=1, keepdims=True)
    share = traffic / jnp.where(total > 0, total, 1.0)
    # Of one edge, dE is its mean over all hops and what differs from it; so is w, which goes along with dE.
    mean = jnp.sum(share * change, axis=1, keepdims=True)
    rest = change - mean
    spread = jnp.sqrt(jnp.sum(share * rest**2, axis=1, keepdims=True))
    counted = [jnp.sum(share * one, axis=1) for one in stop_gradient(weights)]
    along = [jnp.sum(share * rest * one, axis=1) for one in stop_gradient(weights)]
    varies = (spread > 0)[:, 0]
    along = [jnp.where(varies, one / jnp.where(varies, spread[:, 0], 1.0), 0.0) for one in along]

    moves = jnp.asarray(incidence(network.edges, network.q).T, traffic.dtype)
    size = jnp.sqrt(total)
    means = size * jnp.concatenate([mean, moves], axis=1)
    spreads = jnp.pad(size * spread, ((0, 0), (0, network.q)))
    wanted = jnp.concatenate([size * jnp.stack(counted, axis=1), size * jnp.stack(along, axis=1)])
    found = jnp.linalg.lstsq(jnp.concatenate([means, spreads]), wanted)[0].T
    return [
        weight - slope[0] * flow.energy_change - (moves @ slope[1:])[:, None]
        for weight, slope in zip(weights, found, strict=True)
    ]
