"""The hierarchy among the levels for a bath whose friction has memory: one dense matrix; in NumPy.

Members of one level are mixed there, so no elimination level by level is near its inverse.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxthermo.brownian.frame import Frame
from jaxthermo.brownian.hierarchy import Members, lowering
from jaxthermo.brownian.level_problem import Problem
from jaxthermo.brownian.levels import Levels, Matrices
from jaxthermo.brownian.oscillator import Oscillator


class DenseProblem(Problem):
    """`Problem` with all terms that `BathTerms` has at one temperature."""

    def __init__(self, levels: Levels, oscillator: Oscillator, members: Members, frame: Frame, beta: float):
        super().__init__(levels, oscillator, members, frame)
        terms = oscillator.bath.terms(0.0, jnp.asarray(1.0 / beta), oscillator.hbar)
        self.matrix = self._matrix(terms)

    def __call__(self, M: Matrices) -> Matrices:
        return (self.matrix @ M.ravel()).reshape(M.shape)

    def solve(self) -> tuple[Matrices, float]:
        """All members of the stationary state, and what one step of refinement changes them by."""
        # Not at the top: importing the library should not load SciPy.
        from scipy.linalg import lu_factor, lu_solve

        factors, n = lu_factor(self.matrix), self.size
        rhs = np.zeros((self.count, n, n))
        rhs[0] = np.eye(n) / n
        found = lu_solve(factors, rhs.ravel())
        change = lu_solve(factors, rhs.ravel() - self.matrix @ found)
        return (found + change).reshape(rhs.shape), float(np.linalg.norm(change) / np.linalg.norm(found))

    def by_p_of_q(self, M: Matrices) -> Matrices:
        """d_p q."""
        return self.by_p(0.5 * (self.levels.q @ M + M @ self.levels.q))

    def _matrix(self, terms: Any) -> Matrices:
        """-L with the trace of V_0 in its identity."""
        down = lowering(self.members)
        up = np.swapaxes(down, 1, 2)
        n, one = self.size, np.eye(self.count)
        units = np.eye(n * n).reshape(n * n, n, n)

        def among(operator: Any) -> Matrices:
            return operator(units).reshape(n * n, n * n).T

        def weighed(weights: Any, matrices: Matrices) -> Matrices:
            return np.tensordot(np.asarray(weights), matrices, axes=1)

        jitter = weighed(terms.jitter, down + up)
        by_p, by_q, by_p_of_q, p = (among(f) for f in (self.by_p, self.by_q, self.by_p_of_q, self.times_p))
        pushed = terms.friction / self.mass * jitter + weighed(terms.push, down + up)
        mixed = -np.diag(self.decay)
        L = np.kron(one, among(self.alone) + float(terms.spring) * by_p_of_q) - np.kron(jitter / self.mass, by_q)
        if terms.memory is not None:
            memory = terms.memory
            drag = weighed(memory.drag, up) / self.mass
            L += np.kron(drag, p)
            pushed = pushed + weighed(memory.cross, up)
            mixed = mixed + drag @ jitter - np.einsum("kl,kmi,lin->mn", np.asarray(memory.feed), up, down)
        L += np.kron(pushed, by_p) + np.kron(mixed, np.eye(n * n))
        trace = np.eye(n).ravel()
        L[: n * n, : n * n] -= np.outer(trace, trace) / n
        return -L
