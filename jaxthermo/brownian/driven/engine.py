"""What runs in a cycle, one period of it, and the state that a search for its stationary cycle begins with."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxthermo.brownian.hierarchy import Equation, HierarchyState, equation_on
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.states.canonical import canonical_members
from jaxthermo.brownian.steps.propagation import (
    CHECKPOINTS,
    Drive,
    DriveSolution,
    Method,
    Protocol,
    propagate_by,
    propagate_fixed_steps,
)
from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.solve.lean import brief_jit

# The first guess of a time step, and between which shares of the time of crossing the grid it is kept, so that another
# unit of time does not make it absurd.
FIRST_STEP, SHORTEST, LONGEST = 0.25, 0.05, 2.0


class Engine(eqx.Module):
    """What runs in a cycle: parameters, schedules, and the times at which a turn is measured."""

    oscillator: Oscillator
    cycle: AbstractCycle
    times: Float[Array, " times"]

    @property
    def drive(self) -> Drive:
        """One period of it."""
        return Drive(self.oscillator, Protocol(self.cycle.beta, self.cycle.x), self.times)

    @property
    def equation(self) -> Equation:
        """The discretised equation."""
        return equation_on(self.oscillator)


@brief_jit
def engine_of(
    oscillator: Oscillator, cycle: AbstractCycle, points: int
) -> tuple[Engine, Float[Array, " times"], Int[Array, ""]]:
    """An engine that is measured at `points` equal intervals in each piece between two corners of its cycle.

    With it, the inverse temperatures at these times, and how many steps to try first between two of them.
    """
    knots = cycle.knots()
    inside = knots[:-1, None] + (knots[1:] - knots[:-1])[:, None] * (jnp.arange(points)[None] / points)
    times = jnp.concatenate([inside.ravel(), knots[-1:]])
    return Engine(oscillator, cycle, times), jax.vmap(cycle.beta)(times), first_count(oscillator, times)


def first_count(oscillator: Oscillator, times: Float[Array, " times"]) -> Int[Array, ""]:
    """How many equal steps to try first between two of these times."""
    grid = oscillator.grid
    assert grid is not None
    crossing = oscillator.mass * grid.q_max / grid.p_max
    step = jnp.clip(FIRST_STEP, SHORTEST * crossing, LONGEST * crossing)
    return jnp.maximum(1, jnp.ceil(jnp.max(jnp.diff(times)) / step - 1e-9)).astype(jnp.int32)


def one_period(
    V: HierarchyState,
    engine: Engine,
    steps: Any,
    measured: Any,
    solver: Any,
    keep_states: bool,
    reverse: bool = False,
    checkpoints: int = CHECKPOINTS,
) -> tuple[HierarchyState, DriveSolution]:
    """The state after one turn from the state V, and what was measured on the way."""
    if solver is None:
        done = propagate_fixed_steps(engine.drive, V, steps, keep_states, measured, reverse, checkpoints)
        return done.V, done
    steps = jnp.asarray(steps, jnp.int32)
    method = Method(solver, jnp.zeros(()), steps, steps * (engine.times.shape[0] - 1), keep_states, checkpoints)
    done = propagate_by(engine.drive, V, method, reverse)
    return done.V, done


@brief_jit
def first_guess(engine: Engine) -> HierarchyState:
    """The canonical state at t = 0."""
    return canonical_members(engine.equation, 1.0 / engine.cycle.beta(0.0), engine.cycle.x(0.0))
