"""The slowest modes of the generator among a few levels of H_A, where a grid would need ever finer shapes; in NumPy.

At weak coupling a mode among the levels decays by the square of the coupling, and its frequency is a difference of
energies over hbar, such as the splitting of two wells by tunnelling. The generator is a small dense matrix here, and
all its eigenvalues are known at once, so none that is slow can be missed.
"""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxthermo.brownian.hierarchy import Members
from jaxthermo.brownian.level_problem import Problem
from jaxthermo.brownian.levels import Basis, Matrices, basis_of, is_hard
from jaxthermo.brownian.oscillator import Oscillator

# Numbers of levels that are tried in turn, and of unknowns of the largest matrix: half a minute.
RUNGS, MOST = (8, 10, 12, 14, 16, 18, 21, 24, 28, 32, 36, 40), 2200
# The depth that is tried first, and last.
SHALLOWEST, DEEPEST = 1, 8
# Rates that differ by less than this share of the largest modulus are in the order of their frequencies.
TIED = 1e-7

Values = NDArray[np.complex128]


class LevelModes(NamedTuple):
    """The slowest eigenvalues, what the last steps in levels and in depth have changed them by, and both numbers."""

    values: Values
    errors: Matrices
    levels: int
    depth: int

    def rest(self, tolerance: float) -> bool:
        """Whether all errors are within the tolerance, over the moduli."""
        return bool(np.all(self.errors <= tolerance * np.abs(self.values)))


def modes_by_levels(oscillator: Oscillator, beta: float, x: float, count: int, tolerance: float) -> LevelModes | None:
    """The `count` slowest modes, or None where a grid is as good, or no two matrices are small enough to be compared.

    Levels are added in a shallow hierarchy until the modes rest within the tolerance, then levels of members.

    tolerance   of each eigenvalue over its modulus
    """
    basis = basis_of(oscillator, beta, x)
    if basis is None or not is_hard(oscillator, beta, x):
        return None
    modes = oscillator.bath.modes
    first = SHALLOWEST if modes else 0

    def affordable(depth: int) -> list[int]:
        return [n for n in RUNGS if len(_members(basis, modes, depth)) * n**2 <= MOST]

    @functools.cache
    def at(place: int, depth: int) -> Values:
        return slowest(oscillator, basis, RUNGS[place], depth, count)

    def rest(change: Matrices, values: Values) -> bool:
        return bool(np.all(change <= 0.5 * tolerance * np.abs(values)))

    shallow: list[Values] = []
    for place in range(len(affordable(first))):
        shallow.append(at(place, first))
        if place and rest(_apart(*shallow[-2:]), shallow[-1]):
            break
    if len(shallow) < 2:
        return None
    last = len(shallow) - 1
    if not modes:
        return LevelModes(shallow[last], _apart(*shallow[-2:]), RUNGS[last], first)
    for depth in range(first + 1, DEEPEST + 1):
        # As many levels as a deeper hierarchy leaves room for, both depths among the same ones.
        place = min(len(affordable(depth)) - 1, last)
        if place < 0:
            return None
        now = at(place, depth)
        change = _apart(at(place, depth - 1), now)
        if rest(change, now):
            return LevelModes(
                now, change + _apart(shallow[place], shallow[last - (place == last)]), RUNGS[place], depth
            )
    return None


def _apart(old: Values, new: Values) -> Matrices:
    """How far each new value is from the nearest old one."""
    return np.min(np.abs(old[None] - new[:, None]), axis=1)


def slowest(oscillator: Oscillator, basis: Basis, levels: int, depth: int, count: int) -> Values:
    """The slowest eigenvalues of the generator among so many levels, without that of the stationary state."""
    members = _members(basis, oscillator.bath.modes, depth)
    matrix = _matrix(Problem(basis.lowest(levels), oscillator, members, basis.frame))
    values = np.asarray(np.linalg.eigvals(matrix), dtype=np.complex128)
    values = np.delete(values, np.argmin(np.abs(values)))
    size = float(np.max(np.abs(values[np.argsort(-values.real)[:count]])))
    order = np.lexsort((-values.imag, np.round(-values.real / (TIED * size))))
    return values[order[:count]]


def _members(basis: Basis, modes: int, depth: int) -> Members:
    return Members(modes, depth, basis.frame.weights if modes else None)


def _matrix(problem: Problem) -> Matrices:
    """The generator as a matrix on all members, (members levels^2, members levels^2)."""
    n, count = problem.size, problem.count
    units = np.eye(n * n).reshape(n * n, n, n)

    def block(moved: Matrices) -> Matrices:
        return moved.reshape(n * n, n * n).T

    alone, flowing, by_p = (block(f(units)) for f in (problem.alone, problem.flowing, problem.by_p))
    mixed = np.kron(problem.flow + problem.flow.T, flowing) + np.kron(problem.drift.T - problem.drift, by_p)
    decay = np.kron(np.diag(problem.decay), np.eye(n * n))
    return mixed + np.kron(np.eye(count), alone) - decay
