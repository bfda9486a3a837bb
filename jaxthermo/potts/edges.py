"""Edges of a converter's power, where the attractor that P_1 = 1 leads to ends or changes, and the best point there."""

from typing import NamedTuple

import numpy as np

from jaxthermo.flags import Code
from jaxthermo.potts.converter import MANY_ROUNDS, Converter, Lanes
from jaxthermo.potts.diagram import Phase

# This far from beta_c1 and from folds, relative to them, attractors are known. At beta_c1 the limit of the power is
# that of a polynomial through its values at these multiples of the distance.
NEAR, DISTANCES = 4e-3, np.arange(1.0, 6.0)
# A power this near to the limit, relative to it, tends to it: next to a fold like the square root of the distance.
CONTINUOUS = 0.2
# Points that are looked at along an edge, how much shorter the next stretch is, and how often.
ALONG, SHORTER, STRETCHES = 7, 0.3, 5
BISECTIONS, REACHES = 34, 2.0 ** np.arange(-5.0, 2.0)


class Place(Code):
    """Where a maximum lies."""

    interior = 0
    onset = 1
    fold = 2
    basin_edge = 3


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
    """The best point of the edge that a climb has met, approached from the climb's side; None if there is no edge."""
    alone = Lanes(*(np.asarray(values)[None] for values in here))
    for axis in np.flatnonzero(spacing).tolist():
        for sign in (1.0, -1.0):
            edge = _beside(converter, alone, axis, sign * spacing[axis])
            # The edge that stops a climb is one towards which the power rises.
            if np.isfinite(edge.power[0]) and edge.power[0] >= float(here.power):
                best = edge if spacing[1 - axis] == 0 else _best_along(converter, here, edge, axis, sign, spacing)
                side = Side.from_below if sign > 0 else Side.from_above
                place = Place(int(best.place[0]))
                return Maximum(best.points[0], float(best.power[0]), int(here.attractor), int(here.phase), place, side)
    return None


def _best_along(converter: Converter, here: Lanes, edge: Edge, axis: int, sign: float, spacing: np.ndarray) -> Edge:
    """The best of the edge, over the coordinate that is not across it."""
    other, best = 1 - axis, edge
    stretch = spacing[other]
    for _ in range(STRETCHES):
        points = np.tile(best.points[0], (ALONG, 1))
        # Back from the edge, which may run askew.
        points[:, axis] -= sign * 0.5 * spacing[axis] * stretch / spacing[other]
        points[:, other] += stretch * np.linspace(-1.0, 1.0, ALONG)
        inside, branch = converter.own_and_branch(points, np.tile(best.state[0], (ALONG, 1)), int(here.phase))
        chosen = np.flatnonzero(inside)
        if chosen.size:
            reach = sign * 2.0 * spacing[axis] * stretch / spacing[other]
            found = _beside(converter, branch.at(chosen), axis, reach)
            top = int(np.argmax(np.where(np.isfinite(found.power), found.power, -np.inf)))
            if found.power[top] > best.power[0]:
                best = Edge(*(values[top : top + 1] for values in found))
        stretch = SHORTER * stretch
    return best


def _beside(converter: Converter, seeds: Lanes, axis: int, reach: float) -> Edge:
    """The first edge within reach of each seed along an axis, and the limit of its branch there; power NaN if none."""
    inner, states, count = seeds.points.copy(), seeds.state.copy(), len(seeds.power)
    phase = int(seeds.phase[0])
    outer, met = inner.copy(), np.zeros(count, bool)
    for share in REACHES:
        trial = seeds.points + share * reach * np.eye(2)[axis]
        inside, branch = converter.own_and_branch(trial, states, phase)
        outer[~met] = trial[~met]
        met |= ~inside
        inner[~met], states[~met] = trial[~met], branch.state[~met]
        if met.all():
            break
    edge = _known_edge(converter, seeds, inner, outer, states, reach) if axis == 0 else None
    if edge is not None:
        return edge
    for _ in range(BISECTIONS if met.any() else 0):
        middle = 0.5 * (inner + outer)
        inside, branch = converter.own_and_branch(middle, states, phase)
        inner = np.where(inside[:, None], middle, inner)
        outer = np.where(inside[:, None], outer, middle)
        states = np.where(inside[:, None], branch.state, states)
    power = converter.run(inner, states, MANY_ROUNDS).power
    return Edge(inner, np.where(met, power, np.nan), np.full(count, int(Place.basin_edge)), states)


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
