"""A smooth cycle in which each coefficient shapes a part of the period: cubic splines of temperature and field."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import IntLike, ScalarLike, VectorLike
from jaxthermo.checks import as_float, require_finite, require_integer, require_positive, require_scalar
from jaxthermo.protocols.cycle import AbstractCycle, Bounds
from jaxthermo.solve.lean import brief_jit

# With fewer, the curve of one coefficient would overlap itself twice.
LEAST = 4


class SplineCycle(AbstractCycle):
    """beta(t) and x(t) as periodic cubic splines on equal pieces, with continuous second derivatives.

    Equation   f(t) = [(1 - u)^3 c_(i-1) + (4 - 6 u^2 + 3 u^3) c_i + (1 + 3 u + 3 u^2 - 3 u^3) c_(i+1) + u^3 c_(i+2)]/6
               in piece i, with u from 0 to 1 along it and indices modulo the number of pieces

    beta_coefficients   of the inverse temperature, 1/energy, > 0: (pieces,), pieces >= 4
    x_coefficients      of the field, energy per unit of X: (pieces,)
    period              time; a scalar
    Raises              ValueError for wrong shapes and, at the solve's door, for impossible values
    Source              de Boor, A Practical Guide to Splines (2001), chapters IX and XI

    A value is a mean of four coefficients, so bounds on coefficients are bounds on beta(t) and x(t). Coefficient i is
    felt from piece i - 2 to i + 1, most at t = i period/pieces.

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.SplineCycle([0.5, 0.5, 1.0, 1.0], [1.5, 1.0, 1.0, 1.5], period=8.0)
        >>> round(float(cycle.beta(5.0)), 12), round(float(cycle.x(2.0)), 12)
        (0.979166666667, 1.083333333333)
    """

    beta_coefficients: Float[Array, " pieces"]
    x_coefficients: Float[Array, " pieces"]
    period: Float[Array, ""]

    def __init__(self, beta_coefficients: VectorLike, x_coefficients: VectorLike, period: ScalarLike = 20.0):
        self.beta_coefficients, self.x_coefficients = as_float(beta_coefficients), as_float(x_coefficients)
        self.period = require_scalar("period", period)
        shape = self.beta_coefficients.shape
        if len(shape) != 1 or shape[0] < LEAST:
            raise ValueError(f"`beta_coefficients` must have shape (pieces,), pieces >= {LEAST}, but has shape {shape}")
        if self.x_coefficients.shape != shape:
            raise ValueError(
                f"`x_coefficients` must have the {shape[0]} pieces of `beta_coefficients`, but has shape "
                f"{self.x_coefficients.shape}"
            )

    @classmethod
    def along(cls, cycle: AbstractCycle, pieces: IntLike = 8) -> "SplineCycle":
        """A smoothed copy of another cycle, between the same extremes: its values are the coefficients.

        cycle    whose values are taken at equal times; it must be without baths of its own
        pieces   of the period, an integer >= 4
        Raises   ValueError for a cycle that switches baths of its own
        Source   Schoenberg's variation-diminishing approximation: de Boor (2001), chapter XI
        """
        if cycle.switching() is not None:
            raise ValueError(f"`cycle` must have one bath, but a {type(cycle).__name__} switches baths of its own")
        count = require_integer("pieces", pieces, LEAST)
        times = cycle.period * (jnp.arange(count, dtype=float) / count)
        return cls(*_looked_at(cycle, times), cycle.period)

    def beta(self, t: ScalarLike) -> Float[Array, ""]:
        """Inverse temperature at time t."""
        return self._value(self.beta_coefficients, t)

    def x(self, t: ScalarLike) -> Float[Array, ""]:
        """Field at time t."""
        return self._value(self.x_coefficients, t)

    def knots(self) -> Float[Array, " knots"]:
        """Where pieces begin, and the period: third derivatives jump there."""
        return self.period * jnp.linspace(0.0, 1.0, self.beta_coefficients.shape[0] + 1)

    def bounds(self) -> tuple[Float[Array, " betas"], Float[Array, " fields"]]:
        """The coefficients."""
        return self.beta_coefficients, self.x_coefficients

    def default_bounds(self) -> Bounds:
        """Half to twice the period, and coefficients between the least and the largest of beta and of x."""
        own = {name: np.asarray(getattr(self, name)) for name in ("beta_coefficients", "x_coefficients")}
        ranges = {name: (float(c.min()), float(c.max())) for name, c in own.items() if np.ptp(c) > 0.0}
        return {**ranges, "period": (0.5 * float(self.period), 2.0 * float(self.period))}

    def check(self) -> None:
        """Raise a ValueError that names the first impossible parameter."""
        require_positive("beta_coefficients", self.beta_coefficients)
        require_finite("x_coefficients", self.x_coefficients)
        require_positive("period", self.period)

    def _value(self, coefficients: Float[Array, " pieces"], t: ScalarLike) -> Float[Array, ""]:
        count = coefficients.shape[0]
        place = (as_float(t) / self.period % 1.0) * count
        # A phase just below 1 may be rounded up to the number of pieces.
        piece = jnp.minimum(jnp.floor(place), count - 1.0)
        u = place - piece
        near = coefficients[(piece.astype(jnp.int32) + jnp.arange(-1, 3, dtype=jnp.int32)) % count]
        squared, cubed = u * u, u * u * u
        weights = (1.0 - u) ** 3, 4.0 - 6.0 * squared + 3.0 * cubed, 1.0 + 3.0 * (u + squared - cubed), cubed
        return jnp.dot(jnp.stack(weights), near) / 6.0


@brief_jit
def _looked_at(cycle: AbstractCycle, times: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    return jax.vmap(cycle.beta)(times), jax.vmap(cycle.x)(times)
