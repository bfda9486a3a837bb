"""`eqx.filter_jit` for programs that take longer to compile than to run."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

Function = TypeVar("Function", bound=Callable[..., Any])

# For processors only.
# XLA's newer code for fused loops takes as long to compile as all the rest of a program of small arrays, and is not
# faster there. Not every version can leave it out.
LEAN: dict[str, bool | int] = {"xla_cpu_use_fusion_emitters": False}
# Without optimising the machine code, half the time to compile; loops run 1.4 to 2.7 times as long. jax 0.12 has no
# LEAN any more, so there this alone saves.
BRIEF = LEAN | {"xla_backend_optimization_level": 0}


def lean_jit(function: Function) -> Function:
    """`eqx.filter_jit(function)`, compiled sooner where it is called by itself.

    Inside another transformation, which compiles it with its own options or traces it, it is plain `filter_jit`.
    """
    return _jitted(function, LEAN)


def brief_jit(function: Function) -> Function:
    """As `lean_jit`, for what runs for milliseconds or once in a call, not for thousands of lanes or steps."""
    return _jitted(function, BRIEF)


def _jitted(function: Function, options: dict[str, bool | int]) -> Function:
    jit: Any = eqx.filter_jit
    plain = jit(function)

    # Made at the first call: the options have to be tried, and importing should compile nothing.
    @functools.cache
    def sooner() -> PyTree:
        known = {name: value for name, value in options.items() if _is_option(name, value)}
        return jit(function, compiler_options=known) if known else plain

    @functools.wraps(function)
    def called(*args: PyTree, **kwargs: PyTree) -> PyTree:
        return (plain if is_traced((args, kwargs)) else sooner())(*args, **kwargs)

    return called  # type: ignore[return-value]


def is_traced(arguments: PyTree) -> bool:
    """Whether an argument is traced, or all that is computed, as by a `jit` around the call."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arguments)):
        return True
    return isinstance(jnp.asarray(0) + 0, jax.core.Tracer)


@functools.cache
def _is_option(name: str, value: bool | int) -> bool:
    """Whether this XLA compiles for a processor and has the option."""
    if jax.default_backend() != "cpu":
        return False
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except Exception as error:
        if "option" in str(error).lower():
            return False
        raise
    return True
