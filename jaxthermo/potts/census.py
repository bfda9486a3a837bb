"""A census of attractors: many starts, the attractors that they reach, and how often."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.checks import as_float, require_integer
from jaxthermo.potts.congruence import Curve, cycle_curve, point_curve
from jaxthermo.potts.ring import PottsRing, require_autonomous
from jaxthermo.potts.stationary import MAX_ROUNDS, Stationary, stationary_lanes
from jaxthermo.solve.attractor import KINDS, LIMIT_CYCLE, UNDECIDED

STARTS = 256
# Newton's method leaves periods and averages with errors far below this share of their values.
SAME_AVERAGE = 1e-5


@dataclass(frozen=True)
class RingAttractor:
    """One attractor and its rotated copies; made by `attractors`.

    Shapes     occupation: (q,), the fixed point or the average over the cycle; cycle: (samples, q), one turn at equal
               steps of time from 0, its end left out; None unless a limit cycle
    Units      work current, entropy production: per unit of the ring and per unit time; period: time

    `basin` is the share of starts that end on any of the copies, `basin_error` its standard error from the finite
    number of starts, [basin (1 - basin)/starts]^(1/2). `copies` is the number of attractors that rotations of the ring
    make of this one, of which `copies_found` were reached. Of kind "undecided" are all starts without a known
    attractor; what is not known of them is NaN.
    """

    kind: str
    occupation: np.ndarray
    cycle: np.ndarray | None
    period: float
    work_current: float
    entropy_production: float
    basin: float
    basin_error: float
    copies: int
    copies_found: int


class Census(list[RingAttractor]):
    """Attractors by falling basin, the undecided starts last; `coexist` and `summary` say what they are together."""

    @property
    def known(self) -> list[RingAttractor]:
        """The attractors without the undecided starts."""
        return [one for one in self if one.kind != KINDS[UNDECIDED]]

    @property
    def coexist(self) -> bool:
        """Whether several attractors were found that no rotation of the ring turns into each other."""
        return len(self.known) > 1

    @property
    def summary(self) -> str:
        """One line for what coexists, then one for each attractor."""
        count = len(self.known)
        heads = ["no attractor is known", "one attractor", f"{count} attractors coexist"]
        lines = [heads[min(count, 2)] + (", up to rotation of the ring" if count else "")]
        for one in self:
            copies = f", {one.copies_found} of {one.copies} copies" if one.copies > 1 else ""
            work = "" if one.kind == KINDS[UNDECIDED] else f", work current {one.work_current:.6g}"
            period = "" if one.cycle is None else f", period {one.period:.6g}"
            lines.append(f"{one.kind}: basin {one.basin:.3f} +- {one.basin_error:.3f}{copies}{work}{period}")
        return "\n".join(lines)


@dataclass
class _Class:
    """Starts that reached one attractor or a rotated copy of it."""

    lane: int  # the first of them
    curve: Curve
    copies: list[int] = field(default_factory=list)


def attractors(
    ring: PottsRing, beta: Any, starts: Any = STARTS, key: Any = None, *, max_rounds: int = MAX_ROUNDS
) -> Census:
    """The attractors of a ring that random starts reach, up to rotation of the ring, with their basins.

    Equation   starts are uniform on the simplex P_i >= 0, sum P_i = 1 (Dirichlet(1)); each is followed by `stationary`
    Shapes     starts: how many; key: a `jax.random.key`, None for `jax.random.key(0)`
    Raises     ValueError for impossible parameters, starts < 1, or a key that is none; without double precision

    Two are the same if kind, period and averages agree, and one passes through the other after a rotation of the ring.
    Rotations are tried only where the energies are flat. The same key gives the same census. An attractor with a basin
    much below 1/starts is likely to be missed.
    """
    beta = require_autonomous(ring, beta)
    count = require_integer("starts", starts, 1)
    p0 = uniform_starts(ring.q, count, key)
    found = stationary_lanes(ring, jnp.full(count, beta), p0, max_rounds=max_rounds)
    flat = np.ptp(np.asarray(ring.energies)) == 0
    shifts = range(ring.q if flat else 1)

    classes: list[_Class] = []
    for lane in np.flatnonzero(found.code != UNDECIDED).tolist():
        for known in classes:
            rotations = (
                known.curve.rotations_through(np.asarray(found.state[lane])) if _alike(found, known.lane, lane) else []
            )
            if rotations:
                known.copies.append(rotations[0])
                break
        else:
            classes.append(_Class(lane, _curve(ring, beta, found, lane, shifts), [0]))
    entries = [_entry(found, one, count) for one in classes]
    undecided = int(np.sum(found.code == UNDECIDED))
    entries.sort(key=lambda one: -one.basin)
    return Census(entries + ([_undecided(ring.q, undecided, count)] if undecided else []))


def uniform_starts(q: int, count: int, key: Any = None) -> Float[Array, "count q"]:
    """Occupations uniform on the simplex; raises ValueError if the key is not a `jax.random.key`."""
    key = jax.random.key(0) if key is None else key
    try:
        draws = jax.random.exponential(key, (count, q), as_float(0.0).dtype)
    except (TypeError, ValueError):
        raise ValueError(f"`key` must be a jax.random.key, but is {key!r}") from None
    return draws / jnp.sum(draws, axis=1, keepdims=True)


def _alike(found: Stationary, one: int, other: int) -> bool:
    """Whether kind, period and averages agree."""
    averages = (found.period, found.energy, found.work_current, found.entropy, found.entropy_production)
    return bool(found.code[one] == found.code[other]) and all(
        np.isclose(values[one], values[other], rtol=SAME_AVERAGE, atol=SAME_AVERAGE**2, equal_nan=True)
        for values in averages
    )


def _curve(ring: PottsRing, beta: Array, found: Stationary, lane: int, shifts: range) -> Curve:
    state = np.asarray(found.state[lane])
    if found.code[lane] == LIMIT_CYCLE:
        return cycle_curve(ring, beta, state, float(found.period[lane]), shifts)
    return point_curve(state, shifts)


def _entry(found: Stationary, one: _Class, starts: int) -> RingAttractor:
    basin, error = _share(len(one.copies), starts)
    cyclic = found.code[one.lane] == LIMIT_CYCLE
    return RingAttractor(
        kind=KINDS[found.code[one.lane]],
        occupation=np.asarray(found.occupation[one.lane]),
        cycle=one.curve.states if cyclic else None,
        period=float(found.period[one.lane]),
        work_current=float(found.work_current[one.lane]),
        entropy_production=float(found.entropy_production[one.lane]),
        basin=basin,
        basin_error=error,
        copies=one.curve.copies,
        copies_found=len(set(one.copies)),
    )


def _undecided(q: int, count: int, starts: int) -> RingAttractor:
    nan = float("nan")
    return RingAttractor(KINDS[UNDECIDED], np.full(q, nan), None, nan, nan, nan, *_share(count, starts), 1, 1)


def _share(count: int, starts: int) -> tuple[float, float]:
    share = count / starts
    return share, (share * (1.0 - share) / starts) ** 0.5
