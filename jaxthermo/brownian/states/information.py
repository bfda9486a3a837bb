"""Entropy of a phase-space density, and the exact bound that it sets for minimum work."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.hierarchy import Equation, HierarchyState
from jaxthermo.brownian.observables import low_members, moments


def gibbs_entropy(V: HierarchyState, equation: Equation) -> Float[Array, ""]:
    """-integral of W ln(2 pi hbar |W|) dq dp of a classical density.

    Far from its support a density is rounding errors of both signs, whose contributions cancel in this form.
    """
    return _sum(V[:, 0], equation) * equation.grid.cell


def entropy_error(V: HierarchyState, equation: Equation) -> Float[Array, ""]:
    """What the mesh may have changed in `gibbs_entropy`: how much a sum on half the steps differs.

    Both sums are of one trigonometric polynomial, so that they agree where the mesh resolves the density.
    """
    grid = equation.grid
    W = jnp.asarray(_halved(grid.p_side)) @ V[:, 0] @ jnp.asarray(_halved(grid.q_side)).T
    return jnp.abs(0.25 * _sum(W, equation) - _sum(V[:, 0], equation)) * grid.cell


def _sum(W: Float[Array, "p q"], equation: Equation) -> Float[Array, ""]:
    empty = W == 0.0
    logarithm = jnp.log(2.0 * np.pi * equation.oscillator.hbar * jnp.abs(jnp.where(empty, 1.0, W)))
    return -jnp.sum(W * logarithm)


@functools.lru_cache(maxsize=64)
def _halved(side: int) -> np.ndarray:
    """The matrix from values on a mesh to those of the same waves on a mesh of half the step, twice as many."""
    points = 2 * side + 1
    distance = np.subtract.outer(np.arange(2 * points) / 2.0, np.arange(points))
    waves = np.arange(1, side + 1)
    return (1.0 + 2.0 * np.cos(2.0 * np.pi / points * distance[:, :, None] * waves).sum(axis=2)) / points


def information_planck(V: HierarchyState, equation: Equation, beta: Any, x: Any) -> Float[Array, ""]:
    """Xi_info = S_Gibbs - beta U + x~ X = Xi_qst - KL(W || W_eq(beta, x)), below any Xi_neq of a classical state."""
    now = moments(V[:, low_members(equation.oscillator)], equation, 1.0 / beta)
    return gibbs_entropy(V, equation) - beta * (now.U - x * now.X)


def entropy_production_rate(V: HierarchyState, equation: Equation, beta: Any) -> Float[Array, ""]:
    """gamma beta integral of (p W/m + T d_p W)^2 / W dq dp >= 0: what the Kramers equation adds to S_Gibbs - beta Q.

    Where the density has fallen to rounding errors it is left out.
    """
    grid, oscillator = equation.grid, equation.oscillator
    W = V[:, 0]
    spectrum = grid.p_to_y() @ W
    side = grid.p_side
    y = grid.y[1:][:, None]
    turned = jnp.concatenate([jnp.zeros_like(spectrum[:1]), -y * spectrum[side + 1 :], y * spectrum[1 : side + 1]])
    slope = grid.y_to_p() @ turned
    flux = grid.p[:, None] * W / oscillator.mass + slope / beta
    kept = jnp.max(W) * 1e-9 < W
    density = jnp.where(kept, flux**2 / jnp.where(kept, W, 1.0), 0.0)
    return oscillator.bath.friction() * beta * jnp.sum(density) * grid.cell
