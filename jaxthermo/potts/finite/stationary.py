"""The stationary state of N units on both levels, as labelled datasets and as a differentiable function."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxthermo.checks import require_double_for
from jaxthermo.potts.finite.distribution import CONVERGED, LIMIT, STATUS, Distribution, stationary_distribution
from jaxthermo.potts.finite.generator import Hops, mesoscopic_hops, microscopic_hops
from jaxthermo.potts.finite.hops import Moment, moment
from jaxthermo.potts.finite.labels import finite_dataset, state_coords, thermodynamic_variables
from jaxthermo.potts.finite.multigrid import cycle, stencil
from jaxthermo.potts.finite.observables import FiniteThermodynamics, observe
from jaxthermo.potts.finite.space import Space, microscopic, space
from jaxthermo.potts.finite.states import log_multiplicity, require_mesostates, require_microstates
from jaxthermo.potts.ring import PottsRing, require_autonomous
from jaxthermo.solve.constant import frozen
from jaxthermo.solve.krylov import gmres
from jaxthermo.solve.lean import lean_jit

if TYPE_CHECKING:
    import xarray

# The tolerance of the linear solves needs double precision.
RTOL = 1e-12


def mesoscopic_stationary(ring: PottsRing, beta: Any, units: Any) -> "xarray.Dataset":
    """The stationary state of N units, from the master equation of their occupation numbers.

    Equation   0 = dp(N_1..N_q)/dt, rates N_i V+-(dE), dE = eps_{i+1} - eps_i + (u/N)(N_{i+1} - N_i + 1)
    Shapes     scalars, but for `occupation`, (q,), and `covariance` of the shares N_i/N, (q, q)
    Units      per unit of the ring and per unit time; k_B = 1. Heat is counted into the ring.
    Raises     ValueError for impossible parameters, for more states than memory holds, without double precision
    Source     Herpich & Esposito 2019, Eqs. (A6)-(A9), (B9)-(B16)

    `entropy` includes the Boltzmann entropy ln(N!/prod N_i!) of the occupation numbers. `attrs["residual"]` is the
    share of the traffic between states that is out of balance; above 1e-9 `attrs["status"]` is "not converged".
    """
    beta = require_autonomous(ring, beta)
    require_double_for(RTOL, RTOL)
    units = require_mesostates(ring.q, units)
    states = space(ring.q, units)
    found = stationary_distribution(moment(ring, beta), states)
    flow = _observed(found.p, moment(ring, beta), states)
    return _dataset(flow, found, ring, beta, units, states.size)


def mesoscopic_thermodynamics(ring: PottsRing, beta: Any, units: Any) -> FiniteThermodynamics:
    """`mesoscopic_stationary` as a function of arrays, to be differentiated in beta and all parameters of the ring.

    Equation   L dp = -dL p with sum dp = 0, one linear solve for each parameter, in both modes
    Raises     as `mesoscopic_stationary`
    """
    beta = require_autonomous(ring, beta)
    require_double_for(RTOL, RTOL)
    units = require_mesostates(ring.q, units)
    states = space(ring.q, units)
    values, restore = ravel_pytree((ring, beta))
    return _observed_parameters(states, restore, values)


def _observed_parameters(states: Space, restore: Any, values: Array) -> FiniteThermodynamics:
    def observed(values: Array, p: Array) -> FiniteThermodynamics:
        return _observed(p, moment(*restore(values)), states)

    @jax.custom_jvp
    def solved(values: Array) -> Array:
        return stationary_distribution(moment(*restore(values)), states).p

    @solved.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (values,), (d_values,) = primals, tangents
        p = solved(values)
        rows = _responses(states, restore, frozen(values), frozen(p))
        return p, d_values @ rows

    return observed(values, solved(values))


def _responses(states: Space, restore: Any, values: Array, p: Array) -> Float[Array, "parameters states"]:
    """dp/d(parameter) for every parameter."""
    hops = mesoscopic_hops(moment(*restore(values)), states)
    inverse = stencil(hops, states, p)

    def one(direction: Array) -> Array:
        def flow(values: Array) -> Array:
            return mesoscopic_hops(moment(*restore(values)), states).apply(p)

        drive = -jax.jvp(flow, (values,), (direction,))[1]
        found = gmres(hops.apply, lambda r: cycle(inverse, r), drive, RTOL * jnp.linalg.norm(drive), LIMIT)
        return found.x - jnp.sum(found.x) * p

    return jax.lax.map(one, jnp.eye(values.size, dtype=values.dtype))


def microscopic_stationary(ring: PottsRing, beta: Any, units: Any) -> "xarray.Dataset":
    """The stationary state of N units, each followed by itself: q^N states, for validation.

    Equation   0 = dp(alpha)/dt over alpha = (state of unit 1, .., state of unit N), Eqs. (A3), (A4)
    Shapes     as `mesoscopic_stationary`
    Units      per unit of the ring and per unit time; k_B = 1
    Raises     ValueError for impossible parameters, for q^N > 100 000, without double precision
    Source     Herpich & Esposito 2019, Eqs. (A1)-(A5), (B1)-(B8)

    Nothing is assumed of the symmetry between units.
    """
    beta = require_autonomous(ring, beta)
    require_double_for(RTOL, RTOL)
    units = require_microstates(ring.q, units)
    each, counts, links = microscopic(ring.q, units)
    now = moment(ring, beta)
    hops = microscopic_hops(now, jnp.asarray(each), jnp.asarray(counts), links)
    found = _relaxed(hops)
    flow = observe(found.p, now, hops, jnp.asarray(counts), jnp.zeros(counts.shape[1]))
    return _dataset(flow, found, ring, beta, units, counts.shape[1])


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
    flow: FiniteThermodynamics, found: Distribution, ring: PottsRing, beta: Any, units: int, states: int
) -> "xarray.Dataset":
    return finite_dataset(
        thermodynamic_variables(flow),
        state_coords(ring.q),
        ring,
        beta,
        units,
        status=STATUS[0 if float(found.residual) < CONVERGED else 1],
        residual=float(found.residual),
        iterations=int(found.iterations),
        states=states,
    )
