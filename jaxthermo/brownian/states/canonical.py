"""States without correlations with the bath: canonical ones, exp(-beta H_A)/Z, and those of any Wigner function."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.brownian.grid import complex_multiply
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, members_of
from jaxthermo.brownian.observables import noise_factors
from jaxthermo.brownian.steps.spectrum import from_spectrum
from jaxthermo.solve.lean import brief_jit

STEPS = 64
# Multiples of these steps from which the limit of none is extrapolated, and the weight of each, whose error is of
# sixth order.
MULTIPLES, WEIGHTS = (1, 2, 4), (1.0 / 45.0, -20.0 / 45.0, 64.0 / 45.0)


@brief_jit
def canonical_wigner(equation: Equation, temperature: Any, x: Any) -> Float[Array, "p q"]:
    """The Wigner function of exp(-beta H_A)/Z, from three numbers of steps of Bloch's equation."""
    runs = [canonical_states(equation, temperature, x, n * STEPS)[-1] for n in MULTIPLES]
    return sum((weight * W for weight, W in zip(WEIGHTS, runs, strict=True)), jnp.zeros_like(runs[0]))


def canonical_states(equation: Equation, temperature: Any, x: Any, count: int = STEPS) -> Float[Array, "steps p q"]:
    """Wigner functions of the canonical states at beta j/count, j = 1..count, the last at beta = 1/temperature.

    Equation   Bloch's: dW/dbeta = -(H * W + W * H)/2. In (k, p) the kinetic part is p^2/2m + hbar^2 k^2/8m, in (q, y)
               the potential one [V(q + hbar y/2) + V(q - hbar y/2)]/2; Strang splitting, second order in 1/count
    """
    oscillator, grid = equation.oscillator, equation.grid
    hbar = oscillator.hbar if oscillator.quantum else jnp.zeros(())
    q, y = grid.q, grid.y
    step = 1.0 / (temperature * count)

    shift = 0.5 * hbar * y[:, None]
    levels = jnp.mean(oscillator.height(jnp.stack([q[None] + shift, q[None] - shift]), x), axis=0)
    levels = levels - jnp.min(levels)
    local = _both(jnp.exp(-step * levels), axis=0)
    k = grid.k
    kinetic = (0.5 * grid.p[:, None] ** 2 + (hbar * k[None]) ** 2 / 8.0) / oscillator.mass
    moving = _both(jnp.exp(-0.5 * step * kinetic), axis=1)
    to_k, to_q = grid.q_to_k().T, grid.k_to_q().T
    to_y, to_p = grid.p_to_y(), grid.y_to_p()

    def advance(W: Array, _: Any) -> tuple[Array, Array]:
        W = ((W @ to_k) * moving) @ to_q
        W = to_p @ (local * (to_y @ W))
        W = ((W @ to_k) * moving) @ to_q
        W = W / (jnp.sum(W) * grid.cell)
        return W, W

    # The state of infinite temperature is flat.
    flat = jnp.ones((grid.p_points, grid.q_points))
    return jax.lax.scan(advance, flat / (jnp.sum(flat) * grid.cell), None, length=count)[1]


def boltzmann(equation: Equation, temperature: Any, x: Any) -> Float[Array, "p q"]:
    """exp(-(H - xX)/T)/Z on the grid, which is where the Kramers equation rests; no error but that of the sum for Z."""
    oscillator, grid = equation.oscillator, equation.grid
    height = oscillator.height(grid.q, x)
    energy = 0.5 * grid.p[:, None] ** 2 / oscillator.mass + (height - jnp.min(height))[None]
    W = jnp.exp(-energy / temperature)
    return W / (jnp.sum(W) * grid.cell)


def canonical_members(equation: Equation, temperature: Any, x: Any) -> HierarchyState:
    """The canonical state in W_0, all other members empty."""
    W = canonical_states(equation, temperature, x)[-1]
    return uncorrelated(W, len(members_of(equation.oscillator)))


def uncorrelated(W: Float[Array, "p q"], members: int) -> HierarchyState:
    """A state without correlations with the bath."""
    return jnp.zeros((W.shape[0], members, W.shape[1])).at[:, 0].set(W)


def factorised(W: Float[Array, "p q"], equation: Equation, temperature: Float[Array, ""]) -> HierarchyState:
    """The members for which W_0 is W and all other W_n are empty, see `jt.State.from_wigner`."""
    members, side = members_of(equation.oscillator), equation.grid.p_side
    if len(members) == 1:
        return W[:, None, :]
    spectrum = equation.grid.p_to_y() @ W
    # d_p is i y.
    re, im = complex_multiply(spectrum[1 : side + 1, None], spectrum[side + 1 :, None], *members.powers_of_i(1.0))
    factor = noise_factors(equation, temperature)[:, :, None]
    zero = jnp.zeros((1, len(members), W.shape[1])).at[:, 0].set(spectrum[:1])
    return from_spectrum(jnp.concatenate([zero, factor * re, factor * im]), equation)


def _both(factor: Array, axis: int) -> Array:
    """The same factor for the real and the imaginary part of every wave but the first."""
    return jnp.concatenate([factor, jax.lax.slice_in_dim(factor, 1, None, axis=axis)], axis=axis)
