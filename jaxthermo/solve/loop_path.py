"""Limit cycles continued in one parameter, up to where their period diverges."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo.solve.collocation import Loop, close_loop, implicit_loop, remeshed
from jaxthermo.solve.fixed_point import AutonomousField

# Steps are taken in ln(distance to the pole), the variable in which a diverging period is smooth.
FIRST_STEP, LONGEST_STEP, SHORTEST_STEP, GROWTH = 0.2, 0.5, 1e-4, 1.5
SETTLING, MAX_STEPS = 2, 240


class ContinuedLoop(eqx.Module):
    """A loop under way in the parameter: its residual, the next step, whether it lives, and how many steps it took."""

    loop: Loop
    parameter: Float[Array, ""]
    residual: Float[Array, ""]
    step: Float[Array, ""]
    alive: Bool[Array, ""]
    count: Int[Array, ""]


def begin(loop: Loop, parameter: Float[Array, ""], alive: Bool[Array, ""]) -> ContinuedLoop:
    """Before its first step, with a guess of the loop."""
    infinite = jnp.full_like(loop.log_period, jnp.inf)
    return ContinuedLoop(
        loop, parameter, infinite, jnp.full_like(infinite, FIRST_STEP), alive, jnp.zeros((), jnp.int32)
    )


def settle(field: AutonomousField, continued: ContinuedLoop, args: PyTree) -> ContinuedLoop:
    """The loop closed where it is, on an even mesh and then on one that follows it."""

    def cond(now: ContinuedLoop) -> Array:
        return now.alive & (now.count < SETTLING)

    def body(now: ContinuedLoop) -> ContinuedLoop:
        return _closed(field, now, remeshed(field, now.loop, args), now.parameter, args)

    return jax.lax.while_loop(cond, body, eqx.tree_at(lambda t: t.count, continued, jnp.zeros((), jnp.int32)))


def _closed(
    field: AutonomousField, now: ContinuedLoop, guess: Loop, parameter: Float[Array, ""], args: PyTree
) -> ContinuedLoop:
    """After an attempt to close the guess: there if that was possible, else still where it was, and no longer alive."""
    loop, residual, good = close_loop(field, guess, args)
    there = ContinuedLoop(loop, parameter, residual, now.step, good, now.count + 1)
    stopped = eqx.tree_at(lambda t: (t.alive, t.count), now, (good, now.count + 1))
    return jax.tree.map(lambda new, old: jnp.where(good, new, old), there, stopped)


def continue_to(
    field: AutonomousField,
    continued: ContinuedLoop,
    target: Float[Array, ""],
    pole: Float[Array, ""],
    at: Callable[[Float[Array, ""]], PyTree],
) -> ContinuedLoop:
    """The loop continued to `target`; `at(parameter)` are the field's args.

    `pole` is where the period is expected to diverge, on the far side of both ends of the way; any far value will do
    where it does not. Every second step keeps the parameter and fits the mesh to the
    loop; where that fails, the old mesh stays.
    The first two close the guess.
    """

    def cond(now: ContinuedLoop) -> Array:
        return now.alive & ((now.parameter != target) | (now.count < SETTLING)) & (now.count < MAX_STEPS)

    def body(now: ContinuedLoop) -> ContinuedLoop:
        moving = (now.count >= SETTLING) & (now.count % 2 == 0)
        left = jnp.log((pole - target) / (pole - now.parameter))
        last = jnp.abs(left) <= now.step
        move = jnp.where(moving, jnp.where(last, left, jnp.sign(left) * now.step), 0.0)
        there = jnp.where(last, target, pole - (pole - now.parameter) * jnp.exp(move))
        parameter = jnp.where(moving, there, now.parameter)
        guess = _predict(field, now, -(pole - now.parameter) * move, at)
        mended = remeshed(field, now.loop, at(parameter))
        guess = jax.tree.map(lambda a, b: jnp.where(moving, a, b), guess, mended)
        tried = _closed(field, now, guess, parameter, at(parameter))
        adapted = jnp.where(tried.alive, jnp.minimum(GROWTH * now.step, LONGEST_STEP), 0.4 * now.step)
        step = jnp.where(moving, adapted, now.step)
        alive = jnp.where(now.count < SETTLING, tried.alive, step > SHORTEST_STEP)
        return eqx.tree_at(lambda t: (t.step, t.alive), tried, (step, alive))

    arrived = jax.lax.while_loop(cond, body, eqx.tree_at(lambda t: t.count, continued, jnp.zeros((), jnp.int32)))
    return eqx.tree_at(lambda t: t.alive, arrived, arrived.alive & (arrived.parameter == target))


def _predict(field: AutonomousField, now: ContinuedLoop, distance: Array, at: Callable[[Array], PyTree]) -> Loop:
    """Along the tangent of the branch."""

    def unknowns(parameter: Array) -> tuple[Array, Array]:
        loop, _ = implicit_loop(field, now.loop, at(parameter))
        return loop.stages, loop.log_period

    _, (d_stages, d_log_period) = jax.jvp(unknowns, (now.parameter,), (distance,))
    return Loop(now.loop.widths, now.loop.stages + d_stages, now.loop.log_period + d_log_period)
