"""Patterns near a degenerate Hopf point whose amplitude equations do not mix phases: which exist, which are stable."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

KINDS = ("supercritical", "subcritical")
# Growth rates below this share of the largest one, in units of the rounding error, are zero: the cubic order does not
# decide.
MARGINAL_IN_EPS = 1e4


class Pattern(NamedTuple):
    """One pattern near beta_c1, with d = beta - beta_c1; made by `NormalForm.patterns`.

    Equation   |w_k| = amplitudes_k |d|^(1/2); w_k turns with frequencies_k + shifts_k d; perturbations of the
               amplitudes grow with rates |d|, those of the modes not in the pattern included
    Shapes     amplitudes, frequencies, shifts: one for each mode of the pattern; rates: one for each mode of the ring
    Units      amplitudes: energy^(1/2); frequencies: 1/time; shifts, rates: energy/time

    A pattern of the `kind` "supercritical" exists at d > 0, a "subcritical" one at d < 0. `attractor` is what it is if
    stable: "fixed point", "limit cycle", or "torus" where two or more modes turn. `stability` is "stable", "unstable",
    or "marginal" where the largest rate vanishes and terms beyond the cubic ones decide.
    """

    modes: tuple[int, ...]
    kind: str
    attractor: str
    stability: str
    amplitudes: np.ndarray
    frequencies: np.ndarray
    shifts: np.ndarray
    rates: np.ndarray


def patterns_of(q: int, frequencies: np.ndarray, growth: np.ndarray, coefficients: np.ndarray) -> list[Pattern]:
    """All patterns of the amplitude equations, by number of modes.

    Equation   rho_k = |w_k|^2 obeys d rho_k/dt = 2 rho_k [Re sigma_k d + sum_j Re c_kj rho_j]: on a set S of modes
               rho = -d (Re c_SS)^-1 Re sigma_S, which is a pattern if all are of the sign of +d or all of -d
    """
    modes, rounding = range(len(growth)), _rounding(frequencies)
    found = []
    for size in range(1, len(growth) + 1):
        for chosen in combinations(modes, size):
            active = list(chosen)
            block = coefficients.real[np.ix_(active, active)]
            if np.linalg.cond(block) > 1.0 / rounding:
                continue
            rho = -np.linalg.solve(block, growth.real[active])
            side = 1.0 if rho[0] > 0 else -1.0
            # An amplitude that vanishes to rounding is not part of the pattern.
            if np.all(side * rho > rounding * np.abs(rho).max()):
                found.append(_pattern(q, active, side * rho, side, frequencies, growth, coefficients))
    return found


def _pattern(
    q: int, active: list[int], rho: np.ndarray, side: float, frequencies: np.ndarray, growth: np.ndarray, c: np.ndarray
) -> Pattern:
    others = [k for k in range(len(growth)) if k not in active]
    rates = np.empty(len(growth))
    rates[active] = np.sort(np.linalg.eigvals(2.0 * rho[:, None] * c.real[np.ix_(active, active)]).real)
    rates[others] = side * growth.real[others] + c.real[np.ix_(others, active)] @ rho
    largest = rates.max()
    margin = _rounding(frequencies) * np.abs(growth.real).max()
    turning = sum(2 * (k + 1) != q for k in active)
    return Pattern(
        modes=tuple(k + 1 for k in active),
        kind=KINDS[0] if side > 0 else KINDS[1],
        attractor=("fixed point", "limit cycle", "torus")[min(turning, 2)],
        stability="stable" if largest < -margin else "unstable" if largest > margin else "marginal",
        amplitudes=np.sqrt(rho),
        frequencies=frequencies[active],
        shifts=growth.imag[active] + side * c.imag[np.ix_(active, active)] @ rho,
        rates=rates,
    )


def _rounding(values: np.ndarray) -> float:
    return MARGINAL_IN_EPS * float(np.finfo(values.dtype).eps)
