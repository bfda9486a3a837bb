"""How far the equilibrium states of an oscillator reach in position, momentum and their conjugates."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.solve.lean import brief_jit
from jaxthermo.solve.threads import one_thread

# Points of the meshes on which H_A is diagonalised, the second where the first cannot hold the momenta; and of the mesh
# for a classical density, which may have fine structure.
MESHES, CLASSICAL_MESH = (121, 361), 601
# Of the mesh that tells how narrow a classical density is.
FINE_MESH = 20001
# Candidates for its end, each 2 % further out than the last: from 6e-21 to 2e20, whatever the unit of length.
ENDS = 1e-3 * 1.02 ** np.arange(-2000, 2700)


class Reach(NamedTuple):
    """How far a state extends in position, its wavenumber, momentum, and the momentum's conjugate."""

    q: float
    k: float
    p: float
    y: float


def reach_of(oscillator: Oscillator, beta: float, x: float, fallen: float) -> Reach:
    """Where the equilibrium state and its Fourier transforms have fallen to this share of their largest value.

    Method     The canonical density of H_A (quantum: by diagonalisation on a dense mesh; classical: Boltzmann) gives
               the range of q, its Fourier transform that of the wavenumber. The momentum is nearly Gaussian, so its
               width gives the range of p and of its conjugate. Coupling to the bath changes both variances as in the
               harmonic oscillator of the same mean curvature, for which they are known.
    Raises     ValueError if the potential does not confine
    """
    mass, widths = float(oscillator.mass), np.sqrt(-2.0 * np.log(fallen))
    q, energy, density, p2 = _density(oscillator, beta, x, fallen)
    narrowing, widening = 1.0, 1.0
    if oscillator.quantum:
        stiffness = mean_curvature(density, energy, q, beta)
        narrowing, widening = oscillator.bath.variances(mass, float(oscillator.hbar), stiffness / mass, beta)
    spectrum = np.abs(np.fft.rfft(density))
    waves = 2.0 * np.pi * np.fft.rfftfreq(len(q), q[1] - q[0])
    return Reach(
        q=float(np.abs(q[density > fallen * density.max()]).max()),
        k=float(waves[spectrum > fallen * spectrum.max()].max()) / np.sqrt(min(1.0, narrowing)),
        p=float(widths * np.sqrt(p2 * max(1.0, widening))),
        y=float(widths / np.sqrt(p2 * min(1.0, widening))),
    )


def _density(
    oscillator: Oscillator, beta: float, x: float, fallen: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """A mesh, and on it U - xX, the canonical density of H_A and its <p^2>."""
    mass, hbar = float(oscillator.mass), float(oscillator.hbar)
    end, widths = confined(oscillator, beta, x, fallen), np.sqrt(-2.0 * np.log(fallen))
    for points in MESHES if oscillator.quantum else ():
        q = np.linspace(-end, end, points)
        highest = np.pi * hbar / (q[1] - q[0])
        # Where no mesh holds the thermal momenta, the wavelength is far below the width and the state is classical.
        if highest <= widths * np.sqrt(mass / beta):
            continue
        energy = energy_at(oscillator, q, x)
        density, p2 = canonical_density(energy, q, beta, mass, hbar)
        if highest > widths * np.sqrt(p2) or points == MESHES[-1]:
            return q, energy, density, p2
    q = np.linspace(-end, end, CLASSICAL_MESH)
    energy = energy_at(oscillator, q, x)
    return q, energy, np.exp(-beta * (energy - energy.min())), mass / beta


def roughness(oscillator: Oscillator, beta: float, x: float, fallen: float) -> float:
    """The square root of <(d_q ln rho)^2> over the canonical density rho of H_A: 1/sigma for a Gaussian."""
    q, _, density, _ = _density(oscillator, beta, x, fallen)
    slope = np.gradient(density, q)
    inside = density > fallen * density.max()
    return float(np.sqrt(np.sum(slope[inside] ** 2 / density[inside]) / density.sum()))


def narrowness(oscillator: Oscillator, beta: float, x: float, fallen: float) -> float:
    """How far the classical density reaches from q = 0, in units of 1/sqrt(<(d_q ln rho)^2>), sigma for a Gaussian."""
    end = confined(oscillator, beta, x, fallen)
    q = np.linspace(-end, end, FINE_MESH)
    exponent = beta * energy_at(oscillator, q, x)
    density = np.exp(exponent.min() - exponent)
    slope = np.gradient(exponent, q)
    # Far out a potential may overflow, where there is no density.
    inside = density > 0.0
    return end * float(np.sqrt(np.sum(density[inside] * slope[inside] ** 2) / density.sum()))


def mean_curvature(density: np.ndarray, energy: np.ndarray, q: np.ndarray, beta: float) -> float:
    """<U'' - x X''> over a density; where it is not positive, as in a double well, T over the variance stands in."""
    weight = density / density.sum()
    spread = float(np.sum(weight * q**2) - np.sum(weight * q) ** 2)
    curvature = float(np.sum(weight[1:-1] * np.diff(energy, 2))) / (q[1] - q[0]) ** 2
    return curvature if curvature > 0 else 1.0 / (beta * spread)


def energy_at(oscillator: Oscillator, q: np.ndarray, x: float) -> np.ndarray:
    return np.asarray(_compiled(oscillator.potential, oscillator.coordinate, jnp.asarray(q), jnp.asarray(x)))


@brief_jit
def _compiled(potential: Any, coordinate: Any, q: Array, x: Array) -> Array:
    return jnp.asarray(potential(q)) - x * jnp.asarray(coordinate(q))


def confined(oscillator: Oscillator, beta: float, x: float, fallen: float) -> float:
    """The |q| at which the canonical density has fallen to this share of its largest value on both sides."""
    mass, hbar = float(oscillator.mass), float(oscillator.hbar)
    height = energy_at(oscillator, np.concatenate([ENDS, -ENDS, [0.0]]), x)
    right, left, middle = height[: len(ENDS)], height[len(ENDS) : -1], height[-1]
    # Above the lowest point so far; a potential that overflows far out is NaN there, which no comparison holds for.
    with np.errstate(invalid="ignore"):
        wall = np.minimum(right, left) - np.fmin(np.fmin.accumulate(np.fmin(right, left)), middle)
    # Zero-point motion counts as temperature, at the frequency of a parabola through the wall.
    motion = hbar * np.sqrt(2.0 * np.maximum(wall, 0.0) / mass) / ENDS if oscillator.quantum else 0.0
    enough = np.flatnonzero(wall > -1.2 * np.log(fallen) * (1.0 / beta + motion))
    if not len(enough):
        raise ValueError(
            f"`potential` must confine, but U - xX is still low at |q| = {ENDS[-1]:.0e} (beta {beta}, x {x})"
        )
    return float(ENDS[enough[0]])


@one_thread
def canonical_density(
    energy: np.ndarray, q: np.ndarray, beta: float, mass: float, hbar: float
) -> tuple[np.ndarray, float]:
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
