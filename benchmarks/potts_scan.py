"""How many lanes x steps per second does a vmapped driven Potts ring reach, against a hand-written loop on the CPU?

A lane is one inverse temperature, spread evenly over `BETAS`, from P_1 = 1 - `SPREAD` at time 0 to `FINAL_TIME`. Only
the last occupations are kept. Each method takes the step or tolerance whose largest error is `LOWEST` to 1 times
`TARGET`, so run times compare at equal error; at the edge of stability one step more can leap below that range.

The peer is classical Runge-Kutta in numba, lanes over the threads, one exponential per bond. The fused row is the same
arithmetic in plain JAX: states first and lanes last, so that a whole step is elementwise over contiguous lanes.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numba
import numpy as np

from benchmarks._bench import on_accelerator, time_call
from benchmarks._floor import best_seconds, floor_seconds, machine_rates, operations
from jaxthermo.potts import PottsRing, vector_field
from jaxthermo.solve.ensemble import final_state
from jaxthermo.solve.integrate import integrate
from jaxthermo.solve.lanes import map_lanes, usual_chunk

COUPLING, FORCE, PREFACTOR = -1.0, 1.0, 0.1
BETAS = (1.0, 5.0)
SPREAD = 1e-3
FINAL_TIME = 20.0
LANES, LANES_ACCELERATOR = 4096, 65536
TARGET, LOWEST = 1e-6, 0.7
TOGETHER = "lanes together, adaptive Tsit5"
# Lanes per chunk of the fused path on a CPU: a few states of 128 lanes stay in the first-level cache.
FUSED_CHUNK = 128
SEARCH_LIMIT = 40
MAX_STEPS = 1_000_000

# solve(betas, control) -> occupations (lanes, q), steps (lanes,); the control is a number of steps or a tolerance.
Solve = Callable[[np.ndarray, float], tuple[Any, Any]]


class Method(NamedTuple):
    """A way to solve all lanes: `make(q)` compiles anew, and the error falls as resolution to the power -order."""

    name: str
    make: Callable[[int], Solve]
    adaptive: bool
    order: float
    chunk: int | None


def run(quick: bool) -> list[dict[str, Any]]:
    """One row per ring and method; `ratio_to_numba` is the run time over that of the hand-written loop.

    `cpu_ratio_to_numba` is the same in seconds of the processor, which other processes on the machine do not lengthen.
    """
    lanes, sizes = (256, (3,)) if quick else (LANES_ACCELERATOR if on_accelerator() else LANES, (3, 5, 12))
    return [row for q in sizes for row in _rows(q, np.linspace(*BETAS, lanes))]


def methods() -> list[Method]:
    """The hand-written loop first, as the others are quoted against it."""
    fused_chunk = None if on_accelerator() else FUSED_CHUNK
    adaptive = partial(adaptive_solve, solver=diffrax.Tsit5())
    return [
        Method("numba prange RK4", numba_solve, False, 4, None),
        Method("diffrax fixed Tsit5, one vmap", fixed_solve, False, 5, None),
        Method("diffrax adaptive Tsit5, one vmap", adaptive, True, 1, None),
        Method("diffrax adaptive Tsit5, map_lanes", adaptive, True, 1, usual_chunk(LANES_ACCELERATOR)),
        Method(TOGETHER, together_solve, True, 1, None),
        Method("fused JAX RK4, states first, no diffrax", fused_solve, False, 4, fused_chunk),
    ]


def ring_of(q: int) -> PottsRing:
    """The ring that every method solves."""
    return PottsRing(q, coupling=COUPLING, force=FORCE, prefactor=PREFACTOR)


def start_of(q: int) -> np.ndarray:
    """Nearly all units in the first state, the rest spread evenly."""
    start = np.full(q, SPREAD / (q - 1))
    start[0] = 1.0 - SPREAD
    return start


def reference(q: int, betas: np.ndarray) -> np.ndarray:
    """Final occupations by Dopri8 at rtol = atol = 1e-12."""
    solve = adaptive_solve(q, diffrax.Dopri8())
    return map_lanes(lambda chunk: solve(chunk, 1e-12)[0], betas)


def adaptive_solve(q: int, solver: diffrax.AbstractSolver) -> Solve:
    """The library's `integrate` with a PID controller at rtol = atol = control, vmapped over lanes."""
    ring, start = ring_of(q), jnp.asarray(start_of(q))

    def one(beta: Any, control: Any) -> Any:
        times: dict[str, Any] = {"t0": 0.0, "t1": FINAL_TIME, "saveat": diffrax.SaveAt(t1=True)}
        limits: dict[str, Any] = {"rtol": control, "atol": control, "max_steps": MAX_STEPS}
        solution = integrate(lambda t, P, b: vector_field(t, P, ring, b), start, beta, solver=solver, **times, **limits)
        return _final(solution)

    return jax.jit(jax.vmap(one, in_axes=(0, None)))


def together_solve(q: int) -> Solve:
    """`final_state`, which `evolve` between two times calls: lanes together, a step size each, Tsit5."""
    ring, start = ring_of(q), jnp.asarray(start_of(q))

    def one(beta: Any, control: Any) -> Any:
        field = lambda t, P, args: vector_field(t, P, *args)  # noqa: E731
        times = jnp.asarray(0.0), jnp.asarray(FINAL_TIME)
        settings: dict[str, Any] = {"rtol": control, "atol": control, "max_steps": MAX_STEPS}
        end, _, steps = final_state(field, start, (ring, beta), *times, solver=diffrax.Tsit5(), **settings)
        return end, steps

    return jax.jit(jax.vmap(one, in_axes=(0, None)))


def step_floor(q: int) -> float:
    """Least nanoseconds of one core for one step of one lane: six evaluations of the field, sums of stages, the error.

    Tsit5 has six new stages, whose sums have 1 to 6 terms; its error has 7.
    """
    ring = ring_of(q)
    counts = operations(lambda P, beta: vector_field(0.0, P, ring, beta), jnp.asarray(start_of(q)), jnp.asarray(1.0))
    field = floor_seconds(counts, machine_rates(), 6.0)
    sums = 2 * (21 + 7 + 4) * q * machine_rates().simple
    return 1e9 * field + sums


def fixed_solve(q: int) -> Solve:
    """diffrax's Tsit5 at a constant step, vmapped over lanes."""
    ring, start = ring_of(q), jnp.asarray(start_of(q))

    def one(beta: Any, control: Any) -> Any:
        term = diffrax.ODETerm(lambda t, P, b: vector_field(t, P, ring, b))
        times: dict[str, Any] = {"t0": 0.0, "t1": FINAL_TIME, "dt0": FINAL_TIME / control, "max_steps": MAX_STEPS}
        # SaveAt(t1=True) and ConstantStepSize() are diffrax's defaults.
        rules: dict[str, Any] = {"adjoint": diffrax.ForwardMode(), "throw": False}
        return _final(diffrax.diffeqsolve(term, diffrax.Tsit5(), y0=start, args=beta, **times, **rules))

    return jax.jit(jax.vmap(one, in_axes=(0, None)))


def fused_solve(q: int) -> Solve:
    """Classical Runge-Kutta on states (q, lanes), each step one body of a `fori_loop`."""
    start = jnp.asarray(start_of(q))

    def field(P: Any, half: Any) -> Any:
        following = jnp.concatenate([P[1:], P[:1]])
        growth = jnp.exp(half * (FORCE - COUPLING * (following - P)))
        current = PREFACTOR * (growth * P - following / growth)
        return jnp.concatenate([current[-1:], current[:-1]]) - current

    def solve(betas: Any, control: Any) -> Any:
        half, h = 0.5 * betas, FINAL_TIME / control
        steps = jnp.asarray(control, int)

        def step(_: Any, P: Any) -> Any:
            k1 = field(P, half)
            k2 = field(P + 0.5 * h * k1, half)
            k3 = field(P + 0.5 * h * k2, half)
            k4 = field(P + h * k3, half)
            return P + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

        states = jnp.broadcast_to(start[:, None], (q, betas.shape[0]))
        final = jax.lax.fori_loop(0, steps, step, states)
        return final.T, jnp.full(betas.shape, steps)

    return jax.jit(solve)


def numba_field(q: int) -> Callable[[np.ndarray, np.ndarray, float], None]:
    """Compiled `field(P, out, beta)`, which writes dP/dt into `out`; q is a constant of the machine code."""

    # NumPy's error model leaves out a test for zero in every division; IEEE arithmetic is kept (no fastmath).
    @numba.njit(error_model="numpy")
    def field(P, out, beta):  # type: ignore[no-untyped-def]
        half = 0.5 * beta
        growth = np.exp(half * (FORCE - COUPLING * (P[0] - P[q - 1])))
        closing = PREFACTOR * (growth * P[q - 1] - P[0] / growth)
        incoming = closing
        for i in range(q - 1):
            growth = np.exp(half * (FORCE - COUPLING * (P[i + 1] - P[i])))
            outgoing = PREFACTOR * (growth * P[i] - P[i + 1] / growth)
            out[i] = incoming - outgoing
            incoming = outgoing
        out[q - 1] = incoming - closing

    return field


def numba_solve(q: int) -> Solve:
    """Classical Runge-Kutta, lane by lane on numba's threads."""
    field, start = numba_field(q), start_of(q)

    @numba.njit(parallel=True, fastmath=False, error_model="numpy")
    def kernel(betas, steps):  # type: ignore[no-untyped-def]
        final = np.empty((betas.size, q))
        h = FINAL_TIME / steps
        for lane in numba.prange(betas.size):
            P, beta = start.copy(), betas[lane]
            k, total, stage = np.empty(q), np.empty(q), np.empty(q)
            for _ in range(steps):
                field(P, k, beta)
                for i in range(q):
                    total[i] = k[i]
                    stage[i] = P[i] + 0.5 * h * k[i]
                for reach in (0.5 * h, h):
                    field(stage, k, beta)
                    for i in range(q):
                        total[i] += 2 * k[i]
                        stage[i] = P[i] + reach * k[i]
                field(stage, k, beta)
                for i in range(q):
                    P[i] += h / 6 * (total[i] + k[i])
            final[lane] = P
        return final

    return lambda betas, control: (kernel(betas, int(control)), np.full(betas.size, int(control)))


def _final(solution: diffrax.Solution) -> tuple[Any, Any]:
    assert solution.ys is not None
    return solution.ys[0], solution.stats["num_steps"]


def _rows(q: int, betas: np.ndarray) -> list[dict[str, Any]]:
    exact = reference(q, betas)
    rows = [_row(method, q, betas, exact) for method in methods()]
    numba_row = rows[0]
    ratios = {"ratio_to_numba": "run_seconds", "cpu_ratio_to_numba": "cpu_seconds"}
    return [row | {name: row[key] / numba_row[key] for name, key in ratios.items()} for row in rows]


def _row(method: Method, q: int, betas: np.ndarray, exact: np.ndarray) -> dict[str, Any]:
    control = _equal_error(method, _chunked(method, q), betas, exact)
    solve = _chunked(method, q)
    timing = time_call(solve, betas, control, repeats=7)
    wall, cpu = best_seconds(solve, betas, control)
    occupation, steps = (np.asarray(part) for part in solve(betas, control))
    return {
        "q": q,
        "lanes": betas.size,
        "method": method.name,
        "steps_mean": float(steps.mean()),
        "steps_max": int(steps.max()),
        "tolerance": control if method.adaptive else None,
        "error": _error(occupation, exact),
        "compile_seconds": timing.compile_seconds,
        "run_seconds": timing.run_seconds,
        "best_seconds": wall,
        "cpu_seconds": cpu,
        **_floors(method, q, float(steps.sum()), cpu),
        "lane_steps_per_second": float(steps.sum() / timing.run_seconds),
        "lanes_per_second": betas.size / timing.run_seconds,
        "dtype": str(occupation.dtype),
        "numba_threads": numba.get_num_threads(),
    }


def _floors(method: Method, q: int, steps: float, cpu: float) -> dict[str, float]:
    """The counted floor of all steps in seconds of a processor, and its share of those taken; on processors only."""
    if method.name != TOGETHER or on_accelerator():
        return {}
    floor = 1e-9 * steps * step_floor(q)
    return {"floor_seconds": floor, "of_floor": floor / cpu}


def _chunked(method: Method, q: int) -> Solve:
    """The method's solve, in chunks of lanes over the threads if it asks for them."""
    solve, length = method.make(q), method.chunk
    if length is None:
        return solve
    return lambda betas, control: map_lanes(lambda chunk: solve(chunk, control), betas, chunk=length)


def _equal_error(method: Method, solve: Solve, betas: np.ndarray, exact: np.ndarray) -> float:
    """The steps or the tolerance whose error lies in [LOWEST, 1] TARGET, by the power law kept inside a bracket."""
    resolution = 1e6 if method.adaptive else 100.0
    coarse, fine = 0.0, math.inf
    for _ in range(SEARCH_LIMIT):
        control = 1.0 / resolution if method.adaptive else resolution
        error = _error(solve(betas, control)[0], exact)
        if LOWEST * TARGET <= error <= TARGET:
            return control
        coarse, fine = (resolution, fine) if error > TARGET else (coarse, resolution)
        if not method.adaptive and fine - coarse == 1:
            return fine
        ratio = error / (math.sqrt(LOWEST) * TARGET)
        guess = resolution * min(max(ratio, 1e-4), 1e4) ** (1.0 / method.order)
        guess = guess if method.adaptive else float(round(guess))
        # The middle is rounded up, so that it lies inside every bracket wider than one step.
        middle = math.sqrt(coarse * fine) if method.adaptive else (coarse + fine + 1) // 2
        resolution = guess if coarse < guess < fine else middle
    raise RuntimeError(f"`{method.name}` reaches no error in [{LOWEST}, 1] x {TARGET}; the last was {error:.2e}")


def _error(occupation: Any, exact: np.ndarray) -> float:
    """Largest error over lanes and states; infinite where a step was unstable."""
    error = float(np.max(np.abs(np.asarray(occupation) - exact)))
    return error if math.isfinite(error) else math.inf
