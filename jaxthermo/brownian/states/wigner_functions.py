"""Wigner functions of the states of a harmonic oscillator, as functions of q and p.

In each, `scale` is sqrt(m w), so that q sqrt(m w) and p/sqrt(m w) have one unit, that of sqrt(hbar).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxthermo._types import Real
from jaxthermo.checks import as_float

# W at positions and momenta of one shape.
WignerFunction = Callable[[jax.Array, jax.Array], jax.Array]


def squeezed(center: tuple[Real, Real], squeezing: Real, angle: Real, scale: Real, hbar: Real) -> WignerFunction:
    """A Gaussian about the center, narrower by exp(-squeezing) along the angle and as much wider across it."""

    def wigner(q: jax.Array, p: jax.Array) -> jax.Array:
        a, b = (q - center[0]) * scale, (p - center[1]) / scale
        along, across = a * jnp.cos(angle) + b * jnp.sin(angle), b * jnp.cos(angle) - a * jnp.sin(angle)
        narrow, wide = along**2 * jnp.exp(2.0 * squeezing), across**2 * jnp.exp(-2.0 * squeezing)
        return jnp.exp(-(narrow + wide) / hbar) / (np.pi * hbar)

    return wigner


def number_state(quanta: int, scale: Real, hbar: Real) -> WignerFunction:
    """The state of so many quanta: (-1)^n exp(-s/2) L_n(s)/(pi hbar), with Laguerre's polynomial by its recursion."""

    def wigner(q: jax.Array, p: jax.Array) -> jax.Array:
        s = 2.0 * ((q * scale) ** 2 + (p / scale) ** 2) / hbar
        before, now = jnp.zeros_like(s), jnp.ones_like(s)
        for i in range(quanta):
            before, now = now, ((2.0 * i + 1.0 - s) * now - i * before) / (i + 1.0)
        return (-1.0) ** quanta * jnp.exp(-0.5 * s) * now / (np.pi * hbar)

    return wigner


def cat(center: tuple[Real, Real], phase: Real, scale: Real, hbar: Real) -> WignerFunction:
    """Coherent states at the center and at its mirror image, superposed; the second one times exp(i phase)."""
    q0, p0 = center

    def gaussian(q: Real, p: Real) -> jax.Array:
        return jnp.exp(-((q * scale) ** 2 + (p / scale) ** 2) / hbar)

    norm = 2.0 * (1.0 + jnp.cos(phase) * gaussian(as_float(q0), as_float(p0))) * np.pi * hbar

    def wigner(q: jax.Array, p: jax.Array) -> jax.Array:
        waves = jnp.cos(2.0 * (q0 * p - p0 * q) / hbar + phase)
        return (gaussian(q - q0, p - p0) + gaussian(q + q0, p + p0) + 2.0 * waves * gaussian(q, p)) / norm

    return wigner
