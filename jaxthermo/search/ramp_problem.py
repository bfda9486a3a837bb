"""The work of a ramp as a function of its parameters, by split steps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from jaxthermo.brownian.hierarchy import Equation, HierarchyState
from jaxthermo.brownian.steps.spectrum import to_spectrum
from jaxthermo.brownian.steps.split import noise_of
from jaxthermo.brownian.steps.stepper import DrivenTerm
from jaxthermo.protocols.polynomial import PolynomialSchedule, unit_powers
from jaxthermo.search.work_functional import extrapolated, kick_energy, measure_of, propagate, with_kick
from jaxthermo.solve.lean import lean_jit


class RampProblem(eqx.Module):
    """The work of ramps from x_start to x_end, begun at V, as a function of their parameters.

    `steps` of time for a ramp, `most` what the program serves; `order` and `jumps` as in `jt.optimal_ramp`.
    """

    V: HierarchyState
    equation: Equation
    beta: Float[Array, ""]
    x_start: Float[Array, ""]
    x_end: Float[Array, ""]
    duration: Float[Array, ""]
    steps: Int[Array, ""]
    most: int = eqx.field(static=True)
    order: int = eqx.field(static=True)
    jumps: bool = eqx.field(static=True)

    def schedule(self, z: Float[Array, " parameters"]) -> tuple[PolynomialSchedule, Array, Array]:
        """x(t) between the ends, its ends, and the kicks; Chebyshev coefficients multiply s (1 - s)."""
        ends = jnp.stack([self.x_start, self.x_end])
        kicks = jnp.zeros(2)
        if self.jumps:
            ends, kicks = ends + z[:2], z[2:4]
        shape = z[-self.order :] if self.order else jnp.zeros(1)
        return PolynomialSchedule(_bent(shape, ends), self.duration), ends, kicks

    def cost(self, z: Float[Array, " parameters"]) -> tuple[Array, tuple[Array, Array]]:
        """The work, extrapolated from steps and half steps; what halving changed, and how much reached the rim."""
        schedule, ends, kicks = self.schedule(z)
        equation, noise = self.equation, noise_of(self.equation)
        measure = measure_of(equation, noise, self.jumps)
        begin, early = to_spectrum(self.V, equation), jnp.zeros(())
        if self.jumps:
            # A jump costs -X dx at frozen state, an impulse the kinetic energy that it brings.
            seen = measure(begin, self.beta)
            early = kick_energy(seen, kicks[0]) - seen[1] * (ends[0] - self.x_start)
            begin = with_kick(begin, equation, kicks[0])
        term = DrivenTerm(equation, self.beta, schedule)
        done = propagate(term, noise, begin, self.duration, self.steps, self.most, measure)
        pair = early - done.totals[:, 0]
        if self.jumps:
            pair = pair + kick_energy(done.last, kicks[1]) - done.last[:, 1] * (self.x_end - ends[1])
        return extrapolated(pair), (jax.lax.stop_gradient(jnp.abs(pair[1] - pair[0]) / 3.0), done.edge)


def _bent(shape: Float[Array, " order"], ends: Float[Array, "2"]) -> Float[Array, " powers"]:
    """Chebyshev coefficients of the line between the ends plus s (1 - s) sum_j shape_j T_j; s (1 - s) = (1 - T_2)/8."""
    lines, bends = _shapes(shape.shape[0])
    return jnp.asarray(lines) @ ends + jnp.asarray(bends) @ shape


def _shapes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The Chebyshev coefficients that the two ends and each of `count` shapes contribute."""
    lines, bends = np.zeros((count + 2, 2)), np.zeros((count + 2, count))
    lines[0], lines[1] = (0.5, 0.5), (-0.5, 0.5)
    for j in range(count):
        # T_2 T_j = [T_(j+2) + T_|j-2|]/2
        bends[j, j] += 1.0 / 8.0
        bends[j + 2, j] -= 1.0 / 16.0
        bends[abs(j - 2), j] -= 1.0 / 16.0
    return lines, bends


@lean_jit
def value_and_slope(problem: RampProblem, z: Float[Array, " parameters"]) -> tuple[tuple[Array, PyTree], Array]:
    """The work with what `cost` tells beside it, and the gradient."""
    return jax.value_and_grad(problem.cost, has_aux=True)(z)


def powers_of(shape: np.ndarray) -> np.ndarray:
    """Coefficients of 1, s, s^2, ... of sum_j shape_j T_j(2 s - 1)."""
    return unit_powers(len(shape) - 1) @ shape if len(shape) else shape
