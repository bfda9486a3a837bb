"""Exact flows of the two halves of the hierarchical Wigner equation, on real Fourier coefficients in y.

A: free motion with friction, q' = (p + zeta)/m, p' = -(gamma/m)(p + zeta) at fixed zeta. Where zeta is diagonal it is
exact along its characteristics, in (k, p) and (k, y).
B: everything local in (q, y): the Moyal phase, diffusion, and the decay of the members, which all commute.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from jaxthermo.brownian.grid import complex_multiply, cosine_and_sine, forward
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, mix_members
from jaxthermo.brownian.steps.flows import AbstractFlows
from jaxthermo.brownian.steps.spectrum import Noise, Spectrum


def flows_of(equation: Equation) -> AbstractFlows:
    """The flows of the oscillator's bath; ValueError if it has none."""
    flows = equation.oscillator.bath.flows()
    if flows is None:
        bath = type(equation.oscillator.bath).__name__
        raise ValueError(
            f"`solver` SplitStep needs a bath with split flows, which a {bath} has not; use an explicit one such as "
            "diffrax.Tsit5()"
        )
    return flows


def change_temperature(V: HierarchyState, equation: Equation, old: Any, new: Any) -> HierarchyState:
    """The same state of the whole hierarchy, written for another temperature; members without flows know none."""
    flows = equation.oscillator.bath.flows()
    return V if flows is None else flows.change_temperature(V, equation, old, new)


def noise_of(equation: Equation) -> Noise | None:
    """zeta = sum_k jitter_k (a_k + a_k^+) diagonalised, where its shape does not depend on the temperature."""
    return flows_of(equation).noise(equation)


class LocalTables(eqx.Module):
    """Flow of B over one duration at frozen temperature and field, but for what `heating` does; see `local_tables`.

    `members` holds what the bath's flows need for them.
    """

    cosine: Float[Array, "*times y q"]
    sine: Float[Array, "*times y q"]
    members: tuple[Array, Array]


def local_tables(
    equation: Equation, duration: Any, temperature: Any, x: Any, heating: Any, t: Any = 0.0
) -> LocalTables:
    """Everything costly in `local_flow`, to be computed once for many states, or for many temperatures by vmap."""
    cosine, sine = cosine_and_sine(duration * (equation.phase_u - x * equation.phase_x))
    return LocalTables(cosine, sine, flows_of(equation).member_tables(equation, duration, temperature, heating, t))


def local_flow(spectrum: Spectrum, equation: Equation, tables: LocalTables) -> Spectrum:
    """Exact flow of B at frozen temperature and field, but for what `heating_flow` does."""
    side = equation.grid.p_side
    cosine, sine = tables.cosine[:, None, :], tables.sine[:, None, :]
    re, im = complex_multiply(spectrum[1 : side + 1], spectrum[side + 1 :], cosine, sine)
    return flows_of(equation).mix_members(jnp.concatenate([spectrum[:1], re, im]), equation, tables.members)


def local_map(
    equation: Equation, duration: Any, temperature: Any, x: Any, heating: Any
) -> Callable[[Spectrum], Spectrum]:
    """`local_flow` as a function of the spectrum alone, to be applied many times."""
    tables = local_tables(equation, duration, temperature, x, heating)
    return lambda spectrum: local_flow(spectrum, equation, tables)


def heating_table(
    equation: Equation, noise: Noise | None, old: Any, new: Any, begin: Any = 0.0, end: Any = 0.0
) -> PyTree[Array]:
    """What a temperature that changes from `old` to `new`, and windows that move, do; see `heating_flow`."""
    return flows_of(equation).heating_table(equation, noise, old, new, begin, end)


def rests(equation: Equation, old: Any, new: Any, begin: Any, end: Any) -> Bool[Array, ""]:
    """Whether neither the temperature nor a window of the bath moves."""
    return flows_of(equation).rests(equation, old, new, begin, end)


def heating_flow(
    spectrum: Spectrum, equation: Equation, noise: Noise | None, growth: PyTree[Array], rests: Bool[Array, ""]
) -> Spectrum:
    """Exact flow of what a changing temperature adds, by the factors of `heating_table`; skipped where it rests."""
    flows = flows_of(equation)
    if not flows.is_heated(equation):
        return spectrum
    return jax.lax.cond(rests, lambda s: s, lambda s: flows.heat_members(s, equation, noise, growth), spectrum)


def transport_flow(
    spectrum: Spectrum, equation: Equation, noise: Noise | None, duration: Any, temperature: Any, t: Any = 0.0
) -> Spectrum:
    """Exact flow of A."""
    return flows_of(equation).transport(spectrum, equation, noise, duration, temperature, t)


class MomentaTables(eqx.Module):
    """Everything costly in `from_momenta`, which one duration fixes; see `momenta_tables`."""

    by_momentum: tuple[Float[Array, "p 1 k"], Float[Array, "p 1 k"]]
    by_noise: tuple[Float[Array, "1 n k"], Float[Array, "1 n k"]]
    back: Float[Array, "waves p"]
    settled: tuple[Float[Array, "n y"], Float[Array, "n y"]]


def momenta_tables(equation: Equation, noise: Noise, duration: Any, friction: Any) -> MomentaTables:
    """The phases of free motion at every momentum and noise, and the transform to the waves that friction contracts."""
    grid, oscillator = equation.grid, equation.oscillator
    rate = friction / oscillator.mass
    step = (duration * mean_decay(rate * duration) / oscillator.mass) * grid.k[1:]
    contracted = grid.y * jnp.exp(-rate * duration)
    angle = (-jnp.expm1(-rate * duration)) * noise.values[:, None] * grid.y[None, 1:]
    return MomentaTables(
        by_momentum=cosine_and_sine(-(grid.p[:, None, None] * step[None, None])),
        by_noise=cosine_and_sine(-(noise.values[None, :, None] * step[None, None])),
        back=forward(grid.dp, grid.p, contracted),
        settled=cosine_and_sine(angle),
    )


def from_momenta(V: HierarchyState, equation: Equation, noise: Noise, duration: Any, friction: Any) -> Spectrum:
    """Exact flow of A at fixed zeta, for every value of zeta that the hierarchy resolves.

    In (k, p) free motion is a phase, over the time g = (1 - exp(-Gamma t))/Gamma that friction leaves of t; friction
    itself maps y to y exp(-Gamma t), so the transform back to y is taken at the contracted waves. The norm, y = k =
    0, is kept exactly.
    """
    return momenta_flow(V, equation, noise, momenta_tables(equation, noise, duration, friction))


def momenta_flow(V: HierarchyState, equation: Equation, noise: Noise, tables: MomentaTables) -> Spectrum:
    """`from_momenta` by tables made beforehand, for many steps of one duration."""
    grid = equation.grid
    # What acts on q, on p and on the members commutes. XLA moves least in this order.
    waves = mix_members(noise.basis.T, jnp.matmul(V, grid.q_to_k().T))
    side = grid.q_side
    re, im = waves[..., 1 : side + 1], waves[..., side + 1 :]
    # Two turns, since the cosine of their sum would have to be taken for every p, zeta and k.
    for cosine, sine in (tables.by_momentum, tables.by_noise):
        re, im = complex_multiply(re, im, cosine, sine)
    out = jnp.tensordot(tables.back, jnp.concatenate([waves[..., :1], re, im], axis=-1), axes=1)
    side = grid.p_side
    cosine, sine = (part.T[:, :, None] for part in tables.settled)
    re, im = complex_multiply(out[1 : side + 1], out[side + 1 :], cosine, sine)
    return jnp.matmul(mix_members(noise.basis, jnp.concatenate([out[:1], re, im])), grid.k_to_q().T)


def mean_decay(z: Float[Array, ""]) -> Float[Array, ""]:
    """(1 - exp(-z)) / z, smooth through 0."""
    small = jnp.abs(z) < 1e-6
    safe = jnp.where(small, 1.0, z)
    return jnp.where(small, 1.0 - 0.5 * z + z**2 / 6.0, -jnp.expm1(-safe) / safe)
