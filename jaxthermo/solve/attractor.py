"""Where a trajectory of an autonomous field ends, differentiably: a fixed point, a limit cycle, or undecided.

Long runs are not averaged. Rounds of integration only choose the basin; after each round Newton's method looks for a
stable fixed point near the end of the trajectory, and, where the trajectory came back to itself, for a stable closed
orbit. Either is then known to rounding error, however slowly the trajectory creeps towards it.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo._status import Code
from jaxthermo._types import Real
from jaxthermo.solve.blank import blank_of
from jaxthermo.solve.cycle import (
    Observe,
    Orbit,
    close_orbit,
    go_round,
    log_contraction,
    no_orbit,
    orbit_sensitivity,
)
from jaxthermo.solve.derivatives import from_jacobians, stop_gradient
from jaxthermo.solve.fixed_point import AutonomousField, implicit_root, newton
from jaxthermo.solve.lean import brief_jit, is_traced
from jaxthermo.solve.linear import is_stable
from jaxthermo.solve.trajectory import HISTORY, Path, next_round, passages, recurrence, time_average


class AttractorKind(Code):
    """What a trajectory ends on."""

    undecided = 0
    fixed_point = 1
    limit_cycle = 2


UNDECIDED, FIXED_POINT, LIMIT_CYCLE = (int(kind) for kind in AttractorKind)

# The trajectory must have come this close to a fixed point, relative to where it started, to be counted as its own.
CLOSE = 0.02
# As close as this, relative to where it started, the trajectory belongs to a fixed point at a transition.
CREEPING = 0.2
# A closed orbit must pass this close to the trajectory, relative to the orbit's size.
NEARBY = 0.5
SMALLEST_ORBIT = 1e-5
# The last passages through the orbit's section must be this near its point, relative to the orbit's size, and nearer
# than those before, unless rounding holds them there. In a plane a stable orbit that is NEARBY has no competitor.
CONVERGING, SETTLED = 0.1, 1e-3
# This near a stable fixed point the linear dynamics decide, even where stiffness holds the trajectory still.
ARRIVED = 1e-4
MARGINAL = 1e-10

# What is observed at a fixed point near x, and the largest rate of change there.
AtRest = Callable[[Float[Array, " n"], PyTree], tuple[Float[Array, " m"], Float[Array, ""]]]


class Attractor(eqx.Module):
    """What the search found. `mean` is the time average of the observables; `period` is NaN unless a limit cycle."""

    kind: Int[Array, ""]
    point: Float[Array, " n"]
    period: Float[Array, ""]
    mean: Float[Array, " m"]
    residual: Float[Array, ""]
    rounds: Int[Array, ""]


def find_attractor(
    field: AutonomousField,
    observe: Observe,
    start: Float[Array, " n"],
    args: PyTree,
    max_rounds: Real,
    at_rest: AtRest | None = None,
) -> Attractor:
    """Follow the trajectory from `start` until its attractor is identified, at most `max_rounds` rounds.

    Shapes     start: (n,); field(x, args) -> (n,); observe(x, args) -> (m,)
    `residual` is max |field| at a fixed point, the gap of a closed orbit, and for an undecided lane the change of the
    running averages between its last two rounds. A lane that creeps towards a fixed point exactly at a transition is
    undecided too, and has the averages and the residual of that point. Derivatives in `args` work in both modes; those
    of an undecided lane are NaN, since its averages belong to no attractor. `at_rest(x, args)`, with derivatives in
    args, is for a field whose fixed points are better known in other coordinates.
    """
    held = stop_gradient(args)
    found, orbit = search(field, observe, jax.lax.stop_gradient(start), held, max_rounds)
    # Where it is known that there is no fixed point, there need not be a program for one.
    if at_rest is not None and (is_traced(found) or int(found.kind) == FIXED_POINT):
        found = _settled(at_rest, found, held)
    period, mean = _differentiable(field, observe, args, found, orbit, at_rest)
    return eqx.tree_at(lambda a: (a.period, a.mean), found, (period, mean))


# Compiled by themselves, so that all solves of one field share the search, whose derivatives need no other.
@brief_jit
def search(
    field: AutonomousField, observe: Observe, start: Float[Array, " n"], args: PyTree, max_rounds: Real
) -> tuple[Attractor, Orbit]:
    """What `find_attractor` finds, and the closed orbit if it is one, without derivatives."""
    nan = jnp.full((), jnp.nan, start.dtype)
    blank_mean = jnp.full_like(blank_of(observe, start, args), jnp.nan)
    blank = Attractor(jnp.array(UNDECIDED), start, nan, blank_mean, nan, jnp.zeros((), jnp.int32))
    history = Path(jnp.zeros(HISTORY, start.dtype), jnp.tile(start, (HISTORY, 1)))

    def cond(carry: tuple[Attractor, Orbit, Path, Array]) -> Array:
        found, _, _, hopeless = carry
        return (found.kind == UNDECIDED) & (found.rounds < max_rounds) & jnp.logical_not(hopeless)

    def body(carry: tuple[Attractor, Orbit, Path, Array]) -> tuple[Attractor, Orbit, Path, Array]:
        found, _, history, _ = carry
        path = next_round(field, history.end(), args)
        history = history.then(path)
        rates = jax.vmap(lambda x: field(x, args))(history.states)
        # The end of the history is this round.
        mean = time_average(observe, path, rates[-path.times.shape[0] :], args)

        root, root_residual, is_root, hopeless = _own_fixed_point(field, start, path, args)
        guess, guess_period, size, recurs = recurrence(history, rates)
        # Shooting costs as much as many rounds, so the n-th failed attempt waits for twice as long a history.
        due = jnp.bitwise_and(found.rounds, found.rounds + 1) == 0
        wanted = due & recurs & jnp.logical_not(is_root)
        orbit = close_orbit(field, guess, guess_period, args, wanted)
        is_orbit = _is_own_orbit(field, orbit, guess, size, history, args)

        kind = jnp.where(is_root, FIXED_POINT, jnp.where(is_orbit, LIMIT_CYCLE, UNDECIDED))
        drift = jnp.max(jnp.abs(mean - found.mean))
        at_root = is_root | (hopeless & jnp.logical_not(is_orbit))
        residual = jnp.where(at_root, root_residual, jnp.where(is_orbit, orbit.residual, drift))
        point = jnp.where(at_root, root, jnp.where(is_orbit, orbit.point, path.end()))
        period = jnp.where(is_orbit, orbit.period, nan)
        mean = jnp.where(at_root, observe(root, args), mean)
        return Attractor(kind, point, period, mean, residual, found.rounds + 1), orbit, history, hopeless

    found, orbit, _, _ = jax.lax.while_loop(cond, body, (blank, no_orbit(start), history, jnp.array(False)))
    is_cycle = found.kind == LIMIT_CYCLE
    # An idle lane goes round a blank orbit's short, harmless stretch.
    idle = eqx.tree_at(lambda o: (o.point, o.period), orbit, (found.point, jnp.full_like(orbit.period, 1e-9)))
    orbit = jax.tree.map(lambda a, b: jnp.where(is_cycle, a, b), orbit, idle)
    # Averages over several turns are those over one.
    orbit_mean, turns = go_round(field, observe, orbit, args)
    orbit = eqx.tree_at(lambda o: o.period, orbit, orbit.period / turns)
    mean = jnp.where(is_cycle, orbit_mean, found.mean)
    period = jnp.where(is_cycle, orbit.period, found.period)
    return eqx.tree_at(lambda a: (a.period, a.mean), found, (period, mean)), orbit


def _own_fixed_point(
    field: AutonomousField, start: Array, path: Path, args: PyTree
) -> tuple[Array, Array, Bool[Array, ""], Bool[Array, ""]]:
    """A stable fixed point that the trajectory is falling into: near its end, and nearer than it was before.

    The last value is true where the fixed point ahead is exactly at a transition: neither stable nor unstable. The
    trajectory then nears it with a power of time only, so that more rounds would not decide whether it is stable.
    """
    root, residual, converged, jacobian = newton(field, path.end(), args)
    distance = jnp.linalg.norm(path.states - root[None], axis=1)
    now = distance[-1]
    before = jnp.maximum(jnp.max(distance), jnp.linalg.norm(start - root))
    half_way = distance[-(distance.shape[0] // 4)]
    falling = now < half_way
    arrived = now <= ARRIVED
    margins = jnp.asarray([MARGINAL, -MARGINAL], now.dtype)
    stable, not_unstable = jax.vmap(lambda margin: is_stable(jacobian, margin))(margins)
    is_root = converged & stable & ((falling & (now <= CLOSE * before)) | arrived)
    hopeless = converged & not_unstable & jnp.logical_not(stable) & falling & (now <= CREEPING * before)
    return root, residual, is_root, hopeless


def _is_own_orbit(
    field: AutonomousField, orbit: Orbit, guess: Array, size: Array, history: Path, args: PyTree
) -> Bool[Array, ""]:
    """A stable closed orbit that moves, near the loop that led to it, which the trajectory is falling onto."""
    # Radius of the circle that the base point would run through at its speed; 0 where shooting fell on a fixed point.
    velocity = field(orbit.point, args)
    radius = jnp.linalg.norm(velocity) * orbit.period / (2.0 * jnp.pi)
    near = jnp.linalg.norm(orbit.point - guess) <= NEARBY * jnp.minimum(radius, size)
    stable = log_contraction(orbit, velocity) < -MARGINAL
    good = orbit.closed & (radius > SMALLEST_ORBIT) & near & stable
    if orbit.point.shape[0] == 2:
        return good
    # An orbit that was closed after several turns has too large a radius.
    scale = jnp.minimum(radius, 0.5 * size)
    now, before, often = passages(history, orbit.point, velocity, orbit.period, scale)
    # Of several passages in a period the nearest are looked at, so that there must be earlier ones to compare with.
    falling = ((now < before) & ((often == 1) | jnp.isfinite(before))) | (now < SETTLED * scale)
    return good & (now < CONVERGING * scale) & falling


@brief_jit
def _settled(at_rest: AtRest, found: Attractor, args: PyTree) -> Attractor:
    """With the averages and the residual of a fixed point as `at_rest` knows them."""
    mean, residual = at_rest(found.point, args)
    rests = found.kind == FIXED_POINT
    known = jnp.where(rests, mean, found.mean), jnp.where(rests, residual, found.residual)
    return eqx.tree_at(lambda a: (a.mean, a.residual), found, known)


def _differentiable(
    field: AutonomousField, observe: Observe, args: PyTree, found: Attractor, orbit: Orbit, at_rest: AtRest | None
) -> tuple[Float[Array, ""], Float[Array, " m"]]:
    """Period and averages of the attractor found, with derivatives in all numbers of args."""
    dynamic, static = eqx.partition(args, eqx.is_inexact_array)

    @jax.custom_jvp
    def averages(dynamic: PyTree, found: Attractor, orbit: Orbit) -> tuple[Array, Array]:
        return found.period, found.mean

    @averages.defjvp
    def averages_jvp(
        primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        dynamic, found, orbit = primals
        vector, unravel = ravel_pytree(dynamic)

        def slopes(vector: Array, known: tuple[Attractor, Orbit]) -> tuple[Array, Array]:
            return _sensitivity(field, observe, at_rest, eqx.combine(unravel(vector), static), *known)

        d_period, d_mean = from_jacobians(slopes)(vector, (found, orbit))
        moved, _ = ravel_pytree(tangents[0])
        return averages(*primals), (d_period @ moved, d_mean @ moved)

    return averages(dynamic, found, orbit)


@brief_jit
def _sensitivity(
    field: AutonomousField, observe: Observe, at_rest: AtRest | None, args: PyTree, found: Attractor, orbit: Orbit
) -> tuple[Float[Array, " p"], Float[Array, "m p"]]:
    """Derivatives of period and averages in all numbers of args, one after the other.

    Few parameters, many steps: a full forward-mode Jacobian, which is linear in the tangent and so transposes. Point
    and orbit follow args in it, so that it may be differentiated again.
    """
    dynamic, static = eqx.partition(args, eqx.is_inexact_array)
    vector, unravel = ravel_pytree(dynamic)

    def rebuild(parameters: Array) -> PyTree:
        return eqx.combine(unravel(parameters), static)

    def at_fixed_point(parameters: Array, point: Array) -> Array:
        args = rebuild(parameters)
        if at_rest is None:
            return observe(implicit_root(field, point, args), args)
        return at_rest(point, args)[0]

    # NaN times the parameters, so that it is NaN in every order.
    nan_period = jnp.asarray(jnp.nan, vector.dtype) * vector
    nan_mean = jnp.tile(nan_period, (*found.mean.shape, 1))
    return jax.lax.switch(
        found.kind,
        [
            lambda: (nan_period, nan_mean),
            lambda: (nan_period, jax.jacfwd(at_fixed_point)(vector, found.point)),
            lambda: orbit_sensitivity(field, observe, orbit, rebuild, vector),
        ],
    )
