"""Limit cycles of a network, with their Floquet multipliers."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Complex, Float, Int

from jaxthermo._results import quantity, warn_unless_ok
from jaxthermo._status import Status
from jaxthermo._types import IntLike, ScalarLike
from jaxthermo.checks import require_double_for
from jaxthermo.jumps.arguments import require_constant
from jaxthermo.jumps.mean_field import AbstractFlowResult, Betas, Thermodynamics
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.occupation import averages, complete, field, initial_occupation, localised, near_uniform, observe
from jaxthermo.solve.attractor import LIMIT_CYCLE, Attractor, search
from jaxthermo.solve.blank import blank_of
from jaxthermo.solve.collocation import implicit_loop, loop_average, sample_loop
from jaxthermo.solve.cycle import RTOL
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.lean import brief_jit, is_traced
from jaxthermo.solve.loop_path import ContinuedLoop, begin, settle

# A symmetric cycle of a ring passes q like episodes.
INTERVALS_PER_STATE = 32
SEARCH_ROUNDS = 20


class LimitCycle(AbstractFlowResult):
    """One limit cycle; see `limit_cycle`. Everything is NaN where `status` is not ok."""

    status: Int[Array, "*batch"]
    stats: dict[str, Array]
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    period: Float[Array, "*batch"] = quantity("time", "period", main=True)
    occupation: Float[Array, "*batch q"] = quantity("1", "mean occupation P_i", ("state",))
    point: Float[Array, "*batch q"] = quantity("1", "a point on the cycle", ("state",))
    energy: Float[Array, "*batch"] = quantity("energy", "mean energy per unit")
    entropy: Float[Array, "*batch"] = quantity("k_B", "mean entropy per unit")
    work_current: Float[Array, "*batch"] = quantity("energy/time", "mean work of the forces per unit time")
    heat_currents: Float[Array, "*batch reservoirs"] = quantity(
        "energy/time", "mean heat current from each reservoir", ("reservoir",), main=True
    )
    entropy_production_rate: Float[Array, "*batch"] = quantity("k_B/time", "mean rate of entropy production")
    multipliers: Complex[Array, "*batch n"] = quantity("1", "Floquet multipliers, the trivial one first", ("mode",))
    stable: Bool[Array, "*batch"] = quantity("1", "whether every perturbation decays")
    residual: Float[Array, "*batch"] = quantity("1", "largest error of the collocation equations, in occupations")


def limit_cycle(
    network: AbstractJumpModel, beta: Betas, p0: ArrayLike | Sequence[ScalarLike] | None = None
) -> LimitCycle:
    """A stable limit cycle of the mean field, with averages over it.

    Equation   P(t + T) = P(t); averages (1/T) int_0^T dt; multipliers: eigenvalues of dP(T)/dP(0), the trivial one, 1,
               first and the others by falling modulus

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces; of a ring that is close to where its period
               diverges `jt.potts.limit_cycle` finds the cycle too
    beta       a number, or (R,) numbers, one for each reservoir
    p0         where the search starts, (q,); None: P_1 = 1 - small, then near the uniform state
    Units      per unit and per unit time; k_B = 1. Heat is counted from the reservoirs into the units.
    Returns    a `LimitCycle`: `period`, the orbit, averages over it, and `multipliers`
    Raises     ValueError for impossible parameters, two states, or without double precision
    Accuracy   1e-6 in point and work current, usually 1e-9
    Source     Radau collocation: Ascher, Mattheij & Russell, Numerical Solution of Boundary Value Problems (1988)

    `Status.no_cycle_found` where no search ends on a cycle. Derivatives in beta and the network's numbers are those of
    the cycle (both modes), except for `multipliers`, `point` and `stable`, which have none.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.jumps.limit_cycle(ring, 4.0).period), 6)
        14.047105
    """
    model = network
    network, betas = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    if network.q < 3:
        raise ValueError("`network` must have q >= 3 states to cycle, but has q = 2")
    starts = usual_starts(network.q) if p0 is None else initial_occupation(network.q, p0)[None]
    held, warmth = stop_gradient((network, betas))
    found, _ = first_cycle(held, jnp.stack([warmth] * len(starts)), starts, len(starts))
    result = described(model, betas, *settled(held, warmth, found))
    warn_unless_ok(result)
    return result


def usual_starts(q: int) -> Float[Array, "tries q"]:
    """Where cycles are looked for: from one full state, then from near the uniform state."""
    return jnp.stack([localised(q), near_uniform(q)])


def first_cycle(
    network: JumpNetwork, betas: Float[Array, "tries *betas"], starts: Float[Array, "tries q"], count: IntLike
) -> tuple[Attractor, Int[Array, ""]]:
    """What the first of `count` searches that ends on a cycle has found, else the last of them, and its number."""
    if is_traced((network, betas, starts, count)):
        return _first_cycle(network, betas, starts, jnp.asarray(count))
    for tried in range(int(count)):
        found = search_from(network, betas[tried], starts[tried])
        if found.kind == LIMIT_CYCLE:
            break
    return found, jnp.asarray(tried)


# Compiled here, so that neither repeated calls nor derivatives, whose search is the same, compile it again.
@brief_jit
def _first_cycle(network: JumpNetwork, betas: Array, starts: Array, count: Array) -> tuple[Attractor, Array]:
    def goes_on(carry: tuple[Attractor, Array]) -> Array:
        found, tried = carry
        return (found.kind != LIMIT_CYCLE) & (tried < count)

    def try_next(carry: tuple[Attractor, Array]) -> tuple[Attractor, Array]:
        _, tried = carry
        return search_from(network, betas[tried], starts[tried]), tried + 1

    blank = blank_of(search_from, network, betas[0], starts[0])
    found, tried = jax.lax.while_loop(goes_on, try_next, (blank, jnp.zeros((), jnp.int32)))
    return found, jnp.maximum(tried - 1, 0)


@brief_jit
def described(
    model: AbstractJumpModel, betas: Float[Array, "*betas"], arrived: ContinuedLoop, is_cycle: Bool[Array, ""]
) -> LimitCycle:
    """Averages and multipliers of a closed loop, differentiable in the model and betas."""
    good = is_cycle & arrived.alive
    period, mean, occupation, multipliers = measured(model.network, betas, arrived)
    missing = jnp.full((), jnp.nan, period.dtype)

    def known(value: Array) -> Array:
        return jnp.where(good, value, missing.astype(value.dtype))

    trouble = jnp.where(is_cycle, int(Status.not_converged), int(Status.no_cycle_found))
    return LimitCycle(
        status=jnp.where(good, int(Status.ok), trouble).astype(jnp.int32),
        stats={},
        network=model,
        beta=betas,
        period=known(period),
        occupation=known(occupation),
        point=known(complete(stop_gradient(arrived.loop).base())),
        **{name: known(value) for name, value in vars(mean).items()},
        multipliers=known(multipliers),
        stable=good & jnp.all(jnp.abs(multipliers[1:]) < 1.0),
        residual=known(stop_gradient(arrived.residual)),
    )


def search_from(network: JumpNetwork, beta: Float[Array, "*betas"], start: Float[Array, " q"]) -> Attractor:
    """The attractor reached from one start, by a search that gives up early."""
    found, _ = search(field, observe, start[:-1], (network, beta), jnp.asarray(SEARCH_ROUNDS, jnp.int32))
    return found


@brief_jit
def settled(
    network: JumpNetwork, beta: Float[Array, "*betas"], found: Attractor
) -> tuple[ContinuedLoop, Bool[Array, ""]]:
    """The cycle that was found, closed on a mesh, and whether one was found at all."""
    return settle(field, begin_from(network, beta, found), (network, beta)), found.kind == LIMIT_CYCLE


def begin_from(network: JumpNetwork, beta: Float[Array, "*betas"], found: Attractor) -> ContinuedLoop:
    """The mesh of a cycle; of something short and harmless where none was found."""
    is_cycle = found.kind == LIMIT_CYCLE
    base = jnp.where(is_cycle, found.point, localised(network.q)[:-1])
    period = jnp.where(is_cycle, found.period, 1e-6)
    loop = sample_loop(field, base, period, (network, beta), INTERVALS_PER_STATE * network.q)
    return begin(loop, beta if beta.ndim == 0 else beta[0], is_cycle)


def measured(
    network: JumpNetwork, beta: Float[Array, "*betas"], found: ContinuedLoop
) -> tuple[Float[Array, ""], Thermodynamics, Float[Array, " q"], Complex[Array, " n"]]:
    """Period, averages and mean occupation of a closed loop, differentiable in network and beta; its multipliers."""
    followed, return_map = implicit_loop(field, stop_gradient(found.loop), (network, beta))
    mean, occupation = averages(loop_average(observe, followed, (network, beta)), network.reservoir_count)
    return_map = stop_gradient(return_map)
    multipliers = _trivial_first(jnp.linalg.eigvals(jnp.where(jnp.isfinite(return_map), return_map, 0.0)))
    return jnp.exp(followed.log_period), mean, occupation, multipliers


def _trivial_first(multipliers: Array) -> Array:
    """The multiplier nearest 1 first, the others by falling modulus."""
    trivial = jnp.argmin(jnp.abs(multipliers - 1.0))
    rank = jnp.where(jnp.arange(multipliers.shape[0]) == trivial, -jnp.inf, -jnp.abs(multipliers))
    return multipliers[jnp.argsort(rank)]
