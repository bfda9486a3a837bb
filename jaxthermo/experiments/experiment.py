"""Experiments from files: a model, a quantity and axes, checked whole before anything is built."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxthermo.experiments.functions import CYCLE, ENDS, RATES, RING, build
from jaxthermo.experiments.schema import (
    MOST_LANES,
    Check,
    Text,
    Troubles,
    axis,
    integer,
    number,
    numbers,
    path_name,
    read,
    table,
    true_or_false,
    word,
)
from jaxthermo.scans.axes import UNITS

POSITIVE = number(above=0.0)

POTTS: dict[str, Check] = {
    "q": integer(2, 1000),
    "coupling": number(),
    "force": number(),
    "prefactor": POSITIVE,
    "rates": word(*RATES),
}
CLASSICAL: dict[str, Check] = {
    "potential": numbers(32),
    "strength": number(),
    "mass": POSITIVE,
    "hbar": POSITIVE,
    "grid": lambda value: None if isinstance(value, dict) else "must be a table of q_max, dq, p_max, dp",
}
QUANTUM = CLASSICAL | {"poles": integer(0, 20), "depth": integer(0, 20)}
GRID = {name: POSITIVE for name in ("q_max", "dq", "p_max", "dp")}
SCAN: dict[str, Check] = {"store": path_name, "chunk": integer(1, MOST_LANES), "precision": word("single")}


class Kind(NamedTuple):
    """A kind of model: its settings, and those it needs unless they are axes."""

    settings: dict[str, Check]
    needed: tuple[str, ...]


class Quantity(NamedTuple):
    """What is computed: of which models, with which settings, over which axes; `needed` must be either."""

    kinds: tuple[str, ...]
    settings: dict[str, Check]
    axes: tuple[str, ...]
    needed: tuple[str, ...]


# As `jt.scan` takes them: values by name, and columns by the names of axes that go together.
Axes = dict[str | tuple[str, ...], np.ndarray | tuple[np.ndarray, ...]]


class Experiment(NamedTuple):
    """A checked experiment.

    axes       what it is computed over
    store      the folder of its results
    chunk      lanes at a time; None: chosen
    precision  "single", or None for that of jax
    function   makes what is scanned, which may take a while
    text       the file, for messages
    """

    axes: Axes
    store: Path
    chunk: int | None
    precision: str | None
    function: Callable[[], Callable[..., object]]
    text: Text


KINDS = {
    "potts": Kind(POTTS, ("q",)),
    "classical_oscillator": Kind(CLASSICAL, ("potential", "strength")),
    "quantum_oscillator": Kind(QUANTUM, ("potential", "strength")),
}
OSCILLATORS = ("classical_oscillator", "quantum_oscillator")
FIXED = {name: POSITIVE if name.startswith(("beta", "period")) else number() for name in (*CYCLE, *ENDS)}
QUANTITIES = {
    "stationary_work": Quantity(
        ("potts",), {"beta": number(least=0.0), "max_rounds": integer(1, 10_000)}, ("beta", *RING), ("beta",)
    ),
    "fold": Quantity(("potts",), {}, RING, ()),
    "cycle_work": Quantity(
        OSCILLATORS,
        {name: FIXED[name] for name in CYCLE} | {"points": integer(1, 1000), "steps": integer(1, 10_000)},
        (*CYCLE, "strength"),
        CYCLE[:-1],
    ),
    "minimum_work": Quantity(
        OSCILLATORS,
        {name: FIXED[name] for name in ENDS}
        | {"order": integer(1, 20), "horizon": POSITIVE, "dt": POSITIVE, "jumps": true_or_false},
        ENDS,
        ENDS,
    ),
}
TABLES = ("model", "quantity", "axes", "zipped", "scan")


def load(path: Path) -> Experiment:
    """The experiment that the TOML file at `path` describes.

    Raises     ConfigError that names file, line and key of all that is wrong; OSError
    """
    given, text = read(path)
    scan = given.get("scan", {})
    with Troubles() as troubles:
        with troubles.noted():
            table(text, (), given, dict.fromkeys(TABLES, lambda value: None))
        with troubles.noted():
            table(text, ("scan",), scan, SCAN)
        with troubles.noted():
            model, kind, settings, quantity = _asked_for(text, given)
            axes = _axes(text, given, quantity, kind.settings | quantity.settings, troubles)
            _check_settings(text, given, kind, quantity, troubles)
    flat = _flat(axes)
    store = path.parent / scan.get("store", f"{path.stem}.zarr")
    fixed = {name: float(value) for name, value in settings.items() if name in quantity.axes}
    function = partial(build, model, settings, fixed, flat)
    return Experiment(axes, store, scan.get("chunk"), scan.get("precision"), function, text)


def _asked_for(text: Text, given: dict[str, Any]) -> tuple[dict[str, Any], Kind, dict[str, Any], Quantity]:
    """The tables of model and quantity, with what is known of both, on which all else depends."""
    with Troubles() as troubles:
        with troubles.noted():
            model, kind = _chosen(text, given, "model", "kind", KINDS)
        with troubles.noted():
            settings, quantity = _chosen(text, given, "quantity", "name", QUANTITIES)
    if model["kind"] not in quantity.kinds:
        raise text.error(("quantity", "name"), f"must be of {' or '.join(quantity.kinds)}, but is of {model['kind']}")
    return model, kind, settings, quantity


def _check_settings(text: Text, given: dict[str, Any], kind: Kind, quantity: Quantity, troubles: Troubles) -> None:
    """Add what is wrong with the tables of model and quantity: each number is set there or is an axis."""
    model, settings = given["model"], given["quantity"]
    over = {str(name) for part in ("axes", "zipped") for name in given.get(part, {})}
    for where, part in (("model", model), ("quantity", settings)):
        for name in sorted(over & part.keys()):
            troubles.add(text.error((where, name), "must not be set, since it is an axis"))
    with troubles.noted():
        table(text, ("model",), model, {"kind": word(*KINDS)} | kind.settings, tuple(sorted(set(kind.needed) - over)))
    with troubles.noted():
        table(text, ("quantity",), settings, {"name": word(*QUANTITIES)} | quantity.settings)
    if isinstance(model.get("grid"), dict):
        with troubles.noted():
            table(text, ("model", "grid"), model["grid"], GRID, tuple(GRID))
    for name in quantity.needed:
        if name not in over and name not in settings:
            troubles.add(text.error(("quantity", name), "is missing; give it here or as an axis"))


def _chosen(
    text: Text, given: dict[str, Any], name: str, key: str, known: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    """A table and the entry of `known` that its `key` names."""
    part = given.get(name)
    if part is None:
        raise text.error((name,), "is missing")
    if not isinstance(part, dict):
        raise text.error((name,), "must be a table")
    if key not in part:
        raise text.error((name, key), f"is missing; known are {', '.join(known)}")
    chosen = part[key]
    if not isinstance(chosen, str) or chosen not in known:
        raise text.error((name, key), word(*known)(chosen) or "must be a word")
    return part, known[chosen]


def _axes(text: Text, given: dict[str, Any], quantity: Quantity, bounds: dict[str, Check], troubles: Troubles) -> Axes:
    """The axes as `jt.scan` takes them: those of [axes] one by one, those of [zipped] together."""
    apart, together = given.get("axes", {}), given.get("zipped", {})
    for name, part in (("axes", apart), ("zipped", together)):
        if not isinstance(part, dict):
            raise text.error((name,), "must be a table")
    if not apart and not together:
        raise text.error(("axes",), "is missing or empty; an axis is a list, or a table of start, stop and count")

    def values_of(name: str, one: str, value: object) -> np.ndarray:
        if one not in quantity.axes:
            raise text.error((name, one), f"is no axis of this quantity; known are {', '.join(quantity.axes)}")
        if name == "zipped" and one in apart:
            raise text.error((name, one), "is an axis already")
        values = axis(text, (name, one), value, UNITS[one])
        trouble = bounds[one](float(values.min())) or bounds[one](float(values.max()))
        if trouble is not None:
            raise text.error((name, one), trouble)
        return values

    axes: Axes = {}
    columns: dict[str, np.ndarray] = {}
    for one, value in apart.items():
        with troubles.noted():
            axes[one] = values_of("axes", one, value)
    for one, value in together.items():
        with troubles.noted():
            columns[one] = values_of("zipped", one, value)
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        troubles.add(text.error(("zipped",), f"must have axes of one length, but has {sorted(lengths)}"))
    if columns:
        axes[tuple(columns)] = tuple(columns.values())
    lanes = math.prod(len(values) for values in axes.values() if not isinstance(values, tuple)) * max(
        lengths, default=1
    )
    if lanes > MOST_LANES:
        troubles.add(text.error(("axes",), f"must make at most {MOST_LANES:.0e} lanes, but makes {lanes:.3g}"))
    return axes


def _flat(axes: Axes) -> dict[str, np.ndarray]:
    """Every axis by its own name."""
    flat: dict[str, np.ndarray] = {}
    for key, values in axes.items():
        names, columns = (key, values) if isinstance(values, tuple) else ((key,), (values,))
        flat |= {str(name): column for name, column in zip(names, columns, strict=True)}
    return flat
