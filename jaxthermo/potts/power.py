"""Maximum output power of a converter, with the edges on which it may lie computed as such."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, status_if
from jaxthermo._types import IntLike, ScalarLike, Stats
from jaxthermo.checks import require_finite, require_known, require_positive_scalar, require_scalar
from jaxthermo.jumps.arguments import require_not_negative
from jaxthermo.jumps.rates import AbstractRates
from jaxthermo.potts.converter import Converter, Lanes, output_power as output_power
from jaxthermo.potts.diagram import Phase
from jaxthermo.potts.edges import Maximum, Place, Side, edge_maximum
from jaxthermo.potts.ring import PottsRing, check_ring
from jaxthermo.potts.stability import critical_beta
from jaxthermo.solve.attractor import AttractorKind
from jaxthermo.solve.progress import Line

# The first look: so many inverse temperatures and loads; so many loads where beta is given.
GRID, GRID_OF_LOADS = (64, 24), 64
# The localised phase, whose power only falls with beta, has taken over well below this multiple of beta_c1.
BETA_RANGE = 3.0
# Maxima of the first look that are followed: those above this share of the largest, and at most so many.
PROMISING, FOLLOWED = 0.92, 6
# And at most so many searches, with those that go on across an edge.
MOST_SEARCHES = 8
# Of those that meet an edge, the ones above this share of the best are followed along it.
CLOSE = 0.97
# A search ends where a step is below this share of the first look's spacing, or, at an edge, where the steps that
# remain possible are below the second. Its models reach no less far than the third, to see more than rounding.
LAST_STEP, SHORTEST, FINEST = 1e-4, 2.0**-7, 2.0**-6
CLIMB_STEPS = 40
# Multiples of a model's step that are tried at once, and the points that models of one and of two variables need.
TRIED, NEEDED = np.array([1.0, 0.5, 0.2, 2.0, 4.0]), {1: 3, 2: 7}
# Maxima with powers and loads this near, relative to the largest, are the same; powers this near are ties.
SAME_MAXIMUM, TIE = 1e-3, 1e-6


class MaximumPower(AbstractResult):
    """Maximum output power, where it is reached, its efficiency, and its runners-up; see `maximum_power`.

    The arrays over `candidate` hold all maxima that were found, by falling power, the global one first. `place` says
    where a maximum lies, `side` from which side of an edge it is approached: it is then a limit, which need not be
    reached on the edge.
    """

    status: Int[Array, ""]
    stats: Stats
    ring: PottsRing
    power: Float[Array, ""] = quantity("energy/time", "largest time-averaged output power |P| per unit", main=True)
    efficiency: Float[Array, ""] = quantity("1", "efficiency at maximum power, -f2/f1", main=True)
    force2: Float[Array, ""] = quantity("energy", "load f2 at the maximum")
    beta: Float[Array, ""] = quantity("1/energy", "inverse temperature at the maximum")
    attractor: Int[Array, ""] = quantity("1", "kind of attractor at the maximum", codes=AttractorKind)
    powers: Float[Array, " candidate"] = quantity("energy/time", "output power of every maximum", ("candidate",))
    efficiencies: Float[Array, " candidate"] = quantity("1", "its efficiency", ("candidate",))
    loads: Float[Array, " candidate"] = quantity("energy", "its load f2", ("candidate",))
    betas: Float[Array, " candidate"] = quantity("1/energy", "its inverse temperature", ("candidate",))
    attractors: Int[Array, " candidate"] = quantity("1", "its attractor", ("candidate",), codes=AttractorKind)
    phases: Int[Array, " candidate"] = quantity("1", "its phase", ("candidate",), codes=Phase)
    places: Int[Array, " candidate"] = quantity("1", "where it lies", ("candidate",), codes=Place)
    sides: Int[Array, " candidate"] = quantity("1", "from where it is approached", ("candidate",), codes=Side)
    gaps: Float[Array, " candidate"] = quantity("energy/time", "how far it is below the global one", ("candidate",))

    @property
    def kind(self) -> str | np.ndarray:
        """The attractor at the maximum: "fixed point" or "limit cycle"."""
        return AttractorKind.spelled(self.attractor)

    @property
    def place(self) -> Place:
        """Where the maximum lies: inside a phase, or at beta_c1, a fold, the edge of a basin or a doubled period."""
        return Place(int(self.places[0]))

    @property
    def ties(self) -> int:
        """How many other maxima have the same power to its accuracy."""
        return int(np.sum(np.asarray(self.gaps)[1:] <= TIE * float(self.power)))


def maximum_power(
    q: IntLike,
    coupling: ScalarLike,
    prefactor: ScalarLike,
    forward_force: ScalarLike,
    beta: ScalarLike | None = None,
    *,
    rates: AbstractRates | None = None,
    progress: bool | None = None,
) -> MaximumPower:
    """Largest output power over the load f2 (and over beta, if None), for the attractor reached from P_1 = 1.

    Equation   I = sum J_i at f = f1 + f2; output power P = f2 I <= 0, `power` = |P|; efficiency eta = -f2/f1

    q               number of states
    coupling        u, an energy
    prefactor       G of the rates, 1/time
    forward_force   the drive f1 > 0, an energy
    beta            inverse temperature; None: the maximum over all of them
    rates           the rate law; None: `Arrhenius`
    progress        whether a line tells how many lanes were looked at; None: on a terminal and in notebooks
    Units           power: energy per unit time and per unit of the ring; force2: energy; beta: 1/energy
    Returns         a `MaximumPower`: `power`, `efficiency`, `force2`, `beta`, and in `place` and `side` where the
                    maximum lies
    Raises          ValueError if forward_force <= 0, or, with beta None, if the power is unbounded as beta -> infinity
                    (coupling >= 0, or forward_force > -coupling); inside a jax transformation
    Accuracy        1e-6 of the power, 1e-3 of the efficiency; `Status.not_converged` where that may be missed
    Source          Herpich & Esposito 2019, Sec. IV, Figs. 3 and 4

    A grid over beta and load shows where maxima may lie; each is then refined on its own attractor. Power drops where
    that attractor ends (at beta_c1, at a fold) and where P_1 = 1 begins to lead to another one (on the edge of a
    basin). A search that meets such an edge goes on along it: the edge is found by bisection, or where it is known
    exactly, and the maximum is the limit from the side of the attractor. `stats` counts the lanes that were looked at,
    and those without a known attractor.

    Example
        >>> import jaxthermo as jt
        >>> found = jt.potts.maximum_power(q=3, coupling=-1.0, prefactor=0.1, forward_force=1.0, beta=2.0)
        >>> round(float(found.power), 5), round(float(found.efficiency), 3)
        (0.0522, 0.479)
    """
    given = (coupling, prefactor, forward_force, beta, rates)
    require_known("maximum_power", given, "trace `jt.potts.stationary` at loads of your own")
    f1 = require_positive_scalar("forward_force", forward_force)
    ring = PottsRing(q, coupling, f1, prefactor, rates=rates)
    check_ring(ring)
    # Interior points only: at f2 = 0 and f2 = -f1 the power vanishes.
    if beta is not None:
        beta = require_scalar("beta", beta)
        require_not_negative("beta", beta)
        axes = np.array([float(beta)]), -float(f1) * _inner(GRID_OF_LOADS)
    else:
        if float(ring.coupling) >= 0 or float(f1) > -float(ring.coupling):
            raise ValueError(
                "`beta` must be given here: with coupling >= 0 or forward_force > -coupling the power grows without "
                f"bound as beta -> infinity, but coupling is {float(ring.coupling)} and forward_force {float(f1)}"
            )
        require_finite("critical beta", critical_beta(ring))
        axes = BETA_RANGE * float(critical_beta(ring)) * _inner(GRID[0]), -float(f1) * _inner(GRID[1])
    with Line("maximum_power", progress) as line:
        converter = Converter(ring, lambda lanes: line.tell(f"{lanes} lanes looked at"), few=beta is not None)
        found, largest = _maxima(converter, axes)
    result = _result(converter, found, largest)
    warn_unless_ok(result)
    return result


def _inner(count: int) -> np.ndarray:
    """As many points that divide (0, 1) into equal parts."""
    return np.linspace(0.0, 1.0, count + 2)[1:-1]


def _maxima(converter: Converter, axes: tuple[np.ndarray, np.ndarray]) -> tuple[list[Maximum], float]:
    """Every maximum that was found, by falling power, and the largest power of the first look."""
    spacing = np.array([abs(axis[1] - axis[0]) if len(axis) > 1 else 0.0 for axis in axes])
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    lanes = converter.run(grid.reshape(-1, 2))
    if not np.any(lanes.known):
        return [], -np.inf
    found: list[Maximum] = []
    waiting = [_refined_maximum(converter, lanes.at(index), spacing) for index in _peaks(lanes, grid.shape[:2])]
    waiting.sort(key=lambda reached: -float(reached[0].power))
    best = float(waiting[0][0].power)
    for here, blocked in waiting:
        if not blocked:
            found.append(_interior(here))
        elif float(here.power) > CLOSE * best and not _is_known(here, found, spacing):
            edge = edge_maximum(converter, here, spacing)
            if edge is None:
                found.append(_interior(here)._replace(place=Place.unknown))
            elif edge.beyond is None:
                found.append(edge)
            elif len(waiting) < MOST_SEARCHES:
                # The way up goes on across the edge.
                waiting.append(_refined_maximum(converter, edge.beyond, spacing))
            else:
                found.append(edge._replace(place=Place.unknown))
    distinct: list[Maximum] = []
    for one in sorted(found, key=lambda one: -one.power):
        scale = np.array([max(abs(one.point[0]), 1e-300), converter.f1])
        if all(np.max(np.abs(one.point - other.point) / scale) > SAME_MAXIMUM for other in distinct):
            distinct.append(one)
    return distinct, float(np.max(lanes.power, where=lanes.known, initial=-np.inf))


def _is_known(here: Lanes, found: list[Maximum], spacing: np.ndarray) -> bool:
    """Whether a search has met an edge that was followed already."""
    no_edges = (Place.interior, Place.unknown)
    edges = [one for one in found if one.place not in no_edges and here.repeated(1).like_cycle(one.phase, one.period)]
    return any(np.all(np.abs(one.point - here.points) <= 3.0 * spacing) for one in edges)


def _interior(here: Lanes) -> Maximum:
    kind, phase = int(here.attractor), int(here.phase)
    return Maximum(here.points, float(here.power), kind, phase, Place.interior, Side.at_it, float(here.period))


def _peaks(lanes: Lanes, shape: tuple[int, ...]) -> list[int]:
    """Indices of lanes from which a search begins in a table of this shape, best first.

    Those that no neighbour beats; and of those with a neighbour in another phase, which have an edge within reach,
    those that no such neighbour of their own phase beats: the power may rise towards the edge between two points of
    the table. Neighbours whose period is twice or half that of a cycle do not count: the power has a cusp on the way to
    them, on whose other side it may rise to another maximum.
    """
    (rows, columns), indices = shape, np.arange(len(lanes.points))
    power = np.where(lanes.known, lanes.power, -np.inf)
    row, column = np.divmod(indices, columns)
    around = []
    for i, j in [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]:
        there = (row + i >= 0) & (row + i < rows) & (column + j >= 0) & (column + j < columns)
        around.append(np.where(there, indices + i * columns + j, indices))
    by_edge = np.any([lanes.phase[other] != lanes.phase for other in around], axis=0)
    peak, edge_peak = np.ones(len(indices), bool), by_edge.copy()
    for other in around:
        not_beaten = (power >= power[other]) | lanes.at(other).doubled(lanes)
        peak &= not_beaten
        edge_peak &= not_beaten | ~by_edge[other] | (lanes.phase[other] != lanes.phase)
    peaks = np.flatnonzero((peak | edge_peak) & (power >= PROMISING * power.max()))
    return peaks[np.argsort(-power[peaks])][:FOLLOWED].tolist()


def _refined_maximum(converter: Converter, seed: Lanes, spacing: np.ndarray) -> tuple[Lanes, bool]:
    """The maximum uphill on the seed's attractor, by quadratic models; True if an edge came before it."""
    here, size, free = seed, 0.5 * spacing, spacing > 0
    offsets = np.stack(np.meshgrid(*[(-1.0, 0.0, 1.0) if one else (0.0,) for one in free], indexing="ij"), axis=-1)
    offsets = offsets.reshape(-1, 2)
    for _ in range(CLIMB_STEPS):
        if np.max(size[free] / spacing[free]) < SHORTEST:
            return here, True
        branch = converter.run(here.points + size * offsets, np.tile(here.state, (len(offsets), 1)))
        # A few points of a model may lie beyond an edge, or in a stretch where no attractor is known.
        smooth = branch.like(here)
        if np.sum(smooth) < NEEDED[int(np.sum(free))]:
            size = 0.5 * size
            continue
        step = size * _uphill(offsets[smooth], branch.power[smooth], free)
        inside, there = converter.own_and_branch(here.points + TRIED[:, None] * step, here.repeated(len(TRIED)))
        if inside[0] and np.max(np.abs(step[free]) / spacing[free]) < LAST_STEP:
            return there.at(0), False
        better = inside & (there.power > here.power)
        if not better.any():
            size = 0.25 * size
            continue
        best = int(np.argmax(np.where(better, there.power, -np.inf)))
        here = there.at(best)
        if best == 0 and np.all(np.abs(step) <= 0.5 * size):
            size = np.maximum(0.25 * size, np.minimum(size, FINEST * spacing))
        else:
            size = np.minimum(2.0 * size, 0.5 * spacing)
    return here, True


def _uphill(offsets: np.ndarray, power: np.ndarray, free: np.ndarray) -> np.ndarray:
    """The step, within the offsets, to the maximum of the quadratic model; uphill where that has none."""
    x = offsets[:, free]
    pairs = [(i, j) for i in range(x.shape[1]) for j in range(i + 1)]
    columns = [np.ones(len(x)), *x.T, *[x[:, i] * x[:, j] for i, j in pairs]]
    fit = np.linalg.lstsq(np.stack(columns, axis=1), power, rcond=None)[0]
    slope, bend = fit[1 : 1 + x.shape[1]], np.zeros((x.shape[1],) * 2)
    for (i, j), value in zip(pairs, fit[1 + x.shape[1] :], strict=True):
        bend[i, j] += value
        bend[j, i] += value
    concave = np.all(np.linalg.eigvalsh(bend) < 0)
    step = -np.linalg.solve(bend, slope) if concave else slope / max(np.abs(slope).max(), 1e-300)
    full = np.zeros(2)
    full[free] = step / max(1.0, np.abs(step).max())
    return full


def _result(converter: Converter, found: list[Maximum], largest: float) -> MaximumPower:
    """The maxima as a result; not converged where a point of the first look beats them all, or no edge was found."""
    nan = Maximum(
        *(np.full(2, np.nan), np.nan, int(AttractorKind.undecided), int(Phase.undecided)),
        *(Place.interior, Side.at_it, np.nan),
    )
    entries = found or [nan]
    power = np.array([one.power for one in entries])
    points = np.stack([one.point for one in entries])
    status = Status.not_converged if found else Status.undecided
    right = bool(found) and power[0] >= largest * (1.0 - TIE) and entries[0].place is not Place.unknown
    efficiencies = -points[:, 1] / converter.f1
    kinds = np.array([one.attractor for one in entries], np.int32)
    return MaximumPower(
        status=status_if(not right, status),
        stats={"lanes": converter.lanes, "undecided": converter.undecided},
        ring=converter.ring,
        power=jnp.asarray(power[0]),
        efficiency=jnp.asarray(efficiencies[0]),
        force2=jnp.asarray(points[0, 1]),
        beta=jnp.asarray(points[0, 0]),
        attractor=jnp.asarray(kinds[0]),
        powers=jnp.asarray(power),
        efficiencies=jnp.asarray(efficiencies),
        loads=jnp.asarray(points[:, 1]),
        betas=jnp.asarray(points[:, 0]),
        attractors=jnp.asarray(kinds),
        phases=jnp.asarray(np.array([one.phase for one in entries], np.int32)),
        places=jnp.asarray(np.array([one.place for one in entries], np.int32)),
        sides=jnp.asarray(np.array([one.side for one in entries], np.int32)),
        gaps=jnp.asarray(power[0] - power),
    )
