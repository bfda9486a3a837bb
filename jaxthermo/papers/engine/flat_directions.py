"""From one solution of fewer equations than unknowns to others: a walk along directions that change no equation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jaxthermo.search.bounded import least_norm_step

Residuals = Callable[[np.ndarray], np.ndarray]
# Steps back to the equations before a stretch of the walk counts as too long; the shortest stretch, as a share of the
# first; and the damping of a step back, in squared singular values: a direction that hardly changes any equation is
# not used to mend one.
CORRECTIONS, SHORTEST, DAMPING = 5, 0.1, 100.0
# A component of a step that is rounding.
RESTS = 1e-10


@dataclass(frozen=True)
class Place:
    """A point of the unit box, its residuals, and what is known of their Jacobian there."""

    point: np.ndarray
    residuals: np.ndarray
    jacobian: np.ndarray

    @property
    def misfit(self) -> float:
        """The largest residual."""
        return float(np.abs(self.residuals).max())


def with_learnt_slopes(place: Place, point: np.ndarray, residuals: np.ndarray) -> Place:
    """A new place, whose Jacobian is corrected by what the way there has shown (Broyden).

    Equation   J <- J + (dr - J dp) dp^T/(dp^T dp)
    """
    moved, changed = point - place.point, residuals - place.residuals
    size = float(moved @ moved)
    rest = changed - place.jacobian @ moved
    return Place(point, residuals, place.jacobian + (np.outer(rest, moved) / size if size > 0.0 else 0.0))


def flat_part(direction: np.ndarray, jacobian: np.ndarray, point: np.ndarray, margin: float) -> np.ndarray:
    """The part of a direction that changes no residual to first order and leaves no wall's margin; its length is 1."""
    equations = jacobian
    while True:
        flat = np.linalg.svd(equations)[2][len(equations) :]
        part = flat.T @ (flat @ direction)
        part = np.asarray(part / np.linalg.norm(part))
        # A ten-thousandth of a margin is no room.
        at_wall = np.where(part > 0.0, point >= 1.0 - 1.0001 * margin, point <= 1.0001 * margin) & (
            np.abs(part) > RESTS
        )
        if not at_wall.any():
            return part
        equations = np.concatenate([equations, np.eye(len(point))[at_wall]])


def room(point: np.ndarray, step: np.ndarray, margin: float) -> float:
    """The largest share of a step, at most 1, that stays this far from the walls of the unit box."""
    walls = np.where(step > 0.0, 1.0 - margin, margin)
    shares = np.divide(walls - point, step, out=np.full(len(step), np.inf), where=np.abs(step) > RESTS)
    return float(np.clip(np.min(np.maximum(shares, 0.0)), 0.0, 1.0))


def corrected(residuals: Residuals, place: Place, enough: float, corrections: int = CORRECTIONS) -> Place:
    """Steps of least norm back to the equations, until every residual is small enough or the steps are used up."""
    best = place
    for _ in range(corrections):
        if place.misfit <= enough:
            break
        step = least_norm_step(place.point, place.residuals, place.jacobian, DAMPING)
        point = np.clip(place.point + step, 0.0, 1.0)
        place = with_learnt_slopes(place, point, residuals(point))
        best = place if place.misfit < best.misfit else best
    return best


def walk(
    residuals: Residuals,
    start: Place,
    direction: np.ndarray,
    length: float,
    stretch: float,
    *,
    margin: float,
    enough: float,
    say: Callable[[str], None] = lambda text: None,
) -> Place:
    """Solutions along a curve that begins in the flat part of a direction: the last one reached.

    residuals        at a point of the unit box, (data,)
    start            where they are solved, with their Jacobian, (data, parameters)
    direction        where to go, (parameters,); what of it changes a residual is left out
    length, stretch  of the whole walk, and between two solutions; a stretch that fails is halved
    margin           distance from the walls of the box, along which the walk goes on
    enough           residuals this small are a solution
    """
    place, gone, now = start, 0.0, stretch
    while gone < length - 1e-9 and now >= SHORTEST * stretch:
        reach = min(now, length - gone)
        step = reach * flat_part(direction, place.jacobian, place.point, margin)
        share = room(place.point, step, margin)
        point = place.point + share * step
        there = corrected(residuals, with_learnt_slopes(place, point, residuals(point)), enough)
        if there.misfit > enough:
            now /= 2.0
            say(f"misfit {there.misfit:.2f} after a stretch of {2.0 * now:.3g}; half of it")
            # What the failure has shown of the Jacobian is kept, at the place where the stretch began.
            place = Place(place.point, place.residuals, there.jacobian)
            continue
        gone += share * reach
        # The walk goes on as it came, and does not turn back; a short way says little about where it leads.
        if share * reach > SHORTEST * stretch:
            direction = there.point - place.point
        place = there
        say(f"gone {gone:.3g}, misfit {place.misfit:.2f}")
    return place
