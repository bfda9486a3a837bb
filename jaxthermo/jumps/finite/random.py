"""Random numbers inside compiled loops: one small generator per trajectory, seeded from a jax key.

The counter-based generator of jax costs ten times as much as the hop that its numbers decide.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt64

from jaxthermo.checks import as_float
from jaxthermo.solve.lean import brief_jit


class Stream(eqx.Module):
    """State of xoroshiro128++ for every trajectory.

    Source     Blackman & Vigna, ACM Trans. Math. Softw. 47, 36 (2021); period 2^128 - 1
    """

    low: UInt64[Array, "*lanes"]
    high: UInt64[Array, "*lanes"]

    def uniform(self) -> tuple["Stream", Float[Array, "*lanes"]]:
        """The next number, from (0, 1] in steps of 2^-53."""
        low, high = self.low, self.high
        bits = _rotated(low + high, 17) + low
        high = high ^ low
        following = Stream(_rotated(low, 49) ^ high ^ (high << jnp.uint64(21)), _rotated(high, 28))
        return following, ((bits >> jnp.uint64(11)).astype(jnp.float64) + 1.0) * 2.0**-53


@brief_jit
def streams(key: Array, lanes: int) -> Stream:
    """Independent generators; the same key gives the same numbers."""
    low, high = jax.random.bits(key, (2, lanes), jnp.uint64)
    return Stream(low, high | jnp.uint64(1))


def require_key(key: Array) -> Array:
    """The key, or a ValueError."""
    try:
        jax.random.uniform(key, (), as_float(0.0).dtype)
    except (TypeError, ValueError):
        raise ValueError(f"`key` must be a jax.random.key, but is {key!r}") from None
    return key


def _rotated(x: Array, by: int) -> Array:
    return (x << jnp.uint64(by)) | (x >> jnp.uint64(64 - by))
