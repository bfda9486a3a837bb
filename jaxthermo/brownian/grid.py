"""The phase grid: a uniform mesh in q and p with trigonometric interpolation, and its real Fourier transforms."""

import functools
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._parameters import Parameters
from jaxthermo._types import ScalarLike
from jaxthermo.checks import is_known

MAX_POINTS = 2001

ScalarArray = Array | np.ndarray


class PhaseGrid(Parameters):
    """Uniform mesh q = -q_max .. q_max, p = -p_max .. p_max with steps of about dq, dp.

    q_max, p_max   largest position (length) and largest momentum; the mesh goes from minus to plus these
    dq, dp         wanted steps
    Shapes     an odd number of points each way, symmetric about 0: 2 round(q_max/dq) + 1 and 2 round(p_max/dp) + 1
    Units      q: length, p: momentum
    Raises     ValueError unless all four are finite and > 0 and each range holds 3 to 2001 points

    The steps are arrays, so that one compiled program serves all grids of as many points. They are kept, and the ranges
    follow from the number of points. Fields are trigonometric polynomials: derivatives are exact up to wavenumbers
    pi/dq and pi/dp, where a state that fits has decayed to rounding error. An odd number of points has no unpaired
    highest wave.

    Example
        >>> import jaxthermo as jt
        >>> grid = jt.PhaseGrid(q_max=5.6, dq=0.28, p_max=10.5, dp=0.5)
        >>> grid.q_points, grid.p_points
        (41, 43)
    """

    dq: Float[ScalarArray, ""]
    dp: Float[ScalarArray, ""]
    q_side: int = eqx.field(static=True)
    p_side: int = eqx.field(static=True)

    def __init__(self, q_max: ScalarLike, dq: ScalarLike, p_max: ScalarLike, dp: ScalarLike):
        self.dq, self.q_side = _side("q", q_max, dq)
        self.dp, self.p_side = _side("p", p_max, dp)

    @property
    def q_points(self) -> int:
        return 2 * self.q_side + 1

    @property
    def p_points(self) -> int:
        return 2 * self.p_side + 1

    @property
    def q_max(self) -> Float[Array, ""]:
        return jnp.asarray(self.q_side * self.dq)

    @property
    def p_max(self) -> Float[Array, ""]:
        return jnp.asarray(self.p_side * self.dp)

    @property
    def cell(self) -> Float[Array, ""]:
        """Area of one cell, dq dp."""
        return jnp.asarray(self.dq * self.dp)

    @property
    def q(self) -> Float[Array, " q"]:
        """Positions, (q_points,)."""
        return jnp.asarray(self.dq) * np.arange(-self.q_side, self.q_side + 1.0)

    @property
    def p(self) -> Float[Array, " p"]:
        """Momenta, (p_points,)."""
        return jnp.asarray(self.dp) * np.arange(-self.p_side, self.p_side + 1.0)

    @property
    def k(self) -> Float[Array, " k"]:
        """Wavenumbers >= 0 conjugate to q, (q_side + 1,)."""
        return jnp.asarray(2.0 * np.pi / (self.q_points * self.dq)) * np.arange(self.q_side + 1.0)

    @property
    def y(self) -> Float[Array, " y"]:
        """The variable conjugate to p, y >= 0, (p_side + 1,)."""
        return jnp.asarray(2.0 * np.pi / (self.p_points * self.dp)) * np.arange(self.p_side + 1.0)

    def q_to_k(self) -> Float[Array, "waves q"]:
        """Matrix from values at the positions to their real Fourier coefficients, see `forward`."""
        return jnp.asarray(self.dq * _analysis(self.q_side))

    def k_to_q(self) -> Float[Array, "q waves"]:
        """The inverse of `q_to_k`."""
        return jnp.asarray(_synthesis(self.q_side) / self.dq)

    def p_to_y(self) -> Float[Array, "waves p"]:
        """Matrix from values at the momenta to their real Fourier coefficients, see `forward`."""
        return jnp.asarray(self.dp * _analysis(self.p_side))

    def y_to_p(self) -> Float[Array, "p waves"]:
        """The inverse of `p_to_y`."""
        return jnp.asarray(_synthesis(self.p_side) / self.dp)


def same_grid(a: PhaseGrid, b: PhaseGrid) -> bool:
    """Whether two grids have the same points, as far as their steps are known."""
    if (a.q_side, a.p_side) != (b.q_side, b.p_side):
        return False
    pairs = ((a.dq, b.dq), (a.dp, b.dp))
    return all(not is_known(one, other) or float(one) == float(other) for one, other in pairs)


def with_steps(grid: PhaseGrid, dq: Any, dp: Any) -> PhaseGrid:
    """As many points with other steps, which jax may trace."""
    return eqx.tree_at(lambda g: (g.dq, g.dp), grid, (dq, dp))


# The real form of a Fourier transform F(y) = step * sum f(p) exp(-i y p): the rows are Re F(0), Re F(y_1), ..., Re
# F(y_n), Im F(y_1), ..., Im F(y_n), as many as there are points. At a grid's own waves the angles are 2 pi j m/points,
# whatever the step is, so the tables are constants of the number of points.


def forward(step: Any, points: Float[Array, " points"], waves: Float[Array, " n"]) -> Float[Array, "waves points"]:
    """Matrix from values at the points to the real Fourier coefficients at any waves >= 0, the first of which is 0."""
    angle = waves[:, None] * points[None, :]
    return step * jnp.concatenate([jnp.cos(angle), -jnp.sin(angle[1:])])


@functools.lru_cache(maxsize=64)
def _analysis(side: int) -> np.ndarray:
    """The matrix of `forward` at a grid's own waves, for unit step."""
    points = 2 * side + 1
    # Whole turns are taken out as integers, so that the angles keep all their digits.
    turns = np.outer(np.arange(side + 1), np.arange(-side, side + 1)) % points
    angle = 2.0 * np.pi / points * turns
    return np.concatenate([np.cos(angle), -np.sin(angle[1:])])


@functools.lru_cache(maxsize=64)
def _synthesis(side: int) -> np.ndarray:
    """The inverse of `_analysis`: its transpose, in which all waves but the first count twice."""
    weights = np.full(2 * side + 1, 2.0)
    weights[0] = 1.0
    return _analysis(side).T * weights / (2 * side + 1)


def cosine_and_sine(angle: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Cosine and sine, as tables."""
    return computed_once(jnp.cos(angle)), computed_once(jnp.sin(angle))


def computed_once(values: Float[Array, "..."]) -> Float[Array, "..."]:
    """The same values, computed once.

    XLA fuses a costly function into what multiplies by it, and takes it again for every member and point. It does not
    fuse a matrix product, but one of a single column: the last axis must be longer.
    """
    return jnp.matmul(values, np.eye(values.shape[-1]), precision="highest")


def complex_multiply(
    real: Float[Array, "..."], imaginary: Float[Array, "..."], cosine: Float[Array, "..."], sine: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(real + i imaginary) (cosine + i sine), as a pair."""
    return real * cosine - imaginary * sine, real * sine + imaginary * cosine


def _side(name: str, reach: Any, step: Any) -> tuple[np.ndarray, int]:
    """Step and number of points on one side of 0."""
    values = []
    for label, value in ((f"{name}_max", reach), (f"d{name}", step)):
        try:
            # `float` would read text as a number.
            number = float("" if isinstance(value, str) else value)
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
    # NumPy keeps the step in double precision also where a grid is made before jax is told to use it.
    return np.asarray(values[1]), side
