"""Fixed points of the mean field with every occupation known to its own rounding error, however small it is.

Newton's method on dP/dt = 0 knows occupations to 1e-16. A state that is left a million million times faster than it is
reached holds less than that, and the current through it is then known badly or not at all. The elimination of states
of Grassmann, Taksar and Heyman subtracts nothing, so for given rates it knows all occupations to a few units of their
last digit. The rates follow from the occupations, and feel absolute errors only.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.jumps.mean_field import Betas, edge_rates, flows, vector_field
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.occupation import complete, field, observe_all
from jaxthermo.jumps.rest import edge_currents_at_rest
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.fixed_point import implicit_root
from jaxthermo.solve.lean import brief_jit


def at_rest(x: Float[Array, " n"], args: tuple[AbstractJumpModel, Betas]) -> tuple[Float[Array, " m"], Array]:
    """What `observe_all` sees at the fixed point near the coordinates x, and the largest |dP/dt| there.

    Derivatives in args are those of the fixed point. Where a rate is too small for a number the elimination fails, and
    the coordinates are taken as they are.
    """
    model, beta = args
    known = complete(implicit_root(field, x, args))
    exact = stationary_for(_rate_matrix(known, model.network, beta))
    residuals = [jnp.max(jnp.abs(vector_field(0.0, stop_gradient(P), *stop_gradient(args)))) for P in (known, exact)]
    # False where the elimination gave NaN.
    better = residuals[1] <= residuals[0]
    P = jnp.where(better, exact, known)
    work, heats = edge_currents_at_rest(flows(0.0, P, model.network, beta), model.network)
    seen = observe_all(P, args).at[1].set(work).at[2 : 2 + heats.size].set(heats)
    return seen, jnp.where(better, residuals[1], residuals[0])


@brief_jit
def alone_at_rest(network: JumpNetwork, beta: Betas) -> Float[Array, " q"]:
    """The stationary occupations of units that do not interact, whose rates are given."""
    return stationary_for(_rate_matrix(jnp.ones(network.q), network, beta))


def _rate_matrix(P: Float[Array, " q"], network: JumpNetwork, beta: Betas) -> Float[Array, "q q"]:
    """Rates from each state (row) to each other; the diagonal is 0."""
    forward, backward, _, _ = edge_rates(0.0, P, network, beta)
    first, second = np.array(network.edges).T
    return jnp.zeros((network.q, network.q), P.dtype).at[first, second].add(forward).at[second, first].add(backward)


def stationary_for(rates: Float[Array, "q q"]) -> Float[Array, " q"]:
    """The stationary distribution for fixed rates, each entry to its own rounding error.

    rates    from each state (row) to each other, >= 0, (q, q); the diagonal is not looked at
    Source   Grassmann, Taksar & Heyman, Oper. Res. 33, 1107 (1985); errors: O'Cinneide, Numer. Math. 65, 109 (1993)

    The last state is taken out of the chain: who hopped to it hops on, with the shares of its own hops. So on until one
    state is left; then the states come back, each with what reaches it over what leaves it.
    """
    q = rates.shape[0]
    states = jnp.arange(q)

    def taken_out(k: Array, rates: Array) -> Array:
        last = q - 1 - k
        kept = (states < last).astype(rates.dtype)
        onwards = rates[last] * kept
        shares = rates[:, last] * kept / jnp.sum(onwards)
        return (rates + shares[:, None] * onwards[None]).at[:, last].set(shares)

    reduced = jax.lax.fori_loop(0, q - 1, taken_out, rates)

    def come_back(state: Array, weights: Array) -> Array:
        reached = jnp.sum(jnp.where(states < state, weights * reduced[:, state], 0.0))
        return weights.at[state].set(reached)

    weights = jax.lax.fori_loop(1, q, come_back, (states == 0).astype(rates.dtype))
    return weights / jnp.sum(weights)
