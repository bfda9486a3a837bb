"""Every exact check of the library with its measured error: the source of docs/validation.md, and of the tests."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jaxthermo.validation import (
    brownian as validation_brownian,
    engines as validation_engines,
    finite as validation_finite,
    networks as validation_networks,
    rings as validation_potts,
)


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
    "Baths and engines": validation_engines.CHECKS,
    "Units and reservoirs": validation_networks.CHECKS,
}
CHECKS = tuple(Check(system, *row) for system, rows in SYSTEMS.items() for row in rows)

HEADER = """# Validation

Every row is an exact statement, checked by running it. Errors are absolute, or relative where the statement says so.
Written by `jaxthermo validate`; the test suite runs the same checks.

| system | statement | largest error | tolerance | holds |
|---|---|---|---|---|
"""


def write(path: Path | None, as_json: bool = False) -> bool:
    """Run every check, print the table or JSON, write the table to `path` if given; whether all of them hold."""
    from rich.console import Console

    console = Console()
    measured = []
    for check in CHECKS:
        measured.append((check, check.measure()))
        if not as_json:
            console.print(_line(*measured[-1]), markup=False)
    if as_json:
        print(json.dumps([_entry(*one) for one in measured], indent=2))
    if path is not None:
        path.write_text(HEADER + "\n".join(_row(*one) for one in measured) + "\n")
    return all(_holds(*one) for one in measured)


def _holds(check: Check, error: float) -> bool:
    return error <= check.tolerance


def _line(check: Check, error: float) -> str:
    word = "ok  " if _holds(check, error) else "FAIL"
    return f"{word} {error:.1e} <= {check.tolerance:.0e}  {check.statement}"


def _row(check: Check, error: float) -> str:
    word = "yes" if _holds(check, error) else "NO"
    return f"| {check.system} | {in_cell(check.statement)} | {error:.1e} | {check.tolerance:.0e} | {word} |"


def in_cell(statement: str) -> str:
    """A statement in a table of Markdown, where a bar ends the cell and a mean value may be taken for a tag."""
    return re.sub(r"<[^<>|]+>", r"`\g<0>`", statement.replace("|", r"\|"))


def _entry(check: Check, error: float) -> dict[str, str | float | bool]:
    names = {"system": check.system, "statement": check.statement}
    return {**names, "tolerance": check.tolerance, "error": error, "holds": _holds(check, error)}
