"""The hierarchy's stationary equation among a few levels of H_A, and its solution; in NumPy alone.

Among the levels the generator is block-tridiagonal in the level of the members. Eliminating the members from the
deepest one upwards, each as if it stood alone beside what it eliminated before, gives about the inverse, with what a
member does by itself inverted as `pivots.py` says; steps of GMRES do the rest. Members of one level are treated
together. The sizes differ from question to question, so nothing is compiled. The momentum is measured as `frame.py`
says.
"""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxthermo.brownian.hierarchy import Members, annihilation_operators
from jaxthermo.brownian.levels.frame import Frame
from jaxthermo.brownian.levels.matrices import Levels, Matrices
from jaxthermo.brownian.oscillator import Oscillator

# About the inverse of what the members of this level do by themselves: (members, n, n) to the same.
Pivot = Callable[[int, Matrices], Matrices]
# Of the solve, relative to its first residual; its steps between restarts, and how often it starts.
TOLERANCE, STEPS, STARTS = 1e-10, 40, 10


class Problem:
    """The hierarchy's generator among the levels, with so many members, in a frame."""

    def __init__(self, levels: Levels, oscillator: Oscillator, members: Members, frame: Frame):
        # Not at the top: importing the library should not load SciPy.
        from scipy.sparse import csr_array

        noise, left = frame.noise, frame.left
        self.levels, self.mass, self.hbar = levels, float(oscillator.mass), float(oscillator.hbar)
        self.members, self.size, self.count = members, len(levels.H), len(members)
        self.carried = frame.carried
        self.friction, self.diffusion = noise.friction, noise.diffusion + float(np.sum(noise.decay * left**2))
        self.decay = members.indices @ noise.decay
        up = np.swapaxes(annihilation_operators(members), 1, 2)
        # To the member above: flow F - drift d_p; from there down: the transposes, with flow F + drift d_p.
        self.flow, self.drift = (np.tensordot(w, up, axes=1) for w in (self.carried, noise.decay * left))
        self.first = members.above[:, 0]
        self.by_level = [np.flatnonzero(members.level == level) for level in range(members.level.max() + 1)]

        def mixer(flow: Matrices, drift: Matrices) -> Any:
            """What d_p and what d_q acts on in flow F + drift d_p. Each member has few neighbours."""
            return csr_array(np.concatenate([self.friction / self.mass * flow + drift, flow / self.mass]))

        # From each level to the next, from there back, and among all.
        steps = [np.ix_(above, here) for here, above in itertools.pairwise(self.by_level)]
        self.upwards = [mixer(self.flow[one], -self.drift[one]) for one in steps]
        self.downwards = [mixer(self.flow[one].T, self.drift[one].T) for one in steps]
        self.mixing = mixer(self.flow + self.flow.T, self.drift.T - self.drift)

    def among(self, n: int) -> "Problem":
        """The same hierarchy among the lowest n levels alone."""
        problem = copy.copy(self)
        problem.levels, problem.size = Levels(*(operator[:n, :n] for operator in self.levels)), n
        return problem

    def alone(self, M: Matrices) -> Matrices:
        """Motion under H_A, friction and white noise."""
        turned, H = np.swapaxes(M, -1, -2), self.levels.H
        flux = self.friction / self.mass * self.times_p(M) + self.diffusion * self.by_p(M)
        return -(H @ turned - turned @ H) / self.hbar + self.by_p(flux)

    def times_p(self, M: Matrices) -> Matrices:
        """{p, .}/2."""
        turned = np.swapaxes(M, -1, -2)
        return 0.5 * (self.levels.P @ turned + turned @ self.levels.P)

    def by_p(self, M: Matrices) -> Matrices:
        """d_p."""
        turned = np.swapaxes(M, -1, -2)
        return -(self.levels.q @ turned - turned @ self.levels.q) / self.hbar

    def by_q(self, M: Matrices) -> Matrices:
        """d_q."""
        return -(self.levels.P @ M - M @ self.levels.P) / self.hbar

    def flowing(self, M: Matrices) -> Matrices:
        """F = (gamma d_p - d_q)/m."""
        return (self.friction * self.by_p(M) - self.by_q(M)) / self.mass

    def moved(self, mixer: Any, M: Matrices) -> Matrices:
        """Members mixed, and moved by d_p and d_q."""
        first, second = (mixer @ M.reshape(len(M), -1)).reshape(2, -1, *M.shape[1:])
        turned, (_, q, P, _) = np.swapaxes(first, -1, -2), self.levels
        # In place: where memory is fetched anew, that takes longer than the products.
        out, product = turned @ q, np.empty_like(first)
        out -= np.matmul(q, turned, out=product)
        out += np.matmul(P, second, out=product)
        out -= np.matmul(second, P, out=product)
        out /= self.hbar
        return out

    def __call__(self, M: Matrices) -> Matrices:
        """-dV/dt with the trace of V_0 in its identity: regular, and its solution for the identity is the state."""
        change = self.decay[:, None, None] * M
        change -= self.alone(M)
        change -= self.moved(self.mixing, M)
        change[0] += np.trace(M[0]) / self.size * np.eye(self.size)
        return change

    def swept(self, pivot: Pivot, M: Matrices) -> Matrices:
        """About the solution for M: elimination from the deepest members up, substitution from V_0 down."""
        done, groups = np.zeros_like(M), self.by_level
        done[groups[-1]] = pivot(len(groups) - 1, M[groups[-1]])
        for level, down in reversed(list(enumerate(self.downwards))):
            done[groups[level]] = pivot(level, M[groups[level]] + self.moved(down, done[groups[level + 1]]))
        for level, up in enumerate(self.upwards):
            done[groups[level + 1]] += pivot(level + 1, self.moved(up, done[groups[level]]))
        return done

    def solve(
        self, pivot: Pivot, start: Matrices | None = None, tolerance: float = TOLERANCE
    ) -> tuple[Matrices, float]:
        """All members of the stationary state, from a guess, and the residual that is left over the first one."""
        from scipy.sparse.linalg import LinearOperator, gmres

        n = self.size
        shape, numbers = (self.count, n, n), self.count * n * n
        rhs = np.zeros(shape)
        rhs[0] = np.eye(n) / n

        def operator(linear: Callable[[Matrices], Matrices]) -> LinearOperator:
            return LinearOperator((numbers, numbers), lambda v: linear(v.reshape(shape)).ravel(), dtype=float)

        whole, about = operator(self), operator(lambda M: self.swept(pivot, M))
        found, _ = gmres(
            whole,
            rhs.ravel(),
            x0=None if start is None else start.ravel(),
            M=about,
            rtol=tolerance,
            atol=0.0,
            restart=STEPS,
            maxiter=STARTS,
        )
        left = self.swept(pivot, (rhs - self(found.reshape(shape))).reshape(shape))
        return found.reshape(shape), float(np.linalg.norm(left) / np.linalg.norm(found))

    def moments(self, M: Matrices) -> Matrices:
        """<q^2>, <q>, <U> and <p^2> of a state."""
        levels = self.levels
        squared = -levels.P @ levels.P
        p2 = np.sum(M[0] * squared) + np.sum(self.carried**2)
        for width, i in zip(self.carried, self.first, strict=True):
            p2 += 2.0 * width * np.sum(levels.P * M[i])
        return np.array([np.sum(M[0] * (levels.q @ levels.q)), np.sum(M[0] * levels.q), np.sum(M[0] * levels.U), p2])
