"""Phases of the ring, and phase diagrams over inverse temperature and force with their exact lines."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree

from jaxthermo._results import AbstractResult, quantity, status_over, warn_unless_ok
from jaxthermo._status import Code, Status
from jaxthermo._types import IntLike, ScalarLike, Stats
from jaxthermo.checks import as_float, require_finite, require_known, require_positive_scalar
from jaxthermo.jumps.arguments import require_not_negative
from jaxthermo.jumps.attractor import Stationary
from jaxthermo.jumps.occupation import localised, near_uniform
from jaxthermo.jumps.rates import AbstractRates
from jaxthermo.potts.attractor import long_time_lanes
from jaxthermo.potts.folds import fold_of, is_cold_state_stable
from jaxthermo.potts.ring import PottsRing, check_ring
from jaxthermo.potts.stability import critical_beta, is_uniform_stable
from jaxthermo.solve.attractor import FIXED_POINT, UNDECIDED
from jaxthermo.solve.lanes import Progress
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.progress import Line


class Phase(Code):
    """What the ring's attractor looks like."""

    undecided = 0
    uniform = 1
    localised = 2
    clustered = 3
    limit_cycle = 4


# Occupations that agree this well count as equal; near beta_c1 the asymmetry grows like a square root.
SAME = 1e-6
# Nearly every lane is decided in the first rounds; the few others run on alone.
FEW_ROUNDS, MANY_ROUNDS = 6, 40
# This near to beta_c1, relative to it, no number of rounds is enough.
AT_TRANSITION = 1e-9


def phases(state: Stationary) -> Int[Array, "*batch"]:
    """The member of `Phase` that the attractor is, lane by lane.

    state      what `stationary` or `stationary_lanes` has found

    A fixed point is "clustered" if a turn of the ring by fewer than q steps leaves it as it is, so that several equally
    filled states alternate with emptier ones, and "localised" if no turn does.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> jt.potts.Phase(int(jt.potts.phases(jt.potts.stationary(ring, 4.0)))).name
        'limit_cycle'
    """
    return _phases(jnp.asarray(state.point), jnp.asarray(state.attractor))


@lean_jit
def _phases(points: Float[Array, "*batch q"], attractor: Int[Array, "*batch"]) -> Int[Array, "*batch"]:
    turned = jnp.stack(
        [jnp.max(jnp.abs(jnp.roll(points, k, axis=-1) - points), axis=-1) for k in range(1, points.shape[-1])]
    )
    asymmetric = jnp.where(jnp.any(turned < SAME, axis=0), int(Phase.clustered), int(Phase.localised))
    fixed = jnp.where(turned[0] < SAME, int(Phase.uniform), asymmetric)
    moving = jnp.where(attractor == UNDECIDED, int(Phase.undecided), int(Phase.limit_cycle))
    return jnp.where(attractor == FIXED_POINT, fixed, moving).astype(jnp.int32)


class PhaseDiagram(AbstractResult):
    """Phases over inverse temperature and force, with their exact lines; made by `phase_diagram`."""

    stats: Stats
    rings: PottsRing
    beta: Float[Array, " beta"] = quantity("1/energy", "inverse temperature", ("beta",), coordinate=True)
    force: Float[Array, " force"] = quantity("energy", "force f", ("force",), coordinate=True)
    beta_c1: Float[Array, " force"] = quantity(
        "1/energy", "beta_c1, where the uniform state loses stability", ("force",)
    )
    beta_fold: Float[Array, " force"] = quantity("1/energy", "beta of the fold of the localised states", ("force",))
    status: Int[Array, "beta force"] = status_over("beta", "force")
    phase: Int[Array, "beta force"] = quantity("1", "phase reached from P_1 = 1", ("beta", "force"), codes=Phase)
    work_current: Float[Array, "beta force"] = quantity(
        "energy/time", "time-averaged work current per unit", ("beta", "force")
    )
    period: Float[Array, "beta force"] = quantity("time", "period of the limit cycle reached", ("beta", "force"))
    uniform_stable: Bool[Array, "beta force"] = quantity("1", "whether the uniform state is stable", ("beta", "force"))
    localised_stable: Bool[Array, "beta force"] = quantity(
        "1", "whether the localised states are stable", ("beta", "force")
    )
    cycle_stable: Bool[Array, "beta force"] = quantity("1", "whether a stable limit cycle was found", ("beta", "force"))
    force2: Float[Array, " force"] | None = quantity("energy", "load f2", ("force",), default=None)
    output_power: Float[Array, "beta force"] | None = quantity(
        "energy/time", "time-averaged output power |P| per unit", ("beta", "force"), default=None
    )


def phase_diagram(
    q: IntLike,
    coupling: ScalarLike,
    betas: ArrayLike | Sequence[ScalarLike],
    forces: ArrayLike | Sequence[ScalarLike],
    *,
    prefactor: ScalarLike = 1.0,
    rates: AbstractRates | None = None,
    forward_force: ScalarLike | None = None,
    progress: bool | None = None,
) -> PhaseDiagram:
    """The attractor reached from P_1 = 1 over (beta, force), its work, what else is stable, and the exact lines.

    Equation   phase and averages as `stationary`; beta_c1 as `critical_beta`, beta_fold as `fold_beta`

    q               number of states
    coupling        u, an energy
    betas           inverse temperatures, (betas,)
    forces          (forces,), energies; with `forward_force` the loads f2
    prefactor       G of the rates, 1/time
    rates           the rate law; None: `Arrhenius`
    forward_force   f1 > 0: the ring is driven by f1 + f2, and the result has `force2` and `output_power` = -f2 sum J
    progress        whether a line tells how many points are done; None: on a terminal and in notebooks
    Units           in the labels of the result
    Raises          ValueError for impossible parameters, or axes that are not one-dimensional; inside a jax
                    transformation, since lanes that take long run by themselves
    Source          Herpich & Esposito 2019, Secs. III and IV, Fig. 3

    Flags say what is stable beside the attractor reached: `uniform_stable` (by its spectrum), `localised_stable`
    (beyond the fold, and stable against all perturbations), `cycle_stable` (a stable cycle was reached from P_1 = 1 or,
    where the uniform state is unstable, from near it). The first two are exact; a cycle that neither start reaches is
    missed. `stats` counts the lanes without a known attractor, whose status says so.

    Example
        >>> import jaxthermo as jt
        >>> diagram = jt.potts.phase_diagram(3, -1.0, betas=[2.0, 4.0], forces=[1.0], prefactor=0.1)
        >>> [jt.potts.Phase(int(phase)).name for phase in diagram.phase.ravel()]
        ['uniform', 'limit_cycle']
    """
    betas, forces = _axis("betas", betas), _axis("forces", forces)
    require_not_negative("beta", betas)
    drive = forces
    if forward_force is not None:
        f1 = require_positive_scalar("forward_force", forward_force)
        drive = np.asarray(f1) + forces
    check_ring(PottsRing(q, coupling, 1.0, prefactor, rates=rates))
    rings = _rings(q, coupling, drive, prefactor, rates)
    onset, born = _lines(rings)
    shape = len(betas), len(forces)
    localised_stable = np.zeros(shape, bool)
    if np.isfinite(born).any():
        localised_stable = np.asarray(_cold_is_stable(rings, jnp.asarray(born), jnp.asarray(betas))).T
    beta, force = (grid.ravel() for grid in np.meshgrid(betas, drive, indexing="ij"))
    uniform_stable = np.asarray(_uniform_is_stable(rings, jnp.asarray(betas))).T
    cold = betas[:, None] > born

    marginal = (np.abs(betas[:, None] / onset - 1.0) < AT_TRANSITION).ravel()

    def search(chosen: np.ndarray, start: Array, advance: Progress | None = None) -> Stationary:
        which = beta[chosen], force[chosen], cold.ravel()[chosen], marginal[chosen]
        return _search((q, coupling, prefactor, rates), *which, start, advance)

    with Line("phase_diagram", progress) as line:
        found = search(np.arange(beta.size), localised(rings.q), line.counter(beta.size, "points"))
    phase = np.asarray(phases(found)).reshape(shape)
    cycle = phase == Phase.limit_cycle
    other = np.flatnonzero(~uniform_stable & ~cycle)
    if other.size:
        cycle.ravel()[other] = np.asarray(phases(search(other, near_uniform(rings.q)))) == Phase.limit_cycle

    current = np.asarray(found.work_current).reshape(shape)
    loads: dict[str, Array] = {}
    if forward_force is not None:
        safe = np.where(drive == 0, 1.0, drive)
        power = np.where(drive == 0, 0.0, -forces * current / safe)
        loads = {"force2": jnp.asarray(forces), "output_power": jnp.asarray(power)}
    undecided = phase == Phase.undecided
    result = PhaseDiagram(
        stats={"undecided": int(undecided.sum())},
        rings=rings,
        beta=jnp.asarray(betas),
        force=jnp.asarray(drive),
        beta_c1=jnp.asarray(onset),
        beta_fold=jnp.asarray(born),
        status=jnp.asarray(np.where(undecided, int(Status.undecided), int(Status.ok)).astype(np.int32)),
        phase=jnp.asarray(phase),
        work_current=jnp.asarray(current),
        period=jnp.asarray(np.asarray(found.period).reshape(shape)),
        uniform_stable=jnp.asarray(uniform_stable),
        localised_stable=jnp.asarray(localised_stable & cold),
        cycle_stable=jnp.asarray(cycle),
        **loads,
    )
    warn_unless_ok(result)
    return result


def _axis(name: str, values: ArrayLike | Sequence[ScalarLike]) -> np.ndarray:
    require_known("phase_diagram", values, "trace `jt.potts.stationary` at one point")
    array = np.asarray(as_float(values))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"`{name}` must be one-dimensional and not empty, but has shape {array.shape}")
    require_finite(name, array)
    return array


def _rings(
    q: IntLike, coupling: ScalarLike, forces: np.ndarray, prefactor: ScalarLike, rates: AbstractRates | None
) -> PottsRing:
    return jax.vmap(lambda force: PottsRing(q, coupling, force, prefactor, rates=rates))(jnp.asarray(forces))


@lean_jit
def _uniform_is_stable(rings: PottsRing, betas: Array) -> Array:
    return jax.vmap(lambda ring: jax.vmap(lambda beta: is_uniform_stable(ring, beta))(betas))(rings)


_onsets, _births = lean_jit(jax.vmap(critical_beta)), lean_jit(jax.vmap(lambda ring: fold_of(ring).beta))


def _lines(rings: PottsRing) -> tuple[np.ndarray, np.ndarray]:
    """beta_c1 and the birth of the localised states for every force; inf where there is none."""
    onset = np.asarray(_onsets(rings))
    if not np.all(np.asarray(rings.coupling) < 0):
        return onset, np.full_like(onset, np.inf)
    if rings.q == 2:
        return onset, onset
    born = np.asarray(_births(rings))
    return onset, np.where(np.isnan(born), np.inf, born)


@lean_jit
def _cold_is_stable(rings: PottsRing, born: Array, betas: Array) -> Array:
    return jax.vmap(lambda ring, end: is_cold_state_stable(ring, end, betas))(rings, born)


def _search(
    parameters: tuple[PyTree, PyTree, PyTree, PyTree],
    beta: np.ndarray,
    force: np.ndarray,
    cold: np.ndarray,
    marginal: np.ndarray,
    start: Array,
    advance: Progress | None,
) -> Stationary:
    """`stationary_lanes` from one start, with lanes of like cost side by side and the slow ones by themselves."""
    q, coupling, prefactor, rates = parameters

    def run(chosen: np.ndarray, rounds: int, told: Progress | None) -> Stationary:
        starts = np.tile(np.asarray(start), (len(chosen), 1))
        rings = _rings(q, coupling, force[chosen], prefactor, rates)
        return long_time_lanes(rings, beta[chosen], starts, rounds, advance=told)

    order = np.lexsort((force, beta, cold))
    found = run(order, FEW_ROUNDS, advance)
    found = jax.tree.map(lambda leaf: np.asarray(leaf)[np.argsort(order)], found)
    slow = np.flatnonzero((found.attractor == UNDECIDED) & ~marginal)
    if slow.size == 0:
        return found
    again = run(slow, MANY_ROUNDS, None)

    def merge(all_lanes: np.ndarray, few: np.ndarray) -> np.ndarray:
        merged = np.array(all_lanes)
        merged[slow] = few
        return merged

    return jax.tree.map(merge, found, again)
