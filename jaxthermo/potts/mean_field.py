"""The mean-field master equation and its thermodynamics, as pure functions of one state."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.potts.ring import PottsRing
from jaxthermo.protocols.schedule import value_at


class Thermodynamics(eqx.Module):
    """Per-unit thermodynamics of one state; see `thermodynamics`."""

    energy: Float[Array, ""]
    work_current: Float[Array, ""]
    heat_current: Float[Array, ""]
    entropy: Float[Array, ""]
    entropy_production: Float[Array, ""]


def vector_field(t: Any, P: Float[Array, " q"], ring: PottsRing, beta: Any) -> Float[Array, " q"]:
    """Mean-field master equation, dP_i/dt = J_{i-1} - J_i.

    Equation   J_i = V+_i P_i - V-_i P_{i+1}, one term for each bond i -> i+1 (mod q); O(q) work
    Shapes     P: (q,); beta, and the ring's force: scalars or callables of t
    Units      probability per unit time, in the unit of the ring's prefactor
    Source     Herpich & Esposito 2019, Eq. (1)
    """
    forward, backward, _, _ = _bond_flows(t, P, ring, beta)
    current = forward - backward
    return jnp.roll(current, 1) - current


def bond_currents(t: Any, P: Float[Array, " q"], ring: PottsRing, beta: Any) -> Float[Array, " q"]:
    """Net currents J_i on the bonds i -> i+1 (mod q), per unit time."""
    forward, backward, _, _ = _bond_flows(t, P, ring, beta)
    return forward - backward


def energy(P: Float[Array, " q"], ring: PottsRing) -> Float[Array, ""]:
    """Internal energy per unit, E = sum eps_i P_i + (u/2) sum P_i^2."""
    return jnp.sum(ring.energies * P) + 0.5 * ring.coupling * jnp.sum(P * P)


def entropy(P: Float[Array, " q"]) -> Float[Array, ""]:
    """Shannon entropy per unit, S = -sum P ln P (k_B = 1); an empty state contributes 0 and no gradient."""
    occupied = P > 0
    safe = jnp.where(occupied, P, 1.0)
    return -jnp.sum(jnp.where(occupied, P * jnp.log(safe), 0.0))


def thermodynamics(t: Any, P: Float[Array, " q"], ring: PottsRing, beta: Any) -> Thermodynamics:
    """Energy, entropy and their currents at one state.

    Equation   work current f sum J_i; heat current sum J_i (dE_i - f), so that dE/dt = heat + work;
               entropy production sum J_i ln[V+_i P_i / (V-_i P_{i+1})] = dS/dt - beta heat >= 0
    Units      per unit of the ring and per unit time; k_B = 1. Heat is counted into the ring.
    Source     Herpich & Esposito 2019, Eqs. (8), (9)

    The entropy production diverges logarithmically where a state is empty and its neighbour is not. There the empty
    side is read as the smallest normal number, so the value is large and finite, and never negative.
    """
    forward, backward, energy_change, force = _bond_flows(t, P, ring, beta)
    current = forward - backward
    tiny = jnp.finfo(P.dtype).tiny
    log_ratio = jnp.log(jnp.maximum(forward, tiny)) - jnp.log(jnp.maximum(backward, tiny))
    return Thermodynamics(
        energy=energy(P, ring),
        work_current=force * jnp.sum(current),
        heat_current=jnp.sum(current * (energy_change - force)),
        entropy=entropy(P),
        entropy_production=jnp.sum(current * log_ratio),
    )


def _bond_flows(
    t: Any, P: Float[Array, " q"], ring: PottsRing, beta: Any
) -> tuple[Float[Array, " q"], Float[Array, " q"], Float[Array, " q"], Float[Array, ""]]:
    """One-way flows V+ P_i and V- P_{i+1} of every bond, its energy change, and the force."""
    following = jnp.roll(P, -1)
    level = jnp.roll(ring.energies, -1) - ring.energies
    energy_change = level + ring.coupling * (following - P)
    force = value_at(ring.force, t)
    forward, backward = ring.rates(energy_change, force, value_at(beta, t), ring.prefactor)
    return forward * P, backward * following, energy_change, force
