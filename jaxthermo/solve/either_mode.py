"""Derivatives by two programs, one for each mode; JAX takes the one that it needs.

Where forward mode runs through a loop without a bound, and reverse mode needs checkpoints, one function cannot serve
both. Here each mode has its own, and jvp, jacfwd, grad and jacrev call what suits them.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Primitive, jaxpr_as_fun
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, ArrayLike, PyTree

from jaxthermo.solve.checks_off import without_checks

Result = TypeVar("Result")
# Arrays that a linear map depends on, and those in which it is linear, to arrays.
Linear = Callable[[list[Any], list[Any]], list[Any]]


def either_mode(
    value: Callable[[PyTree], Result],
    tangent: Callable[[PyTree, PyTree, PyTree], PyTree],
    cotangent: Callable[[PyTree, PyTree, PyTree, PyTree], PyTree],
    args: PyTree,
) -> Result:
    """value(args), to be differentiated in either mode.

    value       args -> a tree of arrays
    tangent     (args, result, change of args) -> change of the result: linear, by forward mode; None stands for what
                does not change
    cotangent   (moving, fixed, result, covector of the result) -> covector of `moving`: the transpose; `moving` and
                `fixed` are `args` with None in the place of what the other one holds
    args        a tree. Nothing else may be closed over that JAX is tracing

    Only the floating arrays of the result have changes and covectors; the others are None in them.
    """

    @eqx.filter_custom_jvp
    def solved(args: PyTree) -> Result:
        return value(args)

    @solved.def_jvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
        (args,), (changes,) = primals, tangents
        result = solved(args)
        arrays, static = eqx.partition((args, result), eqx.is_array)
        known, known_tree = jax.tree.flatten(arrays)
        linear, linear_tree = jax.tree.flatten(changes)
        result_tree = jax.tree.structure(eqx.filter(result, eqx.is_inexact_array))
        moves = jax.tree.map(lambda leaf: leaf is not None, changes, is_leaf=lambda leaf: leaf is None)

        def forward(known: list[PyTree], linear: list[PyTree]) -> list[PyTree]:
            args, result = eqx.combine(jax.tree.unflatten(known_tree, known), static)
            return _filled(tangent(args, result, jax.tree.unflatten(linear_tree, linear)), result)

        def backward(known: list[PyTree], covectors: list[PyTree]) -> list[PyTree]:
            args, result = eqx.combine(jax.tree.unflatten(known_tree, known), static)
            moving, fixed = eqx.partition(args, moves)
            return _filled(cotangent(moving, fixed, result, jax.tree.unflatten(result_tree, covectors)), moving)

        return result, jax.tree.unflatten(result_tree, _call(forward, backward, known, linear))

    return solved(args)


def by_mode(solved: Callable[[PyTree, bool], Result], args: PyTree) -> Result:
    """solved(args, False), differentiated in either mode: forward through that, in reverse through solved(args, True).

    `solved` is traced without the checks of its loops in reverse mode: a callback for what they find would keep JAX
    from storing the program.
    """

    def value(args: PyTree) -> Result:
        return solved(args, False)

    def tangent(args: PyTree, result: Result, changes: PyTree) -> PyTree:
        return eqx.filter_jvp(value, (args,), (changes,))[1]

    def cotangent(moving: PyTree, fixed: PyTree, result: Result, covectors: PyTree) -> PyTree:
        def outputs(moving: PyTree) -> PyTree:
            return eqx.filter(solved(eqx.combine(moving, fixed), True), eqx.is_inexact_array)

        return eqx.filter_vjp(outputs, moving)[1](covectors)[0]

    return either_mode(value, tangent, without_checks(cotangent), args)


def _filled(values: PyTree, like: PyTree) -> list[PyTree]:
    """Changes or covectors of the floating arrays of a tree, zero where a constant has none."""
    zeros = jax.tree.map(jnp.zeros_like, eqx.filter(like, eqx.is_inexact_array))
    return jax.tree.leaves(eqx.combine(eqx.filter(values, eqx.is_inexact_array), zeros))


_linear_p = Primitive("linear_in_either_mode")
_linear_p.multiple_results = True


def _call(forward: Linear, backward: Linear, known: list[PyTree], linear: list[PyTree]) -> list[PyTree]:
    program = jax.make_jaxpr(forward)(known, linear)
    return _linear_p.bind(*known, *linear, program=program, forward=forward, backward=backward, count=len(known))


@_linear_p.def_impl
def _(*arrays: PyTree, program: ClosedJaxpr, **params: object) -> list[PyTree]:
    return jax.jit(jaxpr_as_fun(program))(*arrays)


@_linear_p.def_abstract_eval
def _(*shapes: object, program: ClosedJaxpr, **params: object) -> list[PyTree]:
    return program.out_avals


def _lowered(*arrays: PyTree, program: ClosedJaxpr, **params: object) -> list[PyTree]:
    return jaxpr_as_fun(program)(*arrays)


mlir.register_lowering(_linear_p, mlir.lower_fun(_lowered, multiple_results=True))


def _jvp(
    primals: tuple[PyTree, ...],
    tangents: tuple[PyTree, ...],
    *,
    forward: Linear,
    backward: Linear,
    count: int,
    **params: object,
) -> PyTree:
    known, linear = list(primals[:count]), list(primals[count:])
    out = _call(forward, backward, known, linear)
    changes = [ad.instantiate_zeros(change) for change in tangents]
    moved = _call(forward, backward, known, changes[count:])
    if all(isinstance(change, ad.Zero) for change in tangents[:count]):
        return out, moved
    # A second derivative, by forward mode through the first.
    floating = [i for i in range(count) if eqx.is_inexact_array(known[i])]

    def along(*floats: Array) -> list[PyTree]:
        now = list(known)
        for i, value in zip(floating, floats, strict=True):
            now[i] = value
        return forward(now, linear)

    _, curved = jax.jvp(along, tuple(known[i] for i in floating), tuple(changes[i] for i in floating))
    return out, [a + b for a, b in zip(moved, curved, strict=True)]


def _transposed(
    covectors: PyTree, *arrays: PyTree, forward: Linear, backward: Linear, count: int, **params: object
) -> PyTree:
    known = list(arrays[:count])
    back = _call(backward, forward, known, [ad.instantiate_zeros(covector) for covector in covectors])
    return [None] * count + back


def _batched(
    arrays: PyTree, dims: Sequence[int | None], *, forward: Linear, backward: Linear, count: int, **params: object
) -> PyTree:
    # An axis of None: the same for all lanes.
    size = next(array.shape[dim] for array, dim in zip(arrays, dims, strict=True) if dim is not None)
    known_dims = list(dims[:count])

    # A constant of the program is an `ArrayLike` that is no `Array`.
    def spread(array: ArrayLike, dim: int | None) -> Array:
        if dim is None:
            return jnp.broadcast_to(array, (size, *jnp.shape(array)))
        return jnp.moveaxis(array, dim, 0)

    linear = [spread(array, dim) for array, dim in zip(arrays[count:], dims[count:], strict=True)]

    def lanes(function: Linear) -> Linear:
        return lambda known, linear: jax.vmap(function, in_axes=(known_dims, 0), axis_size=size)(known, linear)

    out = _call(lanes(forward), lanes(backward), list(arrays[:count]), linear)
    return out, [0] * len(out)


ad.primitive_jvps[_linear_p] = _jvp
ad.primitive_transposes[_linear_p] = _transposed
batching.primitive_batchers[_linear_p] = _batched
