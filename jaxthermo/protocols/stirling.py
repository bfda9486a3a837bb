"""The thermostatic Stirling cycle: two strokes that move the field, two that move the temperature."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike, VectorLike
from jaxthermo.checks import as_float, is_known, require_finite, require_positive, require_scalar
from jaxthermo.protocols.cycle import Bounds
from jaxthermo.protocols.strokes import AbstractStrokes, four, moved_by_span

# Corners of a schedule nearer than this share of the period are the same corner.
APART = 1e-9

STROKES = ("hot isothermal", "hot to cold", "cold isothermal", "cold to hot")


class StirlingCycle(AbstractStrokes):
    """Piecewise linear beta(t), x(t), repeated with the period.

    Equation   stroke 1: x goes x_start -> x_end at beta_hot; 2: beta_hot -> beta_cold at x_end;
               3: x goes back at beta_cold; 4: beta_cold -> beta_hot at x_start

    beta_hot, beta_cold   inverse temperatures, 1/energy; scalars
    x_start, x_end        fields, energy per unit of X; scalars
    period                time; a scalar
    strokes               fractions of the period, (4,), sum 1
    ramps                 where the change of each stroke begins and ends, as fractions of that stroke, (4, 2); it may
                          reach into the neighbouring strokes (below 0, above 1). None: from begin to end of each stroke
    Raises                ValueError for wrong shapes and, at the solve's door, for impossible values
    Source                Koyanagi & Tanimura 2024, Sec. III.4; the profiles of its Fig. 2 are unknown as numbers

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)
        >>> float(cycle.beta(12.0)), float(cycle.x(2.5))
        (1.0, 1.25)
    """

    beta_hot: Float[Array, ""]
    beta_cold: Float[Array, ""]
    x_start: Float[Array, ""]
    x_end: Float[Array, ""]
    period: Float[Array, ""]
    strokes: Float[Array, "4"]
    ramps: Float[Array, "4 2"] | None

    def __init__(
        self,
        beta_hot: ScalarLike,
        beta_cold: ScalarLike,
        x_start: ScalarLike,
        x_end: ScalarLike,
        period: ScalarLike = 20.0,
        strokes: VectorLike = (0.25, 0.25, 0.25, 0.25),
        ramps: VectorLike | None = None,
    ):
        self.beta_hot = require_scalar("beta_hot", beta_hot)
        self.beta_cold = require_scalar("beta_cold", beta_cold)
        self.x_start = require_scalar("x_start", x_start)
        self.x_end = require_scalar("x_end", x_end)
        self.period = require_scalar("period", period)
        self.strokes = four("strokes", strokes)
        self.ramps = None if ramps is None else as_float(ramps)
        if self.ramps is not None and self.ramps.shape != (4, 2):
            raise ValueError(f"`ramps` must have shape (4, 2), but has shape {self.ramps.shape}")

    def beta(self, t: ScalarLike) -> Float[Array, ""]:
        """Inverse temperature at time t."""
        return self.beta_hot + (self.beta_cold - self.beta_hot) * self._progress(t, 1, 3)

    def x(self, t: ScalarLike) -> Float[Array, ""]:
        """Field at time t."""
        return self.x_start + (self.x_end - self.x_start) * self._progress(t, 0, 2)

    def knots(self) -> Float[Array, " knots"]:
        """Times in [0, period] at which beta(t) or x(t) has a corner, strictly increasing.

        With ramps of their own, corners that coincide are kept apart by 1e-9 of the period, so that their number is
        fixed.
        """
        if self.ramps is None:
            return self.corners()
        begin, end = self.spans()
        times = jnp.sort(jnp.concatenate([self.corners()[:-1], begin % self.period, end % self.period]))
        apart = APART * self.period
        # The n-th time is at least n gaps after the first, and the last leaves room for those before it.
        order = jnp.arange(times.shape[0], dtype=times.dtype)
        spaced = jax.lax.cummax(times - apart * order) + apart * order
        room = self.period - apart * (times.shape[0] - order)
        return jnp.concatenate([jnp.minimum(spaced, room), self.period[None]])

    def bounds(self) -> tuple[Float[Array, " betas"], Float[Array, " fields"]]:
        """The two temperatures and the two fields."""
        return jnp.stack([self.beta_hot, self.beta_cold]), jnp.stack([self.x_start, self.x_end])

    def intake(self) -> Float[Array, "spans 2"]:
        """The strokes in which the bath is hot or being heated: the first and the fourth. There is no regenerator."""
        corners = self.corners()
        return jnp.stack([corners[:2], corners[3:]])

    def default_bounds(self) -> Bounds:
        """Those of strokes, and x moved by up to its own range; temperatures and ramps fixed."""
        return {**moved_by_span(("x_start", "x_end"), self), **super().default_bounds()}

    def check(self) -> None:
        """Raise a ValueError that names the first impossible parameter."""
        for name in ("beta_hot", "beta_cold", "period", "strokes"):
            require_positive(name, getattr(self, name))
        for name in ("x_start", "x_end"):
            require_finite(name, getattr(self, name))
        self.require_whole()
        if not is_known(jax.tree.leaves(self)):
            return
        if self.ramps is None:
            return
        require_finite("ramps", self.ramps)
        if not np.all(np.asarray(self.ramps[:, 1]) > np.asarray(self.ramps[:, 0])):
            raise ValueError(f"`ramps` must end after they begin, but are {np.asarray(self.ramps).tolist()}")
        begin, end = (np.asarray(side) for side in self.spans())
        for out, back, name in ((0, 2, "x"), (1, 3, "beta")):
            if end[out] > begin[back] or end[back] > begin[out] + float(self.period):
                raise ValueError(f"`ramps` must not overlap, but those of {name} do")

    def spans(self) -> tuple[Float[Array, "4"], Float[Array, "4"]]:
        """Times at which the change of each stroke begins and ends."""
        length, start = self.period * self.strokes, self.corners()[:-1]
        if self.ramps is None:
            return start, start + length
        return start + length * self.ramps[:, 0], start + length * self.ramps[:, 1]

    def _progress(self, t: ScalarLike, out: int, back: int) -> Float[Array, ""]:
        """0 before the outward ramp, 1 after it, 0 again after the returning one; periodic.

        A ramp may begin before t = 0 or end after the period, so its neighbours a period away count too.
        """
        begin, end = self.spans()
        phase = as_float(t) % self.period
        total = jnp.zeros(())
        for turn in (-1.0, 0.0, 1.0):
            moment = phase + turn * self.period
            total = total + _ramp(moment, begin[out], end[out]) - _ramp(moment, begin[back], end[back])
        # Far in the past the two ramps of every turn have cancelled; those still to come have not begun.
        return total


def _ramp(t: Float[Array, ""], begin: Float[Array, ""], end: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.clip((t - begin) / (end - begin), 0.0, 1.0)
