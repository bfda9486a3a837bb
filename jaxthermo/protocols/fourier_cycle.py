"""A cycle without corners: Fourier series of temperature and field."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike, VectorLike
from jaxthermo.checks import as_float, is_known, require_numbers, require_scalar
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
    beta_limits, x_limits     None, or (low, high), between which the function is held: the series f becomes
                              m + h tanh((f - m)/h), with their mean m and half their distance h
    Raises                    ValueError unless the amplitudes of each are finite and of one shape, and limits increase;
                              at a solve's door where beta is not > 0

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.FourierCycle(1.0, [0.2], [0.0], 0.5, [0.0], [0.3], period=8.0)
        >>> round(float(cycle.beta(4.0)), 12), round(float(cycle.x(2.0)), 12)
        (0.8, 0.8)
    """

    beta_series: Fourier
    x_series: Fourier
    period: Float[Array, ""]
    beta_limits: Float[Array, "2"] | None
    x_limits: Float[Array, "2"] | None

    def __init__(
        self,
        beta_mean: ScalarLike,
        beta_cosines: VectorLike,
        beta_sines: VectorLike,
        x_mean: ScalarLike,
        x_cosines: VectorLike,
        x_sines: VectorLike,
        period: ScalarLike = 20.0,
        beta_limits: VectorLike | None = None,
        x_limits: VectorLike | None = None,
    ):
        self.period = require_scalar("period", period)
        # Series of the phase, so that the period is one number, which a search may change.
        self.beta_series = Fourier(beta_mean, beta_cosines, beta_sines, 1.0)
        self.x_series = Fourier(x_mean, x_cosines, x_sines, 1.0)
        self.beta_limits, self.x_limits = _limits("beta_limits", beta_limits), _limits("x_limits", x_limits)

    def beta(self, t: ScalarLike) -> Float[Array, ""]:
        """Inverse temperature at time t."""
        return _held(self.beta_series(as_float(t) / self.period), self.beta_limits)

    def x(self, t: ScalarLike) -> Float[Array, ""]:
        """Field at time t."""
        return _held(self.x_series(as_float(t) / self.period), self.x_limits)

    def knots(self) -> Float[Array, " knots"]:
        """Quarters of the period."""
        return self.period * jnp.linspace(0.0, 1.0, PIECES + 1)

    def bounds(self) -> tuple[Float[Array, " betas"], Float[Array, " fields"]]:
        """Both series at many times."""
        times = self.period * (jnp.arange(SAMPLES, dtype=float) / SAMPLES)
        return jax.vmap(self.beta)(times), jax.vmap(self.x)(times)

    def check(self) -> None:
        """Nothing that the constructor has not checked."""


def _limits(name: str, pair: VectorLike | None) -> Float[Array, "2"] | None:
    if pair is None:
        return None
    found = require_numbers(name, pair)
    if found.shape != (2,):
        raise ValueError(f"`{name}` must be (low, high), but has shape {found.shape}")
    if is_known(found) and not float(found[0]) < float(found[1]):
        raise ValueError(f"`{name}` must be (low, high), low < high, but is {found.tolist()}")
    return found


def _held(value: Float[Array, ""], limits: Float[Array, "2"] | None) -> Float[Array, ""]:
    """The value, taken smoothly to between its limits."""
    if limits is None:
        return value
    middle, half = 0.5 * (limits[0] + limits[1]), 0.5 * (limits[1] - limits[0])
    return middle + half * jnp.tanh((value - middle) / half)
