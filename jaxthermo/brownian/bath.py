"""Heat baths as the hierarchy sees them: white noise, friction, and modes that are linear in the noise."""

import itertools
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._parameters import Parameters
from jaxthermo._types import Real
from jaxthermo.checks import require_integer

if TYPE_CHECKING:
    from jaxthermo.brownian.steps.flows import AbstractFlows
    from jaxthermo.brownian.steps.ledger import Ledger

MAX_POLES = 6
Numbers = Array | np.ndarray
SCHEMES = ("pade", "matsubara")


class BathTerms(eqx.Module):
    """What a bath does to the members V_n of the hierarchy at one time; jaxthermo/brownian/hierarchy.py applies it.

    The hierarchy does not carry the particle's momentum P but p = P - zeta, with zeta = sum_k jitter_k z_k and z_k the
    variables of the bath, each of variance 1 when left alone. Choose jitter so that p' = -U' - friction P/m + white
    noise, in this order of work:

    - diffusion is half the strength of that noise, <noise(t) noise(s)> = 2 diffusion delta(t - s);
      `MemoryTerms.cross` is its correlation with the noises of the modes;
    - push is what is left of the force on p, best 0. A bath written with push alone (jitter 0, its force on P as it is)
      is right too; but no diffusion damps its fine waves, and `jt.equilibrium` does not converge;
    - where variables b of the bath are scaled by a matrix that changes with T, z = L(T)^-1 b, `MemoryTerms.stretch` is
      heating L^-1 T dL/dT; the field `heating` is for noises whose width alone changes.

    Equation   zeta = sum_k jitter_k (a_k + a_k^+), with (a_k V)_n = sqrt(n_k + 1) V_{n+e_k}, (a_k^+ V)_n = sqrt(n_k)
               V_{n-e_k}

               dV/dt = ... - sum_k decay_k n_k V + d_p [friction (p + zeta)/m + push] V + diffusion d_p^2 V + spring q
               d_p V - heating sum_k (a_k^+ + jitter_k d_p) (a_k - jitter_k d_p) V

               + sum_k a_k^+ [drag_k (p + zeta)/m + cross_k d_p - sum_l feed_kl a_l - sum_l stretch_kl (a_l + a_l^+)] V

               with push = sum_k push_k (a_k + a_k^+); sum_k force_k (a_k + a_k^+) is the force of a bath with memory
    """

    decay: Float[Array, " modes"]
    jitter: Float[Array, " modes"]
    push: Float[Array, " modes"]
    friction: Float[Array, ""]
    diffusion: Float[Array, ""]
    spring: Float[Array, ""]
    heating: Float[Array, ""]
    memory: "MemoryTerms | None" = None


class MemoryTerms(eqx.Module):
    """The terms of `BathTerms` that only a bath has whose friction has memory.

    In words of motion, with z_k = a_k + a_k^+ the variables of the bath, and P = p + zeta:

    Equation   dz_k/dt = -decay_k z_k - sum_l feed_kl z_l + drag_k (p + zeta)/m + noise

               noises of z_k and z_l: 2 decay_k delta_kl + feed_kl + feed_lk; of p and z_k: -cross_k

               force of the bath = sum_k force_k z_k; stretch adds no noise
    """

    force: Float[Array, " modes"]
    drag: Float[Array, " modes"]
    cross: Float[Array, " modes"]
    feed: Float[Array, "modes modes"]
    stretch: Float[Array, "modes modes"]


class AbstractBath(Parameters):
    """A bath of the oscillator. Another bath is another subclass: parameters as arrays, and these methods.

    `depth` is the largest level of the hierarchy that is kept, None where it is left open.
    """

    depth: eqx.AbstractVar[int | None]

    @property
    @abstractmethod
    def modes(self) -> int:
        """How many variables of the bath the hierarchy carries."""

    @property
    @abstractmethod
    def friction_has_memory(self) -> bool:
        """Whether the force of the bath is a finite sum over its modes, as `MemoryTerms` has it; else it is white."""

    @abstractmethod
    def friction(self) -> Float[Array, ""]:
        """Friction coefficient of slow motion, mass / time."""

    @abstractmethod
    def terms(self, t: Real, temperature: Real, hbar: Real, heating: Real = 0.0) -> BathTerms:
        """What the bath does to the members at one time.

        t             the time, for a bath whose coupling changes with it
        temperature   T = 1/beta, energy
        hbar          Planck's constant of the oscillator, action
        heating       d ln T/dt, 1/time
        """

    @abstractmethod
    def noises(self, beta: Real, hbar: Real) -> tuple[Float[Array, " noises"], Float[Array, " noises"]]:
        """Width in the momentum (|jitter|, where noises are the modes) and decay rate of each noise, (noises,) each.

        From these the depth is chosen.

        beta   inverse temperature, 1/energy
        hbar   Planck's constant of the oscillator, action
        """

    @abstractmethod
    def variances(self, mass: float, hbar: float, squared_frequency: float, beta: float) -> tuple[float, float]:
        """<q^2> m w^2/T and <p^2>/(m T), p as in `BathTerms`, of a harmonic oscillator in the bath.

        Both are 1 without coupling. From these the phase grid is chosen: by how much the bath narrows q and widens the
        momentum that is carried.

        mass                of the oscillator
        hbar                Planck's constant, action
        squared_frequency   w^2 of a harmonic potential as narrow as the oscillator's, 1/time^2
        beta                inverse temperature, 1/energy
        """

    def missing_noise(self, mass: float, hbar: float, squared_frequency: float, beta: float) -> float:
        """By which share <p^2> of a harmonic oscillator would change with twice as many poles; 0 where not known.

        mass                of the oscillator
        hbar                Planck's constant, action
        squared_frequency   w^2 of the harmonic oscillator, 1/time^2
        beta                inverse temperature, 1/energy
        """
        return 0.0

    @abstractmethod
    def with_depth(self, depth: int) -> "AbstractBath":
        """The same bath with another depth of the hierarchy."""

    @abstractmethod
    def flows(self) -> "AbstractFlows | None":
        """Exact flows for `SplitStep`; None: explicit solvers only."""

    @abstractmethod
    def own_betas(self) -> Float[Numbers, " betas"]:
        """Inverse temperatures that the bath keeps whatever the schedule says; of no length where it follows it."""

    def ledger(self, hbar: Real) -> "Ledger | None":
        """How heat and the work of switching are counted bath by bath, where there are several; else None.

        hbar    of the oscillator
        """
        return None

    def at(self, t: Real) -> "AbstractBath":
        """The bath as it is at one time, for a state that rests there: itself, but where its coupling changes.

        t    the time
        """
        return self

    @abstractmethod
    def check(self) -> None:
        """Raise a ValueError that names the first impossible parameter; values that jax traces pass."""

    @abstractmethod
    def check_drive(self, mass: Real, hbar: Real, times: Real, betas: Real) -> None:
        """Raise a ValueError where the bath cannot follow a schedule of temperature, if that is known.

        mass, hbar    of the oscillator
        times         (times,), increasing
        betas         inverse temperatures at these times, (times,), 1/energy
        """


def require_ohmic(oscillator: Any) -> None:
    """ValueError unless the bath of an oscillator follows the temperature and its friction has no memory."""
    bath = oscillator.bath
    if bath.friction_has_memory or len(bath.own_betas()):
        raise ValueError(f"`oscillator` must have an OhmicBath, but has a {type(bath).__name__}")


def require_one_temperature(oscillator: Any) -> None:
    """ValueError where baths keep temperatures of their own: what is asked for is a matter of one."""
    bath = oscillator.bath
    if len(bath.own_betas()):
        raise ValueError(f"`oscillator` must have one bath that follows beta, but has {type(bath).__name__}")


def require_white(oscillator: Any) -> None:
    """ValueError where the friction of the bath has memory."""
    bath = oscillator.bath
    if bath.friction_has_memory:
        raise ValueError(f"`oscillator` must have an OhmicBath or SwitchedBaths, but has a {type(bath).__name__}")


def expansion(scheme: str, poles: int) -> tuple[np.ndarray, np.ndarray]:
    """Poles xi_k and weights eta_k of coth(x/2) = (2/x) [1 + sum_k 2 eta_k x^2 / (x^2 + xi_k^2)].

    Pade [K-1/K]: xi_k = 2 / (positive eigenvalues of the symmetric tridiagonal matrix with off-diagonal
    1/sqrt((2i+1)(2i+3)), i = 1..2K-1), and eta_k the residues (Hu et al. 2011). Matsubara: xi_k = 2 pi k, eta_k = 1.
    """
    if scheme == "matsubara":
        return 2.0 * np.pi * np.arange(1, poles + 1), np.ones(poles)
    xi, zeta = _inverse_eigenvalues(2 * poles), _inverse_eigenvalues(2 * poles, skip=1)
    eta = np.array(
        [
            (poles**2 + 1.5 * poles) * np.prod(zeta**2 - xi[k] ** 2) / np.prod(np.delete(xi, k) ** 2 - xi[k] ** 2)
            for k in range(poles)
        ]
    )
    return xi, eta


def _inverse_eigenvalues(size: int, skip: int = 0) -> np.ndarray:
    """Ascending 2/lambda over the positive eigenvalues of Hu's matrix, or of the one without its first row."""
    i = np.arange(1 + skip, size)
    off = 1.0 / np.sqrt((2 * i + 1) * (2 * i + 3))
    eigenvalues = np.linalg.eigvalsh(np.diag(off, 1) + np.diag(off, -1)) if size > skip else np.zeros(0)
    return np.sort(2.0 / eigenvalues[eigenvalues > 1e-12])


def multi_indices(modes: int, depth: int) -> np.ndarray:
    """All n with |n| <= depth, by level: (members, modes), the first is 0."""
    if modes == 0:
        return np.zeros((1, 0), dtype=int)
    everything = itertools.product(range(depth + 1), repeat=modes)
    return np.array(sorted((n for n in everything if sum(n) <= depth), key=lambda n: (sum(n), n)))


def order_of(name: str, value: Any) -> int:
    count = require_integer(name, value, 0)
    if name == "poles" and count > MAX_POLES:
        raise ValueError(f"`poles` must be <= {MAX_POLES}, but is {count}")
    return count


def depth_of(value: Any) -> int | None:
    """A depth, or None where it is left open."""
    return None if value is None else order_of("depth", value)


def one_of(name: str, value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"`{name}` must be one of {', '.join(known)}, but is {value!r}")
    return str(value)
