"""Housekeeping and excess entropy production along a run, of the mean field and of N units."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import Real, Stats
from jaxthermo.jumps.cycles import LimitCycle
from jaxthermo.jumps.driven import POINTS, PeriodicState
from jaxthermo.jumps.evolution import Evolution, evolve
from jaxthermo.jumps.finite.driving import DrivenNetwork
from jaxthermo.jumps.finite.levels import Mesoscopic
from jaxthermo.jumps.finite.master import ATOL, MAX_STEPS, RTOL, FiniteEvolution, solve_master_equation
from jaxthermo.jumps.finite.space import DIRECT, space
from jaxthermo.jumps.mean_field import Betas, edge_rates
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.splitting import Split, Steps, split
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.lean import lean_jit

# Largest difference of the two parts from their sum, relative to it.
CLOSED = 1e-7


class Housekeeping(AbstractResult):
    """Entropy production in two parts, in two ways, per unit and time; made by `housekeeping`."""

    status: Int[Array, "*batch"]
    stats: Stats
    network: AbstractJumpModel
    betas: Betas
    time: Float[Array, "*batch time"] = quantity("time", "time", ("time",), coordinate=True)
    entropy_production_rate: Float[Array, "*batch time"] = quantity("k_B/time", "rate of entropy production", ("time",))
    housekeeping: Float[Array, "*batch time"] = quantity(
        "k_B/time", "what currents round cycles dissipate", ("time",), main=True
    )
    excess: Float[Array, "*batch time"] = quantity("k_B/time", "least that the change costs", ("time",), main=True)
    adiabatic: Float[Array, "*batch time"] = quantity("k_B/time", "entropy production of the state at rest", ("time",))
    nonadiabatic: Float[Array, "*batch time"] = quantity(
        "k_B/time", "entropy production of being away from rest", ("time",)
    )
    residual: Float[Array, "*batch time"] = quantity(
        "1", "housekeeping and excess less their sum, relative to it", ("time",)
    )


@functools.singledispatch
def housekeeping(result: AbstractResult) -> Housekeeping:
    """The entropy production along a run: what keeps it out of equilibrium, and what its changes cost.

    Equation   total = housekeeping + excess = adiabatic + nonadiabatic, each >= 0. Currents J_e along the edges have
               the forces F_e = ln(forward flow/backward flow) and the conductances c_e = J_e/F_e;
               excess = min sum c_e F'_e^2 over all forces F' that change the occupations as the F_e do: those of a
               potential; it is 0 at rest, and all there is without forces and between equal temperatures;
               nonadiabatic = -sum dP_i/dt ln(P_i/pi_i), where pi is at rest under the rates of the moment

    result     of `jt.jumps.evolve`, `periodic_state`, `limit_cycle` or `mesoscopic_evolve`
    Units      per unit and per unit time; k_B = 1
    Returns    `Housekeeping`, at the times of the result; of a limit cycle at 101 times of one turn
    Raises     TypeError for other results; ValueError for a batch, which is for jax.vmap, and for more than 400
               occupation numbers
    Accuracy   that of the run; `Status.not_converged` where housekeeping and excess, which are computed apart, miss
               their sum by more than 1e-7 of it
    Source     housekeeping and excess: Maes & Netocny, J. Stat. Phys. 154, 188 (2014), for any network Yoshimura,
               Kolchinsky, Dechant & Ito, Phys. Rev. Research 5, 013017 (2023); adiabatic and nonadiabatic: Esposito &
               Van den Broeck, PRL 104, 090601 (2010)

    In the mean field pi belongs to one unit among others that stand still: of a fixed point it is P itself, but on a
    limit cycle it moves with P. Of N units it is their stationary state. The integral of a rate over a period is its
    mean over all times but the last, times the period. Derivatives are those of the run; of a limit cycle there are
    none. N units that start from known counts produce entropy without bound at first; that time does not count for the
    status.

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> run = jt.jumps.evolve(ring, 2.0, [0.8, 0.1, 0.1], [0.0, 100.0])
        >>> parts = jt.jumps.housekeeping(run)
        >>> bool(parts.excess[0] > 0.01), bool(parts.excess[-1] < 1e-9)
        (True, True)
    """
    raise TypeError(
        "`result` must be one of evolve, periodic_state, limit_cycle or mesoscopic_evolve, but is "
        f"{type(result).__name__}"
    )


@housekeeping.register(Evolution)
@housekeeping.register(PeriodicState)
def _(result: Evolution | PeriodicState) -> Housekeeping:
    return _of_run(result.network, result.betas, _single(result.time), result.occupation, result.status)


@housekeeping.register
def _(result: LimitCycle) -> Housekeeping:
    if result.period.ndim:
        raise ValueError("`result` must be one cycle; use jax.vmap for several")
    # Where there is no cycle, a short run that nobody looks at.
    period = jnp.where(result.ok, result.period, 1.0)
    point = jnp.where(result.ok, result.point, 1.0 / result.network.network.q)
    turn = evolve(result.network, result.beta, point, period * jnp.linspace(0.0, 1.0, POINTS + 1))
    status = first_problem(result.status, turn.status)
    parts = _of_run(result.network, result.beta, turn.time, turn.occupation, status)
    return without_derivatives(parts, "housekeeping of a limit cycle")


@housekeeping.register
def _(result: FiniteEvolution) -> Housekeeping:
    if result.level != "mesoscopic":
        raise ValueError("`result` must be of mesoscopic_evolve, not of single units")
    times, network = _single(result.time), result.network.network
    states = space(network.q, result.units, network.edges)
    if states.size > DIRECT:
        raise ValueError(f"`result` must have at most {DIRECT} occupation numbers, but has {states.size}")
    counts = jnp.rint(result.occupation[0] * result.units).astype(states.counts.dtype)
    start = jnp.all(states.counts == counts[:, None], axis=0).astype(float)
    driven, options = DrivenNetwork(network, result.betas, result.coupling), (RTOL, ATOL, MAX_STEPS, None)
    parts, status, _ = solve_master_equation(driven, Mesoscopic(states), start, times, options, _of_units)
    parts = jax.tree.map(lambda rate: rate / result.units, parts)
    parts = eqx.tree_at(lambda one: one.residual, parts, result.units * parts.residual)
    return _described(result.network, result.betas, times, parts, first_problem(result.status, status), 1)


def _of_units(t: Real, state: tuple[Array, Array], args: Any) -> Split:
    """The splitting for all units together, from the distribution over their occupation numbers."""
    p, _ = state
    driven, level = args
    hops = level.hops(driven.at(t))
    first = jnp.tile(jnp.arange(p.shape[0]), hops.forward.shape[0])
    return split(p, Steps(first, hops.links.target.ravel(), hops.forward.ravel(), hops.backward.ravel()))


def _single(time: Array) -> Array:
    if time.ndim != 1:
        raise ValueError("`result` must be one run; use jax.vmap for several")
    return time


def _of_run(
    model: AbstractJumpModel, betas: Betas, times: Array, occupation: Array, status: Int[Array, ""]
) -> Housekeeping:
    return _described(model, betas, times, _along(model.network, betas, times, occupation), status, 0)


@lean_jit
def _along(network: JumpNetwork, betas: Betas, times: Array, occupation: Array) -> Split:
    first, second = (jnp.asarray(ends, jnp.int32) for ends in zip(*network.edges, strict=True))

    def at(t: Array, P: Array) -> Split:
        forward, backward = (jnp.broadcast_to(one, first.shape) for one in edge_rates(t, P, network, betas)[:2])
        return split(P, Steps(first, second, forward, backward))

    return jax.vmap(at)(times, occupation)


def _described(
    model: AbstractJumpModel, betas: Betas, times: Array, parts: Split, status: Array, skipped: int
) -> Housekeeping:
    closed = jnp.all(parts.residual[skipped:] < CLOSED)
    result = Housekeeping(
        status=first_problem(status, status_if(~closed, Status.not_converged)),
        stats={},
        network=model,
        betas=betas,
        time=times,
        **vars(parts),
    )
    warn_unless_ok(result)
    return result
