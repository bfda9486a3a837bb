"""The Brownian oscillator: parameters, and nothing of time stepping."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.bath import OhmicBath, SwitchedBaths
from jaxthermo.brownian.drude import DrudeBath
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.potential import Identity, Potential
from jaxthermo.checks import is_known, require_finite, require_positive, require_scalar
from jaxthermo.protocols.schedule import value_at

# Smallest cutoff, in units of A^2/m, at which an oscillator in a `DrudeBath` may be driven.
SLOWEST = 4.0

Bath = OhmicBath | DrudeBath | SwitchedBaths


class Oscillator(eqx.Module):
    """A particle H_A = p^2/2m + U(q) - x X(q) coupled to a bath; made by `quantum_oscillator`, `classical_oscillator`.

    Units      k_B = 1; hbar and mass are parameters. `quantum` False: no Moyal correction and no hierarchy, the
               thermostatic Kramers equation; its hbar only sets the measure of phase space, dq dp / (2 pi hbar)
    """

    potential: Potential
    bath: Bath
    coordinate: Potential
    mass: Float[Array, ""]
    hbar: Float[Array, ""]
    grid: PhaseGrid | None
    quantum: bool = eqx.field(static=True)


def quantum_oscillator(
    potential: Any,
    strength: Any,
    poles: Any = 2,
    depth: Any = None,
    grid: Any = None,
    mass: Any = 1.0,
    hbar: Any = 1.0,
    *,
    scheme: Any = "pade",
    coordinate: Any = None,
) -> Oscillator:
    """The quantum Brownian oscillator: the hierarchical Wigner equation (T-QFPE).

    Equation   dW_n/dt = -(L_qm + sum_k n_k nu_k) W_n + gamma d_p[p/m + T (1 + sum 2 eta_k) d_p] W_n
                         - sum_k d_p W_{n+e_k} - sum_k n_k c_k d_p W_{n-e_k},   |n| <= depth
    Shapes     potential U, coordinate X: any functions of q that jax differentiates (`Polynomial` for polynomials), X
               None: q; strength: the number A of an `OhmicBath`, or a bath of your own (`DrudeBath`,
               `SwitchedBaths`), which then brings its poles and depth; depth None, grid None: chosen for the
               temperatures and fields of each calculation, so that the truncated hierarchy and the grid leave errors
               below 1e-6 of the scale of X, <q^2>, <p^2> and U (`depth_for`, `grid_for`)
    Units      k_B = 1; A: sqrt(mass / time)
    Raises     ValueError that names the argument
    Source     Koyanagi & Tanimura 2024, Sec. III; Ikeda & Tanimura 2019

    poles = 0 is the high-temperature quantum equation. <p^2>, and with it energy, heat and entropy, grows like the
    logarithm of `poles` for a strictly Ohmic bath; <q>, <q^2> and work at
    constant temperature converge; works of a changing temperature see `OhmicBath.thermostat`.
    """
    bath = strength if isinstance(strength, DrudeBath | SwitchedBaths | OhmicBath) else None
    if bath is None:
        bath = OhmicBath(strength, poles, depth, scheme)
    return _oscillator(potential, bath, coordinate, mass, hbar, grid, quantum=True)


def classical_oscillator(
    potential: Any,
    strength: Any,
    grid: Any = None,
    mass: Any = 1.0,
    *,
    hbar: Any = 1.0,
    coordinate: Any = None,
) -> Oscillator:
    """The classical Brownian oscillator: the thermostatic Kramers equation (T-KE).

    Equation   dW/dt = -(p/m) d_q W + (U' - x X') d_p W + gamma d_p[p/m + T d_p] W,  gamma = A^2
    Shapes     as `quantum_oscillator`
    Units      k_B = 1; A: sqrt(mass / time)
    Raises     ValueError that names the argument
    Source     Koyanagi & Tanimura 2024, Sec. III
    """
    bath = OhmicBath(strength, poles=0, depth=0)
    return _oscillator(potential, bath, coordinate, mass, hbar, grid, quantum=False)


def _oscillator(
    potential: Any, bath: Bath, coordinate: Any, mass: Any, hbar: Any, grid: Any, quantum: bool
) -> Oscillator:
    coordinate = Identity() if coordinate is None else coordinate
    for name, function in (("potential", potential), ("coordinate", coordinate)):
        if not callable(function):
            raise ValueError(
                f"`{name}` must be a function of q such as jt.Polynomial([0, 0, 0.5]), but is {function!r}"
            )
    if grid is not None and not isinstance(grid, PhaseGrid):
        raise ValueError(f"`grid` must be a jt.PhaseGrid or None, but is {type(grid).__name__}")
    return Oscillator(
        potential=potential,
        bath=bath,
        coordinate=coordinate,
        mass=require_scalar("mass", mass),
        hbar=require_scalar("hbar", hbar),
        grid=grid,
        quantum=quantum,
    )


def check_oscillator(oscillator: Any) -> None:
    """Raise a ValueError that names the first parameter with an impossible value."""
    if not isinstance(oscillator, Oscillator):
        raise ValueError(f"`oscillator` must be a jaxthermo oscillator, but is {type(oscillator).__name__}")
    require_positive("mass", oscillator.mass)
    require_positive("hbar", oscillator.hbar)
    baths = oscillator.bath.baths if isinstance(oscillator.bath, SwitchedBaths) else (oscillator.bath,)
    for bath in baths:
        require_finite("strength", bath.strength)
    if isinstance(oscillator.bath, DrudeBath):
        require_positive("cutoff", oscillator.bath.cutoff)


def require_slow_cooling(oscillator: Oscillator, beta: Any, times: Any) -> None:
    """ValueError where beta(t) rises so fast between known times that an "earlier" thermostat's diffusion is < 0."""
    bath = oscillator.bath
    if not isinstance(bath, OhmicBath) or not is_known(times, oscillator.hbar):
        return
    limit = float(bath.fastest_cooling(oscillator.hbar))
    if not np.isfinite(limit):
        return
    betas = jax.vmap(lambda t: value_at(beta, t))(times)
    fastest = float(jnp.max(jnp.diff(betas) / jnp.diff(times)))
    if fastest > limit:
        raise ValueError(
            f"`thermostat` must be 'symmetric' where d beta/dt is > {limit:.3g}, but it is 'earlier' and d beta/dt "
            f"reaches {fastest:.3g}: the diffusion would be negative"
        )


def require_fast_cutoff(oscillator: Oscillator) -> None:
    """ValueError where the truncated hierarchy of a `DrudeBath` may grow at large momenta as it is driven.

    The friction that moves chi by (A^2/m) p is unbounded in p, and only the cutoff's decay of chi holds it in a
    hierarchy of finite depth. Found by propagating noise with m = hbar = 1, in a parabola and in a quartic: from w_D =
    4 A^2/m on it did not grow, on grids of 8.5 and of 11 widths; at 2 A^2/m it did in the quartic and on the wide grid.
    """
    bath = oscillator.bath
    if not isinstance(bath, DrudeBath):
        return
    limit = SLOWEST * bath.friction() / oscillator.mass
    if is_known(limit, bath.cutoff) and float(bath.cutoff) < float(limit):
        raise ValueError(
            f"`cutoff` must be >= {SLOWEST:g} A^2/m = {float(limit):.3g} for the oscillator to be driven, "
            f"but is {float(bath.cutoff):.3g}; jt.equilibrium takes any"
        )
