"""Heat baths as sums of decaying exponentials: white noise, friction, and the modes of the hierarchy."""

import itertools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.checks import as_float, require_integer, require_positive, require_scalar
from jaxthermo.protocols.schedule import rate_at

MAX_POLES = 6
SCHEMES = ("pade", "matsubara")
THERMOSTATS = ("published", "symmetric")


class BathTerms(eqx.Module):
    """What a bath does to the members V_n of the hierarchy at one time; see `hierarchy`.

    Equation   zeta = sum_k jitter_k (a_k + a_k^+), with (a_k V)_n = sqrt(n_k + 1) V_{n+e_k}, (a_k^+ V)_n = sqrt(n_k)
               V_{n-e_k} dV/dt = ... - sum_k decay_k n_k V + d_p [friction (p + zeta)/m + push] V + diffusion d_p^2 V
               + spring q d_p V
                       - heating sum_k (a_k^+ + jitter_k d_p) (a_k - jitter_k d_p) V
                       + a_0^+ [drag (p + zeta)/m + cross d_p - sum_k feed_k a_k - sum_k stretch_k (a_k + a_k^+)] V
               with push = sum_k push_k (a_k + a_k^+); sum_k force_k (a_k + a_k^+) is the force of a bath with memory
    """

    decay: Float[Array, " modes"]
    jitter: Float[Array, " modes"]
    push: Float[Array, " modes"]
    force: Float[Array, " modes"]
    feed: Float[Array, " modes"]
    stretch: Float[Array, " modes"]
    drag: Float[Array, ""]
    cross: Float[Array, ""]
    friction: Float[Array, ""]
    diffusion: Float[Array, ""]
    spring: Float[Array, ""]
    heating: Float[Array, ""]


class OhmicBath(eqx.Module):
    """Ohmic bath with counter-term, J(w) = hbar A^2 w / pi.

    Equation   C(t) = 2 A^2 T {(1 + sum 2 eta_k) delta(t) - sum eta_k nu_k exp(-nu_k |t|)},  nu_k = xi_k T / hbar
    Shapes     strength A: scalar; poles K = 0..6, depth N, scheme and thermostat are fixed at construction; depth None:
               chosen for the temperatures and fields of each calculation, see `depth_for`; 0 without poles
    Units      A: sqrt(mass / time)
    Raises     ValueError if poles or depth are out of range, or depth = 0 with poles > 0, or scheme or thermostat is
               unknown
    Source     Koyanagi & Tanimura 2024, Eqs. (33)-(35); Pade [K-1/K]: Hu, Luo, Jiang, Xu & Yan 2011

    `thermostat` says what a changing temperature does to the noise's memory. "published": T(t) enters nu_k, c_k and the
    diffusion of the published hierarchy, so that C_k(t, t') is proportional to T(t')^2 of the earlier time.
    "symmetric": it is proportional to T(t) T(t'), and zeta_k keeps its variance. They differ by an extra momentum
    diffusion (d ln T/dt) sum_k 2 A^2 hbar eta_k / xi_k, which grows like log K; at constant temperature they are the
    same.
    """

    strength: Float[Array, ""]
    poles: int = eqx.field(static=True)
    depth: int | None = eqx.field(static=True)
    scheme: str = eqx.field(static=True)
    thermostat: str = eqx.field(static=True)

    def __init__(
        self, strength: Any, poles: Any = 2, depth: Any = None, scheme: Any = "pade", thermostat: Any = "published"
    ):
        self.strength = require_scalar("strength", strength)
        self.poles = order_of("poles", poles)
        depth = depth_of(depth)
        self.depth = depth if self.poles else 0
        self.scheme = one_of("scheme", scheme, SCHEMES)
        self.thermostat = one_of("thermostat", thermostat, THERMOSTATS)
        if self.depth == 0 and self.poles > 0:
            raise ValueError(f"`depth` must be >= 1 for a bath with {self.poles} exponentials, but is 0")

    @property
    def modes(self) -> int:
        """Number of exponentials that the hierarchy carries."""
        return self.poles

    def friction(self) -> Float[Array, ""]:
        """Friction coefficient gamma = A^2, mass / time."""
        return self.strength**2

    def felt(self, heating: Any) -> Float[Array, ""]:
        """The rate of change of temperature that the memory of the noise feels."""
        return as_float(heating) if self.thermostat == "published" else jnp.zeros(())

    def jitter_scale(self, hbar: Any) -> Float[Array, ""]:
        """A sqrt(hbar), by which `jitter_shape` is multiplied."""
        return self.strength * jnp.sqrt(hbar)

    def jitter_shape(self) -> np.ndarray:
        """sqrt(2 eta_k / xi_k): the width of zeta_k for A = hbar = 1. It does not depend on the temperature."""
        xi, eta = expansion(self.scheme, self.poles)
        return np.sqrt(2.0 * eta / xi)

    def terms(self, t: Any, temperature: Any, hbar: Any, heating: Any = 0.0) -> BathTerms:
        """Coefficients at one temperature and its logarithmic rate of change, heating = d ln T/dt.

        Exponential noise with the delta function that belongs to it, 2 eta_k delta(t) - eta_k nu_k exp(-nu_k |t|), is
        the derivative of an Ornstein-Uhlenbeck process zeta_k of variance 2 A^2 hbar eta_k / xi_k. It is carried as a
        part of the momentum, so that only the classical white noise is left: no stiff diffusion to be cancelled.
        """
        xi, _ = expansion(self.scheme, self.poles)
        none = jnp.zeros(self.poles)
        return BathTerms(
            decay=jnp.asarray(xi) * temperature / hbar,
            jitter=self.jitter_scale(hbar) * jnp.asarray(self.jitter_shape()),
            push=none,
            force=none,
            feed=none,
            stretch=none,
            drag=jnp.zeros(()),
            cross=jnp.zeros(()),
            friction=self.friction(),
            diffusion=self.friction() * temperature,
            spring=jnp.zeros(()),
            heating=self.felt(heating),
        )


class SwitchedBaths(eqx.Module):
    """Several Ohmic baths at fixed temperatures, coupled to A_b xi_b(t) q by window functions xi_b(t).

    Equation   sum over baths of the terms of `OhmicBath` at beta_b, each with indices of its own; the bath's jitter
               carries xi_b(t) and changes with it, its friction and diffusion xi_b^2; its counter-term moves with the
               window and leaves the force -A_b^2 xi_b xi_b' q
    Shapes     baths: a tuple of `OhmicBath` with one common depth; betas: (baths,); windows: a tuple of callables of t
    Units      betas: 1 / energy
    Raises     ValueError if the numbers of baths, betas and windows differ, or the depths do
    Source     Koyanagi & Tanimura 2024, Eqs. (31)-(34)

    The bath temperatures are its own: beta(t) of a drive then only enters the dimensionless work and heat.
    """

    baths: tuple[OhmicBath, ...]
    betas: Float[Array, " baths"]
    windows: tuple[Callable[[Any], Any], ...]

    def __init__(self, baths: Any, betas: Any, windows: Any):
        self.baths, self.windows = tuple(baths), tuple(windows)
        self.betas = as_float(betas)
        require_positive("betas", self.betas)
        count = len(self.baths)
        if count == 0 or self.betas.shape != (count,) or len(self.windows) != count:
            raise ValueError(
                f"`baths`, `betas` and `windows` must have one common length > 0, but have {count}, "
                f"{self.betas.shape} and {len(self.windows)}"
            )
        depths = sorted({bath.depth for bath in self.baths if bath.poles}, key=str)
        if len(depths) > 1:
            raise ValueError(f"`baths` must share one depth, but have depths {depths}")

    @property
    def modes(self) -> int:
        """Number of exponentials that the hierarchy carries."""
        return sum(bath.poles for bath in self.baths)

    @property
    def depth(self) -> int | None:
        """The common depth of the baths with poles, None where it is left open."""
        return next((bath.depth for bath in self.baths if bath.poles), 0)

    @property
    def poles(self) -> int:
        """The largest number of poles of a bath."""
        return max(bath.poles for bath in self.baths)

    @property
    def scheme(self) -> str:
        """The expansion of the first bath."""
        return self.baths[0].scheme

    def friction(self) -> Float[Array, ""]:
        """Sum of the friction coefficients with every window open, mass / time."""
        return sum((bath.friction() for bath in self.baths), start=jnp.zeros(()))

    def terms(self, t: Any, temperature: Any, hbar: Any, heating: Any = 0.0) -> BathTerms:
        """Coefficients at time t; the temperature given is ignored."""
        parts = []
        for bath, beta, window in zip(self.baths, self.betas, self.windows, strict=True):
            opening, rate = rate_at(window, t)
            own = bath.terms(t, 1.0 / beta, hbar)
            parts.append(
                BathTerms(
                    decay=own.decay,
                    jitter=own.jitter * opening,
                    # p - xi zeta changes by -xi' zeta.
                    push=own.jitter * rate,
                    force=own.force,
                    feed=own.feed,
                    stretch=own.stretch,
                    drag=own.drag,
                    cross=own.cross,
                    friction=own.friction * opening**2,
                    diffusion=own.diffusion * opening**2,
                    spring=own.friction * opening * rate,
                    heating=own.heating,
                )
            )
        joined = {name: jnp.concatenate([getattr(p, name) for p in parts]) for name in _PER_MODE}
        summed = {name: jnp.sum(jnp.stack([getattr(p, name) for p in parts])) for name in _IN_TOTAL}
        return BathTerms(**joined, **summed)


_PER_MODE = ("decay", "jitter", "push", "force", "feed", "stretch")
_IN_TOTAL = ("drag", "cross", "friction", "diffusion", "spring", "heating")


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
