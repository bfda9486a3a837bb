"""The stationary distribution over occupation numbers, and other equations with the same generator."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._status import Status, first_problem, status_if
from jaxthermo.jumps.elimination import stationary_for
from jaxthermo.jumps.finite.generator import Hops, mesoscopic_hops
from jaxthermo.jumps.finite.hops import NetworkAtTime
from jaxthermo.jumps.finite.misplaced import flows_between, misplaced
from jaxthermo.jumps.finite.multigrid import cycle, stencil
from jaxthermo.jumps.finite.space import Space
from jaxthermo.jumps.finite.states import rank_table
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.krylov import gmres
from jaxthermo.solve.lean import brief_jit, lean_jit

# Of the residual in the 2-norm, relative to that of what leaves each state.
TOLERANCE, GUESS_TOLERANCE = 1e-13, 1e-4
LIMIT, GUESS_LIMIT = 300, 30
# Largest share of the traffic between states that may be out of balance in a state called stationary.
CONVERGED = 1e-9
# Largest `misplaced` of a stationary state; the probability in wrong wells was up to 7 times as much (28 units).
MISPLACED = 1e-7


class Distribution(eqx.Module):
    """Probabilities that sum to 1, the share of the traffic that is left out of balance, and what is in wrong wells.

    Equation   residual = sum |dp/dt| / sum (rate out of n) p(n); misplaced as in `misplaced`
    """

    p: Float[Array, " states"]
    residual: Float[Array, ""]
    iterations: Int[Array, ""]
    misplaced: Float[Array, ""]

    @property
    def status(self) -> Int[Array, ""]:
        """Whether this is the stationary state."""
        return first_problem(
            status_if(~(self.residual < CONVERGED), Status.not_converged),
            status_if(~(self.misplaced < MISPLACED), Status.below_rounding_errors),
        )


def normalised(
    p: Float[Array, " states"], hops: Hops, iterations: Int[Array, ""], misplaced: Array | float = 0.0
) -> Distribution:
    """A solution scaled to the sum 1, with its residual."""
    p = p / jnp.sum(p)
    residual = jnp.sum(jnp.abs(hops.apply(p))) / jnp.sum(hops.outflow() * p)
    return Distribution(p, residual, iterations, jnp.asarray(misplaced, p.dtype))


def stationary_distribution(now: NetworkAtTime, space: Space) -> Distribution:
    """0 = dp/dt over occupation numbers, found for half as many units first; held constant under differentiation.

    On a ring with flat energies the generator commutes with rotations, and so does its one stationary state. There the
    search keeps to symmetric vectors, which leaves out hops between wells, exponentially rare in the localised phase.
    The occupation numbers of two states are a chain, whose distribution is known, and few states are eliminated one by
    one, without a subtraction: both know every probability to its own rounding error. Elsewhere hops between wells may
    be lost in the rounding errors of all others; `misplaced` says how much probability that may have moved.
    """
    now = stop_gradient(now)
    if is_direct(space):
        return direct(now, space)
    return _solve(now, space, _guess(now, space), TOLERANCE, LIMIT)


def is_direct(space: Space) -> bool:
    """Whether the distribution is found without a search."""
    return space.q == 2 or space.coarse is None


def direct(now: NetworkAtTime, space: Space) -> Distribution:
    """The same without a search, differentiable in forward mode."""
    return _along_chain(now, space) if space.q == 2 else _eliminate(now, space)


def _guess(now: NetworkAtTime, space: Space) -> Array:
    """p_N(n) = p_{N/2}(n/2)^2 to leading order, since ln p is extensive."""
    coarse = space.coarse
    assert coarse is not None
    if coarse.coarse is None:
        half = _eliminate(now, coarse)
    else:
        half = _solve(now, coarse, _guess(now, coarse), GUESS_TOLERANCE, GUESS_LIMIT)
    return _doubled(half.p, space)


@brief_jit
def _doubled(half: Array, space: Space) -> Array:
    coarse = space.coarse
    assert coarse is not None
    least = 1e-140 * jnp.max(half)
    log_half = jnp.log(jnp.maximum(half, least))
    doubled = sum(log_half[near] for near in _halves(space))
    return jnp.exp(doubled - jnp.max(doubled)) / jnp.sum(jnp.exp(doubled - jnp.max(doubled)))


def _halves(space: Space) -> tuple[Array, Array]:
    """Two states of half as many units on either side of n/2: odd counts are rounded up and down in turn."""
    coarse = space.coarse
    assert coarse is not None
    odd = space.counts % 2
    # With an odd number of units one odd count more is rounded down than up.
    turn = jnp.cumsum(odd, axis=0) - odd
    up = odd * (turn % 2)
    down = odd * (1 - turn % 2) if space.units % 2 == 0 else up
    return _ranked(space.counts // 2 + up, coarse), _ranked(space.counts // 2 + down, coarse)


def _ranked(counts: Array, coarse: Space) -> Array:
    table = jnp.asarray(rank_table(coarse.q, coarse.units), jnp.int32)
    sums = jnp.cumsum(counts[:-1], axis=0)
    return functools.reduce(jnp.add, [row[one] for row, one in zip(table, sums, strict=True)])


@lean_jit
def _solve(now: NetworkAtTime, space: Space, guess: Array, tol: float, limit: int) -> Distribution:
    hops = mesoscopic_hops(now, space)

    def symmetric(x: Array) -> Array:
        return symmetric_part(now, space, x)

    guess = symmetric(guess)
    inverse = stencil(hops, space, guess)
    size = jnp.linalg.norm(hops.outflow() * guess)
    found = gmres(hops.apply, lambda r: symmetric(cycle(inverse, r)), -hops.apply(guess), tol * size, limit)
    p = jnp.maximum(guess + found.x, 0.0)
    off = misplaced(p / jnp.sum(p), hops, space)
    if may_rotate(now, space):
        # Rotations have put as much into each well.
        off = jnp.where(_is_flat(now), 0.0, off)
    return normalised(p, hops, found.iterations, off)


@lean_jit
def _eliminate(now: NetworkAtTime, space: Space) -> Distribution:
    """For few states: by the elimination of Grassmann, Taksar and Heyman, which knows small probabilities too."""
    hops = mesoscopic_hops(now, space)
    one = jnp.ones(space.size, hops.forward.dtype)
    p = stationary_for(flows_between(jnp.arange(space.size), space.size, hops, one))
    return normalised(p, hops, jnp.zeros((), jnp.int32))


@brief_jit
def _along_chain(now: NetworkAtTime, space: Space) -> Distribution:
    """On a chain no probability flows between neighbours.

    Equation   p(n + 1)/p(n) = (rate of n -> n + 1)/(rate of n + 1 -> n), n units in the first state

    Logarithms are summed from the likeliest state outwards, so that rounding errors grow with the distance from it.
    """
    hops = mesoscopic_hops(now, space)
    up = down = jnp.zeros(space.units)
    for (first, _), forward, backward in zip(space.edges, hops.forward, hops.backward, strict=True):
        # Forward hops are filed under the state that they leave, and so are those that take them back.
        up, down = (up + backward[1:], down + forward[1:]) if first == 0 else (up + forward[:-1], down + backward[:-1])
    rise = jnp.log(up) - jnp.log(down)
    bond = jnp.arange(space.units)
    top = jnp.argmax(jnp.concatenate([jnp.zeros(1), jnp.cumsum(rise)]))
    above = jnp.cumsum(jnp.where(bond >= top, rise, 0.0))
    below = jnp.cumsum(jnp.where(bond < top, rise, 0.0)[::-1])[::-1]
    log_p = jnp.concatenate([jnp.zeros(1), above]) - jnp.concatenate([below, jnp.zeros(1)])
    return normalised(jnp.exp(log_p - jnp.max(log_p)), hops, jnp.zeros((), jnp.int32))


def may_rotate(now: NetworkAtTime, space: Space) -> bool:
    """Whether the network is a ring that rotations leave alone if its energies are flat."""
    network = now.network
    alike = now.force.ndim == 0 and network.prefactor_at(0.0).ndim == 0 and network.reservoir_count == 1
    interaction = network.interaction
    within_states = interaction is None or (not callable(interaction) and interaction.ndim == 0)
    return space.rotation is not None and alike and within_states


def symmetric_part(now: NetworkAtTime, space: Space, x: Array) -> Array:
    """The mean over all rotations on a ring with flat energies; x itself elsewhere."""
    if not may_rotate(now, space):
        return x
    return jax.lax.cond(_is_flat(now), functools.partial(rotated_mean, space), lambda x: x, x)


def _is_flat(now: NetworkAtTime) -> Bool[Array, ""]:
    return jnp.ptp(now.network.constant_energies) == 0


def rotated_mean(space: Space, x: Array) -> Array:
    """The mean over all rotations of the ring."""
    assert space.rotation is not None
    total = turned = x
    for _ in range(space.q - 1):
        turned = turned[space.rotation]
        total = total + turned
    return total / space.q
