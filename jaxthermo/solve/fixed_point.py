"""Fixed points of an autonomous field by Newton's method."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

AutonomousField = Callable[[Float[Array, " n"], Any], Float[Array, " n"]]

# A point, the field and its Jacobian there.
Place = tuple[Float[Array, " n"], Float[Array, " n"], Float[Array, "n n"]]

ITERATIONS = 20


class Root(NamedTuple):
    """Where Newton's method ended: the point, max |field| there, whether it converged, and d field/dx there."""

    x: Float[Array, " n"]
    residual: Float[Array, ""]
    found: Bool[Array, ""]
    jacobian: Float[Array, "n n"]


def newton(field: AutonomousField, guess: Float[Array, " n"], args: PyTree) -> Root:
    """Newton iteration for field(x, args) = 0.

    Quadratic convergence ends at rounding error, so the test is a step of that size rather than a tuned residual.
    optimistix's Newton compiles and runs as fast; here the Jacobian at the root comes with it, which stability needs.
    """

    def cond(carry: tuple[Place, Array, Array]) -> Array:
        _, step, count = carry
        return jnp.logical_and(step > 1e-13, count <= ITERATIONS)

    def value(x: Array) -> tuple[Array, Array]:
        rate = field(x, args)
        return rate, rate

    def body(carry: tuple[Place, Array, Array]) -> tuple[Place, Array, Array]:
        (x, rate, jacobian), _, count = carry
        delta = jnp.linalg.solve(jacobian, rate)
        x = x - delta
        jacobian, rate = jax.jacfwd(value, has_aux=True)(x)
        return (x, rate, jacobian), jnp.where(count > 0, jnp.max(jnp.abs(delta)), jnp.inf), count + 1

    # The first step is none, so that field and Jacobian stand once in the program.
    blank = (guess, jnp.zeros_like(guess), jnp.eye(guess.shape[0], dtype=guess.dtype))
    start = (blank, jnp.full((), jnp.inf, guess.dtype), jnp.zeros((), jnp.int32))
    (x, rate, jacobian), step, _ = jax.lax.while_loop(cond, body, start)
    # A singular Jacobian leaves NaN, for which every comparison is false.
    return Root(x, jnp.max(jnp.abs(rate)), step < 1e-9, jacobian)


def implicit_root(field: AutonomousField, root: Float[Array, " n"], args: PyTree) -> Float[Array, " n"]:
    """The root as a function of `args`, with derivatives of every order in both modes.

    Equation   field(x, args) = 0, so J dx = -d field/d args, with J and the right-hand side at the root

    The rule asks for the root again as a function of `args`, so that its own derivative knows how the root moves.
    """

    def moved(x: Array, args: PyTree, forcing: Array) -> Array:
        return -jnp.linalg.solve(jax.jacfwd(field)(x, args), forcing)

    return implicit(field, moved, root, args)


def implicit(
    equations: Callable[[PyTree, PyTree], PyTree],
    moved: Callable[[PyTree, PyTree, PyTree], PyTree],
    root: PyTree,
    args: PyTree,
) -> PyTree:
    """The root of equations(root, args) = 0 as a function of `args`, with derivatives of every order in both modes.

    `moved(root, args, forcing)` is how the root moves where the equations at a root held fixed move by `forcing`; it is
    linear in that. Both close over no array that JAX is tracing.
    """
    dynamic, rest = eqx.partition(args, eqx.is_inexact_array)
    # A rule may be traced where this call's own tracers are gone, so all arrays are arguments.
    integers, static = eqx.partition(rest, eqx.is_array)

    @jax.custom_jvp
    def at(dynamic: PyTree, known: tuple[PyTree, PyTree]) -> PyTree:
        return known[0]

    @at.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
        dynamic, (_, integers) = primals
        here = at(*primals)

        def missed(dynamic: PyTree) -> PyTree:
            return equations(here, eqx.combine(dynamic, integers, static))

        _, forcing = jax.jvp(missed, (dynamic,), (tangents[0],))
        return here, moved(here, eqx.combine(dynamic, integers, static), forcing)

    return at(dynamic, jax.lax.stop_gradient((root, integers)))
