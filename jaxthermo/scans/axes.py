"""The axes of a scan: named numbers that are varied, each by itself or several together, and their units (k_B = 1)."""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxthermo.checks import as_float

# Names of the dataset that an axis would collide with.
RESERVED = ("status", "steps", "scan_record")

UNKNOWN = "unknown"
UNITS = {
    "beta": "1/energy",
    "beta_start": "1/energy",
    "beta_hot": "1/energy",
    "beta_cold": "1/energy",
    "coupling": "energy",
    "force": "energy",
    "forward_force": "energy",
    "prefactor": "1/time",
    "x": "energy/X",
    "x_start": "energy/X",
    "x_end": "energy/X",
    "period": "time",
    "strength": "sqrt(mass/time)",
    "steps": "1",
    "converged": "1",
}


class Axes(NamedTuple):
    """Checked axes; made by `axes_for`.

    `groups` has one entry for each dimension of the result, the names that run along it; a dimension of several names
    is called after all of them, joined by "_". `units` has one entry for each name.
    """

    groups: tuple[tuple[str, ...], ...]
    values: dict[str, np.ndarray]
    units: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order given."""
        return tuple(name for group in self.groups for name in group)

    @property
    def dims(self) -> tuple[str, ...]:
        """One name for each dimension."""
        return tuple("_".join(group) for group in self.groups)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension."""
        return tuple(len(self.values[group[0]]) for group in self.groups)

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return math.prod(self.shape)

    def columns(self, index: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """The value of every name at lanes given by an index for each dimension."""
        which = zip(self.groups, index, strict=True)
        return tuple(self.values[name][i] for group, i in which for name in group)


def axes_for(function: Any, axes: Any) -> Axes:
    """The axes of `jt.scan`, checked against each other and against the function's parameters.

    Shapes     {name: values} for axes that are combined with all others; {(name, name): (values, values)} for axes of
               one length that run together
    Raises     ValueError that names the axis
    """
    if not callable(function):
        raise ValueError(f"`function` must be callable, but is {function!r}")
    if not isinstance(axes, Mapping) or not axes:
        raise ValueError(f"`axes` must be a dictionary of named values and not empty, but is {axes!r}")
    units = units_of(function)
    groups, values = [], {}
    for key, given in axes.items():
        group = (key,) if isinstance(key, str) else key
        if not isinstance(group, tuple) or not group or not all(isinstance(name, str) for name in group):
            raise ValueError(f"`axes` must have names, or tuples of names, as keys, but has {key!r}")
        for name, one in zip(group, _together(key, given), strict=True):
            if name in values:
                raise ValueError(f"`axes` must name {name!r} once, but names it twice")
            if name in RESERVED or not name.isidentifier():
                raise ValueError(f"`axes` must have Python names other than {', '.join(RESERVED)}, but has {name!r}")
            values[name] = _axis(name, one)
            units[name] = getattr(one, "attrs", {}).get("units", units.get(name, UNITS.get(name, UNKNOWN)))
        lengths = [len(values[name]) for name in group]
        if len(set(lengths)) > 1:
            raise ValueError(f"`axes` that run together must have one length, but {', '.join(group)} have {lengths}")
        groups.append(group)
    checked = Axes(tuple(groups), values, {name: str(units[name]) for name in values})
    if len(set(checked.dims) | set(checked.names)) < len(checked.dims) + sum(len(g) for g in groups if len(g) > 1):
        raise ValueError(f"`axes` must have names that stay apart when joined by _, but has {list(checked.names)}")
    _match(function, checked.names)
    return checked


def units_of(function: Any) -> dict[str, str]:
    """The units that a function says its arguments and results have, by its attribute `units`."""
    units = getattr(function, "units", {})
    return dict(units) if isinstance(units, Mapping) else {}


def _together(key: Any, given: Any) -> list[Any]:
    """One entry of values for each name."""
    if isinstance(key, str):
        return [given]
    parts = list(given) if isinstance(given, tuple | list | np.ndarray) else [given]
    if len(parts) != len(key):
        raise ValueError(f"`axes` must have {len(key)} arrays for {key!r}, but has {len(parts)}")
    return parts


def _axis(name: str, given: Any) -> np.ndarray:
    try:
        numbers = np.asarray(given)
        # Complex numbers and dates would lose their meaning as floats.
        values = np.asarray(as_float(numbers)) if numbers.dtype.kind in "biuf" else None
    except (TypeError, ValueError):
        values = None
    if values is None:
        raise ValueError(f"axis `{name}` must be an array of real numbers, but is {given!r}")
    if values.ndim == 0:
        raise ValueError(
            f"axis `{name}` must be an array of values, but is one number; what stays fixed belongs inside the "
            "function. jt.scan's own options are store, chunk, resume, devices, client and precision"
        )
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"axis `{name}` must be one-dimensional and not empty, but has shape {values.shape}")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"axis `{name}` must be finite, but has {values[~np.isfinite(values)][0]}")
    return values


def _match(function: Callable[..., Any], names: tuple[str, ...]) -> None:
    """Raise a ValueError unless the function can be called with exactly these keyword arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return
    by_keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = [p.name for p in parameters if p.kind in by_keyword]
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    unknown = [name for name in names if name not in known]
    if unknown and not open_ended:
        raise ValueError(f"`axes` must name keyword arguments of `function`, which are {known}, but names {unknown}")
    needed = [p.name for p in parameters if p.default is p.empty and p.kind in by_keyword and p.name not in names]
    needed += [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY and p.default is p.empty]
    if needed:
        raise ValueError(f"`axes` must give every argument of `function` without a default, but gives no {needed}")


def with_units(function: Callable[..., object], **units: str) -> Callable[..., object]:
    """`function`, with the units of its arguments and results by name, for the labels of a scan.

    function   to be scanned
    units      by name; a bare number that the function returns is called `value`

    Example
        >>> import jaxthermo as jt
        >>> temperature = jt.scans.with_units(lambda beta: 1.0 / beta, beta='1/energy', value='energy')
        >>> found = jt.scan(temperature, {'beta': [1.0, 2.0]})
        >>> found.value.attrs['units']
        'energy'
    """

    def labelled(**arguments: Any) -> object:
        return function(**arguments)

    functools.update_wrapper(labelled, function)
    labelled.units = units  # type: ignore[attr-defined]
    return labelled
