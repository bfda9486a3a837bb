"""Time evolution of N units on both levels: the master equation as a vector field, integrated by diffrax."""

from typing import TYPE_CHECKING, Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo.checks import require_double_for, require_times
from jaxthermo.jumps.finite.generator import Hops, mesoscopic_hops, microscopic_hops
from jaxthermo.jumps.finite.hops import Moment, moment
from jaxthermo.jumps.finite.labels import finite_dataset, state_coords, thermodynamic_variables
from jaxthermo.jumps.finite.observables import FiniteThermodynamics, observe
from jaxthermo.jumps.finite.schedules import require_schedules
from jaxthermo.jumps.finite.space import Links, Space, microscopic, require_ring_edges, space
from jaxthermo.jumps.finite.states import (
    initial_counts,
    log_multiplicity,
    rank,
    require_mesostates,
    require_microstates,
)
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork, as_network, checked
from jaxthermo.protocols.schedule import rate_at, value_at
from jaxthermo.solve.integrate import STATUS, integrate, status_of, unreached_as_nan
from jaxthermo.solve.lean import lean_jit

if TYPE_CHECKING:
    import xarray

RTOL, ATOL = 1e-9, 1e-12
MAX_STEPS = 10_000_000


class Meso(eqx.Module):
    """The level of occupation numbers."""

    states: Space

    @property
    def counts(self) -> Int[Array, "q states"]:
        """Occupation numbers of every state."""
        return self.states.counts

    def hops(self, now: Moment) -> Hops:
        """The master equation at one time."""
        return mesoscopic_hops(now, self.states)

    def inner(self) -> Float[Array, " states"]:
        """Entropy inside every state."""
        return log_multiplicity(self.counts)


class Micro(eqx.Module):
    """The level of single units."""

    each: Int[Array, "units states"]
    counts: Int[Array, "q states"]
    links: Links

    def hops(self, now: Moment) -> Hops:
        """The master equation at one time."""
        return microscopic_hops(now, self.each, self.counts, self.links)

    def inner(self) -> Float[Array, " states"]:
        """Entropy inside every state: none."""
        return jnp.zeros(self.counts.shape[1])


class Evolution(eqx.Module):
    """Observables at the times asked for, integrals from the first of them, and the last distribution."""

    flow: FiniteThermodynamics
    work: Float[Array, " times"]
    heats: Float[Array, "times reservoirs"]
    entropy_produced: Float[Array, " times"]
    norm: Float[Array, " times"]
    p: Float[Array, " states"]
    status: Int[Array, ""]
    steps: Int[Array, ""]


def evolution(
    network: JumpNetwork,
    beta: Any,
    coupling: Any,
    level: Meso | Micro,
    p0: Float[Array, " states"],
    ts: Float[Array, " times"],
    *,
    rtol: float = RTOL,
    atol: float = ATOL,
    max_steps: int = MAX_STEPS,
    solver: diffrax.AbstractSolver | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Evolution:
    """The master equation from p0 as a pure function of arrays.

    Equation   dp/dt = L(t) p; work = int <sum f_e J_e> + (du/dt) <dE/du> dt, heats = int <sum J_e (dE_e - f_e)> dt over
               the edges of each reservoir, all per unit; entropy_produced = S(t) - S(0) - int sum beta_r (heat current
               of r) dt
    Shapes     p0: (states,); ts: (times,); beta, coupling (None: the network's) and forces: arrays or callables of t
    """
    counts = level.counts.astype(p0.dtype)
    units = jnp.sum(counts[:, 0])
    squares = 0.5 * jnp.sum(counts**2, axis=0) / units**2
    inner = level.inner()

    def rate(t: Any, state: Any, args: Any) -> Any:
        p, _ = state
        now = moment(network, beta, t, coupling)
        hops = level.hops(now)
        flow = hops.booked(p, now)
        current = flow.forward - flow.backward
        change = hops.into_states(current) - jnp.sum(current, axis=0)
        heats = flow.heat_currents(network) / units
        work = flow.work_current() / units
        if coupling is not None:
            work = work + rate_at(coupling, t)[1] * (squares @ p)
        return change, jnp.concatenate([jnp.stack([work, jnp.sum(now.beta * heats)]), heats])

    def look(t: Any, state: Any, args: Any) -> Any:
        p, totals = state
        now = moment(network, beta, t, coupling)
        return observe(p, now, level.hops(now), level.counts, inner), totals, jnp.sum(p)

    solution = integrate(
        rate,
        (p0, jnp.zeros(2 + network.reservoir_count, p0.dtype)),
        None,
        t0=ts[0],
        t1=ts[-1],
        saveat=diffrax.SaveAt(subs=[diffrax.SubSaveAt(ts=ts, fn=look), diffrax.SubSaveAt(t1=True)]),
        rtol=rtol,
        atol=atol / p0.shape[0],
        max_steps=max_steps,
        solver=diffrax.Tsit5() if solver is None else solver,
        adjoint=adjoint,
    )
    seen: Any = solution.ys
    (flow, totals, norm), (last, _) = jax.tree.map(unreached_as_nan, seen)
    return Evolution(
        flow=flow,
        work=totals[:, 0],
        heats=totals[:, 2:],
        entropy_produced=flow.entropy - flow.entropy[0] - totals[:, 1],
        norm=norm,
        p=last[-1],
        status=status_of(solution),
        steps=solution.stats["num_steps"],
    )


_compiled = lean_jit(evolution)


def mesoscopic_evolve(
    network: AbstractJumpModel,
    beta: Any,
    units: Any,
    n0: Any,
    ts: Any,
    *,
    coupling: Any = None,
    rtol: float = RTOL,
    atol: float = ATOL,
    max_steps: int = MAX_STEPS,
    solver: diffrax.AbstractSolver | None = None,
) -> "xarray.Dataset":
    """N units from the occupation numbers n0, by the master equation of their occupation numbers.

    Equation   dp/dt = L(t) p with beta(t), f(t) and, if `coupling` is given, u(t); work includes that of u(t)

    network    a `jt.JumpNetwork` or a `jt.PottsRing`
    beta       a number, (R,) numbers, one for each reservoir, a callable of t with either as value, or R schedules
    units      N
    n0         (q,) counts, None for all units in the first state
    ts         (times,), increasing
    coupling   a number or a callable of t in place of an interaction that is a number
    Units      per unit; k_B = 1; each variable's attrs carry its unit. Heat is counted from the reservoirs.
    Raises     ValueError that names the argument; for more states than memory holds, with the bytes it would take
    Source     Herpich & Esposito 2019, Eqs. (A6)-(A9), (B9)-(B14)

    Explicit steps (Tsit5 unless `solver` is given) are as short as the fastest hops: about t N V steps for a time t.
    `entropy_production` starts from a finite stand-in for infinity; `entropy_produced` is exact from the start, as it
    follows from entropy and heat.
    """
    graph = _checked(network, beta, rtol, atol)
    units = require_mesostates(graph.q, units, len(graph.edges))
    states = space(graph.q, units, graph.edges)
    start = int(rank(initial_counts(graph.q, units, n0)[:, None])[0])
    p0 = jnp.zeros(states.size).at[start].set(1.0)
    options: dict[str, Any] = {"rtol": rtol, "atol": atol, "max_steps": max_steps, "solver": solver}
    return _labelled(network, beta, coupling, units, Meso(states), p0, ts, options)


def microscopic_evolve(
    network: AbstractJumpModel,
    beta: Any,
    units: Any,
    n0: Any,
    ts: Any,
    *,
    coupling: Any = None,
    rtol: float = RTOL,
    atol: float = ATOL,
    max_steps: int = MAX_STEPS,
    solver: diffrax.AbstractSolver | None = None,
) -> "xarray.Dataset":
    """As `mesoscopic_evolve`, over the q^N states of all units, from one of those with the counts n0.

    Units 1..n0_1 start in the first state, the next n0_2 in the second, and so on. Energy, heat and work are those of
    `mesoscopic_evolve`, entropies are not: until units have mixed, their order tells more than their counts.
    The network must be a ring.
    Raises     ValueError as there, for another graph, and for q^N > 100 000
    Source     Herpich & Esposito 2019, Eqs. (A1)-(A5), (B1)-(B8), (B15)
    """
    graph = _checked(network, beta, rtol, atol)
    require_ring_edges(graph)
    units = require_microstates(graph.q, units)
    each, counts, links = microscopic(graph.q, units)
    digits = np.repeat(np.arange(graph.q), initial_counts(graph.q, units, n0))
    start = int(digits @ graph.q ** np.arange(units))
    p0 = jnp.zeros(counts.shape[1]).at[start].set(1.0)
    level = Micro(jnp.asarray(each), jnp.asarray(counts), links)
    options: dict[str, Any] = {"rtol": rtol, "atol": atol, "max_steps": max_steps, "solver": solver}
    return _labelled(network, beta, coupling, units, level, p0, ts, options)


def _checked(model: AbstractJumpModel, beta: Any, rtol: float, atol: float) -> JumpNetwork:
    network, _ = checked(model, beta)
    require_double_for(rtol, atol)
    return network


def _labelled(
    model: AbstractJumpModel,
    beta: Any,
    coupling: Any,
    units: int,
    level: Any,
    p0: Array,
    ts: Any,
    options: dict[str, Any],
) -> "xarray.Dataset":
    ts = require_times("ts", ts)
    beta = require_schedules(model, beta, coupling, ts[0], ts[-1])
    network = as_network(model)
    done = _compiled(network, beta, coupling, level, p0, ts, **options)
    betas, forces = (jax.vmap(lambda t, f=f: f(t))(ts) for f in (lambda t: value_at(beta, t), network.forces_at))
    variables = thermodynamic_variables(done.flow, "time") | {
        "beta": (("time", "reservoir")[: betas.ndim], betas, "1/energy", "inverse temperature"),
        "force": (("time", "edge")[: forces.ndim], forces, "energy", "force"),
        "work": ("time", done.work, "energy", "work done on the units since the first time, per unit"),
        "heat": ("time", jnp.sum(done.heats, axis=1), "energy", "heat taken in since the first time, per unit"),
        "heats": (("time", "reservoir"), done.heats, "energy", "heat from each reservoir since then, per unit"),
        "entropy_produced": ("time", done.entropy_produced, "k_B", "entropy produced since the first time, per unit"),
        "norm": ("time", done.norm, "1", "sum of all probabilities"),
    }
    coords = state_coords(network.q) | {"time": ("time", ts, "time", "time")}
    attrs = {"status": STATUS[int(done.status)], "steps": int(done.steps), "states": level.counts.shape[1]}
    return finite_dataset(variables, coords, model, beta, units, **attrs)
