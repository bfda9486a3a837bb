"""Results of the oscillator are right, or their status says what they miss."""

import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest

import jaxthermo as jt
from jaxthermo._results import JaxthermoWarning

COEFFICIENTS = [0.0, 0.0, 0.1, 0.02, 0.05]
QUARTIC, HARMONIC = jt.Polynomial(COEFFICIENTS), jt.Polynomial([0.0, 0.0, 0.5])
GRID = jt.PhaseGrid(5.6, 0.28, 10.5, 0.5)
NARROW = jt.PhaseGrid(3.0, 0.28, 10.5, 0.5)


def errors(state, expected):
    """Of X, <q^2>, <p^2>, U, over their scale."""
    q2, p2 = expected["q2"], expected["p2"]
    scales = {"X": np.sqrt(q2), "q2": q2, "p2": p2, "U": p2}
    return {name: abs(float(getattr(state, name)) - expected[name]) / scale for name, scale in scales.items()}


@pytest.mark.parametrize(
    ("grid", "beta", "x", "status", "error"),
    [
        (GRID, 1.0, 0.3, "ok", 1e-6),
        (GRID, 4.0, 0.3, "grid too coarse", 2e-7),
        (jt.PhaseGrid(5.6, 0.8, 9.8, 0.9), 2.0, 0.3, "grid too coarse", 2e-3),
        (NARROW, 0.5, 1.5, "grid too small", 0.1),
    ],
)
def test_a_classical_equilibrium_is_right_or_says_what_its_grid_misses(grid, beta, x, status, error):
    """Boltzmann's values are exact at the points; a coarse grid has wrong sums, and wrong courses later."""
    state = jt.equilibrium(jt.classical_oscillator(QUARTIC, 1.0, grid), beta, x)
    expected = exact.classical_equilibrium(np.polynomial.Polynomial(COEFFICIENTS), beta, x)
    worst = max(errors(state, expected).values())
    assert state.outcome == status
    assert worst < 1e-6 if status == "ok" else 0.5 * error < worst < 2.0 * error


def test_a_state_that_is_not_ok_warns():
    with pytest.warns(JaxthermoWarning, match="grid too small"):
        jt.equilibrium(jt.classical_oscillator(QUARTIC, 1.0, NARROW), 0.5, 1.5)


def test_every_lane_of_a_batch_has_its_own_status():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
    states = jax.jit(jax.vmap(lambda beta: jt.equilibrium(oscillator, beta, 0.3)))(jnp.asarray([1.0, 4.0]))
    assert states.outcome.tolist() == ["ok", "grid too coarse"]


def test_a_grid_left_open_keeps_the_promise_where_a_small_one_does_not():
    state = jt.equilibrium(jt.classical_oscillator(QUARTIC, 1.0), 4.0, 0.3)
    expected = exact.classical_equilibrium(np.polynomial.Polynomial(COEFFICIENTS), 4.0, 0.3)
    assert state.outcome == "ok" and max(errors(state, expected).values()) < 1e-6


def test_a_shallow_hierarchy_of_a_double_well_says_so():
    well = jt.Polynomial([0.0, 0.0, -0.5, 0.0, 0.125])
    grid = jt.equilibrium(jt.quantum_oscillator(well, 1.0, 1, 2), 4.0, 0.1).grid
    shallow, deep = (jt.quantum_oscillator(well, 1.0, 1, depth, grid) for depth in (2, 4))
    # What jax traces is solved on the grid, whatever the depth; a known oscillator among its levels, as deep as needed.
    traced = jax.jit(lambda beta: jt.equilibrium(shallow, beta, 0.1))(4.0)
    known = jt.equilibrium(deep, 4.0, 0.1)
    assert abs(float(traced.X - known.X)) > 1e-3
    assert traced.outcome == "hierarchy too shallow"
    np.testing.assert_allclose(jt.equilibrium(shallow, 4.0, 0.1).X, known.X, rtol=1e-6)


def test_weak_coupling_makes_the_rim_count_for_more():
    """Harmonic, exact at any depth: on a rim of 1e-5 the bath of A = 0.1 lets <q^2> drift by more than promised."""
    tight, wide = (
        jt.equilibrium(jt.quantum_oscillator(HARMONIC, 0.1, 1, 1, jt.PhaseGrid(q, q / 18, q, q / 18)), 8.0, 0.0)
        for q in (3.3, 5.2)
    )
    assert tight.edge < 2e-5 and tight.outcome == "grid too small"
    assert wide.outcome == "ok"
    rates, weights = exact.pade(1)
    rates = rates / 8.0
    expected = (1.0 + np.sum(2.0 * weights / (1.0 + 0.01 * rates + rates**2))) / 8.0
    assert abs(float(wide.q2) / expected - 1.0) < 1e-6 < abs(float(tight.q2) / expected - 1.0)


@pytest.mark.parametrize("poles", [1, 2, 3, 4])
def test_a_cold_and_weakly_coupled_parabola_has_the_closed_moments(poles):
    """A = 0.03 and beta = 8, where a well is crossed a thousand times before friction is felt."""
    state = jt.equilibrium(jt.quantum_oscillator(HARMONIC, 0.03, poles), 8.0, 0.3)
    xi, eta = exact.pade(poles)
    at = exact.harmonic_stationary(8.0, 0.3, w0=1.0, gamma=0.03**2, xi=xi, eta=eta)
    assert state.outcome == "ok"
    assert max(errors(state, at | {"X": at["q"]}).values()) < 1e-6


CYCLE = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)


def test_a_lane_of_a_scan_has_the_status_of_its_cycle():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, NARROW)
    with pytest.warns(JaxthermoWarning, match="grid too small"):
        run = jt.run_cycle(oscillator, CYCLE, points=5, steps=2)

    def lane(period):
        return jt.run_cycle(oscillator, jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period), points=5, steps=2)

    scanned = jt.scan(lane, {"period": [20.0]})
    assert run.status == int(scanned.status[0]) == jt.Status.grid_too_small
    np.testing.assert_allclose(scanned.work[0], run.work, atol=1e-7)


def test_steps_too_long_for_the_heat_break_the_first_law():
    oscillator = jt.quantum_oscillator(QUARTIC, 1.0, 2, 2, GRID)
    cycle = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period=55.0)
    run = jt.run_cycle(oscillator, cycle, points=10, steps=2)
    assert run.first_law_residual > 0.1 and run.outcome == "first law violated"


def test_a_drive_says_what_its_grid_misses():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
    with pytest.warns(JaxthermoWarning, match="grid too coarse"):
        run = jt.drive(oscillator, jt.Ramp(1.0, 4.0, 0.0, 5.0), 0.3, [0.0, 5.0, 10.0])
    assert run.outcome == "grid too coarse" and run.coarse[-1] > 1e-4 > 1e-5 > run.coarse[0]
