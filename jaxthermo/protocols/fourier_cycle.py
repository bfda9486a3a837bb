"""A cycle without corners: Fourier series of temperature and field."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike, VectorLike
from jaxthermo.checks import require_scalar
from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.protocols.schedules import Fourier

# Times at which the series are looked at for their bounds, and pieces that a run divides the period into.
SAMPLES, PIECES = 256, 4


class FourierCycle(AbstractCycle):
    """beta(t) and x(t) as Fourier series of one period.

    Equation   f(t) = mean + sum_n [cosines_n cos(2 pi n t/period) + sines_n sin(2 pi n t/period)], n = 1..orders

    beta_mean, x_mean         scalars: inverse temperature, 1/energy; field, energy per unit of X
    beta_cosines, beta_sines  amplitudes of beta, (orders,)
    x_cosines, x_sines        amplitudes of x, (orders,)
    period                    of both, time
    Raises                    ValueError unless the amplitudes of each are finite and of one shape; at a solve's door
                              where beta is not > 0
    """

    beta_series: Fourier
    x_series: Fourier
    period: Float[Array, ""]

    def __init__(
        self,
        beta_mean: ScalarLike,
        beta_cosines: VectorLike,
        beta_sines: VectorLike,
        x_mean: ScalarLike,
        x_cosines: VectorLike,
        x_sines: VectorLike,
        period: ScalarLike = 20.0,
    ):
        self.period = require_scalar("period", period)
        self.beta_series = Fourier(beta_mean, beta_cosines, beta_sines, self.period)
        self.x_series = Fourier(x_mean, x_cosines, x_sines, self.period)

    def beta(self, t: ScalarLike) -> Float[Array, ""]:
        """Inverse temperature at time t."""
        return self.beta_series(t)

    def x(self, t: ScalarLike) -> Float[Array, ""]:
        """Field at time t."""
        return self.x_series(t)

    def knots(self) -> Float[Array, " knots"]:
        """Quarters of the period."""
        return self.period * jnp.linspace(0.0, 1.0, PIECES + 1)

    def bounds(self) -> tuple[Float[Array, " betas"], Float[Array, " fields"]]:
        """Both series at many times."""
        times = self.period * (jnp.arange(SAMPLES, dtype=float) / SAMPLES)
        return jax.vmap(self.beta)(times), jax.vmap(self.x)(times)

    def check(self) -> None:
        """Nothing that the constructor has not checked."""
