"""The stationary state from the hierarchy among a few levels, and from there on a phase grid.

Among the levels the generator is block-tridiagonal in the level of the members. Eliminating the members from the
deepest one upwards, each as if it stood alone beside what it eliminated before, gives inverses that are exact for one
pole and nearly so for more; a few steps of conjugate residuals do the rest.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.hierarchy import Field, Workspace, lowering, members_of, weighed
from jaxthermo.brownian.levels import Levels, Matrices, to_grid
from jaxthermo.solve.residuals import BLOCK, least_residual

# Of the solve, relative to its first residual, and its steps.
TOLERANCE, LIMIT = 1e-13, 3 * BLOCK


class Generator(eqx.Module):
    """The hierarchy's generator among the levels, without the decay and the ladder that couples the members."""

    levels: Levels
    friction: Float[Array, ""]  # gamma / m
    diffusion: Float[Array, ""]  # gamma T
    mass: Float[Array, ""]
    hbar: Float[Array, ""]

    def alone(self, M: Matrices) -> Matrices:
        """Motion under H_A, friction and white noise."""
        turned = jnp.swapaxes(M, -1, -2)
        H, P = self.levels.H, self.levels.P
        flux = 0.5 * self.friction * (P @ turned + turned @ P) + self.diffusion * self.by_p(M)
        return -(H @ turned - turned @ H) / self.hbar + self.by_p(flux)

    def by_p(self, M: Matrices) -> Matrices:
        """d_p."""
        turned = jnp.swapaxes(M, -1, -2)
        return -(self.levels.q @ turned - turned @ self.levels.q) / self.hbar

    def pushed(self, M: Matrices) -> Matrices:
        """(-d_q + gamma d_p)/m, which stands beside zeta."""
        by_q = -(self.levels.P @ M - M @ self.levels.P) / self.hbar
        return -by_q / self.mass + self.friction * self.by_p(M)

    def pulled(self, M: Matrices) -> Matrices:
        """The transpose of `pushed`."""
        turned = jnp.swapaxes(M, -1, -2)
        by_p = -(turned @ self.levels.q - self.levels.q @ turned) / self.hbar
        return (M @ self.levels.P - self.levels.P @ M) / (self.hbar * self.mass) + self.friction * by_p


class Problem(eqx.Module):
    """The generator, the decay of every member, and the couplings to those above and below it."""

    generator: Generator
    decay: Float[Array, " members"]
    raising: Float[Array, "members members"]  # from a member to those above it
    above: Float[Array, "modes members"]  # the couplings squared

    def __call__(self, M: Matrices) -> Matrices:
        """-dV/dt with the trace of V_0 in its identity: regular, and its solution for the identity is the state."""
        zeta = self.raising + self.raising.T
        change = self.generator.alone(M) - self.decay[:, None, None] * M
        change = change + self.generator.pushed(jnp.einsum("mn,nij->mij", zeta, M))
        return pinned(M) - change


def pinned(M: Matrices) -> Matrices:
    """The mean of the diagonal of V_0 on that diagonal."""
    n = M.shape[-1]
    return jnp.zeros_like(M).at[0].set(jnp.trace(M[0]) / n * jnp.eye(n))


def problem_of(work: Workspace, temperature: Any, levels: Levels) -> Problem:
    """The problem at one temperature, at the field of the levels."""
    oscillator, members = work.oscillator, members_of(work.oscillator)
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar)
    raising = weighed(terms.jitter, jnp.asarray(np.swapaxes(lowering(members), 1, 2)))
    squared = terms.jitter[:, None] ** 2 * (members.indices.T + 1.0)
    generator = Generator(levels, terms.friction / oscillator.mass, terms.diffusion, oscillator.mass, oscillator.hbar)
    return Problem(generator, jnp.asarray(members.indices, dtype=float) @ terms.decay, raising, squared)


def pivots(problem: Problem, neighbours: np.ndarray) -> Float[Array, "members ll ll"]:
    """The inverse of each member's own block, less what the members above it, taken one by one, give back.

    `neighbours`: for each mode and member the member above, (modes, members); the number of members where there is none
    """
    n = problem.generator.levels.H.shape[0]
    units = jnp.eye(n * n).reshape(n * n, n, n)
    alone = problem.generator.alone(units).reshape(n * n, n * n).T
    trace = jnp.eye(n).reshape(-1)
    count = neighbours.shape[1]

    def eliminated(step: Array, inverses: Array) -> Array:
        i = count - 1 - step
        back = jnp.tensordot(problem.above[:, i], inverses[jnp.asarray(neighbours)[:, i]], axes=1)
        back = by_columns(problem.generator.pushed, by_columns(problem.generator.pulled, back.T).T)
        block = problem.decay[i] * jnp.eye(n * n) - alone - back
        block = block + jnp.where(i == 0, 1.0 / n, 0.0) * jnp.outer(trace, trace)
        return inverses.at[i].set(jnp.linalg.inv(block))

    def by_columns(linear: Callable[[Array], Array], X: Array) -> Array:
        return linear(X.T.reshape(n * n, n, n)).reshape(n * n, n * n).T

    none = jnp.zeros((count + 1, n * n, n * n))
    return jax.lax.fori_loop(0, count, eliminated, none)[:count]


def swept(problem: Problem, inverses: Array, M: Matrices) -> Matrices:
    """About the solution for M: elimination from the deepest members up, substitution from V_0 down."""
    count, n = M.shape[0], M.shape[-1]

    def solve(i: Array, rhs: Array) -> Array:
        return (inverses[i] @ rhs.reshape(-1)).reshape(n, n)

    def up(step: Array, done: Matrices) -> Matrices:
        i = count - 1 - step
        fed = jnp.tensordot(problem.raising[:, i], done, axes=1)
        return done.at[i].set(solve(i, M[i] + problem.generator.pushed(fed)))

    def down(i: Array, done: Matrices) -> Matrices:
        fed = jnp.tensordot(problem.raising[i], done, axes=1)
        return done.at[i].add(solve(i, problem.generator.pushed(fed)))

    return jax.lax.fori_loop(1, count, down, jax.lax.fori_loop(0, count, up, jnp.zeros_like(M)))


def members_by_levels(work: Workspace, temperature: Float[Array, ""], levels: Levels) -> tuple[Field, Float[Array, ""]]:
    """`stationary_members` by way of the levels, and the error that their number and the solve leave; no derivatives.

    Accuracy   what the highest two levels hold of V_0 tells what is missing above them
    """
    problem = problem_of(work, temperature, levels)
    inverses = pivots(problem, members_of(work.oscillator).above)
    n, count = levels.H.shape[0], len(members_of(work.oscillator))
    rhs = jnp.zeros((count, n, n)).at[0].set(jnp.eye(n) / n)

    def flat(linear: Callable[[Matrices], Matrices]) -> Callable[[Array], Array]:
        return lambda vector: linear(vector.reshape(rhs.shape)).reshape(-1)

    def approximately(M: Matrices) -> Matrices:
        return swept(problem, inverses, M)

    found, error = least_residual(flat(problem), flat(approximately), rhs.reshape(-1), TOLERANCE, LIMIT, LIMIT, True)
    M = found.reshape(rhs.shape)
    return to_grid(M, levels, work), error + jnp.max(jnp.abs(M[0, -2:])) / jnp.max(jnp.abs(M[0]))
