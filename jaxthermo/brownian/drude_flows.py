"""What the split flows do to the hierarchy of a `DrudeBath`, on real Fourier coefficients in y.

A: free motion with friction at fixed chi as for the Ohmic bath, between two halves of chi' = (gamma/m)(p - chi) at
fixed p - chi.
B: everything local in (q, y): the Moyal phase and diffusion, which all members share, and for each y a matrix that
mixes them.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.hierarchy import Field, Workspace, lowering, members_of, weighted
from jaxthermo.brownian.spectrum import Noise, Spectrum, twisted
from jaxthermo.solve.exponential import expm

Matrices = Float[Array, "... n n"]


def noise_at(work: Workspace, temperature: Any) -> Noise:
    """chi = sum_k jitter_k (a_k + a_k^+) diagonalised: that of b_0 alone, a constant, turned to that of jitter.

    A rotation of the b_k keeps the level, so it is exact in the truncated hierarchy, and smooth where eigenvalues
    coincide.
    """
    oscillator = work.oscillator
    bath: Any = oscillator.bath
    lower = lowering(members_of(oscillator))
    values, basis = np.linalg.eigh(lower[0] + lower[0].T)
    first, others = bath.width(temperature, oscillator.hbar), bath.shares(temperature, oscillator.hbar)
    turned, length = jnp.asarray(basis), first
    if bath.poles:
        across = jnp.sqrt(jnp.sum(others**2))
        hops = np.stack([up.T @ lower[0] - lower[0].T @ up for up in lower[1:]])
        turned = expm(jnp.tensordot(jnp.arctan2(across, first) * others / across, jnp.asarray(hops), axes=1)) @ turned
        length = jnp.hypot(first, across)
    return Noise(bath.strength * length * jnp.asarray(values), turned)


def mixing(work: Workspace, temperature: Any) -> tuple[Matrices, Matrices]:
    """Generators of B but for phase and diffusion: the one at y = 0, and the twisted ones at each y > 0."""
    oscillator = work.oscillator
    members = members_of(oscillator)
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar)
    lower = lowering(members)
    up = jnp.asarray(lower[0].T)
    decay = jnp.diag(jnp.asarray(members.indices, dtype=float) @ terms.decay)
    drag = terms.drag / oscillator.mass * terms.jitter
    down = jnp.tensordot(drag - terms.feed, jnp.asarray(lower), axes=1)
    both = jnp.tensordot(drag, jnp.asarray(np.swapaxes(lower, 1, 2)), axes=1)
    cross = terms.cross * work.grid.y[1:][:, None, None]
    # Two levels up is a change of sign in the twisted members.
    return up @ (down + both) - decay, up @ (down - both) - decay + cross * up


def local_tables(work: Workspace, duration: Any, temperature: Any) -> tuple[Matrices, Matrices]:
    """What B does to the members over a time at frozen temperature: at y = 0, and, twisted, at each y > 0."""
    at_zero, elsewhere = mixing(work, temperature)
    diffusion = work.oscillator.bath.friction() * temperature
    damping = jnp.exp(-duration * diffusion * work.grid.y[1:] ** 2)[:, None, None]
    return expm(duration * at_zero), damping * expm(duration * elsewhere)


def mixed(spectrum: Spectrum, work: Workspace, tables: tuple[Matrices, Matrices]) -> Spectrum:
    """The members mixed by the matrices of `local_tables`."""
    still, step = tables
    moved = twisted(spectrum, work, lambda part: jnp.matmul(step, part))
    return moved.at[:1].set(jnp.matmul(still, spectrum[:1]))


def kicked(V: Field, work: Workspace, duration: Any, temperature: Any) -> Field:
    """exp[t drag (p/m) a_0^+], a finite series."""
    oscillator = work.oscillator
    members = members_of(oscillator)
    drag = oscillator.bath.terms(0.0, temperature, oscillator.hbar).drag
    kick = (duration * drag / oscillator.mass) * work.grid.p[:, None, None]
    term = V
    for power in range(1, int(members.level.max()) + 1):
        term = kick / power * weighted(term, members.below[0], np.sqrt(members.indices[:, 0]))
        V = V + term
    return V


def rewriting(work: Workspace, old: Any, new: Any) -> Matrices:
    """The matrix that writes the same state in the Hermite functions of another temperature.

    With b_0' = mu b_0 + sum_k tau_k b_k it is exp{-a_0^+ [kappa (a_0 + a_0^+) + sum_k kappa_k (a_k + a_k^+)]}, kappa =
    -ln mu, kappa_k = -tau_k kappa/(1 - mu).
    """
    bath: Any = work.oscillator.bath
    hbar, lower = work.oscillator.hbar, lowering(members_of(work.oscillator))
    before, after = bath.width(old, hbar), bath.width(new, hbar)
    kappa = jnp.log(after / before)
    moved = (bath.shares(new, hbar) - bath.shares(old, hbar)) / after
    kappas = jnp.concatenate([kappa[None], moved / decayed(kappa)])
    both = jnp.tensordot(kappas, jnp.asarray(lower + np.swapaxes(lower, 1, 2)), axes=1)
    return expm(-jnp.asarray(lower[0].T) @ both)


def decayed(z: Float[Array, ""]) -> Float[Array, ""]:
    """(1 - exp(-z)) / z, smooth through 0."""
    small = jnp.abs(z) < 1e-6
    safe = jnp.where(small, 1.0, z)
    return jnp.where(small, 1.0 - 0.5 * z + z**2 / 6.0, -jnp.expm1(-safe) / safe)
