"""The two levels on which N units are described: by their occupation numbers, or each unit by itself."""

import abc
import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from jaxthermo._types import IntLike
from jaxthermo.checks import require_double_for
from jaxthermo.jumps.arguments import require_constant
from jaxthermo.jumps.finite.distribution import is_direct
from jaxthermo.jumps.finite.generator import Hops, mesoscopic_hops, microscopic_hops
from jaxthermo.jumps.finite.hops import NetworkAtTime
from jaxthermo.jumps.finite.space import Links, Space, microscopic_links, require_ring_edges, space
from jaxthermo.jumps.finite.states import (
    counts_of,
    initial_counts,
    log_multiplicity,
    microstates,
    rank,
    require_mesostates,
    require_microstates,
)
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.rest import currents_at_rest

# What linear solves over the states of N units need: double precision.
RTOL = 1e-12


class FiniteThermodynamics(eqx.Module):
    """Per unit and per unit time; see `AbstractLevel.observe`. Covariances are those of the shares N_i/N."""

    occupation: Float[Array, "*batch q"]
    covariance: Float[Array, "*batch q q"]
    energy: Float[Array, "*batch"]
    entropy: Float[Array, "*batch"]
    work_current: Float[Array, "*batch"]
    heat_currents: Float[Array, "*batch reservoirs"]
    entropy_production_rate: Float[Array, "*batch"]


class AbstractLevel(eqx.Module):
    """The states of N units, and their master equation."""

    name: eqx.AbstractClassVar[str]

    @property
    @abc.abstractmethod
    def units(self) -> int:
        """N."""

    @property
    @abc.abstractmethod
    def counts(self) -> Int[Array, "q states"]:
        """Occupation numbers of every state."""

    @abc.abstractmethod
    def hops(self, now: NetworkAtTime) -> Hops:
        """The master equation at one time."""

    @abc.abstractmethod
    def inner(self) -> Float[Array, " states"]:
        """Entropy inside every state."""

    @abc.abstractmethod
    def start(self, n0: ArrayLike | Sequence[int] | None) -> int:
        """The number of a state with the counts n0; ValueError for others than N units."""

    def observe(self, p: Float[Array, " states"], now: NetworkAtTime) -> FiniteThermodynamics:
        """Energy, entropy and their currents.

        Equation   work <sum f_e J_e>, heat of reservoir r <sum J_e (dE_e - f_e)> over its edges, entropy <inner -
                   ln p>, and entropy production sum J_e ln(forward flow/backward flow), with J_e the net flow along
                   the hop e
        Source     Herpich & Esposito 2019, Eqs. (B1)-(B8) and (B9)-(B14)

        The forces' work only: a coupling that depends on time does more. A flow that comes from an empty state is read
        as the smallest normal number, so the entropy production is then large and finite.
        """
        counts = self.counts.astype(p.dtype)
        units = jnp.sum(counts[:, 0])
        shares = counts / units
        occupation = shares @ p
        spread = shares - occupation[:, None]
        flow = self.hops(now).booked(p, now)
        safe = jnp.where(p > 0, p, 1.0)
        return FiniteThermodynamics(
            occupation=occupation,
            covariance=(spread * p[None]) @ spread.T,
            energy=now.energy(counts) @ p / units,
            entropy=jnp.sum(jnp.where(p > 0, p * (self.inner() - jnp.log(safe)), 0.0)) / units,
            work_current=flow.work_current() / units,
            heat_currents=flow.heat_currents(now.network) / units,
            entropy_production_rate=flow.entropy_production_rate() / units,
        )

    def observe_at_rest(self, p: Float[Array, " states"], now: NetworkAtTime) -> FiniteThermodynamics:
        """The same of a stationary state, which may allow a better way."""
        return self.observe(p, now)


class Mesoscopic(AbstractLevel):
    """The level of occupation numbers."""

    states: Space
    name = "mesoscopic"

    @property
    def units(self) -> int:
        return self.states.units

    @property
    def counts(self) -> Int[Array, "q states"]:
        return self.states.counts

    def hops(self, now: NetworkAtTime) -> Hops:
        return mesoscopic_hops(now, self.states)

    def observe_at_rest(self, p: Float[Array, " states"], now: NetworkAtTime) -> FiniteThermodynamics:
        """The same, with currents as `currents_at_rest` knows them.

        Where the distribution was searched for, probabilities of states that are hardly ever visited may be noise,
        whose flows are no produced entropy.
        """
        seen, network = self.observe(p, now), now.network
        flow, betas = self.hops(now).booked(p, now), network.betas_at(now.beta, 0.0)
        work, heats, produced = (one / self.units for one in currents_at_rest(flow, network, betas))
        produced = seen.entropy_production_rate if is_direct(self.states) else produced
        return dataclasses.replace(seen, work_current=work, heat_currents=heats, entropy_production_rate=produced)

    def inner(self) -> Float[Array, " states"]:
        return log_multiplicity(self.counts)

    def start(self, n0: ArrayLike | Sequence[int] | None) -> int:
        return int(rank(initial_counts(self.states.q, self.units, n0)[:, None])[0])


class Microscopic(AbstractLevel):
    """The level of single units on a ring."""

    each: Int[Array, "units states"]
    counts_of_all: Int[Array, "q states"]
    links: Links
    name = "microscopic"

    @property
    def units(self) -> int:
        return self.each.shape[0]

    @property
    def counts(self) -> Int[Array, "q states"]:
        return self.counts_of_all

    def hops(self, now: NetworkAtTime) -> Hops:
        return microscopic_hops(now, self.each, self.counts, self.links)

    def inner(self) -> Float[Array, " states"]:
        return jnp.zeros(self.counts.shape[1])

    def start(self, n0: ArrayLike | Sequence[int] | None) -> int:
        """Units 1..n0_1 are in the first state, the next n0_2 in the second, and so on."""
        q = self.counts.shape[0]
        digits = np.repeat(np.arange(q), initial_counts(q, self.units, n0))
        return int(digits @ q ** np.arange(self.units))


def mesoscopic_level(network: JumpNetwork, units: IntLike) -> Mesoscopic:
    """N units by their occupation numbers; ValueError for more of these than memory holds."""
    units = require_mesostates(network.q, units, len(network.edges))
    return Mesoscopic(space(network.q, units, network.edges))


def microscopic_level(network: JumpNetwork, units: IntLike) -> Microscopic:
    """N units one by one; ValueError for another graph than a ring's, and for more states than memory holds."""
    require_ring_edges(network)
    units = require_microstates(network.q, units)
    each = microstates(network.q, units)
    # Constants, also where jax is tracing the parameters.
    with jax.ensure_compile_time_eval():
        counts = jnp.asarray(counts_of(network.q, each))
        return Microscopic(jnp.asarray(each), counts, microscopic_links(network.q, each))


def units_at_rest(
    model: AbstractJumpModel, beta: Betas, units: IntLike
) -> tuple[JumpNetwork, Float[Array, "*betas"], Space]:
    """Network, inverse temperatures and occupation numbers of a stationary state, checked.

    Raises     ValueError for impossible parameters, for more states than memory holds, without double precision
    """
    network, betas = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    return network, betas, mesoscopic_level(network, units).states
