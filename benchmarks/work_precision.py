"""How much time of the processor does each method need for which error? The data of work-precision diagrams.

Rings as in `potts_scan`: the hand-written loop with more and more steps, diffrax's Tsit5 vmapped and lanes together
with tighter and tighter tolerances. One Stirling cycle of the quantum oscillator as in `stirling_cycle`: split steps,
n and 2n extrapolated, with larger and larger n; its error is that of the work against a fine solve.
"""

from collections.abc import Iterator
from typing import Any

import diffrax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from benchmarks import potts_scan, stirling_cycle
from benchmarks._floor import best_seconds

LANES = 1024
TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)
# Of numba's loop, in units of a number that is about stable.
REFINEMENTS, STABLE = (1, 2, 4, 8), {3: 100, 5: 80, 12: 60}
CYCLE_STEPS = (20, 40, 80, 160)
FINE = 640


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each problem, method and resolution."""
    rows = [row for q in ((3,) if quick else (3, 5, 12)) for row in ring_rows(q, 2 if quick else None)]
    return rows + (
        list(cycle_rows(stirling_cycle.QUICK[0], 2)) if quick else list(cycle_rows(stirling_cycle.SETTINGS[1]))
    )


def ring_rows(q: int, take: int | None = None) -> Iterator[dict[str, Any]]:
    """One ring by three methods."""
    betas = np.linspace(*potts_scan.BETAS, LANES)
    exact = potts_scan.reference(q, betas)
    methods = {
        "numba prange RK4": (potts_scan.numba_solve(q), [STABLE[q] * n for n in REFINEMENTS]),
        "diffrax Tsit5, one vmap": (potts_scan.adaptive_solve(q, diffrax.Tsit5()), TOLERANCES),
        "lanes together, Tsit5": (potts_scan.together_solve(q), TOLERANCES),
    }
    for name, (solve, controls) in methods.items():
        for control in controls[:take]:
            error = float(np.max(np.abs(np.asarray(solve(betas, control)[0]) - exact)))
            seconds = best_seconds(lambda s=solve, c=control: s(betas, c)[0])[1]
            yield {"problem": f"ring, q = {q}", "method": name, "control": control, "error": error} | {
                "cpu_microseconds": 1e6 * seconds / LANES
            }


def cycle_rows(setting: stirling_cycle.Setting, take: int | None = None) -> Iterator[dict[str, Any]]:
    """One cycle by split steps."""
    oscillator = stirling_cycle.oscillator_of(setting, setting.shallow)
    V = jt.equilibrium(oscillator, stirling_cycle.CYCLE.beta_hot, stirling_cycle.CYCLE.x_start).V
    work = stirling_cycle.library_search(oscillator)
    fine = float(work(V, jnp.asarray(FINE)))
    for n in CYCLE_STEPS[:take]:
        error = abs(float(work(V, jnp.asarray(n))) / fine - 1.0)
        seconds = best_seconds(work, V, jnp.asarray(n))[1]
        yield {"problem": "Stirling cycle", "method": "split steps, n and 2n", "control": n, "error": error} | {
            "cpu_microseconds": 1e6 * seconds
        }
