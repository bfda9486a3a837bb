"""A phase grid that is accurate for given temperatures and fields."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxthermo.brownian.bath import SwitchedBaths, expansion
from jaxthermo.brownian.drude import DrudeBath
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.checks import is_known

# How far a density and its Fourier transform must have fallen at the ends of the grid.
FALLEN = 1e-13
# exp(-WIDTHS^2/2) is about FALLEN, for the momentum, which is nearly Gaussian.
WIDTHS = 7.6
# Room for what a drive does beyond equilibrium, and for the auxiliary members, which reach further than W_0.
MARGIN = 1.12
MESH = 301
MAX_REACH = 1e5


class Reach(NamedTuple):
    """How far a state extends in position, its wavenumber, momentum, and the momentum's conjugate."""

    q: float
    k: float
    p: float
    y: float


def grid_for(oscillator: Oscillator, betas: Any, fields: Any) -> PhaseGrid:
    """A grid on which the equilibrium states at all these beta and x have fallen to 1e-13 at every edge.

    Method     The canonical density of H_A (quantum: by diagonalisation on a dense mesh; classical: Boltzmann) at the
               extreme temperatures and fields gives the range of q, its Fourier transform the step. The momentum is
               nearly Gaussian: 7.6 widths of the widest state give its range, the narrowest state its step. Coupling
               to the bath changes both variances as in the harmonic oscillator of the same mean curvature, for which
               they are known. 12 % to spare.
    Raises     ValueError if jax traces the values, or the potential does not confine

    The mesh is symmetric about q = 0: put the origin of q near the middle of the potential.
    """
    if not is_known(jax.tree.leaves((oscillator, betas, fields))):
        raise ValueError("`grid` must be given, jt.PhaseGrid(q_max, dq, p_max, dp), where jax traces the parameters")
    betas, fields = np.ravel(np.asarray(betas, dtype=float)), np.ravel(np.asarray(fields, dtype=float))
    if isinstance(oscillator.bath, SwitchedBaths):
        betas = np.concatenate([betas, np.asarray(oscillator.bath.betas)])
    corners = {(b, x) for b in (betas.min(), betas.max()) for x in (fields.min(), fields.max())}
    reaches = [reach_of(oscillator, beta, x) for beta, x in corners]
    widest = Reach(*(MARGIN * max(sizes) for sizes in zip(*reaches, strict=True)))
    dq, dp = np.pi / widest.k, np.pi / widest.y
    return PhaseGrid(dq * np.ceil(widest.q / dq), dq, dp * np.ceil(widest.p / dp), dp)


def reach_of(oscillator: Oscillator, beta: float, x: float) -> Reach:
    mass, hbar = float(oscillator.mass), float(oscillator.hbar)
    q = confined(oscillator, beta, x)
    energy = _energy(oscillator, q, x)
    # Where the mesh cannot hold the thermal momenta, the wavelength is far below it and the state is classical.
    held = np.pi * hbar / (q[1] - q[0]) > WIDTHS * np.sqrt(mass / beta)
    if oscillator.quantum and held:
        density, p2 = _canonical(energy, q, beta, mass, hbar)
    else:
        density, p2 = np.exp(-beta * (energy - energy.min())), mass / beta
    weight = density / density.sum()
    spread = float(np.sum(weight * q**2) - np.sum(weight * q) ** 2)
    curvature = float(np.sum(weight[1:-1] * np.diff(energy, 2))) / (q[1] - q[0]) ** 2
    # Where the mean curvature is not positive, as in a double well, the width of the density stands in.
    stiffness = curvature if curvature > 0 else 1.0 / (beta * spread)
    narrowing, widening = _bath_effect(oscillator, stiffness / mass, beta) if oscillator.quantum else (1.0, 1.0)
    spectrum = np.abs(np.fft.rfft(density))
    waves = 2.0 * np.pi * np.fft.rfftfreq(len(q), q[1] - q[0])
    return Reach(
        q=float(np.abs(q[density > FALLEN * density.max()]).max()),
        k=float(waves[spectrum > FALLEN * spectrum.max()].max()) / np.sqrt(min(1.0, narrowing)),
        p=WIDTHS * np.sqrt(p2 * max(1.0, widening)),
        y=WIDTHS / np.sqrt(p2 * min(1.0, widening)),
    )


def _energy(oscillator: Oscillator, q: np.ndarray, x: float) -> np.ndarray:
    return np.asarray(_compiled(oscillator.potential, oscillator.coordinate, jnp.asarray(q), jnp.asarray(x)))


@eqx.filter_jit
def _compiled(potential: Any, coordinate: Any, q: Array, x: Array) -> Array:
    return jax.vmap(lambda s: jnp.asarray(potential(s)) - x * jnp.asarray(coordinate(s)))(q)


def confined(oscillator: Oscillator, beta: float, x: float) -> np.ndarray:
    """A mesh that reaches on both sides to where the canonical density is negligible."""
    mass, hbar = float(oscillator.mass), float(oscillator.hbar)
    reach = 1e-3
    while reach < MAX_REACH:
        q = np.linspace(-reach, reach, MESH)
        height = _energy(oscillator, q, x)
        height = height - height.min()
        wall = min(height[0], height[-1])
        # Zero-point motion counts as temperature, at the frequency of a parabola through the wall.
        temperature = 1.0 / beta + (hbar * np.sqrt(2.0 * wall / mass) / reach if oscillator.quantum else 0.0)
        if wall > -1.2 * np.log(FALLEN) * temperature:
            return q
        reach *= 1.1
    raise ValueError(f"`potential` must confine, but U - xX is still low at |q| = {MAX_REACH:g} (beta {beta}, x {x})")


def _canonical(energy: np.ndarray, q: np.ndarray, beta: float, mass: float, hbar: float) -> tuple[np.ndarray, float]:
    """Density and <p^2> of the canonical state of H_A, on a mesh with the kinetic energy of all waves it holds."""
    step = q[1] - q[0]
    distance = np.subtract.outer(np.arange(len(q)), np.arange(len(q)))
    with np.errstate(divide="ignore"):
        squared_momentum = 2.0 * (-1.0) ** distance / distance.astype(float) ** 2
    np.fill_diagonal(squared_momentum, np.pi**2 / 3.0)
    squared_momentum *= (hbar / step) ** 2
    levels, states = np.linalg.eigh(squared_momentum / (2.0 * mass) + np.diag(energy))
    weights = np.exp(-beta * (levels - levels[0]))
    matrix = (states * weights) @ states.T / weights.sum()
    return np.maximum(np.diag(matrix), 0.0), float(np.sum(matrix * squared_momentum))


def _bath_effect(oscillator: Oscillator, squared_frequency: float, beta: float) -> tuple[float, float]:
    """<q^2> and <(p - zeta)^2> of the damped harmonic oscillator over <q^2> and <p^2> of the free one.

    Equation   with N = w^2 + nu g + nu^2, g = gamma/m, from the closed moment equations: <q^2> = T/(m w^2) [1 + sum 2
               eta w^2/N], <p^2> = m T [1 + sum 2 eta (w^2 + nu g)/N], <(p - zeta) zeta> = -D (w^2 + nu g)/N, D = 2
               gamma hbar eta/xi; for a `DrudeBath` see `_drude_variances`
    """
    bath, hbar, mass = oscillator.bath, float(oscillator.hbar), float(oscillator.mass)
    xi, eta = expansion(bath.scheme, bath.poles)
    nu = xi / (beta * hbar)

    def variances(rate: float) -> tuple[float, float]:
        size = squared_frequency + nu * rate + nu**2
        driven = (squared_frequency + nu * rate) / size
        width = 2.0 * rate * hbar * beta * eta / xi  # D / (m T)
        position = 1.0 + np.sum(2.0 * eta * squared_frequency / size)
        return float(position), float(1.0 + np.sum(2.0 * eta * driven + width * (2.0 * driven - 1.0)))

    damped, free = variances(float(bath.friction()) / mass), variances(0.0)
    if isinstance(bath, DrudeBath):
        damped = _drude_variances(oscillator, squared_frequency, beta)
    return damped[0] / free[0], damped[1] / free[1]


def _drude_variances(oscillator: Oscillator, squared_frequency: float, beta: float) -> tuple[float, float]:
    """<q^2> m w^2/T and <(p - chi)^2>/(m T) of the harmonic oscillator in a `DrudeBath`, which see."""
    from scipy.linalg import solve_continuous_lyapunov

    bath: Any = oscillator.bath
    mass, hbar, friction, cutoff = (float(a) for a in (oscillator.mass, oscillator.hbar, bath.friction(), bath.cutoff))
    xi, eta = expansion(bath.scheme, bath.poles)
    nu, zetas = xi / (beta * hbar), 3 + np.arange(bath.poles)
    drift = np.diag([0.0, -friction / mass, friction / mass - cutoff, *-nu])
    drift[0, 1] = drift[0, 2] = 1.0 / mass
    drift[1, 0], drift[1, 2] = -mass * squared_frequency, -friction / mass
    drift[2, 1], drift[2, zetas] = friction / mass, cutoff
    noise = np.diag([0.0, 0.0, 0.0, *(4.0 * nu * friction * hbar * eta / xi)])
    noise[1:3, 1:3] = 2.0 * friction / beta * np.array([[1.0, -1.0], [-1.0, 1.0]])
    spread = solve_continuous_lyapunov(drift, -noise)
    return float(spread[0, 0]) * beta * mass * squared_frequency, float(spread[1, 1]) * beta / mass
