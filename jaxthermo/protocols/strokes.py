"""Cycles of strokes, whose lengths are fractions of the period."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import VectorLike
from jaxthermo.checks import is_known, require_numbers
from jaxthermo.protocols.cycle import AbstractCycle, Bounds

# Where a search may take a stroke by default, in units of an equal share of the period.
SHORTEST, LONGEST = 0.2, 3.4


class AbstractStrokes(AbstractCycle):
    """A cycle of strokes."""

    strokes: eqx.AbstractVar[Float[Array, " strokes"]]

    def corners(self) -> Float[Array, " corners"]:
        """Times at which the strokes begin, and the period."""
        return self.period * jnp.concatenate([jnp.zeros(1), jnp.cumsum(self.strokes)])

    def settled(self) -> AbstractCycle:
        """With strokes scaled so that they fill the period."""
        return eqx.tree_at(lambda cycle: cycle.strokes, self, self.strokes / jnp.sum(self.strokes))

    def default_bounds(self) -> Bounds:
        """Half to twice the period; strokes of a fifth to 3.4 times of an equal share."""
        period, equal = float(self.period), 1.0 / self.strokes.shape[0]
        return {"period": (0.5 * period, 2.0 * period), "strokes": (SHORTEST * equal, LONGEST * equal)}

    def require_whole(self) -> None:
        """ValueError unless strokes that are known fill the period."""
        if not is_known(self.strokes):
            return
        total = float(np.sum(self.strokes))
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"`strokes` must sum to 1, but sum to {total}")


def four(name: str, values: VectorLike) -> Float[Array, "4"]:
    """One number for each stroke, or a ValueError that names the argument."""
    found = require_numbers(name, values)
    if found.shape != (4,):
        raise ValueError(f"`{name}` must have shape (4,), but has shape {found.shape}")
    return found


def moved_by_span(names: tuple[str, ...], cycle: AbstractCycle) -> Bounds:
    """Fields that may move by their own range to both sides."""
    fields = np.asarray(cycle.bounds()[1])
    span = float(np.ptp(fields))
    own = {name: np.asarray(getattr(cycle, name)) for name in names}
    return {name: (value - span, value + span) for name, value in own.items()} if span > 0.0 else {}
