"""A phase grid and a depth of the hierarchy that are accurate for given temperatures and fields."""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from jaxthermo.brownian.bath import SwitchedBaths
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.brownian.reach import Reach, reach_of
from jaxthermo.checks import is_known, require_finite, require_positive

# How far a density and its Fourier transforms must have fallen at the ends of the grid.
FALLEN = 1e-9
# Room for what a drive does beyond equilibrium, and for the auxiliary members, which reach further than W_0.
MARGIN = 1.06
# Numbers of points to one side of 0. One compiled program serves all grids between two rungs; a fifth more points
# take up to 1.7 times as long, and half of that in the mean.
LADDER = (8, 10, 12, 15, 18, 22, 26, 31, 37, 44, 53, 63, 76, 91, 109, 131, 157, 189, 226, 271, 326, 391, 469, 563, 1000)

NO_GRID = (
    "`grid` must be given where jax traces the parameters: outside, write "
    "grid = jt.grid_for(oscillator, betas, fields) with all temperatures and fields to come, and make the oscillator "
    "with grid=grid"
)


def grid_for(oscillator: Any, betas: Any, fields: Any) -> PhaseGrid:
    """A phase grid that holds the equilibrium states at all these beta and x.

    Method     The range and the wavenumbers at which the states at the extreme temperatures and fields have fallen to
               1e-9, and 6 % more, see `reach_of`. The numbers of points are rungs of a ladder, so that few programs
               are compiled; what a rung has too many is shared between range and resolution
    Shapes     betas, fields: scalars or arrays
    Raises     ValueError that names the argument; if jax traces the values, or the potential does not confine
    Accuracy   X, <q^2>, <p^2> and U of an equilibrium to 1e-6 of their scale, and mostly to 1e-8

    The mesh is symmetric about q = 0: put the origin of q near the middle of the potential.
    """
    check_oscillator(oscillator)
    if not is_known(jax.tree.leaves((oscillator, betas, fields))):
        raise ValueError(NO_GRID)
    for name, values in (("betas", betas), ("fields", fields)):
        if np.size(values) == 0:
            raise ValueError(f"`{name}` must not be empty")
        require_finite(name, values)
    require_positive("betas", betas)
    widest = extremes(oscillator, betas, fields)
    q_side, p_side = rung(widest.q, widest.k), rung(widest.p, widest.y)
    dq, dp = step(q_side, widest.q, widest.k), step(p_side, widest.p, widest.y)
    return PhaseGrid(q_side * dq, dq, p_side * dp, dp)


def extremes(oscillator: Oscillator, betas: Any, fields: Any) -> Reach:
    """The furthest that a state at one of the extreme temperatures and fields reaches, with room to spare."""
    betas, fields = np.ravel(np.asarray(betas, dtype=float)), np.ravel(np.asarray(fields, dtype=float))
    if isinstance(oscillator.bath, SwitchedBaths):
        betas = np.concatenate([betas, np.asarray(oscillator.bath.betas)])
    corners = {(b, x) for b in (betas.min(), betas.max()) for x in (fields.min(), fields.max())}
    reaches = [reach_of(oscillator, float(beta), float(x), FALLEN) for beta, x in corners]
    return Reach(*(MARGIN * max(sizes) for sizes in zip(*reaches, strict=True)))


def rung(reach: float, wave: float) -> int:
    """The lowest number of points to one side that holds this range and these wavenumbers.

    Beyond the last rung range and resolution suffer, which the state's `edge` shows.
    """
    return next((side for side in LADDER if side >= reach * wave / np.pi), LADDER[-1])


def step(side: int, reach: float, wave: float) -> float:
    """The step that shares what a rung has too many between range and resolution."""
    return float(np.sqrt(reach / side * np.pi / wave))


def resolved(oscillator: Any, betas: Any, fields: Any) -> Any:
    """The oscillator with the grid and the depth filled in that were left open, for these temperatures and fields.

    Raises     ValueError as `grid_for`, where there is no grid
    """
    if oscillator.grid is not None:
        return oscillator
    grid = grid_for(oscillator, betas, fields)
    return eqx.tree_at(lambda o: o.grid, oscillator, grid, is_leaf=lambda leaf: leaf is None)
