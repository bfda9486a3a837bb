"""How a driven solve chooses its steps: all numbers are arrays, so that other ones run in the same program."""

from typing import Any

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo.brownian.steps.stepper import Driven
from jaxthermo.solve.derivatives import stop_gradient

# The first step that error control tries, unless diffrax is asked to find one; it then grows tenfold in a step at most.
FIRST_STEP = 0.02
# About the 2-norm of W_0 where hbar = beta = w = 1. Errors count as if every state were so large: a density has a unit,
# the inverse of an action, and is lower where it is wide.
SIZE = 0.3


def size_of(y: Driven) -> Float[Array, ""]:
    """2-norm of a state, without its hierarchy."""
    W = stop_gradient(y.V[:, 0])
    return jnp.sqrt(jnp.vdot(W, W, precision="highest"))


class Pace(diffrax.AbstractStepSizeController):
    """Steps that end on every time asked for, since a split step knows the state at its ends only.

    Shapes     times: (times,), increasing; limit: scalar, the largest number of steps
    `adaptive`: error control by diffrax, of errors over the size of the state at hand, in units of the `first` size;
    None: `steps` equal steps between neighbouring times. With `guess` the first step is `FIRST_STEP`, and no vector
    field is needed to find it. Without, as for explicit solvers, which look at the schedules at both ends of a step,
    steps end a hair before a time and the next ones begin a hair behind it: the slopes of a schedule with a corner
    there are those of its two sides. A step too short to move the time, and a state that is not finite at fixed steps,
    end the solve with a result that says so.
    """

    times: Float[Array, " times"]
    limit: Int[Array, ""]
    adaptive: diffrax.PIDController | None
    steps: Int[Array, ""] | None
    guess: Bool[Array, ""] | None
    first: Float[Array, ""] | None = None

    def wrap(self, direction: Any) -> "Pace":
        return self

    def init(
        self, terms: Any, t0: Any, t1: Any, y0: Any, dt0: Any, args: Any, func: Any, error_order: Any
    ) -> tuple[Any, Any]:
        count = jnp.zeros((), jnp.int32)
        if self.adaptive is None:
            return self._fixed(count + 1), (count, None)
        first = None if self.guess is None else jnp.asarray(FIRST_STEP, self.times.dtype)
        end, state = self.adaptive.init(terms, t0, t1, y0, first, args, func, error_order)
        return jnp.minimum(end, self._next(t0)), (count, state)

    def adapt_step_size(
        self, t0: Any, t1: Any, y0: Any, y1_candidate: Any, args: Any, y_error: Any, error_order: Any, state: Any
    ) -> tuple[Any, Any, Any, Any, Any, Any]:
        count, inner = state
        count = count + 1
        if self.adaptive is None:
            keep: Any = jnp.asarray(True)
            begin, hit = self._passed(t1)
            end: Any = self._fixed(count + 1)
            # Every part of a step enters the work or the heat.
            sound = jnp.all(jnp.isfinite(y1_candidate.totals)) & jnp.isfinite(jnp.sum(y1_candidate.V))
        else:
            assert self.first is not None
            y_error = eqx.tree_at(lambda y: y.V, y_error, y_error.V * (self.first / size_of(y0)))
            keep, begin, end, _, inner, _ = self.adaptive.adapt_step_size(
                t0, t1, y0, y1_candidate, args, y_error, error_order, inner
            )
            begin, hit = self._passed(begin)
            end = jnp.minimum(end, self._next(begin))
            sound = end > begin
        unfinished = begin < self.times[-1]
        results = diffrax.RESULTS
        result = results.where(unfinished & (count >= self.limit), results.max_steps_reached, results.successful)
        # The state at the last time counts as well at fixed steps.
        lost = ~sound if self.adaptive is None else unfinished & ~sound
        result = results.where(lost, results.dt_min_reached, result)
        return keep, begin, end, hit, (count, inner), result

    def _next(self, t: Any) -> Float[Array, ""]:
        """Where a step from t has to end: at the first of the times after it."""
        return self._end_at(jnp.min(jnp.where(self.times > t, self.times, jnp.inf)))

    def _end_at(self, time: Any) -> Any:
        return time if self.guess is not None else eqxi.prevbefore(time)

    def _passed(self, begin: Any) -> tuple[Any, Any]:
        """Where the next step begins, and whether one of the times was passed."""
        if self.guess is not None:
            return begin, False
        at = begin == eqxi.prevbefore(self.times)
        hit = jnp.any(at)
        return jnp.where(hit, eqxi.nextafter(jnp.max(jnp.where(at, self.times, -jnp.inf))), begin), hit

    def _fixed(self, count: Int[Array, ""]) -> Float[Array, ""]:
        """Where the step of this number ends, counted from 1."""
        steps = self.steps
        assert steps is not None
        piece, part = count // steps, count % steps
        begin = self.times[jnp.minimum(piece, self.times.shape[0] - 1)]
        end = self.times[jnp.minimum(piece + 1, self.times.shape[0] - 1)]
        inside = begin + (end - begin) * (part.astype(self.times.dtype) / steps.astype(self.times.dtype))
        return jnp.where(part == 0, self._end_at(begin), inside)
