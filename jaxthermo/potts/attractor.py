"""The long-time state of an autonomous ring: its attractor, and averages over it; for one lane or many."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxthermo._results import warn_unless_ok
from jaxthermo._status import Status
from jaxthermo._types import IntLike, ScalarLike
from jaxthermo.checks import is_known, require_double_for, require_numbers
from jaxthermo.jumps.arguments import require_not_negative
from jaxthermo.jumps.attractor import MAX_ROUNDS, Stationary, long_time_state
from jaxthermo.jumps.cycles import described
from jaxthermo.jumps.mean_field import AVERAGED
from jaxthermo.jumps.occupation import initial_occupations
from jaxthermo.potts.cycles import find_loop, fold_and_warm
from jaxthermo.potts.ring import PottsRing, require_autonomous
from jaxthermo.solve.attractor import LIMIT_CYCLE, UNDECIDED
from jaxthermo.solve.cycle import RTOL
from jaxthermo.solve.lanes import Progress, map_lanes
from jaxthermo.solve.lean import brief_jit, is_traced, lean_jit

# An undecided trajectory that ends this near a cycle, relative to its size, is on it.
ON_THE_CYCLE = 1e-3
# What a cycle and an attractor both have, beside the averages.
SHARED = ("occupation", "point", "period", "residual", *AVERAGED)


def stationary(
    ring: PottsRing,
    beta: ScalarLike,
    p0: ArrayLike | Sequence[ScalarLike] | None = None,
    *,
    max_rounds: IntLike = MAX_ROUNDS,
) -> Stationary:
    """The attractor that the ring reaches from p0, with averages over it; see `jt.jumps.stationary`.

    ring         a `jt.PottsRing` with a constant force
    beta         inverse temperature, a number
    p0           start, (q,); None for P_1 = 1 - small, the paper's
    max_rounds   rounds of integration before the search gives up
    Units        per unit of the ring and per unit time; k_B = 1. Heat is counted into the ring.
    Returns      a `Stationary`: `kind`, `occupation`, `period`, `work_current`, `heat_current` and more; on a limit
                 cycle all but the period are averages over it
    Raises       ValueError for impossible parameters; without double precision
    Accuracy     1e-9, as `jt.jumps.stationary`
    Source       Herpich & Esposito 2019, Secs. III and IV

    A cycle too slow for the search, near the fold where its period diverges, is found by collocation where all numbers
    are known; not under `jit`, `vmap` or `grad`.

    Example
        >>> import jaxthermo as jt
        >>> state = jt.potts.stationary(jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1), beta=4.0)
        >>> state.kind, round(float(state.period), 6)
        ('limit cycle', 14.047105)
    """
    beta = require_autonomous(ring, beta)
    result = long_time_state(ring, beta, p0, max_rounds)
    if not is_traced((ring, beta, result)) and int(result.attractor) == UNDECIDED:
        result = _on_slow_cycle(ring, beta, result)
    warn_unless_ok(result)
    return result


def _on_slow_cycle(ring: PottsRing, beta: Float[Array, ""], found: Stationary) -> Stationary:
    """The stable cycle next to its infinite period, if the undecided trajectory ends on it."""
    if ring.q == 2 or float(ring.coupling) >= 0:
        return found
    end, warm = fold_and_warm(ring)
    if not warm < beta < end:
        return found
    arrived, is_cycle = find_loop(ring, beta, None)
    cycle = described(ring, beta, arrived, is_cycle)
    points = np.asarray(arrived.loop.stages).reshape(-1, ring.q - 1)
    gap = _distance(np.asarray(found.point)[:-1], points)
    if not (bool(cycle.ok) and bool(cycle.stable) and gap < ON_THE_CYCLE * np.ptp(points, axis=0).max()):
        return found
    return Stationary(
        status=jnp.asarray(int(Status.ok), jnp.int32),
        stats=found.stats,
        network=ring,
        beta=beta,
        attractor=jnp.asarray(LIMIT_CYCLE, found.attractor.dtype),
        **{name: getattr(cycle, name) for name in SHARED},
    )


def _distance(point: np.ndarray, corners: np.ndarray) -> float:
    """From a point to a closed polygon."""
    sides = np.roll(corners, -1, axis=0) - corners
    square = np.maximum(np.sum(sides**2, axis=1), 1e-300)
    share = np.clip(np.sum((point - corners) * sides, axis=1) / square, 0.0, 1.0)
    return float(np.min(np.linalg.norm(corners + share[:, None] * sides - point, axis=1)))


def stationary_lanes(
    rings: PottsRing,
    betas: ArrayLike | Sequence[ScalarLike],
    p0: ArrayLike | Sequence[Sequence[float]] | None = None,
    *,
    max_rounds: IntLike = MAX_ROUNDS,
    chunk: int | None = None,
    advance: Progress | None = None,
) -> Stationary:
    """`stationary` over many lanes: one ring at all betas, or a ring for each, whose arrays then have a leading axis.

    rings        a `jt.PottsRing`, or a batch of them, made with `jax.vmap`, for example
                 `jax.vmap(lambda f: jt.PottsRing(5, -1.0, f))(forces)`
    betas        inverse temperatures, (lanes,)
    p0           starts, (lanes, q); None for P_1 = 1 - small in every lane
    max_rounds   rounds of integration before a lane gives up
    chunk        lanes that are vmapped together; None: as suits the device
    advance      called with the number of lanes that have just been done, from any thread
    Returns      a `Stationary` whose arrays have the axis of the lanes in front
    Raises       ValueError if the lengths differ, or any lane's parameters are impossible

    Lanes run in chunks on all cores, so one slow lane near a transition holds up only its own chunk, and an interrupt
    waits for no other; chunks of an accelerator are large. Under a jax transformation all lanes are one chunk.

    Example
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> betas = jnp.array([2.0, 4.0])
        >>> rings = jax.vmap(lambda _: jt.PottsRing(3, -1.0, 1.0, 0.1))(betas)
        >>> found = jt.potts.stationary_lanes(rings, betas)
        >>> [round(float(work), 5) for work in found.work_current]
        [0.23504, 0.52424]
    """
    result = long_time_lanes(rings, betas, p0, max_rounds, chunk, advance)
    warn_unless_ok(result)
    return result


def long_time_lanes(
    rings: PottsRing,
    betas: ArrayLike | Sequence[ScalarLike],
    p0: ArrayLike | Sequence[Sequence[float]] | None,
    max_rounds: IntLike,
    chunk: int | None = None,
    advance: Progress | None = None,
    sooner: bool = False,
) -> Stationary:
    """`stationary_lanes` without a warning; `sooner`: compiled in half the time, and three times as long to run."""
    require_autonomous(rings, 1.0)
    betas = require_numbers("betas", betas)
    if betas.ndim != 1 or not betas.shape[0]:
        raise ValueError(f"`betas` must be one-dimensional and not empty, but has shape {betas.shape}")
    require_not_negative("beta", betas)
    require_double_for(RTOL, RTOL)
    if rings.energies.ndim == 1:
        # By NumPy where that is possible, since jax compiles each operation outside a compiled function by itself.
        broadcast = np.broadcast_to if is_known(rings) else jnp.broadcast_to
        rings = jax.tree.map(lambda leaf: broadcast(leaf, (len(betas), *np.shape(leaf))), rings)
    starts = initial_occupations(rings.q, p0, len(betas))
    full = np.full if is_known(max_rounds) else jnp.full
    rounds = full(len(betas), max_rounds, np.int32)
    solve = _sooner if sooner else _vectorised
    return map_lanes(solve, rings, betas, starts, rounds, chunk=chunk, advance=advance)


def _lanes(rings: PottsRing, betas: Array, starts: Array, rounds: Array) -> Stationary:
    return jax.vmap(long_time_state)(rings, betas, starts, rounds)


_vectorised, _sooner = lean_jit(_lanes), brief_jit(_lanes)
