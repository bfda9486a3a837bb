"""What is born at beta_c1: the cubic normal form of all critical modes of the uniform state."""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from jaxthermo._results import AbstractResult, quantity
from jaxthermo._status import Status, status_if
from jaxthermo._types import ScalarLike
from jaxthermo.checks import is_known, require_finite
from jaxthermo.jumps.mean_field import vector_field
from jaxthermo.potts.patterns import KINDS, Pattern, patterns_of
from jaxthermo.potts.ring import PottsRing, require_autonomous
from jaxthermo.potts.stability import critical_beta, require_flat
from jaxthermo.solve.lean import brief_jit


class NormalForm(AbstractResult):
    """Amplitude equations of the critical modes k = 1..q//2 at beta_c1; made by `normal_form`.

    Arrays may have a leading axis, from `jax.vmap`; `kind` then has it too, while `patterns`, `pattern` and
    `occupation` are for one ring.
    """

    status: Int[Array, "*batch"]
    stats: dict[str, Array]
    network: PottsRing
    beta: Float[Array, "*batch"] = quantity("1/energy", "beta_c1", main=True)
    frequencies: Float[Array, "*batch modes"] = quantity("1/time", "frequencies omega_k", ("mode",), main=True)
    growth: Complex[Array, "*batch modes"] = quantity("energy/time", "growth sigma_k beyond beta_c1", ("mode",))
    coefficients: Complex[Array, "*batch modes modes"] = quantity(
        "1/time", "cubic coefficients c_kj", ("mode", "other_mode")
    )
    shapes: Complex[Array, "*batch q q"] = quantity("1", "second-order shapes h_kl", ("wave", "other_wave"))

    @property
    def q(self) -> int:
        """The number of states."""
        return self.network.q

    @property
    def modes(self) -> tuple[int, ...]:
        """Wave numbers k of the rows and columns: P_j ~ exp(2 pi i k j / q)."""
        return tuple(range(1, self.q // 2 + 1))

    @property
    def kind(self) -> str | np.ndarray:
        """ "supercritical" or "subcritical" for the pure pattern of every mode, in the order of `modes`."""
        own = np.diagonal(np.asarray(self.coefficients).real, axis1=-2, axis2=-1)
        return np.where(own < 0, *KINDS)

    @property
    def lyapunov(self) -> Float[Array, "*batch modes"]:
        """First Lyapunov coefficient of every mode on its own, l1 = Re c_kk / (q |omega_k|); NaN for the real mode.

        This is Kuznetsov's normalisation, <v, v> = <w, v> = 1 for the eigenvectors v and w of A and A^T; for q = 3 it
        is that of an ordinary Hopf point. Source: Kuznetsov, Elements of Applied Bifurcation Theory, Eq. (5.39)
        """
        own = jnp.diagonal(self.coefficients, axis1=-2, axis2=-1).real
        complex_pair = np.array([2 * k != self.q for k in self.modes])
        frequency = jnp.where(complex_pair, jnp.abs(self.frequencies), 1.0)
        return jnp.where(complex_pair, own / (self.q * frequency), jnp.nan)

    @property
    def patterns(self) -> list[Pattern]:
        """Every pattern of one or several modes that branches off at beta_c1, pure ones first."""
        found = (np.asarray(values) for values in (self.frequencies, self.growth, self.coefficients))
        return patterns_of(self.q, *found)

    def pattern(self, *modes: int) -> Pattern:
        """The pattern of these modes; raises ValueError if the modes form none."""
        found = [pattern for pattern in self.patterns if pattern.modes == tuple(sorted(modes))]
        if not found:
            names = ", ".join(str(pattern.modes) for pattern in self.patterns)
            raise ValueError(f"`modes` must be those of one of the patterns {names}, but are {modes}")
        return found[0]

    def occupation(self, pattern: Pattern, beta: ScalarLike) -> Float[Array, " q"]:
        """Occupations on the pattern at beta, to second order in its amplitudes, with all phases 0.

        Equation   P_j = 1/q + sum_k w_k e_kj + (1/2) sum_kl h_kl w_k w_l e_{k+l,j}, e_kj = exp(2 pi i k j/q), over all
                   k = 1..q-1 with w_{q-k} = conj(w_k); h are the `shapes`
        Raises     ValueError if beta lies on the side of beta_c1 where the pattern does not exist
        """
        distance = float(beta) - float(self.beta)
        if distance * (1 if pattern.kind == "supercritical" else -1) < 0:
            side = ">=" if pattern.kind == "supercritical" else "<="
            raise ValueError(f"`beta` must be {side} beta_c1 = {float(self.beta)} for this pattern, but is {beta}")
        first = np.zeros(self.q, complex)
        for k, amplitude in zip(pattern.modes, pattern.amplitudes, strict=True):
            first[[k, -k]] = amplitude * abs(distance) ** 0.5
        second = np.zeros(self.q, complex)
        wave = np.arange(self.q)
        pairs = 0.5 * np.asarray(self.shapes) * np.outer(first, first)
        np.add.at(second, (wave[:, None] + wave) % self.q, pairs)
        return jnp.asarray(1.0 / self.q + self.q * np.fft.ifft(first + second).real)


def normal_form(ring: PottsRing) -> NormalForm:
    """Cubic normal form of the uniform state at beta_c1, where all its modes become unstable at once.

    Equation   dw_k/dt = [i omega_k + sigma_k (beta - beta_c1)] w_k + sum_j c_kj |w_j|^2 w_k,  k, j = 1..q//2, with
               P_i = 1/q + sum_k [w_k exp(2 pi i k i/q) + conj.] + O(w^2); for even q the mode q/2 is real,
               P_i = 1/q + w (-1)^i + ..., omega = 0; shapes h are zero where a wave number or their sum is 0

    ring       a `jt.PottsRing` with flat energies, coupling < 0 and a constant force, not 0 for q > 2
    Raises     ValueError if the energies are known not to be flat, if coupling >= 0 or the uniform state never loses
               stability, if the force is a callable, or 0 with q > 2
    Source     derived here: Herpich & Esposito 2019, Sec. III, stop at the need for these coefficients

    No other terms exist, for any q and any rates. With half angles a = pi k_a/q, frequencies -(V+ - V-) sin(2a) obey
    sin 2a + sin 2b - sin 2(a+b) = 4 sin a sin b sin(a+b), which never vanishes: all quadratic terms are removed by the
    near-identity map h. sin 2a + sin 2b + sin 2c - sin 2(a+b+c) = 4 sin(a+b) sin(b+c) sin(c+a) vanishes only where
    two of the three wave numbers are opposite: all resonant cubic terms are of the form |w_j|^2 w_k.
    At f = 0 all frequencies vanish, quadratic terms stay, and there is no such form; its range shrinks with f.
    Coefficients are nested derivatives of the vector field. They are NaN, with `Status.not_finite`, where a traced ring
    breaks the conditions.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> form = jt.potts.normal_form(ring)
        >>> round(float(form.beta), 6), round(float(form.lyapunov[0]), 4)
        (3.0, -4.3055)
    """
    require_autonomous(ring, 1.0)
    require_flat(ring)
    if is_known(ring.coupling) and not np.all(np.asarray(ring.coupling) < 0):
        raise ValueError(f"`coupling` must be < 0 for a transition to exist, but is {np.asarray(ring.coupling)}")
    if ring.q > 2 and is_known(ring.force) and np.any(np.asarray(ring.force) == 0):
        raise ValueError("`force` must not be 0 for q > 2, where quadratic terms are resonant without it, but is 0")
    form = _normal_form(ring)
    require_finite("critical beta", form.beta)
    return form


@brief_jit
def _normal_form(ring: PottsRing) -> NormalForm:
    q = ring.q
    beta = critical_beta(ring)

    def rate(x: Float[Array, " q"], beta: Float[Array, ""]) -> Float[Array, ""]:
        # Rotation of the ring makes one component stand for all.
        return vector_field(0.0, 1.0 / q + x, ring, beta)[0]

    def eigenvalues(beta: Float[Array, ""]) -> Complex[Array, " q"]:
        return _in_modes(jax.jacfwd(rate)(flat, beta))

    flat = jnp.zeros(q, beta.dtype)
    linear, growth = jax.jvp(eigenvalues, (beta,), (jnp.ones_like(beta),))
    second = jax.jacfwd(jax.jacfwd(rate))
    quadratic, cubic = _in_modes(second(flat, beta)), _in_modes(jax.jacfwd(second)(flat, beta))

    k = np.arange(q)
    total = (k[:, None] + k) % q
    removable = (k[:, None] > 0) & (k > 0) & (total > 0)
    omega = linear.imag
    mismatch = omega[:, None] + omega[None] - omega[total]
    mismatch = jnp.where(removable, mismatch, 1.0)
    h = jnp.where(removable, quadratic, jnp.zeros_like(quadratic)) / jax.lax.complex(jnp.zeros_like(mismatch), mismatch)

    modes = np.arange(1, q // 2 + 1)
    m, j = modes[:, None], modes[None, :]
    effective = cubic[m, j, -j] + quadratic[j, m - j] * h[m, -j] + quadratic[-j, (m + j) % q] * h[m, j]
    # A Taylor coefficient of w_m w_j w_-j counts once for each order in which these can be written.
    orders = np.array([[len(set(permutations((a, b, q - b)))) / 6 for b in modes] for a in modes])
    coefficients = effective * orders.astype(effective.dtype)
    known = jnp.isfinite(beta) & jnp.all(jnp.isfinite(jnp.abs(coefficients)))
    return NormalForm(
        status=status_if(~known, Status.not_finite),
        stats={},
        network=ring,
        beta=beta,
        frequencies=omega[modes],
        growth=growth[modes],
        coefficients=coefficients,
        shapes=h,
    )


def _in_modes(derivative: Float[Array, "..."]) -> Complex[Array, "..."]:
    """The form in Fourier modes, sum over sites of derivative_{j l ...} exp[2 pi i (k_1 j + k_2 l + ...)/q]."""
    return jnp.fft.ifftn(derivative) * derivative.size
