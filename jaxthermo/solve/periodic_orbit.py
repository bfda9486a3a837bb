"""The periodic state of a field that is driven periodically, as a fixed point of the map over one period."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo._types import Real
from jaxthermo.solve.cycle import flow_to_one
from jaxthermo.solve.fixed_point import implicit
from jaxthermo.solve.integrate import OK
from jaxthermo.solve.linear import log_spectral_radius

DrivenField = Callable[[Float[Array, ""], Float[Array, " n"], Any], Float[Array, " n"]]

# A Newton step this short, relative to the state, is taken; before that the trajectory goes on by itself.
NEAR = 0.05
# Steps in one period. Explicit steps follow the fastest relaxation, so long periods need many.
MAX_STEPS = 1_000_000
# A Newton step this short ends the search. What is left after it is of the size of its square.
SETTLED = 1e-8


class PeriodicPoint(eqx.Module):
    """Where the periodic state is at the beginning of a period, and the linear map over one period around it.

    The point is NaN where a period was not integrated to its end.
    """

    point: Float[Array, " n"]
    linear: Float[Array, "n n"]
    residual: Float[Array, ""]
    periods: Int[Array, ""]
    found: Bool[Array, ""]


def periodic_point(
    field: DrivenField, start: Float[Array, " n"], period: Float[Array, ""], args: PyTree, max_periods: Int[Array, ""]
) -> PeriodicPoint:
    """The stable point with x(period) = x(0) that the trajectory from `start` approaches.

    Each turn follows the trajectory, and its linear map M, over one period. Newton's step (1 - M)^-1 (x(period) - x(0))
    is taken where it is short and M is contracting; elsewhere the turn's end is the next point. `residual` is the last
    step. Derivatives of `point` and `linear` in `args` and `period`: forward mode, of every order.
    """
    parameters = (period, args)
    start, constant = jax.lax.stop_gradient(start), jax.lax.stop_gradient(parameters)
    eye = jnp.eye(start.shape[0], dtype=start.dtype)

    def unfinished(carry: PeriodicPoint) -> Array:
        return jnp.logical_not(carry.found) & (carry.periods < max_periods) & jnp.all(jnp.isfinite(carry.point))

    def once_round(carry: PeriodicPoint) -> PeriodicPoint:
        end, linear = _once_round(field, carry.point, constant)
        newton = jnp.linalg.solve(eye - linear, end - carry.point)
        length = jnp.max(jnp.abs(newton))
        near = (log_spectral_radius(linear) < 0.0) & (length < NEAR * jnp.max(jnp.abs(end)))
        point = jnp.where(near, carry.point + newton, end)
        return PeriodicPoint(point, linear, length, carry.periods + 1, near & (length < SETTLED))

    infinite = jnp.full((), jnp.inf, start.dtype)
    blank = PeriodicPoint(start, eye, infinite, jnp.zeros((), jnp.int32), jnp.asarray(False))
    done = jax.lax.while_loop(unfinished, once_round, blank)

    def missed(point: Array, parameters: PyTree) -> Array:
        return _after(field, point, parameters) - point

    def moved(point: Array, parameters: PyTree, forcing: Array) -> Array:
        _, linear = _once_round(field, point, parameters)
        return jnp.linalg.solve(eye - linear, forcing)

    point = implicit(missed, moved, done.point, parameters)
    _, linear = _once_round(field, point, parameters)
    return PeriodicPoint(point, linear, done.residual, done.periods, done.found)


def _after(field: DrivenField, point: Float[Array, " n"], parameters: PyTree) -> Float[Array, " n"]:
    """The state after one period; NaN if its end was not reached."""
    numbers, rest = eqx.partition(parameters, eqx.is_inexact_array)

    def rate(s: Real, x: Array, numbers: PyTree) -> Array:
        period, args = eqx.combine(numbers, rest)
        return period * field(s * period, x, args)

    end, status = flow_to_one(rate, point, numbers, MAX_STEPS)
    return jnp.where(status == OK, end, jnp.nan)


def _once_round(
    field: DrivenField, point: Float[Array, " n"], parameters: PyTree
) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """The state after one period, and its derivative with respect to the one before."""

    def twice(point: Array) -> tuple[Array, Array]:
        end = _after(field, point, parameters)
        return end, end

    linear, end = jax.jacfwd(twice, has_aux=True)(point)
    return end, linear
