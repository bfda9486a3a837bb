"""Newton's method on the host, for smooth objectives of few parameters that come with their gradient.

The Hessian is taken from differences of gradients, which is exact where the objective is quadratic: then one step ends
the search. What a step can still gain says when it has ended, in the units of the value.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxthermo._status import Status

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]

# Of the differences of gradients; directions flatter than the second, relative to the steepest, are not followed.
DIFFERENCE, FLAT = 1e-3, 1e-13
# Halvings of a step that gains too little, and what it must gain of what its slope promises.
HALVINGS, DECREASE = 30, 1e-4
# A Hessian serves while each step leaves at most this share of the gradient.
USEFUL = 0.2


class Descent(NamedTuple):
    """The best point found, and how the search ended."""

    point: np.ndarray
    value: float
    gradient: float
    left: float  # what another step would gain
    status: Status
    evaluations: int
    history: np.ndarray


def newton_descent(evaluate: Evaluate, start: np.ndarray, *, gain: float, max_steps: int) -> Descent:
    """A local minimum near `start`, never above its value there.

    It has converged where a Newton step promises to gain less than `gain` (1 + |value|), and stands on a plateau where
    a step gains less than the rounding errors of the value though it promises more. A keyboard interrupt after the
    first evaluation ends it at the best point until then.
    """
    search = _Descent(evaluate, start)
    try:
        return search.ended(_descend(search, gain, max_steps))
    except KeyboardInterrupt:
        return search.ended(Status.interrupted)


def _descend(search: "_Descent", gain: float, max_steps: int) -> Status:
    """Steps until nothing is gained, and why there is none more."""
    for _ in range(max_steps + 1):
        if not np.isfinite(search.value):
            return Status.not_finite
        if search.step is None:
            search.look()
        if search.left <= gain * (1.0 + abs(search.value)):
            return Status.ok
        if not search.go():
            return Status.plateau
    return Status.max_steps_reached


class _Descent:
    """Where a search stands, with the Hessian that it steps by."""

    def __init__(self, evaluate: Evaluate, start: np.ndarray) -> None:
        self._evaluate, self._count = evaluate, 0
        self.point = np.asarray(start, dtype=float)
        self.value, self.slope = self._at(self.point)
        self.history = [self.value]
        self.step: np.ndarray | None = None
        self.left = np.inf
        self._fresh = False

    def _at(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        self._count += 1
        return self._evaluate(point)

    def look(self) -> None:
        """A new Hessian, and its step."""
        size = len(self.point)
        steps = DIFFERENCE * (1.0 + np.abs(self.point))
        rows = [
            (
                self._at(self.point + np.eye(size)[i] * steps[i])[1]
                - self._at(self.point - np.eye(size)[i] * steps[i])[1]
            )
            / (2.0 * steps[i])
            for i in range(size)
        ]
        hessian = np.array(rows).reshape(size, size)
        self._curvatures, self._axes = np.linalg.eigh(0.5 * (hessian + hessian.T))
        self._fresh = True
        self._aim()

    def _aim(self) -> None:
        """The Newton step, downhill also where the Hessian has another sign."""
        curvatures = np.abs(self._curvatures)
        kept = curvatures > FLAT * max(curvatures.max(initial=0.0), 1e-300)
        along = np.where(kept, (self._axes.T @ self.slope) / np.where(kept, curvatures, 1.0), 0.0)
        self.step = -self._axes @ along
        self.left = -0.5 * float(self.slope @ self.step)

    def go(self) -> bool:
        """One step along the line that was aimed at, shortened until it gains; whether it gained anything."""
        assert self.step is not None
        before = float(np.linalg.norm(self.slope))
        for length in 0.5 ** np.arange(HALVINGS):
            point = self.point + length * self.step
            value, slope = self._at(point)
            if value < self.value - DECREASE * length * 2.0 * self.left:
                self.point, self.value, self.slope = point, value, slope
                self.history.append(value)
                break
        else:
            return self._again()
        if length < 1.0 or np.linalg.norm(slope) > USEFUL * before:
            self.step = None
        else:
            self._fresh = False
            self._aim()
        return True

    def _again(self) -> bool:
        """After a step that gained nothing: an old Hessian may be to blame, a new one is not."""
        if self._fresh:
            return False
        self.step = None
        return True

    def ended(self, status: Status) -> Descent:
        """What has been found."""
        size = float(np.linalg.norm(self.slope))
        return Descent(self.point, self.value, size, self.left, status, self._count, np.array(self.history))
