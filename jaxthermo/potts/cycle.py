"""Limit cycles of the ring, with their Floquet multipliers, up to the point where the period diverges."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from jaxthermo.checks import require_double_for
from jaxthermo.jumps.coordinates import complete, field
from jaxthermo.jumps.cycles import departing_from, measured, search_from, settled
from jaxthermo.jumps.occupation import initial_occupation, localised, near_uniform
from jaxthermo.potts.fold import fold_beta
from jaxthermo.potts.ring import PottsRing, require_attraction, require_autonomous
from jaxthermo.potts.stability import critical_beta
from jaxthermo.solve.attractor import LIMIT_CYCLE, Attractor
from jaxthermo.solve.constant import frozen
from jaxthermo.solve.cycle import RTOL
from jaxthermo.solve.lean import is_traced, lean_jit
from jaxthermo.solve.loop_path import Traveller, travel
from jaxthermo.solve.outcome import Outcome, outcome_of

CYCLE_STATUS = ("ok", "no cycle found", "not converged")
OK, NO_CYCLE, NOT_CONVERGED = range(3)

# The third search runs this share of the way back from the fold to the critical point, where the period is short.
WARMER = 0.15


class LimitCycle(eqx.Module):
    """One limit cycle; see `limit_cycle`. Everything is NaN where `status` is not "ok"."""

    code: Int[Array, ""]
    period: Float[Array, ""]
    work_current: Float[Array, ""]
    heat_current: Float[Array, ""]
    entropy_production: Float[Array, ""]
    energy: Float[Array, ""]
    occupation: Float[Array, " q"]
    point: Float[Array, " q"]
    multipliers: Complex[Array, " n"]
    stable: Bool[Array, ""]
    residual: Float[Array, ""]

    @property
    def outcome(self) -> Outcome:
        """What a scan says of it."""
        return outcome_of(self.code == OK, jnp.asarray(False), jnp.asarray(True))

    @property
    def status(self) -> Any:
        """ "ok", "no cycle found" or "not converged"; for a batch an array of these words."""
        words = np.asarray(CYCLE_STATUS)[np.asarray(self.code)]
        return str(words) if words.ndim == 0 else words


def limit_cycle(ring: PottsRing, beta: Any, start: Any = None) -> LimitCycle:
    """A limit cycle of the ring, with averages over it.

    Equation   P(t + T) = P(t); averages (1/T) int_0^T dt; multipliers: eigenvalues of dP(T)/dP(0), the trivial one, 1,
               first and the others by falling modulus; stable if those lie inside the unit circle
    Shapes     start: (q,); results are scalars, but for `occupation` (the mean) and `point`, (q,), and `multipliers`,
               (q - 1,), complex
    Units      per unit of the ring and per unit time; k_B = 1. Heat is counted into the ring. `residual` is the largest
               error of the collocation equations, in occupations
    Raises     ValueError for impossible parameters, q = 2, a coupling that is known to be >= 0, or without double
               precision
    Source     Herpich & Esposito 2019, Sec. III; Radau collocation: Ascher, Mattheij & Russell 1988

    Which cycle: that reached from P_1 = 1; if that start does not end on a cycle, that reached from near the uniform
    state; if neither does, but beta lies between beta_c1 and the fold, that reached from P_1 = 1 a little warmer,
    continued in beta. So a period too long for a trajectory is still found. With `start` only that start is tried. All
    searches are for stable cycles; a continued one may have lost its stability (`stable`). Derivatives in beta and the
    ring's parameters are those of the cycle (both modes), except for `multipliers`, `point` and `stable`, which have
    none.
    """
    beta = check_cycle(ring, beta)
    if start is not None:
        start = initial_occupation(ring.q, start)
    found, code = find_loop(*frozen((ring, beta, start)))
    return describe(ring, beta, found, code)


def check_cycle(ring: PottsRing, beta: Any) -> Float[Array, ""]:
    """A beta at which the ring may cycle, or a ValueError."""
    beta = require_autonomous(ring, beta)
    require_double_for(RTOL, RTOL)
    if ring.q == 2:
        raise ValueError("`ring` must have q >= 3 to cycle, but has q = 2")
    require_attraction(ring.coupling, "limit cycles to exist")
    return beta


def find_loop(ring: PottsRing, beta: Float[Array, ""], start: Any) -> tuple[Traveller, Array]:
    """The cycle that `limit_cycle` documents, and the code of its status."""
    if is_traced((ring, beta, start)):
        return _find_traced(ring, beta, start)
    # Most cycles are found by the first search at their own beta, so what the others need is not compiled before.
    for first in [localised(ring.q), near_uniform(ring.q)] if start is None else [start]:
        found = search_from(ring, beta, first)
        if start is not None or found.code == LIMIT_CYCLE:
            return _settled(ring, beta, found)
    pole, warm = fold_and_warm(ring)
    if not warm < beta < pole:
        return _settled(ring, beta, found)
    return _carried(ring, search_from(ring, warm, localised(ring.q)), warm, beta, pole)


# Compiled here, so that neither repeated calls nor derivatives, whose search is the same, compile it again.
@lean_jit
def _find_traced(ring: PottsRing, beta: Float[Array, ""], start: Any) -> tuple[Traveller, Array]:
    """As `find_loop`, without looking at values."""
    if start is not None:
        starts, betas = start[None], beta[None]
        pole = 2.0 * beta
    else:
        pole, warm = fold_and_warm(ring)
        starts = jnp.stack([localised(ring.q), near_uniform(ring.q), localised(ring.q)])
        between = (beta > warm) & (beta < pole)
        betas = jnp.stack([beta, beta, jnp.where(between, warm, beta)])
        pole = jnp.where(between, pole, 2.0 * beta)

    def cond(carry: tuple[Any, Array]) -> Array:
        found, tried = carry
        # A third search at the same beta would only repeat the first.
        new = (tried < 2) | (betas[jnp.minimum(tried, betas.shape[0] - 1)] != beta)
        return (found.code != LIMIT_CYCLE) & (tried < betas.shape[0]) & new

    def body(carry: tuple[Any, Array]) -> tuple[Any, Array]:
        _, tried = carry
        return search_from(ring, betas[tried], starts[tried]), tried + 1

    shapes = jax.eval_shape(search_from, ring, beta, starts[0])
    blank = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    found, tried = jax.lax.while_loop(cond, body, (blank, jnp.zeros((), jnp.int32)))
    return _carried(ring, found, betas[jnp.maximum(tried - 1, 0)], beta, pole)


@lean_jit
def _carried(
    ring: PottsRing, found: Attractor, found_beta: Float[Array, ""], beta: Float[Array, ""], pole: Float[Array, ""]
) -> tuple[Traveller, Array]:
    """The cycle that was found at another beta, on a mesh, continued to this one."""
    arrived = travel(field, departing_from(ring, found_beta, found), beta, pole, lambda b: (ring, b))
    return arrived, _code(found.code == LIMIT_CYCLE, arrived)


def _code(is_cycle: Bool[Array, ""], arrived: Traveller) -> Int[Array, ""]:
    return jnp.where(is_cycle, jnp.where(arrived.alive, OK, NOT_CONVERGED), NO_CYCLE)


def _settled(ring: PottsRing, beta: Float[Array, ""], found: Attractor) -> tuple[Traveller, Array]:
    """The cycle that was found at its own beta, on a mesh."""
    arrived, is_cycle = settled(ring, beta, found)
    return arrived, _code(is_cycle, arrived)


@lean_jit
def describe(ring: PottsRing, beta: Float[Array, ""], found: Traveller, code: Array) -> LimitCycle:
    """Averages and multipliers of a closed loop, differentiable in the ring and beta."""
    good = code == OK
    period, mean, occupation, multipliers = measured(ring, beta, found)
    missing = jnp.full((), jnp.nan, period.dtype)

    def known(value: Array) -> Array:
        return jnp.where(good, value, missing.astype(value.dtype))

    return LimitCycle(
        code=code,
        period=known(period),
        work_current=known(mean.work_current),
        heat_current=known(mean.heat_current),
        entropy_production=known(mean.entropy_production_rate),
        energy=known(mean.energy),
        occupation=known(occupation),
        point=known(complete(frozen(found.loop).base())),
        multipliers=known(multipliers),
        stable=good & jnp.all(jnp.abs(multipliers[1:]) < 1.0),
        residual=known(frozen(found.residual)),
    )


@lean_jit
def fold_and_warm(ring: PottsRing) -> tuple[Array, Array]:
    """beta of the fold, and a warmer beta on the way back to the critical point; inf where there is no such range."""
    flat = eqx.tree_at(lambda r: r.energies, ring, jnp.zeros_like(ring.energies))
    end, onset = fold_beta(ring), critical_beta(flat)
    exists = end > onset
    return jnp.where(exists, end, jnp.inf), jnp.where(exists, end - WARMER * (end - onset), jnp.inf)
