"""How large a step an explicit solver may take on the hierarchy."""

from typing import Any

import diffrax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.hierarchy import Equation, members_of

# Classical Runge-Kutta: |R(z)| <= 1 on the real axis to -2.785 and on the imaginary one to 2.828.
CLASSICAL = (2.785, 2.828)


def spectral_bounds(
    equation: Equation, temperature: Any, x: Any, t: Any = 0.0
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Bounds on |Re| and |Im| of the eigenvalues of the generator of time t, from the parameters and the grid alone.

    Equation   Re: D y_max^2 + N max nu_k + gamma/m;  Im: (k_max + gamma y_max) v_max + max |Moyal phase| + (drag v_max
               + cross y_max + 2 push y_max) sqrt(N) + feed N, with v_max = (p_max + zeta_max)/m and zeta_max = 2
               sqrt(N sum jitter_k^2)
    """
    oscillator, grid = equation.oscillator, equation.grid
    depth = int(members_of(oscillator).level.max())
    terms = oscillator.bath.terms(t, jnp.asarray(temperature), oscillator.hbar)
    y_max, k_max = grid.y[-1], grid.k[-1]
    noise = 2.0 * jnp.sqrt(depth * jnp.sum(terms.jitter**2) + 1e-300)
    velocity = (grid.p_max + noise) / oscillator.mass
    hops = 2.0 * jnp.sqrt(jnp.sum(terms.push**2) + 1e-300) * y_max * np.sqrt(depth)
    if terms.memory is not None:
        drag, cross, feed = (jnp.linalg.norm(one) for one in (terms.memory.drag, terms.memory.cross, terms.memory.feed))
        hops = hops + (drag * velocity + cross * y_max) * np.sqrt(depth) + feed * depth
    decay = depth * jnp.max(jnp.concatenate([terms.decay, jnp.zeros(1)]))
    real = terms.diffusion * y_max**2 + decay + terms.friction / oscillator.mass
    phase = jnp.max(jnp.abs(equation.phase_u - x * equation.phase_x))
    return real, (k_max + terms.friction * y_max) * velocity + phase + hops


def step_limit(
    equation: Equation, temperature: Any, x: Any, extents: tuple[float, float] = CLASSICAL, t: Any = 0.0
) -> Float[Array, ""]:
    """A step at which a Runge-Kutta method with these real and imaginary stability extents is stable at time t.

    Equation   h [ |Re| / real extent + |Im| / imaginary extent ] <= 1, a diamond inside the region of stability
    """
    real, imaginary = spectral_bounds(equation, temperature, x, t)
    return 1.0 / (real / extents[0] + imaginary / extents[1])


def stability_extents(solver: diffrax.AbstractSolver) -> tuple[float, float]:
    """How far |R(z)| <= 1 along the negative real and the imaginary axis, from the solver's Butcher tableau.

    A method whose imaginary extent is 0 or tiny is given that of a slight slope, |R| <= 1 + 1e-3, because the
    generator's waves are damped.
    """
    tableau = solver.tableau  # type: ignore[attr-defined]
    if isinstance(tableau, diffrax.MultiButcherTableau):
        raise ValueError("`solver` must be a single Runge-Kutta method, but has several tableaus")
    weights = np.asarray(tableau.b_sol)
    stages = len(weights)
    matrix = np.zeros((stages, stages))
    for row, values in enumerate(tableau.a_lower, start=1):
        matrix[row, : len(values)] = values

    def reach(direction: complex, slack: float) -> float:
        for radius in np.arange(0.02, 60.0, 0.02):
            z = radius * direction
            growth = 1.0 + z * weights @ np.linalg.solve(np.eye(stages) - z * matrix, np.ones(stages))
            if abs(growth) > 1.0 + slack:
                return float(radius - 0.02)
        return 60.0

    return reach(-1.0 + 0.0j, 1e-12), max(reach(1.0j, 1e-3), 0.02)
