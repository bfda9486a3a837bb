"""Work, heat of each reservoir and entropy production from flows along edges: mean field and finite numbers alike."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.jumps.network import JumpNetwork


class Flows(eqx.Module):
    """One-way flows of probability along every edge, and what a hop along it takes up.

    Shapes     forward, backward, energy_change: (E,) or (E, states), where a state of many units has its own flows;
               force: one for all edges or (E,)
    """

    forward: Float[Array, "edges ..."]
    backward: Float[Array, "edges ..."]
    energy_change: Float[Array, "edges ..."]
    force: Float[Array, ""] | Float[Array, " edges"]

    @property
    def currents(self) -> Float[Array, " edges"]:
        """Net current along every edge."""
        return _per_edge(self.forward - self.backward)

    def work_current(self) -> Float[Array, ""]:
        """Work of the forces per unit time, sum f_e J_e."""
        return jnp.sum(self.force * self.currents) if self.force.ndim else self.force * jnp.sum(self.currents)

    def heat_currents(self, network: JumpNetwork) -> Float[Array, " reservoirs"]:
        """Heat that each reservoir gives the units per unit time, sum J_e (dE_e - f_e) over its edges."""
        current = self.forward - self.backward
        return network.by_reservoir(_per_edge(current * (self.energy_change - along_edges(self.force, current))))

    def entropy_production_rate(self) -> Float[Array, ""]:
        """sum J_e ln(forward flow/backward flow) >= 0.

        It diverges logarithmically where a flow comes from an empty state. That flow is read as the smallest normal
        number, so the value is large and finite, and never negative.
        """
        tiny = jnp.finfo(self.forward.dtype).tiny
        log_ratio = jnp.log(jnp.maximum(self.forward, tiny)) - jnp.log(jnp.maximum(self.backward, tiny))
        return jnp.sum((self.forward - self.backward) * log_ratio)


def along_edges(values: Float[Array, "*edges"], like: Array) -> Array:
    """A scalar as it is; one number for each edge with axes of length one for what `like` has behind the edges."""
    return values.reshape(values.shape + (1,) * (like.ndim - 1)) if values.ndim else values


def _per_edge(values: Float[Array, "edges ..."]) -> Float[Array, " edges"]:
    return values if values.ndim == 1 else jnp.sum(values, axis=tuple(range(1, values.ndim)))
