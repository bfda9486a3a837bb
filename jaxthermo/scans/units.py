"""Units of the names that mean one thing throughout the library (k_B = 1)."""

import functools
from collections.abc import Callable
from typing import Any

UNKNOWN = "unknown"

UNITS = {
    "beta": "1/energy",
    "beta_hot": "1/energy",
    "beta_cold": "1/energy",
    "coupling": "energy",
    "force": "energy",
    "forward_force": "energy",
    "energy": "energy",
    "work_current": "energy/time",
    "heat_current": "energy/time",
    "entropy": "k_B",
    "entropy_production": "k_B/time",
    "occupation": "1",
    "null_vector": "1",
    "multipliers": "1",
    "residual": "1",
}


def with_units(function: Callable[..., Any], **units: str) -> Callable[..., Any]:
    """`function`, with the units of its arguments and results by name, for the labels of a scan.

    A bare number that the function returns is called `value`.
    """

    def labelled(**arguments: Any) -> Any:
        return function(**arguments)

    functools.update_wrapper(labelled, function)
    labelled.units = units  # type: ignore[attr-defined]
    return labelled
