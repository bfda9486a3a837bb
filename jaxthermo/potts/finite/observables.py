"""Thermodynamics of a distribution over the states of N units, per unit, on either level."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.potts.finite.generator import Hops
from jaxthermo.potts.finite.hops import Moment


class FiniteThermodynamics(eqx.Module):
    """Per unit and per unit time; see `observe`. Covariances are those of the shares N_i/N."""

    occupation: Float[Array, " q"]
    covariance: Float[Array, "q q"]
    energy: Float[Array, ""]
    entropy: Float[Array, ""]
    work_current: Float[Array, ""]
    heat_current: Float[Array, ""]
    entropy_production: Float[Array, ""]


def observe(
    p: Float[Array, " states"],
    now: Moment,
    hops: Hops,
    counts: Array,
    inner: Float[Array, " states"],
) -> FiniteThermodynamics:
    """Energy, entropy and their currents.

    Equation   work f <J>, heat <sum_b J_b (dE_b - f)>, entropy <inner - ln p>, and entropy production
               sum_b J_b ln(forward flow/backward flow), with J_b the net flow along the hop b
    Shapes     p: (states,); counts: (q, states); inner: entropy inside each state, ln(N!/prod N_i!) or 0
    Units      per unit of the ring and per unit time; k_B = 1. Heat is counted into the ring.
    Source     Herpich & Esposito 2019, Eqs. (B1)-(B8) and (B9)-(B14)

    The force's work only: a coupling that depends on time does more. A flow that comes from an empty state is read as
    the smallest normal number, so the entropy production is then large and finite.
    """
    counts = counts.astype(p.dtype)
    units = jnp.sum(counts[:, 0])
    shares = counts / units
    occupation = shares @ p
    spread = shares - occupation[:, None]
    forward, backward = hops.flows(p)
    current = forward - backward
    tiny = jnp.finfo(p.dtype).tiny
    log_ratio = jnp.log(jnp.maximum(forward, tiny)) - jnp.log(jnp.maximum(backward, tiny))
    safe = jnp.where(p > 0, p, 1.0)
    return FiniteThermodynamics(
        occupation=occupation,
        covariance=(spread * p) @ spread.T,
        energy=now.energy(counts) @ p / units,
        entropy=jnp.sum(jnp.where(p > 0, p * (inner - jnp.log(safe)), 0.0)) / units,
        work_current=now.force * jnp.sum(current) / units,
        heat_current=jnp.sum(current * (hops.change - now.force)) / units,
        entropy_production=jnp.sum(current * log_ratio) / units,
    )
