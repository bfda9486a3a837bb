"""A function whose lanes are computed one after another under vmap."""

from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import PyTree


def one_by_one(function: Callable[..., PyTree], *args: PyTree) -> PyTree:
    """function(*args), where a vmap around it becomes a loop over its lanes.

    An iterative solve then stops at its own lane's end, and its matrix products stay plain ones, which a CPU does
    faster than batches of small ones. Not to be differentiated: put it inside a rule such as `custom_linear_solve`.
    Shapes     args: trees of arrays and of anything else, which is static
    """
    arrays, static = eqx.partition(args, eqx.is_array)

    @jax.custom_batching.sequential_vmap
    def alone(arrays: PyTree) -> PyTree:
        return function(*eqx.combine(arrays, static))

    return alone(arrays)
