"""The Ohmic bath: friction without memory, and quantum noise as a sum of exponentials."""

import dataclasses
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import IntLike, Real, ScalarLike
from jaxthermo.brownian.bath import (
    SCHEMES,
    AbstractBath,
    BathTerms,
    depth_of,
    expansion,
    one_of,
    order_of,
)
from jaxthermo.brownian.baths.ohmic_flows import OhmicFlows
from jaxthermo.checks import as_float, is_known, require_finite, require_scalar

THERMOSTATS = ("symmetric", "earlier")


class OhmicBath(AbstractBath):
    """Ohmic bath with counter-term, J(w) = hbar A^2 w / pi.

    Equation   C(t) = 2 A^2 T {(1 + sum 2 eta_k) delta(t) - sum eta_k nu_k exp(-nu_k |t|)},  nu_k = xi_k T / hbar

    strength     A, sqrt(mass / time); a scalar
    poles        K = 0..6
    depth        N; None: chosen for the temperatures and fields of each calculation, see `depth_for`; 0 without poles
    scheme       of the expansion of coth, "pade" or "matsubara"
    thermostat   "symmetric" or "earlier", see below
    Raises       ValueError if poles or depth are out of range, or depth = 0 with poles > 0, or scheme or thermostat is
                 unknown
    Source       Koyanagi & Tanimura 2024, Eqs. (33)-(35); Pade [K-1/K]: Hu, Luo, Jiang, Xu & Yan 2011

    `thermostat` says what a changing temperature does to the noise's memory. "symmetric": C_k(t, t') is proportional to
    T(t) T(t'), and zeta_k keeps its variance. "earlier": T(t) enters nu_k, c_k and the diffusion of the hierarchy, so
    that C_k(t, t') is proportional to T(t')^2 of the earlier time. At constant temperature they are the same. The
    second one adds a momentum diffusion (d ln T/dt) sum_k 2 A^2 hbar eta_k / xi_k, which grows like log K: works do not
    converge with K, the closed integral of U dbeta - X d(beta x) may be negative, and cooling faster than
    `fastest_cooling` is refused, since the diffusion would be negative.

    Example
        >>> import jaxthermo as jt
        >>> bath = jt.OhmicBath(0.5, poles=2)
        >>> bath.modes, bath.depth, round(float(bath.friction()), 3)
        (2, None, 0.25)
    """

    strength: Float[Array, ""]
    poles: int = eqx.field(static=True)
    depth: int | None = eqx.field(static=True)
    scheme: str = eqx.field(static=True)
    thermostat: str = eqx.field(static=True)

    def __init__(
        self,
        strength: ScalarLike,
        poles: IntLike = 2,
        depth: IntLike | None = None,
        scheme: str = "pade",
        thermostat: str = "symmetric",
    ):
        self.strength = require_scalar("strength", strength)
        self.poles = order_of("poles", poles)
        depth = depth_of(depth)
        self.depth = depth if self.poles else 0
        self.scheme = one_of("scheme", scheme, SCHEMES)
        self.thermostat = one_of("thermostat", thermostat, THERMOSTATS)
        if self.depth == 0 and self.poles > 0:
            raise ValueError(f"`depth` must be >= 1 for a bath with {self.poles} exponentials, but is 0")

    @property
    def modes(self) -> int:
        """Number of exponentials that the hierarchy carries."""
        return self.poles

    @property
    def friction_has_memory(self) -> bool:
        """No: the force is white noise and friction at each instant."""
        return False

    def friction(self) -> Float[Array, ""]:
        """Friction coefficient gamma = A^2, mass / time."""
        return self.strength**2

    def memory_heating(self, heating: Real) -> Float[Array, ""]:
        """What the memory of the noise feels of the heating, d ln T/dt in 1/time: all of it, or nothing."""
        return as_float(heating) if self.thermostat == "earlier" else jnp.zeros(())

    def fastest_cooling(self, hbar: Real) -> Float[Array, ""]:
        """The largest d beta/dt at which the diffusion stays positive: 1/(hbar sum_k 2 eta_k/xi_k), or infinity."""
        if self.thermostat == "symmetric" or self.poles == 0:
            return jnp.asarray(jnp.inf)
        return 1.0 / (as_float(hbar) * float(np.sum(self.jitter_shape() ** 2)))

    def jitter_scale(self, hbar: Real) -> Float[Array, ""]:
        """A sqrt(hbar), by which `jitter_shape` is multiplied."""
        return self.strength * jnp.sqrt(hbar)

    def jitter_shape(self) -> np.ndarray:
        """sqrt(2 eta_k / xi_k): the width of zeta_k for A = hbar = 1. It does not depend on the temperature."""
        xi, eta = expansion(self.scheme, self.poles)
        return np.sqrt(2.0 * eta / xi)

    def terms(self, t: Real, temperature: Real, hbar: Real, heating: Real = 0.0) -> BathTerms:
        """Coefficients at one temperature and its logarithmic rate of change, heating = d ln T/dt.

        Exponential noise with the delta function that belongs to it, 2 eta_k delta(t) - eta_k nu_k exp(-nu_k |t|), is
        the derivative of an Ornstein-Uhlenbeck process zeta_k of variance 2 A^2 hbar eta_k / xi_k. It is carried as a
        part of the momentum, so that only the classical white noise is left: no stiff diffusion to be cancelled.
        """
        xi, _ = expansion(self.scheme, self.poles)
        return BathTerms(
            decay=jnp.asarray(xi) * temperature / hbar,
            jitter=self.jitter_scale(hbar) * jnp.asarray(self.jitter_shape()),
            push=jnp.zeros(self.poles),
            friction=self.friction(),
            diffusion=self.friction() * temperature,
            spring=jnp.zeros(()),
            heating=self.memory_heating(heating),
        )

    def noises(self, beta: Real, hbar: Real) -> tuple[Float[Array, " noises"], Float[Array, " noises"]]:
        """Widths and rates of the zeta_k."""
        terms = self.terms(0.0, 1.0 / as_float(beta), hbar)
        return terms.jitter, terms.decay

    def variances(self, mass: float, hbar: float, squared_frequency: float, beta: float) -> tuple[float, float]:
        """From the closed moment equations of the harmonic oscillator.

        Equation   with N = w^2 + nu g + nu^2, g = gamma/m: <q^2> = T/(m w^2) [1 + sum 2 eta w^2/N], <p^2> = m T [1 +
                   sum 2 eta (w^2 + nu g)/N], <(p - zeta) zeta> = -D (w^2 + nu g)/N, D = 2 gamma hbar eta/xi
        """
        alone = canonical_variance(hbar, squared_frequency, beta)
        rate = float(self.friction()) / mass
        coupled = ohmic_variances(self.scheme, self.poles, rate, hbar, squared_frequency, beta)
        return coupled[0] / alone, coupled[1] / alone

    def missing_noise(self, mass: float, hbar: float, squared_frequency: float, beta: float) -> float:
        """By which share <p^2> of a harmonic oscillator would change with twice as many poles.

        Equation   <p^2> = m T [1 + sum 2 eta (w^2 + nu g)/(w^2 + nu g + nu^2)], g = gamma/m
        """
        rate = float(np.max(self.friction())) / mass

        def momentum(poles: int) -> float:
            xi, eta = expansion(self.scheme, poles)
            nu = xi / (beta * hbar)
            driven = squared_frequency + nu * rate
            return float(1.0 + np.sum(2.0 * eta * driven / (driven + nu**2)))

        return abs(momentum(2 * self.poles) / momentum(self.poles) - 1.0)

    def with_depth(self, depth: int) -> "OhmicBath":
        """The same bath with another depth of the hierarchy."""
        return dataclasses.replace(self, depth=depth)

    def flows(self) -> OhmicFlows:
        """Shifts along characteristics where zeta is diagonal, and factors."""
        return OhmicFlows()

    def own_betas(self) -> np.ndarray:
        """None: the bath follows the schedule."""
        return np.zeros(0)

    def check(self) -> None:
        """Raise a ValueError unless A is finite."""
        require_finite("strength", self.strength)

    def check_drive(self, mass: Real, hbar: Real, times: Real, betas: Real) -> None:
        """ValueError where beta(t) rises so fast that the "earlier" thermostat's diffusion is negative."""
        if self.thermostat == "symmetric" or not is_known(times, betas, hbar, self.strength) or np.size(times) < 2:
            return
        limit = self.fastest_cooling(hbar)
        fastest = float(np.max(np.diff(np.asarray(betas)) / np.diff(np.asarray(times))))
        if fastest > float(limit):
            raise ValueError(
                f"`thermostat` must be 'symmetric' where d beta/dt is > {float(limit):.3g}, but it is 'earlier' and "
                f"d beta/dt reaches {fastest:.3g}: the diffusion would be negative"
            )


def canonical_variance(hbar: float, squared_frequency: float, beta: float) -> float:
    """<q^2> m w^2/T = <p^2>/(m T) of a harmonic oscillator alone: (beta hbar w/2) coth(beta hbar w/2)."""
    half = 0.5 * beta * hbar * math.sqrt(squared_frequency)
    return half / math.tanh(half)


def ohmic_variances(
    scheme: str, poles: int, rate: float, hbar: float, squared_frequency: float, beta: float
) -> tuple[float, float]:
    """<q^2> m w^2/T and <(p - zeta)^2>/(m T) of a harmonic oscillator with friction m `rate`."""
    xi, eta = expansion(scheme, poles)
    nu = xi / (beta * hbar)
    size = squared_frequency + nu * rate + nu**2
    driven = (squared_frequency + nu * rate) / size
    width = 2.0 * rate * hbar * beta * eta / xi  # D / (m T)
    position = 1.0 + np.sum(2.0 * eta * squared_frequency / size)
    return float(position), float(1.0 + np.sum(2.0 * eta * driven + width * (2.0 * driven - 1.0)))
