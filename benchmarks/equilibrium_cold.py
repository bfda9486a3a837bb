"""The equilibrium of the quantum oscillator from hot to cold and from weak to strong coupling, beside QuTiP.

The same stationary hierarchy as in `equilibrium_vs_qutip`, over a table of inverse temperatures and strengths, with two
Pade poles. QuTiP solves it at each of `SIZES`. The library has two ways, which are raced: on a phase grid, at the
meshes and depths of `equilibrium_vs_qutip`, and among the levels of H_A, with as many levels and as deep as in
`LEVELS`, or as it finds by itself (`jt.equilibrium` takes this way where the grid is the harder one). Each row of QuTiP
has the library's quickest way whose error in X is not larger. Errors are against the levels found by itself, whose own
estimates of its error, in levels and in depth, are in the row as `reference_error`. Seconds are those of the processor,
the fastest of some calls.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import jaxthermo as jt
from benchmarks import equilibrium_vs_qutip as warm
from jaxthermo.brownian.hierarchy import Members
from jaxthermo.brownian.levels.matrices import basis_of
from jaxthermo.brownian.levels.pivots import dense_pivot
from jaxthermo.brownian.levels.problem import Problem
from jaxthermo.brownian.levels.solve import equilibrium_by_levels
from jaxthermo.brownian.oscillator import Oscillator

BETAS, STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0), (0.5, 1.5)
# Depth and levels.
SIZES = ((4, 12), (5, 16))
LEVELS = ((3, 12), (4, 15), (5, 19))
REPEATS, LONG = 3, 0.5


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each temperature, strength and size; `ratio_to_library` is QuTiP's time over the library's."""
    peer, name, _ = warm._peer()
    peer(warm.POTENTIAL, 1.0, warm.POLES, 1, 1.0, warm.FIELD, 4)
    cells = [(beta, strength) for strength in STRENGTHS for beta in BETAS]
    return [
        row for cell in (cells[3:4] if quick else cells) for row in cell_rows(*cell, peer, name, SIZES[: 2 - quick])
    ]


def cell_rows(
    beta: float, strength: float, peer: Callable[..., Any], name: str, sizes: tuple[tuple[int, int], ...]
) -> list[dict[str, Any]]:
    """All sizes at one temperature and strength."""
    oscillator = jt.quantum_oscillator(jt.Polynomial(warm.POTENTIAL), strength, warm.POLES)
    reference = equilibrium_by_levels(oscillator, beta, warm.FIELD)
    if reference is None:
        raise RuntimeError(f"at beta = {beta}, A = {strength} there are too many levels for a reference")
    exact, known = float(reference.moments[1]), reference.error + reference.truncated
    ways = {name: (abs(X - exact), seconds) for name, (X, seconds) in library_ways(oscillator, beta, strength).items()}
    rows = []
    for depth, levels in sizes:
        place = warm.POTENTIAL, strength, warm.POLES, depth, beta, warm.FIELD, levels
        X, seconds = timed(lambda place=place: float(peer(*place).X))
        error = abs(X - exact)
        way, (own, quickest) = min(
            ((way, found) for way, found in ways.items() if found[0] <= error),
            key=lambda found: found[1][1],
            default=("none", (math.nan, math.nan)),
        )
        rows.append(
            {
                "beta": beta,
                "strength": strength,
                "peer": name,
                "depth": depth,
                "levels": levels,
                "X": exact,
                "reference_error": known,
                "error": error,
                "cpu_seconds": seconds,
                "library": way,
                "library_error": own,
                "library_cpu_seconds": quickest,
                "ratio_to_library": seconds / quickest,
            }
        )
        print(f"  beta {beta}, A {strength}, QuTiP {depth}, {levels}: {rows[-1]['ratio_to_library']:.3g}", flush=True)
    return rows


def library_ways(oscillator: Oscillator, beta: float, strength: float) -> dict[str, tuple[float, float]]:
    """X and seconds of each way."""
    found = {}
    for mesh in warm.MESHES:
        grid = jt.PhaseGrid(mesh.q_max, mesh.dq, mesh.p_max, mesh.dp)
        on_mesh = jt.quantum_oscillator(oscillator.potential, strength, warm.POLES, mesh.depth, grid)

        def solve(on_mesh: Oscillator = on_mesh) -> float:
            return float(jt.equilibrium(on_mesh, beta, warm.FIELD).X)

        solve()
        found[f"grid of {grid.q_points} x {grid.p_points}, depth {mesh.depth}"] = timed(solve)
    for depth, levels in LEVELS:
        solved = timed(lambda size=(depth, levels): by_levels(oscillator, beta, *size))
        found[f"{levels} levels, depth {depth}"] = solved

    def by_itself() -> float:
        state = equilibrium_by_levels(oscillator, beta, warm.FIELD)
        return math.nan if state is None else float(state.moments[1])

    return found | {"levels and depth as found": timed(by_itself)}


def by_levels(oscillator: Oscillator, beta: float, depth: int, levels: int) -> float:
    """X of one solve among so many levels."""
    basis = basis_of(oscillator, beta, warm.FIELD)
    if basis is None:
        return math.nan
    members = Members(oscillator.bath.modes, depth, basis.frame.weights)
    problem = Problem(basis.by_energy(levels).lowest(levels), oscillator, members, basis.frame)
    M, _ = problem.solve(dense_pivot(problem))
    return float(problem.moments(M)[1])


def timed(solve: Callable[[], float]) -> tuple[float, float]:
    """A number and the seconds of the processor that it takes; a long solve is done once."""
    seconds: list[float] = []
    X = math.nan
    while not seconds or (len(seconds) < REPEATS and seconds[0] < LONG):
        begin = time.process_time()
        X = solve()
        seconds.append(time.process_time() - begin)
    return X, min(seconds)
