"""A bath of another kind takes one class and no other edit: a damped mode, whose memory oscillates."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov
from systems import HARMONIC

import jaxthermo as jt
from jaxthermo.brownian.bath import BathTerms, MemoryTerms, expansion
from jaxthermo.brownian.hierarchy import members_of
from jaxthermo.brownian.states.state import measured_state
from jaxthermo.checks import require_positive


class UnderdampedBath(jt.AbstractBath):
    """J(w) = hbar A^2 w W^4 / pi / [(W^2 - w^2)^2 + G^2 w^2]: a mode of frequency W and damping G in an Ohmic bath.

    Equation   the force is F = c u, c^2 = A^2 W^4/G, with u the mode's distance from where the particle pulls it,
               u' = P - (c/W^2) p/m, P' = -G P - W^2 u + (noise of the mode's own Ohmic bath), so that the friction's
               memory decays with the complex rates G/2 +- i sqrt(W^2 - G^2/4)
    Members    Hermite functions of independent normal variables b, in which the bath left alone rests: (u, P - sum
               zeta_k, zeta_k) = L b with L L^T their covariance
    """

    strength: Float[Array, ""]
    frequency: Float[Array, ""]
    damping: Float[Array, ""]
    poles: int = eqx.field(static=True)
    depth: int | None = eqx.field(static=True)

    @property
    def modes(self):
        return 2 + self.poles

    @property
    def friction_has_memory(self):
        return True

    @property
    def pull(self):
        """c."""
        return self.strength * self.frequency**2 / jnp.sqrt(self.damping)

    def friction(self):
        return self.strength**2

    def drift(self, temperature, hbar):
        """The matrix M and the noise D of x' = -M x + noise, x = (u, P - sum zeta_k, zeta_k)."""
        xi, eta = expansion("pade", self.poles)
        nu = jnp.asarray(xi) * temperature / hbar
        M = jnp.diag(jnp.concatenate([jnp.zeros(1), self.damping[None], nu]))
        M = M.at[0, 1:].set(-1.0).at[1, 2:].set(self.damping).at[1, 0].set(self.frequency**2)
        white = jnp.stack([jnp.zeros(()), 2.0 * self.damping * temperature])
        return M, jnp.diag(jnp.concatenate([white, 4.0 * nu * self.damping * hbar * jnp.asarray(eta / xi)]))

    def shape(self, temperature, hbar):
        """L."""
        M, D = self.drift(temperature, hbar)
        one = jnp.eye(self.modes)
        pairs = jnp.kron(M, one) + jnp.kron(one, M)
        return jnp.linalg.cholesky(jnp.linalg.solve(pairs, D.reshape(-1)).reshape(D.shape))

    def terms(self, t, temperature, hbar, heating=0.0):
        temperature = jnp.asarray(temperature, dtype=float)
        L, dL = jax.jvp(lambda T: self.shape(T, hbar), (temperature,), (temperature,))
        M, _ = self.drift(temperature, hbar)
        inverse = jnp.linalg.inv(L)
        rates, force, none = inverse @ M @ L, self.pull * L[0], jnp.zeros(self.modes)
        decay = jnp.diag(rates)
        return BathTerms(
            decay=decay,
            jitter=none,
            push=-force,
            friction=jnp.zeros(()),
            diffusion=jnp.zeros(()),
            spring=jnp.zeros(()),
            heating=jnp.zeros(()),
            memory=MemoryTerms(
                force=force,
                drag=-(self.pull / self.frequency**2) * inverse[:, 0],
                cross=none,
                feed=rates - jnp.diag(decay),
                stretch=heating * inverse @ dL,
            ),
        )

    def noises(self, beta, hbar):
        force = self.terms(0.0, 1.0 / beta, hbar).memory.force
        return force / self.frequency, jnp.full(self.modes, self.frequency)

    def variances(self, mass, hbar, squared_frequency, beta):
        return 1.0, 1.0

    def with_depth(self, depth):
        return dataclasses.replace(self, depth=depth)

    def flows(self):
        return None

    def own_betas(self):
        return jnp.zeros(0)

    def check(self):
        require_positive("damping", self.damping)

    def check_drive(self, mass, hbar, times, betas):
        return None


BATH = UnderdampedBath(*(jnp.asarray(number, dtype=float) for number in (1.0, 2.0, 2.0)), 1, 2)
GRID = jt.PhaseGrid(6.0, 0.5, 7.0, 0.58)


@pytest.fixture(scope="module")
def start():
    """Harmonic, m = w = 1, so that second moments close at depth 2; a Gaussian in q and p beside a bath at rest."""
    oscillator = jt.quantum_oscillator(HARMONIC, BATH, grid=GRID)
    members = len(members_of(oscillator))
    density = jnp.exp(-0.5 * ((GRID.q[None] - 0.3) ** 2 + GRID.p[:, None] ** 2)) / (2.0 * np.pi)
    V = jnp.zeros((GRID.p_points, members, GRID.q_points)).at[:, 0].set(density)
    beta, x, nothing = (jnp.asarray(number) for number in (1.0, 0.3, jnp.nan))
    return measured_state(oscillator, V, beta, x, nothing, nothing)


def linear(temperature):
    """The matrix M and the noise D of x' = -M x + noise with x = (q, p, u, P - sum zeta_k, zeta_k), by numpy."""
    inner, noise = (np.asarray(matrix) for matrix in BATH.drift(temperature, 1.0))
    M, D = (np.zeros((2 + len(inner), 2 + len(inner))) for _ in range(2))
    M[2:, 2:], D[2:, 2:] = inner, noise
    c, w = float(BATH.pull), float(BATH.frequency)
    M[0, 1], M[1, 0], M[1, 2], M[2, 1] = -1.0, 1.0, -c, c / w**2
    return M, D


def test_it_is_driven_in_temperature_and_field(start):
    """Against the closed moments, and heat counted twice."""

    def beta(t):
        return 1.0 + 0.2 * t

    def field(t):
        return 0.3 + 0.2 * t

    run = jt.drive(start.oscillator, beta, field, [0.0, 1.0, 2.0], start, tol=1e-8)
    M, D = linear(1.0)
    # The spectrum has its pair of complex rates.
    assert np.any(np.abs(np.linalg.eigvals(M[2:, 2:]).imag) > 1.0)
    spread = np.zeros_like(M)
    spread[:2, :2], spread[2:, 2:] = np.eye(2), solve_continuous_lyapunov(M[2:, 2:], D[2:, 2:])
    mean = np.zeros(len(M))
    mean[0] = 0.3

    def rates(t, y):
        mean, spread = y[: len(M)], y[len(M) :].reshape(M.shape)
        M_now, D_now = linear(1.0 / beta(t))
        push = np.zeros(len(M))
        push[1] = field(t)
        return np.concatenate([push - M_now @ mean, (D_now - M_now @ spread - spread @ M_now.T).ravel()])

    end = solve_ivp(rates, (0.0, 2.0), np.concatenate([mean, spread.ravel()]), rtol=1e-9, atol=1e-11).y[:, -1]
    mean, spread = end[: len(M)], end[len(M) :].reshape(M.shape)
    np.testing.assert_allclose(run.X[-1], mean[0], atol=1e-6)
    np.testing.assert_allclose(run.q2[-1], spread[0, 0] + mean[0] ** 2, rtol=1e-6)
    np.testing.assert_allclose(run.p2[-1], spread[1, 1] + mean[1] ** 2, rtol=1e-6)
    # It has got warm from the bath, and both ways to count that agree.
    assert abs(run.heat[-1]) > 0.01 and run.first_law_residual < 1e-6


@pytest.mark.parametrize("verb", ["equilibrium", "drive"])
def test_an_equilibrium_at_a_depth_left_open_is_refused_at_once(verb):
    """It took minutes without a word: each step of the search is thousands of explicit ones."""
    oscillator = jt.quantum_oscillator(HARMONIC, BATH.with_depth(None), grid=GRID)
    with pytest.raises(ValueError, match="`depth` of a bath without `flows` must be given"):
        if verb == "equilibrium":
            jt.equilibrium(oscillator, 1.0, 0.3)
        else:
            jt.drive(oscillator, 1.0, 0.3, [0.0, 1.0])
