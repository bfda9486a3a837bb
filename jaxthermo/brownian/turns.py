"""The search for a stationary cycle as short calls from the host, which show progress and can be interrupted.

`stationary_turn` does the same inside one program. Here one program takes any number of split steps of a turn, and
serves the search, the turn that is measured, and every number of steps.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxthermo.brownian.canonical import canonical_members
from jaxthermo.brownian.drive import Course, Protocol, course
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import Field, workspace
from jaxthermo.brownian.observables import Observables, observe
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.spectrum import from_spectrum, to_spectrum
from jaxthermo.brownian.split import noise_of
from jaxthermo.brownian.stepper import Driven, DrivenTerm, start, strang
from jaxthermo.protocols.schedule import value_at
from jaxthermo.protocols.stirling import StirlingCycle
from jaxthermo.solve.integrate import FAILED, OK
from jaxthermo.solve.periodic import History, improved, no_history

# Calls of about this length leave a keyboard interrupt waiting for no longer, and cost nothing by their number.
SECONDS = 0.7
# A turn that changes this share of the tolerance needs no other to confirm it.
SURE = 1e-3


class Engine(eqx.Module):
    """What runs in a cycle: parameters, schedules, and the times at which a turn is measured."""

    oscillator: Oscillator
    cycle: StirlingCycle
    times: Float[Array, " times"]
    grid: PhaseGrid

    @property
    def protocol(self) -> Protocol:
        """Both schedules."""
        return Protocol(self.cycle.beta, self.cycle.x)


class Leg(eqx.Module):
    """A turn under way: the state as Fourier coefficients in y, the step to come, and what was measured so far."""

    y: Driven
    step: Int[Array, ""]
    measured: Observables
    totals: Float[Array, "times 4"]


class Found(eqx.Module):
    """A stationary cycle at one number of steps: its measured turn, and how the search ended."""

    course: Course
    residual: float
    cycles: int
    contraction: float  # by how much the last turn changed less than the one before

    @property
    def work(self) -> float:
        """Work done on the oscillator in one cycle."""
        return -float(np.asarray(self.course.totals)[-1, 0])


@eqx.filter_jit
def first_guess(engine: Engine) -> Field:
    """The canonical state at t = 0."""
    work = workspace(engine.oscillator, engine.grid)
    return canonical_members(work, 1.0 / engine.cycle.beta(0.0), engine.cycle.x(0.0))


@eqx.filter_jit
def _begin(engine: Engine, V: Field) -> Leg:
    work, count = workspace(engine.oscillator, engine.grid), engine.times.shape
    beta = value_at(engine.cycle.beta, engine.times[0])
    shapes = jax.eval_shape(lambda V: observe(V, work, 1.0 / beta), V)
    empty = jax.tree.map(lambda leaf: jnp.zeros((*count, *leaf.shape), leaf.dtype), shapes)
    return Leg(start(to_spectrum(V, work)), jnp.zeros((), jnp.int32), empty, jnp.zeros((*count, 4)))


@eqx.filter_jit
def _go_on(engine: Engine, leg: Leg, end: Int[Array, ""], steps: Int[Array, ""], measured: Bool[Array, ""]) -> Leg:
    """All steps from `leg.step` to before `end`; step 0 only measures, step n is the n-th of the turn."""
    work, times = workspace(engine.oscillator, engine.grid), engine.times
    term = DrivenTerm(work, engine.cycle.beta, engine.cycle.x)
    noise = noise_of(work)

    def move(leg: Leg) -> Leg:
        piece, part = (leg.step - 1) // steps, (leg.step - 1) % steps
        h = (times[piece + 1] - times[piece]) / steps.astype(times.dtype)
        begin = times[piece] + part.astype(times.dtype) * h
        return eqx.tree_at(lambda leg: leg.y, leg, strang(term, noise, leg.y, begin, begin + h))

    def measure(leg: Leg) -> Leg:
        index = leg.step // steps
        now = observe(from_spectrum(leg.y.V, work), work, 1.0 / value_at(engine.cycle.beta, times[index]), times[index])
        measured = jax.tree.map(lambda values, value: values.at[index].set(value), leg.measured, now)
        return Leg(leg.y, leg.step, measured, leg.totals.at[index].set(leg.y.totals))

    def advance(leg: Leg) -> Leg:
        leg = jax.lax.cond(leg.step > 0, move, lambda leg: leg, leg)
        leg = jax.lax.cond(measured & (leg.step % steps == 0), measure, lambda leg: leg, leg)
        return eqx.tree_at(lambda leg: leg.step, leg, leg.step + 1)

    return jax.lax.while_loop(lambda leg: leg.step < end, advance, leg)


@eqx.filter_jit
def _finished(engine: Engine, leg: Leg, steps: Int[Array, ""]) -> Course:
    """The course of a turn that has been measured to its end."""
    work, times = workspace(engine.oscillator, engine.grid), engine.times
    finite = jnp.all(jnp.isfinite(leg.y.V))
    return Course(
        measured=leg.measured,
        beta=jax.vmap(lambda t: value_at(engine.cycle.beta, t))(times),
        x=jax.vmap(lambda t: value_at(engine.cycle.x, t))(times),
        totals=leg.totals,
        V=from_spectrum(leg.y.V, work),
        history=None,
        status=jnp.where(finite, OK, FAILED).astype(jnp.int32),
        steps=steps * (times.shape[0] - 1),
    )


@eqx.filter_jit
def _values(engine: Engine, leg: Leg) -> Field:
    return from_spectrum(leg.y.V, workspace(engine.oscillator, engine.grid))


class SplitTurns:
    """Turns of an engine by second-order split steps, in calls of about `SECONDS`."""

    def __init__(self, engine: Engine, keep_states: bool):
        self.engine, self.keep_states = engine, keep_states
        # Seconds for one step, of the last call; the first call compiles.
        self._pace = float("inf")

    def image(self, V: Field, steps: int) -> Field:
        """The state after one turn."""
        return _values(self.engine, self._run(_begin(self.engine, V), steps, measured=False))

    def measured(self, V: Field, steps: int) -> Course:
        """One turn with everything measured on the way."""
        states: list[np.ndarray] = []
        keep = (lambda leg: states.append(np.asarray(_values(self.engine, leg)))) if self.keep_states else None
        leg = self._run(_begin(self.engine, V), steps, True, keep)
        done = _finished(self.engine, leg, jnp.asarray(steps, jnp.int32))
        if not states:
            return done
        return eqx.tree_at(lambda c: c.history, done, jnp.asarray(np.stack(states)), is_leaf=lambda leaf: leaf is None)

    def _run(self, leg: Leg, steps: int, measured: bool, keep: Callable[[Leg], Any] | None = None) -> Leg:
        last = (self.engine.times.shape[0] - 1) * steps + 1
        count, flag = jnp.asarray(steps, jnp.int32), jnp.asarray(measured)
        at = 0
        while at < last:
            # States are kept at the ends of pieces, so a call that keeps one ends there.
            longest = last - at if keep is None else (1 if at == 0 else steps - (at - 1) % steps)
            end = at + max(1, min(longest, int(SECONDS / self._pace)))
            began = time.perf_counter()
            leg = jax.block_until_ready(_go_on(self.engine, leg, jnp.asarray(end, jnp.int32), count, flag))
            self._pace = (time.perf_counter() - began) / (end - at)
            at = end
            if keep is not None and (at - 1) % steps == 0:
                keep(leg)
        return leg


class SolverTurns:
    """Turns of an engine by fixed steps of a diffrax solver; one call for a turn."""

    def __init__(self, engine: Engine, solver: diffrax.AbstractSolver, keep_states: bool):
        self.engine, self.solver, self.keep_states = engine, solver, keep_states

    def image(self, V: Field, steps: int) -> Field:
        """The state after one turn."""
        return self.measured(V, steps).V

    def measured(self, V: Field, steps: int) -> Course:
        """One turn with everything measured on the way."""
        engine, pieces = self.engine, self.engine.times.shape[0] - 1
        return jax.block_until_ready(
            _solved(
                engine,
                V,
                self.solver,
                jnp.asarray(steps, jnp.int32),
                jnp.asarray(steps * pieces, jnp.int32),
                self.keep_states,
            )
        )


@eqx.filter_jit
def _solved(engine: Engine, V: Field, solver: Any, steps: Array, limit: Array, keep_states: bool) -> Course:
    protocol: Protocol = engine.protocol
    settings: dict[str, Any] = {"steps": steps, "max_steps": limit, "keep_states": keep_states}
    return course(engine.oscillator, protocol, V, engine.times, engine.grid, solver=solver, **settings)


@eqx.filter_jit
def _improved(history: History, V: Field, image: Field, grid: PhaseGrid) -> tuple[History, Field, Float[Array, ""]]:
    history, V, change = improved(history, V, image)
    return history, V, change * jnp.sqrt(grid.cell)


def search(
    turns: SplitTurns | SolverTurns,
    guess: Field,
    steps: int,
    tolerance: float,
    limit: int,
    tell: Callable[[str], None],
    contraction: float = float("inf"),
) -> Found:
    """The stationary cycle at one number of steps, by accelerated repetition from a guess.

    `tell` is given a line of text after every turn. `residual` is the 2-norm over phase space of what the last turn
    changed. The turn that is measured begins where one has changed less than the tolerance. A turn that may be expected
    to change a thousandth of it, after `contraction` of an earlier search, is measured at once, and is the last if it
    keeps to that.
    """
    V, history = guess, no_history(guess)
    residual, count = float("inf"), 0
    while residual > tolerance and count < limit:
        sure = residual * contraction <= SURE * tolerance
        course = turns.measured(V, steps) if sure else None
        image = turns.image(V, steps) if course is None else course.V
        history, V, change = _improved(history, V, image, turns.engine.grid)
        before, residual, count = residual, float(change), count + 1
        contraction = residual / before if math.isfinite(before) else contraction
        tell(f"{steps} steps a piece, cycle {count}: changes {residual:.1e}, wanted {tolerance:.1e}")
        if course is not None and residual <= SURE * tolerance:
            return Found(course, residual, count, contraction)
    tell(f"{steps} steps a piece, cycle {count + 1}: measured")
    return Found(turns.measured(V, steps), residual, count, contraction)
