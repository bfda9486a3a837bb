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
from jaxthermo.brownian.observables import observe
from jaxthermo.brownian.steps.split import change_temperature

# As many coefficients as QUARTIC, and one grid for all, so that they share what is compiled.
HARMONIC = jt.Polynomial([0.0, 0.0, 0.5, 0.0, 0.0])
QUARTIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
GRID = jt.PhaseGrid(7.2, 0.5, 8.4, 0.5)
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
    """Means and covariances of (q, p, f, zeta_1..K): the Langevin equations behind the bath, F = f + w_D zeta."""

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

    def course(self, beta, x, ts, rtol=1e-11):
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
            return np.concatenate([matrix @ mean + pull, (matrix @ spread + spread @ matrix.T + noise).ravel(), [heat]])

        start = np.concatenate([mean, spread.ravel(), [0.0]])
        y = solve_ivp(slope, (ts[0], ts[-1]), start, "DOP853", ts, rtol=rtol, atol=1e-12).y.T
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
    """Depth 2 closes second moments, so they are exact to what the grid leaves out."""
    state = jt.equilibrium(oscillator(poles), 1.0, 0.0)
    np.testing.assert_allclose([state.norm, state.q2, state.p2], [1.0, *moments(poles)], rtol=1e-7)
    assert state.outcome == "ok"
    # The Langevin equations of the bath are those of its spectrum.
    _, spread = Gaussian(poles).stationary(1.0, 0.0)
    np.testing.assert_allclose([spread[0, 0], spread[1, 1]], moments(poles), rtol=1e-11)


def test_momentum_converges_with_the_poles():
    """Where it diverges like log K without a cutoff, the distance to the full sum falls from pole to pole."""
    full = exact.drude_harmonic(1.0, w0=1.0, gamma=1.0, cutoff=CUTOFF)
    distances = np.array([full["p2"] - moments(poles)[1] for poles in range(7)])
    assert np.all(np.diff(np.abs(distances)) < 0.0)
    assert abs(distances[6]) < 2e-2 * distances[0]


class Wave(eqx.Module):
    """mean + size sin(rate t), whose numbers are parameters of one compiled function."""

    mean: jax.Array
    size: jax.Array
    rate: jax.Array

    def __call__(self, t):
        return self.mean + self.size * jnp.sin(self.rate * t)


BETA, FIELD = (Wave(*map(jnp.asarray, numbers)) for numbers in ((1.0, 0.15, 1.3), (0.0, 0.4, 0.9)))


@pytest.fixture(scope="module")
def model():
    return oscillator(1)


@pytest.fixture(scope="module")
def state(model):
    return jt.equilibrium(model, 1.0, 0.0)


@pytest.fixture(scope="module")
def expected():
    return Gaussian(1).course(lambda t: 1.0 + 0.15 * np.sin(1.3 * t), lambda t: 0.4 * np.sin(0.9 * t), TIMES)


def test_driven_moments_and_heat(model, state, expected):
    run = jt.drive(model, BETA, FIELD, TIMES, state, tol=1e-6)
    assert run.outcome == "ok"
    for key, values in expected.items():
        np.testing.assert_allclose(getattr(run, key), values, atol=5e-7, err_msg=key)
    np.testing.assert_allclose(run.norm, 1.0, atol=1e-8)
    assert run.first_law_residual < 5e-7


def test_explicit_solver_gives_the_same_course(model, state, expected):
    run = jt.drive(model, BETA, FIELD, TIMES, state, diffrax.Tsit5(), tol=1e-6)
    for key, values in expected.items():
        np.testing.assert_allclose(getattr(run, key), values, atol=2e-6, err_msg=key)


def test_state_is_the_same_at_another_temperature(model, state):
    """A quench changes the Hermite functions that the state is written in, and nothing else."""
    V = change_temperature(state.V, state.equation, 1.0, 1.0 / 1.2)
    assert float(jnp.max(jnp.abs(V - state.V))) > 1e-3
    written = observe(V, state.equation, 1.0 / 1.2)
    for key in ("norm", "q2", "p2", "qp"):
        np.testing.assert_allclose(getattr(written, key), getattr(state, key), atol=1e-12, err_msg=key)


def test_a_pole_at_the_cutoff_is_like_any_other():
    """Two exponentials of the correlation function coincide there."""
    nu = float(exact.pade(1)[0][0])
    at, beside = (jt.equilibrium(oscillator(1, cutoff=nu + shift), 1.0, 0.0) for shift in (0.0, 1e-6))
    np.testing.assert_allclose([at.q2, at.p2], moments(1, nu), rtol=1e-7)
    np.testing.assert_allclose([at.q2, at.p2], [beside.q2, beside.p2], atol=1e-6)


def test_a_high_cutoff_is_ohmic():
    """<q^2> comes within O(1/w_D) of the Ohmic bath's."""
    ohmic = jt.equilibrium(jt.quantum_oscillator(HARMONIC, 1.0, 1, 1, GRID), 1.0, 0.0)
    gaps = [float(jt.equilibrium(oscillator(1, cutoff=w), 1.0, 0.0).q2 - ohmic.q2) for w in (40.0, 80.0)]
    assert abs(gaps[1]) < 2e-3
    np.testing.assert_allclose(gaps[0] / gaps[1], 2.0, rtol=0.1)


def test_derivative_in_the_cutoff(model):
    """Reverse mode against central differences and against the exact slope of <p^2>."""

    def p2(cutoff):
        return jt.equilibrium(eqx.tree_at(lambda o: o.bath.cutoff, model, cutoff), 1.0, 0.0).p2

    at, h = jnp.asarray(CUTOFF), 1e-3
    central = (p2(at + h) - p2(at - h)) / (2 * h)
    slope = (moments(1, CUTOFF + h)[1] - moments(1, CUTOFF - h)[1]) / (2 * h)
    np.testing.assert_allclose(central, slope, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(p2)(at), central, rtol=1e-5)


def test_anharmonic_equilibrium_rests():
    """Driven at constant beta and x for a long time it stays where it is, and the norm does."""
    model = oscillator(1, potential=QUARTIC, grid=jt.PhaseGrid(5.6, 0.35, 9.0, 0.45))
    state = jt.equilibrium(model, 1.0, 0.5)
    # Mesh and depth are too small for 1e-6, and it says so; it rests all the same.
    assert not state.ok and state.error < 1e-7
    beta, field = (Wave(jnp.asarray(mean), jnp.zeros(()), jnp.ones(())) for mean in (1.0, 0.5))
    run = jt.drive(model, beta, field, [0.0, 5.0, 10.0, 20.0], state, tol=1e-5)
    assert not run.ok
    np.testing.assert_allclose(run.norm, 1.0, atol=1e-8)
    for key in ("X", "q2", "p2"):
        np.testing.assert_allclose(getattr(run, key), getattr(run, key)[0], rtol=1e-5, err_msg=key)
    # What the tolerance leaves of the currents, over 20 units of time.
    assert np.max(np.abs(run.bath_heat)) < 20.0 * 1e-5


def test_stirling_cycle_against_closed_moments(model):
    """The stationary cycle, by an independent solution of the moment equations over several periods."""
    cycle = jt.StirlingCycle(beta_hot=0.9, beta_cold=1.1, x_start=0.2, x_end=0.4)
    run = jt.run_cycle(model, cycle, tol=1e-7, points=2, steps=32)
    assert run.outcome == "ok" and run.residual < 1e-7
    np.testing.assert_allclose(run.norm, 1.0, atol=1e-8)
    period, periods = float(run.time[-1]), 6
    knots = np.concatenate([np.asarray(run.time)[:-1] + n * period for n in range(periods)] + [[periods * period]])
    beta, x = jax.jit(lambda t: cycle.beta(t)), jax.jit(lambda t: cycle.x(t))
    course = Gaussian(1).course(lambda t: float(beta(t)), lambda t: float(x(t)), knots, rtol=1e-8)
    last = slice(-len(run.time), None)
    for key in ("q", "q2", "p2"):
        np.testing.assert_allclose(getattr(run, key), course[key][last], atol=2e-4, err_msg=key)
    heat = course["bath_heat"][last]
    np.testing.assert_allclose([run.work, -run.heat], heat[0] - heat[-1], atol=2e-4)
    # The currents are summed by the trapezoidal rule of a step that is not short against 1/w_D.
    np.testing.assert_allclose(run.cumulative_bath_heat[-1], heat[-1] - heat[0], atol=2e-3)


def test_small_hbar_is_classical():
    """K = 0 without quantum corrections: the classical state, whatever the cutoff. The rest is O(hbar^2)."""
    model = eqx.tree_at(
        lambda o: o.hbar, oscillator(0, potential=QUARTIC, grid=jt.PhaseGrid(5.6, 0.3, 8.4, 0.45)), jnp.asarray(0.01)
    )
    state = jt.equilibrium(model, 1.0, 0.5)
    classical = exact.classical_equilibrium(np.polynomial.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), 1.0, 0.5)
    np.testing.assert_allclose([state.X, state.q2, state.p2], [classical[k] for k in ("X", "q2", "p2")], atol=1e-4)


def test_a_cutoff_too_slow_to_be_driven_is_refused():
    with pytest.raises(ValueError, match=r"`cutoff` must be >= 4 A\^2/m = 4 for the oscillator to be driven"):
        jt.drive(oscillator(0, cutoff=3.9), 1.0, 0.0, TIMES)
    with pytest.raises(ValueError, match=r"`cutoff` must be >= 4 A\^2/m = 4"):
        jt.run_cycle(oscillator(0, cutoff=3.9), jt.StirlingCycle(0.9, 1.1, 0.2, 0.4))
