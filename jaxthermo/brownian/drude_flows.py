"""Exact flows of the two halves of the hierarchy of a `DrudeBath`, on real Fourier coefficients in y.

A: free motion q' = p/m and what it does to the force, both at fixed p.
B: everything local in (q, y): the Moyal phase, which all members share, and for each y a matrix that mixes them.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.grid import backward, forward, phase, turn
from jaxthermo.brownian.hierarchy import Members, Workspace, members_of, reined, weighted
from jaxthermo.brownian.spectrum import Spectrum, from_spectrum, to_spectrum, twisted
from jaxthermo.solve.exponential import expm

Matrices = Float[Array, "... n n"]


def lowering(members: Members) -> np.ndarray:
    """The operators a_k as matrices on the members that are kept, (modes, members, members)."""
    modes, count = members.above.shape
    lower = np.zeros((modes, count, count))
    for k in range(modes):
        inside = np.flatnonzero(members.above[k] < count)
        lower[k, inside, members.above[k][inside]] = np.sqrt(members.indices[inside, k] + 1.0)
    return lower


def mixing(work: Workspace, temperature: Any) -> tuple[Matrices, Matrices]:
    """Generators of B but for the phase: the one at y = 0, and the twisted ones at each y > 0."""
    members = members_of(work.oscillator)
    terms = work.oscillator.bath.terms(0.0, temperature, work.oscillator.hbar)
    lower = lowering(members)
    decay = jnp.diag(jnp.asarray(members.indices, dtype=float) @ terms.decay)
    feed = jnp.asarray(lower[0].T) @ jnp.tensordot(terms.feed, jnp.asarray(lower), axes=1)
    rest = -decay - feed
    hops = jnp.tensordot(terms.force, jnp.asarray(lower - np.swapaxes(lower, 1, 2)), axes=1)
    return rest, rest + jnp.asarray(work.grid.y[1:])[:, None, None] * hops


def local_map(work: Workspace, duration: Any, temperature: Any, x: Any) -> Callable[[Spectrum], Spectrum]:
    """Exact flow of B at frozen temperature and field."""
    side = work.grid.p_side
    at_zero, elsewhere = mixing(work, temperature)
    still, step = expm(duration * at_zero), expm(duration * elsewhere)
    cosine, sine = phase(duration * (work.phase_u - x * work.phase_x))

    def flow(spectrum: Spectrum) -> Spectrum:
        re, im = turn(spectrum[1 : side + 1], spectrum[side + 1 :], cosine[:, None, :], sine[:, None, :])
        moved = twisted(jnp.concatenate([spectrum[:1], re, im]), work, lambda part: jnp.matmul(step, part))
        return moved.at[:1].set(jnp.matmul(still, spectrum[:1]))

    return flow


def transport_flow(spectrum: Spectrum, work: Workspace, duration: Any, temperature: Any) -> Spectrum:
    """Exact flow of A: a shift in q, and a shift of the force, which is a finite series in a_0^+."""
    grid, oscillator = work.grid, work.oscillator
    members, side = members_of(oscillator), grid.q_side
    waves = jnp.matmul(from_spectrum(spectrum, work), forward(grid.dq, grid.q, grid.k).T)
    angle = jnp.asarray(grid.p)[:, None, None] * (-duration / oscillator.mass * grid.k[1:])
    re, im = turn(waves[..., 1 : side + 1], waves[..., side + 1 :], *phase(angle))
    V = jnp.matmul(jnp.concatenate([waves[..., :1], re, im], axis=-1), backward(grid.dq, grid.q, grid.k).T)
    drag = oscillator.bath.terms(0.0, temperature, oscillator.hbar).drag
    kick = (-duration * drag / oscillator.mass) * jnp.asarray(reined(grid))[:, None, None]
    term = V
    for power in range(1, int(members.level.max()) + 1):
        term = kick / power * weighted(term, members.below[0], np.sqrt(members.indices[:, 0]))
        V = V + term
    return to_spectrum(V, work)


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
