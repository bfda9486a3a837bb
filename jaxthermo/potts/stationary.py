"""The long-time state of an autonomous ring: its attractor, and averages over it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo.checks import as_float, require_double_for
from jaxthermo.jumps.coordinates import complete, field, observe
from jaxthermo.jumps.cycles import measured
from jaxthermo.jumps.occupation import initial_occupation, initial_occupations
from jaxthermo.potts.cycle import OK, find_loop, fold_and_warm
from jaxthermo.potts.ring import PottsRing, require_autonomous, require_beta
from jaxthermo.solve.attractor import KINDS, LIMIT_CYCLE, ROUND_STEPS, UNDECIDED, Attractor, find_attractor
from jaxthermo.solve.cycle import RTOL
from jaxthermo.solve.lanes import Progress, map_lanes
from jaxthermo.solve.lean import is_traced, lean_jit
from jaxthermo.solve.outcome import Outcome, outcome_of

MAX_ROUNDS = 256
# An undecided trajectory that ends this near a cycle, relative to its size, is on it.
ON_THE_CYCLE = 1e-3


class Stationary(eqx.Module):
    """The attractor reached, and time averages over it; made by `stationary`.

    `code` indexes ("undecided", "fixed point", "limit cycle"); `kind` spells it out. `state` is the fixed point, or one
    point on the cycle, or the last state of an undecided lane. `period` is NaN unless the attractor is a limit cycle.
    """

    code: Int[Array, "*batch"]
    occupation: Float[Array, "*batch q"]
    period: Float[Array, "*batch"]
    energy: Float[Array, "*batch"]
    work_current: Float[Array, "*batch"]
    heat_current: Float[Array, "*batch"]
    entropy: Float[Array, "*batch"]
    entropy_production: Float[Array, "*batch"]
    residual: Float[Array, "*batch"]
    rounds: Int[Array, "*batch"]
    state: Float[Array, "*batch q"]

    @property
    def outcome(self) -> Outcome:
        """What a scan says of it: "undecided" is not converged, and a period of NaN is no trouble."""
        return outcome_of(
            self.code != UNDECIDED, jnp.asarray(False), jnp.isfinite(self.work_current), self.rounds * ROUND_STEPS
        )

    @property
    def kind(self) -> Any:
        """ "fixed point", "limit cycle" or "undecided"; for a batch an array of these words."""
        words = np.asarray(KINDS)[np.asarray(self.code)]
        return str(words) if words.ndim == 0 else words


def stationary(ring: PottsRing, beta: Any, p0: Any = None, *, max_rounds: Any = MAX_ROUNDS) -> Stationary:
    """The attractor that the ring reaches from p0, with averages over it.

    Equation   0 = dP/dt at a fixed point; P(t + T) = P(t) on a limit cycle, averages (1/T) int_0^T dt
    Shapes     p0: (q,), None for P_1 = 1 - small, the paper's start; results are scalars, but for
               `occupation` and `state`, (q,)
    Units      per unit of the ring and per unit time; k_B = 1. Heat is counted into the ring.
    Raises     ValueError for impossible parameters; without double precision
    Source     Herpich & Esposito 2019, Secs. III and IV

    Newton's method ends the search, so `residual` is near rounding error for both known kinds, and derivatives with
    respect to beta and all parameters of the ring are those of the attractor (both modes). "undecided" means that
    neither was found in `max_rounds` rounds of integration: exactly at a transition, or on a torus. Its averages are
    those of the last round, its residual their last change, and its derivatives are NaN.
    A cycle too slow for the search, near the fold where its period diverges, is found by collocation where all numbers
    are known; not under `jit`, `vmap` or `grad`.
    """
    beta = require_autonomous(ring, beta)
    require_double_for(RTOL, RTOL)
    p0 = initial_occupation(ring.q, p0)
    # As an array, so that another number of rounds is not compiled again.
    found = _described(find_attractor(field, observe, p0[:-1], (ring, beta), jnp.asarray(max_rounds, jnp.int32)))
    if is_traced((ring, beta, p0, found)) or int(found.code) != UNDECIDED:
        return found
    return _on_slow_cycle(ring, beta, found)


def _on_slow_cycle(ring: PottsRing, beta: Array, found: Stationary) -> Stationary:
    """The stable cycle next to its infinite period, if the undecided trajectory ends on it."""
    if ring.q == 2 or float(ring.coupling) >= 0:
        return found
    pole, warm = fold_and_warm(ring)
    if not warm < beta < pole:
        return found
    arrived, code = find_loop(ring, beta, None)
    period, mean, occupation, multipliers = _measured(ring, beta, arrived)
    points = np.asarray(arrived.loop.stages).reshape(-1, ring.q - 1)
    gap = _distance(np.asarray(found.state)[:-1], points)
    stable = int(code) == OK and bool(jnp.all(jnp.abs(multipliers[1:]) < 1.0))
    if not (stable and gap < ON_THE_CYCLE * np.ptp(points, axis=0).max()):
        return found
    return Stationary(
        code=jnp.asarray(LIMIT_CYCLE, found.code.dtype),
        occupation=occupation,
        period=period,
        energy=mean.energy,
        work_current=mean.work_current,
        heat_current=mean.heat_current,
        entropy=mean.entropy,
        entropy_production=mean.entropy_production_rate,
        residual=arrived.residual,
        rounds=found.rounds,
        state=complete(arrived.loop.base()),
    )


_measured = lean_jit(measured)


def _distance(point: np.ndarray, corners: np.ndarray) -> float:
    """From a point to a closed polygon."""
    sides = np.roll(corners, -1, axis=0) - corners
    square = np.maximum(np.sum(sides**2, axis=1), 1e-300)
    share = np.clip(np.sum((point - corners) * sides, axis=1) / square, 0.0, 1.0)
    return float(np.min(np.linalg.norm(corners + share[:, None] * sides - point, axis=1)))


@lean_jit
def _described(found: Attractor) -> Stationary:
    return Stationary(
        code=found.code,
        occupation=complete(found.mean[5:]),
        period=found.period,
        energy=found.mean[0],
        work_current=found.mean[1],
        heat_current=found.mean[2],
        entropy=found.mean[3],
        entropy_production=found.mean[4],
        residual=found.residual,
        rounds=found.rounds,
        state=complete(found.point),
    )


def stationary_lanes(
    rings: PottsRing,
    betas: Any,
    p0: Any = None,
    *,
    max_rounds: int = MAX_ROUNDS,
    chunk: int | None = None,
    advance: Progress | None = None,
) -> Stationary:
    """`stationary` over many lanes: one ring at all betas, or a ring for each, whose arrays then have a leading axis.

    Shapes     betas: (lanes,); p0: (lanes, q), or None for P_1 = 1 - small in every lane; results: (lanes, ...), NumPy
    Raises     ValueError if the lengths differ, or any lane's parameters are impossible

    Make the rings with `jax.vmap`, for example `jax.vmap(lambda f: jt.PottsRing(5, -1.0, f))(forces)`. Lanes run in
    chunks on all cores, so one slow lane near a transition holds up only its own chunk, and an interrupt waits for no
    other; chunks of an accelerator are large.
    """
    require_autonomous(rings, 1.0)
    betas = as_float(betas)
    if betas.ndim != 1:
        raise ValueError(f"`betas` must be one-dimensional, but has shape {betas.shape}")
    require_beta(betas)
    require_double_for(RTOL, RTOL)
    if rings.energies.ndim == 1:
        rings = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (len(betas), *np.shape(leaf))), rings)
    starts = initial_occupations(rings.q, p0, len(betas))
    rounds = np.full(len(betas), max_rounds, np.int32)
    return map_lanes(_vectorised, rings, betas, starts, rounds, chunk=chunk, advance=advance)


@lean_jit
def _vectorised(rings: PottsRing, betas: Array, starts: Array, rounds: Array) -> Stationary:
    def lane(ring: PottsRing, beta: Array, p0: Array, limit: Array) -> Stationary:
        return stationary(ring, beta, p0, max_rounds=limit)

    return jax.vmap(lane)(rings, betas, starts, rounds)
