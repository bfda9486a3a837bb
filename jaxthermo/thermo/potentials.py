"""The eight potentials of a system with temperature 1/beta and field x, all from one of them and from U and X."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike

# NumPy and JAX alike.
Numbers = jax.Array | np.ndarray | float


class Potentials(NamedTuple):
    """Four entropic potentials and four energies, each of the shape of what they were made from.

    planck, massieu, m_entropy, p_entropy           Xi, Phi, Lambda, Gamma as `from_planck`, in units of k_B
    gibbs, helmholtz, internal_energy, enthalpy     G, F, U, H, energies
    """

    planck: Numbers
    massieu: Numbers
    m_entropy: Numbers
    p_entropy: Numbers
    gibbs: Numbers
    helmholtz: Numbers
    internal_energy: Numbers
    enthalpy: Numbers


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


def from_planck(planck: Numbers, beta: Numbers, x: Numbers, U: Numbers, X: Numbers) -> Potentials:
    """All potentials from the Planck potential Xi, by Legendre transforms.

    Equation   with x~ = beta x: Phi = Xi - x~ X, Lambda = Phi + beta U, Gamma = Lambda + x~ X; F = -Phi/beta,
               G = -Xi/beta, U, H = U - x X, so that U = F + T Lambda and H = G + T Lambda
    planck     Xi, in or out of equilibrium
    beta, x    inverse temperature and field
    U, X       mean energy, and the mean coordinate that the field couples to. All shapes that broadcast, numpy and
               jax arrays alike
    Returns    all eight, of that shape. k_B = 1: entropic potentials are numbers, the others energies
    Source     Koyanagi & Tanimura 2024, Tables 1 and 2

    It holds in and out of equilibrium: the non-equilibrium Planck potential gives the non-equilibrium others. A driven
    ring has no field: its Xi = Phi = S - beta E with x = 0.

    Example
        >>> import jaxthermo as jt
        >>> found = jt.thermo.from_planck(planck=0.2, beta=0.5, x=1.0, U=1.0, X=0.4)
        >>> found.gibbs, found.enthalpy  # -Xi/beta and U - x X
        (-0.4, 0.6)
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


def mean_rate(increase: ArrayLike, time: ArrayLike) -> np.ndarray:
    """Average rate of a cumulated quantity over each interval between neighbouring times, (times - 1,).

    increase   the quantity at each time, (times,)
    time       (times,)
    """
    return np.diff(np.asarray(increase)) / np.diff(np.asarray(time))
