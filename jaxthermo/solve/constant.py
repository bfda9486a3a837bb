"""Trees that may hold functions beside arrays, held constant under differentiation, or refused to it."""

from typing import TypeVar

import equinox as eqx
import jax
from jaxtyping import PyTree

Tree = TypeVar("Tree")


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
