"""Edges of a converter's power, where the attractor that P_1 = 1 leads to ends or changes, and the best point there."""

from typing import NamedTuple

import numpy as np

from jaxthermo._status import Code
from jaxthermo.potts.converter import MANY_ROUNDS, SAME_POWER, Converter, Lanes
from jaxthermo.potts.diagram import Phase

# This far from beta_c1 and from folds, relative to them, attractors are known. At beta_c1 the limit of the power is
# that of a polynomial through its values at these multiples of the distance.
NEAR, DISTANCES = 4e-3, np.arange(1.0, 6.0)
# A power this near to the limit, relative to it, tends to it: next to a fold like the square root of the distance.
CONTINUOUS = 0.2
# Points that are looked at along an edge; how much shorter a stretch is than the one before, whose best point is inside
# it; how many there are at most; and the length of the last, as a share of the first.
ALONG, SHORTER, STRETCHES, LAST = 5, 0.25, 12, 0.05
# Shares of a reach at which an edge is looked for, and how well it is then known on the last and shortest stretch,
# relative to the scale of its axis.
REACHES, RESOLUTION = (0.0625, 0.25, 0.5, 1.0), 3e-7


# How far behind an edge the power is looked at, as a share of the first look's spacing.
BEYOND = 0.05


class Place(Code):
    """Where a maximum lies; unknown where a search came to no end and to no edge."""

    interior = 0
    onset = 1
    fold = 2
    basin_edge = 3
    unknown = 4
    period_doubling = 5


class Side(Code):
    """From where a maximum on an edge is approached, in beta, or in the load where beta is given."""

    at_it = 0
    from_below = 1
    from_above = 2


class Maximum(NamedTuple):
    """One maximum of the power, or the limit of one; of a cycle with its period.

    `beyond`: a lane of more power across the edge, where there is one: it is no maximum then.
    """

    point: np.ndarray
    power: float
    attractor: int
    phase: int
    place: Place
    side: Side
    period: float
    beyond: Lanes | None = None


class Edge(NamedTuple):
    """Edges beside several points: the attractors next to them, the limits of the power there, and what they are."""

    inner: Lanes
    power: np.ndarray
    place: np.ndarray

    def at(self, index: int) -> "Edge":
        """The edge of this index, alone."""
        return Edge(self.inner.at(np.array([index])), self.power[[index]], self.place[[index]])


def edge_maximum(converter: Converter, here: Lanes, spacing: np.ndarray) -> Maximum | None:
    """The best point of the edge that a search has met, approached from the search's side; None if there is no edge."""
    alone = here.repeated(1)
    for axis in np.flatnonzero(spacing).tolist():
        for sign in (1.0, -1.0):
            reach = sign * 0.5 * spacing[axis]
            bracket = _bracket(converter, alone, axis, reach)
            # The edge that stops a search is one towards which the power rises.
            last = bracket.inner
            met = bracket.met[0]
            if not met or converter.run(last.points, last.state).power[0] < (1.0 - SAME_POWER) * float(here.power):
                continue
            across: Edge | None = None
            if spacing[1 - axis]:
                across = _best_along(converter, here, axis, sign, spacing)
            best = across or _between(converter, bracket, axis, reach)
            place, side = Place(int(best.place[0])), Side.from_below if sign > 0 else Side.from_above
            point, power = best.inner.points[0], float(best.power[0])
            across_it = point + sign * BEYOND * spacing[axis] * np.eye(2)[axis]
            there = converter.run(across_it[None], None, MANY_ROUNDS)
            beyond = there.at(0) if there.known[0] and there.power[0] > power else None
            kinds = int(here.attractor), int(here.phase)
            return Maximum(point, power, *kinds, place, side, float(best.inner.period[0]), beyond)
    return None


def _best_along(converter: Converter, here: Lanes, axis: int, sign: float, spacing: np.ndarray) -> Edge | None:
    """The best of the edge, over the coordinate that is not across it."""
    other, share, places = 1 - axis, 1.0, np.linspace(-1.0, 1.0, ALONG)
    centre, lane, best = here.points, here, None
    for _ in range(STRETCHES):
        points = np.tile(centre, (len(places), 1))
        # Back from the edge, which may run askew.
        points[:, axis] -= sign * 0.5 * spacing[axis] * share
        points[:, other] += spacing[other] * share * places
        inside, branch = converter.own_and_branch(points, lane.repeated(len(places)))
        if not inside.any():
            share = SHORTER * share
            if share < LAST:
                break
            continue
        seeds, reach = branch.at(np.flatnonzero(inside)), sign * 2.0 * spacing[axis] * share
        found = _between(converter, _bracket(converter, seeds, axis, reach), axis, reach)
        top = int(np.nanargmax(np.append(found.power, -np.inf)))
        if top == len(found.power) or (best is not None and found.power[top] <= best.power[0]):
            share = SHORTER * share
        else:
            best = found.at(top)
            centre, lane = best.inner.points[0], best.inner.at(0)
            if 0 < top < len(found.power) - 1:
                share = SHORTER * share
                # The next stretch is about the top of a parabola through the best point and its neighbours.
                around = slice(top - 1, top + 2)
                fit = np.polyfit(found.inner.points[around, other], found.power[around], 2)
                step = -0.5 * fit[1] / fit[0] - centre[other] if fit[0] < 0 else 0.0
                centre = centre + step * np.eye(2)[other]
        if share < LAST:
            break
    return best


class Bracket(NamedTuple):
    """Stretches along an axis that hold an edge: the last attractors on the branches, the first points beyond.

    met       where there is an edge at all
    doubles   where the attractor beyond is the same but for a period that doubles, or is halved, on the way
    """

    inner: Lanes
    outer: np.ndarray
    met: np.ndarray
    doubles: np.ndarray


def _bracket(converter: Converter, seeds: Lanes, axis: int, reach: float) -> Bracket:
    """What is found along an axis, from each seed on, up to `reach`."""
    count = len(seeds.points)
    inner, outer = seeds, seeds.points.copy()
    met, doubles = np.zeros(count, bool), np.zeros(count, bool)
    for share in REACHES:
        trial = seeds.points + share * reach * np.eye(2)[axis]
        inside, branch = converter.own_and_branch(trial, inner)
        outer[~met] = trial[~met]
        doubles |= ~met & ~inside & branch.doubled(inner)
        met |= ~inside
        inner = branch.where(~met, inner)
        if met.all():
            break
    return Bracket(inner, outer, met, doubles)


def _between(converter: Converter, bracket: Bracket, axis: int, reach: float) -> Edge:
    """The edges in brackets, and the limits of the power there; NaN where a bracket holds none."""
    edge = _known_edge(converter, bracket, reach) if axis == 0 else None
    if edge is not None:
        return edge
    inner, outer, met, doubles = bracket
    # The shorter the reach, the less the power changes within it.
    wanted = max(1e-4 * abs(reach) ** 2, RESOLUTION * converter.f1)
    while np.max(np.abs(outer - inner.points)[met], initial=0.0) > wanted:
        middle = 0.5 * (inner.points + outer)
        inside, branch = converter.own_and_branch(middle, inner)
        # A fold may come before the period doubles.
        doubles = np.where(inside, doubles, doubles & (branch.doubled(inner) | ~branch.known))
        inner, outer = branch.where(inside, inner), np.where(inside[:, None], outer, middle)
    limit = converter.run(inner.points, inner.state, MANY_ROUNDS)
    place = np.where(doubles, int(Place.period_doubling), int(Place.basin_edge))
    return Edge(inner, np.where(met, limit.power, np.nan), place)


def _known_edge(converter: Converter, bracket: Bracket, reach: float) -> Edge | None:
    """beta_c1, or the birth of the localised states, where that is the edge of every seed, with the limits there.

    Attractors next to both are reached so slowly that bisection would not end.
    """
    inner, outer = bracket.inner, bracket.outer
    loads, sign = inner.points[:, 1], np.sign(reach)
    onset = converter.onset(loads)
    born, at_birth = converter.fold(loads)
    for place, beta in ((Place.onset, onset), (Place.fold, born)):
        near, far = (np.stack([beta * (1.0 + side * sign * NEAR), loads], axis=1) for side in (-1.0, 1.0))
        within = (sign * (beta - inner.points[:, 0]) > -NEAR * beta) & (sign * (outer[:, 0] - beta) > -NEAR * beta)
        if not within.all():
            continue
        before, branch = converter.own_and_branch(near, inner)
        beyond, _ = converter.own_and_branch(far, inner)
        if not (before & ~beyond).all():
            continue
        points = np.stack([beta, loads], axis=1)
        if place is Place.fold:
            limit = at_birth
        elif sign > 0:
            limit = np.where(branch.phase == Phase.uniform, converter.uniform_power(points), np.nan)
        else:
            limit = _above(converter, loads, beta)
        if np.all(np.abs(limit - branch.power) < CONTINUOUS * np.abs(limit)):
            return Edge(branch._replace(points=points), limit, np.full(len(loads), int(place)))
    return None


def _above(converter: Converter, loads: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """The limit of the power at beta_c1 from above, from P_1 = 1; NaN where points near it are undecided or unlike."""
    grid = onset[:, None] * (1.0 + NEAR * DISTANCES)
    points = np.stack([grid, np.broadcast_to(loads[:, None], grid.shape)], axis=-1)
    lanes = converter.run(points.reshape(-1, 2), None, MANY_ROUNDS)
    power = np.where(lanes.known, lanes.power, np.nan).reshape(grid.shape)
    phase = lanes.phase.reshape(grid.shape)
    # Time averages of what is born at beta_c1 are smooth in the distance from it.
    weights = np.linalg.solve(np.vander(DISTANCES, increasing=True).T, np.eye(len(DISTANCES))[0])
    return np.where(np.all(phase == phase[:, :1], axis=1), power @ weights, np.nan)
