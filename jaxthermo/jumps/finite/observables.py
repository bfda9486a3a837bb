"""Thermodynamics of a distribution over the states of N units, per unit, on either level."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.jumps.finite.generator import Hops
from jaxthermo.jumps.finite.hops import NetworkAtTime


class FiniteThermodynamics(eqx.Module):
    """Per unit and per unit time; see `observe`. Covariances are those of the shares N_i/N."""

    occupation: Float[Array, "*batch q"]
    covariance: Float[Array, "*batch q q"]
    energy: Float[Array, "*batch"]
    entropy: Float[Array, "*batch"]
    work_current: Float[Array, "*batch"]
    heat_currents: Float[Array, "*batch reservoirs"]
    entropy_production_rate: Float[Array, "*batch"]


def observe(
    p: Float[Array, " states"],
    now: NetworkAtTime,
    hops: Hops,
    counts: Array,
    inner: Float[Array, " states"],
) -> FiniteThermodynamics:
    """Energy, entropy and their currents.

    Equation   work <sum f_e J_e>, heat of reservoir r <sum J_e (dE_e - f_e)> over its edges, entropy <inner - ln p>,
               and entropy production sum J_e ln(forward flow/backward flow), with J_e the net flow along the hop e

    p          probabilities, (states,)
    now        the network at one time
    hops       its master equation
    counts     occupation numbers of every state, (q, states)
    inner      entropy inside each state, (states,): ln(N!/prod N_i!) or 0
    Units      per unit and per unit time; k_B = 1. Heat is counted into the units.
    Source     Herpich & Esposito 2019, Eqs. (B1)-(B8) and (B9)-(B14)

    The forces' work only: a coupling that depends on time does more. A flow that comes from an empty state is read as
    the smallest normal number, so the entropy production is then large and finite.
    """
    counts = counts.astype(p.dtype)
    units = jnp.sum(counts[:, 0])
    shares = counts / units
    occupation = shares @ p
    spread = shares - occupation[:, None]
    flow = hops.booked(p, now)
    safe = jnp.where(p > 0, p, 1.0)
    return FiniteThermodynamics(
        occupation=occupation,
        covariance=(spread * p[None]) @ spread.T,
        energy=now.energy(counts) @ p / units,
        entropy=jnp.sum(jnp.where(p > 0, p * (inner - jnp.log(safe)), 0.0)) / units,
        work_current=flow.work_current() / units,
        heat_currents=flow.heat_currents(now.network) / units,
        entropy_production_rate=flow.entropy_production_rate() / units,
    )
