"""The lowest levels of a quantum oscillator, as small matrices, and the way from there to the phase grid; in NumPy.

At low temperature few levels matter, and what is slow on a phase grid (weak coupling, tunnelling, many noises) is a
matter of small dense blocks here. A Hermitian operator S + iA, S symmetric and A antisymmetric, is held as the real
matrix S + A. For real q and H and p = iP, with ' the transpose,
    d_p M = [q, A - S]/hbar = -[q, M']/hbar,   d_q M = -[P, M]/hbar,   {p, .}/2 M = (P M' + M' P)/2.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxthermo.brownian.accuracy.automatic import FALLEN
from jaxthermo.brownian.accuracy.reach import confined, energy_at, mean_curvature
from jaxthermo.brownian.baths.ohmic import canonical_variance
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.levels.frame import Frame, best_frame, terms_of
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.solve.threads import one_thread

# Points of the mesh for the wave functions, and its range over that at which the canonical density has fallen.
MESH, ROOM = 241, 1.35
# A search on the grid is long from these on: crossings of the well in the time of friction, barrier between two wells
# over the temperature, depth, squared width of the noises that the particle follows over <p^2>; and where friction
# leaves fewer crossings than the last: a quartic well at A = 2, beta = 1 took 25 CPU s with one pole, 220 with three.
CROSSINGS, BARRIER, DEEP, FOLLOWED, OVERDAMPED = 16.0, 0.5, 6, 0.5, 0.35

# A level is held by the mesh below this share of the height of its ends.
HELD = 0.8
# The share of the squeezing by the bath, in its logarithm, that is taken into the basis.
SQUEEZED = 0.25

Matrices = NDArray[np.float64]


class Levels(NamedTuple):
    """Operators among the levels: H_A - xX, q, P and the potential U, (levels, levels)."""

    H: Matrices
    q: Matrices
    P: Matrices
    U: Matrices


class Basis(NamedTuple):
    """Wave functions on a mesh, (mesh, levels), in the order of their energy, with the operators on the mesh.

    `energy`: U - xX on the mesh. `frame`: how the hierarchy is best written among them. `populated`: about how many of
    them the equilibrium state has above 1e-9.
    """

    q: Matrices
    psi: Matrices
    H: Matrices
    slope: Matrices
    U: Matrices
    energy: Matrices
    frame: Frame
    populated: float

    def holds(self, n: int) -> bool:
        """Whether the mesh ends well beyond where a particle of the nth level turns."""
        psi, lowest = self.psi[:, :n], self.energy.min()
        highest = np.linalg.eigvalsh(psi.T @ self.H @ psi)[-1]
        return bool(highest - lowest < HELD * (min(self.energy[0], self.energy[-1]) - lowest))

    def by_energy(self, n: int) -> "Basis":
        """The span of the lowest n wave functions, by eigenstates of H_A in it."""
        psi = self.psi[:, :n]
        return self._replace(psi=psi @ np.linalg.eigh(psi.T @ self.H @ psi)[1])

    def lowest(self, n: int) -> Levels:
        """The operators among the lowest n levels."""
        psi, q = self.psi[:, :n], self.q
        return Levels(psi.T @ self.H @ psi, (psi.T * q) @ psi, self.slope_among(n), (psi.T * self.U) @ psi)

    def slope_among(self, n: int) -> Matrices:
        """P = -hbar d/dq; `slope` has the hbar."""
        return -self.psi[:, :n].T @ self.slope @ self.psi[:, :n]


def basis_of(oscillator: Oscillator, beta: float, x: float) -> Basis | None:
    """The levels in which the equilibrium state is written with few; None where the bath is no plain Ohmic one.

    Method     eigenstates of p^2/2M + U - xX on a mesh of sinc functions. The bath makes the state narrower in q and
               wider in p, as a larger mass M would. A part of that is best, since the generator has the mass m:
               measured at A = 2, half of it (in the logarithm) for a parabola, none for two wells. They are counted
               as a thermal state populates them whose variances are changed as the bath changes those of a parabola
    """
    mass, hbar = float(oscillator.mass), float(oscillator.hbar)
    if not oscillator.quantum or len(oscillator.bath.own_betas()) or has_memory(oscillator, beta):
        return None
    end = ROOM * confined(oscillator, beta, x, FALLEN)
    q, slope, kinetic, energy = _on_mesh(oscillator, x, end)
    values, states = np.linalg.eigh(kinetic + np.diag(energy))
    weights = np.exp(-beta * (values - values[0]))
    density = states**2 @ weights / weights.sum()
    frame = best_frame(oscillator, beta, mean_curvature(density, energy, q, beta) / mass)
    _, states = np.linalg.eigh((frame.narrowing / frame.widening) ** SQUEEZED * kinetic + np.diag(energy))
    raised = float(np.sqrt(frame.narrowing * frame.widening))
    populated = _count(int(np.sum(weights > FALLEN)), raised)
    H = kinetic + np.diag(energy)
    return Basis(q, states, H, hbar * slope, energy_at(oscillator, q, 0.0), energy, frame, populated)


def is_hard(oscillator: Oscillator, beta: float, x: float) -> bool:
    """Whether the search for a quantum equilibrium on a grid is long.

    It is at weak and at very strong coupling, between two wells, in a deep hierarchy, and with noises slower than the
    particle.
    """
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
    # A parabola that is as wide at this temperature, with its zero-point motion.
    squared_frequency = 1.0 / (beta * mass * spread)
    own = mass / beta * canonical_variance(hbar, squared_frequency, beta)
    followed = np.sum(best_frame(oscillator, beta, squared_frequency).left ** 2) > FOLLOWED * own
    deep = (bath.depth or 0) >= DEEP
    damped = crossings > CROSSINGS or crossings < OVERDAMPED
    return bool(damped or beta * barrier > BARRIER or followed or deep)


def has_memory(oscillator: Oscillator, beta: float) -> bool:
    """Whether the bath has terms other than friction, white noise, and noises that decay."""
    terms = terms_of(oscillator.bath, jnp.asarray(1.0 / beta), oscillator.hbar)
    return terms.memory is not None or bool(np.any(terms.push) or np.any(terms.spring))


def _count(thermal: int, raised: float) -> float:
    """Levels populated above FALLEN, when the bath multiplies the energy of the state by `raised`.

    A thermal state of a harmonic oscillator with <n> quanta has the energy <n> + 1/2 and populations that fall by
    <n>/(<n> + 1)
    """
    fall = FALLEN ** (1.0 / max(thermal, 1))
    quanta = max(raised, 1.0) * (fall / (1.0 - fall) + 0.5) - 0.5
    return float(np.log(FALLEN) / np.log(quanta / (quanta + 1.0)))


def _on_mesh(
    oscillator: Oscillator, x: float, end: float, points: int = MESH
) -> tuple[Matrices, Matrices, Matrices, Matrices]:
    """Positions from -end to end, d/dq, p^2/2m and U - xX there."""
    q, step = np.linspace(-end, end, points, retstep=True)
    slope, kinetic = _derivatives(points, step)
    return q, slope, 0.5 * float(oscillator.hbar) ** 2 / float(oscillator.mass) * kinetic, energy_at(oscillator, q, x)


def _derivatives(points: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """d/dq and -d^2/dq^2 among sinc functions."""
    distance = np.subtract.outer(np.arange(points), np.arange(points)).astype(float)
    sign = (-1.0) ** distance
    away = np.where(distance == 0.0, np.inf, distance)
    squared = 2.0 * sign / away**2
    np.fill_diagonal(squared, np.pi**2 / 3.0)
    return sign / away / step, squared / step**2


def values_at(basis: Basis, n: int, points: Matrices) -> Matrices:
    """The lowest n wave functions at other points: (n, *points)."""
    return sinc_series(basis.q, basis.psi[:, :n], points)


def sinc_series(q: Matrices, psi: Matrices, points: Matrices) -> Matrices:
    """Functions on an even mesh at other points, by their sinc series: (functions, *points)."""
    step = q[1] - q[0]
    inside = np.abs(points) <= q[-1]
    series = np.sinc((np.where(inside, points, 0.0)[..., None] - q) / step)
    return np.moveaxis((series @ psi) / np.sqrt(step) * inside[..., None], -1, 0)


def on_grid(M: Matrices, functions: Callable[[Matrices], Matrices], grid: PhaseGrid, hbar: float) -> Matrices:
    """Operators among real wave functions on the phase grid: F(y) = <q - hbar y/2| . |q + hbar y/2>; (p, n, q).

    `functions` gives their values at any points, (levels, *points).
    """
    waves = waves_of(M, functions, grid, hbar)
    return np.tensordot(np.asarray(grid.y_to_p()), as_real(waves), axes=1)


def waves_of(
    M: Matrices, functions: Callable[[Matrices], Matrices], grid: PhaseGrid, hbar: float
) -> NDArray[np.complex128]:
    """F(y) of these operators at the grid's waves y >= 0, (y, n, q)."""
    below, above = (functions(points) for points in sides_of(grid, hbar))
    halves = (0.5 * (M + np.swapaxes(M, 1, 2)), 0.5 * (M - np.swapaxes(M, 1, 2)))
    ends = above.reshape(above.shape[0], -1)
    re, im = (
        np.stack([np.sum(below * (one @ ends).reshape(above.shape), axis=0) for one in half], axis=1) for half in halves
    )
    return re + 1j * im


def as_real(waves: NDArray[np.complex128]) -> Matrices:
    """The real form of Fourier coefficients, as the grid has it."""
    return np.concatenate([waves.real, waves.imag[1:]])


def sides_of(grid: PhaseGrid, hbar: float) -> tuple[Matrices, Matrices]:
    """q - hbar y/2 and q + hbar y/2 at every wave and position of the grid, (y, q)."""
    shift = 0.5 * hbar * np.asarray(grid.y)[:, None]
    return np.asarray(grid.q) - shift, np.asarray(grid.q) + shift


@one_thread
def eigenstates(
    oscillator: Oscillator, x: float, end: float, count: int
) -> tuple[Matrices, Callable[[Matrices], Matrices]]:
    """The lowest energies of H_A - xX between walls at -end and end, and their wave functions at any points."""
    q, _, kinetic, energy = _on_mesh(oscillator, x, end)
    values, psi = np.linalg.eigh(kinetic + np.diag(energy))
    return values[:count], lambda points: sinc_series(q, psi[:, :count], points)


@one_thread
def energies(oscillator: Oscillator, x: float, end: float, points: int) -> Matrices:
    """All energies of H_A - xX on a mesh of so many points between walls at -end and end."""
    _, _, kinetic, energy = _on_mesh(oscillator, x, end, points)
    return np.asarray(np.linalg.eigvalsh(kinetic + np.diag(energy)), np.float64)
