"""What an experiment computes: the library's verbs as functions of named numbers, by the names that files use."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxthermo.brownian import (
    Oscillator,
    PhaseGrid,
    Polynomial,
    classical_oscillator,
    equilibrium,
    quantum_oscillator,
    resolved,
    run_cycle,
)
from jaxthermo.jumps.rates import AbstractRates, Arrhenius, Glauber, Metropolis
from jaxthermo.potts import PottsRing, fold, stationary
from jaxthermo.protocols import StirlingCycle
from jaxthermo.search import minimum_work, potential_around

RATES: dict[str, Callable[[], AbstractRates]] = {"arrhenius": Arrhenius, "glauber": Glauber, "metropolis": Metropolis}
RING = ("coupling", "force", "prefactor")
CYCLE = ("beta_hot", "beta_cold", "x_start", "x_end", "period")
ENDS = ("beta_start", "x_start", "beta", "x")
# Of a ring and of a cycle that name none.
USUAL = {"coupling": -1.0, "force": 1.0, "prefactor": 1.0, "period": 20.0}

Table = dict[str, Any]
# Called with the axes as keywords; what is no axis, the function holds.
Function = Callable[..., object]


def build(model: Table, settings: Table, fixed: Table, axes: Table) -> Function:
    """The function to be scanned over these axes; `fixed` are arguments of it that the experiment holds."""
    function = FUNCTIONS[settings["name"]](model, settings, USUAL | fixed, axes)
    function.__name__ = settings["name"]
    return function


def _ring(model: Table, values: Table) -> PottsRing:
    numbers = USUAL | model | values
    rates = RATES[model.get("rates", "arrhenius")]()
    return PottsRing(model["q"], **{name: numbers[name] for name in RING}, rates=rates)


def _stationary_work(model: Table, settings: Table, held: Table, axes: Table) -> Function:
    rounds = {name: settings[name] for name in ("max_rounds",) if name in settings}

    def function(**varied: Array) -> object:
        return stationary(_ring(model, varied), (held | varied)["beta"], **rounds)

    return function


def _fold(model: Table, settings: Table, held: Table, axes: Table) -> Function:
    return lambda **varied: fold(_ring(model, varied))


def _oscillator(model: Table, betas: list[float], fields: list[float], axes: Table) -> Oscillator:
    """With a grid and a depth for all lanes, of which those of the strongest coupling reach furthest."""
    strength = max(map(float, axes["strength"]), key=abs) if "strength" in axes else model["strength"]
    extra = {name: model[name] for name in ("mass", "hbar", "poles", "depth") if name in model}
    make = quantum_oscillator if model["kind"] == "quantum_oscillator" else classical_oscillator
    grid = PhaseGrid(**model["grid"]) if "grid" in model else None
    return resolved(make(Polynomial(model["potential"]), strength, grid=grid, **extra), betas, fields)


def _extremes(names: tuple[str, ...], held: Table, axes: Table) -> list[float]:
    """The least and the largest value that any of these may have."""
    values = [float(v) for name in names for v in (axes[name] if name in axes else [held[name]])]
    return [min(values), max(values)]


def _cycle_work(model: Table, settings: Table, held: Table, axes: Table) -> Function:
    betas, fields = (_extremes(names, held, axes) for names in (CYCLE[:2], CYCLE[2:4]))
    oscillator = _oscillator(model, betas, fields, axes)
    chosen = {name: settings[name] for name in ("points", "steps") if name in settings}

    def function(**varied: Array) -> object:
        engine = oscillator
        if "strength" in varied:
            engine = eqx.tree_at(lambda o: o.bath.strength, oscillator, jnp.asarray(varied["strength"]))
        numbers = held | varied
        return run_cycle(engine, StirlingCycle(*(numbers[name] for name in CYCLE)), **chosen)

    return function


def _minimum_work(model: Table, settings: Table, held: Table, axes: Table) -> Function:
    betas, fields = (_extremes(names, held, axes) for names in (("beta_start", "beta"), ("x_start", "x")))
    oscillator = _oscillator(model, betas, fields, axes)
    potential = potential_around(oscillator, np.array(betas)[:, None], np.array(fields))
    chosen = {name: settings[name] for name in ("order", "horizon", "dt", "jumps") if name in settings}

    def function(**varied: Array) -> object:
        numbers = held | varied
        beta_start, x_start, beta, x = (numbers[name] for name in ENDS)
        start = equilibrium(oscillator, beta_start, x_start)
        return minimum_work(oscillator, start, beta, x, potential=potential, **chosen)

    return function


FUNCTIONS: dict[str, Callable[[Table, Table, Table, Table], Function]] = {
    "stationary_work": _stationary_work,
    "fold": _fold,
    "cycle_work": _cycle_work,
    "minimum_work": _minimum_work,
}
