"""Which share of each noise the momentum carries among the levels; in NumPy.

The hierarchy of the grid measures the momentum from all of zeta = sum_k zeta_k. That is short where the noises are
fast. A noise slower than friction is followed by the particle instead: p - zeta is then about -zeta, so that all
members are large. With the momentum measured from sum_k share_k zeta_k a few numbers of the generator change,
    dV_n/dt = .. + sum_k sqrt(n_k + 1) (flow_k F + drift_k d_p) V_{n+e_k}
                 + sum_k sqrt(n_k) (flow_k F - drift_k d_p) V_{n-e_k} + rest d_p^2 V_n,
    F = (gamma d_p - d_q)/m, flow_k = share_k jitter_k, drift_k = (1 - share_k) nu_k jitter_k,
    rest = sum_k (1 - share_k)^2 nu_k jitter_k^2,
and the state of the infinite hierarchy is the same.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from jaxthermo.brownian.bath import AbstractBath, BathTerms
from jaxthermo.brownian.baths.ohmic import canonical_variance
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.solve.lean import brief_jit

Numbers = NDArray[np.float64]

# Of noises with the position; and the largest weight.
MOST_CORRELATED, HEAVIEST = 0.9, 3.0
# Functions beyond those kept: the quadrature then holds waves up to some 12 widths.
EXTRA = 100


class Noise(NamedTuple):
    """The bath at one temperature: coefficients of friction and diffusion, widths and rates of the noises."""

    friction: float
    diffusion: float
    jitter: Numbers
    decay: Numbers


class Frame(NamedTuple):
    """The bath, shares of its noises, (modes,), and what it makes of <q^2> and of the squared momentum, as factors.

    `weights`: by how much less depth the members of each noise need, (modes,). `correlation`: of the position with all
    noises together, 0 where that is not known.
    """

    noise: Noise
    shares: Numbers
    weights: Numbers
    correlation: float
    narrowing: float
    widening: float

    @property
    def carried(self) -> Numbers:
        """The width that the momentum carries of each noise."""
        return self.shares * self.noise.jitter

    @property
    def left(self) -> Numbers:
        """The width that it does not carry."""
        return (1.0 - self.shares) * self.noise.jitter


def noise_of(oscillator: Oscillator, beta: float) -> Noise:
    """The bath's numbers at one temperature."""
    terms = terms_of(oscillator.bath, jnp.asarray(1.0 / beta), oscillator.hbar)
    return Noise(float(terms.friction), float(terms.diffusion), np.asarray(terms.jitter), np.asarray(terms.decay))


@brief_jit
def terms_of(bath: AbstractBath, temperature: Float[Array, ""], hbar: Float[Array, ""]) -> BathTerms:
    """The coefficients of a bath at one temperature, in one program, for what is computed on the host."""
    return bath.terms(0.0, temperature, hbar)


def best_frame(oscillator: Oscillator, beta: float, squared_frequency: float) -> Frame:
    """The frame in which momentum and noises of a parabola are uncorrelated.

    Members of n noises fall like products of the correlations of these with q, from which the weights follow.
    Equation   with w the frequency, g = gamma/m, N = w^2 + g nu + nu^2: <p zeta_k> = jitter_k^2 nu_k^2/N_k = share_k
               jitter_k^2; <q^2> = [diffusion/gamma + sum_k jitter_k^2 nu_k w^2/(g N_k)/m]/(m w^2), <p^2> = m
               diffusion/gamma + sum_k jitter_k^2 nu_k (w^2 + g nu_k)/(g N_k), what is carried has sum_k share_k^2
               jitter_k^2 less; factors are over hbar/(2 m w) coth(beta hbar w/2) and that times (m w)^2
    """
    noise = noise_of(oscillator, beta)
    friction, diffusion, jitter, nu = noise
    mass, hbar, squared = float(oscillator.mass), float(oscillator.hbar), squared_frequency
    if friction == 0.0:
        return whole_frame(oscillator, beta, squared_frequency)
    rate = friction / mass
    size = squared + rate * nu + nu**2
    shares = nu**2 / size
    p2 = mass * diffusion / friction + np.sum(jitter**2 * nu * (squared + rate * nu) / (rate * size))
    p2 -= np.sum(shares**2 * jitter**2)
    q2 = (mass * diffusion / friction + np.sum(jitter**2 * nu * squared / (rate * size))) / (mass**2 * squared)
    alone = canonical_variance(hbar, squared, beta) / (beta * mass * squared)
    correlation = np.clip(jitter * nu / (mass * size * np.sqrt(q2)), 1e-6, MOST_CORRELATED)
    most = float(correlation.max(initial=1e-6))
    weights = np.clip(np.log(correlation) / np.log(most), 1.0, HEAVIEST)
    together = float(np.sqrt(np.sum(correlation**2)))
    return Frame(noise, shares, weights, together, float(q2 / alone), float(p2 / (alone * mass**2 * squared)))


def whole_frame(oscillator: Oscillator, beta: float, squared_frequency: float) -> Frame:
    """The frame of the grid, where the momentum carries all noises."""
    noise = noise_of(oscillator, beta)
    factors = oscillator.bath.variances(float(oscillator.mass), float(oscillator.hbar), squared_frequency, beta)
    one = np.ones_like(noise.jitter)
    return Frame(noise, one, one, 0.0, *(float(factor) for factor in factors))


def between_frames(left: float, y: Numbers, count: int) -> NDArray[np.complex128]:
    """exp(i y left (a + a^+)) between Hermite functions of one noise, (y, count, count).

    left      what the momentum does not carry of the width of the noise
    Method    the eigenvectors of a + a^+ among more functions, which is a Gauss quadrature
    """
    many = count + EXTRA
    roots = np.sqrt(np.arange(1.0, many))
    values, vectors = np.linalg.eigh(np.diag(roots, 1) + np.diag(roots, -1))
    kept = vectors[:count]
    return np.einsum("ni,yi,mi->ynm", kept, np.exp(1j * left * np.outer(y, values)), kept)
