"""One period of an engine from the host, in short calls that show progress and can be interrupted.

One program takes any number of split steps of a turn, and serves the search, the turn that is measured, and every
number of steps.
"""

import time
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._status import Status, as_codes
from jaxthermo.brownian.driven.engine import Engine, one_period
from jaxthermo.brownian.hierarchy import HierarchyState
from jaxthermo.brownian.observables import Observables, observe
from jaxthermo.brownian.steps.propagation import DriveSolution
from jaxthermo.brownian.steps.spectrum import from_spectrum, to_spectrum
from jaxthermo.brownian.steps.split import noise_of
from jaxthermo.brownian.steps.stepper import Driven, DrivenTerm, start, strang, totals_of
from jaxthermo.protocols.schedules import value_at
from jaxthermo.solve.lean import brief_jit, lean_jit

# Calls of about this length leave a keyboard interrupt waiting for no longer, and cost nothing by their number.
SECONDS = 0.7


class Leg(eqx.Module):
    """A turn under way: the state as Fourier coefficients in y, the step to come, and what was measured so far."""

    y: Driven
    step: Int[Array, ""]
    measured: Observables
    totals: Float[Array, "times totals"]


@brief_jit
def _begin(engine: Engine, V: HierarchyState) -> Leg:
    equation, count = engine.equation, engine.times.shape
    beta = value_at(engine.cycle.beta, engine.times[0])
    shapes = jax.eval_shape(lambda V: observe(V, equation, 1.0 / beta), V)
    empty = jax.tree.map(lambda leaf: jnp.zeros((*count, *leaf.shape), leaf.dtype), shapes)
    return Leg(
        start(to_spectrum(V, equation), equation),
        jnp.zeros((), jnp.int32),
        empty,
        jnp.zeros((*count, totals_of(equation))),
    )


@lean_jit
def _go_on(engine: Engine, leg: Leg, end: Int[Array, ""], steps: Int[Array, ""], measured: Bool[Array, ""]) -> Leg:
    """All steps from `leg.step` to before `end`; step 0 only measures, step n is the n-th of the turn."""
    equation, times = engine.equation, engine.times
    term = DrivenTerm(equation, engine.cycle.beta, engine.cycle.x)
    noise = noise_of(equation)

    def move(leg: Leg) -> Leg:
        piece, part = (leg.step - 1) // steps, (leg.step - 1) % steps
        h = (times[piece + 1] - times[piece]) / steps.astype(times.dtype)
        begin = times[piece] + part.astype(times.dtype) * h
        return eqx.tree_at(lambda leg: leg.y, leg, strang(term, noise, leg.y, begin, begin + h))

    def measure(leg: Leg) -> Leg:
        index = leg.step // steps
        now = observe(
            from_spectrum(leg.y.V, equation), equation, 1.0 / value_at(engine.cycle.beta, times[index]), times[index]
        )
        measured = jax.tree.map(lambda values, value: values.at[index].set(value), leg.measured, now)
        return Leg(leg.y, leg.step, measured, leg.totals.at[index].set(leg.y.totals))

    def advance(leg: Leg) -> Leg:
        leg = jax.lax.cond(leg.step > 0, move, lambda leg: leg, leg)
        leg = jax.lax.cond(measured & (leg.step % steps == 0), measure, lambda leg: leg, leg)
        return eqx.tree_at(lambda leg: leg.step, leg, leg.step + 1)

    return jax.lax.while_loop(lambda leg: leg.step < end, advance, leg)


@brief_jit
def _finished(engine: Engine, leg: Leg, steps: Int[Array, ""]) -> DriveSolution:
    """What a turn that has been measured to its end gives."""
    status = jnp.where(jnp.all(jnp.isfinite(leg.y.V)), as_codes(Status.ok), as_codes(Status.solver_failed))
    V, count = from_spectrum(leg.y.V, engine.equation), steps * (engine.times.shape[0] - 1)
    return DriveSolution(leg.measured, leg.totals, V, None, status, count)


@brief_jit
def _values(engine: Engine, leg: Leg) -> HierarchyState:
    return from_spectrum(leg.y.V, engine.equation)


class SplitPeriods:
    """Periods of an engine by second-order split steps, in calls of about `SECONDS`."""

    def __init__(self, engine: Engine, keep_states: bool):
        self.engine, self.keep_states = engine, keep_states
        # Seconds for one step, of the last call; the first call compiles.
        self._pace = float("inf")

    def image(self, V: HierarchyState, steps: int) -> HierarchyState:
        """The state after one turn."""
        return _values(self.engine, self._run(_begin(self.engine, V), steps, measured=False))

    def measured(self, V: HierarchyState, steps: int) -> DriveSolution:
        """One turn with everything measured on the way."""
        states: list[np.ndarray] = []
        keep = (lambda leg: states.append(np.asarray(_values(self.engine, leg)))) if self.keep_states else None
        leg = self._run(_begin(self.engine, V), steps, True, keep)
        done = _finished(self.engine, leg, jnp.asarray(steps, jnp.int32))
        if not states:
            return done
        return eqx.tree_at(lambda d: d.members, done, jnp.asarray(np.stack(states)), is_leaf=lambda leaf: leaf is None)

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


class SolverPeriods:
    """Turns of an engine by fixed steps of a diffrax solver; one call for a turn."""

    def __init__(self, engine: Engine, solver: diffrax.AbstractSolver, keep_states: bool):
        self.engine, self.solver, self.keep_states = engine, solver, keep_states

    def image(self, V: HierarchyState, steps: int) -> HierarchyState:
        """The state after one turn."""
        return self.measured(V, steps).V

    def measured(self, V: HierarchyState, steps: int) -> DriveSolution:
        """One turn with everything measured on the way."""
        count = jnp.asarray(steps, jnp.int32)
        return jax.block_until_ready(_one_period(V, self.engine, count, True, self.solver, self.keep_states)[1])


_one_period = lean_jit(one_period)
