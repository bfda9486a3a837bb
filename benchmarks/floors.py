"""Which share of the least time that its arithmetic takes does each hot loop reach on one core?

Rings: one step of 128 lanes together, each with a step size of its own. Jumps: one hop of 1024 trajectories. Split
steps: one of a quantum oscillator, and of 16 lanes with fields of their own, by `jax.vmap` and by `jax.lax.map`.
Equilibrium: one iteration of its linear solve, generator and preconditioner. Search: one evaluation of the work and its
gradient. Operations are counted from the program and their rates measured in the same run (`_floor`); `of_dgemm` is the
rate of the loop's matrix products, as if nothing else took time, over that of a large product of this machine. Seconds
are those of the processor, which other processes on the machine do not lengthen.
"""

from collections import Counter
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from benchmarks import minimum_work, potts_scan, stirling_cycle
from benchmarks._floor import best_seconds, floor_seconds, machine_rates, operations
from jaxthermo.brownian.equilibria.stationary import iteration_of
from jaxthermo.brownian.hierarchy import equation_on
from jaxthermo.brownian.steps.spectrum import to_spectrum
from jaxthermo.brownian.steps.split import noise_of
from jaxthermo.brownian.steps.stepper import Driven, DrivenTerm, strang
from jaxthermo.jumps.finite.driving import driven_network
from jaxthermo.jumps.finite.jumps import BLOCK, start, steady_jumps
from jaxthermo.jumps.finite.random import streams
from jaxthermo.potts import vector_field
from jaxthermo.search.potential_range import problem_of
from jaxthermo.search.protocol_cost import cost
from jaxthermo.solve.explicit import follow, scheme_of

RING_SIZES, LANES, TOLERANCE = (3, 5, 12), 128, 1e-7
TRAJECTORIES, BLOCKS = 1024, 30
SPLIT_STEPS, ITERATIONS, TOGETHER = 20, 20, 16


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each loop; `of_floor` is the counted time over the measured one."""
    sizes = RING_SIZES[:1] if quick else RING_SIZES
    setting = stirling_cycle.QUICK[0] if quick else stirling_cycle.SETTINGS[1]
    many = 2 if quick else TOGETHER
    steps = [split_row(setting), split_row(setting, many), split_row(setting, many, in_turn=True)]
    return [*map(ring_row, sizes), jump_row(), *steps, equilibrium_row(setting), search_row(quick)]


def ring_row(q: int) -> dict[str, Any]:
    """Steps of rings near one temperature, so that all lanes of the block end together."""
    ring, betas = potts_scan.ring_of(q), jnp.linspace(2.0, 2.1, LANES)
    field = jax.vmap(lambda P, beta: vector_field(0.0, P, ring, beta), in_axes=(-1, -1), out_axes=-1)
    scheme = scheme_of(diffrax.Tsit5())
    assert scheme is not None

    @jax.jit
    def solve(betas: Any, y: Any) -> Any:
        times = jnp.zeros(LANES), jnp.full(LANES, potts_scan.FINAL_TIME)
        limits: dict[str, Any] = {"rtol": TOLERANCE, "atol": TOLERANCE, "max_steps": 4096}
        return follow(lambda t, P, going: field(P, betas), y, *times, scheme, **limits)

    y = jnp.tile(jnp.asarray(potts_scan.start_of(q))[:, None], LANES)
    turns = int(solve(betas, y)[2].max())
    counts = Counter({kind: n // LANES for kind, n in operations(solve, betas, y).items()})
    return _row(f"ring step, q = {q}", counts, LANES * turns, best_seconds(solve, betas, y)[1])


def jump_row() -> dict[str, Any]:
    """Hops of a ring of three states and 300 units."""
    from benchmarks import gillespie

    counts = jnp.tile(jnp.asarray(gillespie.start_of(300)), (TRAJECTORIES, 1))
    walk = start(counts, jax.tree.map(jnp.asarray, streams(jax.random.key(0), TRAJECTORIES)))
    now = driven_network(gillespie.ring(), gillespie.BETA, None, 0.0, 1.0).at(0.0)
    args = now, jnp.asarray(300.0), jnp.asarray(1e9), jnp.asarray(1 << 40)

    def hops(walk: Any, blocks: Any) -> Any:
        return steady_jumps(*args, walk, blocks)

    solve = jax.jit(hops)
    made = int(solve(walk, BLOCKS).jumps.sum())
    each = Counter({k: n // (BLOCK * TRAJECTORIES) for k, n in operations(hops, walk, 1).items()})
    return _row("jump, q = 3", each, made, best_seconds(solve, walk, BLOCKS)[1])


def split_row(setting: stirling_cycle.Setting, lanes: int = 1, in_turn: bool = False) -> dict[str, Any]:
    """Steps of the paper's quantum oscillator in a Stirling cycle, of so many lanes, together or in turn."""
    oscillator = stirling_cycle.oscillator_of(setting, setting.depth)
    equation, cycle = equation_on(oscillator, oscillator.grid), stirling_cycle.CYCLE
    noise, h = noise_of(equation), 0.05
    V = jt.equilibrium(oscillator, cycle.beta_hot, cycle.x_start).V

    def step(i: Any, y: Driven, field: Any) -> Driven:
        term = DrivenTerm(equation, cycle.beta, lambda t: field * cycle.x(t))
        return strang(term, noise, y, i * h, (i + 1) * h)

    def one_lane(y: Driven, field: Any) -> Driven:
        return jax.lax.fori_loop(0, SPLIT_STEPS, lambda i, y: step(1.0 * i, y, field), y)

    def steps(y: Driven, fields: Any) -> Driven:
        return jax.lax.map(lambda lane: one_lane(*lane), (y, fields)) if in_turn else jax.vmap(one_lane)(y, fields)

    alone, fields = Driven(to_spectrum(V, equation), jnp.zeros(4)), jnp.linspace(0.5, 1.0, lanes)
    first = jax.tree.map(lambda leaf: jnp.stack([leaf] * lanes), alone)
    counts = operations(step, jnp.asarray(0.0), alone, fields[0])
    seconds = best_seconds(jax.jit(steps), first, fields)[1]
    name = f"split step, depth {setting.depth}"
    if lanes > 1:
        name += f", each of {lanes} lanes " + ("in turn" if in_turn else "together")
    return _row(name, counts, lanes * SPLIT_STEPS, seconds)


def equilibrium_row(setting: stirling_cycle.Setting) -> dict[str, Any]:
    """Iterations of the linear solve for the same oscillator at rest."""
    oscillator = stirling_cycle.oscillator_of(setting, setting.depth)
    equation = equation_on(oscillator, oscillator.grid)
    V = jt.equilibrium(oscillator, 1.0, 0.5).V
    # What is made once for a solve is in the time, but not repeated in it.
    place = equation, jnp.asarray(1.0), jnp.asarray(0.5)

    @jax.jit
    def solve(V: Any, times: Any) -> Any:
        iteration = iteration_of(place)
        return jax.lax.fori_loop(0, times, lambda _, V: iteration(V), V)

    iteration = iteration_of(place)
    once, more = (best_seconds(solve, V, jnp.asarray(n))[1] for n in (1, 1 + ITERATIONS))
    return _row(f"equilibrium iteration, depth {setting.depth}", operations(iteration, V), ITERATIONS, more - once)


def search_row(quick: bool) -> dict[str, Any]:
    """Evaluations of the objective of `minimum_work` with its gradient, all steps of the bound taken."""
    oscillator = jt.classical_oscillator(jt.Polynomial(minimum_work.POTENTIAL), 1.0, minimum_work.GRID)
    order, count = (1, 4) if quick else (minimum_work.ORDER, 16)
    beta, x = jnp.asarray(1.0), jnp.asarray(1.0)
    V = jt.equilibrium(oscillator, 1.0, 1.2).V
    potential = jt.search.potential_around(oscillator, np.asarray([0.5, 1.0]), np.asarray([1.0, 1.5]))

    def evaluate(z: Any) -> Any:
        problem = problem_of(oscillator, potential, V, beta, x, jnp.asarray(1.0), order, False)
        return jax.value_and_grad(lambda z: cost(problem, z, jnp.asarray(count, jnp.int32), count)[0])(z)

    z = jnp.zeros(2 * order)
    return _row("search, work and gradient", operations(evaluate, z), 1, best_seconds(jax.jit(evaluate), z)[1])


def _row(loop: str, counts: Counter[str], times: int, seconds: float) -> dict[str, Any]:
    rates = machine_rates()
    floor = floor_seconds(counts, rates, times)
    return {
        "loop": loop,
        "operations": dict(counts),
        "floor_microseconds": 1e6 * floor / times,
        "microseconds": 1e6 * seconds / times,
        "of_floor": floor / seconds,
        "of_dgemm": 1e-9 * times * counts["product"] * rates.product / seconds,
        "rates_nanoseconds": rates._asdict(),
    }
