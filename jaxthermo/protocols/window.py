"""A window through which a bath is coupled for a part of each period."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike
from jaxthermo.checks import as_float
from jaxthermo.protocols.schedules import AbstractSchedule


class Window(AbstractSchedule):
    """0 outside [begin, end], 1 inside, and a smooth step over `rise` at both ends; repeated with the period.

    Equation   xi(t) = s(min(t - begin, end - t)/rise), s(u) = 3 u^2 - 2 u^3 on [0, 1]
    Shapes     begin, end, rise, period: scalars, time; 0 <= begin < end <= period, rise <= (end - begin)/2
    """

    begin: Float[Array, ""]
    end: Float[Array, ""]
    rise: Float[Array, ""]
    period: Float[Array, ""]

    def __call__(self, t: ScalarLike) -> Float[Array, ""]:
        """The opening at time t."""
        phase = as_float(t) % self.period
        return smooth_step(jnp.minimum(phase - self.begin, self.end - phase) / self.rise)


def smooth_step(share: Float[Array, "..."]) -> Float[Array, "..."]:
    """3 u^2 - 2 u^3 on [0, 1], 0 before and 1 after: without corners in its slope."""
    u = jnp.clip(share, 0.0, 1.0)
    return u * u * (3.0 - 2.0 * u)
