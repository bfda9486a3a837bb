"""The Ohmic bath behind a Drude cutoff: its force as one relaxing variable, driven by the Ohmic bath's noises."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.brownian.bath import SCHEMES, BathTerms, depth_of, expansion, one_of, order_of
from jaxthermo.checks import require_scalar


class DrudeBath(eqx.Module):
    """Ohmic bath with a Drude cutoff, J(w) = (hbar A^2 w / pi) w_D^2 / (w_D^2 + w^2), and counter-term.

    Equation   the force F of the bath obeys F' = -w_D (F - F_Ohm), F_Ohm = -A^2 p/m + sqrt(2 A^2 T) xi + sum_k zeta_k',
               with xi white, zeta_k Ornstein-Uhlenbeck of rate nu_k = xi_k T/hbar and variance j_k^2 = 2 A^2 hbar
               eta_k/xi_k. So its friction has the memory A^2 w_D exp(-w_D t), and its correlation the spectrum
               A^2 hbar w coth(hbar w/2T) w_D^2/(w_D^2 + w^2), with coth in K poles
    Shapes     as `OhmicBath`; the hierarchy has 1 + K modes, the first is the cutoff's
    Units      cutoff w_D: 1 / time
    Raises     as `OhmicBath`, and if depth < 2, at which second moments do not close
    Source     the spectrum: Tanimura 2015, J. Chem. Phys. 142, 144110; the members are our own choice, see below

    The force is carried as chi = -(F - w_D zeta)/w_D, and the momentum is measured from it, p - chi, which feels the
    friction and the white noise of the Ohmic bath. The members are the coefficients in Hermite functions of the normal
    stationary distribution of the bath left alone,
        chi = sigma b_0 + sum_k w_D/(w_D + nu_k) j_k b_k,    zeta_k = j_k b_k,    sigma^2 = A^2 T/w_D + sum_k j_k^2 w_D
        nu_k/(w_D + nu_k)^2,
    with b_0 .. b_K independent of variance 1. The exponentials of the correlation function are not used, so that w_D =
    nu_k is a point like any other. Momentum fluctuations stay finite as K grows. For w_D -> infinity chi is zeta, and
    this is `OhmicBath` with `thermostat="symmetric"`.

    A changing temperature T(t) sets the strength of the white noise and the rates nu_k, at each time; the variances of
    the zeta_k and the filter rest.
    """

    strength: Float[Array, ""]
    cutoff: Float[Array, ""]
    poles: int = eqx.field(static=True)
    depth: int | None = eqx.field(static=True)
    scheme: str = eqx.field(static=True)

    def __init__(self, strength: Any, cutoff: Any, poles: Any = 2, depth: Any = None, scheme: Any = "pade"):
        self.strength = require_scalar("strength", strength)
        self.cutoff = require_scalar("cutoff", cutoff)
        self.poles, self.depth = order_of("poles", poles), depth_of(depth)
        self.scheme = one_of("scheme", scheme, SCHEMES)
        if self.depth is not None and self.depth < 2:
            raise ValueError(f"`depth` must be >= 2 for a bath with a cutoff, but is {self.depth}")

    @property
    def modes(self) -> int:
        """Number of variables of the bath that the hierarchy carries."""
        return 1 + self.poles

    def friction(self) -> Float[Array, ""]:
        """Zero-frequency friction coefficient gamma = A^2, mass / time."""
        return self.strength**2

    def width(self, temperature: Any, hbar: Any) -> Float[Array, ""]:
        """sigma/A."""
        return self._noises(temperature, hbar)[2]

    def shares(self, temperature: Any, hbar: Any) -> Float[Array, " poles"]:
        """Coefficients of b_k in chi, over A."""
        nu, jitter, _ = self._noises(temperature, hbar)
        return self.cutoff / (self.cutoff + nu) * jitter

    def terms(self, t: Any, temperature: Any, hbar: Any, heating: Any = 0.0) -> BathTerms:
        """Coefficients at one temperature and its logarithmic rate of change, heating = d ln T/dt.

        `stretch` keeps the state while the Hermite functions follow the temperature.
        """
        nu, jitter, width = self._noises(temperature, hbar)
        cutoff, none, zero = self.cutoff, jnp.zeros(self.modes), jnp.zeros(())
        rates = cutoff + nu
        # Of ln sigma and of the shares, with respect to ln T.
        swelling = temperature / cutoff + jnp.sum(jitter**2 * cutoff * nu * (cutoff - nu) / rates**3)
        shifting = -cutoff * nu / rates**2 * jitter
        return BathTerms(
            decay=_joined(cutoff, nu),
            jitter=self.strength * _joined(width, cutoff / rates * jitter),
            push=none,
            force=self.strength * cutoff * _joined(-width, nu / rates * jitter),
            feed=_joined(zero, -2.0 * cutoff * nu / rates * jitter / width),
            stretch=heating * _joined(0.5 * swelling / width**2, shifting / width),
            drag=self.strength / width,
            cross=2.0 * self.strength * temperature / width,
            friction=self.friction(),
            diffusion=self.friction() * temperature,
            spring=zero,
            heating=zero,
        )

    def _noises(self, temperature: Any, hbar: Any) -> tuple[Array, Array, Array]:
        """nu_k, j_k/A and sigma/A: one power of A is taken out of everything, so that A = 0 is no exception."""
        xi, eta = expansion(self.scheme, self.poles)
        nu = jnp.asarray(xi) * temperature / hbar
        jitter = jnp.sqrt(2.0 * hbar * jnp.asarray(eta / xi))
        cutoff = self.cutoff
        variance = temperature / cutoff + jnp.sum(jitter**2 * cutoff * nu / (cutoff + nu) ** 2)
        return nu, jitter, jnp.sqrt(variance)


def _joined(of_cutoff: Array, of_poles: Array) -> Float[Array, " modes"]:
    return jnp.concatenate([jnp.reshape(of_cutoff, (1,)), of_poles])
