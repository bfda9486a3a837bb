"""The stationary state from the hierarchy among its levels, as many as it takes, and from there on a phase grid."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxthermo.brownian.accuracy.automatic import MOST_DEPTH
from jaxthermo.brownian.accuracy.promise import PROMISED, SOLVED
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import Members, members_of
from jaxthermo.brownian.levels.frame import MOST_CORRELATED, Frame, between_frames
from jaxthermo.brownian.levels.matrices import Basis, Matrices, as_real, basis_of, values_at, waves_of
from jaxthermo.brownian.levels.pivots import dense_pivot, is_weak, near_pivot, weak_pivot
from jaxthermo.brownian.levels.problem import TOLERANCE, Pivot, Problem
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.solve.threads import one_thread

# Numbers of levels that are tried in turn; so many show whether coupling is weak.
RUNGS = (12, 15, 19, 24, 30, 36, 42, 48, 58, 70, 84, 100, 120)
SHOWN = 48
# Blocks times levels^6, the work of inverting them: 1e10 take half a second of CPU time. Members times levels^3, the
# work with few blocks, of which 1e6 take a second, and where coupling is weak.
WORK, NEAR_WORK, WEAK_WORK = 1e11, 1e7, 3e7
# Below so much work blocks for all members are quicker than one block alone, with which the search takes ten times as
# many steps.
CHEAP = 1e9
# Blocks times levels^4, the numbers of these inverses; and no more levels of members.
STORED, DEEPEST = 1e8, 40
# Levels beyond those populated: a member n may have |n| quanta more than the state, and coherences fall with the root
# of populations.
MORE = 2
# A share of the levels wanted, below which it is not tried.
FEWEST = 0.5
# The depth is raised in steps of so many; an estimate of what they leave is taken so many times.
STRIDE, SAFE = 2, 4.0
# Of a solve; one that has left more than the last number is continued, at last to `TOLERANCE`, and then done again with
# more blocks, where that is affordable. At 1e-6 moments are right to some 3e-9.
ENOUGH, LEFT = 1e-6, 0.1 * SOLVED
# The depth at which levels are counted. Where forces are linear any depth has the exact second moments.
SHALLOWEST = 2
# The deepest that is tried first, and what `_first_depth` leaves: with two levels more most change by less than is
# promised.
FIRST, TRIED = 12, 1e-5
# There it is raised to this one in the end, for what is no moment, such as the purity: at A = 2, beta = 10, K = 2 that
# is off by 1.4e-2 at depth 3, and by 7e-4 at depth 5.
PURE_DEPTH = 5
# A last member on the grid that is smaller than that is small enough, over the peak of V_0.
SMALL_TAIL = 1e-3


class LevelState(NamedTuple):
    """A stationary state among the levels, and the errors that levels, solve and depth leave."""

    basis: Basis
    members: Members
    M: Matrices
    moments: Matrices
    error: float
    truncated: float


@one_thread
def equilibrium_by_levels(oscillator: Oscillator, beta: float, x: float) -> LevelState | None:
    """The stationary state by way of its levels, or None where these are too many.

    The levels are raised in a shallow hierarchy until more change nothing, then the depth among them until two depths
    agree. Fewer levels would ask for more depth: a quartic at A = 2, beta = 8, K = 2 has 2e-6 left at depth 8 among 24
    levels, and 2e-5 at depth 12 among 15.
    Accuracy   `error`: of the solve, and the change of the moments by the last step in levels, over their scale;
               `truncated`: by the last step in depth
    """
    basis = basis_of(oscillator, beta, x)
    if basis is None:
        return None
    modes = oscillator.bath.modes
    linear = not modes or bool(oscillator.has_linear_forces())
    chosen: Any = oscillator.bath.depth
    rate, hbar = basis.frame.noise.friction / float(oscillator.mass), float(oscillator.hbar)
    weak = is_weak(basis.by_energy(SHOWN).lowest(SHOWN), rate, hbar)
    # At weak coupling a few steps go all the way, and errors of the slow part count for more.
    precisions = (TOLERANCE,) if weak else (ENOUGH, 0.1 * ENOUGH, TOLERANCE)

    @functools.cache
    def members(depth: int) -> Members:
        return Members(modes, depth, basis.frame.weights)

    def pivots(levels: int, depth: int) -> list[Callable[[Problem], Pivot]]:
        """Those that are affordable, cheapest first."""
        if depth > DEEPEST:
            return []
        count, work = len(members(depth)), levels**6
        able = {
            weak_pivot: weak and count * levels**3 <= WEAK_WORK and basis.holds(levels),
            near_pivot: modes > 1 and count * work > CHEAP and work <= WORK and count * levels**3 <= NEAR_WORK,
            dense_pivot: count * max(work / WORK, levels**4 / STORED) <= 1.0,
        }
        return [pivot for pivot, is_able in able.items() if is_able]

    def solved(levels: int, depth: int, start: LevelState | None = None) -> LevelState:
        own = basis.by_energy(levels)
        problem = Problem(own.lowest(levels), oscillator, members(depth), basis.frame)
        M = None if start is None else _among(start, own, levels, problem.members)
        undone = (pivot(problem) for pivot in pivots(levels, depth))
        for pivot, tolerance in ((one, precise) for one in undone for precise in precisions):
            M, error = problem.solve(pivot, M, tolerance)
            if error < LEFT:
                break
        assert M is not None  # it is called only where one way is affordable
        return LevelState(own, problem.members, M, problem.moments(M), error, 0.0)

    depth, wanted = (chosen if linear else SHALLOWEST) if modes else 0, basis.populated + MORE
    rungs = [n for n in RUNGS if pivots(n, depth)]
    rungs = [n for n in rungs if n >= wanted] or rungs[-1:]
    if not rungs or rungs[0] < FEWEST * wanted:
        return None
    now, missing = solved(rungs[0], depth), math.inf
    for levels in rungs[1:]:
        more = solved(levels, depth, now)
        missing = _apart(now.moments, more.moments)
        # The fewer levels were enough; a linear problem is solved with more already.
        if missing < 0.5 * SOLVED and not linear:
            break
        now = more
        if missing < SOLVED:
            break
    size, truncated = now.M.shape[-1], math.inf
    if linear:
        deeper = [d for d in range(depth, PURE_DEPTH + 1) if pivots(size, d)] if modes and not weak else []
        now = solved(size, deeper[-1], now) if len(deeper) > 1 else now
        return now._replace(error=now.error + missing)
    if not now.error + missing < SOLVED:
        return now._replace(error=now.error + missing)
    depth = max(d for d in range(depth, max(depth, _first_depth(basis.frame)) + 1) if pivots(size, d))
    deep = now if depth == SHALLOWEST else solved(size, depth, now)
    # By more than one level at once: at weak coupling one may change less than the next. A double well with K = 3,
    # A = 0.18, beta = 1.7 moved by 4e-7 from depth 2 to 3, and by 1.2e-6 from there.
    changes: list[float] = []
    while not truncated < 0.5 * PROMISED and pivots(size, depth + 1):
        step = STRIDE if pivots(size, depth + STRIDE) else 1
        before, deep, depth = deep, solved(size, depth + step, deep), depth + step
        changes.append(_apart(before.moments, deep.moments))
        truncated = changes[-1] if weak or step < STRIDE else still_missing(changes)
    return deep._replace(error=deep.error + missing, truncated=truncated)


def still_missing(changes: list[float]) -> float:
    """What is still missing after equal steps in depth: at most the last change.

    Where changes fall at least by half it is what a geometric series leaves, times `SAFE`. At strong coupling they fall
    to a tenth and less: by 13 to 20 for a quartic and for two wells at A = 1.2 to 2 with three and four poles.
    """
    ratio = changes[-1] / changes[-2] if len(changes) > 1 else 1.0
    return changes[-1] * min(1.0, SAFE * ratio / (1.0 - ratio)) if ratio < 0.5 else changes[-1]


def _first_depth(frame: Frame) -> int:
    """About the depth that is enough.

    Each level lessens the error by about the square of the correlation between position and noises: by 4 to 5 for a
    quartic at A = 2, beta = 8, K = 2, where that is 0.26.
    """
    correlation = min(frame.correlation, MOST_CORRELATED)
    return (
        int(np.clip(np.ceil(0.5 * np.log(TRIED) / np.log(correlation)), SHALLOWEST, FIRST))
        if correlation
        else SHALLOWEST
    )


@one_thread
def on_grid(oscillator: Oscillator, found: LevelState, most: int) -> tuple[Oscillator, Matrices, Matrices]:
    """The members of the oscillator's depth on its grid, or as many more, up to `most`, as make the last ones small.

    And the Wigner function, (p, q), of the particle itself, from the members among the levels: where noises are slow,
    few of these do what very many on the grid would.
    """
    grid = oscillator.mesh
    n, frame = found.M.shape[-1], found.basis.frame
    waves = waves_of(found.M, lambda points: values_at(found.basis, n, points), grid, float(oscillator.hbar))
    V = _members_on_grid(waves, frame.left, found.members, members_of(oscillator), grid)
    depth = oscillator.depth
    affordable = [d for d in range(depth, MOST_DEPTH + 1) if math.comb(len(frame.left) + d, d) <= most]
    if depth and affordable and _last(V, members_of(oscillator)) > SMALL_TAIL:
        oscillator = oscillator.with_depth(affordable[-1])
        V = _members_on_grid(waves, frame.left, found.members, members_of(oscillator), grid)
    # The momentum that carries no noise: what is carried is given back.
    W = _members_on_grid(waves, -frame.carried, found.members, Members(len(frame.left), 0), grid)
    return oscillator, V, W[:, 0]


def _members_on_grid(waves: Any, left: Matrices, own: Members, wanted: Members, grid: PhaseGrid) -> Matrices:
    """Members whose momentum leaves out more of the noises, by these widths, than the wanted ones, (p, n, q)."""
    y = np.asarray(grid.y)
    count = int(max(own.level.max(), wanted.level.max())) + 1
    between = np.ones((len(y), len(wanted), len(own)), dtype=complex)
    for k, width in enumerate(left):
        one = between_frames(float(width), y, count)
        between *= one[:, wanted.indices[:, k]][:, :, own.indices[:, k]]
    return np.tensordot(np.asarray(grid.y_to_p()), as_real(between @ waves), axes=1)


def _among(state: LevelState, basis: Basis, levels: int, members: Members) -> Matrices:
    """A state among other levels and other members, zero where it has none."""
    M = np.zeros((len(members), levels, levels))
    change = basis.psi[:, :levels].T @ state.basis.psi[:, : state.M.shape[-1]]
    places = {tuple(n): i for i, n in enumerate(members.indices)}
    for n, own in zip(state.members.indices, state.M, strict=True):
        if tuple(n) in places:
            M[places[tuple(n)]] = change @ own @ change.T
    return M


def _last(V: Matrices, members: Members) -> float:
    """The largest member of the last level over the peak of V_0."""
    return float(np.abs(V[:, members.level == members.level.max()]).max() / np.abs(V[:, 0]).max())


def _apart(old: Matrices, new: Matrices) -> float:
    """The largest change of <q^2>, <q>, <U>, <p^2> over its scale."""
    q2, _, _, p2 = new
    return float(np.max(np.abs(new - old) / np.array([q2, np.sqrt(q2), p2, p2])))
