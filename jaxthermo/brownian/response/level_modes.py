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
from jaxthermo.brownian.levels.matrices import Basis, Matrices, basis_of, is_hard
from jaxthermo.brownian.levels.problem import Problem
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.solve.threads import one_thread

# Numbers of levels that are tried in turn, and of unknowns of the largest matrix: half a minute.
RUNGS, MOST = (8, 10, 12, 14, 16, 18, 21, 24, 28, 32, 36, 40), 2200
# The depth that is tried first, and last.
SHALLOWEST, DEEPEST = 1, 8
# A search is not worth it beyond this friction over the frequency of the motion, and where a level of members leaves
# more than this share of the change by the one before.
WEAK, FALLS = 0.25, 0.3
# Rates that differ by less than this share of the largest modulus are in the order of their frequencies.
TIED = 1e-7

Values = NDArray[np.complex128]


class LevelModes(NamedTuple):
    """The slowest eigenvalues, what the last steps in levels and in depth have changed them by, and both numbers."""

    values: Values
    errors: Matrices
    levels: int
    depth: int


@one_thread
def modes_by_levels(oscillator: Oscillator, beta: float, x: float, count: int, tol: float) -> LevelModes | None:
    """The `count` slowest modes, or None where a grid is as good, or where they do not rest in matrices small enough.

    Levels are added in a shallow hierarchy until the modes rest within the tolerance, then levels of members.

    tol         of each eigenvalue over its modulus
    """
    basis = basis_of(oscillator, beta, x)
    if basis is None or not is_hard(oscillator, beta, x) or not _is_weak(oscillator, basis):
        return None
    modes = oscillator.bath.modes
    first = SHALLOWEST if modes else 0

    def affordable(depth: int) -> list[int]:
        return [n for n in RUNGS if len(_members(basis, modes, depth)) * n**2 <= MOST]

    @functools.cache
    def at(place: int, depth: int) -> Values:
        return slowest(oscillator, basis, RUNGS[place], depth, count)

    def rest(change: Matrices, values: Values) -> bool:
        return bool(np.all(change <= 0.5 * tol * np.abs(values)))

    rungs = affordable(first)
    if not rungs or basis.populated > rungs[-1]:
        return None
    last, missing = 0, np.full(count, np.inf)
    while not rest(missing, at(last, first)):
        if last + 1 == len(rungs):
            return None
        last, missing = last + 1, _apart(at(last, first), at(last + 1, first))
    if not modes:
        return LevelModes(at(last, first), missing, rungs[last], first)
    change = np.full(count, np.inf)
    for depth in range(first + 1, DEEPEST + 1):
        # As many levels as a deeper hierarchy leaves room for, both depths among the same ones.
        place = min(len(affordable(depth)) - 1, last)
        if place < 0:
            return None
        before, change = change, _apart(at(place, depth - 1), at(place, depth))
        if rest(change, at(place, depth)):
            left = missing if place == last else _apart(at(place, first), at(last, first))
            return LevelModes(at(place, depth), change + left, rungs[place], depth)
        if np.max(change) > FALLS * np.max(before):
            return None
    return None


def _is_weak(oscillator: Oscillator, basis: Basis) -> bool:
    """Whether friction is slow beside the motion between the lowest level and the third, of two wells the next pair."""
    energies = np.diag(basis.lowest(3).H)
    frequency = (energies[2] - energies[0]) / float(oscillator.hbar)
    return bool(float(oscillator.bath.friction()) / float(oscillator.mass) < WEAK * frequency)


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
