"""From one solution of fewer equations than unknowns to others: steps along directions that change no equation."""

from collections.abc import Callable

import numpy as np

from jaxthermo.search.bounded_least_squares import Solution, least_squares

Residuals = Callable[[np.ndarray], np.ndarray]


class Secant:
    """Residuals with a Jacobian that is corrected by what every new point shows (Broyden), not computed again.

    Equation   J <- J + (dr - J dp) dp^T/(dp^T dp)
    """

    def __init__(self, residuals: Residuals, jacobian: np.ndarray):
        self._residuals, self._jacobian = residuals, jacobian
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals at a point of the unit box, and what is known of their Jacobian there."""
        found = self._residuals(point)
        if self._last is not None:
            moved, changed = point - self._last[0], found - self._last[1]
            size = float(moved @ moved)
            if size > 0.0:
                self._jacobian = self._jacobian + np.outer(changed - self._jacobian @ moved, moved) / size
        self._last = point, found
        return found, self._jacobian


def along_flat(direction: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """The part of a direction that changes no residual to first order, with length 1."""
    _, _, directions = np.linalg.svd(jacobian)
    flat = directions[len(jacobian) :]
    part = flat.T @ (flat @ direction)
    return np.asarray(part / np.linalg.norm(part))


def inside(point: np.ndarray, step: np.ndarray, margin: float) -> float:
    """The largest share of a step, at most 1, that stays this far from the walls of the unit box."""
    walls = np.where(step > 0.0, 1.0 - margin, margin)
    room = np.divide(walls - point, step, out=np.full(len(step), np.inf), where=step != 0.0)
    return float(np.clip(np.min(np.maximum(room, 0.0)), 0.0, 1.0))


def another(
    residuals: Residuals,
    point: np.ndarray,
    jacobian: np.ndarray,
    direction: np.ndarray,
    length: float,
    *,
    margin: float,
    enough: float,
    max_evaluations: int,
) -> Solution:
    """A step along the flat part of a direction, and back to the equations by steps of least norm.

    residuals         at a point of the unit box, (data,)
    point, jacobian   where they are solved, (parameters,), and their Jacobian there, (data, parameters)
    direction         where to go, (parameters,); its part that changes a residual is left out
    length, margin    of the step, shorter where it would come nearer to a wall than the margin
    enough            residuals this small are a solution
    Returns           a `Solution`, which may have failed: look at its residuals
    """
    step = length * along_flat(direction, jacobian)
    start = point + inside(point, step, margin) * step
    return least_squares(Secant(residuals, jacobian), start, max_evaluations, enough)
