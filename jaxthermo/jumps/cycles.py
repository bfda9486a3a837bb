"""Limit cycles of a network, with their Floquet multipliers."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Complex, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status
from jaxthermo.checks import require_double_for
from jaxthermo.jumps.coordinates import averages, complete, field, observe
from jaxthermo.jumps.mean_field import Betas, Thermodynamics
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork, as_network, require_constant
from jaxthermo.jumps.occupation import initial_occupation, localised, near_uniform
from jaxthermo.solve.attractor import LIMIT_CYCLE, Attractor, search
from jaxthermo.solve.collocation import follow_loop, loop_average, sample_loop
from jaxthermo.solve.constant import frozen
from jaxthermo.solve.cycle import RTOL
from jaxthermo.solve.lean import is_traced, lean_jit
from jaxthermo.solve.loop_path import Traveller, departing, settle

# A symmetric cycle of a ring passes q like episodes.
INTERVALS_PER_STATE = 32
SEARCH_ROUNDS = 20


class LimitCycle(AbstractResult):
    """One limit cycle; see `limit_cycle`. Everything is NaN where `status` is not ok."""

    status: Int[Array, "*batch"]
    stats: dict[str, Any]
    network: JumpNetwork
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

    @property
    def heat_current(self) -> Float[Array, "*batch"]:
        """Mean heat current from all reservoirs together."""
        return jnp.sum(self.heat_currents, axis=-1)


def limit_cycle(
    network: AbstractJumpModel, beta: Betas, start: ArrayLike | Sequence[float] | None = None
) -> LimitCycle:
    """A stable limit cycle of the mean field, with averages over it.

    Equation   P(t + T) = P(t); averages (1/T) int_0^T dt; multipliers: eigenvalues of dP(T)/dP(0), the trivial one, 1,
               first and the others by falling modulus

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces; of a ring that is close to where its period
               diverges `jt.potts.limit_cycle` finds the cycle too
    beta       a number, or (R,) numbers, one for each reservoir
    start      where the search starts, (q,); None: P_1 = 1 - small, then near the uniform state
    Units      per unit and per unit time; k_B = 1. Heat is counted from the reservoirs into the units.
    Raises     ValueError for impossible parameters, two states, or without double precision
    Source     Radau collocation: Ascher, Mattheij & Russell, Numerical Solution of Boundary Value Problems (1988)

    `Status.no_cycle_found` where no search ends on a cycle. Derivatives in beta and the network's numbers are those of
    the cycle (both modes), except for `multipliers`, `point` and `stable`, which have none.
    """
    network, betas = require_constant(network, beta)
    require_double_for(RTOL, RTOL)
    if network.q < 3:
        raise ValueError("`network` must have q >= 3 states to cycle, but has q = 2")
    starts = (
        [localised(network.q), near_uniform(network.q)] if start is None else [initial_occupation(network.q, start)]
    )
    held, warmth = frozen((network, betas))
    found = search_from(held, warmth, starts[0])
    if len(starts) > 1:
        if is_traced((held, warmth)):
            found = jax.lax.cond(found.code == LIMIT_CYCLE, lambda: found, lambda: search_from(held, warmth, starts[1]))
        elif found.code != LIMIT_CYCLE:
            found = search_from(held, warmth, starts[1])
    result = _described(network, betas, *settled(held, warmth, found))
    warn_unless_ok(result)
    return result


@lean_jit
def _described(network: JumpNetwork, betas: Array, arrived: Traveller, is_cycle: Array) -> LimitCycle:
    good = is_cycle & arrived.alive
    period, mean, occupation, multipliers = measured(network, betas, arrived)
    missing = jnp.full((), jnp.nan, period.dtype)

    def known(value: Array) -> Array:
        return jnp.where(good, value, missing.astype(value.dtype))

    trouble = jnp.where(is_cycle, int(Status.not_converged), int(Status.no_cycle_found))
    return LimitCycle(
        status=jnp.where(good, int(Status.ok), trouble).astype(jnp.int32),
        stats={},
        network=network,
        beta=betas,
        period=known(period),
        occupation=known(occupation),
        point=known(complete(frozen(arrived.loop).base())),
        energy=known(mean.energy),
        entropy=known(mean.entropy),
        work_current=known(mean.work_current),
        heat_currents=known(mean.heat_currents),
        entropy_production_rate=known(mean.entropy_production_rate),
        multipliers=known(multipliers),
        stable=good & jnp.all(jnp.abs(multipliers[1:]) < 1.0),
        residual=known(frozen(arrived.residual)),
    )


def search_from(model: AbstractJumpModel, beta: Float[Array, "*betas"], start: Float[Array, " q"]) -> Attractor:
    """The attractor reached from one start, by a search that gives up early."""
    found, _ = search(field, observe, start[:-1], (model, beta), jnp.asarray(SEARCH_ROUNDS, jnp.int32))
    return found


@lean_jit
def settled(
    model: AbstractJumpModel, beta: Float[Array, "*betas"], found: Attractor
) -> tuple[Traveller, Bool[Array, ""]]:
    """The cycle that was found, closed on a mesh, and whether one was found at all."""
    return settle(field, departing_from(model, beta, found), (model, beta)), found.code == LIMIT_CYCLE


def departing_from(model: AbstractJumpModel, beta: Float[Array, "*betas"], found: Attractor) -> Traveller:
    """The mesh of a cycle; of something short and harmless where none was found."""
    q = as_network(model).q
    is_cycle = found.code == LIMIT_CYCLE
    base = jnp.where(is_cycle, found.point, localised(q)[:-1])
    period = jnp.where(is_cycle, found.period, 1e-6)
    loop = sample_loop(field, base, period, (model, beta), INTERVALS_PER_STATE * q)
    return departing(loop, beta if beta.ndim == 0 else beta[0], is_cycle)


def measured(
    model: AbstractJumpModel, beta: Float[Array, "*betas"], found: Traveller
) -> tuple[Float[Array, ""], Thermodynamics, Float[Array, " q"], Complex[Array, " n"]]:
    """Period, averages and mean occupation of a closed loop, differentiable in model and beta; then its multipliers."""
    followed, return_map = follow_loop(field, frozen(found.loop), (model, beta))
    mean, occupation = averages(loop_average(observe, followed, (model, beta)), as_network(model).reservoir_count)
    return_map = frozen(return_map)
    multipliers = _trivial_first(jnp.linalg.eigvals(jnp.where(jnp.isfinite(return_map), return_map, 0.0)))
    return jnp.exp(followed.log_period), mean, occupation, multipliers


def _trivial_first(multipliers: Array) -> Array:
    """The multiplier nearest 1 first, the others by falling modulus."""
    trivial = jnp.argmin(jnp.abs(multipliers - 1.0))
    rank = jnp.where(jnp.arange(multipliers.shape[0]) == trivial, -jnp.inf, -jnp.abs(multipliers))
    return multipliers[jnp.argsort(rank)]
