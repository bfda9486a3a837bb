"""A phase grid and a depth of the hierarchy that are accurate for given temperatures and fields."""

import math
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._status import Status
from jaxthermo._types import VectorLike
from jaxthermo.brownian.accuracy.promise import Growth
from jaxthermo.brownian.accuracy.reach import Reach, reach_of, roughness
from jaxthermo.brownian.bath import AbstractBath
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.checks import is_known, require_double_for, require_finite, require_positive
from jaxthermo.solve.lean import brief_jit
from jaxthermo.solve.progress import Line

# How far a density and its Fourier transforms must have fallen at the ends of the grid.
FALLEN = 1e-9
# Room for what a drive does beyond equilibrium, and for the auxiliary members, which reach further than W_0.
MARGIN = 1.06
# Numbers of points to one side of 0. One compiled program serves all grids between two rungs; a fifth more points
# take up to 1.7 times as long, and half of that in the mean.
LADDER = (
    8,
    10,
    12,
    15,
    18,
    22,
    26,
    31,
    37,
    44,
    53,
    63,
    76,
    91,
    109,
    131,
    157,
    189,
    226,
    271,
    326,
    391,
    469,
    563,
    676,
    811,
    1000,
)
# Error of the truncated hierarchy that is allowed, and what is measured of it, see `depth_for`.
TRUNCATED, PREFACTOR = 1e-6, 0.01
# Where two levels are enough, the third costs little, and is no other program than at lower temperatures.
LEAST_DEPTH, SAFE_DEPTH, MOST_DEPTH, MOST_MEMBERS = 3, 4, 8, 60
# Of the levels that a run is missing, so many may be left out, since their number is an estimate.
HOPE = 2

# A grid that was too small does not grow beyond this many points to one side.
MOST_POINTS = 189

NO_GRID = (
    "`grid` must be given where jax traces the parameters: outside, write "
    "grid = jt.grid_for(oscillator, betas, fields) with all temperatures and fields to come, and make the oscillator "
    "with grid=grid"
)


def grid_for(oscillator: Oscillator, betas: VectorLike, fields: VectorLike) -> PhaseGrid:
    """A phase grid that holds the equilibrium states at all these beta and x.

    Method     The range and the wavenumbers at which the states at the extreme temperatures and fields have fallen to
               1e-9, and 6 % more, see `reach_of`. The numbers of points are rungs of a ladder, so that few programs
               are compiled; what a rung has too many is shared between range and resolution
    oscillator      whose potential confines; its own grid is not looked at
    betas, fields   inverse temperatures, 1/energy, and fields, energy per unit of X; scalars or arrays
    Raises     ValueError that names the argument; if jax traces the values, or the potential does not confine
    Accuracy   aimed at: X, <q^2>, <p^2>, U of an equilibrium to 1e-6 of their scale; the state's `edge` shows trouble

    The mesh is symmetric about q = 0: put the origin of q near the middle of the potential.

    Example
        >>> import jaxthermo as jt
        >>> particle = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0)
        >>> grid = jt.grid_for(particle, betas=[0.5, 1.0], fields=[0.0, 1.0])
        >>> grid.q_points, grid.p_points
        (53, 45)
    """
    check_oscillator(oscillator)
    if not is_known(jax.tree.leaves((oscillator, betas, fields))):
        raise ValueError(NO_GRID)
    check_values(betas, fields)
    return grid_reaching(extremes(oscillator, betas, fields))


def grid_reaching(reach: Reach) -> PhaseGrid:
    """A grid of as many points as a ladder has for this range and these wavenumbers."""
    q_side, p_side = points_to_one_side(reach.q, reach.k), points_to_one_side(reach.p, reach.y)
    dq, dp = step(q_side, reach.q, reach.k), step(p_side, reach.p, reach.y)
    return PhaseGrid(q_side * dq, dq, p_side * dp, dp)


def extremes(oscillator: Oscillator, betas: Any, fields: Any) -> Reach:
    """The furthest that a state at one of the extreme temperatures and fields reaches, with room to spare."""
    # In single precision the rounding errors of a density look like waves, and a grid that held them would be enormous.
    require_double_for(FALLEN, FALLEN)
    reaches = [reach_of(oscillator, beta, x, FALLEN) for beta, x in corners(oscillator, betas, fields)]
    return Reach(*(MARGIN * max(sizes) for sizes in zip(*reaches, strict=True)))


def corners(oscillator: Oscillator, betas: Any, fields: Any) -> set[tuple[float, float]]:
    """All pairs of an extreme temperature, the baths' own among them, and an extreme field."""
    betas, fields = np.ravel(np.asarray(betas, dtype=float)), np.ravel(np.asarray(fields, dtype=float))
    betas = np.concatenate([betas, np.asarray(oscillator.bath.own_betas())])
    return {(float(b), float(x)) for b in (betas.min(), betas.max()) for x in (fields.min(), fields.max())}


def check_values(betas: Any, fields: Any) -> None:
    """Raise a ValueError unless there are finite fields and temperatures."""
    for name, values in (("betas", betas), ("fields", fields)):
        if np.size(values) == 0:
            raise ValueError(f"`{name}` must not be empty")
        require_finite(name, values)
    require_positive("betas", betas)


def points_to_one_side(reach: float, wave: float) -> int:
    """The lowest number of points to one side that holds this range and these wavenumbers.

    Beyond the last rung range and resolution suffer, which the state's `edge` shows.
    """
    return next((side for side in LADDER if side >= reach * wave / np.pi), LADDER[-1])


def step(side: int, reach: float, wave: float) -> float:
    """The step that shares what a rung has too many between range and resolution."""
    return float(np.sqrt(reach / side * np.pi / wave))


def depth_for(oscillator: Oscillator, betas: VectorLike, fields: VectorLike) -> int:
    """A depth of the hierarchy at which its truncation changes X, <q^2> and <p^2> by less than 1e-6 of their scale.

    Equation   the error is about PREFACTOR r^depth, r = sum_k [j_k kappa / (m nu_k + gamma/4)]^2, with j_k and nu_k the
               width and the rate of the noises, and kappa^2 = <(d_q ln rho)^2> of the canonical density: the wave that
               a noise sees while it lasts. PREFACTOR and the share of the friction are fitted to a
               quartic with one pole, A = 0.1 .. 2 and beta = 0.25 .. 4
    oscillator, betas, fields   as `grid_for`
    Raises     ValueError that names the argument

    At least LEAST_DEPTH; at most MOST_DEPTH, with no more than MOST_MEMBERS members; SAFE_DEPTH where jax traces the
    parameters. `tail` of the state shows what is left out.

    Example
        >>> import jaxthermo as jt
        >>> oscillator = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5, 0.0, 0.05]), 1.0, poles=1)
        >>> jt.brownian.depth_for(oscillator, [0.5, 1.0], [0.0, 1.0])
        3
    """
    check_oscillator(oscillator)
    bath = oscillator.bath
    if not bath.modes:
        return 0
    if not is_known(jax.tree.leaves((oscillator, betas, fields))):
        return SAFE_DEPTH
    check_values(betas, fields)
    if oscillator.has_linear_forces():
        return LEAST_DEPTH
    ratio = max(_ratio(oscillator, beta, x) for beta, x in corners(oscillator, betas, fields))
    needed = np.log(TRUNCATED / PREFACTOR) / np.log(min(ratio, 0.9))
    affordable = [depth for depth in range(MOST_DEPTH + 1) if math.comb(bath.modes + depth, depth) <= MOST_MEMBERS]
    return int(np.clip(np.ceil(needed), LEAST_DEPTH, affordable[-1]))


def _ratio(oscillator: Oscillator, beta: float, x: float) -> float:
    """By how much each level of the hierarchy lessens the error, at one temperature and field."""
    bath = oscillator.bath
    kappa = roughness(oscillator, beta, x, FALLEN)
    jitter, decay = (np.asarray(values) for values in _noises(bath, jnp.asarray(beta), oscillator.hbar))
    rate = float(oscillator.mass) * decay + 0.25 * float(bath.friction())
    return float(np.sum((jitter * kappa / rate) ** 2))


@brief_jit
def _noises(bath: AbstractBath, beta: Float[Array, ""], hbar: Float[Array, ""]) -> tuple[Array, Array]:
    return bath.noises(beta, hbar)


def resolved(oscillator: Oscillator, betas: VectorLike, fields: VectorLike, room: float = 1.0) -> Oscillator:
    """The oscillator with the grid and the depth filled in that were left open, for these temperatures and fields.

    oscillator, betas, fields   as `grid_for`
    room       by how much further a grid reaches than states at rest need
    Raises     ValueError where there is no grid

    Example
        >>> import jaxthermo as jt
        >>> oscillator = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, poles=1)
        >>> filled = jt.brownian.resolved(oscillator, [0.5, 1.0], [0.0, 1.0])
        >>> filled.bath.depth, filled.grid.q_points > 20
        (3, True)
    """
    check_oscillator(oscillator)
    if oscillator.bath.depth is None:
        oscillator = oscillator.with_depth(depth_for(oscillator, betas, fields))
    if oscillator.grid is not None:
        return oscillator
    grid = grid_for(oscillator, betas, fields)
    return oscillator.with_grid(grid if room == 1.0 else _grown(grid, Growth(room, 1.0)))


def in_words(oscillator: Oscillator) -> str:
    """Grid and depth in words, for a line of progress."""
    depth, grid = oscillator.bath.depth or 0, oscillator.grid
    members = math.comb(oscillator.bath.modes + depth, depth)
    mesh = "" if grid is None else f"{2 * grid.q_side + 1} x {2 * grid.p_side + 1} points, "
    return f"{mesh}{members} {'members' if members > 1 else 'member'}"


def with_more_room(chosen: Oscillator, asked: Oscillator, missing: Status, growth: Growth) -> Oscillator | None:
    """A grid that has grown, or more levels, where that was left open and is what a state is missing; else None."""
    if missing is Status.hierarchy_too_shallow and asked.bath.depth is None:
        modes, deeper = chosen.bath.modes, range(chosen.depth + growth.levels, chosen.depth, -1)
        most = growth.members or MOST_MEMBERS
        depth = next((depth for depth in deeper if math.comb(modes + depth, depth) <= most), None)
        # What is sure to fail again would take many times as long.
        if depth is None or (growth.members and depth < deeper.start - HOPE):
            return None
        return chosen.with_depth(depth)
    if missing not in (Status.grid_too_small, Status.grid_too_coarse) or asked.grid is not None:
        return None
    grid = _grown(chosen.mesh, growth)
    return None if max(grid.q_side, grid.p_side) > MOST_POINTS else chosen.with_grid(grid)


def _grown(old: PhaseGrid, growth: Growth) -> PhaseGrid:
    """A grid on the next rungs of the ladder, or further up."""
    reaches = [growth.room * side * float(step) for side, step in ((old.q_side, old.dq), (old.p_side, old.dp))]
    sides = [
        points_to_one_side(max(growth.room * growth.resolution * side, side + 1.0), np.pi)
        for side in (old.q_side, old.p_side)
    ]
    q_step, p_step = (reach / side for reach, side in zip(reaches, sides, strict=True))
    return PhaseGrid(reaches[0], q_step, reaches[1], p_step)


@runtime_checkable
class Judged(Protocol):
    """A result that says on which oscillator it was found, and how that held it."""

    @property
    def oscillator(self) -> Oscillator: ...

    @property
    def status(self) -> Int[Array, ""]: ...


Result = TypeVar("Result", bound=Judged | None)


def until_held(
    solve: Callable[[Oscillator, int], Result],
    chosen: Oscillator,
    asked: Oscillator,
    growth: Callable[[Any], Growth],
    attempts: int,
    line: Line | None = None,
) -> Result:
    """What `solve` finds on the chosen oscillator, or on larger ones where that is missing and was left open.

    solve      of an oscillator and the number of the attempt, from 0 on; None ends it too
    growth     what a result asks for
    attempts   how often it is solved at most; once where jax traces what is found
    line       is told what is being solved; None: nobody is
    """
    for attempt in range(attempts):
        if line is not None:
            line.tell(f"{in_words(chosen)}, attempt {attempt + 1}")
        found = solve(chosen, attempt)
        if found is None or not is_known(jax.tree.leaves(found)) or int(found.status) == Status.ok:
            break
        again = with_more_room(found.oscillator, asked, Status(int(found.status)), growth(found))
        if again is None:
            break
        chosen = again
    return found
