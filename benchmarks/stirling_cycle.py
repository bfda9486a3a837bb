"""How long does one Stirling cycle take to a work error of 1e-4, at the paper's quantum settings, against plain RK4?

The peer works as the original codes do: classical Runge-Kutta on the published hierarchy at its largest stable step,
found by bisection on white noise, which holds every wave. It gets the cheapest form of that equation we know
(`_published_hierarchy`) in a plain `fori_loop`; diffrax has no classical Runge-Kutta and would add its own overhead.

The library takes the step of `jt.run_cycle`: bare second-order split steps, n and 2n on each stroke, extrapolated.
Its error control (`SplitStep()`) needs as many steps for this error at strengths 1 and 1.5 and more at 0.5. n is the
smallest that reaches the target, so both methods meet it, the peer by far since its step is set by stability alone.

Both start from one physical state, the equilibrium at (beta_hot, x_start). `relative_error` is the error of the work
from the time step, against a fine solve of the same hierarchy from the same start. `truncation_error` is that of the
depth, against the library's deepest hierarchy here; that one is compared with one two levels lower.
"""

import math
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import jaxthermo as jt
from benchmarks import _published_hierarchy as published
from benchmarks._bench import Timing, time_call
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, equation_on
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.states.state import State
from jaxthermo.brownian.steps.propagation import Drive, Method, Protocol, propagate
from jaxthermo.brownian.steps.spectrum import Spectrum, to_spectrum
from jaxthermo.brownian.steps.split import noise_of
from jaxthermo.brownian.steps.stepper import Driven, DrivenTerm, SplitStep, strang
from jaxthermo.protocols.stirling import StirlingCycle

POTENTIAL = (0.0, 0.0, 0.1, 0.02, 0.05)
POLES = 2
CYCLE = StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.0, x_end=0.0, period=20.0)
STROKES = 4
TARGET = 1e-4
# Steps of the fine solves, on each stroke for the library, and as a multiple of the stable ones for RK4.
FINE, FINER = 160, 1.1
MAX_STEPS = 100_000
# Time that a step is tried for, and how closely the limit is found.
TRIAL, CLOSENESS = 1.5, 0.01
# Timed runs, and how many there are of those longer than so many seconds.
REPEATS, FEW, LONG = 5, 2, 3.0


class Setting(NamedTuple):
    """One of the paper's quantum settings, and the library's depth that truncates less than the paper's."""

    strength: float
    depth: int
    dq: float
    dp: float
    p_max: float
    shallow: int


SETTINGS = (
    Setting(0.5, 6, 0.3, 0.4, 8.4, 2),
    Setting(1.0, 7, 0.3, 0.5, 10.5, 2),
    Setting(1.5, 8, 0.3, 0.6, 12.6, 2),
)
# A coarse mesh with few members, on which the largest stable step is long.
QUICK = (Setting(0.5, 3, 0.45, 0.6, 7.8, 2),)


def run(quick: bool) -> list[dict[str, Any]]:
    """Three rows per setting; `ratio_to_rk4` is the run time of RK4 over that of the row."""
    return [row for setting in (QUICK if quick else SETTINGS) for row in _rows(setting)]


def oscillator_of(setting: Setting, depth: int) -> Oscillator:
    """The paper's oscillator on the paper's mesh.

    The published hierarchy remembers the earlier temperature; with the default thermostat the two would not solve one
    equation, and their works differ by 0.2 to 4 %.
    """
    grid = jt.PhaseGrid(5.4, setting.dq, setting.p_max, setting.dp)
    bath = jt.OhmicBath(setting.strength, POLES, depth, thermostat="earlier")
    return jt.quantum_oscillator(jt.Polynomial(POTENTIAL), bath, grid=grid)


def jaxthermo_cycle(oscillator: Oscillator, n: int) -> Callable[[HierarchyState], Float[Array, ""]]:
    """Compiled `work(V)`: one cycle from V by n and by 2n steps of `SplitStep` on each stroke, extrapolated."""

    def bare(V: HierarchyState, steps: int) -> Float[Array, ""]:
        count = jnp.asarray(steps, jnp.int32)
        # diffrax counts the step that ends a run.
        method = Method(SplitStep(extrapolate=False), jnp.zeros(()), count, STROKES * count + 1, False)
        done = propagate(Drive(oscillator, Protocol(CYCLE.beta, CYCLE.x), CYCLE.knots()), V, method)
        return -done.totals[-1, 0]

    return jax.jit(lambda V: (4.0 * bare(V, 2 * n) - bare(V, n)) / 3.0)


def jaxthermo_search(oscillator: Oscillator) -> Callable[[HierarchyState, Any], Float[Array, ""]]:
    """Compiled `work(V, n)`, the same numbers as `jaxthermo_cycle` without compiling for every n."""
    equation = equation_on(oscillator, oscillator.grid)
    term, noise = DrivenTerm(equation, CYCLE.beta, CYCLE.x), noise_of(equation)

    def bare(V: HierarchyState, n: Any) -> Float[Array, ""]:
        # A step of `SplitStep` is two half steps.
        h = 0.5 * _stroke() / n

        def step(i: Any, y: Driven) -> Driven:
            return strang(term, noise, y, i * h, (i + 1) * h)

        steps = 2 * STROKES * n
        return -jax.lax.fori_loop(0, steps, step, Driven(to_spectrum(V, equation), jnp.zeros(4))).totals[0]

    return jax.jit(lambda V, n: (4.0 * bare(V, 2 * n) - bare(V, n)) / 3.0)


def rk4_advance(equation: Equation) -> Callable[[Spectrum, Any, Any], tuple[Spectrum, Float[Array, ""]]]:
    """Compiled `advance(P, dt, count)`: the published hierarchy and the work done from t = 0 on."""
    q = jnp.asarray(equation.grid.q) * equation.grid.dq

    def position(P: Spectrum) -> Float[Array, ""]:
        return jnp.sum(q * published.position_density(P))

    def field(t: Any, P: Spectrum) -> Spectrum:
        return published.vector_field(P, equation, 1.0 / CYCLE.beta(t), CYCLE.x(t))

    def advance(P: Spectrum, dt: Any, count: Any) -> tuple[Spectrum, Float[Array, ""]]:
        def step(i: Any, carry: tuple[Spectrum, Any]) -> tuple[Spectrum, Any]:
            P, done = carry
            t = i * dt
            temperature, field = zip(
                *((1.0 / CYCLE.beta(s), CYCLE.x(s)) for s in (t, t + 0.5 * dt, t + dt)), strict=False
            )
            k1 = published.vector_field(P, equation, temperature[0], field[0])
            P2 = P + 0.5 * dt * k1
            k2 = published.vector_field(P2, equation, temperature[1], field[1])
            P3 = P + 0.5 * dt * k2
            k3 = published.vector_field(P3, equation, temperature[1], field[1])
            P4 = P + dt * k3
            k4 = published.vector_field(P4, equation, temperature[2], field[2])
            X = (position(P) + 2.0 * position(P2) + 2.0 * position(P3) + position(P4)) / 6.0
            # The field is linear within a step, whose ends meet the corners of the cycle.
            return P + dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4), done - X * (CYCLE.x(t + dt) - CYCLE.x(t))

        return jax.lax.fori_loop(0, count, step, (P, jnp.zeros(())))

    return jax.jit(advance)


def stable_steps(advance: Callable[..., Any], equation: Equation, P: Spectrum) -> int:
    """Fewest RK4 steps on a stroke that keep white noise from growing at the hottest temperature.

    Noise holds the fastest waves at full size, so that a slow growth shows within the trial. Its second half is
    compared with its first, because a stable hierarchy may grow at first.
    """
    noise = jnp.asarray(np.random.default_rng(0).standard_normal(P.shape))

    def stable(steps: int) -> bool:
        dt = _stroke() / steps
        half = math.ceil(0.5 * TRIAL / dt)
        middle, _ = advance(noise, dt, half)
        end, _ = advance(middle, dt, half)
        return bool(jnp.linalg.norm(end) < jnp.linalg.norm(middle))

    # Damping of the fastest wave by diffusion alone, over the reach of RK4 on the negative axis.
    diffusion = equation.oscillator.bath.friction() / CYCLE.beta_hot * (POLES + 1) * (2 * POLES + 1)
    guess = float(diffusion) * equation.grid.y[-1] ** 2 / 2.785 * _stroke()
    few, many = math.floor(0.5 * guess), math.ceil(1.05 * guess)
    while not stable(many):
        few, many = many, math.ceil(1.5 * many)
        if many > MAX_STEPS:
            raise RuntimeError("the published hierarchy grows at every step tried")
    while many - few > max(1, CLOSENESS * many):
        middle = (few + many) // 2
        few, many = (few, middle) if stable(middle) else (middle, many)
    return many


def coarsest(error: Callable[[int], float], most: int = FINE) -> int:
    """The smallest n whose error is at most TARGET, for an error that falls with n."""
    few, many = 0, most
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if error(middle) <= TARGET else (middle, many)
    return many


def _rows(setting: Setting) -> list[dict[str, Any]]:
    start = jt.equilibrium(oscillator_of(setting, setting.depth), CYCLE.beta_hot, CYCLE.x_start)
    deep, lower, shallow = (
        _library_row(setting, depth, start) for depth in (setting.depth, setting.depth - 2, setting.shallow)
    )
    peer = _published_row(setting, start)
    exact = deep["fine_work"]
    deep["truncation_error"] = abs(lower["fine_work"] / exact - 1.0)
    for row in (peer, shallow):
        row["truncation_error"] = abs(row["fine_work"] / exact - 1.0)
    rows = [peer, deep, shallow]
    print(f"  strength {setting.strength}: {peer['run_seconds']:.3g} s by RK4", flush=True)
    return [row | {"ratio_to_rk4": peer["run_seconds"] / row["run_seconds"]} for row in rows]


def _library_row(setting: Setting, depth: int, start: State) -> dict[str, Any]:
    oscillator = oscillator_of(setting, depth)
    # Members are ordered by level, so a shallower hierarchy holds the first of them.
    V = start.V[:, : math.comb(depth + POLES, POLES)]
    search = jaxthermo_search(oscillator)
    fine = float(search(V, FINE))
    n = coarsest(lambda n: abs(float(search(V, n)) / fine - 1.0))
    solve = jaxthermo_cycle(oscillator, n)
    timing = time_call(solve, V)
    return _row(
        "split steps, n and 2n", setting, depth, V.shape[1], 6 * STROKES * n, float(solve(V)), fine, timing, REPEATS
    )


def _published_row(setting: Setting, start: State) -> dict[str, Any]:
    equation = equation_on(oscillator_of(setting, setting.depth), start.grid)
    P = published.published_members(start.V, start.equation, 1.0 / start.beta, setting.depth)
    advance = rk4_advance(equation)
    begin = time.perf_counter()
    jax.block_until_ready(advance(P, 0.0, 1))
    compile_seconds = time.perf_counter() - begin
    n = stable_steps(advance, equation, P)

    def cycle(steps: int) -> float:
        return float(advance(P, _stroke() / steps, STROKES * steps)[1])

    seconds, done = [], 0.0
    while not seconds or len(seconds) < (FEW if seconds[0] > LONG else REPEATS):
        begin = time.perf_counter()
        done = cycle(n)
        seconds.append(time.perf_counter() - begin)
    fine = cycle(math.ceil(FINER * n))
    timing = Timing(compile_seconds, statistics.median(seconds))
    row = _row(
        "RK4, published hierarchy", setting, setting.depth, P.shape[1], STROKES * n, done, fine, timing, len(seconds)
    )
    if not row["relative_error"] <= TARGET:
        raise RuntimeError(f"RK4 at its largest stable step misses the target: {row}")
    return row


def _row(
    method: str,
    setting: Setting,
    depth: int,
    members: int,
    steps: int,
    equation: float,
    fine: float,
    timing: Timing,
    repeats: int,
) -> dict[str, Any]:
    return {
        "method": method,
        "strength": setting.strength,
        "depth": depth,
        "members": members,
        "steps": steps,
        "work": equation,
        "fine_work": fine,
        "relative_error": abs(equation / fine - 1.0),
        "compile_seconds": timing.compile_seconds,
        "run_seconds": timing.run_seconds,
        "repeats": repeats,
    }


def _stroke() -> float:
    return float(CYCLE.period) / STROKES
