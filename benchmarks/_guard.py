"""A guard on ratios: a fresh record beside the committed one of the same device.

Seconds change with the load of a machine; ratios to a peer in the same run, shares of a counted floor and numbers of
solves do so far less.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# By this factor a number may be worse than before.
ALLOWED = 1.5


class Guarded(NamedTuple):
    """Columns that name a row, the column that is guarded, and whether more of it is better."""

    names: tuple[str, ...]
    column: str
    more_is_better: bool = True


GUARDED = {
    "equilibrium_cold": Guarded(("beta", "strength", "depth", "levels"), "ratio_to_library"),
    "equilibrium_vs_qutip": Guarded(("method", "depth", "levels", "q_points"), "ratio_to_library"),
    "floors": Guarded(("loop",), "of_floor"),
    "gillespie": Guarded(("units", "method"), "ratio_to_library"),
    "minimum_work": Guarded(("time",), "solves", more_is_better=False),
    "potts_scan": Guarded(("q", "method"), "cpu_ratio_to_numba", more_is_better=False),
    "scan_throughput": Guarded(("case",), "cpu_ratio"),
    "stirling_cycle": Guarded(("method", "strength", "depth"), "ratio_to_rk4"),
}


def worse(name: str, rows: Sequence[dict[str, Any]], folder: Path) -> list[str]:
    """What is worse than in the record that the folder holds, a sentence each; nothing where it holds none."""
    record = folder / f"{name}.json"
    if name not in GUARDED or not record.exists():
        return []
    names, column, more_is_better = GUARDED[name]
    before = dict(_numbers(json.loads(record.read_text())["rows"], names, column))
    found = []
    for row, value in _numbers(rows, names, column):
        old = before.get(row)
        if old is not None and (value * ALLOWED < old if more_is_better else value > ALLOWED * old):
            found.append(f"{', '.join(map(str, row))}: {column} is {value:.3g}, was {old:.3g}")
    return found


def _numbers(
    rows: Sequence[dict[str, Any]], names: tuple[str, ...], column: str
) -> Iterator[tuple[tuple[Any, ...], float]]:
    """Each row's name and guarded number, where it has one."""
    for row in rows:
        if isinstance(row.get(column), int | float):
            yield tuple(row.get(name) for name in names), float(row[column])
