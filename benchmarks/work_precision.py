"""How much time of the processor does which error cost? Rings and one quantum Stirling cycle, beside their peers.

Rings: `LANES` lanes of `potts_scan` with five states; the error is the largest one of any final occupation, and each
method is asked for the steps or tolerances of `CONTROLS`. Cycles: the work of one cycle of `stirling_cycle` on its
coarsest mesh, relative to that of many steps of the same method; classical Runge-Kutta has no more than its stable
steps to offer, and more of them. Seconds are those of the processor, the fastest of some calls.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import diffrax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from benchmarks import _published_hierarchy as published, potts_scan, stirling_cycle
from benchmarks._floor import best_seconds
from jaxthermo.brownian.hierarchy import equation_on

Q, LANES = 5, 1024
STEPS, TOLERANCES = (60, 120, 240, 480, 960), (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
CONTROLS: dict[str, tuple[Callable[[int], potts_scan.Solve], tuple[float, ...]]] = {
    "numba prange RK4": (potts_scan.numba_solve, STEPS),
    "diffrax adaptive Tsit5, one vmap": (partial(potts_scan.adaptive_solve, solver=diffrax.Tsit5()), TOLERANCES),
    potts_scan.TOGETHER: (potts_scan.together_solve, TOLERANCES),
}
SPLIT_STEPS, RK4_STEPS, FINE = (10, 20, 40, 80), (1.0, 1.5, 2.0), 640


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each method and control."""
    take = 2 if quick else None
    return [*rings(take, 64 if quick else LANES), *cycles(take)]


def rings(take: int | None, lanes: int) -> list[dict[str, Any]]:
    """Rings of five states."""
    betas = np.linspace(*potts_scan.BETAS, lanes)
    exact = potts_scan.reference(Q, betas)
    rows = []
    for method, (make, controls) in CONTROLS.items():
        solve = make(Q)
        for control in controls[:take]:
            error = float(np.max(np.abs(np.asarray(solve(betas, control)[0]) - exact)))
            seconds = best_seconds(solve, betas, control)[1]
            rows.append(_row(f"rings, q = {Q}, {lanes} lanes", method, control, error, seconds))
    return rows


def cycles(take: int | None) -> list[dict[str, Any]]:
    """One Stirling cycle on the coarsest mesh, at its full depth and at the least one."""
    setting = stirling_cycle.QUICK[0]
    deep = stirling_cycle.oscillator_of(setting, setting.depth)
    start = jt.equilibrium(deep, stirling_cycle.CYCLE.beta_hot, stirling_cycle.CYCLE.x_start)
    equation = equation_on(deep, start.grid)
    members = published.published_members(start.V, start.equation, 1.0 / start.beta, setting.depth)
    advance = stirling_cycle.rk4_advance(equation)
    stable = stirling_cycle.stable_steps(advance, equation, members)
    strokes, period = stirling_cycle.STROKES, float(stirling_cycle.CYCLE.period)

    def explicit(steps: int) -> Any:
        return advance(members, period / (strokes * steps), strokes * steps)[1]

    family = f"Stirling cycle, A = {setting.strength}"
    rows = _errors(family, "RK4, published hierarchy", explicit, [math.ceil(n * stable) for n in RK4_STEPS][:take])
    for depth in (setting.depth, setting.shallow):
        search = stirling_cycle.jaxthermo_search(stirling_cycle.oscillator_of(setting, depth))
        V = start.V[:, : math.comb(depth + stirling_cycle.POLES, stirling_cycle.POLES)]
        split = partial(_split, search, V)
        rows += _errors(family, f"split steps, depth {depth}", split, list(SPLIT_STEPS[:take]))
    return rows


def _split(search: Callable[..., Any], V: Any, steps: int) -> Any:
    return search(V, jnp.asarray(steps))


def _errors(family: str, method: str, work: Callable[[int], Any], steps: list[int]) -> list[dict[str, Any]]:
    """Against more steps of the same method."""
    fine = float(work(max(FINE, 3 * steps[-1])))
    return [_row(family, method, n, abs(float(work(n)) / fine - 1.0), best_seconds(work, n)[1]) for n in steps]


def _row(family: str, method: str, control: float, error: float, seconds: float) -> dict[str, Any]:
    return {"family": family, "method": method, "control": control, "error": error, "cpu_seconds": seconds}
