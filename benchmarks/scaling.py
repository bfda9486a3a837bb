"""How does the cost of each hot loop grow with the size of its problem, and which exponent fits it?

Seconds are those of the processor, the fastest of some calls. An exponent is the slope of a straight line through the
logarithms of all sizes of a family. Expected are 1 in lanes, states and hops, 0 in the units of a hop, and in members
and points of a hierarchy the exponent of its operations, counted from the program and weighed with this machine's rates
(`_floor`): products of matrices over one axis of the grid grow faster than its points, and what all members share, such
as the phases of the potential, does not grow with them.

A call of `simulate` takes some 20 ms before its first hop, which made the exponent in hops 0.84; that of a
run with next to no time is measured beside them and taken off. Small problems are left out, because each operation of a
program has a cost of its own: below 15 members a split step grows with the power 0.5. On the
smaller grids products of matrices are slower than on the larger ones, so a step grows less than its operations.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import gillespie, potts_scan, stirling_cycle
from benchmarks._floor import best_seconds, floor_seconds, machine_rates, operations
from jaxthermo.brownian.hierarchy import equation_on
from jaxthermo.brownian.steps.spectrum import to_spectrum
from jaxthermo.brownian.steps.split import noise_of
from jaxthermo.brownian.steps.stepper import Driven, DrivenTerm, strang

TOLERANCE = 1e-6
STEPS, STEP = 10, 0.05
NO_TIME = 1e-3

# (size, seconds of the processor for the unit that the family counts, its floor where that sets what is expected)
Point = tuple[float, float, float | None]


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each size; `exponent` is that of the whole family, and stands in each of its rows."""
    take = 2 if quick else None
    return [row for family in FAMILIES for row in _rows(*family, take)]


def lanes(size: int) -> Point:
    """Rings of five states, together."""
    betas = np.linspace(1.0, 2.0, size)
    return size, best_seconds(potts_scan.together_solve(5), betas, TOLERANCE)[1], None


def states(q: int) -> Point:
    """One step of a ring of q states."""
    solve, betas = potts_scan.together_solve(q), np.linspace(2.0, 2.1, 512)
    steps = int(np.sum(solve(betas, TOLERANCE)[1]))
    return q, best_seconds(solve, betas, TOLERANCE)[1] / steps, None


def hops(t_end: float) -> Point:
    """Trajectories of 300 units, longer and longer, beyond what a call takes by itself."""
    made = int(gillespie.jaxthermo_run(300, 512, t_end)[1].sum())
    whole, alone = (best_seconds(lambda t=t: gillespie.jaxthermo_run(300, 512, t)[1])[1] for t in (t_end, NO_TIME))
    return made, whole - alone, None


def units(count: int) -> Point:
    """One hop of a ring of so many units, at about as many hops."""
    t_end = 900.0 / count
    made = int(gillespie.jaxthermo_run(count, 512, t_end)[1].sum())
    return count, best_seconds(lambda: gillespie.jaxthermo_run(count, 512, t_end)[1])[1] / made, None


def members(depth: int) -> Point:
    """One split step of a quantum oscillator with so deep a hierarchy."""
    count = math.comb(depth + stirling_cycle.POLES, stirling_cycle.POLES)
    return count, *_split_step(stirling_cycle.Setting(1.0, depth, 0.3, 0.5, 10.5, 2))


def points(side: int) -> Point:
    """One split step on a grid with more points, of the same reach."""
    setting = stirling_cycle.Setting(1.0, 2, 10.8 / side, 21.0 / side, 10.5, 2)
    grid = stirling_cycle.oscillator_of(setting, 2).grid
    return grid.q_points * grid.p_points, *_split_step(setting)


FAMILIES: tuple[tuple[str, str, Callable[[Any], Point], tuple[float, ...], float | None], ...] = (
    ("rings: lanes", "lanes", lanes, (512, 2048, 8192, 32768), 1.0),
    ("rings: states, one step", "q", states, (4, 8, 16, 32), 1.0),
    ("jumps: hops", "hops", hops, (1.0, 4.0, 16.0), 1.0),
    ("jumps: units, one hop", "units", units, (30, 300, 3000), 0.0),
    ("hierarchy: members, one split step", "members", members, (4, 6, 8, 10), None),
    ("hierarchy: points of the grid, one split step", "points", points, (24, 36, 54, 80), None),
)


def _split_step(setting: stirling_cycle.Setting) -> tuple[float, float]:
    oscillator = stirling_cycle.oscillator_of(setting, setting.depth)
    equation, cycle = equation_on(oscillator, oscillator.grid), stirling_cycle.CYCLE
    term, noise = DrivenTerm(equation, cycle.beta, cycle.x), noise_of(equation)
    shape = (equation.grid.p_points, math.comb(setting.depth + stirling_cycle.POLES, 2), equation.grid.q_points)
    V = jnp.asarray(np.random.default_rng(0).standard_normal(shape))

    def step(i: Any, y: Driven) -> Driven:
        return strang(term, noise, y, i * STEP, (i + 1) * STEP)

    solve, first = (
        jax.jit(lambda y: jax.lax.fori_loop(0, STEPS, step, y)),
        Driven(to_spectrum(V, equation), jnp.zeros(4)),
    )
    floor = floor_seconds(operations(step, jnp.asarray(0.0), first), machine_rates())
    return best_seconds(solve, first)[1] / STEPS, floor


def _rows(
    family: str,
    size: str,
    measure: Callable[[Any], Point],
    values: tuple[float, ...],
    expected: float | None,
    take: int | None,
) -> list[dict[str, Any]]:
    found = [measure(value) for value in values[:take]]
    print(f"  {family}: {found}", flush=True)
    sizes, seconds, floors = zip(*found, strict=True)
    exponent = _exponent(sizes, seconds)
    if expected is None:
        expected = _exponent(sizes, floors)
    shared = {"family": family, "what": size, "exponent": exponent, "expected": expected}
    return [{**shared, "size": number, "cpu_seconds": seconds} for number, seconds, _ in found]


def _exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
