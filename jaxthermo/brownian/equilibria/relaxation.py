"""Approximate inverses of -L on states without norm: a short relaxation, to precondition the search for L V = 0.

int_0^t exp(L s) ds = L^-1 [exp(L t) - 1]; the longer t, the fewer modes are left for the linear solve.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxthermo.brownian.grid import PhaseGrid, complex_multiply
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, members_of, mix_members, vector_field
from jaxthermo.brownian.steps.limits import step_limit
from jaxthermo.brownian.steps.spectrum import Noise, Spectrum, from_spectrum, map_in_real_basis, to_spectrum
from jaxthermo.brownian.steps.split import flows_of, local_map, noise_of, transport_flow

# Steps of this length, in units of the time in which the state is crossed at thermal velocity. More steps save fewer
# iterations of the linear solve than they cost; longer ones leave fast waves to it.
STEPS, STEP = 14, 0.035
EXPLICIT_STEPS = 512
# Directions below this share of the largest are rounding errors.
KEPT = 1e-10


def split_relaxation(
    equation: Equation, temperature: Any, x: Any, crossing: Any
) -> Callable[[HierarchyState], HierarchyState]:
    """The integral as a sum over split steps, behind one implicit step that tames what is faster than a step."""
    noise = noise_of(equation)
    instant = flows_of(equation).noise_at(equation, temperature, 0.0)
    h = STEP * crossing
    local = local_map(equation, 0.5 * h, temperature, x, 0.0)

    def step(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        total, spectrum = carry
        spectrum = local(transport_flow(local(spectrum), equation, noise, h, temperature))
        # Weights that fall to zero average out waves that friction does not.
        return total + (1.0 - (i.astype(float) + 1.0) / (STEPS + 1.0)) * spectrum, spectrum

    def relax(V: HierarchyState) -> HierarchyState:
        spectrum = transport_resolvent(to_spectrum(V, equation), equation, instant, h)
        spectrum = local_resolvent(spectrum, equation, h, temperature, x)
        total, _ = jax.lax.fori_loop(0, STEPS, step, (spectrum, spectrum))
        return h * from_spectrum(total, equation)

    return relax


def explicit_relaxation(
    equation: Equation, temperature: Any, x: Any, _: Any
) -> Callable[[HierarchyState], HierarchyState]:
    """The integral for any bath, through classical Runge-Kutta steps at the limit of stability."""
    h = step_limit(equation, temperature, x)

    def field(V: HierarchyState) -> HierarchyState:
        return vector_field(V, equation, 0.0, temperature, x)

    def step(_: Any, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        total, V = carry
        # (R - 1)/(h L) with R = 1 + z + z^2/2 + z^3/6 + z^4/24, z = h L, so that the sum telescopes to (R^n - 1)/L.
        z1 = h * field(V)
        z2 = h * field(z1)
        z3 = h * field(z2)
        z4 = h * field(z3)
        return total + V + z1 / 2.0 + z2 / 6.0 + z3 / 24.0, V + z1 + z2 / 2.0 + z3 / 6.0 + z4 / 24.0

    def relax(V: HierarchyState) -> HierarchyState:
        total, _ = jax.lax.fori_loop(0, EXPLICIT_STEPS, step, (jnp.zeros_like(V), V))
        return h * total

    return relax


def crossing_time(equation: Equation, temperature: Any, W: Float[Array, "p q"]) -> Float[Array, ""]:
    """Width of a state in position over the thermal velocity."""
    q, density = equation.grid.q, jnp.sum(W, axis=0)
    weight = density / jnp.sum(density)
    mean = jnp.sum(weight * q)
    return jnp.sqrt(jnp.sum(weight * (q - mean) ** 2) * equation.oscillator.mass / temperature)


def energy_relaxation(
    equation: Equation, temperature: Any, family: Float[Array, "m p q"], pinning: Any
) -> Callable[[HierarchyState], HierarchyState]:
    """An inverse on functions of the energy, which weak coupling leaves almost at rest and no short relaxation reaches.

    Galerkin projection of L - pinning |last><norm| on the span of canonical states of several temperatures. They rest
    under H_A, so only friction and white noise are left of L; the other members follow W_0.
    """
    basis, matrix, kept = energy_space(equation, temperature, family, pinning)
    inverse = jnp.linalg.inv(matrix + jnp.diag(jnp.where(kept, 0.0, 1.0)))

    def relax(V: HierarchyState) -> HierarchyState:
        slow = basis @ (inverse @ (V[:, 0].reshape(-1) @ basis))
        return jnp.zeros_like(V).at[:, 0].set(slow.reshape(family.shape[1:]))

    return relax


def energy_space(
    equation: Equation, temperature: Any, family: Float[Array, "m p q"], pinning: Any
) -> tuple[Float[Array, "pq m"], Float[Array, "m m"], Bool[Array, " m"]]:
    """Orthonormal functions of the energy, minus the generator among them with the norm pinned, and which count."""
    grid, oscillator = equation.grid, equation.oscillator
    flat = family.reshape(family.shape[0], -1)
    # Neighbouring temperatures give nearly parallel states: directions below rounding error are left out.
    left, sizes, _ = jnp.linalg.svd(flat.T, full_matrices=False)
    kept = sizes > KEPT * sizes[0]
    basis = jnp.where(kept, left, 0.0)
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar)
    friction, diffusion = terms.friction, terms.diffusion
    if terms.memory is not None:
        # The energy changes slowly, so that memory is short for it.
        friction, diffusion = oscillator.bath.friction(), oscillator.bath.friction() * temperature
    matrix = _damping(grid, friction / oscillator.mass, diffusion)
    image = jnp.tensordot(matrix, basis.reshape(*family.shape[1:], -1), axes=1).reshape(basis.shape)
    pinned = pinning * jnp.outer(basis.T @ flat[-1], jnp.sum(basis, axis=0) * grid.cell)
    return basis, pinned - basis.T @ image, kept


def _damping(grid: PhaseGrid, rate: Any, diffusion: Any) -> Float[Array, "p p"]:
    """rate d_p p + diffusion d_p^2 as a matrix on the momenta."""
    side, y, waves = grid.p_side, grid.y[1:, None], grid.p_to_y()
    flux = rate * waves * grid.p[None]
    # d_p acts as i y.
    re = -y * flux[side + 1 :] - diffusion * y**2 * waves[1 : side + 1]
    im = y * flux[1 : side + 1] - diffusion * y**2 * waves[side + 1 :]
    return grid.y_to_p() @ jnp.concatenate([jnp.zeros_like(waves[:1]), re, im])


def local_resolvent(spectrum: Spectrum, equation: Equation, h: Any, temperature: Any, x: Any) -> Spectrum:
    """(1 - h B)^-1."""
    side, oscillator = equation.grid.p_side, equation.oscillator
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar)
    decay = (jnp.asarray(members_of(oscillator).indices, dtype=float) @ terms.decay)[None, :, None]
    zero = spectrum[:1] / (1.0 + h * decay)
    damping = 1.0 + h * (decay + (terms.diffusion * equation.grid.y[1:] ** 2)[:, None, None])
    phase = h * (equation.phase_u - x * equation.phase_x)[:, None, :]
    size = damping**2 + phase**2
    re, im = complex_multiply(spectrum[1 : side + 1], spectrum[side + 1 :], damping / size, phase / size)
    hops = flows_of(equation).hops(equation, temperature)
    if hops is not None:
        # The phase with the decay of the members, and then the hops between them without it.
        count = hops.shape[-1]
        step = jnp.linalg.inv(jnp.eye(count)[None] - h * (hops + jnp.diag(decay[0, :, 0])[None]))
        return map_in_real_basis(jnp.concatenate([zero, re, im]), equation, lambda part: jnp.matmul(step, part))
    return jnp.concatenate([zero, re, im])


def transport_resolvent(spectrum: Spectrum, equation: Equation, noise: Noise, h: Any) -> Spectrum:
    """(1 + h ((p + zeta)/m) d_q)^-1."""
    grid = equation.grid
    side = grid.q_side
    V = from_spectrum(mix_members(noise.basis.T, spectrum), equation)
    waves = jnp.matmul(V, grid.q_to_k().T)
    velocity = (grid.p[:, None, None] + noise.values[None, :, None]) / equation.oscillator.mass
    phase = h * velocity * grid.k[None, None, 1:]
    size = 1.0 + phase**2
    re, im = complex_multiply(waves[..., 1 : side + 1], waves[..., side + 1 :], 1.0 / size, -phase / size)
    V = jnp.matmul(jnp.concatenate([waves[..., :1], re, im], axis=-1), grid.k_to_q().T)
    return mix_members(noise.basis, to_spectrum(V, equation))
