"""A cycle made of any two periodic functions of time."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike, ScheduleLike, VectorLike
from jaxthermo.checks import as_float, is_known, require_finite, require_positive, require_scalar
from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.protocols.schedules import Schedule, as_schedule, value_at

# Times at which the functions are looked at for their bounds, and pieces that a run divides the period into.
SAMPLES, PIECES = 256, 4
# By how much of its span a function may miss its first value at the end of the period: rounding errors.
CLOSED = 1e-9


class PeriodicCycle(AbstractCycle):
    """beta(t) and x(t) on 0 <= t <= period, repeated.

    beta, x      inverse temperature, 1/energy, and field, energy per unit of X: numbers, schedules such as `jt.Table`,
                 or callables of t (jax.numpy inside); each must end where it began
    period       time; a scalar
    corners      times inside the period, (corners,), increasing, at which beta or x has a corner; None: quarters of the
                 period, which is enough for smooth functions
    Raises       ValueError if the corners do not increase inside the period; at a solve's door where beta is not > 0,
                 or a function does not come back

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> cycle = jt.PeriodicCycle(1.0, lambda t: jnp.minimum(t, 8.0 - t), period=8.0, corners=[4.0])
        >>> float(cycle.x(6.0)), float(cycle.x(9.0))
        (2.0, 1.0)
    """

    beta_schedule: Schedule
    x_schedule: Schedule
    period: Float[Array, ""]
    inner: Float[Array, " corners"] | None

    def __init__(
        self, beta: ScheduleLike, x: ScheduleLike, period: ScalarLike = 20.0, corners: VectorLike | None = None
    ):
        self.beta_schedule, self.x_schedule = as_schedule("beta", beta), as_schedule("x", x)
        self.period = require_scalar("period", period)
        self.inner = None if corners is None else as_float(corners)
        if self.inner is None:
            return
        if self.inner.ndim != 1:
            raise ValueError(f"`corners` must have shape (corners,), but has shape {self.inner.shape}")
        if is_known(self.inner, self.period):
            ends = np.concatenate([[0.0], np.asarray(self.inner), [float(self.period)]])
            if not np.all(np.diff(ends) > 0.0):
                raise ValueError(f"`corners` must increase between 0 and {float(self.period)}, but are {ends[1:-1]}")

    def beta(self, t: ScalarLike) -> Float[Array, ""]:
        """Inverse temperature at time t."""
        return value_at(self.beta_schedule, as_float(t) % self.period)

    def x(self, t: ScalarLike) -> Float[Array, ""]:
        """Field at time t."""
        return value_at(self.x_schedule, as_float(t) % self.period)

    def knots(self) -> Float[Array, " knots"]:
        """The corners between 0 and the period."""
        if self.inner is None:
            return self.period * jnp.linspace(0.0, 1.0, PIECES + 1)
        return jnp.concatenate([jnp.zeros(1), self.inner, self.period[None]])

    def bounds(self) -> tuple[Float[Array, " betas"], Float[Array, " fields"]]:
        """Both functions at many times, the corners among them."""
        times = jnp.concatenate([self.period * (jnp.arange(SAMPLES, dtype=float) / SAMPLES), self.knots()])
        return jax.vmap(self.beta)(times), jax.vmap(self.x)(times)

    def check(self) -> None:
        """Raise a ValueError unless the period is positive, and both functions end where they began."""
        require_positive("period", self.period)
        for name, schedule, values in zip(
            ("beta", "x"), (self.beta_schedule, self.x_schedule), self.bounds(), strict=True
        ):
            require_finite(name, values)
            first, last = value_at(schedule, jnp.zeros(())), value_at(schedule, self.period)
            if not is_known(first, last, values):
                continue
            scale = float(jnp.max(jnp.abs(values)))
            if abs(float(last - first)) > CLOSED * scale:
                raise ValueError(f"`{name}` must end where it began, but goes from {float(first)} to {float(last)}")
