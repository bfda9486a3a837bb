"""What a function would return, with zeros for all numbers: where a loop begins, and what is not computed."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree


def blank_of(function: Callable[..., PyTree], *args: PyTree) -> PyTree:
    """Zeros of the shapes and types of function(*args), which is traced and not computed."""
    shapes = eqx.filter_eval_shape(function, *args)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
