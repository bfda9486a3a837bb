"""How far protocols of a search may go, and the quasi-static potential over all that they may reach."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import ArrayLike
from jaxthermo.brownian.accuracy.promise import SOLVED
from jaxthermo.brownian.equilibria.quasistatic import QuasiStatic, partition_of, quasi_static
from jaxthermo.brownian.hierarchy import HierarchyState, equation_on
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.checks import as_float, is_known, postpone, require_finite, require_positive
from jaxthermo.search.protocol_cost import Problem
from jaxthermo.solve.lean import lean_jit

# How far a protocol may take beta (as a factor) and x (in units of 1/(beta sigma_X)) from where it starts.
BETA_FACTOR, FIELD_REACH = 4.0, 6.0
# A quantum oscillator's potential is tabulated over this range, so it is narrower.
QUANTUM_BETA_FACTOR, QUANTUM_FIELD_REACH = 1.6, 1.0


def beta_factor(oscillator: Oscillator) -> float:
    """The largest factor by which protocols may change beta."""
    return QUANTUM_BETA_FACTOR if oscillator.quantum else BETA_FACTOR


def field_reach(oscillator: Oscillator, beta: Float[Array, ""], x: Float[Array, ""]) -> Float[Array, ""]:
    """How far protocols may take x, by the variance of X in the quasi-static state at (beta, x)."""
    variance = partition_of(oscillator).means(beta, x)[2]
    return (QUANTUM_FIELD_REACH if oscillator.quantum else FIELD_REACH) / (beta * jnp.sqrt(variance))


def potential_around(oscillator: Oscillator, betas: ArrayLike, fields: ArrayLike) -> QuasiStatic:
    """Xi_qst for all that protocols of `minimum_work` may reach from these beta and x, as a function to be called.

    oscillator   with a grid
    betas        inverse temperatures where searches start; 1/energy
    fields       fields where they start; energy per unit of X. The shapes of the two are broadcast; of a range the
                 extremes are enough: betas (2, 1) and fields (2,)
    Returns      a function of (beta, x), differentiable in both modes, for `minimum_work(..., potential=)`
    Raises       ValueError that names the argument; for a quantum oscillator, where JAX traces the values
    """
    betas, fields = as_float(betas), as_float(fields)
    require_positive("betas", betas)
    require_finite("fields", fields)
    if not oscillator.quantum:
        return _classical(oscillator)
    return quasi_static(oscillator, *_range(oscillator, betas, fields))


@lean_jit
def _classical(oscillator: Oscillator) -> QuasiStatic:
    """A partition function, which holds at every beta and x."""
    return QuasiStatic(partition_of(oscillator), None)


@lean_jit
def _range(oscillator: Oscillator, betas: Array, fields: Array) -> tuple[Array, Array]:
    """The largest beta, and the least and the largest x, that protocols may reach."""
    betas, fields = (a.ravel() for a in jnp.broadcast_arrays(betas, fields))
    reach = jnp.max(jax.vmap(lambda beta, x: field_reach(oscillator, beta, x))(betas, fields))
    return beta_factor(oscillator) * jnp.max(betas), jnp.stack([jnp.min(fields) - reach, jnp.max(fields) + reach])


def require_covered(problem: Problem) -> None:
    """Refuse a table that protocols may leave, where it would be extrapolated. What JAX traces, the status judges."""
    inside = _covered(problem)
    if not is_known(inside):
        postpone(lambda: inside)
    elif not bool(inside):
        raise ValueError("`potential` must be made for this beta and x, by jt.search.potential_around")


def _covered(problem: Problem) -> Bool[Array, ""] | bool:
    table = problem.potential.table
    if table is None:
        return True
    low, high = table.field_range
    slack = 1e-9 * (1.0 + problem.field_reach)
    inside = (problem.x - problem.field_reach >= low - slack) & (problem.x + problem.field_reach <= high + slack)
    return inside & (problem.beta * problem.beta_factor <= table.beta_max * (1.0 + 1e-9))


def potential_status(problem: Problem) -> Int[Array, ""]:
    """Whether a quantum potential holds where protocols go, and its equilibria are solved as well as states are."""
    table = problem.potential.table
    if table is None:
        return first_problem()
    return first_problem(
        status_if(~jnp.asarray(_covered(problem)), Status.invalid_input),
        status_if(~(table.error < SOLVED), Status.not_converged),
    )


def problem_of(
    oscillator: Oscillator,
    potential: QuasiStatic,
    V: HierarchyState,
    beta: Float[Array, ""],
    x: Float[Array, ""],
    horizon: Float[Array, ""],
    order: int,
    jumps: bool,
) -> Problem:
    """The search from one state of an oscillator that has a grid."""
    return Problem(
        potential=potential,
        V=V,
        equation=equation_on(oscillator, oscillator.grid),
        beta=beta,
        x=x,
        beta_factor=jnp.asarray(beta_factor(oscillator)),
        field_reach=field_reach(oscillator, beta, x),
        horizon=horizon,
        order=order,
        jumps=jumps,
    )
