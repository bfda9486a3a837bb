"""Generalised conjugate residuals against a dense solve, within one block of directions, several, and beyond."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxthermo.solve.krylov import BLOCK, least_residual

SIZE = 160


def matrix(spread: float) -> np.ndarray:
    """Not symmetric, with eigenvalues whose real parts lie between 1 and `spread`."""
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(SIZE, SIZE)))[0]
    skew = np.diag(np.full(SIZE - 1, 0.2), 1)
    return turn @ (np.diag(np.linspace(1.0, spread, SIZE)) + skew - skew.T) @ turn.T


@functools.partial(jax.jit, static_argnums=(2, 3))
def solved(A: jax.Array, rhs: jax.Array, limit: int, blocks: int) -> tuple[jax.Array, jax.Array]:
    return least_residual(lambda v: A @ v, lambda v: v, rhs, 1e-11, limit, blocks * BLOCK)


# How many steps it takes: some 20, 90, and 90 of which only the last 40 and 80 are known.
@pytest.mark.parametrize(("spread", "blocks"), [(3.0, 3), (60.0, 3), (60.0, 1), (60.0, 2)])
def test_the_solution_is_that_of_a_dense_solve(spread, blocks):
    A, rhs = matrix(spread), np.random.default_rng(4).normal(size=SIZE)
    found, error = solved(jnp.asarray(A), jnp.asarray(rhs), 400, blocks)
    exact = np.linalg.solve(A, rhs)
    off = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    assert off < 1e-10 and off <= error < 1e-7


def test_a_solve_that_is_cut_short_says_how_far_it_is_off():
    A, rhs = matrix(60.0), np.random.default_rng(4).normal(size=SIZE)
    found, error = solved(jnp.asarray(A), jnp.asarray(rhs), 30, 3)
    exact = np.linalg.solve(A, rhs)
    off = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    assert 1e-4 < off <= error
