"""The equilibrium of the quantum oscillator from hot to cold and from weak to strong coupling, beside QuTiP.

The same stationary hierarchy as in `equilibrium_vs_qutip`, over a table of inverse temperatures and strengths, with two
Pade poles. QuTiP solves it at each of `SIZES`. The library has two ways, which are raced: on a phase grid, at each of
`MESHES`, and among the levels of H_A, with as many levels and as deep as in `LEVELS` (`jt.equilibrium` takes this way
where the grid is the harder one). Each row of QuTiP has the quickest solve of either way whose error in X is not
larger, none where all errors are, and the ratio to the quicker of the two. Levels and depth as the library finds them
by itself, from both growing until nothing changes, are `searched`: they cost more, since they answer how far they are
off. Errors are against these, whose own estimates of their error, in levels and in depth, are in the row as
`reference_error`. Seconds are those of the processor, the fastest of some calls.
"""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

import jaxthermo as jt
from benchmarks import equilibrium_vs_qutip as warm
from jaxthermo.brownian.equilibria.equilibria import _solve
from jaxthermo.brownian.hierarchy import Members
from jaxthermo.brownian.levels.matrices import basis_of
from jaxthermo.brownian.levels.pivots import dense_pivot
from jaxthermo.brownian.levels.problem import Problem
from jaxthermo.brownian.levels.solve import LevelState, equilibrium_by_levels
from jaxthermo.brownian.oscillator import Oscillator

BETAS, STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0), (0.5, 1.5)
# Depth and levels.
SIZES = ((4, 12), (5, 16))
LEVELS = ((3, 12), (4, 15), (5, 19))
# A solve that takes longer is timed once.
LONG = 0.5
# Also coarse ones: here the error in X alone decides.
MESHES = (warm.Mesh(4.0, 0.5, 5.6, 0.7, 2), warm.Mesh(4.2, 0.4, 6.0, 0.6, 2), *warm.MESHES)


class Solved(NamedTuple):
    """X by one solve of the library, its error and the seconds of the processor that it took."""

    size: str
    X: float
    seconds: float
    error: float = math.nan


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each temperature, strength and size; `ratio_to_library` is QuTiP's time over the library's."""
    peer, name, _ = warm._peer()
    # What the first solve of a process does once, it should not pay for; nor the library.
    peer(warm.POTENTIAL, 1.0, warm.POLES, 1, 1.0, warm.FIELD, 4)
    among(jt.quantum_oscillator(jt.Polynomial(warm.POTENTIAL), 1.0, warm.POLES), 1.0, 1, 4)
    cells = [(beta, strength) for strength in STRENGTHS for beta in BETAS]
    return [
        row for cell in (cells[3:4] if quick else cells) for row in cell_rows(*cell, peer, name, SIZES[: 2 - quick])
    ]


def cell_rows(
    beta: float, strength: float, peer: Callable[..., Any], name: str, sizes: tuple[tuple[int, int], ...]
) -> list[dict[str, Any]]:
    """All sizes at one temperature and strength."""
    oscillator = jt.quantum_oscillator(jt.Polynomial(warm.POTENTIAL), strength, warm.POLES)
    begin = time.process_time()
    reference = found_levels(oscillator, beta)
    searched = time.process_time() - begin
    exact, known = float(reference.moments[1]), reference.error + reference.truncated
    ways = {
        way: [solved._replace(error=abs(solved.X - exact)) for solved in found]
        for way, found in (("grid", on_grids(oscillator, beta, strength)), ("levels", by_levels(oscillator, beta)))
    }
    rows = []
    for depth, levels in sizes:
        place = warm.POTENTIAL, strength, warm.POLES, depth, beta, warm.FIELD, levels
        X, seconds, _ = warm.timed(lambda place=place: peer(*place).X, LONG)
        error = abs(X - exact)
        row: dict[str, Any] = {"beta": beta, "strength": strength, "peer": name, "depth": depth, "levels": levels}
        row |= {"X": exact, "reference_error": known, "searched_cpu_seconds": searched}
        row |= {"error": error, "cpu_seconds": seconds}
        quickest = math.inf
        for way, found in ways.items():
            good = [solved for solved in found if solved.error <= error]
            best = min(good, key=lambda solved: solved.seconds, default=None)
            row |= {f"{way}_{what}": None for what in ("size", "error", "cpu_seconds")}
            if best is not None:
                row |= {f"{way}_size": best.size, f"{way}_error": best.error, f"{way}_cpu_seconds": best.seconds}
                quickest = min(quickest, best.seconds)
        rows.append(row | {"ratio_to_library": None if quickest == math.inf else seconds / quickest})
        print(f"  beta {beta}, A {strength}, QuTiP {depth}, {levels}: {rows[-1]['ratio_to_library']}", flush=True)
    return rows


def on_grids(oscillator: Oscillator, beta: float, strength: float) -> list[Solved]:
    """One solve on each mesh."""
    found = []
    for mesh in MESHES:
        grid = jt.PhaseGrid(mesh.q_max, mesh.dq, mesh.p_max, mesh.dp)
        on_mesh = jt.quantum_oscillator(oscillator.potential, strength, warm.POLES, mesh.depth, grid)

        # Not `jt.equilibrium`, which would go to the levels where these are better.
        def solve(on_mesh: Oscillator = on_mesh) -> Any:
            return _solve(on_mesh, jnp.asarray(beta), jnp.asarray(warm.FIELD)).X

        solve()
        X, seconds, _ = warm.timed(solve, LONG)
        found.append(Solved(f"{grid.q_points} x {grid.p_points} points, depth {mesh.depth}", X, seconds))
    return found


def by_levels(oscillator: Oscillator, beta: float) -> list[Solved]:
    """One solve with each number of levels."""
    found = []
    for depth, levels in LEVELS:
        X, seconds, _ = warm.timed(lambda depth=depth, levels=levels: among(oscillator, beta, depth, levels), LONG)
        found.append(Solved(f"{levels} levels, depth {depth}", X, seconds))
    return found


def found_levels(oscillator: Oscillator, beta: float) -> LevelState:
    """The library's own numbers of levels and depth."""
    state = equilibrium_by_levels(oscillator, beta, warm.FIELD)
    if state is None:
        raise RuntimeError(f"at beta = {beta} there are too many levels for a reference")
    return state


def among(oscillator: Oscillator, beta: float, depth: int, levels: int) -> float:
    """X of one solve among so many levels."""
    basis = basis_of(oscillator, beta, warm.FIELD)
    if basis is None:
        raise RuntimeError(f"at beta = {beta} there are no levels")
    members = Members(oscillator.bath.modes, depth, basis.frame.weights)
    problem = Problem(basis.by_energy(levels).lowest(levels), oscillator, members, basis.frame)
    M, _ = problem.solve(dense_pivot(problem))
    return float(problem.moments(M)[1])
