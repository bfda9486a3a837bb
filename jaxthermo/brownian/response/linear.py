"""Where forces are linear: q, p and the noises as a small linear system, which is the hierarchy's own moments.

The moments of first and second order close at any depth, so this is what a grid and a hierarchy give where they hold
the state, and it goes on where they do not: at low temperature and at strong coupling.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.response.observables import AbstractObservable
from jaxthermo.checks import is_known
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.linear import expm


class LinearMotion(eqx.Module):
    """Drift and stationary covariance of z = (q, p - zeta, b_1, .., b_K), zeta = sum_k jitter_k b_k.

    Equation   d<z>/dt = drift <z> + force;  drift S + S drift^T + noise = 0

    `stiffness` is U'' - x X''.
    """

    drift: Float[Array, "z z"]
    covariance: Float[Array, "z z"]
    center: Float[Array, " z"]
    jitter: Float[Array, " modes"]
    stiffness: Float[Array, ""]

    def pair(self, a: AbstractObservable, b: AbstractObservable) -> tuple[Float[Array, " z"], Float[Array, "2 z"]]:
        """What A reads off z, and where z begins: correlated with B, and kicked by it."""
        slope = b.slope(self.jitter)
        kick = jnp.zeros_like(slope).at[0].set(-slope[1]).at[1].set(slope[0])
        return a.slope(self.jitter), jnp.stack([self.covariance @ slope, kick])


@lean_jit
def functions_of_time(
    drift: Float[Array, "z z"], seen: Float[Array, " z"], starts: Float[Array, "2 z"], ts: Float[Array, " times"]
) -> Float[Array, "2 times"]:
    """Symmetrised and response function."""
    return jnp.einsum("sj,tij,i->st", starts, expm(ts[:, None, None] * drift[None]), seen)


@lean_jit
def functions_of_frequency(
    drift: Float[Array, "z z"], seen: Float[Array, " z"], starts: Float[Array, "2 z"], frequencies: Float[Array, " w"]
) -> Complex[Array, "2 w"]:
    """int_0^inf exp(i w t) of both functions."""

    eye = np.eye(drift.shape[0])

    def at(frequency: Array) -> Array:
        matrix = jax.lax.complex(-drift, -frequency * eye)
        return jnp.linalg.solve(matrix, jax.lax.complex(starts.T, jnp.zeros_like(starts.T))).T @ seen.astype(complex)

    return jax.vmap(at, out_axes=1)(frequencies)


def linear_motion(oscillator: Oscillator, beta: Any, x: Any) -> LinearMotion | None:
    """The linear system, or None unless forces are known to be linear.

    Raises     ValueError if the potential does not confine
    """
    quadratic = oscillator.has_linear_forces()
    if not is_known(jax.tree.leaves((oscillator, beta, x)), quadratic) or not bool(quadratic):
        return None
    motion = _motion(oscillator, beta, x)
    if not float(motion.stiffness) > 0.0:
        raise ValueError(f"`potential` must confine, but U'' - x X'' is {float(motion.stiffness)}")
    return motion


@lean_jit
def pace_of(oscillator: Oscillator, temperature: Any, stiffness: Float[Array, ""]) -> Float[Array, ""]:
    """Frequency of quick motion where U'' - x X'' is `stiffness`; a bath with memory stiffens what it cannot follow."""
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar)
    total = stiffness + terms.spring
    if terms.memory is not None:
        total = total - jnp.sum(terms.memory.force * terms.memory.drag)
    return jax.lax.stop_gradient(jnp.sqrt(jnp.maximum(total, 0.0) / oscillator.mass))


def are_linear(observables: tuple[AbstractObservable, ...]) -> bool:
    """Whether all observables are known to be linear in q and p."""
    return all(one.is_linear() for one in observables)


@lean_jit
def _motion(oscillator: Oscillator, beta: Float[Array, ""], x: Float[Array, ""]) -> LinearMotion:
    mass = oscillator.mass
    terms = oscillator.bath.terms(0.0, 1.0 / beta, oscillator.hbar)
    modes = oscillator.bath.modes

    slope, bend = jax.grad(oscillator.height), jax.grad(jax.grad(oscillator.height))
    force, stiffness = -slope(jnp.zeros(()), x), bend(jnp.zeros(()), x)
    velocity = jnp.concatenate([jnp.zeros(1), jnp.ones(1), terms.jitter]) / mass
    own = jnp.zeros((modes, modes + 2)).at[:, 2:].set(-jnp.diag(terms.decay))
    noise = jnp.zeros((modes + 2, modes + 2)).at[1, 1].set(2.0 * terms.diffusion)
    noise = noise.at[2:, 2:].set(2.0 * jnp.diag(terms.decay))
    memory = terms.memory
    if memory is not None:
        # a_k^+ is -d/db_k and a_k is b_k + d/db_k, on densities of independent noises of variance 1.
        own = own + memory.drag[:, None] * velocity[None]
        own = own.at[:, 2:].add(-memory.feed)
        noise = noise.at[2:, 2:].add(memory.feed + memory.feed.T)
        noise = noise.at[1, 2:].add(-memory.cross).at[2:, 1].add(-memory.cross)
    pushed = -terms.friction * velocity
    pushed = pushed.at[0].add(-stiffness - terms.spring).at[2:].add(-terms.push)
    drift = jnp.concatenate([velocity[None], pushed[None], own])
    eye = np.eye(modes + 2)
    # drift S + S drift^T as a matrix on the entries of S.
    both = jnp.kron(drift, eye) + jnp.kron(eye, drift)
    covariance = jnp.linalg.solve(both, -noise.reshape(-1)).reshape(noise.shape)
    center = jnp.linalg.solve(drift, jnp.zeros(modes + 2).at[1].set(-force))
    return LinearMotion(drift, 0.5 * (covariance + covariance.T), center, terms.jitter, stiffness)
