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


class Place(Code):
    """Where a maximum lies; unknown where a search came to no end and to no edge."""

    interior = 0
    onset = 1
    fold = 2
    basin_edge = 3
    unknown = 4


class Side(Code):
    """From where a maximum on an edge is approached, in beta, or in the load where beta is given."""

    at_it = 0
    from_below = 1
    from_above = 2


class Maximum(NamedTuple):
    """One maximum of the power, or the limit of one."""

    point: np.ndarray
    power: float
    attractor: int
    phase: int
    place: Place
    side: Side


class Edge(NamedTuple):
    """Edges beside several points: where they are, the limits of the power there, and what they are."""

    points: np.ndarray
    power: np.ndarray
    place: np.ndarray
    state: np.ndarray


def edge_maximum(converter: Converter, here: Lanes, spacing: np.ndarray) -> Maximum | None:
    """The best point of the edge that a search has met, approached from the search's side; None if there is no edge."""
    alone = Lanes(*(np.asarray(values)[None] for values in here))
    for axis in np.flatnonzero(spacing).tolist():
        for sign in (1.0, -1.0):
            reach = sign * 0.5 * spacing[axis]
            inner, outer, states, met = _bracket(converter, alone, axis, reach)
            # The edge that stops a search is one towards which the power rises.
            if not met[0] or converter.run(inner, states).power[0] < (1.0 - SAME_POWER) * float(here.power):
                continue
            across: Edge | None = None
            if spacing[1 - axis]:
                across = _best_along(converter, here, axis, sign, spacing)
            best = across or _between(converter, alone, inner, outer, states, axis, reach)
            place, side = Place(int(best.place[0])), Side.from_below if sign > 0 else Side.from_above
            return Maximum(best.points[0], float(best.power[0]), int(here.attractor), int(here.phase), place, side)
    return None


def _best_along(converter: Converter, here: Lanes, axis: int, sign: float, spacing: np.ndarray) -> Edge | None:
    """The best of the edge, over the coordinate that is not across it."""
    other, share, places = 1 - axis, 1.0, np.linspace(-1.0, 1.0, ALONG)
    centre, state, best = here.points, here.state, None
    for _ in range(STRETCHES):
        points = np.tile(centre, (len(places), 1))
        # Back from the edge, which may run askew.
        points[:, axis] -= sign * 0.5 * spacing[axis] * share
        points[:, other] += spacing[other] * share * places
        inside, branch = converter.own_and_branch(points, np.tile(state, (len(places), 1)), int(here.phase))
        if not inside.any():
            share = SHORTER * share
            if share < LAST:
                break
            continue
        seeds, reach = branch.at(np.flatnonzero(inside)), sign * 2.0 * spacing[axis] * share
        found = _between(converter, seeds, *_bracket(converter, seeds, axis, reach)[:3], axis, reach)
        top = int(np.nanargmax(np.append(found.power, -np.inf)))
        if top == len(found.power) or (best is not None and found.power[top] <= best.power[0]):
            share = SHORTER * share
        else:
            best = Edge(*(values[top : top + 1] for values in found))
            centre, state = best.points[0], best.state[0]
            if 0 < top < len(found.power) - 1:
                share = SHORTER * share
                # The next stretch is about the top of a parabola through the best point and its neighbours.
                fit = np.polyfit(found.points[top - 1 : top + 2, other], found.power[top - 1 : top + 2], 2)
                step = -0.5 * fit[1] / fit[0] - centre[other] if fit[0] < 0 else 0.0
                centre = centre + step * np.eye(2)[other]
        if share < LAST:
            break
    return best


Bracket = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _bracket(converter: Converter, seeds: Lanes, axis: int, reach: float) -> Bracket:
    """The last point on each seed's branch along an axis, the first beyond its edge, the state at the former; where."""
    inner, states, phase = seeds.points.copy(), seeds.state.copy(), int(seeds.phase[0])
    outer, met = inner.copy(), np.zeros(len(inner), bool)
    for share in REACHES:
        trial = seeds.points + share * reach * np.eye(2)[axis]
        inside, branch = converter.own_and_branch(trial, states, phase)
        outer[~met] = trial[~met]
        met |= ~inside
        inner[~met], states[~met] = trial[~met], branch.state[~met]
        if met.all():
            break
    return inner, outer, states, met


def _between(
    converter: Converter,
    seeds: Lanes,
    inner: np.ndarray,
    outer: np.ndarray,
    states: np.ndarray,
    axis: int,
    reach: float,
) -> Edge:
    """The edges in brackets, and the limits of the power there; NaN where a bracket holds none."""
    edge = _known_edge(converter, seeds, inner, outer, states, reach) if axis == 0 else None
    if edge is not None:
        return edge
    phase, met = int(seeds.phase[0]), np.any(inner != outer, axis=1)
    # The shorter the reach, the less the power changes within it.
    wanted = max(1e-4 * abs(reach) ** 2, RESOLUTION * converter.f1)
    while np.max(np.abs(outer - inner)) > wanted:
        middle = 0.5 * (inner + outer)
        inside, branch = converter.own_and_branch(middle, states, phase)
        inner = np.where(inside[:, None], middle, inner)
        outer = np.where(inside[:, None], outer, middle)
        states = np.where(inside[:, None], branch.state, states)
    power = converter.run(inner, states, MANY_ROUNDS).power
    return Edge(inner, np.where(met, power, np.nan), np.full(len(inner), int(Place.basin_edge)), states)


def _known_edge(
    converter: Converter, seeds: Lanes, inner: np.ndarray, outer: np.ndarray, states: np.ndarray, reach: float
) -> Edge | None:
    """beta_c1, or the birth of the localised states, where that is the edge of every seed, with the limits there.

    Attractors next to both are reached so slowly that bisection would not end.
    """
    loads, sign, phase = inner[:, 1], np.sign(reach), int(seeds.phase[0])
    onset = converter.onset(loads)
    born, at_birth = converter.fold(loads)
    for place, beta in ((Place.onset, onset), (Place.fold, born)):
        near, far = (np.stack([beta * (1.0 + side * sign * NEAR), loads], axis=1) for side in (-1.0, 1.0))
        within = (sign * (beta - inner[:, 0]) > -NEAR * beta) & (sign * (outer[:, 0] - beta) > -NEAR * beta)
        if not within.all():
            continue
        before, branch = converter.own_and_branch(near, states, phase)
        beyond, _ = converter.own_and_branch(far, states, phase)
        if not (before & ~beyond).all():
            continue
        if place is Place.fold:
            limit = at_birth
        elif sign > 0:
            limit = np.where(branch.phase == Phase.uniform, converter.uniform_power(np.stack([beta, loads], 1)), np.nan)
        else:
            limit = _above(converter, loads, beta)
        if np.all(np.abs(limit - branch.power) < CONTINUOUS * np.abs(limit)):
            return Edge(np.stack([beta, loads], axis=1), limit, np.full(len(loads), int(place)), branch.state)
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
