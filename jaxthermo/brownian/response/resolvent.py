"""Disturbances of a stationary state at one frequency: (-i w - L)^-1 on fields without norm, by one linear solve.

A complex field is a pair of real ones, (2, p, n, q). The preconditioner is a short relaxation with phases exp(i w t),
and the small matrix of functions of the energy, which weak coupling leaves almost at rest.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.brownian.equilibria.relaxation import (
    EXPLICIT_STEPS,
    STEP,
    STEPS,
    crossing_time,
    energy_space,
    local_resolvent,
    transport_resolvent,
)
from jaxthermo.brownian.equilibria.stationary import (
    FAMILY,
    krylov,
    krylov_transposed,
    norm_of,
    pinned_generator,
    pinning,
    source,
)
from jaxthermo.brownian.grid import complex_multiply
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, members_of
from jaxthermo.brownian.response.evolution import EXTENTS, TAYLOR, advance_of
from jaxthermo.brownian.states.canonical import canonical_states, uncorrelated
from jaxthermo.brownian.steps.limits import step_limit
from jaxthermo.brownian.steps.spectrum import from_spectrum, to_spectrum
from jaxthermo.brownian.steps.split import flows_of, local_map, noise_of, transport_flow
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.lanes import one_by_one

# Residual of a solve over its right-hand side: spectra are promised to 1e-6, and this leaves up to 3e-8 of them.
TOLERANCE = 1e-9
# Two fields: real and imaginary part.
Pair = Float[Array, "2 p n q"]
Place = tuple[Equation, Float[Array, ""], Float[Array, ""], Float[Array, ""]]
Linear = Callable[[Pair], Pair]


def resolvent(
    equation: Equation,
    temperature: Float[Array, ""],
    x: Float[Array, ""],
    frequency: Float[Array, ""],
    begin: HierarchyState,
    differentiable: bool = True,
) -> tuple[Pair, Float[Array, ""]]:
    """int_0^inf exp(i w t) exp(L t) b dt of a field b without norm, and the error of the solve over its size.

    Derivatives in both modes are those of the linear equation, unless nobody asks for them; lanes of a vmap are solved
    one after another.
    """
    place = (equation, temperature, x, frequency)
    rhs = jnp.stack([begin, jnp.zeros_like(begin)])
    if not differentiable:
        return _solved(place, rhs)
    return jax.lax.custom_linear_solve(
        _operator(place),
        rhs + 0.0 * (temperature + x + frequency),
        lambda _, b: one_by_one(_solved, stop_gradient(place), b),
        lambda _, b: one_by_one(_solved_transposed, stop_gradient(place), b),
        has_aux=True,
    )


def _solved(place: Place, rhs: Pair) -> tuple[Pair, Array]:
    return krylov(_operator(place), _preconditioner(place), rhs, TOLERANCE)


def _solved_transposed(place: Place, rhs: Pair) -> tuple[Pair, Array]:
    return krylov_transposed(_operator(place), _preconditioner(place), place[:3], rhs, TOLERANCE)


def _operator(place: Place) -> Linear:
    equation, temperature, x, frequency = place
    still = pinned_generator((equation, temperature, x))

    def A(pair: Pair) -> Pair:
        moved = jax.vmap(still)(pair)
        # -i w (re + i im) = w im - i w re.
        return moved + frequency * jnp.stack([pair[1], -pair[0]])

    return A


def _preconditioner(place: Place) -> Linear:
    equation, temperature, x, frequency = place
    family = canonical_states(equation, temperature, x)[FAMILY]
    guess = uncorrelated(family[-1], len(members_of(equation.oscillator)))
    kind = _explicit if equation.oscillator.bath.flows() is None else _split
    fast, reached = kind(equation, temperature, x, crossing_time(equation, temperature, family[-1]), frequency)
    rate = pinning(equation, temperature)
    slow = _slow(equation, temperature, frequency, family, reached, rate)

    def M(pair: Pair) -> Pair:
        norms = jax.vmap(lambda V: norm_of(V, equation))(pair)[:, None, None, None]
        rest = pair - source(pair[0], equation)[None] * norms
        return guess[None] * (norms / rate) + fast(rest) + slow(rest)

    return M


def _weights(count: int, h: Any, frequency: Any) -> tuple[Array, Array, Array]:
    """Shares of the steps, which fall to zero and so average out waves that friction does not, and their phases."""
    steps = jnp.arange(count, dtype=float)
    angle = frequency * h * steps
    return 1.0 - steps / (count + 1.0), jnp.cos(angle), jnp.sin(angle)


def _split(
    equation: Equation, temperature: Any, x: Any, crossing: Any, frequency: Any
) -> tuple[Linear, tuple[Array, Array]]:
    """The integral as a sum over split steps, behind an implicit one, and what it is for a state at rest."""
    noise = noise_of(equation)
    instant = flows_of(equation).noise_at(equation, temperature, 0.0)
    h = STEP * crossing
    local = local_map(equation, 0.5 * h, temperature, x, 0.0)
    weights, cosines, sines = _weights(STEPS + 1, h, frequency)

    def prepared(V: HierarchyState) -> Array:
        spectrum = transport_resolvent(to_spectrum(V, equation), equation, instant, h)
        return local_resolvent(spectrum, equation, h, temperature, x)

    def step(spectrum: Array) -> Array:
        return local(transport_flow(local(spectrum), equation, noise, h, temperature))

    def relax(pair: Pair) -> Pair:
        def add(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            total, now = carry
            now = jax.vmap(step)(now)
            return total + weights[i] * jnp.stack(complex_multiply(now[0], now[1], cosines[i], sines[i])), now

        begin = jax.vmap(prepared)(pair)
        total, _ = jax.lax.fori_loop(1, STEPS + 1, add, (begin, begin))
        return h * jax.vmap(lambda s: from_spectrum(s, equation))(total)

    return relax, (h * jnp.sum(weights * cosines), h * jnp.sum(weights * sines))


def _explicit(
    equation: Equation, temperature: Any, x: Any, crossing: Any, frequency: Any
) -> tuple[Linear, tuple[Array, Array]]:
    """The same through Taylor steps at the limit of stability."""
    h = step_limit(equation, temperature, x, EXTENTS)
    count = EXPLICIT_STEPS // TAYLOR
    advance = advance_of(equation, temperature, x, False)
    weights, cosines, sines = _weights(count + 1, h, frequency)

    def relax(pair: Pair) -> Pair:
        def add(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            total, now = carry
            now = jax.vmap(lambda V: advance(V, h, jnp.ones((), jnp.int32)))(now)
            return total + weights[i] * jnp.stack(complex_multiply(now[0], now[1], cosines[i], sines[i])), now

        return h * jax.lax.fori_loop(1, count + 1, add, (pair, pair))[0]

    return relax, (h * jnp.sum(weights * cosines), h * jnp.sum(weights * sines))


def _slow(
    equation: Equation,
    temperature: Any,
    frequency: Any,
    family: Float[Array, "m p q"],
    reached: tuple[Array, Array],
    pinned: Any,
) -> Linear:
    """On functions of the energy, what the relaxation leaves of the inverse."""
    basis, matrix, kept = energy_space(equation, temperature, family, pinned)
    count = jnp.where(kept, 1.0, 0.0)
    small = jax.lax.complex(matrix + jnp.diag(1.0 - count), -frequency * jnp.diag(count))
    rest = jnp.linalg.inv(small) - jax.lax.complex(*reached) * jnp.diag(count)

    def relax(pair: Pair) -> Pair:
        re, im = (V[:, 0].reshape(-1) @ basis for V in pair)
        moved = rest @ jax.lax.complex(re, im)
        parts = [(basis @ part).reshape(family.shape[1:]) for part in (moved.real, moved.imag)]
        return jnp.zeros_like(pair).at[:, :, 0].set(jnp.stack(parts))

    return relax
