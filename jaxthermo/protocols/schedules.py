"""Schedules: numbers, callables of time, and classes with their numbers as arrays.

Another one of the same form runs in the same compiled program.
"""

from abc import abstractmethod
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxthermo._parameters import Parameters
from jaxthermo._types import Function, ScalarLike, ScheduleLike, VectorLike
from jaxthermo.checks import as_float, is_known, require_finite, require_numbers, require_positive, require_scalar
from jaxthermo.protocols.formula import scalar_formula


class AbstractSchedule(Parameters):
    """A scalar function of time that a temperature or a field follows."""

    @abstractmethod
    def __call__(self, t: ScalarLike) -> Float[Array, ""]:
        """The value at time t, a number."""


class Constant(AbstractSchedule):
    """f(t) = value.

    Raises     ValueError unless `value` is a finite scalar

    Example
        >>> import jaxthermo as jt
        >>> float(jt.Constant(2.0)(0.3))
        2.0
    """

    value: Float[Array, ""]

    def __init__(self, value: ScalarLike):
        self.value = _finite("value", value)

    def __call__(self, t: ScalarLike) -> Float[Array, ""]:
        return self.value


class Ramp(AbstractSchedule):
    """A straight line between two constant values.

    Equation   f(t) = start + (end - start) clip[(t - t0)/(t1 - t0), 0, 1]
    Shapes     start, end, t0, t1: scalars
    Raises     ValueError unless all are finite and t0 < t1

    Example
        >>> import jaxthermo as jt
        >>> float(jt.Ramp(0.5, 1.0, 0.0, 10.0)(5.0))
        0.75
    """

    start: Float[Array, ""]
    end: Float[Array, ""]
    t0: Float[Array, ""]
    t1: Float[Array, ""]

    def __init__(self, start: ScalarLike, end: ScalarLike, t0: ScalarLike, t1: ScalarLike):
        self.start, self.end = _finite("start", start), _finite("end", end)
        self.t0, self.t1 = _finite("t0", t0), _finite("t1", t1)
        if is_known(self.t0, self.t1) and not float(self.t0) < float(self.t1):
            raise ValueError(f"`t1` must be > t0 = {float(self.t0)}, but is {float(self.t1)}")

    def __call__(self, t: ScalarLike) -> Float[Array, ""]:
        share = jnp.clip((as_float(t) - self.t0) / (self.t1 - self.t0), 0.0, 1.0)
        return self.start + (self.end - self.start) * share


class Table(AbstractSchedule):
    """Straight lines between the points of a table, constant before the first and after the last.

    Shapes     times, values: (points,), points >= 2, times strictly increasing
    Raises     ValueError that names what has another shape, is not finite or does not increase

    Its derivative jumps at the times of the table, so pass those inside the range to `jt.drive` as saved times.

    Example
        >>> import jaxthermo as jt
        >>> float(jt.Table([0.0, 1.0, 3.0], [0.0, 2.0, 0.0])(2.0))
        1.0
    """

    times: Float[Array, " points"]
    values: Float[Array, " points"]

    def __init__(self, times: VectorLike, values: VectorLike):
        self.times, self.values = require_numbers("times", times), require_numbers("values", values)
        if self.times.ndim != 1 or self.times.shape[0] < 2:
            raise ValueError(f"`times` must have shape (points,), points >= 2, but has shape {self.times.shape}")
        if self.values.shape != self.times.shape:
            raise ValueError(f"`values` must have the shape {self.times.shape} of times, but has {self.values.shape}")
        require_finite("times", self.times)
        require_finite("values", self.values)
        if is_known(self.times) and not np.all(np.diff(np.asarray(self.times)) > 0):
            raise ValueError(f"`times` must be strictly increasing, but is {np.asarray(self.times)}")

    def __call__(self, t: ScalarLike) -> Float[Array, ""]:
        return jnp.interp(as_float(t), self.times, self.values)


class Fourier(AbstractSchedule):
    """A Fourier series.

    Equation   f(t) = mean + sum_n [cosines_n cos(2 pi n t/period) + sines_n sin(2 pi n t/period)], n = 1..orders
    Shapes     mean, period: scalars; cosines, sines: (orders,)
    Raises     ValueError unless all are finite, period > 0 and both amplitudes have one shape
    """

    mean: Float[Array, ""]
    cosines: Float[Array, " orders"]
    sines: Float[Array, " orders"]
    period: Float[Array, ""]

    def __init__(self, mean: ScalarLike, cosines: VectorLike, sines: VectorLike, period: ScalarLike):
        self.mean, self.period = _finite("mean", mean), require_scalar("period", period)
        require_positive("period", self.period)
        self.cosines, self.sines = as_float(cosines), as_float(sines)
        if self.cosines.ndim != 1:
            raise ValueError(f"`cosines` must have shape (orders,), but has shape {self.cosines.shape}")
        if self.sines.shape != self.cosines.shape:
            raise ValueError(f"`sines` must have the shape {self.cosines.shape} of cosines, but has {self.sines.shape}")
        require_finite("cosines", self.cosines)
        require_finite("sines", self.sines)

    def __call__(self, t: ScalarLike) -> Float[Array, ""]:
        order = jnp.arange(1, self.cosines.shape[0] + 1, dtype=self.cosines.dtype)
        angle = 2.0 * jnp.pi * order * (as_float(t) / self.period)
        return self.mean + jnp.sum(self.cosines * jnp.cos(angle) + self.sines * jnp.sin(angle))


def _finite(name: str, value: ScalarLike) -> Float[Array, ""]:
    number = require_scalar(name, value)
    require_finite(name, number)
    return number


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


Schedule: TypeAlias = AbstractSchedule | Function


def as_schedule(name: str, schedule: ScheduleLike) -> Schedule:
    """A number as a `Constant`, a callable as a `formula`; ValueError that names the argument for anything else."""
    if callable(schedule):
        return scalar_formula(name, schedule, "time")
    if np.ndim(schedule) == 1:
        raise ValueError(
            f"`{name}` must be a scalar (batch with jax.vmap) or a function of time, but has shape "
            f"{np.shape(schedule)}; {name}=jt.Table(times, values) goes in straight lines between values"
        )
    number = require_scalar(name, schedule)
    require_finite(name, number)
    return Constant(number)


def value_at(schedule: Schedule | ScheduleLike | ArrayLike, t: ArrayLike) -> Float[Array, "..."]:
    """The schedule at time t."""
    return as_float(schedule(as_float(t)) if callable(schedule) else schedule)


def rate_at(schedule: ScheduleLike | ArrayLike, t: ArrayLike) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The schedule and its time derivative at time t."""
    if not callable(schedule) or isinstance(schedule, Constant):
        value = value_at(schedule, t)
        return value, jnp.zeros_like(value)
    return jax.jvp(lambda s: value_at(schedule, s), (as_float(t),), (jnp.ones_like(as_float(t)),))
