"""A function of one lane for many lanes, which stay last in memory and compute what is dear once.

`jax.vmap` puts lanes first wherever a number of each lane meets an array, and XLA on a processor transposes them there
and back. XLA also computes an exponential again for each element that a rotation, a sum or a stack reads. Here the
program of one lane is gone through with a last axis of lanes: elementwise operations leave it where it is, and what has
an exponential in it is kept before anything else reads it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var, jaxpr_as_fun
from jaxtyping import Array, Bool, PyTree

DEAR = frozenset(
    (
        *("exp", "exp2", "expm1", "log", "log1p", "logistic", "tanh", "pow", "div", "sqrt", "rsqrt"),
        *("sin", "cos", "tan", "cbrt", "erf"),
    )
)
CHEAP = frozenset(
    (
        *("add", "sub", "mul", "max", "min", "neg", "abs", "sign", "integer_pow", "square", "floor", "ceil", "round"),
        *("clamp", "is_finite", "convert_element_type", "select_n", "and", "or", "not", "xor"),
        *("lt", "le", "gt", "ge", "eq", "ne"),
    )
)
RESHAPES = frozenset(("reshape", "squeeze", "expand_dims"))
# What calls a program as it is, and the name of the program; derivatives are not taken here.
CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}


def along_lanes(
    function: Callable[..., PyTree], args: Sequence[PyTree], many: Sequence[bool], going: Bool[Array, ""] | None
) -> PyTree:
    """function(*args) for all lanes, which are the last axis of the leaves of args that have `many`, and of the result.

    `going` is true, but not known to be when this is compiled: what is chosen by it XLA does not compute again. None
    leaves that to XLA, as an accelerator wants.
    """
    leaves, tree = jax.tree.flatten(tuple(args))
    lanes = next(leaf.shape[-1] for leaf, own in zip(leaves, many, strict=True) if own)
    single = [_of_one(leaf) if own else leaf for leaf, own in zip(leaves, many, strict=True)]
    program, shapes = jax.make_jaxpr(function, return_shape=True)(*jax.tree.unflatten(tree, single))
    values = [_Value(leaf, own) for leaf, own in zip(leaves, many, strict=True)]
    found = [value.across(lanes) for value in _Lanes(lanes, going).run(program, values)]
    return jax.tree.unflatten(jax.tree.structure(shapes), found)


def _of_one(leaf: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape[:-1], leaf.dtype, weak_type=jax.typeof(leaf).weak_type)


class _Value:
    """What a variable stands for: an array, and whether it has lanes.

    Until it is kept it is `dear` if something in DEAR made it, `moved` if something did that is not elementwise.
    """

    def __init__(self, array: Array, many: bool, dear: bool = False, moved: bool = False):
        self.array, self.many, self.dear, self.moved = array, many, dear, moved

    def across(self, lanes: int, shape: tuple[int, ...] | None = None) -> Array:
        """With lanes, and of this shape for each if it is a number."""
        own = self.array.shape[: self.array.ndim - self.many]
        whole = own if shape is None else shape
        if self.many and own == whole:
            return self.array
        axes = tuple(range(len(own))) + ((len(whole),) if self.many else ())
        return jax.lax.broadcast_in_dim(self.array, (*whole, lanes), axes)


class _Lanes:
    """One program, gone through; `known` has what was computed, by operation and inputs."""

    def __init__(self, lanes: int, going: Array | None):
        self.lanes, self.going = lanes, going
        self.known: dict[tuple[Any, ...], tuple[list[_Value], list[_Value]]] = {}

    def run(self, program: ClosedJaxpr, args: Sequence[_Value]) -> list[_Value]:
        """The outputs of a program."""
        jaxpr = program.jaxpr
        constants = [_Value(jnp.asarray(constant), False) for constant in program.consts]
        values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *args), strict=True))

        def read(atom: Var | Literal) -> _Value:
            if not isinstance(atom, Literal):
                return values[atom]
            of: Any = atom.aval
            return _Value(jnp.asarray(atom.val, of.dtype), False)

        for equation in jaxpr.eqns:
            given = [read(atom) for atom in equation.invars]
            values.update(zip(equation.outvars, self.outputs(equation, given, jaxpr), strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def outputs(self, equation: Any, given: list[_Value], within: Jaxpr) -> list[_Value]:
        """The outputs of an operation, which is not done again on the same inputs."""
        name, params = equation.primitive.name, equation.params
        if name in CALLS:
            inner = params[CALLS[name]]
            return self.run(inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ()), given)
        what = (name, str(params), *map(id, given))
        if what not in self.known:
            # Inputs are held, so that no other has their id.
            self.known[what] = given, self.operation(equation, given, _alone(equation, within))
        return self.known[what][1]

    def operation(self, equation: Any, given: list[_Value], alone: Callable[..., list[Array]]) -> list[_Value]:
        """The outputs of an operation."""
        name, params, shape = equation.primitive.name, equation.params, equation.outvars[0].aval.shape
        arrays = [value.array for value in given]
        if not any(value.many for value in given):
            return [_Value(each, False) for each in alone(*arrays)]
        dear = name in DEAR or any(value.dear for value in given)
        if name in DEAR or name in CHEAP:
            if dear:
                self.keep([value for value in given if value.moved])
            moved = any(value.moved for value in given)
            spread = [value.across(self.lanes, shape) for value in given]
            return [_Value(each, True, dear, moved) for each in alone(*spread)]
        if name in RESHAPES:
            return [_Value(arrays[0].reshape(*shape, self.lanes), True, dear, given[0].moved)]
        self.keep([value for value in given if value.dear])
        arrays = [value.array for value in given]
        if name == "broadcast_in_dim" and len(given) == 1:
            places = (*params["broadcast_dimensions"], len(shape))
            return [_Value(jax.lax.broadcast_in_dim(arrays[0], (*shape, self.lanes), places), True)]
        if name == "concatenate":
            spread = [value.across(self.lanes) for value in given]
            return [_Value(jax.lax.concatenate(spread, params["dimension"]), True, moved=True)]
        axes = [-1 if value.many else None for value in given]
        batched = jax.vmap(alone, in_axes=axes, out_axes=-1)
        return [_Value(each, True, moved=True) for each in batched(*arrays)]

    def keep(self, values: list[_Value]) -> None:
        """Have these computed now, and not again where they are read."""
        if self.going is None or not values:
            return
        each = list({id(value): value for value in values}.values())
        arrays = [value.array for value in each]
        arrays = jax.lax.cond(
            self.going, lambda arrays: arrays, lambda arrays: list(map(jnp.zeros_like, arrays)), arrays
        )
        for value, array in zip(each, arrays, strict=True):
            value.array, value.dear, value.moved = array, False, False


def _alone(equation: Any, within: Jaxpr) -> Callable[..., list[Array]]:
    """One operation of a program as a function of arrays."""
    inputs, outputs = ([Var(atom.aval) for atom in atoms] for atoms in (equation.invars, equation.outvars))
    only = [equation.replace(invars=inputs, outvars=outputs)]
    unnamed = within.debug_info.with_unknown_names()
    return jaxpr_as_fun(
        ClosedJaxpr(within.replace(constvars=[], invars=inputs, outvars=outputs, eqns=only, debug_info=unnamed), ())
    )
