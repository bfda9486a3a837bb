"""The basins of a ring's attractors: many starts, the attractors that they reach, and how often."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status
from jaxthermo._types import IntLike, ScalarLike
from jaxthermo.checks import as_float, require_integer, require_known
from jaxthermo.jumps.attractor import MAX_ROUNDS, Stationary
from jaxthermo.jumps.finite.random import require_key
from jaxthermo.potts.attractor import long_time_lanes
from jaxthermo.potts.ring import PottsRing, require_autonomous
from jaxthermo.potts.symmetry import SAMPLES, ClosedOrbit, cycle_orbit, point_orbit
from jaxthermo.solve.attractor import LIMIT_CYCLE, UNDECIDED, AttractorKind
from jaxthermo.solve.progress import Line

STARTS = 256
# Newton's method leaves periods and averages with errors far below this share of their values.
SAME_AVERAGE = 1e-5


class BasinSample(AbstractResult):
    """Attractors and their basins, by falling basin, the undecided starts last; made by `attractors`.

    `basin` is the share of starts that end on an attractor or its rotated copies, `basin_error` its standard error
    from the finite number of starts, [basin (1 - basin)/starts]^(1/2). `copies` is the number of attractors that
    rotations of the ring make of one, of which `copies_found` were reached. `cycle` is one turn at equal steps of time
    from 0, its end left out. What is not known of undecided starts, and `cycle` of what does not cycle, is NaN.
    `sample[k]` is the sample with the attractor k alone.
    """

    status: Int[Array, ""]
    stats: dict[str, Array]
    network: PottsRing
    beta: Float[Array, ""]
    attractor: Int[Array, "*one"] = quantity("1", "kind of attractor", ("attractor",), codes=AttractorKind)
    basin: Float[Array, "*one"] = quantity("1", "share of the starts", ("attractor",), main=True)
    basin_error: Float[Array, "*one"] = quantity("1", "standard error of that share", ("attractor",))
    copies: Int[Array, "*one"] = quantity("1", "attractors that rotations make of it", ("attractor",))
    copies_found: Int[Array, "*one"] = quantity("1", "how many of these were reached", ("attractor",))
    occupation: Float[Array, "*one q"] = quantity("1", "mean occupation P_i", ("attractor", "state"))
    period: Float[Array, "*one"] = quantity("time", "period of the limit cycle", ("attractor",))
    work_current: Float[Array, "*one"] = quantity("energy/time", "mean work of the force per unit time", ("attractor",))
    entropy_production_rate: Float[Array, "*one"] = quantity(
        "k_B/time", "mean rate of entropy production", ("attractor",)
    )
    cycle: Float[Array, "*one samples q"] = quantity("1", "one turn of the limit cycle", ("attractor", "turn", "state"))

    def __len__(self) -> int:
        return len(np.atleast_1d(self.attractor))

    def __getitem__(self, index: int) -> "BasinSample":
        own = {name: getattr(self, name)[index] for name in ENTRIES}
        return BasinSample(status=self.status, stats=self.stats, network=self.network, beta=self.beta, **own)

    def __iter__(self) -> Iterator["BasinSample"]:
        return (self[index] for index in range(len(self)))

    @property
    def kind(self) -> str | np.ndarray:
        """ "fixed point", "limit cycle" or "undecided": an array of these words, or one for a single attractor."""
        return AttractorKind.spelled(self.attractor)

    @property
    def coexist(self) -> bool:
        """Whether several attractors were found that no rotation of the ring turns into each other."""
        return int(np.sum(np.asarray(self.attractor) != UNDECIDED)) > 1

    @property
    def summary(self) -> str:
        """One line for what coexists, then one for each attractor."""
        count = int(np.sum(np.asarray(self.attractor) != UNDECIDED))
        heads = ["no attractor is known", "one attractor", f"{count} attractors coexist"]
        lines = [heads[min(count, 2)] + (", up to rotation of the ring" if count else "")]
        for one in self:
            copies = f", {one.copies_found} of {one.copies} copies" if one.copies > 1 else ""
            work = "" if one.attractor == UNDECIDED else f", work current {float(one.work_current):.6g}"
            period = f", period {float(one.period):.6g}" if one.attractor == LIMIT_CYCLE else ""
            basin = f"basin {float(one.basin):.3f} +- {float(one.basin_error):.3f}"
            lines.append(f"{one.kind}: {basin}{copies}{work}{period}")
        return "\n".join(lines)


# What a sample has for each attractor; the first four are counted, the others those of a lane that reached it.
ENTRIES = (
    "basin",
    "basin_error",
    "copies",
    "copies_found",
    "attractor",
    "occupation",
    "period",
    "work_current",
    "entropy_production_rate",
    "cycle",
)


@dataclass
class _Class:
    """Starts that reached one attractor or a rotated copy of it."""

    lane: int  # the first of them
    orbit: ClosedOrbit
    copies: list[int] = field(default_factory=list)


def attractors(
    ring: PottsRing,
    beta: ScalarLike,
    starts: IntLike = STARTS,
    key: Array | None = None,
    *,
    max_rounds: IntLike = MAX_ROUNDS,
    progress: bool | None = None,
) -> BasinSample:
    """The attractors of a ring that random starts reach, up to rotation of the ring, with their basins.

    Equation   starts are uniform on the simplex P_i >= 0, sum P_i = 1 (Dirichlet(1)); each is followed by `stationary`

    ring         a `jt.PottsRing` with a constant force
    beta         inverse temperature, a number
    starts       how many
    key          a `jax.random.key`; None: `jax.random.key(0)`
    max_rounds   rounds of integration before a start counts as undecided
    progress     whether a line tells how many starts are done; None: on a terminal and in notebooks
    Raises       ValueError for impossible parameters, starts < 1, or a key that is none; without double precision;
                 inside a jax transformation, where the number of attractors cannot depend on values

    Two are the same if kind, period and averages agree, and one passes through the other after a rotation of the ring.
    Rotations are tried only where the energies are flat. The same key gives the same sample. An attractor with a basin
    much below 1/starts is likely to be missed. `Status.undecided` where some start has no known attractor.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> sample = jt.potts.attractors(ring, 4.0, starts=8)
        >>> [(str(kind), float(share)) for kind, share in zip(sample.kind, sample.basin)]
        [('limit cycle', 1.0)]
    """
    beta = require_autonomous(ring, beta)
    count = require_integer("starts", starts, 1)
    p0 = uniform_starts(ring.q, count, key)
    require_known("attractors", (ring, beta, p0), "trace `jt.potts.stationary(ring, beta, p0)` from one start")
    with Line("attractors", progress) as line:
        found = long_time_lanes(ring, jnp.full(count, beta), p0, max_rounds, advance=line.counter(count, "starts"))
    flat = np.ptp(np.asarray(ring.energies)) == 0
    shifts = range(ring.q if flat else 1)

    classes: list[_Class] = []
    for lane in np.flatnonzero(found.attractor != UNDECIDED).tolist():
        for known in classes:
            rotations = (
                known.orbit.rotations_through(np.asarray(found.point[lane])) if _alike(found, known.lane, lane) else []
            )
            if rotations:
                known.copies.append(rotations[0])
                break
        else:
            classes.append(_Class(lane, _orbit(ring, beta, found, lane, shifts), [0]))
    classes.sort(key=lambda one: -len(one.copies))
    entries = [_entry(found, one, count) for one in classes]
    undecided = int(np.sum(found.attractor == UNDECIDED))
    if undecided:
        entries.append(_undecided(ring.q, undecided, count, found.attractor.dtype))
    stacked = {name: np.stack([entry[name] for entry in entries]) for name in ENTRIES}
    status = np.asarray(int(Status.undecided if undecided else Status.ok), np.int32)
    result = BasinSample(
        status=jnp.asarray(status),
        stats={"rounds": jnp.max(found.stats["rounds"])},
        network=ring,
        beta=beta,
        **{name: jnp.asarray(values) for name, values in stacked.items()},
    )
    warn_unless_ok(result)
    return result


def uniform_starts(q: int, count: int, key: Array | None = None) -> Float[Array, "count q"]:
    """Occupations uniform on the simplex; raises ValueError if the key is not a `jax.random.key`."""
    key = jax.random.key(0) if key is None else key
    draws = jax.random.exponential(require_key(key), (count, q), as_float(0.0).dtype)
    return draws / jnp.sum(draws, axis=1, keepdims=True)


def _alike(found: Stationary, one: int, other: int) -> bool:
    """Whether kind, period and averages agree."""
    averages = (found.period, found.energy, found.work_current, found.entropy, found.entropy_production_rate)
    return bool(found.attractor[one] == found.attractor[other]) and all(
        np.isclose(values[one], values[other], rtol=SAME_AVERAGE, atol=SAME_AVERAGE**2, equal_nan=True)
        for values in averages
    )


def _orbit(ring: PottsRing, beta: Array, found: Stationary, lane: int, shifts: range) -> ClosedOrbit:
    state = np.asarray(found.point[lane])
    if found.attractor[lane] == LIMIT_CYCLE:
        return cycle_orbit(ring, beta, state, float(found.period[lane]), shifts)
    return point_orbit(state, shifts)


def _entry(found: Stationary, one: _Class, starts: int) -> dict[str, Any]:
    cyclic = found.attractor[one.lane] == LIMIT_CYCLE
    blank = np.full((SAMPLES, found.point.shape[1]), np.nan)
    own = {name: np.asarray(getattr(found, name)[one.lane]) for name in ENTRIES[4:-1]}
    counted = _share(len(one.copies), starts) | {"copies": one.orbit.copies, "copies_found": len(set(one.copies))}
    return counted | own | {"cycle": one.orbit.states if cyclic else blank}


def _undecided(q: int, count: int, starts: int, dtype: jnp.dtype) -> dict[str, Any]:
    unknown = {"period": np.nan, "work_current": np.nan, "entropy_production_rate": np.nan}
    arrays = {"occupation": np.full(q, np.nan), "cycle": np.full((SAMPLES, q), np.nan)}
    kind = {"attractor": np.asarray(UNDECIDED, dtype), "copies": 1, "copies_found": 1}
    return _share(count, starts) | kind | unknown | arrays


def _share(count: int, starts: int) -> dict[str, float]:
    share = count / starts
    return {"basin": share, "basin_error": (share * (1.0 - share) / starts) ** 0.5}
