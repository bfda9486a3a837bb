"""Phase diagrams over inverse temperature and force, with their exact lines and what coexists."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxthermo.checks import as_float, require_finite, require_positive, require_scalar
from jaxthermo.flags import coded
from jaxthermo.jumps.labels import labelled
from jaxthermo.jumps.occupation import localised, near_uniform
from jaxthermo.potts.fold import fold_beta, is_cold_state_stable
from jaxthermo.potts.ring import PottsRing, check_ring, require_beta
from jaxthermo.potts.stability import critical_beta, is_uniform_stable
from jaxthermo.potts.stationary import Stationary, stationary_lanes
from jaxthermo.provenance import provenance
from jaxthermo.solve.lanes import Progress
from jaxthermo.solve.lean import lean_jit

if TYPE_CHECKING:
    import xarray

PHASES = ("undecided", "uniform", "localised", "clustered", "limit cycle")
UNDECIDED, UNIFORM, LOCALISED, CLUSTERED, CYCLE = range(5)
# Occupations that agree this well count as equal; near beta_c1 the asymmetry grows like a square root.
SAME = 1e-6
# Nearly every lane is decided in the first rounds; the few others run on alone.
FEW_ROUNDS, MANY_ROUNDS = 6, 40
# So near beta_c1 no number of rounds decides.
AT_TRANSITION = 1e-9


def phases(state: Stationary) -> np.ndarray:
    """Index into `PHASES` for every lane.

    A fixed point is "clustered" if a turn of the ring by fewer than q steps leaves it as it is, so that several equally
    filled states alternate with emptier ones, and "localised" if no turn does.
    """
    points = np.asarray(state.state)
    q = points.shape[-1]
    turned = np.stack([np.abs(np.roll(points, k, axis=-1) - points).max(axis=-1) for k in range(1, q)])
    asymmetric = np.where(np.any(turned < SAME, axis=0), CLUSTERED, LOCALISED)
    fixed = np.where(turned[0] < SAME, UNIFORM, asymmetric)
    return np.select([state.code == 0, state.code == 1], [np.full(fixed.shape, UNDECIDED), fixed], CYCLE)


def phase_diagram(
    q: Any,
    coupling: Any,
    betas: Any,
    forces: Any,
    *,
    prefactor: Any = 1.0,
    rates: Any = None,
    forward_force: Any = None,
    advance: Progress | None = None,
) -> "xarray.Dataset":
    """The attractor reached from P_1 = 1 over (beta, force), its work, what else is stable, and the exact lines.

    Equation   phase and averages as `stationary`; beta_c1 as `critical_beta`, beta_fold as `fold_beta`; with
               `forward_force` f1 the forces are loads f2, the ring is driven by f1 + f2, and output_power = -f2 sum J
    Shapes     betas: (betas,); forces: (forces,); variables: (beta, force), or (beta, force2) with `forward_force`
    Units      in each variable's attrs
    Raises     ValueError for impossible parameters, or axes that are not one-dimensional
    Source     Herpich & Esposito 2019, Secs. III and IV, Fig. 3

    Flags say what is stable beside the attractor reached: `uniform_stable` (by its spectrum), `localised_stable`
    (beyond the fold, and stable against all perturbations), `cycle_stable` (a stable cycle was reached from P_1 = 1 or,
    where the uniform state is unstable, from near it). The first two are exact; a cycle that neither start reaches is
    missed.
    `undecided` in attrs counts lanes without a known attractor. `advance(count)` is told when lanes are done.
    """
    betas, forces = _axis("betas", betas), _axis("forces", forces)
    require_beta(betas)
    drive = forces
    if forward_force is not None:
        f1 = float(require_scalar("forward_force", forward_force))
        require_positive("forward_force", f1)
        drive = f1 + forces
    check_ring(PottsRing(q, coupling, 1.0, prefactor, rates=rates))
    rings = _rings(q, coupling, drive, prefactor, rates)
    onset, born = _lines(rings)
    localised_stable = (
        np.asarray(_cold_is_stable(rings, jnp.asarray(born), jnp.asarray(betas))).T
        if np.isfinite(born).any()
        else False
    )
    beta, force = (grid.ravel() for grid in np.meshgrid(betas, drive, indexing="ij"))
    shape = len(betas), len(forces)
    uniform_stable = np.asarray(_uniform_is_stable(rings, jnp.asarray(betas))).T
    cold = betas[:, None] > born

    marginal = (np.abs(betas[:, None] / onset - 1.0) < AT_TRANSITION).ravel()

    def search(chosen: np.ndarray, start: Any) -> Stationary:
        which = beta[chosen], force[chosen], cold.ravel()[chosen], marginal[chosen]
        return _search((q, coupling, prefactor, rates), *which, start, advance)

    found = search(np.arange(beta.size), localised(int(q)))
    phase = phases(found).reshape(shape)
    cycle = phase == CYCLE
    other = np.flatnonzero(~uniform_stable & ~cycle)
    if other.size:
        cycle.ravel()[other] = phases(search(other, near_uniform(int(q)))) == CYCLE

    axes = ("beta", "force" if forward_force is None else "force2")
    current = np.asarray(found.work_current).reshape(shape)
    variables = {
        "phase": (axes, phase, "1", "phase reached from P_1 = 1"),
        "work_current": (axes, current, "energy/time", "time-averaged work current per unit"),
        "period": (axes, np.asarray(found.period).reshape(shape), "time", "period of the limit cycle reached"),
        "uniform_stable": (axes, uniform_stable & np.ones(shape, bool), "1", "whether the uniform state is stable"),
        "localised_stable": (axes, localised_stable & cold, "1", "whether the localised states are stable"),
        "cycle_stable": (axes, cycle, "1", "whether a stable limit cycle was found"),
    }
    if forward_force is not None:
        safe = np.where(drive == 0, 1.0, drive)
        power = np.where(drive == 0, 0.0, -forces * current / safe)
        variables["output_power"] = (axes, power, "energy/time", "time-averaged output power |P| per unit")
    name = "force f" if forward_force is None else "load f2"
    coords = {
        "beta": ("beta", betas, "1/energy", "inverse temperature"),
        axes[1]: (axes[1], forces, "energy", name),
        "beta_c1": (axes[1], onset, "1/energy", "beta_c1, where the uniform state loses stability"),
        "beta_fold": (axes[1], born, "1/energy", "beta of the fold of the localised states"),
    }
    dataset = labelled(variables, coords)
    dataset["phase"].attrs |= coded(PHASES)
    parameters = {"q": q, "coupling": coupling, "prefactor": prefactor, "rates": rates, "forward_force": forward_force}
    undecided = int(np.sum(phase == UNDECIDED))
    return dataset.assign_attrs({"undecided": undecided, **provenance(parameters)})


def _axis(name: str, values: Any) -> np.ndarray:
    array = np.asarray(as_float(values))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"`{name}` must be one-dimensional and not empty, but has shape {array.shape}")
    require_finite(name, array)
    return array


def _rings(q: Any, coupling: Any, forces: Any, prefactor: Any, rates: Any) -> PottsRing:
    return jax.vmap(lambda force: PottsRing(q, coupling, force, prefactor, rates=rates))(jnp.asarray(forces))


@lean_jit
def _uniform_is_stable(rings: PottsRing, betas: Array) -> Array:
    return jax.vmap(lambda ring: jax.vmap(lambda beta: is_uniform_stable(ring, beta))(betas))(rings)


_onsets, _births = lean_jit(jax.vmap(critical_beta)), lean_jit(jax.vmap(fold_beta))


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
    parameters: tuple[Any, Any, Any, Any],
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
        return stationary_lanes(rings, beta[chosen], starts, max_rounds=rounds, advance=told)

    order = np.lexsort((force, beta, cold))
    found = run(order, FEW_ROUNDS, advance)
    found = jax.tree.map(lambda leaf: np.asarray(leaf)[np.argsort(order)], found)
    slow = np.flatnonzero((found.code == 0) & ~marginal)
    if slow.size == 0:
        return found
    again = run(slow, MANY_ROUNDS, None)

    def merge(all_lanes: np.ndarray, few: np.ndarray) -> np.ndarray:
        merged = np.array(all_lanes)
        merged[slow] = few
        return merged

    return jax.tree.map(merge, found, again)
