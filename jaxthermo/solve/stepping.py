"""Adaptive steps by diffrax's solvers and controllers in loops of our own, for the searches inside a solve.

A `diffeqsolve` saves, interpolates and handles events for all purposes, and is four times as large a program as the
same steps taken here. Public trajectories go through `solve/integrate.py`.
"""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo._types import Real
from jaxthermo.solve.integrate import FAILED, OK, OUT_OF_STEPS, VectorField

# Steps whose end would lie this share of the whole time before its end go up to it.
LAST_STEP = 1e-14


class Stepper(eqx.Module):
    """How dy/dt = field(t, y, args) is stepped: field, args, a diffrax solver and the tolerances of its steps."""

    field: VectorField
    args: PyTree
    solver: diffrax.AbstractSolver
    rtol: float
    atol: float

    def controller(self) -> diffrax.PIDController:
        """Step sizes from the error of each step, as `integrate` has them."""
        return diffrax.PIDController(rtol=self.rtol, atol=self.atol)


class StepperState(eqx.Module):
    """A trajectory under way: where it is, where its next step is to end, and what solver and controller remember."""

    t: Float[Array, ""]
    following: Float[Array, ""]
    y: PyTree
    memory: PyTree
    tried: Int[Array, ""]


class Step(eqx.Module):
    """One step tried, from `begin` to `end`, `accepted` if its error was small; `inside` are diffrax's data of it."""

    begin: Float[Array, ""]
    end: Float[Array, ""]
    accepted: Bool[Array, ""]
    inside: dict[str, PyTree]


def initial_state(stepper: Stepper, y: PyTree, dt0: Real | None = None) -> StepperState:
    """The trajectory at time 0. Without `dt0` the controller chooses the first step."""
    zero = jnp.zeros((), jnp.result_type(*jax.tree.leaves(y)))
    far = jnp.full_like(zero, 1e12)
    term = diffrax.ODETerm(stepper.field)
    controlled: Any
    following: Any
    with jax.numpy_dtype_promotion("standard"):
        order: Any = stepper.solver.error_order(term)
        func = stepper.solver.func
        following, controlled = stepper.controller().init(term, zero, far, y, dt0, stepper.args, func, order)
        solved = stepper.solver.init(term, zero, following, y, stepper.args)
    controlled = jax.tree.map(jnp.asarray, controlled)
    return StepperState(zero, following, y, (solved, controlled), jnp.zeros((), jnp.int32))


def advance(stepper: Stepper, now: StepperState, until: Float[Array, ""] | None = None) -> tuple[StepperState, Step]:
    """One step tried, which is taken back if its error is too large; none goes past `until`."""
    term, solver = diffrax.ODETerm(stepper.field), stepper.solver
    solved, controlled = now.memory
    end = now.following
    order: Any = solver.error_order(term)
    t: Any
    accepted: Any
    following: Any
    with jax.numpy_dtype_promotion("standard"):
        y, error, inside, stepped, _ = solver.step(term, now.t, end, now.y, stepper.args, solved, False)
        # Where the field is not a number the step is taken back, and a shorter one tried.
        error = jax.tree.map(lambda e: jnp.where(jnp.isnan(e), jnp.inf, e), error)
        accepted, t, following, _, controlled, _ = stepper.controller().adapt_step_size(
            now.t, end, now.y, y, stepper.args, error, order, controlled
        )
    if until is not None:
        t = jnp.minimum(t, until)
        # A step that was just refused would be refused again if it went to the end.
        last = jnp.where(accepted, until, t + 0.5 * (until - t))
        following = jnp.where(following > until * (1.0 - LAST_STEP), last, following)

    def choose(new: PyTree, old: PyTree) -> PyTree:
        return jnp.where(accepted, new, old)

    y = jax.tree.map(choose, y, now.y)
    solved = jax.tree.map(choose, stepped, solved)
    return StepperState(t, following, y, (solved, controlled), now.tried + 1), Step(now.t, end, accepted, inside)


def solve_to(
    stepper: Stepper,
    y: PyTree,
    until: Float[Array, ""],
    max_steps: int,
    notes: PyTree = None,
    note: Callable[[PyTree, Step], PyTree] | None = None,
    dt0: Real | None = None,
) -> tuple[PyTree, PyTree, Int[Array, ""]]:
    """The state at time `until` > 0 from y at time 0, with an index into `integrate.STATUS`.

    After each step `note(notes, step)` may keep something of it.
    """

    def unfinished(carry: tuple[StepperState, PyTree]) -> Array:
        now, _ = carry
        return (now.t < until) & (now.tried < max_steps)

    def body(carry: tuple[StepperState, PyTree]) -> tuple[StepperState, PyTree]:
        now, notes = carry
        now, step = advance(stepper, now, until)
        return now, notes if note is None else note(notes, step)

    start = initial_state(stepper, y, dt0)
    start = eqx.tree_at(lambda f: f.following, start, jnp.minimum(start.following, until))
    now, notes = jax.lax.while_loop(unfinished, body, (start, notes))
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(now.y)]))
    status = jnp.where(now.t < until, OUT_OF_STEPS, jnp.where(finite, OK, FAILED)).astype(jnp.int32)
    return now.y, notes, status


def sampling(
    stepper: Stepper, times: Float[Array, " times"], part: Callable[[PyTree], Float[Array, " n"]]
) -> Callable[[Float[Array, "times n"], Step], Float[Array, "times n"]]:
    """A `note` for `solve_to` that keeps a part of the state at given times, by the solver's own interpolation."""

    def note(samples: Array, step: Step) -> Array:
        # Only the part is interpolated; the solver's data have the state's structure, stages in now.
        inside = {name: part(value) for name, value in step.inside.items()}
        with jax.numpy_dtype_promotion("standard"):
            interpolant = stepper.solver.interpolation_cls(t0=step.begin, t1=step.end, **inside)
            values = jax.vmap(lambda t: interpolant.evaluate(t))(jnp.clip(times, step.begin, step.end))
        new = step.accepted & (times > step.begin) & (times <= step.end)
        return jnp.where(new[:, None], values, samples)

    return note


def walk(stepper: Stepper, y: Float[Array, " n"], steps: int, dt0: Real) -> tuple[Array, Array, Int[Array, ""]]:
    """A budget of steps, not of time: times and states of those accepted, right-aligned, and how many they are.

    Shapes     times: (steps + 1,), states: (steps + 1, n); unused rows in now repeat the start
    """

    def body(now: StepperState, _: None) -> tuple[StepperState, tuple[Array, Array, Array]]:
        now, step = advance(stepper, now)
        return now, (now.t, now.y, step.accepted)

    _, (times, states, accepted) = jax.lax.scan(body, initial_state(stepper, y, dt0), length=steps)
    count = jnp.sum(accepted, dtype=jnp.int32)
    # What is refused goes to a row that is cut off.
    row = jnp.where(accepted, steps - count + jnp.cumsum(accepted, dtype=jnp.int32), steps + 1)
    aligned = jnp.tile(y, (steps + 2, 1)).at[row].set(states)
    clock = jnp.zeros(steps + 2, times.dtype).at[row].set(times)
    return clock[:-1], aligned[:-1], count
