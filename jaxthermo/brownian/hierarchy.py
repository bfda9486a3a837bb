"""The hierarchical Wigner (and Kramers) equation as a pure vector field on a phase grid.

The members W_n of the published equation carry momentum diffusion (1 + sum 2 eta_k) times the classical one, which
their coupling has to cancel again. Here the same equation is written for the coefficients V_n of W in Hermite
functions of the noises zeta_k, with the momentum measured from zeta = sum_k zeta_k:
    W = exp(D d_p^2/2) prod_k exp(mu_k d_p a_k^+) exp(lambda_k d_p a_k) U,    U_n = prod_k (-jitter_k/lambda_k)^n_k
    sqrt(n_k!) V_n, lambda_k = 1/nu_k,   mu_k = 2 gamma T eta_k,   jitter_k^2 = lambda_k mu_k,   D = sum_k jitter_k^2,
where (a_k W)_n = W_{n+e_k}, (a_k^+ W)_n = n_k W_{n-e_k}. The transformation is exact for the whole hierarchy. It
turns p into p + zeta and leaves q and d_p as they are, the cancelling diffusion is gone, and the depth needed falls:
V_n is what zeta_k does between two collisions, W_n had to hold its whole variance.

Fields have axes (p, n, q): momentum p - zeta, member of the hierarchy, position.
"""

import functools
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.bath import multi_indices
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.potential import force_phase
from jaxthermo.checks import as_float
from jaxthermo.solve.derivatives import stop_gradient

HierarchyState = Float[Array, "p n q"]

OPEN_DEPTH = (
    "`depth` must be given for this, as in jt.quantum_oscillator(potential, strength, poles=2, depth=3); "
    "oscillator = jt.brownian.resolved(oscillator, betas, fields) chooses it and the grid"
)


class Members:
    """The multi-indices n of a hierarchy and who is coupled to whom; `indices` is (members, modes).

    weights   of the modes, (modes,): above the second level only sum_k weight_k n_k <= depth is kept; None: all
    """

    def __init__(self, modes: int, depth: int, weights: np.ndarray | None = None):
        self.indices = multi_indices(modes, depth)
        if weights is not None:
            self.indices = self.indices[(self.indices @ weights <= depth) | (self.indices.sum(axis=1) <= 2)]
        self.level = self.indices.sum(axis=1)
        position = {tuple(n): i for i, n in enumerate(self.indices)}
        count = len(self.indices)
        # A neighbour outside the hierarchy is read from an extra member at the end, which is zero.
        self.above = np.full((modes, count), count)
        self.below = np.full((modes, count), count)
        for i, n in enumerate(self.indices):
            for k in range(modes):
                step = np.eye(modes, dtype=int)[k]
                self.above[k, i] = position.get(tuple(n + step), count)
                self.below[k, i] = position.get(tuple(n - step), count)

    def __len__(self) -> int:
        return len(self.indices)

    def powers_of_i(self, sign: float) -> tuple[Float[Array, "1 members 1"], Float[Array, "1 members 1"]]:
        """Real and imaginary part of (sign i)^|n| for every member."""
        powers = np.array([1.0, 1.0j, -1.0, -1.0j])[self.level % 4][None, :, None]
        return jnp.asarray(powers.real), jnp.asarray(sign * powers.imag)


_members = functools.lru_cache(maxsize=16)(Members)


def members_of(oscillator: Oscillator) -> Members:
    """The hierarchy of an oscillator; a single member for the classical one."""
    bath = oscillator.bath
    if bath.depth is None:
        raise ValueError(OPEN_DEPTH)
    return _members(bath.modes, bath.depth if bath.modes else 0)


def phases(oscillator: Oscillator, grid: PhaseGrid) -> tuple[Float[Array, "y q"], Float[Array, "y q"]]:
    """Phase rates of U and of X in (y, q), for y > 0; the field contributes phi_U - x phi_X."""
    q, y = grid.q, grid.y[1:]
    if oscillator.quantum:
        hbar = oscillator.hbar
        return oscillator.potential.moyal_phase(q, y, hbar), oscillator.coordinate.moyal_phase(q, y, hbar)
    return force_phase(oscillator.potential, q, y), force_phase(oscillator.coordinate, q, y)


class Equation(eqx.Module):
    """The equation on one grid: what its vector field needs, beside temperature and field, which change with time."""

    oscillator: Oscillator
    phase_u: Float[Array, "y q"]
    phase_x: Float[Array, "y q"]
    grid: PhaseGrid


def equation_on(oscillator: Oscillator, grid: PhaseGrid | None = None) -> Equation:
    """The equation of an oscillator on a grid, by default its own.

    It is no parameter: nothing is differentiated with respect to its steps.
    """
    grid = stop_gradient(oscillator.grid if grid is None else grid)
    assert grid is not None
    return Equation(oscillator, *phases(oscillator, grid), grid)


def vector_field(
    V: HierarchyState, equation: Equation, t: Any, temperature: Any, x: Any, heating: Any = 0.0
) -> HierarchyState:
    """dV/dt of every member of the hierarchy.

    Equation   dV/dt = -((p + zeta)/m) d_q V + Moyal[U - xX] V + bath, see `BathTerms`
    Shapes     V: (p_points, members, q_points); temperature, x, heating = d ln T/dt: scalars
    """
    oscillator, grid = equation.oscillator, equation.grid
    members, bath = members_of(oscillator), oscillator.bath
    terms = bath.terms(t, as_float(temperature), oscillator.hbar, heating)
    side, mass, memory = grid.p_side, oscillator.mass, terms.memory
    down = jnp.asarray(annihilation_operators(members))
    up = jnp.swapaxes(down, 1, 2)

    velocity = grid.p[:, None, None] * V
    if bath.modes:
        velocity = velocity + mix_members(weighted_sum(terms.jitter, down + up), V)
    velocity = velocity / mass
    # What stands to the right of one derivative d_p, which acts as i y.
    flux = terms.friction * velocity
    if bath.modes:
        mixed = weighted_sum(terms.push, down + up) + terms.heating * weighted_sum(terms.jitter, up - down)
        if memory is not None:
            mixed = mixed + weighted_sum(memory.cross, up)
        flux = flux + mix_members(mixed, V)

    spectrum, flux = (jnp.tensordot(grid.p_to_y(), f, axes=1) for f in (V, flux))
    y = grid.y[1:][:, None, None]
    rate = (equation.phase_u - as_float(x) * equation.phase_x)[:, None, :] + terms.spring * y * grid.q[None, None]
    damping = (terms.diffusion + terms.heating * jnp.sum(terms.jitter**2)) * y**2
    re, im = spectrum[1 : side + 1], spectrum[side + 1 :]
    d_re = -rate * im - y * flux[side + 1 :] - damping * re
    d_im = rate * re + y * flux[1 : side + 1] - damping * im
    local = jnp.concatenate([jnp.zeros_like(spectrum[:1]), d_re, d_im])

    change = jnp.tensordot(grid.y_to_p(), local, axes=1) - jnp.matmul(velocity, derivative(grid).T)
    if bath.modes:
        decay = jnp.asarray(members.indices, dtype=float) @ (terms.decay + terms.heating)
        change = change - decay[None, :, None] * V
    if memory is None:
        return change
    pairs = jnp.einsum("kl,kmi,lin->mn", memory.feed + memory.stretch, up, down)
    pairs = pairs + jnp.einsum("kl,kmi,lin->mn", memory.stretch, up, up)
    return change + mix_members(weighted_sum(memory.drag, up), velocity) - mix_members(pairs, V)


def annihilation_operators(members: Members) -> np.ndarray:
    """The operators a_k as matrices on the members that are kept, (modes, members, members)."""
    modes, count = members.above.shape
    lower = np.zeros((modes, count, count))
    for k in range(modes):
        inside = np.flatnonzero(members.above[k] < count)
        lower[k, inside, members.above[k][inside]] = np.sqrt(members.indices[inside, k] + 1.0)
    return lower


def weighted_sum(weights: Float[Array, " modes"], matrices: Float[Array, "modes n n"]) -> Float[Array, "n n"]:
    """sum_k weight_k matrix_k."""
    return jnp.tensordot(weights, matrices, axes=1)


def mix_members(matrix: Float[Array, "n n"], V: HierarchyState) -> HierarchyState:
    """A matrix that mixes the members, at every momentum and position.

    XLA takes a third of the time for it that a batch of small products `matrix @ V` takes on a CPU.
    """
    return jnp.einsum("mn,pnq->pmq", matrix, V)


def weighted(field: HierarchyState, neighbour: np.ndarray, weight: np.ndarray) -> HierarchyState:
    """weight_n field_{neighbour(n)}, where a neighbour outside the hierarchy counts as zero."""
    inside = neighbour < field.shape[1]
    return field[:, np.where(inside, neighbour, 0)] * jnp.asarray(np.where(inside, weight, 0.0))[None, :, None]


def derivative(grid: PhaseGrid) -> Float[Array, "q q"]:
    """The spectral derivative d/dq as a matrix on the grid's points."""
    waves = grid.k
    side = grid.q_side
    coefficients = grid.q_to_k()
    k = waves[1:, None]
    re, im = coefficients[1 : side + 1], coefficients[side + 1 :]
    turned = jnp.concatenate([jnp.zeros_like(coefficients[:1]), -k * im, k * re])
    return grid.k_to_q() @ turned
