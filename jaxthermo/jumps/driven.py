"""The periodic state of a network whose temperatures or forces are periodic in time."""

from collections.abc import Sequence

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Int, PyTree

from jaxthermo._results import quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import Real, ScalarLike, Stats
from jaxthermo.checks import is_known, require_double_for, require_integer, require_positive_scalar
from jaxthermo.jumps.arguments import checked, require_not_negative
from jaxthermo.jumps.evolution import ATOL, MAX_STEPS, RTOL, named_totals, rates_of_change, series_along
from jaxthermo.jumps.mean_field import AbstractFlowResult, Betas, interaction_energy, vector_field
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.occupation import complete, initial_occupation
from jaxthermo.jumps.schedules import Schedule
from jaxthermo.protocols.schedules import value_at
from jaxthermo.solve.derivatives import both_modes
from jaxthermo.solve.integrate import integrate, unreached_as_nan
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.periodic_orbit import PeriodicPoint, periodic_point

POINTS = 100
MAX_PERIODS = 400
# Phases at which schedules are compared with themselves one period later, and by how much they may differ.
PHASES, SAME = 7, 1e-9
# The recorded period must come back to its start to within this.
CLOSED = 1e-8


class PeriodicState(AbstractFlowResult):
    """One period of a periodically driven network; made by `periodic_state`."""

    status: Int[Array, "*batch"]
    stats: Stats
    network: JumpNetwork
    betas: Schedule
    period: Float[Array, "*batch"] = quantity("time", "period of the driving")
    time: Float[Array, "*batch time"] = quantity("time", "time", ("time",), coordinate=True)
    occupation: Float[Array, "*batch time q"] = quantity("1", "occupation P_i", ("time", "state"))
    beta: Float[Array, "*batch time reservoirs"] = quantity(
        "1/energy", "inverse temperature of each reservoir", ("time", "reservoir")
    )
    energy: Float[Array, "*batch time"] = quantity("energy", "energy per unit", ("time",))
    entropy: Float[Array, "*batch time"] = quantity("k_B", "entropy per unit", ("time",))
    work_current: Float[Array, "*batch time"] = quantity("energy/time", "work of the forces per unit time", ("time",))
    heat_currents: Float[Array, "*batch time reservoirs"] = quantity(
        "energy/time", "heat current from each reservoir", ("time", "reservoir")
    )
    entropy_production_rate: Float[Array, "*batch time"] = quantity("k_B/time", "rate of entropy production", ("time",))
    work: Float[Array, "*batch"] = quantity("energy", "work of the forces in one period")
    heats: Float[Array, "*batch reservoirs"] = quantity(
        "energy", "heat from each reservoir in one period", ("reservoir",), main=True
    )
    entropy_produced: Float[Array, "*batch"] = quantity("k_B", "entropy produced in one period")
    monodromy: Float[Array, "*batch n n"] = quantity(
        "1", "linear map over one period of the first q - 1 occupations", ("row", "column")
    )
    residual: Float[Array, "*batch"] = quantity("1", "last step of the search")

    @property
    def heat(self) -> Float[Array, "*batch"]:
        """Heat from all reservoirs together in one period."""
        return jnp.sum(self.heats, axis=-1)

    @property
    def multipliers(self) -> Complex[Array, "*batch n"]:
        """Floquet multipliers, largest first; all lie inside the unit circle."""
        values = jnp.linalg.eigvals(self.monodromy)
        return jnp.take_along_axis(values, jnp.argsort(-jnp.abs(values), axis=-1), axis=-1)


def periodic_state(
    network: AbstractJumpModel,
    beta: Betas,
    period: ScalarLike,
    p0: ArrayLike | Sequence[float] | None = None,
    *,
    points: int = POINTS,
    max_periods: int = MAX_PERIODS,
) -> PeriodicState:
    """The periodic state that the mean field of a periodically driven network reaches from p0.

    Equation   dP/dt of `vector_field` with beta, forces, prefactor, energies and interaction that repeat after
               `period`, and P(period) = P(0);
               over one period work = int (sum f_e J_e + dE/dt at rest) dt, heats = int sum J_e (dE_e - f_e) dt over
               the edges of each reservoir, so that work + all heats = 0, and
               entropy_produced = int (entropy production rate) dt = -sum_r int beta_r dQ_r >= 0

    network      a `jt.JumpNetwork` or a `jt.PottsRing`
    beta         a number, (R,) numbers, one for each reservoir, a callable of t with either as value, or R schedules
    period       of the driving, a scalar > 0
    p0           occupations at t = 0, (q,), that sum to 1, from which the search begins; None for P_1 = 1 - small
    points       equal intervals of the period; results have points + 1 times
    max_periods  periods of the search before it gives up
    Units        per unit; k_B = 1. Heat is counted from the reservoirs into the units.
    Returns      a `PeriodicState`: `work`, `heats` and `entropy_produced` of one period, series over `time`, (points +
                 1,), and `multipliers`
    Raises       ValueError that names the argument, also where one of the schedules does not repeat after `period`
    Accuracy     `residual` is a Newton step, below 1e-8; the state is right to its square or the integration's 1e-11.
                 Steps are as long as what they meet allows, and may pass over a pulse of about 1e-3 of the period
    Source       local detailed balance at each time: Esposito, Phys. Rev. E 85, 041125 (2012); Floquet multipliers:
                 eigenvalues of the linear map over one period

    `Status.not_periodic` where no stable state of this period was met: the network's own cycle is not locked to the
    driving, or the stable state has a multiple of the period; and where the recorded period ends more than 1e-8 from
    its start, as when only one of both has stepped over a pulse. Derivatives in the period and in all numbers of
    `network` and `beta` by the implicit function theorem, in both modes.

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> hot_and_cold = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 1.0], reservoirs=[0, 1])
        >>> run = jt.jumps.periodic_state(hot_and_cold, [lambda t: 1.0 + 0.5 * jnp.cos(t), 2.0], 2 * jnp.pi)
        >>> bool(run.ok), bool(abs(run.heat) < 1e-10)
        (True, True)
    """
    network, betas = checked(network, beta)
    require_double_for(RTOL, RTOL)
    period = require_positive_scalar("period", period)
    points, max_periods = require_integer("points", points, 1), require_integer("max_periods", max_periods, 1)
    p0 = initial_occupation(network.q, p0)
    require_repeats(network, betas, period)
    phases = jnp.arange(points + 1, dtype=p0.dtype) / points
    result = _solved(network, betas, period, p0, phases, jnp.asarray(max_periods, jnp.int32))
    warn_unless_ok(result)
    return result


def require_repeats(network: JumpNetwork, betas: Schedule, period: Float[Array, ""]) -> None:
    """Refuse schedules that are not positive, or not the same one period later."""
    phases = period * jnp.linspace(0.0, 1.0, PHASES, dtype=period.dtype)
    # An interaction is looked at where no two occupations are alike.
    uneven = jnp.arange(1.0, network.q + 1.0) / (0.5 * network.q * (network.q + 1.0))
    schedules = {"beta": lambda t: value_at(betas, t), "forces": network.forces_at}
    if callable(network.prefactor):
        schedules["prefactor"] = network.prefactor_at
    if network.is_moving:
        schedules["energies"] = lambda t: value_at(network.energies, t)
        schedules["interaction"] = lambda t: interaction_energy(uneven, network.at(t))
    for name, schedule in schedules.items():
        now, later = (jax.vmap(schedule)(times) for times in (phases, phases + period))
        if name in ("beta", "prefactor"):
            require_not_negative(name, now)
        if is_known(now, later) and not np.allclose(now, later, rtol=SAME, atol=SAME):
            raise ValueError(f"`period` must be a period of {name}, which differs after {float(period)}")


@lean_jit
def _solved(
    network: JumpNetwork, betas: Schedule, period: Array, p0: Array, phases: Array, max_periods: Array
) -> PeriodicState:
    def solved(args: PyTree, known: tuple[Array, Array, Array]) -> tuple[PyTree, PyTree]:
        network, betas, period = args
        p0, phases, max_periods = known
        found = periodic_point(_field, p0[:-1], period, (network, betas), max_periods)
        states = _along(found, network, betas, period, phases)
        return (states, found.linear, found.residual), (found.periods, found.found)

    known = (p0, phases, max_periods)
    ((occupation, totals), linear, residual), (periods, found) = both_modes(solved, (network, betas, period), known)
    times = phases * period
    finite = jnp.all(jnp.isfinite(totals[-1]))
    # A pulse over which the search has stepped may be met when the period is recorded.
    closes = jnp.max(jnp.abs(occupation[-1] - occupation[0])) < CLOSED
    return PeriodicState(
        status=first_problem(status_if(~finite, Status.not_finite), status_if(~(found & closes), Status.not_periodic)),
        stats={"periods": periods},
        network=network,
        betas=betas,
        period=period,
        time=times,
        **series_along(network, betas, times, occupation),
        **named_totals(totals[-1]),
        monodromy=linear,
        residual=residual,
    )


def _field(t: Float[Array, ""], x: Float[Array, " n"], args: tuple[JumpNetwork, Schedule]) -> Float[Array, " n"]:
    network, betas = args
    return vector_field(t, complete(x), network, betas)[:-1]


def _along(
    found: PeriodicPoint, network: JumpNetwork, betas: Schedule, period: Array, phases: Array
) -> tuple[PyTree, PyTree]:
    """Occupations and running integrals of work, entropy production and heats at the given phases of the period."""

    def rate(s: Real, state: PyTree, args: PyTree) -> PyTree:
        network, betas, period = args
        slopes = rates_of_change(s * period, state, (network, betas))
        return jax.tree.map(lambda slope: period * slope, slopes)

    totals = jnp.zeros(2 + network.reservoir_count, found.point.dtype)
    solution = integrate(
        rate,
        (complete(found.point), totals),
        (network, betas, period),
        t0=phases[0],
        t1=phases[-1],
        saveat=diffrax.SaveAt(ts=phases),
        rtol=RTOL,
        atol=ATOL,
        max_steps=MAX_STEPS,
    )
    states = solution.ys
    assert states is not None
    occupation, running = (unreached_as_nan(values) for values in states)
    return occupation, running
