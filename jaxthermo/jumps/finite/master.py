"""Time evolution of N units on both levels: the master equation as a vector field, integrated by diffrax."""

from collections.abc import Callable, Sequence
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from jaxthermo._results import quantity, warn_unless_ok
from jaxthermo._types import IntLike, Real, ScalarLike, Stats
from jaxthermo.checks import as_float, require_double_for, require_times
from jaxthermo.jumps.arguments import checked
from jaxthermo.jumps.finite.driving import DrivenNetwork, driven_network
from jaxthermo.jumps.finite.levels import AbstractLevel, FiniteThermodynamics, mesoscopic_level, microscopic_level
from jaxthermo.jumps.mean_field import AbstractFlowResult, Betas
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.schedules import Schedule
from jaxthermo.protocols.schedules import rate_at, value_at
from jaxthermo.solve.derivatives import both_modes
from jaxthermo.solve.integrate import integrate, status_of, unreached_as_nan
from jaxthermo.solve.lean import lean_jit

RTOL, ATOL = 1e-9, 1e-12
MAX_STEPS = 10_000_000


# Tolerances, the limit of steps, and the solver.
Options = tuple[float, float, int, diffrax.AbstractSolver | None]


class FiniteEvolution(AbstractFlowResult):
    """N units at the times asked for; made by `mesoscopic_evolve` and `microscopic_evolve`."""

    status: Int[Array, "*batch"]
    stats: Stats
    network: AbstractJumpModel
    betas: Schedule
    coupling: Schedule | None
    units: int = eqx.field(static=True)
    level: str = eqx.field(static=True)  # "mesoscopic" or "microscopic"
    time: Float[Array, "*batch time"] = quantity("time", "time", ("time",), coordinate=True)
    occupation: Float[Array, "*batch time q"] = quantity("1", "mean share N_i/N of the units", ("time", "state"))
    covariance: Float[Array, "*batch time q q"] = quantity(
        "1", "covariance of the shares N_i/N and N_j/N", ("time", "state", "other_state")
    )
    beta: Float[Array, "*batch time reservoirs"] = quantity(
        "1/energy", "inverse temperature of each reservoir", ("time", "reservoir")
    )
    forces: Float[Array, "*batch time edges"] = quantity("energy", "force of each edge", ("time", "edge"))
    energy: Float[Array, "*batch time"] = quantity("energy", "mean energy per unit", ("time",))
    entropy: Float[Array, "*batch time"] = quantity("k_B", "entropy per unit", ("time",))
    work_current: Float[Array, "*batch time"] = quantity(
        "energy/time", "mean work of the forces per unit and time", ("time",)
    )
    heat_currents: Float[Array, "*batch time reservoirs"] = quantity(
        "energy/time", "mean heat current from each reservoir per unit", ("time", "reservoir")
    )
    entropy_production_rate: Float[Array, "*batch time"] = quantity(
        "k_B/time", "mean rate of entropy production per unit", ("time",)
    )
    work: Float[Array, "*batch time"] = quantity("energy", "work since the first time, per unit", ("time",), main=True)
    heats: Float[Array, "*batch time reservoirs"] = quantity(
        "energy", "heat from each reservoir since the first time, per unit", ("time", "reservoir")
    )
    entropy_produced: Float[Array, "*batch time"] = quantity(
        "k_B", "entropy produced since the first time, per unit", ("time",), main=True
    )
    norm: Float[Array, "*batch time"] = quantity("1", "sum of all probabilities", ("time",))

    @property
    def heat(self) -> Float[Array, "*batch time"]:
        """Heat from all reservoirs together since the first time, per unit."""
        return jnp.sum(self.heats, axis=-1)


def mesoscopic_evolve(
    network: AbstractJumpModel,
    beta: Betas,
    units: IntLike,
    n0: ArrayLike | Sequence[int] | None,
    ts: ArrayLike | Sequence[ScalarLike],
    *,
    coupling: Schedule | None = None,
    rtol: float = RTOL,
    atol: float = ATOL,
    max_steps: int = MAX_STEPS,
    solver: diffrax.AbstractSolver | None = None,
) -> FiniteEvolution:
    """N units from the occupation numbers n0, by the master equation of their occupation numbers.

    Equation   dp/dt = L(t) p with beta(t), f(t) and, if `coupling` is given, u(t); work includes that of u(t)

    network    a `jt.JumpNetwork` or a `jt.PottsRing`
    beta       a number, (R,) numbers, one for each reservoir, a callable of t with either as value, or R schedules
    units      N
    n0         (q,) counts, None for all units in the first state
    ts         (times,), increasing
    coupling   a number or a callable of t in place of an interaction that is a number
    rtol, atol    tolerances of a step, relative and absolute
    max_steps     steps after which the integration gives up
    solver        None: `diffrax.Tsit5()`
    Units      per unit; k_B = 1. Heat is counted from the reservoirs.
    Raises     ValueError that names the argument; for more states than memory holds, with the bytes it would take
    Source     Herpich & Esposito 2019, Eqs. (A6)-(A9), (B9)-(B14)

    Explicit steps are as short as the fastest hops: about t N V steps for a time t. `work_current` is that of the
    forces only. What a solve that stops early did not reach is NaN, and `status` says why. Derivatives in beta, the
    coupling and all numbers of the network are those of the integration, in both modes.
    `entropy_production_rate` starts from a finite stand-in for infinity; `entropy_produced` is exact from the start, as
    it follows from entropy and heat.

    Example
        >>> import jaxthermo as jt
        >>> pair = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 2.0], -0.6, [0.0, 0.8], [0, 1])
        >>> run = jt.jumps.mesoscopic_evolve(pair, [0.5, 2.0], 10, [10, 0], [0.0, 1.0])
        >>> round(float(run.work[-1]), 5)
        -0.19895
    """
    return _evolve(network, beta, units, n0, ts, coupling, mesoscopic_level, (rtol, atol, max_steps, solver))


def microscopic_evolve(
    network: AbstractJumpModel,
    beta: Betas,
    units: IntLike,
    n0: ArrayLike | Sequence[int] | None,
    ts: ArrayLike | Sequence[ScalarLike],
    *,
    coupling: Schedule | None = None,
    rtol: float = RTOL,
    atol: float = ATOL,
    max_steps: int = MAX_STEPS,
    solver: diffrax.AbstractSolver | None = None,
) -> FiniteEvolution:
    """As `mesoscopic_evolve`, over the q^N states of all units, from one of those with the counts n0.

    network    a `jt.PottsRing`, or a `jt.JumpNetwork` with the edges of one
    beta, units, n0, ts, coupling, rtol, atol, max_steps, solver
               as there

    Units 1..n0_1 start in the first state, the next n0_2 in the second, and so on. Energy, heat and work are those of
    `mesoscopic_evolve`, entropies are not: until units have mixed, their order tells more than their counts.
    Raises     ValueError as there, for another graph, and for q^N > 100 000
    Source     Herpich & Esposito 2019, Eqs. (A1)-(A5), (B1)-(B8), (B15)

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> run = jt.potts.microscopic_evolve(ring, 2.0, 4, [4, 0, 0], [0.0, 1.0])
        >>> gained = run.energy[1] - run.energy[0]
        >>> abs(float(gained - run.work[1] - run.heat[1])) < 1e-6
        True
    """
    return _evolve(network, beta, units, n0, ts, coupling, microscopic_level, (rtol, atol, max_steps, solver))


def _evolve(
    model: AbstractJumpModel,
    beta: Betas,
    units: IntLike,
    n0: ArrayLike | Sequence[int] | None,
    ts: ArrayLike | Sequence[ScalarLike],
    coupling: Schedule | None,
    level_of: Callable[[JumpNetwork, IntLike], AbstractLevel],
    options: Options,
) -> FiniteEvolution:
    network, _ = checked(model, beta)
    require_double_for(options[0], options[1], "rtol")
    level = level_of(network, units)
    p0 = jnp.zeros(level.counts.shape[1]).at[level.start(n0)].set(1.0)
    ts = require_times("ts", ts)
    driven = driven_network(model, beta, coupling, ts[0], ts[-1])
    found = _evolved(driven, level, p0, ts, options)
    result = FiniteEvolution(
        network=model,
        betas=driven.betas,
        coupling=driven.coupling,
        units=level.units,
        level=level.name,
        time=ts,
        **found,
    )
    warn_unless_ok(result)
    return result


@lean_jit
def _evolved(
    driven: DrivenNetwork,
    level: AbstractLevel,
    p0: Float[Array, " states"],
    ts: Float[Array, " times"],
    options: Options,
) -> dict[str, Any]:
    """The master equation from p0.

    Equation   dp/dt = L(t) p; work = int <sum f_e J_e> + <dE/dt at rest> dt, heats = int <sum J_e (dE_e - f_e)> dt over
               the edges of each reservoir, all per unit; entropy_produced = S(t) - S(0) - int sum beta_r (heat current
               of r) dt
    """
    (flow, totals, norm), status, steps = solve_master_equation(driven, level, p0, ts, options, _look)
    network = driven.network
    return {
        "status": status,
        "stats": {"steps": steps, "states": p0.shape[0]},
        "beta": jax.vmap(lambda t: jnp.broadcast_to(value_at(driven.betas, t), (network.reservoir_count,)))(ts),
        "forces": jax.vmap(lambda t: jnp.broadcast_to(network.forces_at(t), (len(network.edges),)))(ts),
        "work": totals[:, 0],
        "heats": totals[:, 2:],
        "entropy_produced": flow.entropy - flow.entropy[0] - totals[:, 1],
        "norm": norm,
        **vars(flow),
    }


@lean_jit
def solve_master_equation(
    driven: DrivenNetwork,
    level: AbstractLevel,
    p0: Float[Array, " states"],
    ts: Float[Array, " times"],
    options: Options,
    look: Callable[[Real, tuple[Array, Array], PyTree], PyTree],
) -> tuple[PyTree, Int[Array, ""], Int[Array, ""]]:
    """look(t, (p, totals), (driven, level)) at all times, the status, and the number of steps.

    totals     the integrals of `_rates_of_change`
    """
    rtol, atol, max_steps, solver = options

    def solved(args: PyTree, constants: PyTree) -> tuple[PyTree, PyTree]:
        ts, level, p0 = constants
        solution = integrate(
            _rates_of_change,
            (p0, jnp.zeros(2 + driven.network.reservoir_count, p0.dtype)),
            (args, level),
            t0=ts[0],
            t1=ts[-1],
            saveat=diffrax.SaveAt(ts=ts, fn=look),
            rtol=rtol,
            atol=atol / p0.shape[0],
            max_steps=max_steps,
            solver=diffrax.Tsit5() if solver is None else solver,
        )
        return jax.tree.map(unreached_as_nan, solution.ys), (status_of(solution), solution.stats["num_steps"])

    seen, (status, steps) = both_modes(solved, driven, (ts, level, p0))
    return seen, status, steps


def _rates_of_change(t: Real, state: tuple[Array, Array], args: PyTree) -> tuple[Array, Array]:
    """dp/dt; then work current, sum of beta times heat current, and the heat current of each reservoir, per unit."""
    p, _ = state
    driven, level = args
    network, coupling, now = driven.network, driven.coupling, driven.at(t)
    hops = level.hops(now)
    flow = hops.booked(p, now)
    current = flow.forward - flow.backward
    change = hops.into_states(current) - jnp.sum(current, axis=0)
    counts = level.counts.astype(p.dtype)
    units = jnp.sum(counts[:, 0])
    heats = flow.heat_currents(network) / units
    work = flow.work_current() / units
    if network.is_moving:
        here = (as_float(t),), (jnp.ones(()),)
        rise = jax.jvp(lambda t: driven.at(t).energy(counts), *here)[1]
        work = work + jnp.dot(rise, p, precision="highest") / units
    elif coupling is not None:
        work = work + rate_at(coupling, t)[1] * (0.5 * jnp.sum(counts**2, axis=0) / units**2 @ p)
    return change, jnp.concatenate([jnp.stack([work, jnp.sum(now.beta * heats)]), heats])


def _look(t: Real, state: tuple[Array, Array], args: PyTree) -> tuple[FiniteThermodynamics, Array, Array]:
    p, totals = state
    driven, level = args
    return level.observe(p, driven.at(t)), totals, jnp.sum(p)
