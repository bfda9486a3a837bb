"""Generalised conjugate residuals: least residuals over a Krylov space, one copy of the operator in the program."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

# A step that leaves more than this share of the residual takes its next direction from the last image instead.
STALLED = 0.99
# Directions that are made orthogonal at a time.
BLOCK = 40

Linear = Callable[[Array], Array]


class Conjugate(eqx.Module):
    """Where a solve is: x, its residual and the direction to try next, and the last directions with their images."""

    x: Float[Array, " n"]
    residual: Float[Array, " n"]
    next: Float[Array, " n"]
    directions: Float[Array, "memory n"]
    images: Float[Array, "memory n"]
    target: Float[Array, ""]
    steps: Int[Array, ""]


def least_residual(
    apply: Linear, precondition: Linear, rhs: Float[Array, " n"], tolerance: float, limit: int, memory: int, left: bool
) -> tuple[Float[Array, " n"], Float[Array, ""]]:
    """The solution of A x = rhs, and a bound of its error over its size in the 2-norm.

    From x = 0 by steps along preconditioned residuals, each made conjugate to the last `memory` ones. Until more than
    `memory` steps are taken it is GMRES in exact arithmetic. The residual that is made small is M (rhs - A x) if
    `left`, else rhs - A x. Stops when its 2-norm is at most `tolerance` times that of the first, or after `limit`
    steps. `memory` is a multiple of BLOCK.
    Source     Eisenstat, Elman & Schultz, SIAM J. Numer. Anal. 20, 345 (1983); the choice of the next direction:
               Jiranek & Rozloznik, Numer. Algorithms 53, 93 (2010)
    """

    def unfinished(state: Conjugate) -> Array:
        return (state.steps == 0) | ((_size(state.residual) > state.target) & (state.steps < limit))

    def step(state: Conjugate) -> Conjugate:
        # The first turn only finds the first residual, so that the program holds one copy of each operator.
        first = state.steps == 0
        if left:
            direction = state.next
            image = precondition(jnp.where(first, rhs, apply(direction)))
            residual = jnp.where(first, image, state.residual)
        else:
            direction = precondition(state.next)
            image, residual = apply(direction), jnp.where(first, rhs, state.residual)
        image, direction = _conjugated(image, direction, state)
        length = _size(image)
        scale = jnp.where(first | (length == 0), 0.0, 1.0 / jnp.where(length == 0, 1.0, length))
        image, direction = scale * image, scale * direction
        gain = image @ residual
        left_over = residual - gain * image
        stalled = ~first & (_size(left_over) > STALLED * _size(residual))
        slot = state.steps % memory
        return Conjugate(
            state.x + gain * direction,
            left_over,
            _unit(jnp.where(stalled, image, left_over)),
            state.directions.at[slot].set(direction),
            state.images.at[slot].set(image),
            jnp.where(first, tolerance * _size(residual), state.target),
            state.steps + 1,
        )

    none = jnp.zeros((memory, rhs.shape[0]), rhs.dtype)
    start = Conjugate(jnp.zeros_like(rhs), rhs, rhs, none, none, jnp.zeros((), rhs.dtype), jnp.zeros((), jnp.int32))
    done = jax.lax.while_loop(unfinished, step, start)
    return done.x, _error_left(done)


def _error_left(done: Conjugate) -> Array:
    """How far x may be from the solution, over the size of x: |inverse| |residual|.

    The images have length 1, so the lengths of their directions bound what the inverse does in the space searched: a
    slow mode shows as a long direction, however small the residual that it leaves.
    """
    largest = jnp.sqrt(jnp.vdot(done.directions, done.directions))
    return largest * _size(done.residual) / _size(done.x)


def _conjugated(image: Array, direction: Array, state: Conjugate) -> tuple[Array, Array]:
    """The image made orthogonal to all before it, and the direction moved along; by blocks, to leave out empty ones."""
    memory = state.images.shape[0]
    used = jnp.minimum((state.steps + BLOCK - 1) // BLOCK, memory // BLOCK)

    def block(i: Array, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        image, direction = pair
        images, directions = (
            jax.lax.dynamic_slice_in_dim(table, (i % used) * BLOCK, BLOCK) for table in (state.images, state.directions)
        )
        overlap = images @ image
        return image - overlap @ images, direction - overlap @ directions

    # Twice is enough: once leaves a loss of orthogonality that grows with the condition number.
    return jax.lax.fori_loop(0, 2 * used, block, (image, direction))


def _size(vector: Array) -> Array:
    return jnp.sqrt(vector @ vector)


def _unit(vector: Array) -> PyTree:
    size = _size(vector)
    return vector / jnp.where(size > 0, size, 1.0)
