"""Descent by gradients inside bounds: SciPy's L-BFGS-B, for objectives too costly to be compiled into one loop."""

from collections.abc import Callable

import numpy as np

from jaxthermo._status import Status


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
