"""`eqx.filter_jit` for programs that run for less time than they take to compile."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

Function = TypeVar("Function", bound=Callable[..., Any])

# XLA's newer code for fused loops takes as long to compile as all the rest of a program of small arrays, and is not
# faster there. Processors only.
OPTIONS: dict[str, bool] = {"xla_cpu_use_fusion_emitters": False}


def lean_jit(function: Function) -> Function:
    """`eqx.filter_jit(function)`, compiled in half the time where it is called by itself.

    Inside another transformation, which compiles it with its own options or traces it, it is plain `filter_jit`.
    """
    jit: Any = eqx.filter_jit
    plain = jit(function)

    # Made at the first call: the options have to be tried, and importing should compile nothing.
    @functools.cache
    def lean() -> PyTree:
        return jit(function, compiler_options=OPTIONS) if _known() else plain

    @functools.wraps(function)
    def called(*args: PyTree, **kwargs: PyTree) -> PyTree:
        return (plain if is_traced((args, kwargs)) else lean())(*args, **kwargs)

    return called  # type: ignore[return-value]


def is_traced(arguments: PyTree) -> bool:
    """Whether an argument is traced, or all that is computed, as by a `jit` around the call."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arguments)):
        return True
    return isinstance(jnp.asarray(0) + 0, jax.core.Tracer)


@functools.cache
def _known() -> bool:
    """Whether this XLA compiles for a processor and has the options."""
    if jax.default_backend() != "cpu":
        return False
    try:
        jax.jit(lambda: 0, compiler_options=OPTIONS).lower().compile()
    except Exception as error:
        if "option" in str(error).lower():
            return False
        raise
    return True
