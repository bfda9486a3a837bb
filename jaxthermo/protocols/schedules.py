"""Schedules with their numbers as arrays, so that another one of the same kind runs in the same compiled program."""

from abc import abstractmethod

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._parameters import Parameters
from jaxthermo._types import ScalarLike, VectorLike
from jaxthermo.checks import as_float, is_known, require_finite, require_positive, require_scalar


class AbstractSchedule(Parameters):
    """A scalar function of time that a temperature or a field follows."""

    @abstractmethod
    def __call__(self, t: ScalarLike) -> Float[Array, ""]:
        """The value at time t, a number."""


class Constant(AbstractSchedule):
    """f(t) = value.

    Raises     ValueError unless `value` is a finite scalar
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
        self.times, self.values = as_float(times), as_float(values)
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
