"""The stationary state of N units on both levels, as labelled datasets and as a differentiable function."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxthermo.checks import require_double_for
from jaxthermo.jumps.finite.distribution import CONVERGED, LIMIT, STATUS, Distribution, stationary_distribution
from jaxthermo.jumps.finite.generator import Hops, mesoscopic_hops, microscopic_hops
from jaxthermo.jumps.finite.hops import Moment, moment
from jaxthermo.jumps.finite.labels import finite_dataset, state_coords, thermodynamic_variables
from jaxthermo.jumps.finite.multigrid import cycle, stencil
from jaxthermo.jumps.finite.observables import FiniteThermodynamics, observe
from jaxthermo.jumps.finite.space import Space, microscopic, require_ring_edges, space
from jaxthermo.jumps.finite.states import log_multiplicity, require_mesostates, require_microstates
from jaxthermo.jumps.network import AbstractJumpModel, as_network, require_constant
from jaxthermo.solve.both_modes import from_jacobians
from jaxthermo.solve.krylov import gmres
from jaxthermo.solve.lean import lean_jit

if TYPE_CHECKING:
    import xarray

# The tolerance of the linear solves needs double precision.
RTOL = 1e-12


def mesoscopic_stationary(network: AbstractJumpModel, beta: Any, units: Any) -> "xarray.Dataset":
    """The stationary state of N units, from the master equation of their occupation numbers.

    Equation   0 = dp(N_1..N_q)/dt, rates N_i V+-(dE) along the edge i -> j, dE = E(n - 1_i + 1_j) - E(n) with
               E = sum eps_i N_i + N phi(N_i/N); for the ring's coupling u, eps_j - eps_i + (u/N)(N_j - N_i + 1)

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta       a number, or (R,) numbers, one for each reservoir
    units      N
    Shapes     scalars, but for `occupation`, (q,), `heat_currents`, (R,), and `covariance` of the shares N_i/N, (q, q)
    Units      per unit and per unit time; k_B = 1. Heat is counted from the reservoirs into the units.
    Raises     ValueError for impossible parameters, for more states than memory holds, without double precision
    Source     Herpich & Esposito 2019, Eqs. (A6)-(A9), (B9)-(B16)

    `entropy` includes the Boltzmann entropy ln(N!/prod N_i!) of the occupation numbers. `attrs["residual"]` is the
    share of the traffic between states that is out of balance; above 1e-9 `attrs["status"]` is "not converged".
    """
    states, beta = _prepared(network, beta, units)
    now = moment(network, beta)
    found = stationary_distribution(now, states)
    return _dataset(_observed(found.p, now, states), found, network, beta, states.units, states.size)


def mesoscopic_thermodynamics(network: AbstractJumpModel, beta: Any, units: Any) -> FiniteThermodynamics:
    """`mesoscopic_stationary` as a function of arrays, to be differentiated in beta and all numbers of the network.

    Equation   L dp = -dL p with sum dp = 0, one linear solve for each parameter, in both modes
    Raises     as `mesoscopic_stationary`
    """
    states, beta = _prepared(network, beta, units)
    # Only the model's own numbers: a ring has fewer than its network.
    dynamic, static = eqx.partition((network, beta), eqx.is_array)
    values, restore = ravel_pytree(dynamic)
    return _observed_parameters(states, lambda values: eqx.combine(restore(values), static), values)


def _prepared(model: AbstractJumpModel, beta: Any, units: Any) -> tuple[Space, Array]:
    network, betas = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    units = require_mesostates(network.q, units, len(network.edges))
    return space(network.q, units, network.edges), betas


def _observed_parameters(states: Space, restore: Any, values: Array) -> FiniteThermodynamics:
    p = _stationary(states, restore, values)
    return _observed(p, moment(*restore(values)), states)


def _stationary(states: Space, restore: Any, values: Array) -> Float[Array, " states"]:
    """The stationary distribution as a function of the parameters, with derivatives of every order in both modes."""

    @jax.custom_jvp
    def solved(values: Array) -> Array:
        return stationary_distribution(moment(*restore(values)), states).p

    @solved.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (values,), (d_values,) = primals, tangents
        p = solved(values)
        rows = from_jacobians(lambda values, p: _responses(states, restore, values, p))(values, p)
        return p, d_values @ rows

    return solved(values)


def _responses(states: Space, restore: Any, values: Array, p: Array) -> Float[Array, "parameters states"]:
    """dp/d(parameter) for every parameter; where that is differentiated again, p follows the parameters."""

    @jax.custom_jvp
    def at(values: Array, p: Array) -> Array:
        return p

    @at.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        here = at(*primals)
        return here, tangents[0] @ _rows(states, restore, primals[0], here)

    return _rows(states, restore, values, at(values, p))


def _rows(states: Space, restore: Any, values: Array, p: Array) -> Float[Array, "parameters states"]:
    """The linear solves of `mesoscopic_thermodynamics`, one for each parameter."""

    def flow(values: Array, p: Array) -> Array:
        return mesoscopic_hops(moment(*restore(values)), states).apply(p)

    @jax.custom_jvp
    def solution(values: Array, p: Array, drive: Array) -> Array:
        hops = mesoscopic_hops(moment(*restore(values)), states)
        inverse = stencil(hops, states, p)
        # A parameter that only scales all rates moves nothing, and then the drive is rounding error: not to be solved.
        least = 10.0 * jnp.finfo(p.dtype).eps * jnp.linalg.norm(hops.outflow() * p)
        size = jnp.maximum(RTOL * jnp.linalg.norm(drive), least)
        return gmres(hops.apply, lambda r: cycle(inverse, r), drive, size, LIMIT).x

    @solution.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        values, p, _ = primals
        x = solution(*primals)
        _, turned = jax.jvp(lambda values: flow(values, x), (values,), (tangents[0],))
        return x, solution(values, p, tangents[2] - turned)

    def one(direction: Array) -> Array:
        x = solution(values, p, -jax.jvp(lambda values: flow(values, p), (values,), (direction,))[1])
        return x - jnp.sum(x) * p

    return jax.lax.map(one, jnp.eye(values.size, dtype=values.dtype))


def microscopic_stationary(network: AbstractJumpModel, beta: Any, units: Any) -> "xarray.Dataset":
    """The stationary state of N units, each followed by itself: q^N states, for validation.

    Equation   0 = dp(alpha)/dt over alpha = (state of unit 1, .., state of unit N), Eqs. (A3), (A4)
    Arguments and shapes as `mesoscopic_stationary`; the network must be a ring.
    Units      per unit and per unit time; k_B = 1
    Raises     ValueError for impossible parameters, another graph, q^N > 100 000, without double precision
    Source     Herpich & Esposito 2019, Eqs. (A1)-(A5), (B1)-(B8)

    Nothing is assumed of the symmetry between units.
    """
    model = network
    network, beta = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    require_ring_edges(network)
    units = require_microstates(network.q, units)
    each, counts, links = microscopic(network.q, units)
    now = moment(network, beta)
    hops = microscopic_hops(now, jnp.asarray(each), jnp.asarray(counts), links)
    found = _relaxed(hops)
    flow = observe(found.p, now, hops, jnp.asarray(counts), jnp.zeros(counts.shape[1]))
    return _dataset(flow, found, model, beta, units, counts.shape[1])


@lean_jit
def _relaxed(hops: Hops) -> Distribution:
    """GMRES from the uniform distribution, with nothing but the diagonal as preconditioner."""
    outflow = hops.outflow()
    uniform = jnp.full_like(outflow, 1.0 / outflow.size)
    size = RTOL * jnp.linalg.norm(outflow * uniform)
    found = gmres(hops.apply, lambda r: -r / outflow, -hops.apply(uniform), size, 20 * LIMIT)
    p = uniform + found.x
    p = p / jnp.sum(p)
    residual = jnp.sum(jnp.abs(hops.apply(p))) / jnp.sum(outflow * p)
    return Distribution(p, residual, found.iterations)


@lean_jit
def _observed(p: Array, now: Moment, states: Space) -> FiniteThermodynamics:
    return observe(p, now, mesoscopic_hops(now, states), states.counts, log_multiplicity(states.counts))


def _dataset(
    flow: FiniteThermodynamics, found: Distribution, model: AbstractJumpModel, beta: Any, units: int, states: int
) -> "xarray.Dataset":
    return finite_dataset(
        thermodynamic_variables(flow),
        state_coords(as_network(model).q),
        model,
        beta,
        units,
        status=STATUS[0 if float(found.residual) < CONVERGED else 1],
        residual=float(found.residual),
        iterations=int(found.iterations),
        states=states,
    )
