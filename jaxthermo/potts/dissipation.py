"""Stability and dissipation just above the onset of synchronisation."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike
from jaxthermo.potts.ring import PottsRing, require_autonomous
from jaxthermo.potts.stability import require_flat


def stability_dissipation(ring: PottsRing, beta: ScalarLike) -> Float[Array, ""]:
    """Entropy production that synchronisation saves, over the phase-space contraction that it gains, near onset.

    Equation   sigma - sigma_0 = slope (<div F> - (div F)_0) to leading order in the amplitude, with sigma the mean rate
               of entropy production, F = dP/dt, and 0 the uniform state. Both sides are quadratic forms of the
               occupations, multiples of the same one, sum_i (P_{i+1} - P_i)^2, so all patterns have one slope,
                   slope = beta f [u (r+'' - r-'')/(2q) - (r+' + r-')/2] / [u^2 (r+''' - r-''')/q - 3u (r+'' + r-'')/2],
               where r+-(dE) are the rates at dE = 0. Arrhenius rates at beta_c1 = -q/u: (f/2|u|) tanh(q f/2|u|)

    ring       a `jt.PottsRing` with flat energies and a constant force
    beta       inverse temperature, a number: that of the onset, `jt.potts.critical_beta`
    Units      none (entropy in k_B)
    Raises     ValueError if the energies are known not to be flat
    Source     Meibohm & Esposito, arXiv 2401.14980 and 2401.14982, who prove a linear relation; the slope is derived
               here

    As the slope is positive and the contraction stronger in a stable pattern, the more stable pattern dissipates less.
    """
    beta = require_autonomous(ring, beta)
    require_flat(ring)

    def rates(energy_change: Array) -> Array:
        return jnp.stack(ring.rates(energy_change, ring.constant_force, beta, ring.prefactor))

    first = jax.jacfwd(rates)
    second = jax.jacfwd(first)
    third = jax.jacfwd(second)
    zero = jnp.zeros_like(beta)
    d1, d2, d3 = first(zero), second(zero), third(zero)
    u, q = ring.coupling, ring.q
    work = u * (d2[0] - d2[1]) / (2.0 * q) - 0.5 * (d1[0] + d1[1])
    growth = u**2 * (d3[0] - d3[1]) / q - 1.5 * u * (d2[0] + d2[1])
    return beta * ring.constant_force * work / growth
