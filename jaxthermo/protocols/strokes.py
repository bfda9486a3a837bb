"""The four strokes of a cycle as fractions of its period."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import VectorLike
from jaxthermo.checks import as_float


def four(name: str, values: VectorLike) -> Float[Array, "4"]:
    """One number for each stroke, or a ValueError that names the argument."""
    found = as_float(values)
    if found.shape != (4,):
        raise ValueError(f"`{name}` must have shape (4,), but has shape {found.shape}")
    return found


def corners_of(period: Float[Array, ""], strokes: Float[Array, "4"]) -> Float[Array, "5"]:
    """Times at which the strokes begin, and the period."""
    return period * jnp.concatenate([jnp.zeros(1), jnp.cumsum(strokes)])


def require_whole(strokes: Float[Array, "4"]) -> None:
    """ValueError unless strokes that are known fill the period."""
    total = float(np.sum(strokes))
    if abs(total - 1.0) > 1e-9:
        raise ValueError(f"`strokes` must sum to 1, but sum to {total}")
