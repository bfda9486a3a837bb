"""Cycles that couple a hot and a cold bath in turn, with isentropic strokes between: Carnot and Otto."""

from abc import abstractmethod

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike, VectorLike
from jaxthermo.checks import as_float, is_known, require_finite, require_positive, require_scalar
from jaxthermo.protocols.cycle import Bounds, Switching
from jaxthermo.protocols.schedules import Window, smooth_step
from jaxthermo.protocols.strokes import AbstractStrokes, four, moved_by_span

EQUAL = (0.25, 0.25, 0.25, 0.25)
# The share of a coupled stroke in which its window opens, and again in which it closes.
RISE = 0.2


class AbstractSwitchedCycle(AbstractStrokes):
    """Four strokes: hot bath coupled, none, cold bath coupled, none.

    While a window moves, the field rests; it moves by smooth steps, in the middle of a coupled stroke and over the
    whole of an isentropic one.
    """

    beta_hot: Float[Array, ""]
    beta_cold: Float[Array, ""]
    period: Float[Array, ""]
    strokes: Float[Array, "4"]
    rise: Float[Array, ""]

    def _share(
        self, beta_hot: ScalarLike, beta_cold: ScalarLike, period: ScalarLike, strokes: VectorLike, rise: ScalarLike
    ) -> None:
        """What both constructors are given."""
        self.beta_hot, self.beta_cold = require_scalar("beta_hot", beta_hot), require_scalar("beta_cold", beta_cold)
        self.period, self.rise = require_scalar("period", period), require_scalar("rise", rise)
        self.strokes = four("strokes", strokes)

    @abstractmethod
    def fields(self) -> Float[Array, "4"]:
        """The fields at the beginning and the end of the hot stroke, and of the cold one."""

    def rises(self) -> Float[Array, "2"]:
        """How long the windows of the hot and of the cold stroke take to open."""
        return self.period * self.rise * self.strokes[::2]

    def beta(self, t: ScalarLike) -> Float[Array, ""]:
        """Inverse temperature of the bath that is coupled; between two strokes a smooth step, which no bath follows."""
        corners, phase = self.corners(), as_float(t) % self.period
        cooled = smooth_step((phase - corners[1]) / (corners[2] - corners[1]))
        warmed = smooth_step((phase - corners[3]) / (corners[4] - corners[3]))
        return self.beta_hot + (self.beta_cold - self.beta_hot) * (cooled - warmed)

    def x(self, t: ScalarLike) -> Float[Array, ""]:
        """Field at time t."""
        corners, rises, phase = self.corners(), self.rises(), as_float(t) % self.period
        begin = jnp.stack([corners[0] + rises[0], corners[1], corners[2] + rises[1], corners[3]])
        end = jnp.stack([corners[1] - rises[0], corners[2], corners[3] - rises[1], corners[4]])
        fields = self.fields()
        moves = jnp.roll(fields, -1) - fields
        return fields[0] + jnp.sum(moves * smooth_step((phase - begin) / (end - begin)))

    def knots(self) -> Float[Array, " knots"]:
        """Where strokes begin, and where windows begin and end to move."""
        corners, rises = self.corners(), self.rises()
        inner = [corners[i] + sign * rises[i // 2] for i, sign in ((0, 1.0), (1, -1.0), (2, 1.0), (3, -1.0))]
        return jnp.stack([corners[0], *inner[:2], corners[1], corners[2], *inner[2:], *corners[3:]])

    def bounds(self) -> tuple[Float[Array, " betas"], Float[Array, " fields"]]:
        """The two temperatures and the four fields."""
        return jnp.stack([self.beta_hot, self.beta_cold]), self.fields()

    def switching(self) -> Switching:
        """The hot bath in the first stroke, the cold one in the third."""
        corners, rises = self.corners(), self.rises()
        windows = [Window(corners[i], corners[i + 1], rises[i // 2], self.period) for i in (0, 2)]
        return Switching(jnp.stack([self.beta_hot, self.beta_cold]), tuple(windows))

    def check(self) -> None:
        """Raise a ValueError that names the first impossible parameter."""
        for name in ("beta_hot", "beta_cold", "period", "strokes", "rise"):
            require_positive(name, getattr(self, name))
        require_finite("x_values", self.fields())
        self.require_whole()
        if is_known(self.rise) and float(self.rise) >= 0.5:
            raise ValueError(f"`rise` must be < 0.5, since a window opens and closes, but is {float(self.rise)}")


class CarnotCycle(AbstractSwitchedCycle):
    """Carnot's cycle: two isothermal strokes in baths of their own, and two isentropic ones between, in none.

    Equation   stroke 1: x goes x_1 -> x_2, hot bath coupled; 2: x_2 -> x_3, no bath; 3: x_3 -> x_4, cold bath coupled;
               4: x_4 -> x_1, no bath. In the coupled strokes xi(t) is a `Window`

    beta_hot, beta_cold   inverse temperatures of the baths, 1/energy; scalars
    x_values              x_1 .. x_4, energy per unit of X, (4,)
    period                time; a scalar
    strokes               fractions of the period, (4,), sum 1
    rise                  the share of a coupled stroke in which its window opens, and again in which it closes, < 0.5;
                          x rests meanwhile
    Raises                ValueError for wrong shapes and, at the solve's door, for impossible values
    Source                Koyanagi & Tanimura 2024, Eqs. (31)-(34)

    The cycle is reversible in the limit of long periods where the isentropic strokes lead from one canonical state to
    another. So the field has to change the energies of H_A by one factor, beta_hot/beta_cold: a coordinate such as X =
    -q^2/2, with which x is the stiffness of a parabola, and beta^2 (k + x) equal at both ends of an isentropic stroke.
    `jt.isentropic_field` finds the field of equal entropy for any potential. A field that only moves a parabola changes
    no energies: no choice of x_values makes that engine reversible.

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.CarnotCycle(0.5, 1.0, [0.0, -0.5, -0.875, -0.75], period=24.0)
        >>> float(cycle.period), round(float(cycle.beta(1.0)), 3)
        (24.0, 0.5)
    """

    x_values: Float[Array, "4"]

    def __init__(
        self,
        beta_hot: ScalarLike,
        beta_cold: ScalarLike,
        x_values: VectorLike,
        period: ScalarLike = 100.0,
        strokes: VectorLike = EQUAL,
        rise: ScalarLike = RISE,
    ):
        self._share(beta_hot, beta_cold, period, strokes, rise)
        self.x_values = four("x_values", x_values)

    def fields(self) -> Float[Array, "4"]:
        """x_values."""
        return self.x_values

    def default_bounds(self) -> Bounds:
        """Those of strokes, and fields moved by up to their own range; temperatures and windows fixed."""
        return {**moved_by_span(("x_values",), self), **super().default_bounds()}


class OttoCycle(AbstractSwitchedCycle):
    """Otto's cycle: heat is exchanged at fixed fields, and the field moves while no bath is coupled.

    Equation   stroke 1: hot bath coupled at x_hot; 2: x_hot -> x_cold, no bath; 3: cold bath coupled at x_cold; 4:
               x_cold -> x_hot, no bath

    beta_hot, beta_cold   inverse temperatures of the baths, 1/energy; scalars
    x_hot, x_cold         fields while they are coupled, energy per unit of X; scalars
    period                time; a scalar
    strokes, rise         as `CarnotCycle`
    Raises                ValueError for wrong shapes and, at the solve's door, for impossible values

    The same remark on coordinates holds as for `CarnotCycle`. A parabola of stiffness k_hot and k_cold has the
    efficiency 1 - sqrt(k_cold/k_hot) in the limit of long periods and weak coupling.

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.OttoCycle(0.5, 1.0, x_hot=0.0, x_cold=-0.4, period=24.0)
        >>> [round(float(cycle.x(t)), 3) for t in (3.0, 9.0, 15.0)]
        [0.0, -0.2, -0.4]
    """

    x_hot: Float[Array, ""]
    x_cold: Float[Array, ""]

    def __init__(
        self,
        beta_hot: ScalarLike,
        beta_cold: ScalarLike,
        x_hot: ScalarLike,
        x_cold: ScalarLike,
        period: ScalarLike = 100.0,
        strokes: VectorLike = EQUAL,
        rise: ScalarLike = RISE,
    ):
        self._share(beta_hot, beta_cold, period, strokes, rise)
        self.x_hot, self.x_cold = require_scalar("x_hot", x_hot), require_scalar("x_cold", x_cold)

    def fields(self) -> Float[Array, "4"]:
        """Both fields twice."""
        return jnp.stack([self.x_hot, self.x_hot, self.x_cold, self.x_cold])

    def default_bounds(self) -> Bounds:
        """Those of strokes, and fields moved by up to their own range; temperatures and windows fixed."""
        return {**moved_by_span(("x_hot", "x_cold"), self), **super().default_bounds()}
