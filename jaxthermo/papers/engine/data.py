"""The numbers behind Figs. 3 and 5 and Table 4 of Koyanagi & Tanimura 2024, as labelled datasets."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import xarray

from jaxthermo.brownian import OhmicBath, PhaseGrid, Polynomial, classical_oscillator, quantum_oscillator, run_cycle
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.papers.engine.cycle_inference import cycle_from
from jaxthermo.protocols import StirlingCycle
from jaxthermo.search import potentials

# U = 0.1 q^2 + 0.02 q^3 + 0.05 q^4, Eq. (44).
POTENTIAL = (0.0, 0.0, 0.1, 0.02, 0.05)
STRENGTHS = (0.5, 1.0, 1.5)
KINDS = ("classical", "quantum")
POLES = 2
# Of the work per cycle, relative to the energy span of the cycle.
TOLERANCE, QUICK_TOLERANCE = 1e-5, 2e-4


@dataclass(frozen=True)
class Printed:
    """Work per cycle in Table 4, and half a unit of its last digit."""

    work: float
    rounding: float


TABLE_4 = {
    ("classical", 0.5): Printed(-1.44e-2, 5e-5),
    ("classical", 1.0): Printed(-5.77e-3, 5e-6),
    ("classical", 1.5): Printed(1.01e-2, 5e-5),
    ("quantum", 0.5): Printed(-1.07e-2, 5e-5),
    ("quantum", 1.0): Printed(-3.09e-3, 5e-6),
    ("quantum", 1.5): Printed(1.10e-2, 5e-5),
}

# Points of a cycle at which the non-equilibrium potential is searched for, as in the paper, and how.
SEARCHES, QUICK_SEARCHES = 20, 4
SEARCH_GRID, SEARCH_DEPTH, SEARCH_STEP = PhaseGrid(5.6, 0.35, 10.0, 0.5), 2, 0.1

# One mesh and one depth for every coupling of a quick run, so that its cycles compile once.
QUICK_GRID, QUICK_DEPTH = PhaseGrid(6.0, 0.35, 12.0, 0.5), 2

# Table 3: depth N and mesh (dq, dp); the ranges are ours. In our frame a depth of 4 has a smaller error than the
# paper's 6 to 8 in the original one (docs/brownian.md), but the paper's numbers are kept.
DEPTHS = {0.5: 6, 1.0: 7, 1.5: 8}
MOMENTUM_STEPS = {0.5: 0.4, 1.0: 0.5, 1.5: 0.6}


def our_cycle() -> StirlingCycle:
    """A cycle of our own: the profiles of the paper's Fig. 2 are not known to us as numbers."""
    return StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)


# What `jaxthermo infer-protocol` found, in the order of `cycle_inference.PARAMETERS`; one of many that fit.
INFERRED = (
    *(0.46785, 2.73, 0.25668, 0.048188, 0.3058, 0.24915, 0.45494),
    *(0.22388, 1.1512, 0.16845, 0.83448, 0.42569, 1.8439, 0.26885, 0.90575),
)


def inferred_cycle() -> StirlingCycle:
    """A cycle with the six works of Table 4 (symmetric thermostat, K = 2); inferred, not the paper's own."""
    return cycle_from(jnp.asarray(INFERRED))


def oscillator(kind: str, strength: float, quick: bool = False, thermostat: str = "symmetric") -> Oscillator:
    """The paper's oscillator on the paper's mesh; `quick` takes one coarse mesh for all, and a depth of 2."""
    potential = Polynomial(POTENTIAL)
    if kind == "classical":
        return classical_oscillator(potential, strength, QUICK_GRID if quick else PhaseGrid(6.0, 0.25, 12.0, 0.25))
    dp = MOMENTUM_STEPS[strength]
    bath = OhmicBath(strength, POLES, QUICK_DEPTH if quick else DEPTHS[strength], thermostat=thermostat)
    return quantum_oscillator(potential, bath, grid=QUICK_GRID if quick else PhaseGrid(6.0, 0.3, 30 * dp, dp))


def settings_of(kind: str, strength: float, quick: bool) -> dict[str, Any]:
    """What the numbers of one coupling depend on, beside the cycle."""
    grids = (oscillator(kind, strength, quick).grid, SEARCH_GRID)
    return {
        "kind": kind,
        "strength": strength,
        "meshes": [[grid.q_max, grid.dq, grid.p_max, grid.dp] for grid in grids if grid is not None],
        "depths": [QUICK_DEPTH if quick else DEPTHS[strength], SEARCH_DEPTH],
        "tolerance": QUICK_TOLERANCE if quick else TOLERANCE,
        "searches": [QUICK_SEARCHES if quick else SEARCHES, SEARCH_STEP],
    }


def cycle_settings(cycle: StirlingCycle) -> list[float]:
    """The numbers of a cycle."""
    leaves = jax.tree.leaves(cycle)
    return [float(value) for leaf in leaves for value in jnp.ravel(leaf)]


def potentials_of(kind: str, strength: float, cycle: StirlingCycle, quick: bool = False) -> xarray.Dataset:
    """One stationary cycle with its potentials at SEARCHES points, on a mesh that the searches can afford."""
    model = eqx.tree_at(lambda o: o.grid, oscillator(kind, strength), SEARCH_GRID)
    if kind == "quantum":
        bath = OhmicBath(strength, POLES, SEARCH_DEPTH)
        model = eqx.tree_at(lambda o: o.bath, model, bath)
    tolerance = QUICK_TOLERANCE if quick else TOLERANCE
    run = run_cycle(model, cycle, tol=tolerance, points=2 if quick else 5, keep_states=True)
    points, order = (QUICK_SEARCHES, 2) if quick else (SEARCHES, 5)
    searched = potentials(run, points=points, order=order, dt=SEARCH_STEP).to_dataset()
    series = run.to_dataset()[["beta", "cumulative_work_int"]]
    return searched.merge(series, combine_attrs="override").assign_attrs(kind=kind, strength=strength)


def cycle_of(kind: str, strength: float, cycle: StirlingCycle, quick: bool = False) -> xarray.Dataset:
    """One stationary cycle."""
    run = run_cycle(oscillator(kind, strength, quick), cycle, tol=QUICK_TOLERANCE if quick else TOLERANCE)
    return run.to_dataset().drop_vars("V").assign_attrs(kind=kind, strength=strength)
