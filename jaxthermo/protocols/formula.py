"""A plain callable with its numbers as arrays, so that the same formula with other numbers compiles once."""

import inspect
from collections.abc import Callable, Iterator
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var, jaxpr_as_fun
from jaxtyping import Array, ArrayLike, Float

from jaxthermo._types import Function
from jaxthermo.checks import as_float, is_known

# Text in a jaxpr that names an object by its address says nothing about what the object does.
ADDRESSES = (" at 0x", "<function", "<lambda>", "object at")

# What jax raises where a function asks for a number that is not there yet: by NumPy, by `math`, by `if`, as an index.
UNTRACED = (
    jax.errors.TracerArrayConversionError,
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerIntegerConversionError,
)

# A function of a user as models hold it and programs call it.
HeldFunction = Callable[[Array], Array]


class Program:
    """A jaxpr whose numbers are arguments; two with the same text are equal."""

    def __init__(self, jaxpr: Jaxpr):
        self.run = jaxpr_as_fun(ClosedJaxpr(jaxpr, ()))
        self.text = str(jaxpr)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


class Formula(eqx.Module):
    """What a callable computes, as a program that is known when tracing and numbers that are arrays."""

    values: tuple[Array, ...]
    program: Program = eqx.field(static=True)

    def __call__(self, x: ArrayLike) -> Float[Array, "..."]:
        return as_float(self.program.run(*self.values, as_float(x))[0])


class Opaque(eqx.Module):
    """A Python function as a pytree without leaves."""

    function: Function = eqx.field(static=True)

    def __call__(self, x: ArrayLike) -> Float[Array, "..."]:
        return as_float(self.function(jnp.asarray(x)))


def formula(function: Function, example: Float[Array, "..."], name: str | None = None) -> HeldFunction:
    """A callable of one array as a pytree that jit, vmap and results can carry; one that is a pytree stays as it is.

    Numbers that the callable closes over, traced ones too, and those written in it become arrays. So a lambda in a loop
    over a rate is traced at each turn, which takes a millisecond, and compiled once; and derivatives with respect to
    the rate are not lost. Where the text of the program does not say all that it does, each callable has its own.
    An error calls it by `name`, of an argument, or else by its own.
    """
    if not jax.tree_util.all_leaves([function]):
        return cast(HeldFunction, function)
    try:
        traced = jax.make_jaxpr(function)(example)
    except UNTRACED as error:
        called = name or getattr(function, "__name__", type(function).__name__)
        raise ValueError(
            f"`{called}` must be a function that jax can trace: write jax.numpy for numpy or math, jnp.where for `if`"
        ) from error
    if len(traced.out_avals) == 1 and _said_by_text(traced.jaxpr):
        jaxpr, numbers = _lifted(traced.jaxpr)
        return Formula(tuple(jnp.asarray(value) for value in (*numbers, *traced.consts)), Program(jaxpr))
    converted = eqx.filter_closure_convert(cast(HeldFunction, function), example)
    return Opaque(function) if is_known(converted) else converted


def scalar_formula(name: str, function: Function, variable: str) -> HeldFunction:
    """`formula` of a function from one number to one number, or a ValueError that names the argument and says why not.

    name       of the argument
    function   a callable; one that is a pytree stays as it is
    variable   what it is a function of
    """
    example = jnp.zeros(())
    if not jax.tree_util.all_leaves([function]):
        return cast(HeldFunction, function)
    wanted = f"`{name}` must be a function of {variable} alone that gives one number"
    if not _takes_one(function):
        raise ValueError(f"{wanted}, but is called with {inspect.signature(function)}")
    try:
        held = formula(function, example, name)
        shape = jax.eval_shape(held, example).shape
    except TypeError as error:
        raise ValueError(f"{wanted}: {error}") from error
    if shape:
        raise ValueError(f"{wanted}, but gives an array of shape {shape}")
    return held


def _takes_one(function: Function) -> bool:
    """Whether one argument is enough, as far as Python can tell."""
    try:
        inspect.signature(function).bind(0.0)
    except TypeError:
        return False
    except ValueError:  # compiled functions need not say what they take
        return True
    return True


def _lifted(jaxpr: Jaxpr) -> tuple[Jaxpr, list[Array]]:
    """The jaxpr with the floating-point numbers written in it as leading arguments, and these numbers."""
    numbers: list[Array] = []
    variables: list[Var] = []

    def lifted(atom: Var | Literal) -> Var | Literal:
        if not isinstance(atom, Literal) or not isinstance(atom.aval, ShapedArray):
            return atom
        if not jnp.issubdtype(atom.aval.dtype, jnp.floating):
            return atom
        numbers.append(jnp.asarray(atom.val, atom.aval.dtype))
        variables.append(Var(atom.aval))
        return variables[-1]

    equations = [equation.replace(invars=[lifted(atom) for atom in equation.invars]) for equation in jaxpr.eqns]
    outputs = [lifted(atom) for atom in jaxpr.outvars]
    arguments = [*variables, *jaxpr.constvars, *jaxpr.invars]
    unnamed = jaxpr.debug_info.with_unknown_names()
    changed = jaxpr.replace(constvars=[], invars=arguments, outvars=outputs, eqns=equations, debug_info=unnamed)
    return changed, numbers


def _said_by_text(jaxpr: Jaxpr) -> bool:
    """Whether the text of the jaxpr holds all that it computes."""
    if any(address in str(jaxpr) for address in ADDRESSES):
        return False
    return all(not closed.consts and _said_by_text(closed.jaxpr) for closed in _inner(jaxpr))


def _inner(jaxpr: Jaxpr) -> Iterator[ClosedJaxpr]:
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            for one in value if isinstance(value, tuple | list) else (value,):
                if isinstance(one, ClosedJaxpr):
                    yield one
                elif isinstance(one, Jaxpr):
                    yield ClosedJaxpr(one, ())
