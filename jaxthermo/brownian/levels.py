"""The hierarchy among the lowest levels of a quantum oscillator: small matrices, and a nearly direct solve.

At low temperature few levels matter, and what is slow on a phase grid (weak coupling, tunnelling, many noises) is a
matter of small dense blocks here. A Hermitian operator S + iA, S symmetric and A antisymmetric, is held as the real
matrix S + A. For real q and H and p = iP, with ' the transpose,
    d_p M = [q, A - S]/hbar = -[q, M']/hbar,   d_q M = -[P, M]/hbar,   {p, .}/2 M = (P M' + M' P)/2.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.automatic import FALLEN
from jaxthermo.brownian.hierarchy import Field, Workspace, members_of
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.reach import confined, energy_at, mean_curvature
from jaxthermo.brownian.spectrum import from_spectrum

# Numbers of levels, so that few programs are compiled, and of mesh points for their wave functions.
RUNGS, MESH = (12, 16, 20, 24, 30, 36), 241
# A search on the grid is long from these on: crossings of the well in the time of friction, barrier between two wells
# over the temperature, depth.
CROSSINGS, BARRIER, DEEP = 16.0, 2.0, 6
# Members times levels^6, the work of inverting all blocks.
WORK = 2e9
# A member n may have |n| quanta more than the state, and coherences fall with the root of populations.
MORE = (6, 2)
# A share of the levels wanted, below which it is not tried.
FEWEST = 0.5
# The range of the mesh over that at which the canonical density has fallen.
ROOM = 1.35

Matrices = Float[Array, "*members l l"]


class Levels(eqx.Module):
    """Operators among the levels of one H_A, and the levels' wave functions where a phase grid needs them.

    `below` and `above` are psi_i(q - hbar y/2) and psi_i(q + hbar y/2) at all waves y >= 0 and positions q of the grid.
    """

    H: Float[Array, "l l"]
    q: Float[Array, "l l"]
    P: Float[Array, "l l"]
    below: Float[Array, "l y q"]
    above: Float[Array, "l y q"]


def levels_of(oscillator: Oscillator, beta: float, x: float) -> Levels | None:
    """As many levels as the equilibrium state needs, or None where these are too many.

    Method     eigenstates of H_A on a mesh of sinc functions; as many as a thermal state populates above 1e-9 whose
               energy is raised as the bath raises it, and some more
    """
    grid: Any = oscillator.grid
    mass, hbar, bath = float(oscillator.mass), float(oscillator.hbar), oscillator.bath
    if not (oscillator.quantum and _is_plain(oscillator, beta)):
        return None
    end = ROOM * confined(oscillator, beta, x, FALLEN)
    q, step = np.linspace(-end, end, MESH, retstep=True)
    energy = energy_at(oscillator, q, x)
    slope, kinetic = _derivatives(MESH, step)
    kinetic *= 0.5 * hbar**2
    values, states = np.linalg.eigh(kinetic / mass + np.diag(energy))
    weights = np.exp(-beta * (values - values[0]))
    density = states**2 @ weights / weights.sum()
    narrowing, widening = bath.variances(mass, hbar, mean_curvature(density, energy, q, beta) / mass, beta)
    count = _count(int(np.sum(weights > FALLEN)), 0.5 * (narrowing + widening)) + MORE[0] + MORE[1] * (bath.depth or 0)
    members = len(members_of(oscillator))
    affordable = [n for n in RUNGS if members * n**6 <= WORK]
    # Fewer than wanted may still do: the highest of them say what is missing.
    n = next((n for n in affordable if n >= count), affordable[-1] if affordable else 0)
    if n < FEWEST * count:
        return None
    psi = states[:, :n]
    shift = 0.5 * hbar * np.asarray(grid.y)[:, None]
    sides = (_values_at(psi, q, step, np.asarray(grid.q) + sign * shift) for sign in (-1.0, 1.0))
    arrays = (np.diag(values[:n]), (psi.T * q) @ psi, -hbar * psi.T @ slope @ psi, *sides)
    return Levels(*(jnp.asarray(a) for a in arrays))


def is_hard(oscillator: Oscillator, beta: float, x: float) -> bool:
    """Whether the search for a quantum equilibrium on a grid is long: weak coupling, two wells, or a deep hierarchy."""
    if not oscillator.quantum:
        return False
    mass, hbar, bath = float(oscillator.mass), float(oscillator.hbar), oscillator.bath
    end = confined(oscillator, beta, x, FALLEN)
    q = np.linspace(-end, end, MESH)
    energy = energy_at(oscillator, q, x)
    weight = np.exp(-beta * (energy - energy.min()))
    weight /= weight.sum()
    spread = float(weight @ q**2 - (weight @ q) ** 2)
    # Or the zero-point motion, where that is more.
    p2 = max(mass / beta, hbar**2 / (4.0 * spread))
    crossings = np.sqrt(p2 / spread) / float(bath.friction())
    minima = 1 + np.flatnonzero((energy[1:-1] < energy[:-2]) & (energy[1:-1] <= energy[2:]))
    barrier = energy[minima[0] : minima[-1] + 1].max() - energy[minima].max()
    return bool(crossings > CROSSINGS or beta * barrier > BARRIER or (bath.depth or 0) >= DEEP)


def _is_plain(oscillator: Oscillator, beta: float) -> bool:
    """Whether the bath has no terms but friction, white noise, and noises that decay."""
    terms = oscillator.bath.terms(0.0, jnp.asarray(1.0 / beta), oscillator.hbar)
    follows = len(oscillator.bath.own_betas()) == 0
    return terms.memory is None and follows and not (np.any(terms.push) or np.any(terms.spring))


def _count(thermal: int, raised: float) -> float:
    """Levels populated above FALLEN, when the bath multiplies the energy of the state by `raised`.

    A thermal state of a harmonic oscillator with <n> quanta has the energy <n> + 1/2 and populations that fall by
    <n>/(<n> + 1)
    """
    fall = FALLEN ** (1.0 / max(thermal, 1))
    quanta = max(raised, 1.0) * (fall / (1.0 - fall) + 0.5) - 0.5
    return float(np.log(FALLEN) / np.log(quanta / (quanta + 1.0)))


def _derivatives(points: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """d/dq and -d^2/dq^2 among sinc functions."""
    distance = np.subtract.outer(np.arange(points), np.arange(points)).astype(float)
    sign = (-1.0) ** distance
    away = np.where(distance == 0.0, np.inf, distance)
    squared = 2.0 * sign / away**2
    np.fill_diagonal(squared, np.pi**2 / 3.0)
    return sign / away / step, squared / step**2


def _values_at(psi: np.ndarray, q: np.ndarray, step: float, points: np.ndarray) -> np.ndarray:
    """Wave functions on a mesh at other points, by their sinc series: (levels, *points)."""
    inside = np.abs(points) <= q[-1]
    basis = np.sinc((np.where(inside, points, 0.0)[..., None] - q) / step)
    return np.moveaxis((basis @ psi) / np.sqrt(step) * inside[..., None], -1, 0)


def to_grid(M: Matrices, levels: Levels, work: Workspace) -> Field:
    """Members among the levels as functions on the phase grid: F(y) = <q - hbar y/2| . |q + hbar y/2>."""
    turned = jnp.swapaxes(M, 1, 2)

    def values(matrices: Array) -> Array:
        return jnp.einsum("iyq,miyq->ymq", levels.below, jnp.einsum("mij,jyq->miyq", matrices, levels.above))

    return from_spectrum(jnp.concatenate([values(0.5 * (M + turned)), values(0.5 * (M - turned))[1:]]), work)
