"""A function of named numbers, traced once: what it returns for one lane, and how the lane ended."""

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from jaxthermo._results import AbstractResult, quantities
from jaxthermo._status import Code, Status, as_codes, first_problem, status_if
from jaxthermo.checks import as_float, postponed
from jaxthermo.scans.axes import RESERVED

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
NOT_PURE = "`function` must not look at the values of its arguments; use jnp.where and jax.lax.cond:"

NO_AXIS = "A size, such as the number of states, cannot be an axis: let `function` close over it, one scan for each."

# What a lane may count that says how long it takes, the best measure first.
COSTS = ("solves", "evaluations", "steps", "rounds", "cycles")


class Variable(NamedTuple):
    """One result of a lane, with the dimensions of its array and its label; without one `units` is None.

    `codes` is the enumeration whose integers it holds, if any.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    dims: tuple[str, ...]
    units: str | None
    long_name: str
    codes: type[Code] | None


class Traced(NamedTuple):
    """A function's program for one lane; made by `trace`. Its outputs are those of `variables`, of which the first is
    the status.

    `precision` is that of its floats, "single" or "double", and None for what jax is set to.
    """

    program: ClosedJaxpr
    variables: tuple[Variable, ...]
    precision: str | None = None

    @property
    def cost(self) -> int | None:
        """Which output counts what a lane costs; None if there is no such count."""
        whole = [v.name if v.dtype.kind == "i" and not v.shape else "" for v in self.variables]
        return next((whole.index(name) for name in COSTS if name in whole), None)

    def many(self, *columns: Any) -> tuple[Any, ...]:
        """All variables of many lanes, from one column of values for each axis."""
        return tuple(jax.vmap(jaxpr_as_fun(self.program))(*columns))


class _Labelled(NamedTuple):
    """A value on its way to becoming a variable."""

    value: Any
    dims: tuple[str, ...]
    units: str | None = None
    long_name: str | None = None
    codes: type[Code] | None = None


@contextmanager
def arithmetic(precision: str | None) -> Iterator[None]:
    """Traces and lowers in this precision; None leaves jax as it is set."""
    if precision is None:
        yield
        return
    # Before 0.8 jax has it among its experiments.
    home = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")
    with home.enable_x64(precision == "double"), warnings.catch_warnings():
        # Of arrays in double precision that a function holds, which are rounded as was asked for.
        warnings.filterwarnings("ignore", "Explicitly requested dtype")
        yield


def trace(function: Callable[..., object], names: tuple[str, ...], precision: str | None = None) -> Traced:
    """Trace `function` once, as one lane, called with these keyword arguments, in this precision.

    Raises     ValueError where it branches in Python on a traced value, returns anything but results of the library,
               arrays and numbers, or returns names that the axes have already; what the function raises itself, with
               a note
    """
    with arithmetic(precision):
        return _traced(function, names)._replace(precision=precision)


def _traced(function: Callable[..., object], names: tuple[str, ...]) -> Traced:
    labels: dict[str, _Labelled] = {}

    def lane(*scalars: Any) -> tuple[Any, ...]:
        with postponed(scalars[0]) as met:
            result = _called(function, dict(zip(names, scalars, strict=True)))
        found, status = _named(result, names, met.statuses)
        for condition in met.conditions:
            status = jnp.where(condition, status, as_codes(Status.invalid_input))
        labels.clear()
        labels.update({"status": _Labelled(status, ())} | found)
        return tuple(label.value for label in labels.values())

    scalar = jax.ShapeDtypeStruct((), as_float(0.0).dtype)
    try:
        program, outputs = jax.make_jaxpr(lane, return_shape=True)(*[scalar] * len(names))
    except LOOKED as error:
        raise ValueError(f"{NOT_PURE}\n{_first(error)}") from None
    clash = sorted({*names} & {*labels})
    if clash:
        raise ValueError(f"`function` must return names other than those of the axes, but returns {clash}")
    variables = tuple(
        Variable(
            name, o.shape, np.dtype(o.dtype), own.dims, own.units, own.long_name or name.replace("_", " "), own.codes
        )
        for (name, own), o in zip(labels.items(), outputs, strict=True)
    )
    traced = Traced(program, variables)
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


def _named(result: Any, axes: tuple[str, ...], inner: list[Any]) -> tuple[dict[str, _Labelled], Any]:
    """Everything that a lane returns by name, and its status.

    Results of the library give their labelled arrays and what they count; of all else the keys, fields and indices on
    the way to it, joined by "_", are the name. `inner` are the statuses of all results on the way to what is returned,
    which count where the function names no status itself.
    """
    leaves = jax.tree_util.tree_flatten_with_path(result, is_leaf=_is_result)[0]
    if not leaves:
        raise ValueError(f"`function` must return arrays or numbers, but returns {result!r}")
    found: dict[str, _Labelled] = {}
    statuses = []
    for path, leaf in leaves:
        prefix = "_".join(_word(key) for key in path)
        if _is_result(leaf):
            statuses.append(_first_of(leaf.status))
            new = dict(_of_result(leaf, prefix, axes))
        else:
            new = {_identifier(prefix or VALUE): _of_leaf(_identifier(prefix or VALUE), leaf)}
        twice = sorted({name for name in new if name in found or name == "scan_record"})
        if twice:
            raise ValueError(f"`function` must return results with names of their own, but has {twice[0]!r}")
        found |= new
    own, well, finite = found.pop("status", None), found.get("converged"), jnp.asarray(True)
    for name, label in found.items():
        # What is not finite in a result of the library is judged by its own status.
        if label.units is None and name not in RESERVED and jnp.issubdtype(label.value.dtype, jnp.inexact):
            finite &= jnp.all(jnp.isfinite(label.value))
    statuses += [_first_of(status) for status in inner] if own is None else [own.value]
    statuses.append(status_if(~finite, Status.not_finite))
    if well is not None:
        statuses.append(status_if(~jnp.all(well.value), Status.not_converged))
    return found, first_problem(*statuses)


def _first_of(status: Any) -> Any:
    """Of a result that has a status for each of its points the first that is not ok."""
    each = jnp.ravel(status)
    return each[jnp.argmax(each != int(Status.ok))]


def _is_result(leaf: Any) -> bool:
    return isinstance(leaf, AbstractResult)


def _of_result(result: AbstractResult, prefix: str, axes: tuple[str, ...]) -> Iterator[tuple[str, _Labelled]]:
    """The labelled arrays of a result and the numbers that it counts; names that an axis has begin with "result_"."""

    def own(name: str) -> str:
        name = _identifier(f"{prefix}_{name}" if prefix else name)
        return f"result_{name}" if name in (*axes, "status") else name

    for name, label in quantities(result).items():
        value = jnp.asarray(getattr(result, name))
        added = tuple(f"{own(name)}_{n}" for n in range(value.ndim - len(label.dims)))
        dims = (*added, *(own(dim) for dim in label.dims))
        yield own(name), _Labelled(value, dims, label.units, label.long_name, label.codes)
    for name, count in result.stats.items():
        if np.ndim(count) == 0:
            yield own(name), _Labelled(jnp.asarray(count), (), "1")


def _of_leaf(name: str, leaf: Any) -> _Labelled:
    if not isinstance(leaf, NUMBERS):
        raise ValueError(f"`function` must return arrays or numbers, but `{name}` is of type {type(leaf).__name__}")
    value = jnp.asarray(leaf)
    if not (jnp.issubdtype(value.dtype, jnp.number) or value.dtype == bool):
        raise ValueError(f"`function` must return arrays or numbers, but `{name}` is of type {value.dtype}")
    if name in ("status", "steps") and value.shape != ():
        raise ValueError(f"`{name}` must be one number for each lane, but has shape {value.shape}")
    long_name = "value of the function" if name == VALUE else None
    return _Labelled(value, tuple(f"{name}_{n}" for n in range(value.ndim)), None, long_name)


def _identifier(name: str) -> str:
    return name if name.isidentifier() else f"{VALUE}_{name}"


def _word(key: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)
