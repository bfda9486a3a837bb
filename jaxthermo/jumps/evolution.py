"""A driven trajectory of the mean field, with its work, the heat of each reservoir, and entropy production."""

from collections.abc import Sequence
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from jaxthermo._results import quantity, warn_unless_ok
from jaxthermo._types import Real, ScalarLike
from jaxthermo.checks import require_double_for, require_times
from jaxthermo.jumps.arguments import checked, require_not_negative
from jaxthermo.jumps.mean_field import AbstractFlowResult, Betas, flows, thermodynamics, work_current
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.occupation import initial_occupation
from jaxthermo.jumps.schedules import Schedule
from jaxthermo.protocols.schedules import value_at
from jaxthermo.solve.derivatives import both_modes
from jaxthermo.solve.ensemble import final_state
from jaxthermo.solve.integrate import integrate, status_of, unreached_as_nan
from jaxthermo.solve.lean import lean_jit

RTOL = 1e-12
ATOL = 1e-14
MAX_STEPS = 10_000_000


class Evolution(AbstractFlowResult):
    """A trajectory at the times asked for; see `evolve`."""

    status: Int[Array, "*batch"]
    stats: dict[str, Array]
    network: AbstractJumpModel
    betas: Schedule
    time: Float[Array, "*batch time"] = quantity("time", "time", ("time",), coordinate=True)
    occupation: Float[Array, "*batch time q"] = quantity("1", "occupation P_i", ("time", "state"))
    beta: Float[Array, "*batch time reservoirs"] = quantity(
        "1/energy", "inverse temperature of each reservoir", ("time", "reservoir")
    )
    forces: Float[Array, "*batch time edges"] = quantity("energy", "force of each edge", ("time", "edge"))
    energy: Float[Array, "*batch time"] = quantity("energy", "energy per unit", ("time",))
    entropy: Float[Array, "*batch time"] = quantity("k_B", "entropy per unit", ("time",))
    work_current: Float[Array, "*batch time"] = quantity("energy/time", "work of the forces per unit time", ("time",))
    heat_currents: Float[Array, "*batch time reservoirs"] = quantity(
        "energy/time", "heat current from each reservoir", ("time", "reservoir")
    )
    entropy_production_rate: Float[Array, "*batch time"] = quantity("k_B/time", "rate of entropy production", ("time",))
    work: Float[Array, "*batch time"] = quantity("energy", "work of the forces since the first time", ("time",))
    heats: Float[Array, "*batch time reservoirs"] = quantity(
        "energy", "heat from each reservoir since the first time", ("time", "reservoir")
    )
    entropy_produced: Float[Array, "*batch time"] = quantity(
        "k_B", "entropy produced since the first time", ("time",), main=True
    )

    @property
    def heat(self) -> Float[Array, "*batch time"]:
        """Heat from all reservoirs together since the first time."""
        return jnp.sum(self.heats, axis=-1)


def evolve(
    network: AbstractJumpModel,
    beta: Betas,
    p0: ArrayLike | Sequence[ScalarLike] | None,
    ts: ArrayLike | Sequence[ScalarLike],
    *,
    rtol: float = RTOL,
    atol: float = ATOL,
    max_steps: int = MAX_STEPS,
    solver: diffrax.AbstractSolver | None = None,
) -> Evolution:
    """The mean field's trajectory from p0.

    Equation   dP/dt of `vector_field` with beta(t) and f(t); work = int sum f_e J_e dt,
               heats = int sum J_e (dE_e - f_e) dt over the edges of each reservoir,
               entropy_produced = int (entropy production rate) dt, all from ts[0]

    network    a `jt.JumpNetwork` or a `jt.PottsRing`
    beta       a number, (R,) numbers, one for each reservoir, a callable of t with either as value, or R schedules
    p0         occupations at ts[0], (q,), that sum to 1; None for P_1 = 1 - small
    ts         times of the result, increasing
    rtol, atol    tolerances of a step, relative and absolute
    max_steps     steps after which the integration gives up
    solver        None: `diffrax.Dopri8()`; for stiff, cold networks `diffrax.Kvaerno5()`
    Units      per unit; k_B = 1. Heat is counted from the reservoirs into the units.
    Returns    an `Evolution`: series over `time`, (times,), of occupation, energy, entropy, currents and their
               integrals
    Raises     ValueError that names the argument for bad shapes, occupations, times, beta or tolerances
    Source     Herpich & Esposito 2019, Eqs. (1), (8), (9), for any graph and several reservoirs

    Under `vmap`, between two times and with an explicit solver of diffrax, lanes are solved together, by the same
    scheme with a step size each; that is several times faster than diffrax, which solves all else.
    What a solve that stops early did not reach is NaN, and `status` says why. Derivatives are those of the integration
    in p0 and in all numbers of `network` and `beta`, in both modes; `ts` is held constant. They cost about as much as
    one more solve for each of these numbers.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> run = jt.jumps.evolve(ring, 4.0, [0.8, 0.1, 0.1], [0.0, 10.0])
        >>> round(float(run.work[-1]), 5)
        5.05863
    """
    model = network
    network, betas = checked(model, beta)
    require_double_for(rtol, atol, "rtol")
    if solver is not None and not isinstance(solver, diffrax.AbstractSolver):
        raise ValueError(f"`solver` must be a solver of diffrax, such as diffrax.Kvaerno5(), but is {solver!r}")
    ts = require_times("ts", ts)
    p0 = initial_occupation(network.q, p0)
    # A callable is checked where the user will see it: at the times asked for.
    jax.eval_shape(lambda t: network.betas_at(betas, t), ts[0])
    require_not_negative("beta", jax.vmap(lambda t: value_at(betas, t))(ts))
    require_not_negative("prefactor", jax.vmap(network.prefactor_at)(ts))
    found = _evolved(network, betas, p0, ts, rtol, atol, max_steps, solver)
    result = Evolution(network=model, betas=betas, time=ts, **found)
    warn_unless_ok(result)
    return result


@lean_jit
def _evolved(
    network: JumpNetwork,
    betas: Schedule,
    p0: Array,
    ts: Array,
    rtol: float,
    atol: float,
    max_steps: int,
    solver: diffrax.AbstractSolver | None,
) -> dict[str, Any]:
    limits: dict[str, Any] = {"rtol": rtol, "atol": atol, "max_steps": max_steps, "solver": solver}

    def at_rest(p0: Array) -> tuple[Array, Array]:
        return p0, jnp.zeros(2 + network.reservoir_count, p0.dtype)

    def solved(args: PyTree, times: Array) -> tuple[PyTree, PyTree]:
        saveat = diffrax.SaveAt(ts=times)
        t0, t1 = times[0], times[-1]
        solution = integrate(rates_of_change, at_rest(args[2]), args[:2], t0=t0, t1=t1, saveat=saveat, **limits)
        states = solution.ys
        assert states is not None
        return tuple(unreached_as_nan(values) for values in states), (status_of(solution), solution.stats["num_steps"])

    def end_alone(args: PyTree, times: Array) -> tuple[PyTree, PyTree]:
        start = at_rest(args[2])
        end, status, steps = final_state(rates_of_change, start, args[:2], times[0], times[1], **limits)
        return jax.tree.map(lambda first, last: jnp.stack([first, last]), start, end), (status, steps)

    # Many lanes without a history between two times are solved together.
    value = end_alone if ts.shape == (2,) else None
    (occupation, totals), (status, steps) = both_modes(solved, (network, betas, p0), ts, value)
    return {
        "status": status,
        "stats": {"steps": steps},
        "forces": jax.vmap(lambda t: jnp.broadcast_to(network.forces_at(t), (len(network.edges),)))(ts),
        **series_along(network, betas, ts, occupation),
        **named_totals(totals),
    }


def series_along(network: JumpNetwork, betas: Schedule, ts: Array, occupation: Array) -> dict[str, Array]:
    """Occupations, inverse temperatures and thermodynamics at each time, by name."""
    flow = jax.vmap(lambda t, P: thermodynamics(t, P, network, betas))(ts, occupation)
    return {
        "occupation": occupation,
        "beta": jax.vmap(lambda t: jnp.broadcast_to(value_at(betas, t), (network.reservoir_count,)))(ts),
        "energy": flow.energy,
        "entropy": flow.entropy,
        "work_current": flow.work_current,
        "heat_currents": flow.heat_currents,
        "entropy_production_rate": flow.entropy_production_rate,
    }


def named_totals(totals: Float[Array, "*times totals"]) -> dict[str, Array]:
    """The integrals of `rates_of_change` by name."""
    return {"work": totals[..., 0], "heats": totals[..., 2:], "entropy_produced": totals[..., 1]}


def rates_of_change(t: Real, state: tuple[Array, Array], args: tuple[JumpNetwork, Schedule]) -> tuple[Array, Array]:
    """dP/dt; then work current, entropy production rate and the heat current of each reservoir."""
    P, _ = state
    network, betas = args
    flow = flows(t, P, network, betas)
    work, produced = (
        jnp.reshape(one, 1) for one in (work_current(t, P, network, flow), flow.entropy_production_rate())
    )
    return network.gains(flow.currents), jnp.concatenate([work, produced, flow.heat_currents(network)])
