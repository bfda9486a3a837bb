"""A driven trajectory of the mean field, with its work, heat and entropy production."""

from typing import TYPE_CHECKING, Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo.checks import require_double_for, require_times
from jaxthermo.potts.mean_field import Thermodynamics, thermodynamics, vector_field
from jaxthermo.potts.occupation import initial_occupation
from jaxthermo.potts.ring import PottsRing, check_ring, require_beta
from jaxthermo.protocols.schedule import as_schedule, value_at
from jaxthermo.solve.integrate import STATUS, integrate, status_of, unreached_as_nan

if TYPE_CHECKING:
    import xarray

RTOL = 1e-12
ATOL = 1e-14
MAX_STEPS = 10_000_000

UNITS = {
    "occupation": "1",
    "beta": "1/energy",
    "force": "energy",
    "energy": "energy",
    "work_current": "energy/time",
    "heat_current": "energy/time",
    "entropy": "k_B",
    "entropy_production": "k_B/time",
    "work": "energy",
    "heat": "energy",
    "entropy_produced": "k_B",
}


class Trajectory(eqx.Module):
    """States of one trajectory at the times asked for; see `trajectory`."""

    occupation: Float[Array, "times q"]
    flow: Thermodynamics
    work: Float[Array, " times"]
    heat: Float[Array, " times"]
    entropy_produced: Float[Array, " times"]
    beta: Float[Array, " times"]
    force: Float[Array, " times"]
    status: Int[Array, ""]
    steps: Int[Array, ""]


def trajectory(
    ring: PottsRing,
    beta: Any,
    p0: Float[Array, " q"],
    ts: Float[Array, " times"],
    *,
    rtol: float = RTOL,
    atol: float = ATOL,
    max_steps: int = MAX_STEPS,
    solver: diffrax.AbstractSolver | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Trajectory:
    """`evolve` as a pure function of arrays, to be jitted, vmapped and differentiated.

    Shapes     p0: (q,); ts: (times,), increasing; beta and the ring's force: scalars or callables of t
    The default adjoint is forward mode (jvp, jacfwd); for grad pass `adjoint=diffrax.RecursiveCheckpointAdjoint()` and
    a `max_steps` near the number of steps needed. For stiff, cold rings pass `solver=diffrax.Kvaerno5()`.
    """

    def rate(t: Any, state: tuple[Array, Array], args: Any) -> tuple[Array, Array]:
        P, _ = state
        flow = thermodynamics(t, P, *args)
        return vector_field(t, P, *args), jnp.stack([flow.work_current, flow.heat_current, flow.entropy_production])

    solution = integrate(
        rate,
        (p0, jnp.zeros(3, p0.dtype)),
        (ring, beta),
        t0=ts[0],
        t1=ts[-1],
        saveat=diffrax.SaveAt(ts=ts),
        rtol=rtol,
        atol=atol,
        max_steps=max_steps,
        solver=solver,
        adjoint=adjoint,
    )
    states: Any = solution.ys
    occupation, totals = (unreached_as_nan(values) for values in states)
    return Trajectory(
        occupation=occupation,
        flow=jax.vmap(lambda t, P: thermodynamics(t, P, ring, beta))(ts, occupation),
        work=totals[:, 0],
        heat=totals[:, 1],
        entropy_produced=totals[:, 2],
        beta=jax.vmap(lambda t: value_at(beta, t))(ts),
        force=jax.vmap(lambda t: value_at(ring.force, t))(ts),
        status=status_of(solution),
        steps=solution.stats["num_steps"],
    )


_compiled = eqx.filter_jit(trajectory)


def evolve(
    ring: PottsRing,
    beta: Any,
    p0: Any,
    ts: Any,
    *,
    rtol: float = RTOL,
    atol: float = ATOL,
    max_steps: int = MAX_STEPS,
    solver: diffrax.AbstractSolver | None = None,
) -> "xarray.Dataset":
    """The ring's trajectory from p0 as a labelled dataset.

    Equation   dP_i/dt = J_{i-1} - J_i with beta(t) and f(t); work = int f sum J dt, heat = int sum J (dE - f) dt,
               entropy_produced = int (entropy production) dt, all from ts[0]
    Shapes     p0: (q,), None for P_1 = 1 - small; ts: (times,), increasing; beta: a number, a schedule
               (`jt.Ramp` and others) or a callable of t
    Units      per unit of the ring; k_B = 1; each variable's attrs carry its unit. Heat is counted into the ring.
    Raises     ValueError that names the argument for bad shapes, occupations, times, beta, or tolerances
    Source     Herpich & Esposito 2019, Eqs. (1), (8), (9)

    What a solve that stops early did not reach is NaN, and `attrs["status"]` says why.
    """
    import xarray

    from jaxthermo.provenance import provenance

    check_ring(ring)
    require_double_for(rtol, atol)
    ts = require_times("ts", ts)
    p0 = initial_occupation(ring.q, p0)
    beta = as_schedule("beta", beta)
    # A callable is checked where the user will see it: at the times asked for.
    require_beta(jax.vmap(lambda t: value_at(beta, t))(ts))
    done = _compiled(ring, beta, p0, ts, rtol=rtol, atol=atol, max_steps=max_steps, solver=solver)

    series = {
        "beta": done.beta,
        "force": done.force,
        "energy": done.flow.energy,
        "work_current": done.flow.work_current,
        "heat_current": done.flow.heat_current,
        "entropy": done.flow.entropy,
        "entropy_production": done.flow.entropy_production,
        "work": done.work,
        "heat": done.heat,
        "entropy_produced": done.entropy_produced,
    }
    variables: dict[str, Any] = {"occupation": (("time", "state"), np.asarray(done.occupation))}
    variables |= {name: ("time", np.asarray(values)) for name, values in series.items()}
    parameters = {
        "q": ring.q,
        "coupling": float(ring.coupling),
        "prefactor": float(ring.prefactor),
        "energies": [float(e) for e in ring.energies],
        "rates": type(ring.rates).__name__,
        "rtol": rtol,
        "atol": atol,
    }
    dataset = xarray.Dataset(
        variables,
        coords={"time": np.asarray(ts), "state": np.arange(1, ring.q + 1)},
        attrs={"status": STATUS[int(done.status)], "steps": int(done.steps), **provenance(parameters)},
    )
    for name, unit in UNITS.items():
        dataset[name].attrs["units"] = unit
    return dataset
