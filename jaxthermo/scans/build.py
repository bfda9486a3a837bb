"""What an experiment computes, built from its checked tables by nothing but the library's own functions."""

import functools
from collections.abc import Callable
from typing import Any

from jaxthermo.brownian import PhaseGrid, Polynomial, classical_oscillator, quantum_oscillator
from jaxthermo.brownian.automatic import resolved
from jaxthermo.jumps.rates import AbstractRates, Arrhenius, Glauber, Metropolis
from jaxthermo.protocols import StirlingCycle
from jaxthermo.scans.quantities import Function, cycle_work, fold_point, minimum_work, stationary_work
from jaxthermo.scans.units import with_units

RATES: dict[str, Callable[[], AbstractRates]] = {"arrhenius": Arrhenius, "glauber": Glauber, "metropolis": Metropolis}
RING = ("coupling", "force", "prefactor")
CYCLE = ("beta_hot", "beta_cold", "x_start", "x_end", "period")
ENDS = ("beta_start", "x_start", "beta", "x")
# Of a cycle that names none.
PERIOD = 20.0

Table = dict[str, Any]


def build(model: Table, settings: Table, fixed: Table, axes: Table) -> Function:
    """The function to be scanned over these axes; `fixed` are arguments of it that the experiment holds."""
    builders = {"stationary_work": _stationary_work, "fold": _fold, "cycle_work": _cycle_work}
    return builders.get(settings["name"], _minimum_work)(model, settings, fixed, axes)


def _ring(model: Table) -> dict[str, Any]:
    own = {name: model[name] for name in ("q", *RING) if name in model}
    return own | {"rates": RATES[model.get("rates", "arrhenius")]()}


def _stationary_work(model: Table, settings: Table, fixed: Table, axes: Table) -> Function:
    rounds = {"max_rounds": settings["max_rounds"]} if "max_rounds" in settings else {}
    return _partly(stationary_work(**_ring(model), **rounds), fixed, axes)


def _fold(model: Table, settings: Table, fixed: Table, axes: Table) -> Function:
    return fold_point(**_ring(model))


def _oscillator(model: Table, betas: list[float], fields: list[float], axes: Table) -> Any:
    """With a grid and a depth for all lanes, of which those of the strongest coupling reach furthest."""
    strength = max(map(float, axes["strength"]), key=abs) if "strength" in axes else model["strength"]
    extra = {name: model[name] for name in ("mass", "hbar", "poles", "depth") if name in model}
    make = quantum_oscillator if model["kind"] == "quantum_oscillator" else classical_oscillator
    grid = PhaseGrid(**model["grid"]) if "grid" in model else None
    return resolved(make(Polynomial(model["potential"]), strength, grid=grid, **extra), betas, fields)


def _extremes(names: tuple[str, ...], fixed: Table, axes: Table) -> list[float]:
    """The least and the largest value that any of these may have."""
    values = [float(v) for name in names for v in ([fixed[name]] if name not in axes else axes[name])]
    return [min(values), max(values)]


def _cycle_work(model: Table, settings: Table, fixed: Table, axes: Table) -> Function:
    betas, fields = (_extremes(names, fixed, axes) for names in (CYCLE[:2], CYCLE[2:4]))
    start = {name: fixed.get(name, float(axes[name][0]) if name in axes else PERIOD) for name in CYCLE}
    chosen = {name: settings[name] for name in ("points", "steps") if name in settings}
    return cycle_work(_oscillator(model, betas, fields, axes), StirlingCycle(**start), **chosen)


def _minimum_work(model: Table, settings: Table, fixed: Table, axes: Table) -> Function:
    betas, fields = (_extremes(names, fixed, axes) for names in (("beta_start", "beta"), ("x_start", "x")))
    chosen = {name: settings[name] for name in ("order", "horizon", "dt", "jumps") if name in settings}
    return _partly(minimum_work(_oscillator(model, betas, fields, axes), betas, fields, **chosen), fixed, axes)


def _partly(function: Any, fixed: Table, axes: Table) -> Function:
    """The function with some arguments held, and the units it had."""
    held = {name: value for name, value in fixed.items() if name not in axes}
    partial: Any = functools.partial(function, **held)
    partial.__name__ = function.__name__
    return with_units(partial, **function.units)
