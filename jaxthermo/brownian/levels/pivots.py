"""About the inverse of what each member of the hierarchy does by itself among the levels, three ways; in NumPy.

Elimination of the members (`Problem.swept`) asks for it. Whole blocks are exact for one pole at any coupling, but their
work grows with levels^6. The other members decay, and each of their matrix elements does about by itself: with a whole
block for V_0 only, and blocks among the lowest levels for them, the search takes some ten times as many steps, each of
which is far cheaper. Where coupling is weak, a
coherence between levels a and b turns with its frequency and decays with the noises, and only populations and what
turns as slowly as they change need a block: the work grows with levels^3, so hot states of many levels are solved too.
"""

from collections.abc import Callable

import numpy as np

from jaxthermo.brownian.levels.matrices import Levels, Matrices
from jaxthermo.brownian.levels.problem import Pivot, Problem

# What turns by less than so many rates of friction is slow; coupling is weak where there are no more of these than so
# many for each level.
SLOW, FEW_SLOW = 10.0, 2.0
# Levels that `near_pivot` has blocks of for all members: a third fewer steps at A = 2; 12 save no more time.
LOW = 8


def is_weak(levels: Levels, rate: float, hbar: float) -> bool:
    """Whether few pairs of levels turn as slowly as friction of this rate makes them change."""
    return len(_slow(levels, rate, hbar)[0]) <= FEW_SLOW * len(levels.H)


def _slow(levels: Levels, rate: float, hbar: float) -> tuple[np.ndarray, np.ndarray]:
    energy = np.diag(levels.H)
    first, second = np.nonzero(np.abs(np.subtract.outer(energy, energy)) < SLOW * rate * hbar)
    return first, second


def weak_pivot(problem: Problem) -> Pivot:
    """For levels of H_A: turning and decay, and for what is slow in the first member a block of second order in the
    coupling.

    Equation   -alone has M_ab -> w_ab M_ba for H_A = sum_a E_a |a><a|, w_ab = (E_a - E_b)/hbar; with a decay see
               `_turning_back`. Through member e_k the first one gets back (flow F + drift d_p)(w, d_k)^-1(flow F -
               drift d_p)
    """
    n, rate = problem.size, problem.friction / problem.mass
    a, b = _slow(problem.levels, rate, problem.hbar)
    straight, crossed = _turning_back(problem, problem.decay[:, None, None] + rate)
    units = np.zeros((len(a), n, n))
    units[np.arange(len(a)), a, b] = 1.0
    slow = (a == b)[:, None, None] * np.eye(n) / n - problem.alone(units)
    for i in problem.first[problem.first < problem.count]:
        flow, drift = problem.flow[i, 0], problem.drift[i, 0]
        fed = flow * problem.flowing(units) - drift * problem.by_p(units)
        above = straight[i] * fed - crossed[i] * np.swapaxes(fed, -1, -2)
        slow -= flow * problem.flowing(above) + drift * problem.by_p(above)
    inverse = np.linalg.inv(slow[:, a, b].T)

    def pivot(level: int, M: Matrices) -> Matrices:
        members = problem.by_level[level]
        found = straight[members] * M - crossed[members] * np.swapaxes(M, -1, -2)
        if level == 0:
            found[0, a, b] = inverse @ M[0, a, b]
        return found

    return pivot


def dense_pivot(problem: Problem) -> Pivot:
    """The inverse of each member's own block, less what the members above it, taken one by one, give back."""
    inverses = _by_level(problem, _blocks(problem, _alone(problem), len(problem.by_level)))
    return lambda level, M: (inverses[level] @ M.reshape(len(M), -1, 1)).reshape(M.shape)


def near_pivot(problem: Problem) -> Pivot:
    """The same for V_0 alone and for the lowest levels of the others.

    Elsewhere each element turns, and decays as fast as it does alone: d_ab in `_turning_back` is the decay of the
    member, less the element of `Problem.alone` that takes (a, b) to itself.
    """
    low, alone = min(LOW, problem.size), _alone(problem)
    (first,) = _blocks(problem, alone, 1)
    lowest = problem.among(low)
    corners = _by_level(problem, _blocks(lowest, _alone(lowest), len(problem.by_level)))
    own = np.diag(alone).reshape(problem.size, problem.size)
    turning_back = _turning_back(problem, problem.decay[:, None, None] - own)
    straight, crossed = (_by_level(problem, one) for one in turning_back)

    def pivot(level: int, M: Matrices) -> Matrices:
        if level == 0:
            return (first @ M.ravel()).reshape(M.shape)
        found = crossed[level] * np.swapaxes(M, -1, -2)
        np.subtract(straight[level] * M, found, out=found)
        corner = M[:, :low, :low].reshape(len(M), -1, 1)
        found[:, :low, :low] = (corners[level] @ corner).reshape(len(M), low, low)
        return found

    return pivot


def _by_level(problem: Problem, numbers: Matrices) -> list[Matrices]:
    return [numbers[members] for members in problem.by_level]


def _alone(problem: Problem) -> Matrices:
    """`Problem.alone` as a matrix."""
    n = problem.size
    return problem.alone(np.eye(n * n).reshape(n * n, n, n)).reshape(n * n, n * n).T


def _blocks(problem: Problem, alone: Matrices, levels: int) -> Matrices:
    """Inverses of each member's own block, less what is above it, as if there were only so many levels of members."""
    n, trace = problem.size, np.eye(problem.size).ravel()
    count = sum(len(members) for members in problem.by_level[:levels])
    inverses = np.zeros((count, n * n, n * n))
    for i in reversed(range(count)):
        block = problem.decay[i] * np.eye(n * n) - alone
        above = problem.members.above[problem.members.above[:, i] < count, i]
        if len(above):
            block -= _given_back(problem, problem.flow[above, i], problem.drift[above, i], inverses[above])
        if i == 0:
            block += np.outer(trace, trace) / n
        inverses[i] = np.linalg.inv(block)
    return inverses


def _turning_back(problem: Problem, decay: Matrices) -> tuple[Matrices, Matrices]:
    """What the inverse of M_ab -> d_ab M_ab + w_ab M_ba takes of M and of its transpose, for these decays d.

    Equation   (d_ba M_ab - w_ab M_ba)/(d_ab d_ba + w_ab^2), with the frequencies w of coherences between levels of H_A
    """
    energy, back = np.diag(problem.levels.H), np.swapaxes(decay, -1, -2)
    turning = np.subtract.outer(energy, energy) / problem.hbar
    size = decay * back + turning**2
    return back / size, turning / size


def _given_back(problem: Problem, flow: Matrices, drift: Matrices, inverses: Matrices) -> Matrices:
    """sum_k (flow_k F + drift_k d_p) inverse_k (flow_k F - drift_k d_p)."""
    n = problem.size

    def before(linear: Callable[[Matrices], Matrices], X: Matrices) -> Matrices:
        return linear(X.T.reshape(n * n, n, n)).reshape(n * n, n * n).T

    # Derivatives are antisymmetric.
    def after(X: Matrices, linear: Callable[[Matrices], Matrices]) -> Matrices:
        return -linear(X.reshape(n * n, n, n)).reshape(n * n, n * n)

    ff, fd, dd = (np.tensordot(weight, inverses, axes=1) for weight in (flow**2, flow * drift, drift**2))
    F, by_p = problem.flowing, problem.by_p
    return before(F, after(ff, F) - after(fd, by_p)) + before(by_p, after(fd, F) - after(dd, by_p))
