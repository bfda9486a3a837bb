"""The mean-field master equation of a network and its thermodynamics, as pure functions of one state."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxthermo._results import AbstractResult
from jaxthermo.checks import as_float
from jaxthermo.jumps.arguments import as_network
from jaxthermo.jumps.bookkeeping import Flows
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.schedules import Schedule

# One inverse temperature for all reservoirs, one for each, or as many schedules.
Betas = Schedule | Sequence[Schedule]


class AbstractHeatFlow(eqx.Module):
    """What has the heat current of each reservoir and the rate of entropy production."""

    heat_currents: eqx.AbstractVar[Float[Array, "*batch reservoirs"]]
    entropy_production_rate: eqx.AbstractVar[Float[Array, "*batch"]]

    @property
    def heat_current(self) -> Float[Array, "*batch"]:
        """Heat per unit time from all reservoirs together."""
        return jnp.sum(self.heat_currents, axis=-1)

    @property
    def entropy_production(self) -> Float[Array, "*batch"]:
        """`entropy_production_rate`."""
        return self.entropy_production_rate


class AbstractFlowResult(AbstractHeatFlow, AbstractResult):
    """A result with the heat current of each reservoir and the rate of entropy production."""


class Thermodynamics(AbstractHeatFlow):
    """Per-unit thermodynamics of one state; see `thermodynamics`.

    energy, entropy           of a unit, in the unit of 1/beta and of k_B
    work_current              work that the forces do, per unit time
    heat_currents             heat from each reservoir per unit time, (R,)
    entropy_production_rate   in all reservoirs and units together, per unit time
    """

    energy: Float[Array, "*batch"]
    work_current: Float[Array, "*batch"]
    heat_currents: Float[Array, "*batch reservoirs"]
    entropy: Float[Array, "*batch"]
    entropy_production_rate: Float[Array, "*batch"]


AVERAGED = ("energy", "work_current", "heat_currents", "entropy", "entropy_production_rate")


def vector_field(t: ArrayLike, P: Float[Array, " q"], network: AbstractJumpModel, beta: Betas) -> Float[Array, " q"]:
    """Mean-field master equation of a network.

    Equation   dP_i/dt = sum of J_e over edges into i - sum of J_e over edges out of i,
               J_e = V+_e P_i - V-_e P_j for the edge e = (i -> j); O(edges) work

    t          time, which only schedules look at
    P          occupations, (q,)
    network    a `jt.JumpNetwork` or a `jt.PottsRing`
    beta       a number, (R,) numbers, one for each reservoir, a callable of t with either as value, or R schedules
    Units      probability per unit time, in the unit of the prefactor
    Source     Herpich & Esposito 2019, Eq. (1), for any graph

    Example
        >>> import jax
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> [round(float(rate), 6) for rate in jt.jumps.vector_field(0.0, jax.numpy.array([0.5, 0.3, 0.2]), ring, 2.0)]
        [-0.038038, 0.03214, 0.005897]
    """
    network = as_network(network)
    return network.gains(flows(t, P, network, beta).currents)


def edge_currents(t: ArrayLike, P: Float[Array, " q"], network: AbstractJumpModel, beta: Betas) -> Float[Array, " E"]:
    """Net currents J_e along the edges, per unit time; arguments as `vector_field`."""
    return flows(t, P, as_network(network), beta).currents


def flows(t: ArrayLike, P: Float[Array, " q"], network: JumpNetwork, beta: Betas) -> Flows:
    """One-way flows V+ P_i and V- P_j of every edge i -> j, its energy change, and its force."""
    forward, backward, change, force = edge_rates(t, P, network, beta)
    return Flows(forward * network.at_sources(P), backward * network.at_targets(P), change, force)


def edge_rates(
    t: ArrayLike, P: Float[Array, " q"], network: JumpNetwork, beta: Betas
) -> tuple[Float[Array, " edges"], Float[Array, " edges"], Float[Array, " edges"], Array]:
    """Rates V+ and V- of one unit along every edge, its energy change, and its force."""
    if network.is_moving:
        network = network.at(t)
    level = levels(P, network)
    change = network.at_targets(level) - network.at_sources(level)
    force = network.forces_at(t)
    forward, backward = network.rates(change, force, network.betas_at(beta, t), network.prefactor_at(t))
    return forward, backward, change, force


def levels(P: Float[Array, " q"], network: AbstractJumpModel) -> Float[Array, " q"]:
    """Energies of the states as one unit sees them, e_i = eps_i + d phi/dP_i; arguments as `vector_field`.

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> [round(float(one), 6) for one in jt.jumps.levels(jnp.array([0.5, 0.3, 0.2]), ring)]
        [-0.5, -0.3, -0.2]
    """
    network = as_network(network)
    interaction = network.interaction
    if interaction is None:
        return network.constant_energies
    if callable(interaction):
        return network.constant_energies + jax.grad(lambda P: jnp.reshape(interaction(P), ()))(P)
    return network.constant_energies + _times(interaction, P)


def energy(P: Float[Array, " q"], network: AbstractJumpModel) -> Float[Array, ""]:
    """Internal energy per unit, E = sum eps_i P_i + phi(P); arguments as `vector_field`.

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.jumps.energy(jnp.array([0.5, 0.3, 0.2]), ring)), 6)
        -0.19
    """
    network = as_network(network)
    return jnp.sum(network.constant_energies * P) + interaction_energy(P, network)


def interaction_energy(P: Float[Array, " q"], network: JumpNetwork) -> Float[Array, ""]:
    """phi(P): 0, (u/2) sum P_i^2, P.K.P/2, or the network's own function."""
    interaction = network.interaction
    if interaction is None:
        return jnp.zeros((), P.dtype)
    if callable(interaction):
        return jnp.reshape(interaction(P), ())
    return 0.5 * jnp.sum(P * _times(interaction, P))


def entropy(P: Float[Array, " q"]) -> Float[Array, ""]:
    """Shannon entropy per unit, S = -sum P ln P (k_B = 1); an empty state contributes 0 and no gradient.

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> round(float(jt.jumps.entropy(jnp.array([0.5, 0.5, 0.0]))), 6)  # ln 2
        0.693147
    """
    occupied = P > 0
    safe = jnp.where(occupied, P, 1.0)
    return -jnp.sum(jnp.where(occupied, P * jnp.log(safe), 0.0))


def thermodynamics(t: ArrayLike, P: Float[Array, " q"], network: AbstractJumpModel, beta: Betas) -> Thermodynamics:
    """Energy, entropy and their currents at one state.

    Equation   work current sum f_e J_e + dE/dt at rest, where time changes energies or interaction; heat current of
               reservoir r: sum J_e (dE_e - f_e) over its edges, so that
               dE/dt = work + all heats; entropy production rate sum J_e ln[V+_e P_i / (V-_e P_j)]
               = dS/dt - sum beta_r (heat current of r) >= 0

    t, P, network, beta   as `vector_field`
    Units      per unit and per unit time; k_B = 1. Heat is counted from the reservoirs into the units.
    Source     Herpich & Esposito 2019, Eqs. (8), (9); several reservoirs: Esposito, Phys. Rev. E 85, 041125 (2012)

    The entropy production rate diverges logarithmically where a state is empty and its neighbour is not. There the
    empty side is read as the smallest normal number, so the value is large and finite, and never negative.

    Example
        >>> import jax
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> flow = jt.jumps.thermodynamics(0.0, jax.numpy.array([0.5, 0.3, 0.2]), ring, 2.0)
        >>> round(float(flow.work_current), 6), round(float(flow.entropy_production_rate), 6)
        (0.223213, 0.451854)
    """
    network = as_network(network)
    flow = flows(t, P, network, beta)
    return Thermodynamics(
        energy=energy(P, network.at(t) if network.is_moving else network),
        work_current=work_current(t, P, network, flow),
        heat_currents=flow.heat_currents(network),
        entropy=entropy(P),
        entropy_production_rate=flow.entropy_production_rate(),
    )


def work_current(t: ArrayLike, P: Float[Array, " q"], network: JumpNetwork, flow: Flows) -> Float[Array, ""]:
    """Work of the forces, and of energies and interaction that time changes, per unit time."""
    forces = flow.work_current()
    if not network.is_moving:
        return forces
    return forces + jax.jvp(lambda t: energy(P, network.at(t)), (as_float(t),), (jnp.ones_like(as_float(t)),))[1]


def _times(interaction: Array, P: Array) -> Array:
    """K P; for a number, which stands for a multiple of the identity, a product."""
    return interaction * P if interaction.ndim == 0 else jnp.dot(interaction, P, precision="highest")
