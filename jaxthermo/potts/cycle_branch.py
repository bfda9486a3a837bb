"""A limit cycle followed in beta, and how its period diverges at the fold."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.checks import as_float
from jaxthermo.flags import coded
from jaxthermo.jumps.coordinates import field
from jaxthermo.jumps.labels import labelled
from jaxthermo.jumps.occupation import initial_occupation
from jaxthermo.potts.cycle import CYCLE_STATUS, NOT_CONVERGED, OK, LimitCycle, check_cycle, describe, find_loop
from jaxthermo.potts.fold import Fold, fold
from jaxthermo.potts.ring import PottsRing, check_ring, require_beta
from jaxthermo.provenance import provenance
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.loop_path import Traveller, travel

if TYPE_CHECKING:
    import xarray

# The law is fitted to points this near the fold, relative to its beta, if there are at least so many.
NEAR_FOLD, FEWEST = 1e-3, 4


def cycle_branch(ring: PottsRing, betas: Any, start: Any = None) -> "xarray.Dataset":
    """One limit cycle continued through the given betas in their order, and the law by which its period diverges.

    Equation   T = A (beta_c2 - beta)^(-nu), ln T fitted with a correction linear in sqrt(beta_c2 - beta); beta_c2 is
               the exact fold. attrs: `exponent` nu, `amplitude` A, and `exact_amplitude` from `slow_passage`
    Shapes     betas: (betas,); start: (q,), as in `limit_cycle`, which finds the cycle at betas[0]
    Units      in each variable's attrs
    Raises     ValueError as `limit_cycle`, or if betas are not one-dimensional
    Source     Herpich & Esposito 2019, Sec. III

    From where the cycle cannot be continued on, `status` says so and the numbers are NaN. The fit is NaN unless four
    betas lie within 0.1 % of the fold and below it. A cycle that does not end at the fold has an exponent near 0.
    """
    check_ring(ring)
    betas = as_float(betas)
    if betas.ndim != 1 or betas.shape[0] == 0:
        raise ValueError(f"`betas` must be one-dimensional and not empty, but has shape {betas.shape}")
    require_beta(betas)
    first = check_cycle(ring, betas[0])
    if start is not None:
        start = initial_occupation(ring.q, start)
    born = fold(ring)
    cycles, amplitude = _along(ring, betas, born, *find_loop(ring, first, start))
    end = float(born.beta)
    exponent, fitted = _law(end, np.asarray(betas), np.asarray(cycles.period))
    power = "energy/time"
    multipliers = np.asarray(cycles.multipliers)
    variables = {
        "period": ("beta", cycles.period, "time", "period T"),
        "work_current": ("beta", cycles.work_current, power, "time-averaged work current per unit"),
        "entropy_production": ("beta", cycles.entropy_production, "k_B/time", "time-averaged entropy production"),
        "occupation": (("beta", "state"), cycles.occupation, "1", "time-averaged occupation P_i"),
        "largest_multiplier": ("beta", np.abs(multipliers[:, 1]), "1", "modulus of the largest non-trivial multiplier"),
        "stable": ("beta", cycles.stable, "1", "whether every perturbation decays"),
        "residual": ("beta", cycles.residual, "1", "largest error of the collocation equations"),
        "status": ("beta", cycles.code, "1", "what became of the continuation"),
    }
    coords = {
        "beta": ("beta", betas, "1/energy", "inverse temperature"),
        "state": ("state", np.arange(1, ring.q + 1), "1", "state of a unit"),
        "beta_fold": ((), end, "1/energy", "beta_c2, the fold of the localised states"),
    }
    dataset = labelled(variables, coords)
    dataset["status"].attrs |= coded(CYCLE_STATUS)
    law = {"exponent": exponent, "amplitude": fitted, "exact_amplitude": float(amplitude)}
    return dataset.assign_attrs({**law, **provenance({"ring": ring, "start": start})})


def slow_passage(ring: PottsRing, born: Fold) -> Float[Array, ""]:
    """Amplitude A of T = A (beta_c2 - beta)^(-1/2), for a cycle that passes all q ghosts of the localised states.

    Equation   A = q pi / sqrt(|a b|), a = w . dF/dbeta, b = w . F''(v, v) / 2, with J v = 0, w J = 0, w . v = 1
    Units      time / energy^(1/2)
    Source     passage through a saddle-node: Strogatz, Nonlinear Dynamics and Chaos, Sec. 4.3
    """
    x, beta = born.occupation[:-1], born.beta
    left, _, right = jnp.linalg.svd(jax.jacfwd(field)(x, (ring, beta)))
    v, w = right[-1], left[:, -1]
    w = w / jnp.dot(w, v)

    def slope(x: Array) -> Array:
        return jax.jvp(lambda y: field(y, (ring, beta)), (x,), (v,))[1]

    _, in_beta = jax.jvp(lambda b: field(x, (ring, b)), (beta,), (jnp.ones_like(beta),))
    _, bend = jax.jvp(slope, (x,), (v,))
    return ring.q * jnp.pi / jnp.sqrt(jnp.abs(jnp.dot(w, in_beta) * 0.5 * jnp.dot(w, bend)))


@lean_jit
def _along(ring: PottsRing, betas: Array, born: Fold, first: Traveller, code: Array) -> tuple[LimitCycle, Array]:
    beyond = jnp.all(betas < born.beta)
    pole = jnp.where(beyond, born.beta, 2.0 * jnp.max(betas))

    def onward(carry: tuple[Traveller, Array], beta: Array) -> Any:
        now, code = carry
        now = travel(field, now, beta, pole, lambda b: (ring, b))
        code = jnp.where(now.alive | (code != OK), code, NOT_CONVERGED)
        return (now, code), describe(ring, beta, now, code)

    _, cycles = jax.lax.scan(onward, (first, code), betas)
    return cycles, slow_passage(ring, born)


def _law(end: float, betas: np.ndarray, period: np.ndarray) -> tuple[float, float]:
    """Exponent and amplitude from the points nearest the fold; NaN if there are too few."""
    distance = end - betas
    near = np.isfinite(period) & (distance > 0) & (distance < NEAR_FOLD * end)
    if near.sum() < FEWEST:
        return float("nan"), float("nan")
    columns = np.stack([np.ones(near.sum()), -np.log(distance[near]), np.sqrt(distance[near])], axis=1)
    (log_amplitude, exponent, _), *_ = np.linalg.lstsq(columns, np.log(period[near]), rcond=None)
    return float(exponent), float(np.exp(log_amplitude))
