"""What is known in closed form: the uniform state, its spectrum and critical temperature, the low-temperature limit."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from jaxthermo._types import ScalarLike
from jaxthermo.checks import is_known
from jaxthermo.potts.ring import PottsRing, require_autonomous
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.fixed_point import implicit
from jaxthermo.solve.lean import brief_jit

# critical_beta looks for the first sign change of the growth rate on this many steps of ln(beta |u|).
BRACKETS = 2000
LOG_BETA_RANGE = (-7.0, 9.0)
BISECTIONS = 60
# The decay rate, as a share of the hop rates, is known to this.
ROUNDING = 1e-13


def uniform_work_current(ring: PottsRing, beta: ScalarLike) -> Float[Array, ""]:
    """Work current per unit in the uniform state, f (V+ - V-); for Arrhenius rates 2 G f sinh(beta f/2), Eq. (10).

    ring       a `jt.PottsRing` with flat energies and a constant force
    beta       inverse temperature, a number
    Units      energy per unit time
    Raises     ValueError if the energies are known not to be flat

    Independent of q and u.

    Example
        >>> import jaxthermo as jt
        >>> round(float(jt.potts.uniform_work_current(jt.PottsRing(3, -1.0, 1.0, 0.1), beta=2.0)), 6)
        0.23504
    """
    beta = require_autonomous(ring, beta)
    require_flat(ring)
    forward, backward, _ = _uniform_rates(ring, beta)
    return ring.constant_force * (forward - backward)


def low_temperature_work_current(ring: PottsRing, beta: ScalarLike) -> Float[Array, ""]:
    """Work current per unit deep in the localised phase, where P_1 -> 1 and its outflow runs round the ring.

    Equation   q f V+(dE = -u): each of the q bonds carries the same stationary current, that of the slowest,
               J = V+(dE = -u) P_1; for Arrhenius rates the work is q G f exp[beta (u + f)/2]

    ring       a `jt.PottsRing` with flat energies and a constant force
    beta       inverse temperature, a number
    Units      energy per unit time
    Source     derived here. Herpich & Esposito 2019, Eq. (11), has the same exponential without the factor q; the
               stationary state of Eq. (1) has it.

    Holds for flat energies, u < 0 and beta (2f - |u|) >> 1, where no bond runs backwards.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.potts.low_temperature_work_current(ring, 20.0)), 3)
        0.3
    """
    beta = require_autonomous(ring, beta)
    require_flat(ring)
    forward, _ = ring.rates(-ring.coupling, ring.constant_force, beta, ring.prefactor)
    return ring.q * ring.constant_force * forward


def spectrum(ring: PottsRing, beta: ScalarLike) -> Complex[Array, " q"]:
    """Eigenvalues of the linearised dynamics about the uniform state, modes k = 0..q-1.

    Equation   lambda_k = -(1 - cos kappa)(V+ + V- - 2 D) - i sin kappa (V+ - V-), kappa = 2 pi k/q,
               D = (u/q) d(V+ - V-)/d(dE) at dE = 0; for Arrhenius rates
               -2 G [(1 - cos kappa)(1 + beta u/q) cosh(beta f/2) + i sin kappa sinh(beta f/2)]

    ring       a `jt.PottsRing` with flat energies and a constant force
    beta       inverse temperature, a number
    Returns    (q,), complex; mode k is P_j ~ exp(i kappa j)
    Units      1 / time
    Raises     ValueError if the energies are known not to be flat
    Source     Herpich & Esposito 2019, Eqs. (5)-(7), extended to every beta and to any rates

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.potts.spectrum(ring, 2.0)[1].real), 4)  # the first pattern decays
        -0.1543
    """
    beta = require_autonomous(ring, beta)
    require_flat(ring)
    return _spectrum(ring, beta)


@brief_jit
def _spectrum(ring: PottsRing, beta: Float[Array, ""]) -> Complex[Array, " q"]:
    forward, backward, slope = _uniform_rates(ring, beta)
    kappa = 2.0 * jnp.pi * jnp.arange(ring.q, dtype=beta.dtype) / ring.q
    # 1 - cos kappa = 2 sin^2(kappa/2) keeps the accuracy of slow modes at large q.
    decay = 2.0 * jnp.sin(0.5 * kappa) ** 2 * (forward + backward - 2.0 * slope)
    return jax.lax.complex(-decay, -jnp.sin(kappa) * (forward - backward))


def critical_beta(ring: PottsRing) -> Float[Array, ""]:
    """Inverse temperature beta_c1 at which the uniform state loses stability, all modes at once; inf if it never does.

    Equation   the smallest root of V+ + V- = 2 D (see `spectrum`); -q/u for Arrhenius rates and u < 0

    ring       a `jt.PottsRing` with flat energies and a constant force
    Units      1 / energy
    Raises     ValueError if the energies are known not to be flat, or the force is a callable
    Source     Herpich & Esposito 2019, Eq. (5)

    Example
        >>> import jaxthermo as jt
        >>> round(float(jt.potts.critical_beta(jt.PottsRing(3, coupling=-1.0, force=1.0))), 9)
        3.0
    """
    require_autonomous(ring, 1.0)
    require_flat(ring)
    return _critical_beta(ring)


@brief_jit
def _critical_beta(ring: PottsRing) -> Float[Array, ""]:
    # Energies of the model set where to look; a root far outside has no rates that a float can hold.
    scale = jnp.abs(ring.coupling) / ring.q
    safe_scale = jnp.where(scale > 0, scale, 1.0)
    grid = jax.lax.stop_gradient(jnp.exp(jnp.linspace(*LOG_BETA_RANGE, BRACKETS)) / safe_scale)
    fixed = stop_gradient(ring)
    # Rates that overflow far beyond any root give NaN, which is no evidence of instability.
    stable = jnp.logical_not(jax.vmap(lambda beta: _excess(beta, fixed))(grid) <= 0)
    first = jnp.argmin(stable)
    found = jnp.logical_and(jnp.logical_not(stable[first]), first > 0)

    def bisect(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        is_stable = _excess(middle, fixed) > 0
        return jnp.where(is_stable, middle, low), jnp.where(is_stable, high, middle)

    low, high = jax.lax.fori_loop(0, BISECTIONS, bisect, (grid[first - 1], grid[first]))

    def equation(beta: Array, args: tuple[PottsRing, Array]) -> Array:
        return _excess(beta, args[0])

    def moved(beta: Array, args: tuple[PottsRing, Array], forcing: Array) -> Array:
        ring, found = args
        # Without a root there is nothing to move, and nothing to divide by.
        return -forcing / jnp.where(found, jax.grad(_excess)(beta, ring), 1.0)

    root = implicit(equation, moved, jnp.where(found, 0.5 * (low + high), grid[0]), (ring, found))
    return jnp.where(found, root, jnp.inf)


def is_uniform_stable(ring: PottsRing, beta: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether every eigenvalue of `spectrum` but that of k = 0 decays, decided by the decay rate that all share.

    Bounded rates may make the uniform state stable again far below the temperature of beta_c1. Where rates are beyond
    all numbers it counts as unstable.
    """
    return _excess(beta, ring) > ROUNDING


def _excess(beta: Float[Array, ""], ring: PottsRing) -> Float[Array, ""]:
    """1 - 2 D/(V+ + V-), which vanishes at beta_c1; normalised, so that it cannot overflow at low temperature."""
    forward, backward, slope = _uniform_rates(ring, beta)
    return 1.0 - 2.0 * slope / (forward + backward)


def _uniform_rates(ring: PottsRing, beta: Float[Array, ""]) -> tuple[Array, Array, Array]:
    """V+ and V- at dE = 0, and D = (u/q) d(V+ - V-)/d(dE)."""

    def rates(energy_change: Float[Array, ""]) -> tuple[Array, Array]:
        return ring.rates(energy_change, ring.constant_force, beta, ring.prefactor)

    zero = jnp.zeros_like(beta)
    (forward, backward), (d_forward, d_backward) = jax.jvp(rates, (zero,), (jnp.ones_like(beta),))
    return forward, backward, ring.coupling / ring.q * (d_forward - d_backward)


def require_flat(ring: PottsRing) -> None:
    """Raise a ValueError if the energies are known not to be flat."""
    if is_known(ring.energies) and np.ptp(np.asarray(ring.energies)) > 0:
        raise ValueError("`energies` must be flat for a uniform state to exist, but they differ from each other")


def stability_dissipation(ring: PottsRing, beta: ScalarLike) -> Float[Array, ""]:
    """Entropy production that synchronisation saves, over the phase-space contraction that it gains, near onset.

    Equation   sigma - sigma_0 = slope (<div F> - (div F)_0) to leading order in the amplitude, with sigma the mean rate
               of entropy production, F = dP/dt, and 0 the uniform state. Both sides are quadratic forms of the
               occupations, multiples of the same one, sum_i (P_{i+1} - P_i)^2, so all patterns have one slope,
                   slope = beta f [u (r+'' - r-'')/(2q) - (r+' + r-')/2] / [u^2 (r+''' - r-''')/q - 3u (r+'' + r-'')/2],
               where r+-(dE) are the rates at dE = 0. Arrhenius rates at beta_c1 = -q/u: (f/2|u|) tanh(q f/2|u|)

    ring       a `jt.PottsRing` with flat energies and a constant force
    beta       inverse temperature, a number: that of the onset, `jt.potts.critical_beta`
    Units      none (entropy in k_B)
    Raises     ValueError if the energies are known not to be flat
    Source     Meibohm & Esposito, arXiv 2401.14980 and 2401.14982, who prove a linear relation; the slope is derived
               here

    As the slope is positive and the contraction stronger in a stable pattern, the more stable pattern dissipates less.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.potts.stability_dissipation(ring, 3.0)), 6)  # tanh(3/2)/2
        0.452574
    """
    beta = require_autonomous(ring, beta)
    require_flat(ring)

    def rates(energy_change: Array) -> Array:
        return jnp.stack(ring.rates(energy_change, ring.constant_force, beta, ring.prefactor))

    first = jax.jacfwd(rates)
    second = jax.jacfwd(first)
    third = jax.jacfwd(second)
    zero = jnp.zeros_like(beta)
    d1, d2, d3 = first(zero), second(zero), third(zero)
    u, q = ring.coupling, ring.q
    work = u * (d2[0] - d2[1]) / (2.0 * q) - 0.5 * (d1[0] + d1[1])
    growth = u**2 * (d3[0] - d3[1]) / q - 1.5 * u * (d2[0] + d2[1])
    return beta * ring.constant_force * work / growth
