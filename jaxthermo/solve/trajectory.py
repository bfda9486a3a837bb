"""The stretch of a trajectory that a search for its attractor looks at: rounds of steps, averages, returns."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from jaxthermo.solve.cycle import Observe
from jaxthermo.solve.fixed_point import AutonomousField
from jaxthermo.solve.stepping import Stepper, walk

ROUND_STEPS = 512
# First step, in units of the fastest time: from an almost empty state diffrax's own choice may be NaN.
FIRST_STEP = 0.01
RTOL = 1e-7
ATOL = 1e-10
# Returns are looked for over this many stored steps, of which older ones are thinned.
HISTORY = 2 * ROUND_STEPS
# Two passages of the trajectory this close, relative to the size of the loop between them, make a guess for an orbit.
RECURRENCE = 0.2
# Each further turn must bring the trajectory nearer to where it is now by this share of the loop's size to be added.
GAIN_PER_TURN = 0.005
# The last passages through a section, and those before, that are compared.
LAST_PASSAGES, PASSAGES_BEFORE = 3, 12
# A passage this share of the period before the last one is not yet the same place of the orbit.
SAME_TURN = 0.97


class Path(eqx.Module):
    """Points of a trajectory, right-aligned: the newest is last, unused rows at the front repeat the oldest."""

    times: Float[Array, " steps"]
    states: Float[Array, "steps n"]

    def end(self) -> Float[Array, " n"]:
        return self.states[-1]

    def then(self, later: "Path") -> "Path":
        """Every second point of this path followed by the later one, which starts its own clock at 0.

        So a history of fixed length reaches ever further back, ever more coarsely: it can see a long period.
        """
        kept = self.states[1::2]
        shifted = self.times[1::2] - self.times[-1]
        return Path(jnp.concatenate([shifted, later.times[1:]]), jnp.concatenate([kept, later.states[1:]]))


def next_round(field: AutonomousField, x: Array, args: PyTree) -> Path:
    """One round: a budget of steps, not of time, so that stiff and slow lanes cost the same."""
    first = FIRST_STEP / jnp.linalg.norm(jax.jacfwd(field)(x, args))
    stepper = Stepper(lambda t, y, a: field(y, a), args, diffrax.Tsit5(), RTOL, ATOL)
    times, states, _ = walk(stepper, x, ROUND_STEPS, first)
    return Path(times, states)


def time_average(observe: Observe, path: Path, rates: Float[Array, "steps n"], args: PyTree) -> Array:
    """Time average over the round by the trapezoid rule with end corrections (fourth order in the step)."""

    def value_and_rate(x: Array, velocity: Array) -> tuple[Array, Array]:
        return jax.jvp(lambda y: observe(y, args), (x,), (velocity,))

    value, rate = jax.vmap(value_and_rate)(path.states, rates)
    h = jnp.diff(path.times)[:, None]
    total = jnp.sum(0.5 * h * (value[1:] + value[:-1]) + h**2 / 12.0 * (rate[:-1] - rate[1:]), axis=0)
    return total / (path.times[-1] - path.times[0])


def recurrence(path: Path, rates: Float[Array, "steps n"]) -> tuple[Array, Array, Array, Bool[Array, ""]]:
    """The loop that the trajectory closed last: its fastest point, duration and size, and whether there is one.

    `rates` is the field along the path.

    A loop ends where the trajectory crosses the plane normal to the flow through its end point, in the same direction
    and close to that point. That may take several turns: where a period has doubled, one turn leads near the end point
    and two turns lead to it. The fastest point makes the best-conditioned base for shooting.
    """
    end = path.end()
    velocity = rates[-1]
    # Largest excursion between each step and the end.
    excursion = jax.lax.cummax(jnp.linalg.norm(path.states - end[None], axis=1), reverse=True)
    upward, weight, distance = _crossings(path, end, velocity / jnp.linalg.norm(velocity))
    back = distance < RECURRENCE * excursion[:-1]
    index = jnp.arange(upward.shape[0])
    # The last step always ends in the plane; it is the end point itself, not a return to it.
    valid = upward & back & (index + 2 < path.times.shape[0])
    found = jnp.any(valid)
    gap = distance / excursion[:-1] + GAIN_PER_TURN * _counted_back(valid).astype(distance.dtype)
    first = jnp.where(found, jnp.argmin(jnp.where(valid, gap, jnp.inf)), 0)
    period = path.times[-1] - _crossing_times(path, weight)[first]
    speed = jnp.linalg.norm(rates, axis=1)
    fastest = jnp.argmax(jnp.where(jnp.arange(speed.shape[0]) >= first, speed, -jnp.inf))
    return path.states[fastest], jnp.where(found, period, 1.0), excursion[first], found


def _crossings(path: Path, point: Array, normal: Array) -> tuple[Array, Array, Array]:
    """Which steps cross the plane through a point in the direction of its normal, where in the step, how far off."""
    height = (path.states - point[None]) @ normal
    upward = (height[:-1] < 0) & (height[1:] >= 0)
    weight = -height[:-1] / jnp.where(upward, height[1:] - height[:-1], 1.0)
    crossing = path.states[:-1] + weight[:, None] * jnp.diff(path.states, axis=0)
    return upward, weight, jnp.linalg.norm(crossing - point[None], axis=1)


def _crossing_times(path: Path, weight: Array) -> Array:
    return path.times[:-1] + weight * jnp.diff(path.times)


def _counted_back(chosen: Array) -> Array:
    """How many of the chosen there are from each one to the end, itself included."""
    return jnp.cumsum(chosen[::-1])[::-1]


def passages(path: Path, point: Array, velocity: Array, period: Array, radius: Array) -> tuple[Array, Array, Array]:
    """Largest distance from a point of an orbit at which the last few passages cross the plane normal to the flow
    there, and at which those before did, infinite where there were none; and how often the orbit crosses it nearby.

    Of an orbit that crosses the plane several times in its period only each passage on the same branch counts.
    """
    upward, weight, distance = _crossings(path, point, velocity)
    # The orbit itself may cross the plane elsewhere too.
    valid = upward & (distance < radius)
    rank = _counted_back(valid)
    time = _crossing_times(path, weight)
    last = jnp.max(jnp.where(valid, time, -jnp.inf))
    often = jnp.maximum(jnp.sum(valid & (last - time < SAME_TURN * period)), 1)
    nearest = rank[jnp.argmin(jnp.where(valid & (rank <= often), distance, jnp.inf))]
    valid &= (rank - nearest) % often == 0
    turn = (rank - nearest) // often + 1

    def largest(chosen: Array) -> Array:
        return jnp.where(jnp.any(chosen), jnp.max(jnp.where(chosen, distance, -jnp.inf)), jnp.inf)

    before = valid & (turn > LAST_PASSAGES) & (turn <= PASSAGES_BEFORE)
    return largest(valid & (turn <= LAST_PASSAGES)), largest(before), often
