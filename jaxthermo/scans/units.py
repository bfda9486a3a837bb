"""Units of the parameters that are scanned most, by name (k_B = 1), and of what functions say of their own."""

import functools
from collections.abc import Callable
from typing import Any

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


def with_units(function: Callable[..., object], **units: str) -> Callable[..., object]:
    """`function`, with the units of its arguments and results by name, for the labels of a scan.

    function   to be scanned
    units      by name; a bare number that the function returns is called `value`
    """

    def labelled(**arguments: Any) -> object:
        return function(**arguments)

    functools.update_wrapper(labelled, function)
    labelled.units = units  # type: ignore[attr-defined]
    return labelled
