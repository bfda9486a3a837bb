"""The hierarchical Wigner equation as it was published, with all the noise in the members: a peer to race.

Same mesh, same potential and bath as `jaxthermo.brownian`, without its change of frame:

    dW_n/dt = -(L_qm + sum_k n_k nu_k) W_n + gamma d_p[p/m + T (1 + sum 2 eta_k) d_p] W_n
              - sum_k d_p W_{n+e_k} - sum_k n_k c_k d_p W_{n-e_k},      c_k = -2 gamma T eta_k nu_k.

Members are kept as P_n = W_n / prod_k [sqrt(n_k!) scale_k^n_k], scale_k = A sqrt(2 eta_k xi_k / hbar), which are all of
the order of W_0, and as real Fourier coefficients in y, the variable conjugate to p, with axes (y, n, q) as in
`jaxthermo.brownian.steps.split`: all but p itself and d_q is local there, so that two small matrix products make a
vector field. A plain method gets the cheapest form of its equation.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.bath import expansion
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, Members, members_of
from jaxthermo.brownian.steps.spectrum import Spectrum


def vector_field(P: Spectrum, equation: Equation, temperature: Any, x: Any) -> Spectrum:
    """dP/dt of every member; nothing refers to the temperature, so its rate of change does not enter."""
    oscillator, grid = equation.oscillator, equation.grid
    bath, members = oscillator.bath, members_of(oscillator)
    xi, eta = expansion(bath.scheme, bath.poles)
    gamma, scale = bath.friction(), _scale(equation)
    velocity = jnp.tensordot(_momentum(grid) / oscillator.mass, P, axes=1)
    # What stands to the right of one derivative d_p, which acts as i y.
    flux = gamma * velocity
    for k in range(bath.modes):
        up = jnp.asarray(np.sqrt(members.indices[:, k] + 1.0) * (members.above[k] < len(members)))
        down = jnp.asarray(np.sqrt(members.indices[:, k]))
        flux = flux - (scale[k] * up)[None, :, None] * P[:, members.above[k] % len(members)]
        flux = flux + (scale[k] * temperature**2 * down)[None, :, None] * P[:, members.below[k] % len(members)]
    y, side = jnp.asarray(grid.y[1:])[:, None, None], grid.p_side
    phase = (equation.phase_u - x * equation.phase_x)[:, None, :]
    damping = gamma * temperature * (1.0 + 2.0 * np.sum(eta)) * y**2
    re, im = P[1 : side + 1], P[side + 1 :]
    d_re = -phase * im - y * flux[side + 1 :] - damping * re
    d_im = phase * re + y * flux[1 : side + 1] - damping * im
    local = jnp.concatenate([jnp.zeros_like(P[:1]), d_re, d_im])
    decay = jnp.asarray(members.indices @ xi) * temperature / oscillator.hbar
    return local - decay[None, :, None] * P - jnp.tensordot(velocity, _derivative(grid).T, axes=1)


def position_density(P: Spectrum) -> Float[Array, " q"]:
    """int W_0 dp at every q: the coefficient of y = 0."""
    return P[0, 0]


def published_members(V: HierarchyState, equation: Equation, temperature: Any, depth: int) -> Spectrum:
    """P_n, |n| <= depth, of the state that the library holds as V: the same state of oscillator and bath.

    Equation   P = (-T)^|n| exp(-i y zeta) V, zeta = sum_k jitter_k (a_k + a_k^+): p is measured from 0 again. Taken as
               exp(-D y^2/2) exp(-i y sum jitter_k a_k^+) exp(-i y sum jitter_k a_k), whose series end
    """
    bath, grid = equation.oscillator.bath, equation.grid
    given = V.shape[1]
    members = Members(bath.modes, max(depth, bath.depth))
    jitter = np.asarray(bath.terms(0.0, jnp.ones(()), equation.oscillator.hbar).jitter)
    lower = sum(width * _lowering(members, k) for k, width in enumerate(jitter))
    coefficients = np.tensordot(np.asarray(grid.p_to_y()), np.asarray(V), axes=1)
    side = grid.p_side
    waves = coefficients[: side + 1].astype(complex)
    waves[1:] += 1j * coefficients[side + 1 :]
    waves = np.pad(waves, ((0, 0), (0, len(members) - given), (0, 0)))
    y = np.asarray(grid.y)
    angle = -1j * y[:, None, None]
    waves = _exponential(lower.T, angle, _exponential(lower, angle, waves, members), members)
    waves = waves * np.exp(-0.5 * np.sum(jitter**2) * y**2)[:, None, None]
    waves = waves * ((-float(temperature)) ** members.level)[:, None]
    kept = waves[:, members.level <= depth]
    return jnp.asarray(np.concatenate([kept.real, kept[1:].imag]))


def _exponential(matrix: np.ndarray, angle: np.ndarray, waves: np.ndarray, members: Members) -> np.ndarray:
    """exp(angle matrix) waves for a nilpotent matrix over the members, whose series ends."""
    total = term = waves
    for order in range(1, int(members.level.max()) + 1):
        term = angle / order * np.einsum("mn,ynq->ymq", matrix, term)
        total = total + term
    return total


def _lowering(members: Members, k: int) -> np.ndarray:
    matrix = np.zeros((len(members), len(members)))
    inside = np.flatnonzero(members.above[k] < len(members))
    matrix[inside, members.above[k][inside]] = np.sqrt(members.indices[inside, k] + 1.0)
    return matrix


def _scale(equation: Equation) -> Float[Array, " modes"]:
    bath = equation.oscillator.bath
    xi, eta = expansion(bath.scheme, bath.poles)
    return bath.strength * jnp.sqrt(jnp.asarray(2.0 * eta * xi) / equation.oscillator.hbar)


def _momentum(grid: Any) -> Float[Array, "w w"]:
    """Multiplication by p as a matrix on Fourier coefficients in y."""
    return (grid.p_to_y() * grid.p[None]) @ grid.y_to_p()


def _derivative(grid: Any) -> Float[Array, "q q"]:
    """The spectral derivative d/dq as a matrix on the grid's points."""
    waves = grid.q_to_k()
    k = jnp.asarray(grid.k[1:])[:, None]
    re, im = waves[1 : grid.q_side + 1], waves[grid.q_side + 1 :]
    turned = jnp.concatenate([jnp.zeros_like(waves[:1]), -k * im, k * re])
    return grid.k_to_q() @ turned
