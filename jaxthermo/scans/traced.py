"""A function of named numbers, traced once: what it returns for one lane, and how the lane ended."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from jaxthermo._results import AbstractResult, quantities
from jaxthermo.checks import as_float, postponed
from jaxthermo.scans.axes import RESERVED
from jaxthermo.solve.outcome import INVALID, Outcome, code_of, judged

# What a bare number is called.
VALUE = "value"
NUMBERS = (jax.Array, np.ndarray, np.generic, bool, int, float, complex)

# What jax raises where Python wants to see a traced value.
LOOKED = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)
NOT_PURE = (
    "`function` must not look at the values of its arguments, so that it can be vmapped; use jnp.where, jax.lax.cond, "
    "and pure functions in the place of those that return labelled data:"
)

NO_AXIS = "A size, such as the number of states, cannot be an axis: let `function` close over it, one scan for each."


class Variable(NamedTuple):
    """One result of a lane."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype


class Traced(NamedTuple):
    """A function's program for one lane; made by `trace`. Its outputs are those of `variables`, status and steps first.

    `steps` in `variables` only if the function counts them.
    """

    program: ClosedJaxpr
    variables: tuple[Variable, ...]

    @property
    def counts_steps(self) -> bool:
        return any(variable.name == "steps" for variable in self.variables)

    def many(self, *columns: Any) -> tuple[Any, ...]:
        """All variables of many lanes, from one column of values for each axis."""
        return tuple(jax.vmap(jaxpr_as_fun(self.program))(*columns))


def trace(function: Any, names: tuple[str, ...]) -> Traced:
    """Trace `function` once, as one lane, called with these keyword arguments.

    Raises     ValueError where it branches in Python on a traced value, returns anything but arrays and numbers, or
               returns names that the axes have already; what the function raises itself, with a note
    """
    labels: list[str] = []

    def lane(*scalars: Any) -> tuple[Any, ...]:
        with postponed(scalars[0]) as conditions:
            result = _called(function, dict(zip(names, scalars, strict=True)))
        if isinstance(result, AbstractResult):
            found = {name: jnp.asarray(getattr(result, name)) for name in quantities(result) if name != "status"}
            own = Outcome(code_of(result.status), result.stats.get("steps", result.stats.get("rounds")))
        else:
            found = _named(result)
            own = Outcome(_judge(found), found.get("steps"))
        status, steps = own.status, own.steps
        for condition in conditions:
            status = jnp.where(condition, status, INVALID)
        variables = {"status": status.astype(jnp.int32)}
        if steps is not None:
            variables["steps"] = jnp.asarray(steps).astype(jnp.int32)
        variables |= {name: value for name, value in found.items() if name not in ("status", "steps")}
        labels[:] = variables
        return tuple(variables.values())

    scalar = jax.ShapeDtypeStruct((), as_float(0.0).dtype)
    try:
        program, outputs = jax.make_jaxpr(lane, return_shape=True)(*[scalar] * len(names))
    except LOOKED as error:
        raise ValueError(f"{NOT_PURE}\n{_first(error)}") from None
    clash = sorted({*names} & {*labels})
    if clash:
        raise ValueError(f"`function` must return names other than those of the axes, but returns {clash}")
    traced = Traced(
        program, tuple(Variable(n, o.shape, np.dtype(o.dtype)) for n, o in zip(labels, outputs, strict=True))
    )
    _require_vmap(traced, jax.ShapeDtypeStruct((2,), scalar.dtype), len(names))
    return traced


def _called(function: Any, scalars: dict[str, Any]) -> Any:
    """The function's result; its own errors stay what they are, with a note on what it was called with."""
    try:
        return function(**scalars)
    except LOOKED:
        raise
    except Exception as error:
        # Shapes are refused by an error that has no type of its own.
        if isinstance(error, TypeError) and "concrete values" in str(error):
            raise ValueError(f"{NOT_PURE}\n{_first(error)}") from None
        error.add_note(f"While `jt.scan` traced `function` with {', '.join(scalars)} as traced floats. {NO_AXIS}")
        raise


def _require_vmap(traced: Traced, column: Any, columns: int) -> None:
    # What has no rule for vmap says so in errors of many kinds.
    try:
        jax.eval_shape(traced.many, *[column] * columns)
    except Exception as error:
        raise ValueError(f"`function` must consist of what jax can vmap, but: {_first(error)}") from error


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _judge(found: dict[str, Any]) -> Any:
    """The status of a lane whose result has no `outcome`."""
    finite = jnp.asarray(True)
    for name, value in found.items():
        if name not in RESERVED and jnp.issubdtype(value.dtype, jnp.inexact):
            finite &= jnp.all(jnp.isfinite(value))
    converged = found.get("converged")
    return judged(found.get("status"), None if converged is None else jnp.all(converged), finite)


def _named(result: Any) -> dict[str, Any]:
    """Every array of a result by name: keys, fields and indices on the way to it, joined by "_"."""
    leaves = jax.tree_util.tree_flatten_with_path(result)[0]
    if not leaves:
        raise ValueError(f"`function` must return arrays or numbers, but returns {result!r}")
    named: dict[str, Any] = {}
    for path, leaf in leaves:
        name = "_".join(_word(key) for key in path) or VALUE
        name = name if name.isidentifier() else f"{VALUE}_{name}"
        if not isinstance(leaf, NUMBERS):
            kind = type(leaf).__name__
            raise ValueError(f"`function` must return arrays or numbers, but `{name}` is of type {kind}")
        value = jnp.asarray(leaf)
        if not name.isidentifier() or name in named or name == "scan_record":
            raise ValueError(f"`function` must return results with names of their own, but has {name!r}")
        if not (jnp.issubdtype(value.dtype, jnp.number) or value.dtype == bool):
            raise ValueError(f"`function` must return arrays or numbers, but `{name}` is of type {value.dtype}")
        if name in ("status", "steps") and value.shape != ():
            raise ValueError(f"`{name}` must be one number for each lane, but has shape {value.shape}")
        named[name] = value
    return named


def _word(key: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)
