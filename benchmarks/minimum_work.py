"""How many propagations does the search for minimum work need by gradients, and how many by Nelder-Mead?

Both minimise the same compiled objective (the paper's form: order 5, horizon 1, start at the process's own beta and x)
from the same start, the protocol that rests, at points of the classical engine's stationary cycle at A = 1. A gradient
is counted at its measured cost in propagations. `solves_to_1e-3` is what each needs to come within 1e-3 of the gap
Xi_neq - Xi_info of the best value that either found; Nelder-Mead that never comes so near is counted with all it had.
"""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

import jaxthermo as jt
from benchmarks._bench import time_call
from jaxthermo.brownian.states.information import information_planck
from jaxthermo.search.lbfgs import SearchState, after_evaluation, initial_state, minimum_of, unfinished
from jaxthermo.search.least_work import steps_of
from jaxthermo.search.potential_range import problem_of
from jaxthermo.search.protocol_cost import Problem, cost
from jaxthermo.search.refinement import STOPPING
from jaxthermo.search.work_functional import bound_of

POTENTIAL = (0.0, 0.0, 0.1, 0.02, 0.05)
GRID = jt.PhaseGrid(5.6, 0.35, 9.8, 0.5)
CYCLE = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)
POINTS, ORDER, STEP = 20, 5, 0.1
MAX_EVALUATIONS, QUICK_EVALUATIONS = 6000, 200
NEAR = 1e-3


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each point of the cycle, and one for all of them."""
    points, order = (2, 1) if quick else (POINTS, ORDER)
    oscillator = jt.classical_oscillator(jt.Polynomial(POTENTIAL), 1.0, GRID)
    cycle = jt.run_cycle(oscillator, CYCLE, points=max(1, points // 4), steps=8, keep_states=True)
    times = np.linspace(0.0, float(CYCLE.period), points, endpoint=False)
    at = np.abs(np.asarray(cycle.time)[:, None] - times).argmin(axis=0)
    states = tuple(np.asarray(series)[at] for series in (cycle.members, cycle.beta, cycle.x))
    potential = jt.search.potential_around(oscillator, cycle.beta, cycle.x)
    steps = steps_of(1.0, 0.5 if quick else STEP)
    most, count = bound_of(steps), jnp.asarray(steps, jnp.int32)

    def problem(V: Any, beta: Any, x: Any) -> Problem:
        return problem_of(oscillator, potential, V, beta, x, jnp.asarray(1.0), order, False)

    @jax.jit
    def value(z: Any, *state: Any) -> Any:
        return cost(problem(*state), z, count, most)[0]

    @jax.jit
    def value_and_grad(z: Any, *state: Any) -> Any:
        return jax.value_and_grad(lambda z: cost(problem(*state), z, count, most)[0])(z)

    first = jax.tree.map(lambda leaf: leaf[0], states)
    zeros = jnp.zeros(2 * order)
    plain = time_call(value, zeros, *first, repeats=21).run_seconds
    with_gradient = time_call(value_and_grad, zeros, *first, repeats=21).run_seconds
    price = with_gradient / plain

    @jax.jit
    def one(*state: Any) -> Any:
        """A search on these time steps; the library's repeats it with shorter ones until they no longer matter."""
        here = problem(*state)
        evaluate = jax.value_and_grad(lambda z: cost(here, z, count, most), has_aux=True)

        def after(now: SearchState) -> SearchState:
            (loss, aux), slope = evaluate(now.trial)
            return after_evaluation(now, loss, aux, slope, STOPPING)

        start = initial_state(jnp.zeros(here.parameters), (jnp.zeros(()), jnp.zeros(())), STOPPING)
        end = jax.lax.while_loop(lambda now: unfinished(now, STOPPING), after, start)
        return minimum_of(end, STOPPING), end.evaluations, potential(here.beta, here.x)

    jax.block_until_ready(one(*first))
    bound = jax.jit(lambda *state: information_planck(state[0], problem(*state).equation, *state[1:]))
    rows = []
    for i, t in enumerate(times):
        here = jax.tree.map(lambda leaf, i=i: leaf[i], states)
        begin = time.perf_counter()
        found, solves, upper = jax.block_until_ready(one(*here))
        ours = time.perf_counter() - begin
        trace: list[float] = []

        def objective(z: np.ndarray, here: Any = here, trace: list[float] = trace) -> float:
            trace.append(float(value(jnp.asarray(z), *here)))
            return trace[-1]

        begin = time.perf_counter()
        minimize(
            objective,
            np.zeros(zeros.shape),
            method="Nelder-Mead",
            options={"maxfev": QUICK_EVALUATIONS if quick else MAX_EVALUATIONS, "xatol": 1e-9, "fatol": 1e-12},
        )
        theirs = time.perf_counter() - begin
        lowest = float(bound(*here))
        best = min(float(found.value), min(trace))
        goal = best + NEAR * (best - lowest)
        history = np.asarray(found.history)
        near = np.flatnonzero(history <= goal)
        share = (near[0] + 1) / int(found.steps) if len(near) else 1.0
        reached = np.flatnonzero(np.array(trace) <= goal)
        rows.append(
            {
                "time": float(t),
                "value": float(found.value),
                "nelder_mead_value": min(trace),
                "lower": lowest,
                "upper": float(upper),
                "solves": price * int(solves),
                "solves_to_1e-3": price * share * int(solves),
                "nelder_mead_solves": len(trace),
                "nelder_mead_solves_to_1e-3": int(reached[0]) + 1 if len(reached) else len(trace),
                "nelder_mead_came_near": bool(len(reached)),
                "run_seconds": ours,
                "nelder_mead_seconds": theirs,
            }
        )
    ours = np.array([row["solves_to_1e-3"] for row in rows])
    theirs = np.array([row["nelder_mead_solves_to_1e-3"] for row in rows])
    total = {
        "time": "all",
        "gradient_price": price,
        "worse_than_nelder_mead_by": max(row["value"] - row["nelder_mead_value"] for row in rows),
        "solves_ratio": float(theirs.sum() / ours.sum()),
        "smallest_ratio": float((theirs / ours).min()),
        "seconds_ratio": sum(r["nelder_mead_seconds"] for r in rows) / sum(r["run_seconds"] for r in rows),
        "nelder_mead_came_near": sum(r["nelder_mead_came_near"] for r in rows),
        "max_steps": STOPPING.max_steps,
    }
    return [*rows, total]
