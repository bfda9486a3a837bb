"""Searches inside bounds, from the host, for functions each evaluation of which is dear: descent, and least squares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxthermo._status import Status

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

# Damping, in units of squared singular values: the first one, and what success and failure make of it.
FIRST, EASED, RAISED, LARGEST = 10.0, 0.2, 8.0, 1e12
# No parameter moves by more than this share of its range in one step.
REACH = 0.1
# How far a descent goes: until a step gains less than the first share of the size of what it began with, or no slope is
# larger than the second, in the unit box.
GAIN, SLOPE = 1e-9, 1e-6


@dataclass(frozen=True)
class Solution:
    """The best point found, with its residuals and their Jacobian, and the number of evaluations."""

    point: np.ndarray
    residuals: np.ndarray
    jacobian: np.ndarray
    evaluations: int

    @property
    def cost(self) -> float:
        """Half the sum of squares."""
        return 0.5 * float(self.residuals @ self.residuals)


def least_squares(evaluate: Evaluate, point: np.ndarray, max_evaluations: int, enough: float = 0.0) -> Solution:
    """Levenberg-Marquardt steps of least norm, until max |r| <= `enough` or the evaluations are used up.

    Equation   d = -J^T (J J^T + mu)^-1 r, where parameters that would leave [0, 1] stay; mu falls where the sum of
               squares falls, and rises else
    Shapes     point: (parameters,), inside the box; evaluate(point) -> r: (data,), J: (data, parameters)

    With fewer data than parameters this stays near where it started in all directions that the data do not fix.
    """
    residuals, jacobian = evaluate(point)
    damping, count = FIRST, 1
    while count < max_evaluations and np.abs(residuals).max() > enough and damping < LARGEST:
        step = least_norm_step(point, residuals, jacobian, damping)
        share = min(1.0, REACH / max(float(np.abs(step).max()), 1e-300))
        trial = np.clip(point + share * step, 0.0, 1.0)
        trial_residuals, trial_jacobian = evaluate(trial)
        count += 1
        # NaN counts as a failure.
        if trial_residuals @ trial_residuals < residuals @ residuals:
            point, residuals, jacobian = trial, trial_residuals, trial_jacobian
            damping *= EASED
        else:
            damping *= RAISED
    return Solution(point, residuals, jacobian, count)


def least_norm_step(point: np.ndarray, residuals: np.ndarray, jacobian: np.ndarray, damping: float) -> np.ndarray:
    """-J^T (J J^T + damping)^-1 r over the parameters that it does not move out of the unit box; the others stay."""
    free = np.ones(len(point), bool)
    while True:
        step = np.zeros(len(point))
        J = jacobian[:, free]
        step[free] = -J.T @ np.linalg.solve(J @ J.T + damping * np.eye(len(residuals)), residuals)
        at_bound = ((point <= 0.0) & (step < 0.0)) | ((point >= 1.0) & (step > 0.0))
        if not at_bound.any():
            return step
        free &= ~at_bound


def descend(evaluate: Evaluate, start: np.ndarray, steps: int, constraints: int = 0) -> Status:
    """Search the least of a function in the unit box, where constraints are not negative; how that ended.

    evaluate      of a point: the function with its constraints behind it, (1 + constraints,), and their Jacobian; it
                  keeps the best point itself
    start         inside the box, (parameters,)

    L-BFGS-B, or with constraints sequential least squares (SLSQP), which keeps them to rounding errors where it ends.
    Source        Byrd, Lu, Nocedal & Zhu, SIAM J. Sci. Comput. 16, 1190 (1995); Kraft, DFVLR-FB 88-28 (1988)
    """
    from scipy.optimize import minimize

    known: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def at(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Function and constraints are asked for one after another.
        key = point.tobytes()
        if key not in known:
            known.clear()
            known[key] = evaluate(np.clip(point, 0.0, 1.0))
        return known[key]

    values, slopes = at(np.asarray(start, dtype=float))
    if not np.all(np.isfinite(values)):
        return Status.not_finite
    # In units of the function itself, so that neither is judged by the user's unit of energy or time.
    unit = abs(values[0]) + float(np.max(np.abs(slopes[0]))) or 1.0
    how: dict[str, Any] = {"method": "L-BFGS-B", "options": {"maxiter": steps, "ftol": GAIN, "gtol": SLOPE}}
    if constraints:
        kept = {"type": "ineq", "fun": lambda x: at(x)[0][1:], "jac": lambda x: at(x)[1][1:]}
        how = {"method": "SLSQP", "constraints": [kept], "options": {"maxiter": steps, "ftol": GAIN}}
    done = minimize(
        lambda point: (at(point)[0][0] / unit, at(point)[1][0] / unit),
        start,
        jac=True,
        bounds=[(0.0, 1.0)] * len(start),
        **how,
    )
    if done.success:
        return Status.ok
    # Both give up where their line search gains nothing more.
    return Status.max_steps_reached if done.nit >= steps else Status.plateau
