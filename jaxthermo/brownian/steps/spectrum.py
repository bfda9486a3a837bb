"""Real Fourier coefficients in y of all members, in which the split flows work."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.grid import complex_multiply
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, members_of
from jaxthermo.solve.linear import expm

# Directions nearer than this are turned by the series of the angle.
ALIGNED = 1e-4

Spectrum = Float[Array, "w n q"]


class Noise(eqx.Module):
    """The values zeta_j that the truncated hierarchy resolves, and the orthogonal matrix from members to them."""

    values: Float[Array, " n"]
    basis: Float[Array, "n n"]


def noise_along(lower: np.ndarray, lengths: Float[Array, " directions"]) -> Noise:
    """sum_i lengths_i (A_i + A_i^+) diagonalised: that of A_0 alone, a constant, turned to the others.

    A_i, the lowering operators `lower` as matrices among the members, belong to orthogonal noises. A rotation of these
    keeps the level of a member, so it is exact in the truncated hierarchy, and smooth where eigenvalues coincide.
    Where all lengths are zero only the derivative in the first one is right.
    """
    values, basis = np.linalg.eigh(lower[0] + lower[0].T)
    if len(lower) == 1:
        return Noise(lengths[0] * jnp.asarray(values), jnp.asarray(basis))
    # The same operator with a positive first length.
    sign = jnp.where(lengths[0] < 0, -1.0, 1.0)
    first, others = sign * lengths[0], sign * lengths[1:]
    square = jnp.sum(others**2)
    aligned = square <= (ALIGNED * first) ** 2
    across = jnp.sqrt(jnp.where(aligned, 1.0, square))
    # The angle over `across`; where both are 0 there is nothing to turn.
    safe = jnp.where(first > 0, first, 1.0)
    share = jnp.where(aligned, (1.0 - square / (3.0 * safe**2)) / safe, jnp.arctan2(across, first) / across)
    hops = np.stack([other.T @ lower[0] - lower[0].T @ other for other in lower[1:]])
    turned = expm(jnp.tensordot(share * others, jnp.asarray(hops), axes=1)) @ jnp.asarray(basis)
    whole = first**2 + square
    length = jnp.where(whole > 0, jnp.sqrt(jnp.where(whole > 0, whole, 1.0)), first)
    return Noise(sign * length * jnp.asarray(values), turned)


def to_spectrum(V: HierarchyState, equation: Equation) -> Spectrum:
    """Real Fourier coefficients in y."""
    grid = equation.grid
    return jnp.tensordot(grid.p_to_y(), V, axes=1)


def from_spectrum(spectrum: Spectrum, equation: Equation) -> HierarchyState:
    """Values on the grid."""
    grid = equation.grid
    return jnp.tensordot(grid.y_to_p(), spectrum, axes=1)


def map_in_real_basis(spectrum: Spectrum, equation: Equation, real_map: Callable[[Array], Array]) -> Spectrum:
    """A real map of the members at each y > 0, applied to (-i)^|n| V_n, in which d_p a^+ and d_p a are real."""
    side = equation.grid.p_side
    cosine, sine = members_of(equation.oscillator).powers_of_i(-1.0)
    re, im = complex_multiply(spectrum[1 : side + 1], spectrum[side + 1 :], cosine, sine)
    re, im = complex_multiply(real_map(re), real_map(im), cosine, -sine)
    return jnp.concatenate([spectrum[:1], re, im])
