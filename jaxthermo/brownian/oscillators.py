"""The two kinds of Brownian oscillator: constructors."""

from jaxthermo._types import IntLike, ScalarLike
from jaxthermo.brownian.bath import AbstractBath
from jaxthermo.brownian.baths.ohmic import OhmicBath
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.potential import Identity, Potential, as_potential
from jaxthermo.checks import require_scalar


def quantum_oscillator(
    potential: Potential,
    strength: ScalarLike | AbstractBath,
    poles: IntLike = 2,
    depth: IntLike | None = None,
    grid: PhaseGrid | None = None,
    mass: ScalarLike = 1.0,
    hbar: ScalarLike = 1.0,
    *,
    scheme: str = "pade",
    coordinate: Potential | None = None,
) -> Oscillator:
    """The quantum Brownian oscillator: the hierarchical Wigner equation (T-QFPE).

    Equation   dW_n/dt = -(L_qm + sum_k n_k nu_k) W_n + gamma d_p[p/m + T (1 + sum 2 eta_k) d_p] W_n
                         - sum_k d_p W_{n+e_k} - sum_k n_k c_k d_p W_{n-e_k},   |n| <= depth

    potential    U: any function of q that jax differentiates (`Polynomial` for polynomials)
    strength     the number A of an `OhmicBath`, sqrt(mass / time), or a bath of your own (`DrudeBath`,
                 `SwitchedBaths`, another `jt.AbstractBath`), which then brings its poles and depth
    poles        K of the expansion of coth, 0..6; 0 is the high-temperature quantum equation
    depth        of the hierarchy; None: chosen for the temperatures and fields of each calculation, so that the
                 truncated hierarchy leaves errors below 1e-6 of the scale of X, <q^2>, <p^2> and U (`depth_for`)
    grid         a `jt.PhaseGrid`; None: chosen likewise (`grid_for`)
    mass, hbar   numbers; k_B = 1
    scheme       of the poles, "pade" or "matsubara"
    coordinate   X: a function of q as the potential is; None: q
    Raises       ValueError that names the argument
    Source       Koyanagi & Tanimura 2024, Sec. III; Ikeda & Tanimura 2019
    Example
        >>> import jaxthermo as jt
        >>> well = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])  # U = 0.1 q^2 + 0.02 q^3 + 0.05 q^4
        >>> particle = jt.quantum_oscillator(well, strength=1.0, poles=2)  # grid and depth are chosen later
        >>> particle.bath.poles, particle.grid is None
        (2, True)

    <p^2>, and with it energy, heat and entropy, grows like the logarithm of `poles` for a strictly Ohmic bath; <q>,
    <q^2> and work at constant temperature converge; works of a changing temperature see `OhmicBath.thermostat`.
    """
    bath = strength if isinstance(strength, AbstractBath) else OhmicBath(strength, poles, depth, scheme)
    return _oscillator(potential, bath, coordinate, mass, hbar, grid, quantum=True)


def classical_oscillator(
    potential: Potential,
    strength: ScalarLike | AbstractBath,
    grid: PhaseGrid | None = None,
    mass: ScalarLike = 1.0,
    *,
    hbar: ScalarLike = 1.0,
    coordinate: Potential | None = None,
) -> Oscillator:
    """The classical Brownian oscillator: the thermostatic Kramers equation (T-KE).

    Equation   dW/dt = -(p/m) d_q W + (U' - x X') d_p W + gamma d_p[p/m + T d_p] W,  gamma = A^2

    potential, grid, mass, coordinate
               as `quantum_oscillator`
    strength   the number A of an `OhmicBath`, sqrt(mass / time), or a bath without noises of its own, such as
               `SwitchedBaths` of `OhmicBath(A, poles=0)`
    hbar       only sets the measure of phase space, dq dp / (2 pi hbar), for entropies
    Raises     ValueError that names the argument
    Source     Koyanagi & Tanimura 2024, Sec. III
    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> particle = jt.classical_oscillator(lambda q: 0.5 * q**2 + 0.1 * jnp.cos(q), strength=0.5)
        >>> float(particle.potential(0.0)), float(particle.bath.strength)
        (0.1, 0.5)
    """
    bath = strength if isinstance(strength, AbstractBath) else OhmicBath(strength, poles=0, depth=0)
    if bath.modes:
        raise ValueError(
            f"`strength` must be a bath without modes, but a {type(bath).__name__} has {bath.modes}; "
            "jt.quantum_oscillator takes baths with modes, and one with poles = 0 is classical there"
        )
    return _oscillator(potential, bath, coordinate, mass, hbar, grid, quantum=False)


def _oscillator(
    potential: Potential,
    bath: AbstractBath,
    coordinate: Potential | None,
    mass: ScalarLike,
    hbar: ScalarLike,
    grid: PhaseGrid | None,
    quantum: bool,
) -> Oscillator:
    if grid is not None and not isinstance(grid, PhaseGrid):
        raise ValueError(f"`grid` must be a jt.PhaseGrid or None, but is {type(grid).__name__}")
    return Oscillator(
        potential=as_potential("potential", potential),
        bath=bath,
        coordinate=Identity() if coordinate is None else as_potential("coordinate", coordinate),
        mass=require_scalar("mass", mass),
        hbar=require_scalar("hbar", hbar),
        grid=grid,
        quantum=quantum,
    )
