"""The eight potentials of a system with temperature 1/beta and field x, all from one of them and from U and X."""

from typing import Any, NamedTuple

import numpy as np


class Potentials(NamedTuple):
    """Four entropic potentials and four energies, see `from_planck`; each of the shape of what they were made from."""

    planck: Any
    massieu: Any
    m_entropy: Any
    p_entropy: Any
    gibbs: Any
    helmholtz: Any
    internal_energy: Any
    enthalpy: Any


# Unit, and what it is a function of in the quasi-static case.
MEANING = {
    "planck": ("1", "Planck potential Xi(beta, x~)"),
    "massieu": ("1", "Massieu potential Phi = Xi - x~ X"),
    "m_entropy": ("1", "M-entropy Lambda = Phi + beta U, the thermodynamic entropy"),
    "p_entropy": ("1", "P-entropy Gamma = Lambda + x~ X"),
    "gibbs": ("energy", "Gibbs energy G = -Xi/beta"),
    "helmholtz": ("energy", "Helmholtz energy F = -Phi/beta"),
    "internal_energy": ("energy", "internal energy U = F + T Lambda"),
    "enthalpy": ("energy", "enthalpy H = U - x X = G + T Lambda"),
}


def from_planck(planck: Any, beta: Any, x: Any, U: Any, X: Any) -> Potentials:
    """All potentials from the Planck potential Xi, by Legendre transforms.

    Equation   with x~ = beta x: Phi = Xi - x~ X, Lambda = Phi + beta U, Gamma = Lambda + x~ X; F = -Phi/beta,
               G = -Xi/beta, U, H = U - x X, so that U = F + T Lambda and H = G + T Lambda
    Shapes     any that broadcast; numpy and jax arrays alike
    Units      k_B = 1: entropic potentials are numbers, the others energies
    Source     Koyanagi & Tanimura 2024, Tables 1 and 2

    It holds in and out of equilibrium: the non-equilibrium Planck potential gives the non-equilibrium others. A driven
    ring has no field: its Xi = Phi = S - beta E with x = 0.
    """
    massieu = planck - beta * x * X
    m_entropy = massieu + beta * U
    return Potentials(
        planck=planck,
        massieu=massieu,
        m_entropy=m_entropy,
        p_entropy=m_entropy + beta * x * X,
        gibbs=-planck / beta,
        helmholtz=-massieu / beta,
        internal_energy=U,
        enthalpy=U - x * X,
    )


def mean_rate(increase: Any, time: Any) -> np.ndarray:
    """Average rate of a cumulated quantity over each interval between neighbouring times, (times - 1,)."""
    return np.diff(np.asarray(increase)) / np.diff(np.asarray(time))
