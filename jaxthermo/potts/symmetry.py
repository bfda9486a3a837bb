"""Whether two attractors are the same up to a rotation of the ring, and, for cycles, up to their phase."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxthermo._types import Real
from jaxthermo.jumps.mean_field import vector_field
from jaxthermo.potts.ring import PottsRing
from jaxthermo.solve.integrate import integrate
from jaxthermo.solve.lean import lean_jit

SAMPLES = 1024
RTOL, ATOL, MAX_STEPS = 1e-9, 1e-12, 4096
# Newton's method knows a fixed point to this distance, and a point on a cycle to this share of the cycle's size, of
# which the interpolation between samples takes the largest part.
SAME_POINT = 1e-6
SAME_ORBIT = 1e-3
# Points tried on the curve between one sample and the next.
BETWEEN = np.linspace(0.0, 1.0, 33)


class ClosedOrbit:
    """A closed curve in the space of occupations, or a single point, with the rotations that map it to itself."""

    def __init__(self, states: np.ndarray, rates: np.ndarray, step: float, shifts: range):
        self.states, self.rates, self.step, self.shifts = states, rates, step, shifts
        size = np.linalg.norm(states - states.mean(axis=0), axis=1).max()
        self.tolerance = SAME_POINT if len(states) == 1 else SAME_ORBIT * size
        self.symmetries = len(self.rotations_through(states[0]))

    @property
    def copies(self) -> int:
        """How many distinct curves the rotations make of this one."""
        return len(self.shifts) // self.symmetries

    def rotations_through(self, point: np.ndarray) -> list[int]:
        """The rotations i -> i + shift of the ring after which the curve passes through the point."""
        return [shift for shift in self.shifts if self._distance(np.roll(point, -shift)) <= self.tolerance]

    def _distance(self, point: np.ndarray) -> float:
        gaps = np.linalg.norm(self.states - point, axis=1)
        nearest = int(np.argmin(gaps))
        if len(gaps) == 1:
            return float(gaps[0])
        return min(self._gap_between(nearest - 1, point), self._gap_between(nearest, point))

    def _gap_between(self, start: int, point: np.ndarray) -> float:
        """Distance to the cubic that has the samples' states and rates at both of its ends."""
        end = (start + 1) % len(self.states)
        s = BETWEEN[:, None]
        value = (1 + 2 * s) * (1 - s) ** 2 * self.states[start] + s**2 * (3 - 2 * s) * self.states[end]
        slope = s * (1 - s) ** 2 * self.rates[start] - s**2 * (1 - s) * self.rates[end]
        return float(np.linalg.norm(value + self.step * slope - point, axis=1).min())


def point_orbit(occupation: np.ndarray, shifts: range) -> ClosedOrbit:
    """The orbit of a fixed point: the point."""
    return ClosedOrbit(occupation[None], np.zeros_like(occupation)[None], 0.0, shifts)


def cycle_orbit(
    ring: PottsRing, beta: Float[Array, ""], state: np.ndarray, period: float, shifts: range
) -> ClosedOrbit:
    """The limit cycle through a state, sampled at equal times."""
    states, rates = (np.asarray(values) for values in _sample(ring, beta, jnp.asarray(state), jnp.asarray(period)))
    return ClosedOrbit(states, rates, period / SAMPLES, shifts)


@lean_jit
def _sample(
    ring: PottsRing, beta: Float[Array, ""], state: Float[Array, " q"], period: Float[Array, ""]
) -> tuple[Float[Array, "samples q"], Float[Array, "samples q"]]:
    times = period * jnp.arange(SAMPLES, dtype=state.dtype) / SAMPLES

    def field(t: Real, P: Float[Array, " q"], args: PyTree) -> Float[Array, " q"]:
        return vector_field(t, P, *args)

    solution = integrate(
        field,
        state,
        (ring, beta),
        t0=times[0],
        t1=times[-1],
        saveat=diffrax.SaveAt(ts=times),
        rtol=RTOL,
        atol=ATOL,
        max_steps=MAX_STEPS,
    )
    states = solution.ys
    assert states is not None
    return states, jax.vmap(lambda P: vector_field(0.0, P, ring, beta))(states)
