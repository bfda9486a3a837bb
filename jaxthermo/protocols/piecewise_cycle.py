"""A cycle of straight pieces, which may jump from one piece to the next: a form free enough for a search."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import IntLike, ScalarLike, VectorLike
from jaxthermo.checks import (
    as_float,
    require_finite,
    require_integer,
    require_numbers,
    require_positive,
    require_scalar,
)
from jaxthermo.protocols.cycle import AbstractCycle, Bounds
from jaxthermo.protocols.strokes import AbstractStrokes

# A time so near before the end of a piece, as a share of the period, lies in the next one: rounding errors.
NEAR = 1e-9


class PiecewiseCycle(AbstractStrokes):
    """beta(t) and x(t) as straight pieces, with or without jumps between them, repeated with the period.

    Equation   f(t) = f_i0 + (f_i1 - f_i0) (t - t_i)/(t_(i+1) - t_i) in piece i; at a corner that of the piece to come

    betas      inverse temperatures, 1/energy: (pieces,), the values at the beginning of each piece, without jumps; or
               (pieces, 2), those at the beginning and the end of each piece, with a jump wherever they do not meet
    x_values   fields, energy per unit of X; (pieces,) or (pieces, 2) likewise
    period     time; a scalar
    strokes    lengths of the pieces as fractions of the period, (pieces,), sum 1; None: equal lengths
    Raises     ValueError for wrong shapes and, at the solve's door, for impossible values

    A jump of x takes the work -X dx of a state at rest, one of beta the dimensionless work U dbeta. Split steps count
    both exactly; an explicit `solver` of `jt.run_cycle` does not see them.

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.PiecewiseCycle([[0.5, 0.5], [1.0, 1.0]], [2.0, 1.0], period=10.0)
        >>> float(cycle.beta(4.9)), float(cycle.beta(5.0)), float(cycle.x(2.5))
        (0.5, 1.0, 1.5)
    """

    betas: Float[Array, "pieces ..."]
    x_values: Float[Array, "pieces ..."]
    period: Float[Array, ""]
    strokes: Float[Array, " pieces"]

    def __init__(
        self,
        betas: VectorLike,
        x_values: VectorLike,
        period: ScalarLike = 20.0,
        strokes: VectorLike | None = None,
    ):
        self.betas, self.x_values = _pieces("betas", betas), _pieces("x_values", x_values)
        count = self.betas.shape[0]
        self.period = require_scalar("period", period)
        self.strokes = jnp.full(count, 1.0 / count) if strokes is None else require_numbers("strokes", strokes)
        for name, shape in (("x_values", self.x_values.shape[:1]), ("strokes", self.strokes.shape)):
            if shape != (count,):
                raise ValueError(f"`{name}` must have the {count} pieces of `betas`, but has shape {shape}")

    @classmethod
    def along(cls, cycle: AbstractCycle, parts: IntLike = 2) -> "PiecewiseCycle":
        """The values of another cycle, joined by straight pieces whose ends are free to part.

        cycle   whose values are taken; it must be without jumps and without baths of its own
        parts   equal pieces between two of its knots
        Raises  ValueError for a cycle that switches baths of its own
        """
        if cycle.switching() is not None:
            raise ValueError(f"`cycle` must have one bath, but a {type(cycle).__name__} switches baths of its own")
        count = require_integer("parts", parts, 1)
        knots = cycle.knots()
        inside = knots[:-1, None] + jnp.diff(knots)[:, None] * (jnp.arange(count)[None] / count)
        times = jnp.concatenate([inside.ravel(), knots[-1:]])
        betas, fields = jax.vmap(cycle.beta)(times[:-1]), jax.vmap(cycle.x)(times[:-1])
        ends, fields = (jnp.stack([values, jnp.roll(values, -1)], axis=1) for values in (betas, fields))
        return cls(ends, fields, cycle.period, jnp.diff(times) / cycle.period)

    def beta(self, t: ScalarLike) -> Float[Array, ""]:
        """Inverse temperature at time t."""
        return self._value(self.betas, t)

    def x(self, t: ScalarLike) -> Float[Array, ""]:
        """Field at time t."""
        return self._value(self.x_values, t)

    def knots(self) -> Float[Array, " knots"]:
        """Where pieces begin, and the period."""
        return self.corners().at[-1].set(self.period)

    def bounds(self) -> tuple[Float[Array, " betas"], Float[Array, " fields"]]:
        """The values at the ends of all pieces."""
        return self.betas.ravel(), self.x_values.ravel()

    def default_bounds(self) -> Bounds:
        """Those of strokes, and values between the least and the largest of beta and of x."""
        values = {"betas": np.asarray(self.betas), "x_values": np.asarray(self.x_values)}
        ranges = {name: (float(own.min()), float(own.max())) for name, own in values.items() if np.ptp(own) > 0.0}
        return {**ranges, **super().default_bounds()}

    def check(self) -> None:
        """Raise a ValueError that names the first impossible parameter."""
        for name in ("betas", "period", "strokes"):
            require_positive(name, getattr(self, name))
        require_finite("x_values", self.x_values)
        self.require_whole()

    def _value(self, values: Float[Array, "pieces ..."], t: ScalarLike) -> Float[Array, ""]:
        begin, end = (values, jnp.roll(values, -1)) if values.ndim == 1 else (values[:, 0], values[:, 1])
        knots = self.knots() / self.period
        phase = (as_float(t) / self.period + NEAR) % 1.0
        piece = jnp.sum(phase >= knots[1:-1])
        share = jnp.clip((phase - NEAR - knots[piece]) / (knots[piece + 1] - knots[piece]), 0.0, 1.0)
        return begin[piece] + (end[piece] - begin[piece]) * share


def _pieces(name: str, values: VectorLike) -> Float[Array, "pieces ..."]:
    found = require_numbers(name, values)
    if found.ndim not in (1, 2) or found.shape[0] < 2 or found.shape[1:] not in ((), (2,)):
        raise ValueError(f"`{name}` must have shape (pieces,) or (pieces, 2), pieces >= 2, but has {np.shape(found)}")
    return found
