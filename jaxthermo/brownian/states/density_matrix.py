"""Density matrices among number or energy states, and the way between them and the Wigner function; in NumPy."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import Array, Complex, Float
from numpy.typing import NDArray

from jaxthermo._results import warn
from jaxthermo._types import IntLike, ScalarLike, VectorLike
from jaxthermo.brownian.levels.matrices import MESH, Matrices, eigenstates, on_grid, sides_of
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.checks import require_integer, require_known

if TYPE_CHECKING:
    from jaxthermo.brownian.states.state import State

BASES = ("number", "energy")
# How far from Hermitian, and from trace 1, a density matrix may be.
ROUNDING = 1e-9
# Populations below this share have no logarithm that matters.
EMPTY = 1e-12
# The largest part of a state that levels may leave out before its entropy is called into question.
MISSING = 1e-4

Functions = Callable[[Matrices], Matrices]


def density_matrix(state: "State", count: IntLike = 12) -> Complex[np.ndarray, "count count"]:
    """The density matrix of the oscillator among the lowest eigenstates of H_A = p^2/2m + U - xX.

    Equation   <m|rho|n> = hbar int dq dy psi_m(q - hbar y/2) F(y, q) psi_n(q + hbar y/2), F the Fourier transform of W
               from p to y

    state      of a quantum oscillator: from `jt.equilibrium`, `jt.State.coherent`, `run.final`, ...; not a batch
    count      how many levels; an integer >= 1
    Returns    a Hermitian (count, count) matrix. Its diagonal holds the populations; what is missing of trace 1 is in
               higher levels
    Raises     ValueError that names the argument; if jax traces the state
    Accuracy   that of the Wigner function on its grid. High levels need a wide and fine grid; a coarse one adds what is
               not there (1e-9 for 10 levels on a mesh made for the lowest 4, 1e-2 for 24)

    Example
        >>> import jaxthermo as jt
        >>> grid = jt.PhaseGrid(7.0, 0.35, 7.0, 0.35)
        >>> oscillator = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 0.5, 1, 2, grid)
        >>> state = jt.State.fock(oscillator, 1, beta=1.0)
        >>> [round(float(one.real), 6) + 0.0 for one in jt.brownian.density_matrix(state, 3).diagonal()]
        [0.0, 1.0, 0.0]
    """
    require_known("density_matrix", state.wigner, "pass a state that is known")
    oscillator, grid = state.oscillator, state.grid
    count = require_integer("count", count, 1)
    if not oscillator.quantum:
        raise ValueError("`state` must be a quantum oscillator's, but is a classical one's")
    if state.wigner.ndim != 2 or count > MESH // 2:
        raise ValueError(f"`state` must be one state and `count` <= {MESH // 2}")
    hbar = float(oscillator.hbar)
    below, above = sides_of(grid, hbar)
    _, functions = eigenstates(oscillator, float(state.x), float(np.abs(below).max()), count)
    spectrum = np.asarray(grid.p_to_y()) @ np.asarray(state.wigner).T
    side = grid.p_side
    F = spectrum[: side + 1] + 1j * np.concatenate([np.zeros_like(spectrum[:1]), spectrum[side + 1 :]])
    # F(-y) is the conjugate of F(y) with both sides exchanged, so that y > 0 counts twice.
    F[0] *= 0.5
    one, other = (functions(points).reshape(count, -1) for points in (below, above))
    half = hbar * float(grid.dq) * float(grid.y[1]) * (one * F.reshape(-1)) @ other.T
    return half + half.conj().T


def von_neumann_entropy(state: "State", count: IntLike = 12) -> float:
    """-Tr rho ln rho of the oscillator's own state W_0, over its lowest levels; arguments as `density_matrix`.

    Accuracy   that of the density matrix, less what higher levels hold: where that is more than 1e-4 of the state a
               `JaxthermoWarning` is raised. Hot and wide states need a larger `count`
    """
    populations = np.linalg.eigvalsh(density_matrix(state, count))
    above = 1.0 - float(populations.sum())
    if above > MISSING:
        warn(f"von_neumann_entropy: {above:.2g} of the state is above the lowest {count} levels; raise `count`")
    populations = populations[populations > EMPTY]
    return float(-np.sum(populations * np.log(populations)))


def wigner_of(
    rho: NDArray[np.complex128], oscillator: Oscillator, basis: str, x: float, frequency: float | None
) -> Float[np.ndarray, "p q"]:
    """The Wigner function of a density matrix on the oscillator's grid."""
    grid, hbar = oscillator.grid, float(oscillator.hbar)
    assert grid is not None
    functions: Functions
    if basis == "number":
        assert frequency is not None
        scale = np.sqrt(float(oscillator.mass) * frequency / hbar)

        def functions(points: Matrices) -> Matrices:
            return _number_states(len(rho), scale, points)
    else:
        reach = float(np.abs(sides_of(grid, hbar)[0]).max())
        _, functions = eigenstates(oscillator, x, reach, len(rho))
    # A Hermitian S + iA is held as S + A.
    return on_grid((rho.real + rho.imag)[None], functions, grid, hbar)[:, 0]


def checked_density_matrix(rho: VectorLike | Complex[Array, "n n"]) -> NDArray[np.complex128]:
    """A Hermitian matrix of trace 1 without negative eigenvalues, or a ValueError that names it."""
    require_known("State.from_density_matrix", jax.tree.leaves(rho), "use State.from_wigner")
    matrix = np.asarray(rho, dtype=complex)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not 1 <= len(matrix) <= MESH // 2:
        raise ValueError(f"`rho` must be a square matrix of at most {MESH // 2} rows, but has shape {matrix.shape}")
    if not np.all(np.isfinite(matrix)):
        raise ValueError("`rho` must be finite")
    if np.abs(matrix - matrix.conj().T).max() > ROUNDING:
        raise ValueError("`rho` must be Hermitian")
    if abs(np.trace(matrix) - 1.0) > ROUNDING:
        raise ValueError(f"`rho` must have trace 1, but has {np.trace(matrix).real:.6g}")
    if np.linalg.eigvalsh(matrix)[0] < -ROUNDING:
        raise ValueError("`rho` must have no negative eigenvalue")
    return matrix


def checked_basis(basis: str, frequency: ScalarLike | None) -> str:
    """One of `BASES`, or a ValueError; a frequency belongs to number states alone."""
    if basis not in BASES:
        raise ValueError(f"`basis` must be one of {', '.join(BASES)}, but is {basis!r}")
    if basis == "energy" and frequency is not None:
        raise ValueError("`frequency` must be None for energy states: they have those of H_A")
    return basis


def _number_states(count: int, scale: float, points: Matrices) -> Matrices:
    """The first eigenfunctions of a harmonic oscillator, by their three-term recursion: (count, *points)."""
    s = scale * points
    states = [np.sqrt(scale) * np.pi**-0.25 * np.exp(-0.5 * s**2)]
    before = np.zeros_like(s)
    for n in range(1, count):
        now = np.sqrt(2.0 / n) * s * states[-1] - np.sqrt((n - 1.0) / n) * before
        before = states[-1]
        states.append(now)
    return np.stack(states)
