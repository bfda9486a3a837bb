"""The Ohmic bath behind a Drude cutoff: its force as one relaxing variable, driven by the Ohmic bath's noises."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.brownian.bath import SCHEMES, BathTerms, expansion, one_of, order_of, require_depth
from jaxthermo.checks import require_scalar


class DrudeBath(eqx.Module):
    """Ohmic bath with a Drude cutoff, J(w) = (hbar A^2 w / pi) w_D^2 / (w_D^2 + w^2), and counter-term.

    Equation   the force F of the bath obeys F' = -w_D (F - F_Ohm), F_Ohm = -A^2 p/m + sqrt(2 A^2 T) xi + sum_k zeta_k',
               with xi white, zeta_k Ornstein-Uhlenbeck of rate nu_k = xi_k T/hbar and variance j_k^2 = 2 A^2 hbar
               eta_k/xi_k. So its friction has the memory A^2 w_D exp(-w_D t), and its correlation the spectrum
               A^2 hbar w coth(hbar w/2T) w_D^2/(w_D^2 + w^2), with coth in K poles
    Shapes     as `OhmicBath`; the hierarchy has 1 + K modes, the first is the cutoff's
    Units      cutoff w_D: 1 / time
    Raises     as `OhmicBath`
    Source     the spectrum: Tanimura 2015, J. Chem. Phys. 142, 144110; the members are our own choice, see below

    The members are the coefficients in Hermite functions of the normal stationary distribution of the bath left alone,
        F = sqrt(v) b_0 + sum_k w_D nu_k/(w_D + nu_k) j_k b_k,    v = A^2 w_D [T + sum_k (hbar/xi_k) 2 eta_k nu_k w_D^2
        /(w_D + nu_k)^2],
    with b_0 .. b_K independent of variance 1. The exponentials of the correlation function are not used, so that w_D =
    nu_k is a point like any other. Momentum fluctuations stay finite as K grows.

    A changing temperature T(t) sets the strength of the white noise and the rates nu_k, at each time; the variances of
    the zeta_k and the filter rest. For w_D -> infinity this is `OhmicBath` with `thermostat="symmetric"`.
    """

    strength: Float[Array, ""]
    cutoff: Float[Array, ""]
    poles: int = eqx.field(static=True)
    depth: int = eqx.field(static=True)
    scheme: str = eqx.field(static=True)

    def __init__(self, strength: Any, cutoff: Any, poles: Any = 2, depth: Any = 6, scheme: Any = "pade"):
        self.strength = require_scalar("strength", strength)
        self.cutoff = require_scalar("cutoff", cutoff)
        self.poles, self.depth = order_of("poles", poles), order_of("depth", depth)
        self.scheme = one_of("scheme", scheme, SCHEMES)
        require_depth(self.poles + 1, self.depth)

    @property
    def modes(self) -> int:
        """Number of variables of the bath that the hierarchy carries."""
        return 1 + self.poles

    def friction(self) -> Float[Array, ""]:
        """Zero-frequency friction coefficient gamma = A^2, mass / time."""
        return self.strength**2

    def width(self, temperature: Any, hbar: Any) -> Float[Array, ""]:
        """sqrt(v)/A: what the force has beside the part that goes with the zeta_k."""
        _, _, variance = self._noises(temperature, hbar)
        return jnp.sqrt(variance)

    def shares(self, temperature: Any, hbar: Any) -> Float[Array, " poles"]:
        """Coefficients of b_k in F - w_D zeta, over A: -w_D^2/(w_D + nu_k) j_k/A."""
        nu, jitter, _ = self._noises(temperature, hbar)
        return -(self.cutoff**2) / (self.cutoff + nu) * jitter

    def slowness(self, temperature: Any, hbar: Any, mass: Any) -> Float[Array, ""]:
        """A^2 T/(m v), about A^2/(m w_D): how much faster force and momentum turn into each other than force decays."""
        return temperature / (mass * self.width(temperature, hbar) ** 2) * self.friction()

    def terms(self, t: Any, temperature: Any, hbar: Any, heating: Any = 0.0) -> BathTerms:
        """Coefficients at one temperature and its logarithmic rate of change, heating = d ln T/dt.

        `stretch` keeps the state while the Hermite functions follow the temperature.
        """
        nu, jitter, variance = self._noises(temperature, hbar)
        cutoff, root = self.cutoff, jnp.sqrt(variance)
        sum_of_rates = cutoff + nu
        # Of ln sqrt(v) and of the shares, with respect to ln T.
        swelling = 0.5 * cutoff / variance
        swelling = swelling * (temperature + jnp.sum(jitter**2 * cutoff**2 * nu * (cutoff - nu) / sum_of_rates**3))
        shifting = cutoff**2 * nu / sum_of_rates**2 * jitter / root
        none, zero = jnp.zeros(self.modes), jnp.zeros(())
        return BathTerms(
            decay=_joined(cutoff, nu),
            jitter=none,
            push=none,
            force=self.strength * _joined(root, cutoff * nu / sum_of_rates * jitter),
            feed=_joined(zero, 2.0 * cutoff**2 * nu / sum_of_rates * jitter / root),
            stretch=heating * _joined(swelling, shifting),
            drag=self.strength * cutoff / root,
            friction=zero,
            diffusion=zero,
            spring=zero,
            heating=zero,
        )

    def _noises(self, temperature: Any, hbar: Any) -> tuple[Array, Array, Array]:
        """nu_k, and j_k/A and v/A^2: one power of A is taken out of everything, so that A = 0 is no exception."""
        xi, eta = expansion(self.scheme, self.poles)
        nu = jnp.asarray(xi) * temperature / hbar
        jitter = jnp.sqrt(2.0 * hbar * jnp.asarray(eta / xi))
        cutoff = self.cutoff
        return nu, jitter, cutoff * (temperature + jnp.sum(jitter**2 * cutoff**2 * nu / (cutoff + nu) ** 2))


def _joined(of_cutoff: Array, of_poles: Array) -> Float[Array, " modes"]:
    return jnp.concatenate([jnp.reshape(of_cutoff, (1,)), of_poles])
