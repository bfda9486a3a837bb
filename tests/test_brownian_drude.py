"""The Ohmic bath behind a Drude cutoff: exact moments, both solvers, limits, derivatives."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov

import jaxthermo as jt

HARMONIC = jt.Polynomial([0.0, 0.0, 0.5])
QUARTIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
GRID = jt.PhaseGrid(8.0, 0.45, 9.5, 0.42)
CUTOFF = 10.0
TIMES = np.linspace(0.0, 3.0, 4)


def oscillator(poles, depth=2, cutoff=CUTOFF, potential=HARMONIC, grid=GRID):
    return jt.quantum_oscillator(potential, jt.DrudeBath(1.0, cutoff, poles, depth), grid=grid)


def moments(poles, cutoff=CUTOFF):
    """<q^2>, <p^2> with coth in its poles, at unit parameters: z = nu w_D/(nu + w_D)."""
    xi, eta = exact.pade(poles)
    z = xi * cutoff / (xi + cutoff)
    size = 1.0 + xi**2 + z
    return 1.0 + np.sum(2 * eta / size), 1.0 + np.sum(2 * eta * (1.0 + z) / size)


class Gaussian:
    """Means and covariances of (q, p, f, zeta_1..K): the linear Langevin equations behind the bath, F = f + w_D zeta."""

    def __init__(self, poles, cutoff=CUTOFF):
        self.xi, eta = exact.pade(poles)
        self.jitter2, self.cutoff = 2.0 * eta / self.xi, cutoff

    def drift(self, T):
        size, w = 3 + len(self.xi), self.cutoff
        matrix = np.zeros((size, size))
        matrix[0, 1], matrix[1, 0], matrix[1, 2], matrix[1, 3:] = 1.0, -1.0, 1.0, w
        matrix[2, 1], matrix[2, 2], matrix[2, 3:] = -w, -w, -(w**2)
        matrix[3:, 3:] = -np.diag(self.xi * T)
        noise = np.diag([0.0, 0.0, 2.0 * w**2 * T, *(2.0 * self.xi * T * self.jitter2)])
        return matrix, noise

    def stationary(self, T, x):
        matrix, noise = self.drift(T)
        return np.array([x, *np.zeros(len(matrix) - 1)]), solve_continuous_lyapunov(matrix, -noise)

    def course(self, beta, x, ts):
        """<q>, <q^2>, <p^2> at ts from rest at the first beta and x, and the heat int <p F> dt."""
        mean, spread = self.stationary(1.0 / beta(ts[0]), x(ts[0]))
        size = len(mean)

        def slope(t, y):
            mean, spread = y[:size], y[size:-1].reshape(size, size)
            matrix, noise = self.drift(1.0 / beta(t))
            force = matrix[1].copy()
            force[0] = 0.0
            heat = force @ (spread[:, 1] + mean * mean[1])
            pull = np.zeros(size)
            pull[1] = x(t)
            return np.concatenate(
                [matrix @ mean + pull, (matrix @ spread + spread @ matrix.T + noise).ravel(), [heat]]
            )

        start = np.concatenate([mean, spread.ravel(), [0.0]])
        y = solve_ivp(slope, (ts[0], ts[-1]), start, "DOP853", ts, rtol=1e-11, atol=1e-12).y.T
        spread = y[:, size:-1].reshape(-1, size, size)
        return {
            "q": y[:, 0],
            "q2": spread[:, 0, 0] + y[:, 0] ** 2,
            "p2": spread[:, 1, 1] + y[:, 1] ** 2,
            "qp": spread[:, 0, 1] + y[:, 0] * y[:, 1],
            "bath_heat": y[:, -1],
        }


@pytest.mark.parametrize("poles", range(4))
def test_stationary_moments(poles):
    """Depth 2 closes second moments. 5e-6: the taper of the drag leaves 7e-8 of the peak at the rim, at depth 2."""
    state = jt.equilibrium(oscillator(poles), 1.0, 0.0)
    np.testing.assert_allclose([state.norm, state.q2, state.p2], [1.0, *moments(poles)], rtol=5e-6)
    assert state.status == "ok"
    # The Langevin equations of the bath are those of its spectrum.
    _, spread = Gaussian(poles).stationary(1.0, 0.0)
    np.testing.assert_allclose([spread[0, 0], spread[1, 1]], moments(poles), rtol=1e-11)


def test_momentum_converges_with_the_poles():
    """Where it diverges like log K without a cutoff, the distance to the full sum falls from pole to pole."""
    full = exact.drude_harmonic(1.0, w0=1.0, gamma=1.0, cutoff=CUTOFF)
    distances = np.array([full["p2"] - moments(poles)[1] for poles in range(7)])
    assert np.all(np.diff(np.abs(distances)) < 0.0)
    assert abs(distances[6]) < 2e-2 * distances[0]


def beta_of(t):
    return 1.0 + 0.15 * jnp.sin(1.3 * t)


def x_of(t):
    return 0.4 * jnp.sin(0.9 * t)


@pytest.fixture(scope="module")
def driven():
    model = oscillator(1)
    state = jt.equilibrium(model, 1.0, 0.0)
    return model, state, jt.drive(model, beta_of, x_of, TIMES, state, tolerance=1e-7)


@pytest.fixture(scope="module")
def expected():
    return Gaussian(1).course(
        lambda t: 1.0 + 0.15 * np.sin(1.3 * t), lambda t: 0.4 * np.sin(0.9 * t), TIMES
    )


def test_driven_moments_and_heat(driven, expected):
    run = driven[2]
    assert run.status == "ok"
    for key, values in expected.items():
        np.testing.assert_allclose(run[key], values, atol=2e-6, err_msg=key)
    np.testing.assert_allclose(run.norm, 1.0, atol=1e-8)
    assert run.first_law_residual < 1e-5


def test_explicit_solver_gives_the_same_course(driven, expected):
    model, state, _ = driven
    run = jt.drive(model, beta_of, x_of, TIMES, state, diffrax.Tsit5(), tolerance=1e-7)
    for key, values in expected.items():
        np.testing.assert_allclose(run[key], values, atol=2e-6, err_msg=key)


def test_state_is_the_same_at_another_temperature(driven):
    """A quench changes the Hermite functions that the state is written in, and nothing else."""
    model, state, _ = driven
    run = jt.drive(model, 1.2, 0.0, [0.0, 1e-3], state, tolerance=1e-7)
    np.testing.assert_allclose([run.q2[0], run.p2[0]], [state.q2, state.p2], rtol=1e-12)
    gaussian = Gaussian(1)
    matrix, _ = gaussian.drift(1.0)
    _, spread = gaussian.stationary(1.0, 0.0)
    # d<p^2>/dt = 2 <p F> - 2 <q p> does not depend on the new temperature at first, and vanishes.
    np.testing.assert_allclose(run.p2[1], state.p2, atol=1e-6)
    assert abs(matrix[1] @ spread[:, 1]) < 1e-12


def test_a_pole_at_the_cutoff_is_like_any_other():
    """Two exponentials of the correlation function coincide there."""
    nu = float(exact.pade(1)[0][0])
    at, beside = (jt.equilibrium(oscillator(1, cutoff=nu + shift), 1.0, 0.0) for shift in (0.0, 1e-6))
    np.testing.assert_allclose([at.q2, at.p2], moments(1, nu), rtol=5e-6)
    np.testing.assert_allclose([at.q2, at.p2], [beside.q2, beside.p2], atol=1e-6)


def test_a_high_cutoff_is_ohmic():
    """The coefficients of the closed moments: <q^2> comes within O(1/w_D) of the Ohmic bath's."""
    ohmic = jt.equilibrium(jt.quantum_oscillator(HARMONIC, 1.0, 1, 1, GRID), 1.0, 0.0)
    gaps = [float(jt.equilibrium(oscillator(1, cutoff=w), 1.0, 0.0).q2 - ohmic.q2) for w in (20.0, 40.0)]
    np.testing.assert_allclose(gaps[0] / gaps[1], 2.0, rtol=0.25)


def test_derivatives_in_the_cutoff():
    """Both modes against central differences and against the exact slope of <p^2>."""
    model = oscillator(1)

    @jax.jit
    def p2(cutoff):
        return jt.equilibrium(eqx.tree_at(lambda o: o.bath.cutoff, model, cutoff), 1.0, 0.0).p2

    at, h = jnp.asarray(CUTOFF), 1e-3
    central = (p2(at + h) - p2(at - h)) / (2 * h)
    slope = (moments(1, CUTOFF + h)[1] - moments(1, CUTOFF - h)[1]) / (2 * h)
    np.testing.assert_allclose(central, slope, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(p2))(at), central, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(jax.grad(p2))(at), central, rtol=1e-5)


def test_anharmonic_equilibrium_rests():
    """Driven at constant beta and x for a long time it stays where it is, and the norm does."""
    grid = jt.PhaseGrid(6.0, 0.4, 9.5, 0.45)
    model = oscillator(1, depth=3, potential=QUARTIC, grid=grid)
    state = jt.equilibrium(model, 1.0, 0.5)
    assert state.status == "ok"
    run = jt.drive(model, 1.0, 0.5, [0.0, 25.0, 50.0], state, dt=0.1)
    assert run.status == "ok"
    np.testing.assert_allclose(run.norm, 1.0, atol=1e-8)
    # Fixed steps of order 4 rest in a state of their own.
    np.testing.assert_allclose(run.q2, state.q2, rtol=1e-4)
    np.testing.assert_allclose(run.q2[2], run.q2[1], rtol=1e-8)


def test_stirling_cycle():
    """Stationary, with the first law along it, and work near that of the Ohmic bath with the same memory."""
    grid = jt.PhaseGrid(6.0, 0.5, 9.0, 0.5)
    cycle = jt.StirlingCycle(beta_hot=0.9, beta_cold=1.1, x_start=0.2, x_end=0.4)
    run = jt.run_cycle(oscillator(1, 2, 20.0, QUARTIC, grid), cycle, tol=1e-6, points=4, steps=8)
    assert run.status == "ok" and run.residual < 1e-6
    np.testing.assert_allclose(run.norm, 1.0, atol=1e-8)
    ohmic = jt.OhmicBath(1.0, 1, 2, thermostat="symmetric")
    limit = jt.run_cycle(jt.quantum_oscillator(QUARTIC, ohmic, grid=grid), cycle, tol=1e-6, points=4, steps=8)
    np.testing.assert_allclose(run.work, limit.work, rtol=0.2)
    assert run.first_law_residual < 1e-3


def test_small_hbar_is_classical():
    """K = 0 without quantum corrections: the classical state, whatever the cutoff."""
    grid = jt.PhaseGrid(6.0, 0.4, 8.5, 0.45)
    model = eqx.tree_at(lambda o: o.hbar, oscillator(0, 2, 10.0, QUARTIC, grid), jnp.asarray(0.05))
    state = jt.equilibrium(model, 1.0, 0.5)
    classical = exact.classical_equilibrium(np.polynomial.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), 1.0, 0.5)
    np.testing.assert_allclose([state.X, state.q2, state.p2], [classical[k] for k in ("X", "q2", "p2")], atol=1e-3)


def test_a_cutoff_too_slow_to_be_driven_is_refused():
    with pytest.raises(ValueError, match=r"`cutoff` must be at least about 1[0-9] for this strength and mass"):
        jt.drive(oscillator(0, cutoff=2.0), 1.0, 0.0, TIMES)
