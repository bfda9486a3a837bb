"""The phase grid: a uniform mesh in q and p with trigonometric interpolation, and its real Fourier transforms."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

MAX_POINTS = 2001


class PhaseGrid(eqx.Module):
    """Uniform mesh q = -q_max .. q_max, p = -p_max .. p_max with steps of about dq, dp.

    Shapes     an odd number of points each way, symmetric about 0: 2 round(q_max/dq) + 1 and 2 round(p_max/dp) + 1
    Units      q: length, p: momentum
    Raises     ValueError unless all four are finite and > 0 and each range holds 3 to 2001 points

    The steps are kept and the ranges follow from the number of points. Fields are trigonometric polynomials:
    derivatives are exact up to wavenumbers pi/dq and pi/dp, where a state that fits has decayed to rounding error. An
    odd number of points has no unpaired highest wave.
    """

    dq: float = eqx.field(static=True)
    dp: float = eqx.field(static=True)
    q_side: int = eqx.field(static=True)
    p_side: int = eqx.field(static=True)

    def __init__(self, q_max: Any, dq: Any, p_max: Any, dp: Any):
        self.dq, self.q_side = _side("q", q_max, dq)
        self.dp, self.p_side = _side("p", p_max, dp)

    @property
    def q_points(self) -> int:
        return 2 * self.q_side + 1

    @property
    def p_points(self) -> int:
        return 2 * self.p_side + 1

    @property
    def q_max(self) -> float:
        return self.q_side * self.dq

    @property
    def p_max(self) -> float:
        return self.p_side * self.dp

    @property
    def q(self) -> np.ndarray:
        """Positions, (q_points,)."""
        return self.dq * np.arange(-self.q_side, self.q_side + 1)

    @property
    def p(self) -> np.ndarray:
        """Momenta, (p_points,)."""
        return self.dp * np.arange(-self.p_side, self.p_side + 1)

    @property
    def k(self) -> np.ndarray:
        """Wavenumbers >= 0 conjugate to q, (q_side + 1,)."""
        return 2.0 * np.pi / (self.q_points * self.dq) * np.arange(self.q_side + 1)

    @property
    def y(self) -> np.ndarray:
        """The variable conjugate to p, y >= 0, (p_side + 1,)."""
        return 2.0 * np.pi / (self.p_points * self.dp) * np.arange(self.p_side + 1)


# The real form of a Fourier transform F(y) = step * sum f(p) exp(-i y p): the rows are Re F(0), Re F(y_1), ..., Re
# F(y_n),
# Im F(y_1), ..., Im F(y_n), as many as there are points.


def forward(step: float, points: np.ndarray, waves: Any) -> Float[Array, "waves points"]:
    """Matrix from values at the points to the real Fourier coefficients at any waves >= 0, the first of which is 0."""
    angle = waves[:, None] * points[None, :]
    return step * jnp.concatenate([jnp.cos(angle), -jnp.sin(angle[1:])])


def backward(step: float, points: np.ndarray, waves: np.ndarray) -> Float[Array, "points waves"]:
    """Matrix from the real Fourier coefficients at the grid's own waves to values; the inverse of `forward`."""
    angle = points[:, None] * waves[None, :]
    matrix = np.concatenate([np.cos(angle), -np.sin(angle[:, 1:])], axis=1)
    matrix[:, 1:] *= 2.0
    return jnp.asarray(matrix / (points.shape[0] * step))


def phase(angle: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Cosine and sine, as tables."""
    return table(jnp.cos(angle)), table(jnp.sin(angle))


def table(values: Float[Array, "..."]) -> Float[Array, "..."]:
    """The same values, computed once.

    XLA fuses a costly function into what multiplies by it, and takes it again for every member and point. It does not
    fuse a matrix product, not even one with 1.
    """
    return jnp.matmul(values, jnp.eye(values.shape[-1]), precision="highest")


def turn(
    real: Float[Array, "..."], imaginary: Float[Array, "..."], cosine: Float[Array, "..."], sine: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(real + i imaginary) (cosine + i sine), as a pair."""
    return real * cosine - imaginary * sine, real * sine + imaginary * cosine


def _side(name: str, reach: Any, step: Any) -> tuple[float, int]:
    """Step and number of points on one side of 0."""
    values = []
    for label, value in ((f"{name}_max", reach), (f"d{name}", step)):
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"`{label}` must be a number known before jax traces, but is {value!r}") from None
        if not (np.isfinite(number) and number > 0):
            raise ValueError(f"`{label}` must be finite and > 0, but is {number}")
        values.append(number)
    side = round(values[0] / values[1])
    if not 3 <= 2 * side + 1 <= MAX_POINTS:
        raise ValueError(
            f"`{name}_max` / `d{name}` must give 3 to {MAX_POINTS} points, "
            f"but {values[0]} / {values[1]} gives {2 * side + 1}"
        )
    return values[1], side
