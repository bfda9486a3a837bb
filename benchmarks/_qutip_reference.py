"""Stationary state of the hierarchical Wigner equation by QuTiP's `HEOMSolver`, in a number basis: a peer to race.

The same hierarchy, with the same Pade poles and the same depth, reaches QuTiP as a Liouvillian and real bath exponents,
so that both answers must agree to within the truncations of phase-space mesh and number basis. The Wigner transform
takes [q, rho] to i hbar d_p W and {p, rho} to 2 p W. With W_n = (-hbar)^|n| times the transform of rho_n, and
H = p^2/2m + U(q) - x q, gamma = strength^2, Q = [q, .], this gives

    d rho_n/dt = -(i/hbar)[H, rho_n] - (i gamma/2 m hbar) Q {p, rho_n} - (gamma T/hbar^2)(1 + 2 sum eta) Q Q rho_n
                 - sum_k n_k nu_k rho_n - i sum_k Q rho_{n+e_k} - i sum_k n_k (c_k/hbar^2) Q rho_{n-e_k},

which are QuTiP's equations for exponents of type "R" with coefficients c_k/hbar^2 = -2 gamma T eta_k nu_k/hbar^2.

Needs `qutip` 5. `HEOMSolver.steady_state` is 3 to 6 times faster with MKL's PARDISO than with SciPy's SuperLU. QuTiP
finds it where the package `mkl` is installed in a release that still has the old sparse BLAS (2024 has, 2026 has not).
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import qutip
from qutip.solver.heom import BosonicBath, HEOMSolver

# Frequency of the basis in units of the one whose classical thermal width is the potential's. K Pade terms overstate
# diffusion and the auxiliaries take it back, so the hierarchy is wider in momentum than the state itself. Found by
# minimising the truncation error at K = 2: best near 1.5, 2.1 and 2.3 for strengths 0.5, 1 and 1.5, with flat minima.
STIFFNESS = 2.0


class SteadyState(NamedTuple):
    """<q>, <q^2>, <p^2>, <p^2/2m + U>; seconds to build and to solve; how badly the basis is too small.

    `tail` is the largest share of any hierarchy member's norm that lies in the two highest levels.
    """

    X: float
    q2: float
    p2: float
    U: float
    seconds_build: float
    seconds_solve: float
    tail: float


class _Operators(NamedTuple):
    q: np.ndarray
    p: np.ndarray
    q2: np.ndarray
    p2: np.ndarray
    potential: np.ndarray


def steady_state(
    coefficients: Sequence[float],
    strength: float,
    poles: int,
    depth: int,
    beta: float,
    x: float,
    levels: int,
    frequency: float | None = None,
    mass: float = 1.0,
    hbar: float = 1.0,
    *,
    centre: float | None = None,
    use_mkl: bool | None = None,
) -> SteadyState:
    """Stationary state for U(q) = sum_i coefficients[i] q^i under the force x.

    The basis is that of a harmonic oscillator of `frequency` about `centre`; by default they follow from the classical
    thermal state. `use_mkl` picks PARDISO or SuperLU; by default PARDISO where QuTiP finds it.
    """
    mean, deviation = classical_moments(coefficients, beta, x)
    if centre is None:
        centre = mean
    if frequency is None:
        frequency = STIFFNESS / (deviation * np.sqrt(beta * mass))
    start = time.perf_counter()
    operators = _operators(coefficients, levels, frequency, centre, mass, hbar)
    solver = _solver(operators, strength, poles, depth, beta, x, mass, hbar)
    built = time.perf_counter()
    state, hierarchy = solver.steady_state(use_mkl=qutip.settings.has_mkl if use_mkl is None else use_mkl)
    solved = time.perf_counter()

    def mean_of(operator: np.ndarray) -> float:
        return float(np.trace(operator @ state.full()).real)

    p2 = mean_of(operators.p2)
    return SteadyState(
        X=mean_of(operators.q),
        q2=mean_of(operators.q2),
        p2=p2,
        U=p2 / (2 * mass) + mean_of(operators.potential),
        seconds_build=built - start,
        seconds_solve=solved - built,
        tail=_tail([hierarchy.extract(label).full() for label in solver.ados.labels]),
    )


def correlation(
    coefficients: Sequence[float],
    strength: float,
    poles: int,
    depth: int,
    beta: float,
    x: float,
    levels: int,
    ts: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """<{q(t), q}>/2 - <q>^2 and i <[q(t), q]> in the stationary state, hbar = m = 1, from the whole hierarchy."""
    mean, deviation = classical_moments(coefficients, beta, x)
    operators = _operators(coefficients, levels, STIFFNESS / (deviation * np.sqrt(beta)), mean, 1.0, 1.0)
    solver = _solver(operators, strength, poles, depth, beta, x, 1.0, 1.0)
    state, hierarchy = solver.steady_state(use_mkl=qutip.settings.has_mkl)
    members = np.array([hierarchy.extract(label).full() for label in solver.ados.labels])
    q = operators.q
    mean = float(np.trace(q @ state.full()).real)
    starts = (0.5 * (q @ members + members @ q) - mean * members, 1j * (q @ members - members @ q))
    functions = []
    for start in starts:
        # QuTiP keeps its matrices in columns.
        run = solver.run(np.swapaxes(start, 1, 2), np.asarray(ts), e_ops=[_sparse(q)])
        functions.append(np.real(run.expect[0]))
    return functions[0], functions[1]


def pade(poles: int) -> tuple[np.ndarray, np.ndarray]:
    """xi_k and eta_k of coth(y/2) = (2/y)[1 + sum_k 2 eta_k y^2/(y^2 + xi_k^2)], Pade [K-1/K].

    After Hu, Xu and Yan, J. Chem. Phys. 133, 101106 (2010): both numerator and denominator are eigenvalue problems.
    """
    if poles == 0:
        return np.zeros(0), np.zeros(0)
    xi, zeta = _roots(2 * poles, 3), _roots(2 * poles - 1, 5)
    eta = [
        (poles**2 + 1.5 * poles) * np.prod(zeta**2 - xi_k**2) / np.prod(np.delete(xi, k) ** 2 - xi_k**2)
        for k, xi_k in enumerate(xi)
    ]
    return xi, np.array(eta)


def classical_moments(coefficients: Sequence[float], beta: float, x: float) -> tuple[float, float]:
    """Mean and standard deviation of q in the classical thermal state."""
    potential = np.polynomial.Polynomial(coefficients) - np.polynomial.Polynomial([0.0, x])
    stationary = potential.deriv().roots()
    lowest = min(potential(stationary[np.isreal(stationary)].real))
    # Beyond the outermost points 40 T above the minimum nothing is left in double precision.
    edges = (potential - lowest - 40 / beta).roots()
    edges = edges[np.isreal(edges)].real
    q = np.linspace(edges.min(), edges.max(), 4001)
    weight = np.exp(-beta * (potential(q) - lowest))
    weight /= weight.sum()
    mean = (weight * q).sum()
    return float(mean), float(np.sqrt((weight * (q - mean) ** 2).sum()))


def _roots(size: int, first: int) -> np.ndarray:
    b = first + 2.0 * np.arange(size)
    off = 1 / np.sqrt(b[:-1] * b[1:])
    values = np.linalg.eigvalsh(np.diag(off, 1) + np.diag(off, -1))
    # Eigenvalues come in pairs of either sign, and a zero where the size is odd.
    return np.sort(2 / values[values > 1e-9])


def _operators(
    coefficients: Sequence[float], levels: int, frequency: float, centre: float, mass: float, hbar: float
) -> _Operators:
    # Powers are formed before they are cut, so that those in H and in the expectation values are exact.
    size = levels + max(len(coefficients), 3)
    lower = np.diag(np.sqrt(np.arange(1.0, size)), 1)
    q = np.sqrt(hbar / (2 * mass * frequency)) * (lower + lower.T) + centre * np.eye(size)
    p = 1j * np.sqrt(hbar * mass * frequency / 2) * (lower.T - lower)
    potential = np.zeros_like(q)
    for i, c in enumerate(coefficients):
        potential += c * np.linalg.matrix_power(q, i)
    return _Operators(*(operator[:levels, :levels] for operator in (q, p, q @ q, p @ p, potential)))


def _solver(
    operators: _Operators, strength: float, poles: int, depth: int, beta: float, x: float, mass: float, hbar: float
) -> HEOMSolver:
    gamma, temperature = strength**2, 1 / beta
    xi, eta = pade(poles)
    nu = xi * temperature / hbar
    q, p = _sparse(operators.q), _sparse(operators.p)
    hamiltonian = _sparse(operators.p2 / (2 * mass) + operators.potential - x * operators.q)
    # Here the cut q and p are multiplied: the exact products, cut afterwards, would not conserve the trace.
    commutator = qutip.spre(q) - qutip.spost(q)
    friction = commutator @ (qutip.spre(p) + qutip.spost(p))
    liouvillian = (
        -1j / hbar * (qutip.spre(hamiltonian) - qutip.spost(hamiltonian))
        - 1j * gamma / (2 * mass * hbar) * friction
        - gamma * temperature / hbar**2 * (1 + 2 * eta.sum()) * commutator @ commutator
    )
    amplitudes = -2 * gamma * temperature * eta * nu / hbar**2
    bath = BosonicBath(q, list(amplitudes), list(nu), [], [])
    return HEOMSolver(liouvillian.to("csr"), bath, depth, options={"progress_bar": False})


def _sparse(operator: np.ndarray) -> qutip.Qobj:
    return qutip.Qobj(operator).to("csr")


def _tail(members: Sequence[np.ndarray]) -> float:
    return max(float(np.linalg.norm(member[-2:]) / np.linalg.norm(member)) for member in members)
