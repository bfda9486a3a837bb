"""Exact statements about rings of N units."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from jaxthermo.jumps.finite.distribution import stationary_distribution
from jaxthermo.jumps.finite.hops import network_at
from jaxthermo.jumps.finite.space import space
from jaxthermo.jumps.finite.states import log_multiplicity
from jaxthermo.potts import PottsRing

UNEVEN = (0.0, 0.2, -0.1)


def equilibrium() -> float:
    """Largest |ln p + beta E - ln(N!/prod N_i!)|, less its mean, at f = 0."""
    states, now = space(3, 40), network_at(PottsRing(3, -0.8, 0.0, 0.7, UNEVEN), jnp.asarray(1.6))
    found = stationary_distribution(now, states)
    level = jnp.log(found.p) - log_multiplicity(states.counts) + 1.6 * now.energy(states.counts)
    # Rounding of what is likely is all that is known of what is not.
    likely = found.p > 1e-6 * jnp.max(found.p)
    return float(jnp.ptp(level[likely]))


def levels() -> float:
    """Largest relative difference of work, heat and entropy between both levels in the stationary state."""
    ring = PottsRing(3, -1.0, 1.0, 1.0, UNEVEN)
    meso, micro = (one(ring, 2.5, 5) for one in (jt.potts.mesoscopic_stationary, jt.potts.microscopic_stationary))
    names = ("work_current", "heat_current", "energy", "entropy", "entropy_production_rate")
    return max(abs(float(getattr(micro, name) / getattr(meso, name)) - 1.0) for name in names)


def one_unit() -> float:
    """Relative error of the cumulants of one unit against those of a walk, 2 G sinh and 2 G cosh of beta f/2."""
    found = jt.potts.cumulants(PottsRing(4, -1.0, 0.8, 1.0), 1.5, 1, order=4)
    exact = np.array([2.0 * np.sinh(0.6), 2.0 * np.cosh(0.6)] * 2)
    return float(np.max(np.abs(np.asarray(found.hop_cumulant) / exact - 1.0)))


def symmetry() -> float:
    """Largest |lambda(s) - lambda(-beta - s)|."""
    found = jt.potts.scaled_cumulant(PottsRing(3, -1.0, 0.8, 1.0, UNEVEN), 3.5, 6, [0.2, 0.6, -3.7, -4.1])
    values = np.asarray(found.scaled_cumulant)
    return float(np.max(np.abs(values[:2] - values[2:])))


def theorems() -> float:
    """Largest relative violation of Jarzynski's equality and of Crooks' relation."""
    ring = PottsRing(3, -1.0, lambda t: 0.6 * jnp.sin(t), 1.0, UNEVEN)
    arguments = ring, lambda t: 1.0 + 0.3 * t, 4, 1.0, (0.3, 1.0)
    found = jt.potts.work_theorem(*arguments, coupling=lambda t: -1.0 - 0.4 * jnp.sin(2.0 * t))
    jarzynski = float(found.forward[1] / found.partition_ratio) - 1.0
    return max(abs(jarzynski), float(np.max(np.abs(found.crooks_error))))


def gradient() -> float:
    """Largest relative error of d(work)/d(beta, u, f, G) of 40 units against central differences."""

    @jax.jit
    def work(x: jax.Array) -> jax.Array:
        return jt.potts.mesoscopic_stationary(PottsRing(3, x[1], x[2], x[3]), x[0], 40).work_current

    at = jnp.array([3.5, -1.0, 1.0, 1.0])
    central = jnp.stack([work(at + 1e-5 * e) - work(at - 1e-5 * e) for e in jnp.eye(4)]) / 2e-5
    return float(jnp.max(jnp.abs(jax.jit(jax.grad(work))(at) / central - 1.0)))


CHECKS = (
    ("N = 40, f = 0: p = N!/prod N_i! exp(-beta E)/Z", 1e-7, equilibrium),
    ("micro = meso in the stationary state: energy, currents, entropies (relative)", 1e-10, levels),
    ("N = 1: cumulants of a walk on the ring (relative)", 1e-12, one_unit),
    ("lambda(s) = lambda(-beta - s) of the tilted generator", 1e-10, symmetry),
    ("Jarzynski and Crooks under beta(t), f(t), u(t) (relative)", 1e-8, theorems),
    ("N = 40: gradient of the work in beta, u, f, G = central differences (relative)", 1e-6, gradient),
)
