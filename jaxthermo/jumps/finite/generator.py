"""Master equations of N units on either level, without their matrix: a product is two gathers per edge."""

import functools

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from jaxthermo._types import Real
from jaxthermo.jumps.bookkeeping import Flows
from jaxthermo.jumps.finite.hops import NetworkAtTime
from jaxthermo.jumps.finite.space import Links, Space


class Hops(eqx.Module):
    """Rates of every hop b out of every state: `forward`; `backward` takes the same hop back, out of its target.

    Both are zero where there is no such hop. `change` is the energy that the forward hop adds.
    """

    links: Links
    forward: Float[Array, "hops states"]
    backward: Float[Array, "hops states"]
    change: Float[Array, "hops states"]

    def flows(self, p: Inexact[Array, " states"]) -> tuple[Array, Array]:
        """One-way flows of probability along every hop, forward and back."""
        return self.forward * p[None], self.backward * p[self.links.target]

    def booked(self, p: Float[Array, " states"], now: NetworkAtTime) -> Flows:
        """The flows with what hops take up, to be summed to work, heat and entropy."""
        return Flows(*self.flows(p), self.change, now.force)

    def apply(self, p: Inexact[Array, " states"]) -> Inexact[Array, " states"]:
        """dp/dt, the master equation."""
        forward, backward = self.flows(p)
        return self.into_states(forward - backward) - jnp.sum(forward - backward, axis=0)

    def tilted(self, p: Inexact[Array, " states"], weight: Real) -> Inexact[Array, " states"]:
        """The master equation with every forward hop counted `weight` times, and every backward one 1/weight times."""
        forward, backward = self.flows(p)
        return self.into_states(weight * forward - backward) - jnp.sum(forward - backward / weight, axis=0)

    def into_states(self, flows: Inexact[Array, "hops states"]) -> Inexact[Array, " states"]:
        """What the hops bring into each state, from flows that are filed under the states they leave."""
        return functools.reduce(jnp.add, [flow[at] for flow, at in zip(flows, self.links.source, strict=True)])

    def scaled(self, log_scale: Float[Array, " states"]) -> "Hops":
        """The hops as they act on p/exp(log_scale); what leaves a state is the same as before."""
        rise = log_scale[self.links.target] - log_scale[None]
        return Hops(self.links, self.forward * jnp.exp(-rise), self.backward * jnp.exp(rise), self.change)

    def outflow(self) -> Float[Array, " states"]:
        """The rate at which each state is left."""
        return jnp.sum(self.forward, axis=0) + self.into_states(self.backward)


def mesoscopic_hops(now: NetworkAtTime, space: Space) -> Hops:
    """Hops between occupation numbers, N_i times as fast as those of one unit.

    Source     Herpich & Esposito 2019, Eqs. (A6), (A7)
    """
    counts = space.counts.astype(now.beta.dtype)
    here, there = now.network.at_sources(counts), now.network.at_targets(counts)
    change = now.gain(counts, space.units)
    forward, backward = now.rates(change)
    return Hops(space.links, here * forward, jnp.where(here > 0, (there + 1.0) * backward, 0.0), change)


def microscopic_hops(now: NetworkAtTime, each: Array, counts: Array, links: Links) -> Hops:
    """Hops of single units round a ring, from the states of all units (N, states) and their counts (q, states).

    A unit leaves each state by one forward hop only, so there is one hop for every unit.

    Source     Herpich & Esposito 2019, Eqs. (A2)-(A4)
    """
    gain = now.gain(counts.astype(now.beta.dtype), each.shape[0])
    change = jnp.take_along_axis(gain, each, axis=0)
    return Hops(links, *now.rates(change), change)
