"""Where an optimal ramp starts: a grid with room for the motion, and the equilibrium on it."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._status import Status
from jaxthermo._types import Real
from jaxthermo.brownian.accuracy.automatic import extremes, grid_reaching, resolved
from jaxthermo.brownian.equilibria.equilibria import equilibrium
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, equation_on
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.states.canonical import boltzmann
from jaxthermo.solve.lean import lean_jit


def classical_start(oscillator: Oscillator, beta: Array, x: Array) -> tuple[HierarchyState, Equation, bool]:
    """The classical equilibrium, which is known: exp[-beta (p^2/2m + U - xX)]."""
    return *_canonical(oscillator, beta, x), False


def correlated_start(oscillator: Oscillator, beta: Array, x: Array) -> tuple[HierarchyState, Equation, bool]:
    """The equilibrium with its correlations, and whether the solve for it has failed."""
    state = equilibrium(oscillator, beta, x)
    return state.V, state.equation, int(state.status) == Status.not_converged


@lean_jit
def _canonical(oscillator: Oscillator, beta: Array, x: Array) -> tuple[HierarchyState, Equation]:
    equation = equation_on(oscillator)
    return boltzmann(equation, 1.0 / beta, x)[:, None], equation


def with_room_for(
    oscillator: Oscillator, beta: Array, x_start: Array, x_end: Array, duration: Array, jumps: bool
) -> Oscillator:
    """The oscillator on a grid with room for a particle that is moved from the one field to the other."""
    fields = _room(x_start, x_end)
    if oscillator.grid is not None:
        return resolved(oscillator, beta, fields)
    widest = extremes(oscillator, beta, fields)
    places = np.asarray(_places(oscillator, beta, jnp.stack([x_start, x_end]), jnp.linspace(-widest.q, widest.q, 401)))
    stiffness = 1.0 / (float(beta) * places[:, 1])
    distance = abs(float(places[1, 0] - places[0, 0]))
    if jumps:
        # The best ramp leaves a part of the way to be done after it, and what is spread more widely has further to go.
        spread = np.sqrt(places[:, 1])
        distance += float(widest.q * abs(spread[1] - spread[0]) / spread.max())
        speed = 1.0 / (float(duration) + 2.0 * float(oscillator.bath.friction() / stiffness.max()))
    else:
        # A ramp goes up to twice its mean speed, and a sudden one no faster than the oscillator swings.
        speed = min(2.0 / float(duration), float(np.sqrt(stiffness.max() / float(oscillator.mass))))
    grid = grid_reaching(widest._replace(p=widest.p + float(oscillator.mass) * distance * speed))
    return resolved(oscillator.with_grid(grid), beta, fields)


@lean_jit
def _places(
    oscillator: Oscillator, beta: Array, fields: Float[Array, " fields"], q: Float[Array, " q"]
) -> Float[Array, "fields 2"]:
    """Mean and variance of the position in the classical equilibrium at each field."""
    weight = jax.nn.softmax(-beta * oscillator.height(q[None], fields[:, None]), axis=1)
    mean = weight @ q
    return jnp.stack([mean, weight @ q**2 - mean**2], axis=1)


def _room(x_start: Real, x_end: Real) -> list[float]:
    """The range of fields with room for overshoot on both sides."""
    low, high = sorted((float(x_start), float(x_end)))
    return [low - 0.5 * (high - low), high + 0.5 * (high - low)]
