"""Hops of single units along the bonds of a ring of N units: energies, energy changes, rates."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxthermo.checks import as_float
from jaxthermo.potts.ring import PottsRing
from jaxthermo.protocols.schedule import value_at


class Moment(eqx.Module):
    """A ring's parameters at one time: beta, force and coupling are numbers."""

    ring: PottsRing
    beta: Float[Array, ""]
    force: Float[Array, ""]

    def change(self, here: Float[Array, "..."], there: Float[Array, "..."], bond: Any, units: int) -> Array:
        """dE of one unit that hops along `bond`, from its first state with `here` units to its second with `there`.

        Equation   dE = eps_{i+1} - eps_i + (u/N)(N_{i+1} - N_i + 1), with the counts before the hop
        Source     Herpich & Esposito 2019, Eq. (A2)
        """
        level = jnp.roll(self.ring.energies, -1) - self.ring.energies
        return level[bond] + self.ring.coupling / units * (there - here + 1.0)

    def rates(self, energy_change: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Rates of one unit for the hop with this energy change, and for the one that takes it back."""
        return self.ring.rates(energy_change, self.force, self.beta, self.ring.prefactor)

    def energy(self, counts: Num[Array, "q ..."]) -> Float[Array, "..."]:
        """Energy of all units, E = sum eps_i N_i + (u/2N) sum N_i^2."""
        counts = as_float(counts)
        levels = jnp.tensordot(self.ring.energies, counts, axes=1)
        return levels + 0.5 * self.ring.coupling * jnp.sum(counts**2, axis=0) / jnp.sum(counts, axis=0)


def moment(ring: PottsRing, beta: Any, t: Any = 0.0, coupling: Any = None) -> Moment:
    """The parameters at time t; `coupling` is a schedule in place of the ring's own."""
    force = value_at(ring.force, t)
    fixed = eqx.tree_at(lambda one: one.force, ring, force)
    if coupling is not None:
        fixed = eqx.tree_at(lambda one: one.coupling, fixed, value_at(coupling, t))
    return Moment(fixed, value_at(beta, t), force)


def hop_rates(now: Moment, counts: Float[Array, "q ..."], units: Any) -> tuple[Array, Array, Array, Array]:
    """For every bond i -> i+1: rates of all units forward and backward, and the energy change of both hops.

    Shapes     counts: (q, ...), before the hop; results: (q, ...). The backward hop leaves state i+1.
    """
    following = jnp.roll(counts, -1, axis=0)
    level = jnp.roll(now.ring.energies, -1) - now.ring.energies
    level = level.reshape((-1, *[1] * (counts.ndim - 1)))
    share = now.ring.coupling / units
    gain, loss = level + share * (following - counts + 1.0), level + share * (following - counts - 1.0)
    forward, _ = now.rates(gain)
    _, backward = now.rates(loss)
    return counts * forward, following * backward, gain, -loss
