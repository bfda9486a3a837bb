"""The Ohmic bath behind a Drude cutoff: its force as one relaxing variable, driven by the Ohmic bath's noises."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import IntLike, Real, ScalarLike
from jaxthermo.brownian.bath import (
    SCHEMES,
    AbstractBath,
    BathTerms,
    MemoryTerms,
    depth_of,
    expansion,
    one_of,
    order_of,
)
from jaxthermo.brownian.baths.drude_flows import DrudeFlows
from jaxthermo.brownian.baths.ohmic import canonical_variance
from jaxthermo.checks import as_float, is_known, require_finite, require_positive, require_scalar

# Smallest cutoff, in units of A^2/m, at which an oscillator may be driven.
SLOWEST = 4.0


class DrudeBath(AbstractBath):
    """Ohmic bath with a Drude cutoff, J(w) = (hbar A^2 w / pi) w_D^2 / (w_D^2 + w^2), and counter-term.

    Equation   the force F of the bath obeys F' = -w_D (F - F_Ohm), F_Ohm = -A^2 p/m + sqrt(2 A^2 T) xi + sum_k zeta_k',
               with xi white, zeta_k Ornstein-Uhlenbeck of rate nu_k = xi_k T/hbar and variance j_k^2 = 2 A^2 hbar
               eta_k/xi_k. So its friction has the memory A^2 w_D exp(-w_D t), and its correlation the spectrum
               A^2 hbar w coth(hbar w/2T) w_D^2/(w_D^2 + w^2), with coth in K poles

    strength   A, sqrt(mass / time); a scalar
    cutoff     w_D, 1/time; a scalar
    poles, depth, scheme
               as `OhmicBath`; the hierarchy has 1 + K modes, the first is the cutoff's
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

    Example
        >>> import jaxthermo as jt
        >>> bath = jt.DrudeBath(0.5, cutoff=10.0, poles=1, depth=3)
        >>> bath.modes
        2
    """

    strength: Float[Array, ""]
    cutoff: Float[Array, ""]
    poles: int = eqx.field(static=True)
    depth: int | None = eqx.field(static=True)
    scheme: str = eqx.field(static=True)

    def __init__(
        self,
        strength: ScalarLike,
        cutoff: ScalarLike,
        poles: IntLike = 2,
        depth: IntLike | None = None,
        scheme: str = "pade",
    ):
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

    @property
    def friction_has_memory(self) -> bool:
        """Yes: the force is -w_D (chi - zeta)."""
        return True

    def friction(self) -> Float[Array, ""]:
        """Zero-frequency friction coefficient gamma = A^2, mass / time."""
        return self.strength**2

    def width(self, temperature: Real, hbar: Real) -> Float[Array, ""]:
        """sigma/A."""
        return self._noises(temperature, hbar)[2]

    def shares(self, temperature: Real, hbar: Real) -> Float[Array, " poles"]:
        """Coefficients of b_k in chi, over A."""
        nu, jitter, _ = self._noises(temperature, hbar)
        return self.cutoff / (self.cutoff + nu) * jitter

    def terms(self, t: Real, temperature: Real, hbar: Real, heating: Real = 0.0) -> BathTerms:
        """Coefficients at one temperature and its logarithmic rate of change, heating = d ln T/dt.

        `stretch` keeps the state while the Hermite functions follow the temperature.
        """
        nu, jitter, width = self._noises(temperature, hbar)
        cutoff, none, zero = self.cutoff, jnp.zeros(self.modes), jnp.zeros(())
        rates = jnp.asarray(cutoff + nu)
        # Of ln sigma and of the shares, with respect to ln T.
        swelling = temperature / cutoff + jnp.sum(jitter**2 * cutoff * nu * (cutoff - nu) / rates**3)
        shifting = -cutoff * nu / rates**2 * jitter
        return BathTerms(
            decay=_joined(cutoff, nu),
            jitter=self.strength * _joined(width, cutoff / rates * jitter),
            push=none,
            friction=self.friction(),
            diffusion=self.friction() * temperature,
            spring=zero,
            heating=zero,
            memory=MemoryTerms(
                force=self.strength * cutoff * _joined(-width, nu / rates * jitter),
                drag=none.at[0].set(self.strength / width),
                cross=none.at[0].set(2.0 * self.strength * temperature / width),
                feed=_first_row(_joined(zero, -2.0 * cutoff * nu / rates * jitter / width)),
                stretch=_first_row(heating * _joined(0.5 * swelling / width**2, shifting / width)),
            ),
        )

    def noises(self, beta: Real, hbar: Real) -> tuple[Float[Array, " noises"], Float[Array, " noises"]]:
        """Widths and rates of the variables b_k in chi."""
        terms = self.terms(0.0, 1.0 / as_float(beta), hbar)
        return terms.jitter, terms.decay

    def variances(self, mass: float, hbar: float, squared_frequency: float, beta: float) -> tuple[float, float]:
        """From the stationary covariance of q, p - chi, chi and the zeta_k."""
        from scipy.linalg import solve_continuous_lyapunov

        friction, cutoff = float(self.friction()), float(self.cutoff)
        xi, eta = expansion(self.scheme, self.poles)
        nu, zetas = xi / (beta * hbar), 3 + np.arange(self.poles)
        drift = np.diag([0.0, -friction / mass, friction / mass - cutoff, *-nu])
        drift[0, 1] = drift[0, 2] = 1.0 / mass
        drift[1, 0], drift[1, 2] = -mass * squared_frequency, -friction / mass
        drift[2, 1], drift[2, zetas] = friction / mass, cutoff
        noise = np.diag([0.0, 0.0, 0.0, *(4.0 * nu * friction * hbar * eta / xi)])
        noise[1:3, 1:3] = 2.0 * friction / beta * np.array([[1.0, -1.0], [-1.0, 1.0]])
        spread = solve_continuous_lyapunov(drift, -noise)
        alone = canonical_variance(hbar, squared_frequency, beta)
        coupled = float(spread[0, 0]) * beta * mass * squared_frequency, float(spread[1, 1]) * beta / mass
        return coupled[0] / alone, coupled[1] / alone

    def with_depth(self, depth: int) -> "DrudeBath":
        """The same bath with another depth of the hierarchy."""
        return dataclasses.replace(self, depth=depth)

    def flows(self) -> DrudeFlows:
        """Shifts along characteristics where chi is diagonal, and small matrices."""
        return DrudeFlows()

    def own_betas(self) -> np.ndarray:
        """None: the bath follows the schedule."""
        return np.zeros(0)

    def check(self) -> None:
        """Raise a ValueError that names the first impossible parameter."""
        require_finite("strength", self.strength)
        require_positive("cutoff", self.cutoff)

    def check_drive(self, mass: Real, hbar: Real, times: Real, betas: Real) -> None:
        """ValueError where the truncated hierarchy may grow at large momenta as it is driven.

        The friction that moves chi by (A^2/m) p is unbounded in p, and only the cutoff's decay of chi holds it in a
        hierarchy of finite depth. Found by propagating noise with m = hbar = 1, in a parabola and in a quartic: from
        w_D = 4 A^2/m on it did not grow, on grids of 8.5 and of 11 widths; at 2 A^2/m it did in the quartic and on the
        wide grid.
        """
        limit = SLOWEST * self.friction() / mass
        if is_known(limit, self.cutoff) and float(self.cutoff) < float(limit):
            raise ValueError(
                f"`cutoff` must be >= {SLOWEST:g} A^2/m = {float(limit):.3g} for the oscillator to be driven, "
                f"but is {float(self.cutoff):.3g}; jt.equilibrium takes any"
            )

    def _noises(self, temperature: Real, hbar: Real) -> tuple[Array, Array, Array]:
        """nu_k, j_k/A and sigma/A: one power of A is taken out of everything, so that A = 0 is no exception."""
        xi, eta = expansion(self.scheme, self.poles)
        nu = jnp.asarray(xi) * temperature / hbar
        jitter = jnp.sqrt(2.0 * hbar * jnp.asarray(eta / xi))
        cutoff = self.cutoff
        variance = temperature / cutoff + jnp.sum(jitter**2 * cutoff * nu / (cutoff + nu) ** 2)
        return nu, jitter, jnp.sqrt(variance)


def _first_row(row: Array | np.ndarray) -> Float[Array, "modes modes"]:
    return jnp.zeros((row.shape[0], row.shape[0])).at[0].set(row)


def _joined(of_cutoff: Array | np.ndarray, of_poles: Array | np.ndarray) -> Float[Array, " modes"]:
    return jnp.concatenate([jnp.reshape(of_cutoff, (1,)), jnp.asarray(of_poles)])
