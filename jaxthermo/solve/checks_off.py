"""diffrax's solves without their checks at run time, which are callbacks to the host.

JAX's compilation cache does not store a program that calls back to the host. jaxthermo checks what a user gives at the
door and reports trouble inside a solve as a status, so that these checks have nothing left to find.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import equinox as eqx
import jax
from jax.extend.core import ClosedJaxpr, Literal, Var, jaxpr_as_fun
from jaxtyping import PyTree

Result = TypeVar("Result")

# What equinox's `error_if` is called in a traced program, and the one operation in it that may call back. That returns
# its first inputs as they are.
CHECK, MAY_STOP = "branched_error_if_impl", "custom_jvp_call"


def without_checks(function: Callable[..., Result]) -> Callable[..., Result]:
    """`function` with every `equinox.error_if` of the solves that it calls taken out of its program.

    The function is traced, the checks are dropped from what was traced, and the rest is evaluated. So nothing global
    changes, and jit, vmap and both modes of differentiation work as before. Arguments and results may be any trees;
    arrays in them are traced. Checks inside loops and branches are taken out as well.
    """

    def unchecked(*args: PyTree, **kwargs: PyTree) -> Result:
        program, shapes, others = eqx.filter_make_jaxpr(function)(*args, **kwargs)
        arrays = jax.tree.leaves(eqx.filter((args, kwargs), eqx.is_array))
        results = jaxpr_as_fun(_without(program))(*arrays)
        return eqx.combine(jax.tree.unflatten(jax.tree.structure(shapes), results), others)

    return unchecked


def _without(program: ClosedJaxpr, is_check: bool = False) -> ClosedJaxpr:
    """The program, and all that it calls by `jit`, with the inputs of each check in the place of its outputs."""
    passed: dict[Var, Var | Literal] = {}

    def now(atoms: Sequence[Var | Literal]) -> list[Var | Literal]:
        # A literal, which has a value and no hash, is never the output of a check.
        return [atom if hasattr(atom, "val") else passed.get(atom, atom) for atom in atoms]

    equations = []
    for equation in program.jaxpr.eqns:
        equation = equation.replace(invars=now(equation.invars))
        if is_check and equation.primitive.name == MAY_STOP:
            passed.update(zip(equation.outvars, equation.invars, strict=False))
            continue
        named = equation.params.get("name") == CHECK
        inner = {
            name: _without_each(value, named)
            for name, value in equation.params.items()
            if _holds_check(value) or (named and isinstance(value, ClosedJaxpr))
        }
        equations.append(equation.replace(params={**equation.params, **inner}) if inner else equation)
    return ClosedJaxpr(program.jaxpr.replace(eqns=equations, outvars=now(program.jaxpr.outvars)), program.consts)


def _without_each(programs: PyTree, is_check: bool) -> PyTree:
    """What an operation runs, such as the body of a loop or the branches of a choice, without checks."""
    if isinstance(programs, tuple):
        return tuple(_without_each(one, is_check) for one in programs)
    return _without(programs, is_check)


def _holds_check(programs: PyTree) -> bool:
    """Whether a parameter of an operation holds programs, and one of them has a check."""
    if isinstance(programs, tuple):
        every = bool(programs) and all(isinstance(one, ClosedJaxpr) for one in programs)
        return every and any(map(_holds_check, programs))
    if not isinstance(programs, ClosedJaxpr):
        return False
    each = programs.jaxpr.eqns
    return any(e.params.get("name") == CHECK or any(map(_holds_check, e.params.values())) for e in each)
