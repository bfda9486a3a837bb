"""How long does the equilibrium of the quantum oscillator take, to one error in X, against QuTiP's `HEOMSolver`?

Both solve the same stationary hierarchy (see `_qutip_reference`): QuTiP in a number basis with a direct sparse solve,
by MKL's PARDISO where it finds it and else by SciPy's SuperLU, the library on a phase grid. Each QuTiP row is followed
by the library's cheapest mesh and depth of `MESHES` whose error in X is not larger. Errors are against the value that
the library's depth 6 on a fine mesh and QuTiP's limit of many levels and members share. Seconds are those of the
processor, the fastest of some stretches of calls.

SuperLU fills in so much that only small cases end within minutes; for a fair race install a release of `mkl` that
QuTiP can use, `pip install 'mkl<2025'`.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

import jaxthermo as jt
from benchmarks._bench import MissingPeer
from benchmarks._floor import best_seconds
from jaxthermo.brownian.oscillator import Oscillator

POTENTIAL = (0.0, 0.0, 0.1, 0.02, 0.05)
STRENGTH, POLES, BETA, FIELD = 1.0, 2, 1.0, 0.5
CONVERGED = 0.51806474
# Depth and levels. (8, 24) is a minute or two with PARDISO, (4, 16) with SuperLU.
PARDISO_SIZES, SUPERLU_SIZES, QUICK_SIZES = ((6, 20), (8, 24)), ((4, 14), (4, 16)), ((4, 12),)
STRETCHES, LONG = 3, 3.0
MISSING = "the benchmark `equilibrium_vs_qutip` needs QuTiP: pip install 'jaxthermo[bench]'"


class Mesh(NamedTuple):
    """A phase grid and a depth of the library's hierarchy."""

    q_max: float
    dq: float
    p_max: float
    dp: float
    depth: int


# From cheap to dear; errors in X of 5e-7 and 4e-9. Both keep what the library promises, so their status is ok: coarser
# ones are several times as quick, and off by 7e-7 in X at 21 x 21 points, but known not to be fine enough for all else.
MESHES = (Mesh(4.8, 0.3, 7.2, 0.4, 2), Mesh(4.8, 0.3, 7.2, 0.4, 3))


def run(quick: bool) -> list[dict[str, Any]]:
    """Two rows per size, QuTiP's and the library's; `ratio_to_library` is QuTiP's time over the library's."""
    peer, name, sizes = _peer()
    # What the first solve of a process does once, it should not pay for.
    peer(POTENTIAL, STRENGTH, POLES, 1, BETA, FIELD, 4)
    rows = []
    for depth, levels in QUICK_SIZES if quick else sizes:
        theirs = _qutip_row(peer, name, depth, levels)
        print(f"  QuTiP at depth {depth}, {levels} levels: {theirs['cpu_seconds']:.3g} s", flush=True)
        ours = _library_row(theirs["error"])
        rows += [row | {"ratio_to_library": row["cpu_seconds"] / ours["cpu_seconds"]} for row in (theirs, ours)]
    return rows


def library_X(mesh: Mesh) -> float:
    """<q> of the library's equilibrium."""
    return float(jt.equilibrium(_oscillator(mesh), BETA, FIELD).X)


def cheapest(error: float) -> Mesh:
    """The first of `MESHES` whose error in X is not larger than `error`."""
    for mesh in MESHES:
        if abs(library_X(mesh) - CONVERGED) <= error:
            return mesh
    raise RuntimeError(f"no mesh reaches an error of {error:.2e}")


def _peer() -> tuple[Callable[..., Any], str, tuple[tuple[int, int], ...]]:
    """QuTiP's solve, the name of its linear solver, and the sizes that end within minutes."""
    try:
        import qutip

        from benchmarks._qutip_reference import steady_state
    except ModuleNotFoundError as error:
        raise MissingPeer(MISSING, name=error.name) from error
    if qutip.settings.has_mkl:
        return steady_state, f"QuTiP {qutip.__version__} HEOMSolver, PARDISO", PARDISO_SIZES
    return steady_state, f"QuTiP {qutip.__version__} HEOMSolver, SuperLU", SUPERLU_SIZES


def _qutip_row(solve: Callable[..., Any], name: str, depth: int, levels: int) -> dict[str, Any]:
    """Building counts: a new temperature needs a new generator, as it does in the library."""
    X, seconds, repeats = timed(lambda: solve(POTENTIAL, STRENGTH, POLES, depth, BETA, FIELD, levels).X)
    size = {"depth": depth, "levels": levels, "q_points": None, "p_points": None}
    return _row(name, size, X, 0.0, seconds, repeats)


def _library_row(error: float) -> dict[str, Any]:
    mesh = cheapest(error)
    oscillator = _oscillator(mesh)
    # `equilibrium` keeps its compiled solve, so what compilation takes is seen after the cache is emptied only.
    jax.clear_caches()
    begin = time.process_time()
    library_X(mesh)
    first = time.process_time() - begin
    X, seconds, repeats = timed(lambda: jt.equilibrium(oscillator, BETA, FIELD).X)
    grid = oscillator.grid
    size = {"depth": mesh.depth, "levels": None, "q_points": grid.q_points, "p_points": grid.p_points}
    return _row("jaxthermo equilibrium", size, X, first, seconds, repeats)


def timed(solve: Callable[[], Any], long: float = LONG) -> tuple[float, float, int]:
    """A number, the seconds of the processor that a call takes at least, and how many stretches of calls were timed.

    One that takes longer than `long` is done once.
    """
    begin = time.process_time()
    X = float(solve())
    first = time.process_time() - begin
    return (X, first, 1) if first >= long else (X, best_seconds(solve, stretches=STRETCHES)[1], STRETCHES)


def _row(method: str, size: dict[str, Any], X: float, first: float, seconds: float, repeats: int) -> dict[str, Any]:
    return {
        "method": method,
        **size,
        "X": X,
        "error": abs(X - CONVERGED),
        "first_cpu_seconds": first,
        "cpu_seconds": seconds,
        "repeats": repeats,
    }


def _oscillator(mesh: Mesh) -> Oscillator:
    grid = jt.PhaseGrid(mesh.q_max, mesh.dq, mesh.p_max, mesh.dp)
    return jt.quantum_oscillator(jt.Polynomial(POTENTIAL), STRENGTH, POLES, mesh.depth, grid)
