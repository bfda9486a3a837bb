"""Wigner functions of the states of a harmonic oscillator, as functions of q and p.

In each, `scale` is sqrt(m w), so that q sqrt(m w) and p/sqrt(m w) have one unit, that of sqrt(hbar).
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# W at positions and momenta of one shape.
WignerFunction = Callable[[jax.Array, jax.Array], jax.Array]
Number = Float[Array, ""]


class Squeezed(eqx.Module):
    """A Gaussian about the center, narrower by exp(-squeezing) along the angle and as much wider across it."""

    center: tuple[Number, Number]
    squeezing: Number
    angle: Number
    scale: Number
    hbar: Number

    def __call__(self, q: jax.Array, p: jax.Array) -> jax.Array:
        """W at q and p."""
        a, b = (q - self.center[0]) * self.scale, (p - self.center[1]) / self.scale
        cosine, sine = jnp.cos(self.angle), jnp.sin(self.angle)
        along, across = a * cosine + b * sine, b * cosine - a * sine
        narrow, wide = along**2 * jnp.exp(2.0 * self.squeezing), across**2 * jnp.exp(-2.0 * self.squeezing)
        return jnp.exp(-(narrow + wide) / self.hbar) / (np.pi * self.hbar)


class NumberState(eqx.Module):
    """The state of so many quanta: (-1)^n exp(-s/2) L_n(s)/(pi hbar), with Laguerre's polynomial by its recursion."""

    quanta: int = eqx.field(static=True)
    scale: Number
    hbar: Number

    def __call__(self, q: jax.Array, p: jax.Array) -> jax.Array:
        """W at q and p."""
        s = 2.0 * ((q * self.scale) ** 2 + (p / self.scale) ** 2) / self.hbar
        before, now = jnp.zeros_like(s), jnp.ones_like(s)
        for i in range(self.quanta):
            before, now = now, ((2.0 * i + 1.0 - s) * now - i * before) / (i + 1.0)
        return (-1.0) ** self.quanta * jnp.exp(-0.5 * s) * now / (np.pi * self.hbar)


class Cat(eqx.Module):
    """Coherent states at the center and at its mirror image, superposed; the second one times exp(i phase)."""

    center: tuple[Number, Number]
    phase: Number
    scale: Number
    hbar: Number

    def __call__(self, q: jax.Array, p: jax.Array) -> jax.Array:
        """W at q and p."""
        q0, p0 = self.center
        norm = 2.0 * (1.0 + jnp.cos(self.phase) * self._gaussian(q0, p0)) * np.pi * self.hbar
        waves = jnp.cos(2.0 * (q0 * p - p0 * q) / self.hbar + self.phase)
        sides = self._gaussian(q - q0, p - p0) + self._gaussian(q + q0, p + p0)
        return (sides + 2.0 * waves * self._gaussian(q, p)) / norm

    def _gaussian(self, q: jax.Array, p: jax.Array) -> jax.Array:
        return jnp.exp(-((q * self.scale) ** 2 + (p / self.scale) ** 2) / self.hbar)
