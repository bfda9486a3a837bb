"""Searches inside bounds, from the host, for functions each evaluation of which is dear: descent, and least squares."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jaxthermo._status import Status

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

# Damping, in units of squared singular values: the first one, and what success and failure make of it.
FIRST, EASED, RAISED, LARGEST = 10.0, 0.2, 8.0, 1e12
# No parameter moves by more than this share of its range in one step.
REACH = 0.1


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
        step = _step(point, residuals, jacobian, damping)
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


def _step(point: np.ndarray, residuals: np.ndarray, jacobian: np.ndarray, damping: float) -> np.ndarray:
    free = np.ones(len(point), bool)
    while True:
        step = np.zeros(len(point))
        J = jacobian[:, free]
        step[free] = -J.T @ np.linalg.solve(J @ J.T + damping * np.eye(len(residuals)), residuals)
        at_bound = ((point <= 0.0) & (step < 0.0)) | ((point >= 1.0) & (step > 0.0))
        if not at_bound.any():
            return step
        free &= ~at_bound


def descend(
    evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    steps: int,
) -> Status:
    """Call `evaluate`, which gives value and gradient and keeps the best point itself; how the descent ended."""
    from scipy.optimize import minimize

    done = minimize(
        evaluate,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(low, high, strict=True)),
        options={"maxiter": steps, "ftol": 1e-12, "gtol": 1e-9},
    )
    if done.success:
        return Status.ok
    # L-BFGS-B gives up where its line search gains nothing more.
    return Status.max_steps_reached if done.nit >= steps else Status.plateau
