"""Hops of single units along the edges of a network with N units: energies, energy changes, rates."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jaxthermo._types import Real
from jaxthermo.checks import as_float
from jaxthermo.jumps.arguments import as_network
from jaxthermo.jumps.bookkeeping import along_edges
from jaxthermo.jumps.graph import incidence
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.schedules import Schedule
from jaxthermo.protocols.schedules import value_at


class NetworkAtTime(eqx.Module):
    """A network's parameters at one time: beta, forces and interaction are no schedules any more."""

    network: JumpNetwork
    beta: Float[Array, "*betas"]

    @property
    def force(self) -> Float[Array, "*edges"]:
        """One force for all edges, or one each."""
        return self.network.forces_at(0.0)

    def gain(self, counts: Float[Array, "q ..."], units: Real) -> Float[Array, "edges ..."]:
        """dE of one unit that hops forward along each edge, with the counts before the hop.

        Equation   dE = E(n - 1_i + 1_j) - E(n) of `energy`; for the ring's coupling u
                   eps_j - eps_i + (u/N)(N_j - N_i + 1)
        Source     Herpich & Esposito 2019, Eq. (A2)
        """
        return self._rises(counts, units, (1.0,))[0]

    def gain_and_loss(self, counts: Float[Array, "q ..."], units: Real) -> tuple[Array, Array]:
        """`gain`, and dE of the forward hop that a backward one from these counts takes back."""
        gain, loss = self._rises(counts, units, (1.0, -1.0))
        return gain, loss

    def _rises(self, counts: Array, units: Real, steps: tuple[float, ...]) -> list[Array]:
        """dE of forward hops from the counts (step 1) and to them (step -1)."""
        network, interaction = self.network, self.network.interaction
        alone = network.constant_energies
        level = along_edges(network.at_targets(alone) - network.at_sources(alone), counts)
        if interaction is None:
            return [jnp.broadcast_to(level, (len(network.edges), *counts.shape[1:])) for _ in steps]
        if callable(interaction):
            return [level + _difference(interaction, network, counts, units, step) for step in steps]
        if interaction.ndim == 0:
            share: Array | float = interaction / units
            own: Array | float = 1.0
            slope = network.at_targets(counts) - network.at_sources(counts)
        else:
            field = jnp.tensordot(interaction, counts, 1, precision="highest")
            share, slope = 1.0 / units, network.at_targets(field) - network.at_sources(field)
            own = along_edges(_own_share(network, interaction), counts)
        return [level + share * (slope + step * own) for step in steps]

    def rates(self, energy_change: Float[Array, "edges ..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Rates of one unit for the hop along each edge with this energy change, and for the one that takes it back."""
        network = self.network
        beta = network.betas_at(self.beta, 0.0)
        force, beta, prefactor = (
            along_edges(one, energy_change) for one in (self.force, beta, network.prefactor_at(0.0))
        )
        return network.rates(energy_change, force, beta, prefactor)

    def energy(self, counts: Num[Array, "q ..."]) -> Float[Array, "..."]:
        """Energy of all units, E = sum eps_i N_i + N phi(N_i/N)."""
        counts = as_float(counts)
        interaction = self.network.interaction
        levels = jnp.tensordot(self.network.constant_energies, counts, axes=1)
        if interaction is None:
            return levels
        units = jnp.sum(counts, axis=0)
        if callable(interaction):
            return levels + units * _everywhere(interaction, counts / units[None])
        if interaction.ndim == 0:
            return levels + 0.5 * interaction * jnp.sum(counts**2, axis=0) / units
        field = jnp.tensordot(interaction, counts, 1, precision="highest")
        return levels + 0.5 * jnp.sum(counts * field, axis=0) / units


def network_at(
    model: AbstractJumpModel, beta: Schedule, t: Real = 0.0, coupling: Schedule | None = None
) -> NetworkAtTime:
    """The parameters at time t; `coupling` is a schedule in place of a ring's own."""
    interaction = None if coupling is None else value_at(coupling, t)
    return NetworkAtTime(as_network(model).at(t, interaction), value_at(beta, t))


def hop_rates(now: NetworkAtTime, counts: Float[Array, "q ..."], units: Real) -> tuple[Array, Array, Array, Array]:
    """For every edge i -> j: rates of all units forward and backward, and the energy change of both hops.

    Shapes     counts: (q, ...), before the hop; results: (E, ...). The backward hop leaves state j.
    """
    gain, loss = now.gain_and_loss(counts, units)
    forward, _ = now.rates(gain)
    _, backward = now.rates(loss)
    return now.network.at_sources(counts) * forward, now.network.at_targets(counts) * backward, gain, -loss


def _own_share(network: JumpNetwork, matrix: Float[Array, "q q"]) -> Float[Array, " edges"]:
    """(K_ii + K_jj)/2 - K_ij of every edge i -> j: what one unit more there and one less here add to a hop's dE."""
    rows, columns = np.asarray(network.edges, np.int32).T
    own = jnp.diagonal(matrix)
    return 0.5 * (network.at_targets(own) + network.at_sources(own)) - matrix[rows, columns]


def _difference(
    phi: Callable[[Array], Array], network: JumpNetwork, counts: Array, units: Real, step: float
) -> Float[Array, "edges ..."]:
    """Change of N phi(n/N) by a forward hop from n (step 1), or to n (step -1), along each edge."""
    here = _everywhere(phi, counts / units)

    def along(change: Array) -> Array:
        there = counts + step * along_edges(change, counts)
        # Where there is nobody to hop, phi is not asked for a negative occupation.
        there = jnp.where(jnp.all(there >= 0, axis=0), there, counts)
        return step * units * (_everywhere(phi, there / units) - here)

    return jax.vmap(along)(jnp.asarray(incidence(network.edges, network.q).T, counts.dtype))


def _everywhere(phi: Callable[[Array], Array], occupations: Float[Array, "q ..."]) -> Float[Array, "..."]:
    """phi at every column."""
    columns = occupations.reshape(occupations.shape[0], -1)
    return jax.vmap(lambda P: jnp.reshape(phi(P), ()), in_axes=1)(columns).reshape(occupations.shape[1:])
