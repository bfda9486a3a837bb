"""Limit cycles of the ring, with their Floquet multipliers, up to the point where the period diverges."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxthermo._results import warn_unless_ok
from jaxthermo._types import ScalarLike
from jaxthermo.checks import require_double_for
from jaxthermo.jumps.cycles import LimitCycle, begin_from, described, first_cycle, settled, usual_starts
from jaxthermo.jumps.network import JumpNetwork
from jaxthermo.jumps.occupation import field, initial_occupation
from jaxthermo.potts.folds import fold_of
from jaxthermo.potts.ring import PottsRing, require_attraction, require_autonomous
from jaxthermo.potts.stability import critical_beta
from jaxthermo.solve.attractor import LIMIT_CYCLE, Attractor
from jaxthermo.solve.cycle import RTOL
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.lean import brief_jit, is_traced
from jaxthermo.solve.loop_path import ContinuedLoop, continue_to

# The third search runs this share of the way back from the fold to the critical point, where the period is short.
SHARE_BACK = 0.15


def limit_cycle(ring: PottsRing, beta: ScalarLike, p0: ArrayLike | Sequence[ScalarLike] | None = None) -> LimitCycle:
    """A limit cycle of the ring, with averages over it.

    Equation   P(t + T) = P(t); averages (1/T) int_0^T dt; multipliers: eigenvalues of dP(T)/dP(0), the trivial one, 1,
               first and the others by falling modulus; stable if those lie inside the unit circle

    ring       a `jt.PottsRing` with q >= 3, coupling < 0 and a constant force
    beta       inverse temperature, a number
    p0         where the search starts, (q,); None: as below
    Units      per unit of the ring and per unit time; k_B = 1. Heat is counted into the ring.
    Returns    a `LimitCycle`: `period`, the orbit, averages over it, and `multipliers`
    Raises     ValueError for impossible parameters, q = 2, a coupling that is known to be >= 0, or without double
               precision
    Accuracy   1e-6 in point and work current, usually 1e-9
    Source     Herpich & Esposito 2019, Sec. III; Radau collocation: Ascher, Mattheij & Russell 1988

    Which cycle: that reached from P_1 = 1; if that start does not end on a cycle, that reached from near the uniform
    state; if neither does, but beta lies between beta_c1 and the fold, that reached from P_1 = 1 a little warmer,
    continued in beta. So a period too long for a trajectory is still found. With `p0` only that start is tried. All
    searches are for stable cycles; a continued one may have lost its stability (`stable`). `Status.no_cycle_found`
    where none is found. Derivatives in beta and the ring's parameters are those of the cycle (both modes), except for
    `multipliers`, `point` and `stable`, which have none.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> found = jt.potts.limit_cycle(ring, 4.0)
        >>> round(float(found.period), 5), bool(found.stable)
        (14.0471, True)
    """
    beta = check_cycle(ring, beta)
    result = described(ring, beta, *find_loop(stop_gradient(ring), stop_gradient(beta), p0))
    warn_unless_ok(result)
    return result


def check_cycle(ring: PottsRing, beta: ScalarLike) -> Float[Array, ""]:
    """A beta at which the ring may cycle, or a ValueError."""
    beta = require_autonomous(ring, beta)
    require_double_for(RTOL, RTOL)
    if ring.q == 2:
        raise ValueError("`ring` must have q >= 3 to cycle, but has q = 2")
    require_attraction(ring.coupling, "limit cycles to exist")
    return beta


def find_loop(
    ring: PottsRing, beta: Float[Array, ""], p0: ArrayLike | Sequence[ScalarLike] | None
) -> tuple[ContinuedLoop, Bool[Array, ""]]:
    """The cycle that `limit_cycle` documents, closed on a mesh, and whether one was found."""
    network = ring.network
    if p0 is not None:
        found, _ = first_cycle(network, beta[None], initial_occupation(ring.q, p0)[None], 1)
        return settled(network, beta, found)
    starts = usual_starts(ring.q)
    if not is_traced((ring, beta)):
        # Most cycles are found at their own beta, so what a continuation needs is not compiled before.
        found, _ = first_cycle(network, jnp.asarray(np.full(2, beta)), starts, 2)
        if int(found.kind) == LIMIT_CYCLE:
            return settled(network, beta, found)
    end, warm = fold_and_warm(ring)
    between = (beta > warm) & (beta < end)
    if is_traced((ring, beta)):
        betas = jnp.stack([beta, beta, jnp.where(between, warm, beta)])
        found, tried = first_cycle(network, betas, starts[jnp.array([0, 1, 0])], jnp.where(between, 3, 2))
        return _carried(network, found, betas[tried], beta, jnp.where(between, end, 2.0 * beta))
    if not between:
        return settled(network, beta, found)
    found, _ = first_cycle(network, warm[None], starts[:1], 1)
    return _carried(network, found, warm, beta, end)


@brief_jit
def _carried(
    network: JumpNetwork, found: Attractor, found_beta: Float[Array, ""], beta: Float[Array, ""], end: Float[Array, ""]
) -> tuple[ContinuedLoop, Bool[Array, ""]]:
    """The cycle that was found at another beta, on a mesh, continued to this one."""
    arrived = continue_to(field, begin_from(network, found_beta, found), beta, end, lambda b: (network, b))
    return arrived, found.kind == LIMIT_CYCLE


@brief_jit
def fold_and_warm(ring: PottsRing) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """beta of the fold, and a warmer beta on the way back to the critical point; inf where there is no such range."""
    flat = eqx.tree_at(lambda r: r.energies, ring, jnp.zeros_like(ring.energies))
    end, onset = fold_of(ring).beta, critical_beta(flat)
    exists = end > onset
    return jnp.where(exists, end, jnp.inf), jnp.where(exists, end - SHARE_BACK * (end - onset), jnp.inf)
