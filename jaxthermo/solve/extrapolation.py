"""Runs with ever shorter steps, extrapolated to step 0."""

import numpy as np


def weights_of_runs(runs: int, symmetric: bool) -> tuple[np.ndarray, np.ndarray]:
    """How runs 0..n, each with twice the steps of the one before, give the best value, and one that is a little worse.

    Equation   symmetric steps, whose errors have even powers of the step only: the polynomial in the squared step
               through all runs, at 0 (Romberg), and through all but the first; else the last run, and the one before it
    Returns    two arrays of (runs, runs), row n for the runs 0..n
    Source     Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, II.9
    """
    best, other = np.zeros((runs, runs)), np.zeros((runs, runs))
    for n in range(runs):
        if symmetric:
            best[n, : n + 1] = _at_zero(n + 1)
            other[n, min(n, 1) : n + 1] = _at_zero(max(n, 1))
        else:
            best[n, n] = other[n, max(n - 1, 0)] = 1.0
    return best, other


# The runs before the last one that are extrapolated where earlier ones may not have seen what the last one sees.
LATE = 3


def weights_of_late_runs(runs: int, symmetric: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How the last of runs 0..n give the best value, and two that are worse, whose difference bounds its error.

    Equation   T(n, m), the extrapolation from the runs n - m .. n with m = min(n, LATE); T(n, m - 1), T(n - 1, m - 1).
               A run that has nothing to do with the others shows in their difference, whichever it is

    symmetric   as `weights_of_runs`
    Returns     three arrays of (runs, runs), row n for the runs 0..n; where n = 0 all are that run
    """
    best, late, early = np.zeros((3, runs, runs))
    for n in range(runs):
        m = min(n, LATE) if symmetric else 0
        best[n, n - m : n + 1] = _at_zero(m + 1)
        least, shift = max(m - 1, 0), min(n, 1)
        late[n, n - least : n + 1] = early[n, n - shift - least : n - shift + 1] = _at_zero(least + 1)
    return best, late, early


def _at_zero(count: int) -> np.ndarray:
    """Weights of polynomial extrapolation to 0 from the points 1, 1/4, 1/16, ..."""
    points = 0.25 ** np.arange(count)
    return np.array([np.prod([m / (m - own) for m in np.delete(points, i)]) for i, own in enumerate(points)])
