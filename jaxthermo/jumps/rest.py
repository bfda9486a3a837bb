"""Currents of work, heat and entropy at rest, free of the rounding errors of hops that are fast and nearly balanced."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.jumps.bookkeeping import Flows, along_edges
from jaxthermo.jumps.graph import incidence
from jaxthermo.jumps.network import JumpNetwork
from jaxthermo.solve.derivatives import stop_gradient


def currents_at_rest(
    flow: Flows, network: JumpNetwork, beta: Float[Array, "*edges"]
) -> tuple[Float[Array, ""], Float[Array, " reservoirs"], Float[Array, ""]]:
    """Work of the forces, heat of each reservoir and entropy production per unit time in a stationary state.

    Equation   A = sum over hops of J (w - a dE - c_j + c_i), w what a hop along i -> j counts: f_e; dE_e - f_e on the
               edges of the reservoir; beta_e (f_e - dE_e). At rest the flows change neither energy nor occupations, so that every a and
               c give the same A. Those are taken with which the sum of (forward + backward flow) (..)^2 is least

    flow       flows of a stationary state, (E,) of one unit or (E, states) of many
    beta       inverse temperature of all edges, or of each, (E,)
    Accuracy   a net flow J is known to 1e-16 of the flows there and back. Where an edge, or all edges of a reservoir,
               are many times faster than what turns the whole cycle, w without a and c would multiply J by that error

    a and c are held constant under differentiation, which their being arbitrary allows.
    """
    net, traffic, change = flow.forward - flow.backward, flow.forward + flow.backward, flow.energy_change
    states = tuple(range(1, net.ndim))
    total = jnp.sum(traffic, axis=states)
    share = stop_gradient(traffic / along_edges(jnp.where(total > 0, total, 1.0), traffic))
    # Of one edge, dE is its mean over all hops and what differs from it.
    mean = jnp.sum(share * stop_gradient(change), axis=states)
    rest = change - along_edges(mean, change)
    spread = jnp.sqrt(jnp.sum(share * stop_gradient(rest) ** 2, axis=states))
    currents, others = jnp.sum(net, axis=states), jnp.sum(net * rest, axis=states)

    # What is counted, for work, each reservoir and entropy: `constant` + `slope` times the rest of dE.
    mine = np.asarray(network.reservoirs) == np.arange(network.reservoir_count)[:, None]
    force, beta = jnp.broadcast_to(flow.force, total.shape), jnp.broadcast_to(beta, total.shape)
    constant = jnp.concatenate([force[None], jnp.where(mine, mean - force, 0.0), (beta * (force - mean))[None]])
    slope = jnp.concatenate([jnp.zeros((1, len(force))), jnp.asarray(mine, net.dtype), -beta[None]])

    moves = jnp.asarray(incidence(network.edges, network.q), net.dtype).T
    size = stop_gradient(jnp.sqrt(total))[:, None]
    changes = size * jnp.concatenate([mean[:, None], moves], axis=1)
    changes = jnp.concatenate([changes, size * spread[:, None] * (jnp.arange(1 + network.q) == 0)])
    counts = jnp.concatenate([size * constant.T, size * spread[:, None] * slope.T])
    found = jnp.linalg.lstsq(*stop_gradient((changes, counts)))[0].T
    energy, occupation = found[:, :1], found[:, 1:]
    left = constant - energy * mean - occupation @ moves.T
    counted = left @ currents + (slope - energy) @ others
    return counted[0], counted[1:-1], counted[-1]
