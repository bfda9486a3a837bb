"""Maximum power of a converter by gradients through its attractor."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxthermo.checks import require_integer, require_positive, require_scalar
from jaxthermo.potts.conversion import MaximumPower, output_power
from jaxthermo.potts.ring import PottsRing, check_ring, require_beta
from jaxthermo.potts.stationary import stationary
from jaxthermo.solve.attractor import KINDS
from jaxthermo.solve.bounded import descend
from jaxthermo.solve.lean import lean_jit

# Shares of f1 that the load keeps from 0 and from -f1, where the power vanishes.
RIM = 1e-6
# Factor by which beta may move either way.
BETA_FACTOR = 10.0


def climb_power(
    q: Any,
    coupling: Any,
    prefactor: Any,
    forward_force: Any,
    beta: Any,
    force2: Any,
    *,
    rates: Any = None,
    steps: int = 40,
) -> MaximumPower:
    """The local maximum of output power over (beta, f2) uphill from a given point.

    Equation   power = -f2 I at f = f1 + f2, I = sum J_i of the attractor reached from P_1 = 1; d power/d(beta, f2)
               by the implicit function theorem
    Units      as `maximum_power`
    Raises     ValueError that names the argument
    Source     Herpich & Esposito 2019, Sec. IV

    It converges to rounding error inside one phase, where the grids of `maximum_power` stop at their last mesh, and
    stops at a transition, where power has an edge. The best point tried is returned; `undecided` counts points without
    a known attractor.
    """
    f1 = float(require_scalar("forward_force", forward_force))
    require_positive("forward_force", f1)
    ring = PottsRing(q, coupling, f1, prefactor, rates=rates)
    check_ring(ring)
    beta, force2 = float(require_scalar("beta", beta)), float(require_scalar("force2", force2))
    require_beta(beta)
    require_positive("beta", beta)
    if not -f1 < force2 < 0.0:
        raise ValueError(f"`force2` must lie between -forward_force = {-f1} and 0, but is {force2}")
    best = MaximumPower(-np.inf, np.nan, np.nan, np.nan, KINDS[0], 0)
    undecided = 0

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best, undecided
        (power, code), slope = _power(jnp.asarray(point), ring, jnp.asarray(f1))
        if int(code) == 0 or not np.all(np.isfinite(slope)):
            undecided += 1
            return 0.0, np.zeros(2)
        if float(power) > best.power:
            load = float(point[1])
            best = MaximumPower(float(power), -load / f1, load, float(point[0]), KINDS[int(code)], 0)
        return -float(power), -np.asarray(slope)

    low, high = np.array([beta / BETA_FACTOR, -f1 * (1.0 - RIM)]), np.array([beta * BETA_FACTOR, -f1 * RIM])
    descend(evaluate, np.array([beta, force2]), low, high, require_integer("steps", steps, 1))
    return MaximumPower(best.power, best.efficiency, best.force2, best.beta, best.kind, undecided)


@lean_jit
def _power(point: Array, ring: PottsRing, f1: Array) -> Any:
    def value(point: Array) -> tuple[Array, Array]:
        force = f1 + point[1]
        state = stationary(eqx.tree_at(lambda r: r.force, ring, force), point[0])
        return output_power(state, force, point[1]), state.code

    (power, code), slope = jax.value_and_grad(value, has_aux=True)(point)
    return (power, code), slope
