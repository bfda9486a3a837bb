"""Stationary cycles and the potentials along them, as labelled datasets."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray

from jaxthermo.brownian import PeriodicRun, run_cycle
from jaxthermo.papers.engine.data import (
    CYCLES,
    FINE_TOLERANCE,
    TABLE_4,
    TOLERANCE,
    cycle_settings,
    on_the_papers_mesh,
    oscillator,
)
from jaxthermo.papers.labels import labelled
from jaxthermo.protocols import StirlingCycle
from jaxthermo.search import potentials
from jaxthermo.search.potential_range import potential_around

# Saved times in each piece of a cycle: the inferred one has many short pieces.
POINTS, COARSE_POINTS = {"own": 20, "inferred": 20}, {"own": 20, "inferred": 10}
# Parts of a cycle at whose ends the potential is searched for, order of the protocols, time step: the paper's, and few.
SEARCHES, COARSE_SEARCHES = (20, 5, 0.1), (8, 2, 0.25)
SERIES = ["x", "X", "U", "H", "cumulative_heat", "cumulative_work_int", "cumulative_work_ext"]
SERIES += ["cumulative_heat_int", "cumulative_heat_ext", "beta"]


def _tolerance(kind: str, strength: float, cycle: str, full: bool) -> float:
    """A first look finds each work of the inferred cycle to the same share of half a digit of Table 4."""
    if cycle == "own":
        return TOLERANCE
    wider = TABLE_4[kind, strength].rounding / min(printed.rounding for printed in TABLE_4.values())
    return min(TOLERANCE, FINE_TOLERANCE * (1.0 if full else wider))


def _points(cycle: str, full: bool) -> int:
    return (POINTS if full else COARSE_POINTS)[cycle]


@functools.lru_cache(maxsize=8)
def run_of(kind: str, strength: float, cycle: str, full: bool) -> PeriodicRun:
    """A cycle with its states; the last ones are kept, since searches and mixtures start from them."""
    schedule, model = CYCLES[cycle](), oscillator(kind, strength, full)
    return run_cycle(
        model, schedule, _tolerance(kind, strength, cycle, full), points=_points(cycle, full), keep_states=True
    )


def cycle_of(kind: str, strength: float, cycle: str, full: bool) -> xarray.Dataset:
    """One stationary cycle."""
    run = run_of(kind, strength, cycle, full)
    dataset = run.to_dataset().drop_vars(["V", "members"], errors="ignore")
    return dataset.assign_attrs(kind=kind, strength=strength, cycle=cycle)


def potentials_of(kind: str, strength: float, cycle: str, full: bool) -> xarray.Dataset:
    """The potentials along that cycle, out of equilibrium and in it.

    `U_equilibrium` and `X_equilibrium` are the extensive variables of the equilibrium at the cycle's (beta, x), from
    the derivatives of the quasi-static Planck potential.
    """
    run = run_of(kind, strength, cycle, full)
    points, order, dt = SEARCHES if full else COARSE_SEARCHES
    searched = potentials(run, points=points, order=order, dt=dt).to_dataset()
    beta, x = np.asarray(run.beta), np.asarray(run.x)
    potential = potential_around(run.oscillator, beta, x)
    in_beta, in_x = (np.asarray(part) for part in _slopes(potential, jnp.asarray(beta), jnp.asarray(x)))
    X = in_x / beta
    words = "of the equilibrium at the cycle's beta and x"
    more = labelled(
        {
            "X_equilibrium": ("time", X, "X", f"X {words}"),
            "U_equilibrium": ("time", x * X - in_beta, "energy", f"U {words}"),
        },
        {},
    )
    series = run.to_dataset()[SERIES]
    merged = searched.merge(series, combine_attrs="override").merge(more.drop_vars("time", errors="ignore"))
    solves = int(searched.attrs.get("solves", 0))
    return merged.assign_attrs(searched.attrs | {"kind": kind, "strength": strength, "cycle": cycle, "solves": solves})


@jax.jit
def _slopes(potential: Any, betas: jax.Array, fields: jax.Array) -> tuple[jax.Array, jax.Array]:
    """d Xi/d beta at fixed x, and d Xi/dx at fixed beta."""
    return jax.vmap(jax.grad(lambda beta, x: potential(beta, x), argnums=(0, 1)))(betas, fields)


def work_on_the_papers_mesh(kind: str, strength: float, cycle: str) -> xarray.Dataset:
    """The work of one cycle with the paper's depth and steps."""
    tolerance = _tolerance(kind, strength, cycle, full=True)
    run = run_cycle(on_the_papers_mesh(kind, strength), CYCLES[cycle](), tolerance, points=4)
    return labelled({"work": ((), run.work, "energy", "work per cycle")}, {}).assign_attrs(status=run.outcome)


def slower(cycle: StirlingCycle) -> StirlingCycle:
    """The same with isothermal strokes of twice the length.

    A ramp begins and ends at the same share of a stroke, be it a neighbour of its own.
    """
    stretch = np.array([2.0, 1.0, 2.0, 1.0])
    lengths = np.asarray(cycle.period * cycle.strokes) * stretch
    period, ramps = float(lengths.sum()), cycle.ramps
    if ramps is not None:
        # Both neighbours of a stroke are stretched alike.
        inside = np.clip(ramps, 0.0, 1.0)
        ramps = inside + (ramps - inside) * (np.roll(stretch, 1) / stretch)[:, None]
    return StirlingCycle(cycle.beta_hot, cycle.beta_cold, cycle.x_start, cycle.x_end, period, lengths / period, ramps)


def entropy_when_slower(strength: float, full: bool) -> xarray.Dataset:
    """Entropy produced in our cycle, and with isothermal strokes of twice the length; classical."""
    own = run_of("classical", strength, "own", full)
    # Saved times and states as there, so that one program serves both.
    long = run_cycle(own.oscillator, slower(CYCLES["own"]()), TOLERANCE, points=own.points, keep_states=True)
    runs = (own, long)
    produced = [float(run.cumulative_work_int[-1]) for run in runs]
    variables = {"entropy_produced": ("isothermal", produced, "k_B", "entropy produced per cycle")}
    coords = {"isothermal": ("isothermal", [1.0, 2.0], "1", "length of the isothermal strokes")}
    return labelled(variables, coords)


def settings_of(kind: str, strength: float, cycle: str, full: bool) -> dict[str, Any]:
    """What the numbers of one case depend on."""
    grid = oscillator(kind, strength, full).grid
    assert grid is not None
    return {
        "kind": kind,
        "strength": strength,
        "cycle": cycle_settings(cycle),
        "mesh": [float(grid.q_max), float(grid.dq), float(grid.p_max), float(grid.dp)],
        "depth": int(oscillator(kind, strength, full).bath.depth or 0) if kind == "quantum" else 0,
        "tolerance": _tolerance(kind, strength, cycle, full),
        "searches": list(SEARCHES if full else COARSE_SEARCHES),
        "points": _points(cycle, full),
    }
