"""The long-time state of a network that does not depend on time: its attractor, and averages over it."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from jaxthermo._results import quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import IntLike, ScalarLike
from jaxthermo.checks import is_known, require_double_for, require_integer
from jaxthermo.jumps.arguments import require_constant
from jaxthermo.jumps.elimination import alone_at_rest, at_rest
from jaxthermo.jumps.mean_field import AbstractFlowResult, Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.jumps.occupation import averages, complete, field, initial_occupation, observe
from jaxthermo.solve.attractor import FIXED_POINT, UNDECIDED, Attractor, AttractorKind, find_attractor
from jaxthermo.solve.cycle import RTOL
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.lean import brief_jit

MAX_ROUNDS = 256
# The largest |dP/dt| of a fixed point, over its work current or over 1, with which the currents keep what is promised.
SETTLED = 1e-7


class Stationary(AbstractFlowResult):
    """The attractor reached, and time averages over it; made by `stationary`.

    `attractor` holds members of `AttractorKind`, `kind` their words. `point` is the fixed point, or one point on the
    cycle, or the last state of an undecided trajectory. `period` is NaN unless the attractor is a limit cycle.
    """

    status: Int[Array, "*batch"]
    stats: dict[str, Array]
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    attractor: Int[Array, "*batch"] = quantity("1", "kind of attractor", codes=AttractorKind)
    occupation: Float[Array, "*batch q"] = quantity("1", "mean occupation P_i", ("state",), main=True)
    point: Float[Array, "*batch q"] = quantity("1", "a point of the attractor", ("state",))
    period: Float[Array, "*batch"] = quantity("time", "period of the limit cycle")
    energy: Float[Array, "*batch"] = quantity("energy", "mean energy per unit")
    entropy: Float[Array, "*batch"] = quantity("k_B", "mean entropy per unit")
    work_current: Float[Array, "*batch"] = quantity("energy/time", "mean work of the forces per unit time")
    heat_currents: Float[Array, "*batch reservoirs"] = quantity(
        "energy/time", "mean heat current from each reservoir", ("reservoir",), main=True
    )
    entropy_production_rate: Float[Array, "*batch"] = quantity("k_B/time", "mean rate of entropy production")
    residual: Float[Array, "*batch"] = quantity("1/time", "largest |dP/dt| of a fixed point, or gap of a cycle")

    @property
    def kind(self) -> str | np.ndarray:
        """ "fixed point", "limit cycle" or "undecided"; for a batch an array of these words."""
        return AttractorKind.spelled(self.attractor)


def stationary(
    network: AbstractJumpModel,
    beta: Betas,
    p0: ArrayLike | Sequence[ScalarLike] | None = None,
    *,
    max_rounds: IntLike = MAX_ROUNDS,
) -> Stationary:
    """The attractor that the mean field reaches from p0, with averages over it.

    Equation   0 = dP/dt at a fixed point; P(t + T) = P(t) on a limit cycle, averages (1/T) int_0^T dt

    network      a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta         a number, or (R,) numbers, one for each reservoir
    p0           start, (q,); None for P_1 = 1 - small. Without an interaction all starts lead to the same state
    max_rounds   rounds of integration before the search gives up
    Units        per unit and per unit time; k_B = 1. Heat is counted from the reservoirs into the units.
    Returns      a `Stationary`: `kind`, `occupation`, `period`, `work_current`, `heat_currents` and more; on a limit
                 cycle all but the period are averages over it
    Raises       ValueError for impossible parameters; without double precision
    Accuracy     1e-9, since Newton's method ends the search: `residual` is near rounding error for both known kinds.
                 Occupations of a fixed point are known to their own rounding error, however small (50 digits agree
                 to 1e-14 for occupations of 1e-13). Where rounding spoils a current nevertheless, the status is
                 `not_converged`
    Source       Herpich & Esposito 2019, Secs. III and IV, for any graph and several reservoirs; occupations by the
                 elimination of Grassmann, Taksar & Heyman, Oper. Res. 33, 1107 (1985)

    Derivatives with respect to beta and all numbers of the network are those of the attractor (both modes).
    `Status.undecided` means that none was found in `max_rounds` rounds, as on a torus: its averages are those of the
    last round, its residual their last change. A trajectory that creeps towards a fixed point exactly at a transition
    is undecided too, with the averages of that point. Derivatives of undecided lanes are NaN.

    Example
        >>> import jaxthermo as jt
        >>> pair = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 2.0], -0.6, [0.0, 0.8], [0, 1])
        >>> state = jt.jumps.stationary(pair, [0.5, 2.0])
        >>> [round(float(heat), 5) for heat in state.heat_currents]
        [0.79883, -0.5424]
    """
    result = long_time_state(network, beta, p0, max_rounds)
    warn_unless_ok(result)
    return result


def long_time_state(
    model: AbstractJumpModel, beta: Betas, p0: ArrayLike | Sequence[ScalarLike] | None, max_rounds: IntLike
) -> Stationary:
    """`stationary` without a warning."""
    network, betas = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    if is_known(max_rounds):
        require_integer("max_rounds", max_rounds, 1)
    start = initial_occupation(network.q, p0)
    if network.interaction is None:
        # There is one attractor, whatever the start, and elimination knows it.
        known = alone_at_rest(stop_gradient(network), stop_gradient(betas))
        start = jnp.where(jnp.all(jnp.isfinite(known)), known, start)
    # As an array, so that another number of rounds is not compiled again.
    rounds = jnp.asarray(max_rounds, jnp.int32)
    found = find_attractor(field, observe, start[:-1], (network, betas), rounds, at_rest)
    return _described(model, betas, found)


@brief_jit
def _described(model: AbstractJumpModel, beta: Array, found: Attractor) -> Stationary:
    mean, occupation = averages(found.mean, model.network.reservoir_count)
    unsettled = found.residual > SETTLED * jnp.maximum(1.0, jnp.abs(mean.work_current))
    known = first_problem(
        status_if(found.kind == UNDECIDED, Status.undecided),
        status_if((found.kind == FIXED_POINT) & unsettled, Status.not_converged),
    )
    return Stationary(
        status=jnp.where(jnp.isfinite(mean.work_current), known, int(Status.not_finite)).astype(jnp.int32),
        stats={"rounds": found.rounds},
        network=model,
        beta=beta,
        attractor=found.kind,
        occupation=occupation,
        # Of a fixed point the occupations are known better than as coordinates, of which the last is 1 - the others.
        point=jnp.where(found.kind == FIXED_POINT, stop_gradient(occupation), complete(found.point)),
        period=found.period,
        **vars(mean),
        residual=found.residual,
    )
