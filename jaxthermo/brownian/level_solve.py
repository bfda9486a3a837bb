"""The stationary state from the hierarchy among a few levels, and from there on a phase grid; in NumPy alone.

Among the levels the generator is block-tridiagonal in the level of the members. Eliminating the members from the
deepest one upwards, each as if it stood alone beside what it eliminated before, gives inverses that are exact for one
pole and nearly so for more; a few steps of GMRES do the rest. The sizes differ from question to question, so nothing is
compiled.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxthermo.brownian.hierarchy import Members, lowering, members_of
from jaxthermo.brownian.levels import Levels, Matrices, basis_of, to_grid
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.promise import PROMISED, SOLVED

# Of the solve, relative to its first residual; its steps between restarts, and how often it starts again.
TOLERANCE, STEPS, RESTARTS = 1e-13, 80, 2
# Numbers of levels that are tried in turn.
RUNGS = (12, 15, 19, 24, 30, 36, 42, 48)
# Members times levels^6, the work of inverting all blocks: some seconds.
WORK = 2.5e10
# Levels beyond those populated: a member n may have |n| quanta more than the state, and coherences fall with the root
# of populations.
MORE = 2
# A share of the levels wanted, below which it is not tried.
FEWEST = 0.5


class Found(NamedTuple):
    """Members on the grid of this oscillator, and the errors that the levels and the depth leave."""

    oscillator: Oscillator
    V: Matrices
    error: float
    truncated: float


class Problem:
    """The hierarchy's generator among the levels."""

    def __init__(self, levels: Levels, oscillator: Oscillator, beta: float, members: Members):
        terms = oscillator.bath.terms(0.0, jnp.asarray(1.0 / beta), oscillator.hbar)
        self.levels, self.mass, self.hbar = levels, float(oscillator.mass), float(oscillator.hbar)
        self.friction, self.diffusion = float(terms.friction), float(terms.diffusion)
        self.jitter = np.asarray(terms.jitter)
        self.size, self.count = len(levels.H), len(members)
        self.decay = members.indices @ np.asarray(terms.decay)
        self.raising = np.tensordot(self.jitter, np.swapaxes(lowering(members), 1, 2), axes=1)
        self.first = members.above[:, 0]

    def alone(self, M: Matrices) -> Matrices:
        """Motion under H_A, friction and white noise."""
        turned = np.swapaxes(M, -1, -2)
        H, P = self.levels.H, self.levels.P
        flux = 0.5 * self.friction / self.mass * (P @ turned + turned @ P) + self.diffusion * self.by_p(M)
        return -(H @ turned - turned @ H) / self.hbar + self.by_p(flux)

    def by_p(self, M: Matrices) -> Matrices:
        """d_p."""
        turned = np.swapaxes(M, -1, -2)
        return -(self.levels.q @ turned - turned @ self.levels.q) / self.hbar

    def pushed(self, M: Matrices) -> Matrices:
        """(-d_q + gamma d_p)/m, which stands beside zeta."""
        by_q = -(self.levels.P @ M - M @ self.levels.P) / self.hbar
        return (self.friction * self.by_p(M) - by_q) / self.mass

    def pulled(self, M: Matrices) -> Matrices:
        """The transpose of `pushed`."""
        turned = np.swapaxes(M, -1, -2)
        by_p = -(turned @ self.levels.q - self.levels.q @ turned) / self.hbar
        return ((M @ self.levels.P - self.levels.P @ M) / self.hbar + self.friction * by_p) / self.mass

    def __call__(self, M: Matrices) -> Matrices:
        """-dV/dt with the trace of V_0 in its identity: regular, and its solution for the identity is the state."""
        neighbours = np.tensordot(self.raising + self.raising.T, M, axes=1)
        change = self.alone(M) - self.decay[:, None, None] * M + self.pushed(neighbours)
        change[0] -= np.trace(M[0]) / self.size * np.eye(self.size)
        return -change

    def pivots(self) -> Matrices:
        """The inverse of each member's own block, less what the members above it, taken one by one, give back."""
        n = self.size
        units, trace = np.eye(n * n).reshape(n * n, n, n), np.eye(n).ravel()
        alone = self.alone(units).reshape(n * n, n * n).T
        inverses = np.zeros((self.count, n * n, n * n))
        for i in reversed(range(self.count)):
            block = self.decay[i] * np.eye(n * n) - alone
            above = np.flatnonzero(self.raising[:, i])
            if len(above):
                back = np.tensordot(self.raising[above, i] ** 2, inverses[above], axes=1)
                back = self._by_rows(self.pushed, self._by_rows(self.pulled, back).T).T
                block -= back
            if i == 0:
                block += np.outer(trace, trace) / n
            inverses[i] = np.linalg.inv(block)
        return inverses

    def _by_rows(self, linear: Callable[[Matrices], Matrices], X: Matrices) -> Matrices:
        n = self.size
        return linear(X.reshape(n * n, n, n)).reshape(n * n, n * n)

    def swept(self, inverses: Matrices, M: Matrices) -> Matrices:
        """About the solution for M: elimination from the deepest members up, substitution from V_0 down."""
        done = np.zeros_like(M)
        shape = M.shape[1:]
        for i in reversed(range(self.count)):
            fed = self.pushed(np.tensordot(self.raising[:, i], done, axes=1))
            done[i] = (inverses[i] @ (M[i] + fed).ravel()).reshape(shape)
        for i in range(1, self.count):
            fed = self.pushed(np.tensordot(self.raising[i], done, axes=1))
            done[i] += (inverses[i] @ fed.ravel()).reshape(shape)
        return done

    def solve(self) -> tuple[Matrices, float]:
        """All members of the stationary state, and the residual that is left over the first one."""
        # Not at the top: importing the library should not load SciPy.
        from scipy.sparse.linalg import LinearOperator, gmres

        inverses, n = self.pivots(), self.size
        shape, numbers = (self.count, n, n), self.count * n * n
        rhs = np.zeros(shape)
        rhs[0] = np.eye(n) / n

        def operator(linear: Callable[[Matrices], Matrices]) -> LinearOperator:
            return LinearOperator((numbers, numbers), lambda v: linear(v.reshape(shape)).ravel(), dtype=float)

        whole, about = operator(self), operator(lambda M: self.swept(inverses, M))
        found, _ = gmres(whole, rhs.ravel(), M=about, rtol=TOLERANCE, atol=0.0, restart=STEPS, maxiter=RESTARTS)
        left = self.swept(inverses, (rhs - self(found.reshape(shape))).reshape(shape))
        return found.reshape(shape), float(np.linalg.norm(left) / np.linalg.norm(found))

    def moments(self, M: Matrices) -> Matrices:
        """<q^2>, <q>, <U> and <p^2> of a state."""
        levels = self.levels
        squared = -levels.P @ levels.P
        p2 = np.sum(M[0] * squared) + np.sum(self.jitter**2)
        for width, i in zip(self.jitter, self.first, strict=True):
            p2 += 2.0 * width * np.sum(levels.P * M[i])
        return np.array([np.sum(M[0] * (levels.q @ levels.q)), np.sum(M[0] * levels.q), np.sum(M[0] * levels.U), p2])


def equilibrium_by_levels(oscillator: Oscillator, beta: float, x: float, deepen: int) -> Found | None:
    """The stationary state by way of its levels, or None where these are too many.

    deepen     the most members for which the depth may be raised, until two depths agree
    Accuracy   `error`: what the highest two levels hold of V_0 tells what is missing above them. `truncated`: the
               change of the moments by the last step in depth, over their scale
    """
    basis = basis_of(oscillator, beta, x)
    if basis is None:
        return None
    members = len(members_of(oscillator))
    affordable = [n for n in RUNGS if members * n**6 <= WORK]
    wanted = basis.populated + MORE
    tried = [n for n in affordable if n >= wanted] or affordable[-1:]
    if not tried or tried[0] < FEWEST * wanted:
        return None
    for n in tried:
        problem = Problem(basis.lowest(n), oscillator, beta, members_of(oscillator))
        M, error = problem.solve()
        error += np.abs(M[0, -2:]).max() / np.abs(M[0]).max()
        if error < 0.5 * SOLVED:
            break
    truncated = float("inf")
    if error < SOLVED:
        oscillator, M, truncated = _deepened(oscillator, beta, problem, M, deepen)
    grid: Any = oscillator.grid
    return Found(oscillator, to_grid(M, basis, grid, float(oscillator.hbar)), float(error), truncated)


def _deepened(
    oscillator: Oscillator, beta: float, problem: Problem, M: Matrices, most: int
) -> tuple[Oscillator, Matrices, float]:
    """The state with one level more at a time, until that changes the moments by less than is promised."""
    depth: Any = oscillator.bath.depth
    if not depth or bool(oscillator.potential.is_quadratic() & oscillator.coordinate.is_quadratic()):
        return oscillator, M, 0.0
    if depth == 1:
        return oscillator, M, float("inf")
    less = eqx.tree_at(lambda o: o.bath, oscillator, oscillator.bath.with_depth(depth - 1))
    before = Problem(problem.levels, less, beta, members_of(less))
    old, new = before.moments(before.solve()[0]), problem.moments(M)
    while (truncated := _apart(old, new)) > 0.5 * PROMISED:
        depth += 1
        deeper = eqx.tree_at(lambda o: o.bath, oscillator, oscillator.bath.with_depth(depth))
        count = len(members_of(deeper))
        if count > most or count * problem.size**6 > WORK:
            break
        oscillator, old = deeper, new
        problem = Problem(problem.levels, oscillator, beta, members_of(oscillator))
        M, _ = problem.solve()
        new = problem.moments(M)
    return oscillator, M, truncated


def _apart(old: Matrices, new: Matrices) -> float:
    """The largest change of <q^2>, <q>, <U>, <p^2> over its scale."""
    q2, _, _, p2 = new
    return float(np.max(np.abs(new - old) / np.array([q2, np.sqrt(q2), p2, p2])))
