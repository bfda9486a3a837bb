"""Real Fourier coefficients in y of all members, in which the split flows work."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.grid import turn
from jaxthermo.brownian.hierarchy import Field, Workspace, members_of

Spectrum = Float[Array, "w n q"]


class Noise(eqx.Module):
    """The values zeta_j that the truncated hierarchy resolves, and the orthogonal matrix from members to them."""

    values: Float[Array, " n"]
    basis: Float[Array, "n n"]


def to_spectrum(V: Field, work: Workspace) -> Spectrum:
    """Real Fourier coefficients in y."""
    grid = work.grid
    return jnp.tensordot(grid.p_to_y(), V, axes=1)


def from_spectrum(spectrum: Spectrum, work: Workspace) -> Field:
    """Values on the grid."""
    grid = work.grid
    return jnp.tensordot(grid.y_to_p(), spectrum, axes=1)


def twisted(spectrum: Spectrum, work: Workspace, real_map: Callable[[Array], Array]) -> Spectrum:
    """A real map of the members at each y > 0, applied to (-i)^|n| V_n, in which d_p a^+ and d_p a are real."""
    level, side = np.asarray(members_of(work.oscillator).level), work.grid.p_side
    cosine = jnp.asarray(np.array([1.0, 0.0, -1.0, 0.0])[level % 4][None, :, None])
    sine = jnp.asarray(np.array([0.0, -1.0, 0.0, 1.0])[level % 4][None, :, None])
    re, im = turn(spectrum[1 : side + 1], spectrum[side + 1 :], cosine, sine)
    re, im = turn(real_map(re), real_map(im), cosine, -sine)
    return jnp.concatenate([spectrum[:1], re, im])
