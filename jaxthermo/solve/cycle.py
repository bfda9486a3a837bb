"""Limit cycles of an autonomous field by single shooting with an exact monodromy matrix."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from jaxthermo._types import Real
from jaxthermo.solve.blank import blank_of
from jaxthermo.solve.fixed_point import AutonomousField
from jaxthermo.solve.integrate import OK, VectorField
from jaxthermo.solve.linear import log_spectral_radius
from jaxthermo.solve.stepping import Stepper, sampling, solve_to

Observe = Callable[[Float[Array, " n"], Any], Float[Array, " m"]]

ITERATIONS = 8
RTOL = 1e-11
ATOL = 1e-13
MAX_STEPS = 2048
CLOSED = 1e-9
# Shots go on to this miss, or until they no longer gain what a Newton step does.
EXACT, STALLED = 1e-12, 0.3
# A single Newton step may change ln(period) by this much; larger steps leave the region where the guess means anything.
MAX_LOG_PERIOD_STEP = 0.3
# Newton steps may overshoot once; a miss that grows by more than this from shot to shot will not come back.
DIVERGING = 2.0
# Shooting may close an orbit after up to this many turns of it. A turn has ended where the orbit comes back to its
# start as nearly as this, relative to its size.
MOST_TURNS = 16
TURNS = np.arange(MOST_TURNS, 1.0, -1.0)
RETURNED = 1e-4
# First step of a shot, as a share of the period.
FIRST_STEP = 1e-3


class Orbit(eqx.Module):
    """A closed orbit: a point on it, its period, and what shooting learned about it."""

    point: Float[Array, " n"]
    period: Float[Array, ""]
    residual: Float[Array, ""]  # max |flow(point, period) - point|
    monodromy: Float[Array, "n n"]
    closed: Bool[Array, ""]


Dynamics = Callable[[Float[Array, " n"], Float[Array, " w"]], Float[Array, " n"]]


class Shot(eqx.Module):
    """Where one solve over s = 0..1 ended, and how that moves with each of k tangents."""

    end: Float[Array, " n"]
    d_end: Float[Array, "n k"]
    ok: Bool[Array, ""]


def shoot(
    dynamics: Dynamics,
    point: Float[Array, " n"],
    constants: Float[Array, " w"],
    d_point: Float[Array, "k n"],
    d_constants: Float[Array, "k w"],
) -> Shot:
    """Solve dx/ds = dynamics(x, constants) over s = 0..1, carrying tangents by the variational equations.

    Writing these out keeps the tangents under the same error control as the orbit, and traces in a fraction of the time
    of differentiating the solver.
    """

    def rate(s: Real, state: tuple[Array, Array], constant: tuple[Array, Array]) -> tuple[Array, Array]:
        (x, dx), (constants, d_constants) = state, constant
        value, along = jax.linearize(dynamics, x, constants)
        return value, jax.vmap(along)(dx, d_constants)

    (end, d_end), status = flow_to_one(rate, (point, d_point), (constants, d_constants))
    return Shot(end, d_end.T, status == OK)


def flow_to_one(rate: VectorField, state: PyTree, constant: PyTree, max_steps: int = MAX_STEPS) -> tuple[PyTree, Array]:
    """The state at s = 1 of d state/ds = rate(s, state, constant), and the status; after `max_steps` where it stopped.

    It has derivatives of every order in state and constant, in forward mode: those of the variational equations,
    solved beside the state under the same error control, NaN where these did not come to the end.
    """

    @jax.custom_jvp
    def arrive(state: PyTree, constant: PyTree) -> tuple[PyTree, Array]:
        stepper = Stepper(rate, constant, diffrax.Dopri8(), RTOL, ATOL)
        one = jnp.ones((), jax.tree.leaves(state)[0].dtype)
        end, _, status = solve_to(stepper, state, one, max_steps, dt0=FIRST_STEP)
        return end, status

    @arrive.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
        def both(s: Real, pair: PyTree, constants: PyTree) -> PyTree:
            constant, moved = constants
            return jax.jvp(lambda y, c: rate(s, y, c), (pair[0], constant), (pair[1], moved))

        # Steps beside a tangent depend on it, so the values come from steps of their own.
        end, status = arrive(*primals)
        pair, constants = (primals[0], tangents[0]), (primals[1], tangents[1])
        (_, d_end), d_status = flow_to_one(both, pair, constants, max_steps)
        d_end = jax.tree.map(lambda leaf: jnp.where(d_status == OK, leaf, jnp.nan), d_end)
        return (end, status), (d_end, np.zeros(status.shape, jax.dtypes.float0))

    return arrive(state, constant)


def no_orbit(point: Float[Array, " n"]) -> Orbit:
    """The blank result, in the shapes of a found one."""
    one = jnp.ones((), point.dtype)
    return Orbit(point, one, jnp.inf * one, jnp.eye(point.shape[0], dtype=point.dtype), jnp.array(False))


def close_orbit(
    field: AutonomousField,
    guess: Float[Array, " n"],
    period: Float[Array, ""],
    args: PyTree,
    wanted: bool | Bool[Array, ""] = True,
) -> Orbit:
    """Newton shooting for flow(x, T) = x with the phase fixed by (x - guess) . field(guess) = 0.

    A lane that is not `wanted` does no work and returns an orbit that is not closed.
    """
    n = guess.shape[0]
    normal = field(guess, args)
    normal = normal / jnp.linalg.norm(normal)
    d_point, d_constants = jnp.eye(n, dtype=guess.dtype), jnp.zeros((n, 1), guess.dtype)

    def cond(carry: tuple[Orbit, Array, Array]) -> Array:
        orbit, count, alive = carry
        return alive & jnp.logical_not(orbit.closed) & (count < ITERATIONS)

    def body(carry: tuple[Orbit, Array, Array]) -> tuple[Orbit, Array, Array]:
        orbit, count, _ = carry
        x, period = orbit.point, orbit.period
        shot = shoot(lambda y, period: period[0] * field(y, args), x, period[None], d_point, d_constants)
        end, monodromy = shot.end, shot.d_end
        miss = jnp.max(jnp.abs(end - x))
        closed = shot.ok & (miss < 0.1 * CLOSED) & ((miss < EXACT) | (miss > STALLED * orbit.residual))
        system = _bordered(monodromy, period * field(end, args), normal)
        step = jnp.linalg.solve(system, jnp.concatenate([x - end, jnp.dot(normal, guess - x)[None]]))
        shrink = jnp.minimum(1.0, MAX_LOG_PERIOD_STEP / jnp.maximum(jnp.abs(step[n]), 1e-300))
        alive = shot.ok & jnp.all(jnp.isfinite(step)) & (miss <= DIVERGING * orbit.residual)
        # A closed orbit stays at the point whose miss and monodromy were just computed.
        move = alive & jnp.logical_not(closed)
        x = jnp.where(move, x + shrink * step[:n], x)
        period = jnp.where(move, period * jnp.exp(shrink * step[n]), period)
        return Orbit(x, period, miss, monodromy, closed), count + 1, alive

    start = eqx.tree_at(lambda o: o.period, no_orbit(guess), period)
    alive = jnp.all(jnp.isfinite(normal)) & wanted
    orbit, _, _ = jax.lax.while_loop(cond, body, (start, jnp.zeros((), jnp.int32), alive))
    # Rounding may keep the last miss just above the target; it is still a closed orbit.
    return eqx.tree_at(lambda o: o.closed, orbit, orbit.closed | (orbit.residual < CLOSED))


def _bordered(monodromy: Float[Array, "n n"], drift: Float[Array, " n"], normal: Float[Array, " n"]) -> Array:
    """Matrix of the shooting equations for (dx, d ln T): closure of the orbit, and its phase."""
    n = normal.shape[0]
    top = jnp.concatenate([monodromy - jnp.eye(n, dtype=monodromy.dtype), drift[:, None]], axis=1)
    bottom = jnp.concatenate([normal, jnp.zeros(1, normal.dtype)])
    return jnp.concatenate([top, bottom[None]], axis=0)


def go_round(
    field: AutonomousField, observe: Observe, orbit: Orbit, args: PyTree
) -> tuple[Float[Array, " m"], Float[Array, ""]]:
    """Time averages of the observables over a closed orbit, and how many turns of a shorter orbit it makes.

    The averages are NaN where the end of the orbit is not reached in MAX_STEPS steps. The turns are 1 if the orbit is
    not closed, and MOST_TURNS at most. A second, slowly decaying oscillation lets a trajectory recur after several
    turns, and shooting then finds those.
    """
    n = orbit.point.shape[0]
    dynamics = _observed(field, observe, lambda _: args, n)
    constants = jnp.log(orbit.period)[None]
    stepper = Stepper(lambda s, state, constants: dynamics(state, constants), constants, diffrax.Dopri8(), RTOL, ATOL)
    start = jnp.concatenate([orbit.point, blank_of(observe, orbit.point, args)])
    turns = jnp.asarray(TURNS, start.dtype)
    note = sampling(stepper, 1.0 / turns, lambda state: state[..., :n])
    blank = jnp.tile(orbit.point, (turns.shape[0], 1))
    end, early, status = solve_to(stepper, start, jnp.ones_like(orbit.period), MAX_STEPS, blank, note, FIRST_STEP)
    gaps = jnp.linalg.norm(early - orbit.point[None], axis=1)
    most = jnp.max(jnp.where(gaps < RETURNED * jnp.max(gaps), turns, 1.0))
    mean = jnp.where(status == OK, end[n:], jnp.nan)
    return mean, jnp.where(orbit.closed, most, 1.0)


def log_contraction(orbit: Orbit, velocity: Float[Array, " n"]) -> Float[Array, ""]:
    """ln of the largest non-trivial Floquet multiplier's modulus; < 0 for a stable cycle.

    `velocity` is the field at the orbit's point.
    The return map on the section normal to the flow has the monodromy's spectrum with the trivial multiplier 1
    replaced by 0.
    """
    normal = velocity / jnp.dot(velocity, velocity)
    return log_spectral_radius(orbit.monodromy - jnp.outer(velocity, normal @ orbit.monodromy))


def orbit_sensitivity(
    field: AutonomousField,
    observe: Observe,
    orbit: Orbit,
    rebuild: Callable[[Array], PyTree],
    parameters: Float[Array, " p"],
) -> tuple[Float[Array, " p"], Float[Array, "m p"]]:
    """Derivatives of the period and of the averages over a closed orbit, by the implicit function theorem.

    `rebuild(parameters)` are the field's args. Start and period follow the parameters wherever these derivatives are
    differentiated again.
    """

    @jax.custom_jvp
    def at(parameters: Array, place: Array) -> Array:
        return place

    @at.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> tuple[Array, Array]:
        here = at(*primals)
        motion, _ = _motion(field, observe, rebuild, here, primals[0])
        return here, motion @ tangents[0]

    n = orbit.point.shape[0]
    place = jnp.append(orbit.point, jnp.log(orbit.period))
    here = at(parameters, jax.lax.stop_gradient(place))
    motion, d_mean = _motion(field, observe, rebuild, here, parameters)
    return jnp.exp(here[n]) * motion[n], d_mean[:, : n + 1] @ motion + d_mean[:, n + 1 :]


def _motion(
    field: AutonomousField,
    observe: Observe,
    rebuild: Callable[[Array], PyTree],
    place: Float[Array, " n_plus_1"],
    parameters: Float[Array, " p"],
) -> tuple[Float[Array, "n_plus_1 p"], Float[Array, "m k"]]:
    """How start and ln(period) of a closed orbit follow the parameters; derivatives of averages in all of these.

    One solve with tangents gives the derivatives of end point and averages in start, ln(period) and parameters;
    closure and phase then fix the motion.
    """
    n, p = place.shape[0] - 1, parameters.shape[0]
    start = jnp.concatenate([place[:n], blank_of(observe, place[:n], rebuild(parameters))])
    constants = jnp.concatenate([place[n:], parameters])
    seeds = jnp.eye(n + 1 + p, dtype=constants.dtype)
    d_start = jnp.pad(seeds[:, :n], ((0, 0), (0, start.shape[0] - n)))
    shot = shoot(_observed(field, observe, rebuild, n), start, constants, d_start, seeds[:, n:])
    moved = jnp.where(shot.ok, shot.d_end, jnp.nan)
    d_end, d_mean = moved[:n], moved[n:]
    normal = field(place[:n], rebuild(parameters))
    system = _bordered(d_end[:, :n], d_end[:, n], normal / jnp.linalg.norm(normal))
    forcing = jnp.concatenate([-d_end[:, n + 1 :], jnp.zeros((1, p), constants.dtype)])
    return jnp.linalg.solve(system, forcing), d_mean


def _observed(field: AutonomousField, observe: Observe, rebuild: Callable[[Array], PyTree], n: int) -> Dynamics:
    """The field in scaled time s, with the running averages of the observables appended to the state."""

    def dynamics(state: Array, constants: Array) -> Array:
        args = rebuild(constants[1:])
        x = state[:n]
        return jnp.concatenate([jnp.exp(constants[0]) * field(x, args), observe(x, args)])

    return dynamics
