"""A limit cycle followed in beta, and how its period diverges at the fold."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from jaxthermo._results import quantity, status_over, warn_unless_ok
from jaxthermo._types import ScalarLike
from jaxthermo.checks import as_float
from jaxthermo.jumps.arguments import require_not_negative
from jaxthermo.jumps.cycles import LimitCycle, described
from jaxthermo.jumps.folds import Fold
from jaxthermo.jumps.mean_field import AVERAGED, AbstractFlowResult
from jaxthermo.jumps.occupation import field
from jaxthermo.potts.cycles import check_cycle, find_loop
from jaxthermo.potts.folds import fold_of
from jaxthermo.potts.ring import PottsRing, check_ring
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.loop_path import ContinuedLoop, continue_to

# The law is fitted to points this near the fold, relative to its beta, if there are at least so many.
NEAR_FOLD, FEWEST = 1e-3, 4


class CycleBranch(AbstractFlowResult):
    """A limit cycle at the given betas, and the law of its period; see `cycle_branch`. NaN where `status` is not ok."""

    stats: dict[str, Array]
    network: PottsRing
    beta: Float[Array, " beta"] = quantity("1/energy", "inverse temperature", ("beta",), coordinate=True)
    status: Int[Array, " beta"] = status_over("beta")
    period: Float[Array, " beta"] = quantity("time", "period T", ("beta",), main=True)
    occupation: Float[Array, "beta q"] = quantity("1", "mean occupation P_i", ("beta", "state"))
    energy: Float[Array, " beta"] = quantity("energy", "mean energy per unit", ("beta",))
    entropy: Float[Array, " beta"] = quantity("k_B", "mean entropy per unit", ("beta",))
    work_current: Float[Array, " beta"] = quantity("energy/time", "mean work of the force per unit time", ("beta",))
    heat_currents: Float[Array, "beta reservoirs"] = quantity(
        "energy/time", "mean heat current from the reservoir", ("beta", "reservoir")
    )
    entropy_production_rate: Float[Array, " beta"] = quantity("k_B/time", "mean rate of entropy production", ("beta",))
    largest_multiplier: Float[Array, " beta"] = quantity(
        "1", "modulus of the largest non-trivial multiplier", ("beta",)
    )
    stable: Bool[Array, " beta"] = quantity("1", "whether every perturbation decays", ("beta",))
    residual: Float[Array, " beta"] = quantity("1", "largest error of the collocation equations", ("beta",))
    beta_fold: Float[Array, ""] = quantity("1/energy", "beta_c2, the fold of the localised states")
    exponent: Float[Array, ""] = quantity("1", "fitted exponent nu of the period")
    amplitude: Float[Array, ""] = quantity("time energy^-nu", "fitted amplitude A of the period")
    exact_amplitude: Float[Array, ""] = quantity("time energy^-1/2", "amplitude of the exact law, nu = 1/2")


def cycle_branch(
    ring: PottsRing, betas: ArrayLike | Sequence[ScalarLike], p0: ArrayLike | Sequence[ScalarLike] | None = None
) -> CycleBranch:
    """One limit cycle continued through the given betas in their order, and the law by which its period diverges.

    Equation   T = A (beta_c2 - beta)^(-nu), ln T fitted with a correction linear in sqrt(beta_c2 - beta); beta_c2 is
               the exact fold. `exponent` nu, `amplitude` A, and `exact_amplitude` from `slow_passage`

    ring       a `jt.PottsRing` with q >= 3, coupling < 0 and a constant force
    betas      inverse temperatures, (betas,), in the order in which they are reached
    p0         (q,), as in `limit_cycle`, which finds the cycle at betas[0]
    Raises     ValueError as `limit_cycle`, or if betas are not one-dimensional
    Source     Herpich & Esposito 2019, Sec. III

    From where the cycle cannot be continued on, `status` says so and the numbers are NaN. The fit is NaN unless four
    betas lie within 0.1 % of the fold and below it. A cycle that does not end at the fold has an exponent near 0.
    Derivatives are those of the cycles; the fitted law has none.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> [round(float(period), 4) for period in jt.potts.cycle_branch(ring, [4.0, 4.2]).period]
        [14.0471, 13.9349]
    """
    check_ring(ring)
    betas = as_float(betas)
    if betas.ndim != 1 or betas.shape[0] == 0:
        raise ValueError(f"`betas` must be one-dimensional and not empty, but has shape {betas.shape}")
    require_not_negative("beta", betas)
    first = check_cycle(ring, betas[0])
    result = _along(ring, betas, fold_of(ring), *find_loop(stop_gradient(ring), stop_gradient(first), p0))
    warn_unless_ok(result)
    return result


def slow_passage(ring: PottsRing, born: Fold) -> Float[Array, ""]:
    """Amplitude A of T = A (beta_c2 - beta)^(-1/2), for a cycle that passes all q ghosts of the localised states.

    Equation   A = q pi / sqrt(|a b|), a = w . dF/dbeta, b = w . F''(v, v) / 2, with J v = 0, w J = 0, w . v = 1

    ring       the `jt.PottsRing`
    born       its `fold`
    Units      time / energy^(1/2)
    Source     passage through a saddle-node: Strogatz, Nonlinear Dynamics and Chaos, Sec. 4.3

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> born = jt.potts.fold(ring)
        >>> round(float(jt.potts.slow_passage(ring, born)), 3)
        16.37
    """
    x, beta, network = born.occupation[:-1], born.beta, ring.network
    left, _, right = jnp.linalg.svd(jax.jacfwd(field)(x, (network, beta)))
    v, w = right[-1], left[:, -1]
    w = w / jnp.dot(w, v)

    def slope(x: Array) -> Array:
        return jax.jvp(lambda y: field(y, (network, beta)), (x,), (v,))[1]

    _, in_beta = jax.jvp(lambda b: field(x, (network, b)), (beta,), (jnp.ones_like(beta),))
    _, bend = jax.jvp(slope, (x,), (v,))
    return ring.q * jnp.pi / jnp.sqrt(jnp.abs(jnp.dot(w, in_beta) * 0.5 * jnp.dot(w, bend)))


@lean_jit
def _along(ring: PottsRing, betas: Array, born: Fold, first: ContinuedLoop, is_cycle: Array) -> CycleBranch:
    network, ends = stop_gradient((ring.network, betas))
    before_fold = jnp.all(ends < born.beta)
    end = stop_gradient(jnp.where(before_fold, born.beta, 2.0 * jnp.max(ends)))

    def onward(now: ContinuedLoop, beta: Array) -> tuple[ContinuedLoop, LimitCycle]:
        now = continue_to(field, now, stop_gradient(beta), end, lambda b: (network, b))
        return now, described(ring, beta, now, is_cycle)

    _, cycles = jax.lax.scan(onward, first, betas)
    exponent, amplitude = _law(*stop_gradient((born.beta, betas, cycles.period)))
    return CycleBranch(
        stats={},
        network=ring,
        beta=betas,
        status=cycles.status,
        period=cycles.period,
        occupation=cycles.occupation,
        **{name: getattr(cycles, name) for name in AVERAGED},
        largest_multiplier=jnp.abs(cycles.multipliers[:, 1]),
        stable=cycles.stable,
        residual=cycles.residual,
        beta_fold=born.beta,
        exponent=exponent,
        amplitude=amplitude,
        exact_amplitude=slow_passage(ring, born),
    )


def _law(end: Array, betas: Array, period: Array) -> tuple[Array, Array]:
    """Exponent and amplitude from the points nearest the fold; NaN if there are too few."""
    distance = end - betas
    near = jnp.isfinite(period) & (distance > 0) & (distance < NEAR_FOLD * end)
    safe = jnp.where(near, distance, 1.0)
    weight = near.astype(betas.dtype)
    columns = jnp.stack([jnp.ones_like(safe), -jnp.log(safe), jnp.sqrt(safe)], axis=1) * weight[:, None]
    heights = jnp.where(near, jnp.log(jnp.where(near, period, 1.0)), 0.0)
    fit = jnp.linalg.lstsq(columns, heights)[0]
    enough = jnp.sum(near) >= FEWEST
    return jnp.where(enough, fit[1], jnp.nan), jnp.where(enough, jnp.exp(fit[0]), jnp.nan)
