"""Every exact check of the library with its measured error: the source of docs/validation.md, and of the tests."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jaxthermo.validation import brownian as validation_brownian
from jaxthermo.validation import finite as validation_finite
from jaxthermo.validation import networks as validation_networks
from jaxthermo.validation import rings as validation_potts


@dataclass(frozen=True)
class Check:
    """One exact statement: `measure` returns its largest error, which must not exceed `tolerance`."""

    system: str
    statement: str
    tolerance: float
    measure: Callable[[], float]


SYSTEMS = {
    "Potts ring": validation_potts.CHECKS,
    "Ring of N units": validation_finite.CHECKS,
    "Brownian oscillator": validation_brownian.CHECKS,
    "Units and reservoirs": validation_networks.CHECKS,
}
CHECKS = tuple(Check(system, *row) for system, rows in SYSTEMS.items() for row in rows)

HEADER = """# Validation

Every row is an exact statement, checked by running it. Errors are absolute, or relative where the statement says so.
Written by `jaxthermo validate`; the test suite runs the same checks.

| system | statement | largest error | tolerance | holds |
|---|---|---|---|---|
"""


def write(path: Path | None) -> bool:
    """Run every check, print the table, write it to `path` if given; whether all of them hold."""
    from rich.console import Console

    console = Console()
    rows, all_hold = [], True
    for check in CHECKS:
        error = check.measure()
        holds = error <= check.tolerance
        all_hold &= holds
        rows.append(
            f"| {check.system} | {check.statement} | {error:.1e} | {check.tolerance:.0e} | {'yes' if holds else 'NO'} |"
        )
        console.print(
            f"{'ok  ' if holds else 'FAIL'} {error:.1e} <= {check.tolerance:.0e}  {check.statement}", markup=False
        )
    if path is not None:
        path.write_text(HEADER + "\n".join(rows) + "\n")
    return all_hold
