"""The stationary state of N units on both levels, differentiable in all numbers of the network."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree

from jaxthermo._results import quantity, warn_unless_ok
from jaxthermo._types import IntLike, Stats
from jaxthermo.checks import is_known, require_double_for
from jaxthermo.jumps.arguments import require_constant
from jaxthermo.jumps.finite.distribution import (
    LIMIT,
    Distribution,
    direct,
    is_direct,
    normalised,
    stationary_distribution,
)
from jaxthermo.jumps.finite.generator import Hops
from jaxthermo.jumps.finite.hops import NetworkAtTime, network_at
from jaxthermo.jumps.finite.levels import (
    RTOL,
    AbstractLevel,
    FiniteThermodynamics,
    Mesoscopic,
    Microscopic,
    microscopic_level,
    units_at_rest,
)
from jaxthermo.jumps.finite.misplaced import between_cells, coarsest_cells
from jaxthermo.jumps.finite.multigrid import cycle, stencil
from jaxthermo.jumps.finite.space import Space, space
from jaxthermo.jumps.finite.states import rank
from jaxthermo.jumps.mean_field import AbstractFlowResult, Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.solve.derivatives import from_jacobians, stop_gradient
from jaxthermo.solve.krylov import gmres
from jaxthermo.solve.lean import brief_jit

# The master equation of the parameters, in one row, and an approximate inverse of it about a distribution.
Equation = Callable[[Array], Hops]
Inverse = Callable[[Hops, Array], Callable[[Array], Array]]


class FiniteStationary(AbstractFlowResult):
    """The stationary state of N units; made by `mesoscopic_stationary` and `microscopic_stationary`."""

    status: Int[Array, "*batch"]
    stats: Stats
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    units: int = eqx.field(static=True)
    occupation: Float[Array, "*batch q"] = quantity("1", "mean share N_i/N of the units", ("state",), main=True)
    covariance: Float[Array, "*batch q q"] = quantity(
        "1", "covariance of the shares N_i/N and N_j/N", ("state", "other_state")
    )
    energy: Float[Array, "*batch"] = quantity("energy", "mean energy per unit")
    entropy: Float[Array, "*batch"] = quantity("k_B", "entropy per unit")
    work_current: Float[Array, "*batch"] = quantity("energy/time", "mean work of the forces per unit and time")
    heat_currents: Float[Array, "*batch reservoirs"] = quantity(
        "energy/time", "mean heat current from each reservoir per unit", ("reservoir",), main=True
    )
    entropy_production_rate: Float[Array, "*batch"] = quantity("k_B/time", "mean rate of entropy production per unit")
    residual: Float[Array, "*batch"] = quantity("1", "share of the traffic between states that is out of balance")


def mesoscopic_stationary(network: AbstractJumpModel, beta: Betas, units: IntLike) -> FiniteStationary:
    """The stationary state of N units, from the master equation of their occupation numbers.

    Equation   0 = dp(N_1..N_q)/dt, rates N_i V+-(dE) along the edge i -> j, dE = E(n - 1_i + 1_j) - E(n) with
               E = sum eps_i N_i + N phi(N_i/N); for the ring's coupling u, eps_j - eps_i + (u/N)(N_j - N_i + 1)

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta       a number, or (R,) numbers, one for each reservoir
    units      N
    Units      per unit and per unit time; k_B = 1. Heat is counted from the reservoirs into the units.
    Returns    a `FiniteStationary`: `occupation` and `covariance` of the shares N_i/N, `work_current`,
               `heat_currents`, `entropy` and more
    Raises     ValueError for impossible parameters, for more states than memory holds, without double precision
    Accuracy   up to 400 states each probability to its own rounding error; beyond, `residual` below 1e-9, else
               `Status.not_converged`, and probabilities of wells, and along slow edges, to 1e-6, else
               `Status.below_rounding_errors`. Work and heats keep their digits beside edges that are far faster
    Source     Herpich & Esposito 2019, Eqs. (A6)-(A9), (B9)-(B16)

    `entropy` includes the Boltzmann entropy ln(N!/prod N_i!) of the occupation numbers. Derivatives in beta and all
    numbers of the network (both modes, any order) take one linear solve for each: L dp = -dL p with sum dp = 0.

    Example
        >>> import jaxthermo as jt
        >>> pair = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 2.0], -0.6, [0.0, 0.8], [0, 1])
        >>> steady = jt.jumps.mesoscopic_stationary(pair, [0.5, 2.0], units=10)
        >>> [round(float(heat), 5) for heat in steady.heat_currents]  # from the hot and from the cold reservoir
        [0.76749, -0.51584]
    """
    _, betas, states = units_at_rest(network, beta, units)
    level = Mesoscopic(states)
    return _result(network, betas, level, *solve_stationary(network, betas, level))


def solve_stationary(
    model: AbstractJumpModel, betas: Array, level: Mesoscopic
) -> tuple[NetworkAtTime, Float[Array, " states"], Distribution]:
    """A network's numbers, its stationary distribution with derivatives in them, and how that was found."""
    states = level.states
    found = stationary_distribution(network_at(model.network, betas), states)
    if is_direct(states):
        return *_differentiated(model, betas, found.p, states), found
    now, p = _followed(model, betas, found.p, level.hops, lambda hops, p: _multigrid(hops, states, p))
    return now, p, found


def microscopic_stationary(network: AbstractJumpModel, beta: Betas, units: IntLike) -> FiniteStationary:
    """The stationary state of N units, each followed by itself: q^N states, for validation.

    Equation   0 = dp(alpha)/dt over alpha = (state of unit 1, .., state of unit N), Eqs. (A3), (A4)

    network    a `jt.PottsRing`, or a `jt.JumpNetwork` with the edges of one
    beta, units
               as `mesoscopic_stationary`
    Units      per unit and per unit time; k_B = 1
    Raises     ValueError for impossible parameters, another graph, q^N > 100 000, without double precision
    Accuracy   `residual` below 1e-9, else `Status.not_converged`, and probabilities of wells to 1e-6, else
               `Status.below_rounding_errors`
    Source     Herpich & Esposito 2019, Eqs. (A1)-(A5), (B1)-(B8)

    Nothing is assumed of the symmetry between units. Derivatives as there.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.potts.microscopic_stationary(ring, 3.5, units=3).work_current), 6)
        0.394498
    """
    graph, betas = require_constant(network, beta)
    require_double_for(RTOL, RTOL)
    level = microscopic_level(graph, units)
    found = _relaxed(level.hops(stop_gradient(network_at(graph, betas))), *_cells(level))
    now, p = _followed(network, betas, found.p, level.hops, lambda hops, p: _diagonal(hops))
    return _result(network, betas, level, now, p, found)


def _result(
    model: AbstractJumpModel,
    betas: Array,
    level: AbstractLevel,
    now: NetworkAtTime,
    p: Array,
    found: Distribution,
) -> FiniteStationary:
    result = FiniteStationary(
        status=found.status,
        stats={"iterations": found.iterations, "states": p.shape[0]},
        network=model,
        beta=betas,
        units=level.units,
        **vars(_observed(p, now, level)),
        residual=found.residual,
    )
    warn_unless_ok(result)
    return result


@brief_jit
def _observed(p: Array, now: NetworkAtTime, level: AbstractLevel) -> FiniteThermodynamics:
    return level.observe_at_rest(p, now)


def _multigrid(hops: Hops, states: Space, p: Array) -> Callable[[Array], Array]:
    cells = stencil(hops, states, p)
    return lambda r: cycle(cells, r)


def _diagonal(hops: Hops) -> Callable[[Array], Array]:
    outflow = hops.outflow()
    return lambda r: -r / outflow


def _cells(level: Microscopic) -> tuple[Int[Array, " states"], int]:
    """For each state the cell of its occupation numbers, and how many cells there are."""
    counts = np.asarray(level.counts)
    with jax.ensure_compile_time_eval():
        cell, cells = coarsest_cells(space(counts.shape[0], level.units))
        return cell[jnp.asarray(rank(counts))], cells


@brief_jit
def _relaxed(hops: Hops, cell: Int[Array, " states"], cells: int) -> Distribution:
    """GMRES from the uniform distribution, with nothing but the diagonal as preconditioner."""
    outflow = hops.outflow()
    uniform = jnp.full_like(outflow, 1.0 / outflow.size)
    size = RTOL * jnp.linalg.norm(outflow * uniform)
    found = gmres(hops.apply, _diagonal(hops), -hops.apply(uniform), size, 20 * LIMIT)
    p = jnp.maximum(uniform + found.x, 0.0)
    return normalised(p, hops, found.iterations, between_cells(p / jnp.sum(p), hops, cell, cells))


def _numbers(model: AbstractJumpModel, betas: Array) -> tuple[Array, Callable[[Array], NetworkAtTime]]:
    """The model's own numbers in a row, of which a ring has fewer than its network, and the network that they make."""
    dynamic, static = eqx.partition((model, betas), eqx.is_array)
    values, restore = ravel_pytree(dynamic)
    return values, lambda values: network_at(*eqx.combine(restore(values), static))


def _differentiated(
    model: AbstractJumpModel, betas: Array, p: Array, states: Space
) -> tuple[NetworkAtTime, Float[Array, " states"]]:
    """`_followed` by the derivatives of what finds the distribution without a search; they keep its digits."""
    if is_known((model, betas)):
        return network_at(model, betas), p
    values, at = _numbers(model, betas)
    return at(values), from_jacobians(lambda values, _: direct(at(values), states).p)(values, None)


def _followed(
    model: AbstractJumpModel, betas: Array, p: Array, equation: Callable[[NetworkAtTime], Hops], inverse: Inverse
) -> tuple[NetworkAtTime, Float[Array, " states"]]:
    """The network's parameters, and its stationary distribution with derivatives in them."""
    if is_known((model, betas)):
        return network_at(model, betas), p
    values, at = _numbers(model, betas)

    def hops(values: Array) -> Hops:
        return equation(at(values))

    @jax.custom_jvp
    def followed(values: Array, p: Array) -> Array:
        return p

    @followed.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
        rows = from_jacobians(lambda values, p: _responses(hops, inverse, values, p))(*primals)
        return followed(*primals), tangents[0] @ rows

    return at(values), followed(values, jax.lax.stop_gradient(p))


def _responses(hops: Equation, inverse: Inverse, values: Array, p: Array) -> Float[Array, "parameters states"]:
    """dp/d(parameter) for every parameter; where that is differentiated again, p follows the parameters."""

    @jax.custom_jvp
    def at(values: Array, p: Array) -> Array:
        return p

    @at.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
        here = at(*primals)
        return here, tangents[0] @ _rows(hops, inverse, primals[0], here)

    return _rows(hops, inverse, values, at(values, p))


def _rows(hops: Equation, inverse: Inverse, values: Array, p: Array) -> Float[Array, "parameters states"]:
    """One linear solve for each parameter, L dp = -dL p."""

    @jax.custom_jvp
    def solution(values: Array, p: Array, drive: Array) -> Array:
        here = hops(values)
        # A parameter that only scales all rates moves nothing, and then the drive is rounding error: not to be solved.
        least = 10.0 * jnp.finfo(p.dtype).eps * jnp.linalg.norm(here.outflow() * p)
        size = jnp.maximum(RTOL * jnp.linalg.norm(drive), least)
        return gmres(here.apply, inverse(here, p), drive, size, LIMIT).x

    @solution.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
        values, p, _ = primals
        x = solution(*primals)
        _, change = jax.jvp(lambda values: hops(values).apply(x), (values,), (tangents[0],))
        return x, solution(values, p, tangents[2] - change)

    def one(direction: Array) -> Array:
        x = solution(values, p, -jax.jvp(lambda values: hops(values).apply(p), (values,), (direction,))[1])
        return x - jnp.sum(x) * p

    return jax.lax.map(one, jnp.eye(values.size, dtype=values.dtype))
