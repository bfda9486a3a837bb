"""Derivatives in both modes and of every order from forward mode alone; or none, or an error that says so.

`both_modes` and `from_jacobians` are for functions of few parameters.
"""

from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

Tree = TypeVar("Tree")


def both_modes(
    function: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]],
    args: PyTree,
    constants: PyTree = None,
    value: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]] | None = None,
) -> tuple[PyTree, PyTree]:
    """function(args, constants), to be differentiated by jvp, jacfwd, grad and jacrev alike.

    function    (args, constants) -> (values, counts): trees of float arrays and of integer arrays; it needs forward
                mode only, and closes over no array that JAX is tracing
    args        a tree; derivatives are those in its float arrays
    constants   a tree of arrays in which no derivative is taken
    value       what is called where no derivative is asked for, if another program is better there

    Every derivative is taken from the full Jacobian, made in forward mode with as many tangents as `args` has
    numbers. That map is linear, so JAX transposes it.
    """
    dynamic, static = eqx.partition(args, eqx.is_inexact_array)
    integers, static = eqx.partition(static, eqx.is_array)
    vector, unravel = ravel_pytree(dynamic)

    def arguments(vector: Array, rest: PyTree) -> tuple[PyTree, PyTree]:
        integers, constants = rest
        return eqx.combine(unravel(vector), integers, static), constants

    @jax.custom_jvp
    def solved(vector: Array, rest: PyTree) -> tuple[PyTree, PyTree]:
        return (value or function)(*arguments(vector, rest))

    @solved.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
        vector, rest = primals

        def twice(vector: Array) -> tuple[PyTree, PyTree]:
            values, counts = function(*arguments(vector, rest))
            return values, (values, counts)

        slopes, (values, counts) = jax.jacfwd(twice, has_aux=True)(vector)
        no_change = jax.tree.map(lambda count: np.zeros(count.shape, jax.dtypes.float0), counts)
        return (values, counts), (jax.tree.map(lambda slope: slope @ tangents[0], slopes), no_change)

    return solved(vector, jax.lax.stop_gradient((integers, constants)))


def from_jacobians(function: Callable[[Array, PyTree], PyTree]) -> Callable[[Array, PyTree], PyTree]:
    """function(vector, constants), to be differentiated in the vector as often as one likes, in any mode.

    function    (vector, tree of arrays) -> tree of float arrays; it needs forward mode only, and closes over no array
                that JAX is tracing. No derivative is taken in the constants.

    Every derivative is a full Jacobian by forward mode, and is itself such a function. Nothing is traced for orders
    that are not asked for.
    """

    @jax.custom_jvp
    def smooth(vector: Array, constants: PyTree) -> PyTree:
        return function(vector, constants)

    @smooth.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
        slopes = from_jacobians(jax.jacfwd(function))(*primals)
        return smooth(*primals), jax.tree.map(lambda slope: slope @ tangents[0], slopes)

    def held(vector: Array, constants: PyTree) -> PyTree:
        return smooth(vector, jax.lax.stop_gradient(constants))

    return held


def stop_gradient(tree: PyTree) -> PyTree:
    """The tree with `stop_gradient` on every array."""
    return jax.tree.map(lambda leaf: jax.lax.stop_gradient(leaf) if eqx.is_inexact_array(leaf) else leaf, tree)


def without_derivatives(tree: Tree, name: str) -> Tree:
    """The tree, whose differentiation raises an error that says so of `name`, instead of giving wrong derivatives."""
    dynamic, static = eqx.partition(tree, eqx.is_inexact_array)

    @jax.custom_jvp
    def held(dynamic: PyTree) -> PyTree:
        return dynamic

    @held.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
        raise NotImplementedError(f"`{name}` has no derivatives; hold its arguments with jax.lax.stop_gradient")

    return eqx.combine(held(dynamic), static)
