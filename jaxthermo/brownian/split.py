"""Exact flows of the two halves of the hierarchical Wigner equation, on real Fourier coefficients in y.

A: free motion with friction, q' = (p + zeta)/m, p' = -(gamma/m)(p + zeta) at fixed zeta. Where zeta is diagonal it is
exact along its characteristics, in (k, p) and (k, y).
B: everything local in (q, y): the Moyal phase, diffusion, and the decay of the members, which all commute.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxthermo.brownian import drude_flows
from jaxthermo.brownian.bath import OhmicBath
from jaxthermo.brownian.drude import DrudeBath
from jaxthermo.brownian.drude_flows import decayed
from jaxthermo.brownian.grid import forward, phase, table, turn
from jaxthermo.brownian.hierarchy import Field, Workspace, lowering, members_of
from jaxthermo.brownian.spectrum import Noise, Spectrum, from_spectrum, to_spectrum, twisted


def noise_of(work: Workspace) -> Noise | None:
    """Diagonalise zeta = sum_k jitter_k (a_k + a_k^+); its shape is a constant, only its scale A sqrt(hbar) is a
    parameter. None for a `DrudeBath`, whose shape follows the temperature."""
    oscillator, members = work.oscillator, members_of(work.oscillator)
    bath = oscillator.bath
    if isinstance(bath, DrudeBath):
        return None
    if not isinstance(bath, OhmicBath):
        raise ValueError(
            f"`solver` SplitStep needs an OhmicBath or a DrudeBath, but the bath is a {type(bath).__name__}; "
            "use an explicit one such as diffrax.Tsit5()"
        )
    matrix = np.tensordot(bath.jitter_shape(), lowering(members), axes=1)
    values, basis = np.linalg.eigh(matrix + matrix.T)
    return Noise(bath.jitter_scale(oscillator.hbar) * jnp.asarray(values), jnp.asarray(basis))


def local_flow(spectrum: Spectrum, work: Workspace, duration: Any, temperature: Any, x: Any, heating: Any) -> Spectrum:
    """Exact flow of B at frozen temperature and field, but for what `heating_flow` does."""
    return local_map(work, duration, temperature, x, heating)(spectrum)


def local_map(work: Workspace, duration: Any, temperature: Any, x: Any, heating: Any) -> Callable[[Spectrum], Spectrum]:
    """`local_flow` as a function of the spectrum alone, to be applied many times."""
    oscillator, side = work.oscillator, work.grid.p_side
    if isinstance(oscillator.bath, DrudeBath):
        return drude_flows.local_map(work, duration, temperature, x)
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar, heating)
    decay = jnp.asarray(members_of(oscillator).indices, dtype=float) @ (terms.decay + terms.heating)
    diffusion = terms.diffusion + terms.heating * jnp.sum(terms.jitter**2)
    damping = table(jnp.exp(-duration * diffusion * work.grid.y[1:] ** 2))[:, None, None]
    aged = table(jnp.exp(-duration * decay))[:, None]
    cosine, sine = phase(duration * (work.phase_u - x * work.phase_x))

    def flow(spectrum: Spectrum) -> Spectrum:
        re, im = turn(spectrum[1 : side + 1], spectrum[side + 1 :], cosine[:, None, :], sine[:, None, :])
        return aged * jnp.concatenate([spectrum[:1], damping * re, damping * im])

    return flow


def heating_flow(spectrum: Spectrum, work: Workspace, noise: Noise | None, old: Any, new: Any) -> Spectrum:
    """Exact flow of what a changing temperature adds between two temperatures. Skipped where the temperature rests.

    `OhmicBath`: the hops (d ln T/dt) d_p sum_k jitter_k (a_k^+ - a_k); twisted they are (d ln T/dt) y zeta, a real
    symmetric matrix. `DrudeBath`: the state stays, and is written in other Hermite functions.
    """
    bath: Any = work.oscillator.bath
    if noise is None:
        return jax.lax.cond(old == new, lambda s: s, lambda s: drude_flows.rewriting(work, old, new) @ s, spectrum)
    if spectrum.shape[1] == 1 or bath.thermostat == "symmetric":
        return spectrum

    def hop(spectrum: Spectrum) -> Spectrum:
        growth = table(jnp.exp(jnp.log(new / old) * work.grid.y[1:, None] * noise.values))[:, :, None]
        return twisted(spectrum, work, lambda part: noise.basis @ (growth * (noise.basis.T @ part)))

    return jax.lax.cond(old == new, lambda s: s, hop, spectrum)


def change_temperature(V: Field, work: Workspace, old: Any, new: Any) -> Field:
    """The same state of the whole hierarchy, written for another temperature.

    The members V_n refer to the temperature, the W_n of the published equation do not. Exact solution of the terms with
    `heating` in `BathTerms`, over ln(new/old): exp[-ln(new/old) sum_k (a_k^+ + jitter_k d_p)(a_k - jitter_k d_p)].
    """
    members, bath = members_of(work.oscillator), work.oscillator.bath
    if isinstance(bath, DrudeBath):
        return drude_flows.rewriting(work, old, new) @ V
    if len(members) == 1 or not isinstance(bath, OhmicBath) or bath.thermostat == "symmetric":
        return V
    count = len(members)
    hbar = work.oscillator.hbar
    ratio = jnp.log(new / old)
    y = work.grid.y[1:][:, None, None]
    generator = jnp.zeros((y.shape[0], count, count))
    jitter = bath.terms(0.0, new, hbar).jitter
    for k, lower in enumerate(lowering(members)):
        shifted = lower - jitter[k] * y * np.eye(count)
        generator = generator + jnp.swapaxes(shifted, 1, 2) @ shifted
    step = jax.scipy.linalg.expm(-ratio * generator)
    spectrum = to_spectrum(V, work)
    still = jnp.exp(-ratio * jnp.asarray(members.level, dtype=float))[:, None]
    moved = twisted(spectrum, work, lambda part: step @ part)
    return from_spectrum(jnp.concatenate([still * spectrum[:1], moved[1:]]), work)


def transport_flow(
    spectrum: Spectrum, work: Workspace, noise: Noise | None, duration: Any, temperature: Any
) -> Spectrum:
    """Exact flow of A; for a `DrudeBath` between two halves of what the momentum does to chi, at this temperature."""
    if noise is not None:
        return from_momenta(from_spectrum(spectrum, work), work, noise, duration)
    noise = drude_flows.noise_at(work, temperature)
    V = drude_flows.kicked(from_spectrum(spectrum, work), work, 0.5 * duration, temperature)
    V = from_spectrum(from_momenta(V, work, noise, duration), work)
    return to_spectrum(drude_flows.kicked(V, work, 0.5 * duration, temperature), work)


def from_momenta(V: Field, work: Workspace, noise: Noise, duration: Any) -> Spectrum:
    """Exact flow of A at fixed zeta, for every value of zeta that the hierarchy resolves.

    In (k, p) free motion is a phase, over the time g = (1 - exp(-Gamma t))/Gamma that friction leaves of t; friction
    itself maps y to y exp(-Gamma t), so the transform back to y is taken at the contracted waves. The norm, y = k =
    0, is kept exactly.
    """
    grid, oscillator = work.grid, work.oscillator
    rate = oscillator.bath.friction() / oscillator.mass
    step = (duration * decayed(rate * duration) / oscillator.mass) * grid.k[1:]
    waves = jnp.matmul(noise.basis.T @ V, grid.q_to_k().T)
    side = grid.q_side
    re, im = waves[..., 1 : side + 1], waves[..., side + 1 :]
    # Two turns, since the cosine of their sum would have to be taken for every p, zeta and k.
    for angle in (grid.p[:, None, None] * step, noise.values[:, None] * step):
        re, im = turn(re, im, *phase(-angle))
    V = jnp.matmul(jnp.concatenate([waves[..., :1], re, im], axis=-1), grid.k_to_q().T)
    contracted = grid.y * jnp.exp(-rate * duration)
    out = jnp.tensordot(forward(grid.dp, grid.p, contracted), V, axes=1)
    side = grid.p_side
    angle = (-jnp.expm1(-rate * duration)) * grid.y[1:, None, None] * noise.values[:, None]
    re, im = turn(out[1 : side + 1], out[side + 1 :], *phase(angle))
    return noise.basis @ jnp.concatenate([out[:1], re, im])
