"""Curves of fixed points by pseudo-arclength: they may turn back in the parameter, and steps follow their bends."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from jaxthermo._types import Real

# y = (x, parameter) -> (n,), zero on the curve.
Equations = Callable[[Float[Array, " n_plus_1"], Any], Float[Array, " n"]]

NEWTON_STEPS = 6
CONVERGED = 1e-11
# Neighbouring tangents of a resolved curve differ by less than the angle of this cosine.
STRAIGHT = 0.98
GROWTH = 1.4
SHORTEST = 1e-6


class ArclengthState(eqx.Module):
    """Where a curve has got to: its point, the unit tangent there, the next step's length, and whether it goes on."""

    point: Float[Array, " n_plus_1"]
    tangent: Float[Array, " n_plus_1"]
    step: Float[Array, ""]
    alive: Bool[Array, ""]


def start_curve(
    equations: Equations, point: Float[Array, " n_plus_1"], args: PyTree, direction: float, step: Real
) -> ArclengthState:
    """The front at a known point of the curve, heading for larger (direction 1) or smaller (-1) parameters."""
    toward = jnp.zeros_like(point).at[-1].set(direction)
    tangent = tangent_at(equations, point, args, toward)
    return ArclengthState(point, tangent, jnp.asarray(step, point.dtype), jnp.all(jnp.isfinite(tangent)))


def tangent_at(equations: Equations, point: Array, args: PyTree, toward: Array) -> Float[Array, " n_plus_1"]:
    """Unit tangent of the curve, on the side of `toward`."""
    system = jnp.concatenate([jax.jacfwd(equations)(point, args), toward[None]])
    tangent = jnp.linalg.solve(system, jnp.zeros_like(point).at[-1].set(1.0))
    return tangent / jnp.linalg.norm(tangent)


def advance_curve(equations: Equations, front: ArclengthState, args: PyTree, longest: Real) -> ArclengthState:
    """One step along the curve; a step that fails or bends too sharply stays where it is, with half the length."""
    predicted = front.point + front.step * front.tangent

    def cond(carry: tuple[Array, Array, Array]) -> Array:
        _, size, count = carry
        return (size > CONVERGED) & (count < NEWTON_STEPS)

    def correct(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        y, _, count = carry
        miss = jnp.concatenate([equations(y, args), jnp.dot(front.tangent, y - predicted)[None]])
        delta = jnp.linalg.solve(jnp.concatenate([jax.jacfwd(equations)(y, args), front.tangent[None]]), miss)
        return y - delta, jnp.max(jnp.abs(delta)), count + 1

    blank = (predicted, jnp.full((), jnp.inf, predicted.dtype), jnp.zeros((), jnp.int32))
    point, size, _ = jax.lax.while_loop(cond, correct, blank)
    tangent = tangent_at(equations, point, args, front.tangent)
    good = (size < CONVERGED) & (jnp.dot(tangent, front.tangent) > STRAIGHT)
    step = jnp.where(good, jnp.minimum(GROWTH * front.step, longest), 0.5 * front.step)
    return ArclengthState(
        jnp.where(good, point, front.point),
        jnp.where(good, tangent, front.tangent),
        step,
        front.alive & (step > SHORTEST),
    )
