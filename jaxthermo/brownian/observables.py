"""What is measured on one state of the hierarchy."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.grid import backward, forward, turn
from jaxthermo.brownian.hierarchy import Field, Workspace, members_of
from jaxthermo.brownian.oscillator import Oscillator


class Observables(eqx.Module):
    """Expectation values of one state, and how well the grid and the hierarchy hold it.

    `norm` int W_0; `X`, `U`, `q`, `q2`, `p2`, `qp` expectation values, U = <p^2>/2m + <U(q)>; `min_wigner` the lowest
    value of W_0; `purity` 2 pi hbar int W_0^2; `edge` the largest |W_0| on the rim of the grid over the largest in
    it; `tail` the largest member of the last level, in the normalisation where all are of the order of W_0, over the
    largest of W_0.
    """

    norm: Float[Array, ""]
    X: Float[Array, ""]
    U: Float[Array, ""]
    q: Float[Array, ""]
    q2: Float[Array, ""]
    p2: Float[Array, ""]
    qp: Float[Array, ""]
    min_wigner: Float[Array, ""]
    purity: Float[Array, ""]
    edge: Float[Array, ""]
    tail: Float[Array, ""]


def observe(V: Field, work: Workspace, t: Any = 0.0) -> Observables:
    """Measure one state."""
    grid, oscillator = work.grid, work.oscillator
    low = moments(V[:, low_members(oscillator)], work, t)
    q = jnp.asarray(grid.q)
    W = wigner(V, work, t)
    peak = jnp.max(jnp.abs(V[:, 0]))
    rim = jnp.concatenate([V[0, 0], V[-1, 0], V[:, 0, 0], V[:, 0, -1]])
    return Observables(
        norm=low.norm,
        X=low.X,
        U=low.U,
        q=jnp.sum(q * low.density),
        q2=jnp.sum(q**2 * low.density),
        p2=low.p2,
        qp=low.qp,
        min_wigner=jnp.min(W),
        purity=2.0 * np.pi * oscillator.hbar * jnp.sum(W * W) * (grid.dq * grid.dp),
        edge=jnp.max(jnp.abs(rim)) / peak,
        tail=_tail(V, work),
    )


def wigner(V: Field, work: Workspace, t: Any = 0.0) -> Float[Array, "p q"]:
    """W_0(q, p): the members with the noise folded back into the momentum.

    Equation   W_0 = exp(D d_p^2/2) sum_n prod_k (-jitter_k d_p)^n_k / sqrt(n_k!) V_n
    """
    oscillator, grid = work.oscillator, work.grid
    members, side = members_of(oscillator), grid.p_side
    if len(members) == 1:
        return V[:, 0]
    jitter = oscillator.bath.terms(t, jnp.ones(()), oscillator.hbar).jitter
    y = jnp.asarray(grid.y[1:])
    # The real factor; (-i)^|n| is the twist.
    factor = jnp.exp(-0.5 * jnp.sum(jitter**2) * y**2)[:, None] * jnp.ones(len(members))
    for k in range(oscillator.bath.modes):
        # Integer powers by multiplication, since pow has no derivative at jitter = 0.
        powers = [jnp.ones_like(y)]
        for n in range(int(members.level.max())):
            powers.append(powers[-1] * jitter[k] * y / np.sqrt(n + 1.0))
        factor = factor * jnp.stack(powers, axis=1)[:, members.indices[:, k]]
    level = members.level % 4
    cosine = np.array([1.0, 0.0, -1.0, 0.0])[level][:, None]
    sine = np.array([0.0, -1.0, 0.0, 1.0])[level][:, None]
    spectrum = jnp.tensordot(forward(grid.dp, grid.p, grid.y), V, axes=1)
    re, im = turn(spectrum[1 : side + 1], spectrum[side + 1 :], jnp.asarray(cosine), jnp.asarray(sine))
    re, im = (jnp.sum(factor[:, :, None] * part, axis=1) for part in (re, im))
    return backward(grid.dp, grid.p, grid.y) @ jnp.concatenate([spectrum[:1, 0], re, im])


class Moments(eqx.Module):
    """What work and heat are made of; see `moments`."""

    density: Float[Array, " q"]  # of probability, times dq
    norm: Float[Array, ""]
    X: Float[Array, ""]
    U: Float[Array, ""]
    p2: Float[Array, ""]
    qp: Float[Array, ""]
    with_noise: Float[Array, " modes"]  # <p zeta_k> less the variance of zeta_k
    first: Float[Array, " modes"]  # <p> in the first-level members


def moments(low: Float[Array, "p low q"], work: Workspace, t: Any) -> Moments:
    """Moments of (q, p + zeta) from W_0 and the first-level members.

    <(p + zeta)^2> = <p^2> + 2 sum jitter_k <p>_{e_k} + sum jitter_k^2: members above the first level have no norm.
    """
    grid, oscillator = work.grid, work.oscillator
    jitter = oscillator.bath.terms(t, jnp.ones(()), oscillator.hbar).jitter
    q, p = jnp.asarray(grid.q), jnp.asarray(grid.p)
    cell = grid.dq * grid.dp
    over_q, over_p = jnp.sum(low, axis=2) * cell, jnp.sum(low, axis=0) * cell
    density = over_p[0]
    norm = jnp.sum(density)
    first = jnp.sum(p[:, None] * over_q[:, 1:], axis=0)
    with_noise = jitter * first
    p2 = jnp.sum(p**2 * over_q[:, 0]) + 2.0 * jnp.sum(with_noise) + jnp.sum(jitter**2) * norm
    qp = jnp.sum(p[:, None] * q[None, :] * low[:, 0]) * cell + jnp.sum(jitter * jnp.sum(over_p[1:] * q, axis=1))
    return Moments(
        density=density,
        norm=norm,
        X=jnp.sum(_on(oscillator.coordinate, q) * density),
        U=0.5 * p2 / oscillator.mass + jnp.sum(_on(oscillator.potential, q) * density),
        p2=p2,
        qp=qp,
        with_noise=with_noise,
        first=first,
    )


def low_members(oscillator: Oscillator) -> np.ndarray:
    """Positions of W_0 and of the first-level members, all that work and heat depend on."""
    return np.concatenate([[0], members_of(oscillator).above[:, 0]])


def bath_heat(m: Moments, work: Workspace, t: Any, temperature: Any) -> Float[Array, ""]:
    """The part of dH_A/dt that the bath causes.

    Equation   [D - friction <p^2>/m - sum_k decay_k <p zeta_k>' - spring <q p> + sum_k force_k <p>_{e_k}] / m, with D
               the diffusion coefficient and <p zeta_k>' less the variance of zeta_k
    """
    oscillator = work.oscillator
    terms = oscillator.bath.terms(t, temperature, oscillator.hbar)
    flow = terms.diffusion * m.norm - terms.friction * m.p2 / oscillator.mass - terms.spring * m.qp
    flow = flow - jnp.sum(terms.decay * m.with_noise) + jnp.sum(terms.force * m.first)
    return flow / oscillator.mass


def friction_heat(m: Moments, work: Workspace, duration: Any) -> Float[Array, ""]:
    """Energy that friction brings while p + zeta shrinks by exp(-gamma t/m) and nothing else happens."""
    oscillator = work.oscillator
    return 0.5 * jnp.expm1(-2.0 * oscillator.bath.friction() / oscillator.mass * duration) * m.p2 / oscillator.mass


def local_heat(m: Moments, work: Workspace, duration: Any, temperature: Any) -> Float[Array, ""]:
    """Energy that diffusion and the decay of the members bring over a time, from the state at its beginning."""
    oscillator = work.oscillator
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar)
    decayed = jnp.sum(jnp.expm1(-terms.decay * duration) * m.with_noise)
    return (terms.diffusion * duration * m.norm + decayed) / oscillator.mass


def force_heat(before: Moments, after: Moments, work: Workspace, duration: Any, temperature: Any) -> Float[Array, ""]:
    """Energy that the force of a `DrudeBath` brings between two moments, int sum_k force_k <p>_{e_k} dt / m.

    <p>_{e_k} is taken to relax at the rate decay_k to a constant: the trapezoidal rule for slow modes, right for fast
    ones too, and its own mirror image in time.
    """
    oscillator = work.oscillator
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar)
    z = terms.decay * duration
    small = z < 1e-2
    safe = jnp.where(small, 1.0, z)
    late = jnp.where(small, 0.5 + z / 12.0 - z**3 / 720.0, -1.0 / jnp.expm1(-safe) - 1.0 / safe)
    mean = before.first + late * (after.first - before.first)
    return duration * jnp.sum(terms.force * mean) / oscillator.mass


def _tail(V: Field, work: Workspace) -> Float[Array, ""]:
    members = members_of(work.oscillator)
    depth = int(members.level.max())
    if depth == 0:
        return jnp.zeros(())
    return jnp.max(jnp.abs(V[:, np.flatnonzero(members.level == depth)])) / jnp.max(jnp.abs(V[:, 0]))


def _on(function: Any, q: Float[Array, " q"]) -> Float[Array, " q"]:
    return jax.vmap(lambda position: jnp.asarray(function(position)))(q)
