"""The stationary Stirling cycle: laws, exact cases, limits, batches and derivatives."""

import warnings

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest

import jaxthermo as jt
from tests.systems import harmonic

COEFFICIENTS = [0.0, 0.0, 0.1, 0.02, 0.05]
QUARTIC = jt.Polynomial(COEFFICIENTS)
CYCLE = jt.StirlingCycle(0.6, 1.2, 0.2, 0.9)


def check_laws(run, residual=1e-6, currents=2e-5):
    """The laws of a closed cycle. 1e-6 is the tolerance that the cycle was sought with; `currents` the step's error."""
    assert run.outcome == "ok"
    assert run.residual <= residual
    # The norm is kept to 1e-8 (issue: at the paper's meshes); every step keeps it to rounding.
    np.testing.assert_allclose(run.norm, 1.0, atol=1e-8)
    np.testing.assert_allclose(run.work + run.heat, 0.0, atol=10 * residual)
    np.testing.assert_allclose(run.cumulative_work + run.cumulative_heat, run.H - run.H[0], atol=1e-12)
    assert run.work == run.cumulative_work[-1] and run.heat == run.cumulative_heat[-1]
    # Heat again from the currents into the bath: an independent sum of the same steps.
    np.testing.assert_allclose(run.cumulative_bath_heat[-1], run.heat, atol=currents)
    assert run.first_law_residual < currents
    for key in ("X", "U", "q2", "p2", "beta", "x"):
        np.testing.assert_allclose(getattr(run, key)[-1], getattr(run, key)[0], atol=20 * residual, err_msg=key)


def test_weak_coupling_is_stable_at_the_papers_mesh():
    """Nothing damps fast waves at A = 0.2; a step that amplified them would show in the norm, the edge and the laws.

    Steps of 0.17 are five times the fastest noise's memory: work and heat do not mind, the currents do.
    """
    oscillator = jt.quantum_oscillator(QUARTIC, 0.2, 2, 3, jt.PhaseGrid(7.5, 0.25, 12.0, 0.4))
    run = jt.run_cycle(oscillator, CYCLE, points=5, steps=6)
    check_laws(run, currents=0.05)
    assert run.edge.max() < 1e-6
    np.testing.assert_allclose(run.time[-1], 20.0, rtol=1e-14)
    # The bath's entropy never falls over a cycle: -sum beta dQ >= 0.
    middle = 0.5 * (run.beta[1:] + run.beta[:-1])
    assert -np.sum(middle * np.diff(run.cumulative_heat)) > 0


HARMONIC_GRID = jt.PhaseGrid(9.0, 0.34, 9.5, 0.42)


def test_harmonic_cycle_against_closed_moments():
    """Moments by an independent ODE, repeated until they are periodic; corners of the schedules are its kinks."""
    cycle = jt.StirlingCycle(0.7, 1.1, -0.3, 0.6, 12.0, (0.3, 0.2, 0.25, 0.25))
    oscillator = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, 1, 1, HARMONIC_GRID)
    run = jt.run_cycle(oscillator, cycle, 1e-8, points=4, steps=16)
    corners = np.asarray(cycle.corners())

    def beta(t):
        return np.interp(t, corners, [0.7, 0.7, 1.1, 1.1, 0.7])

    def x(t):
        return np.interp(t, corners, [-0.3, 0.6, 0.6, -0.3, -0.3])

    def dx(t):
        return [0.9 / 3.6, 0.0, -0.9 / 3.0, 0.0][min(int(np.searchsorted(corners, t, side="right")) - 1, 3)]

    xi, eta = exact.pade(1)
    settings = {"w0": 1.0, "gamma": 1.0, "xi": xi, "eta": eta, "kinks": tuple(corners)}
    start = None
    for _ in range(6):
        # exp(-gamma period / 2) = 2e-3 of the start is left after each turn.
        expected = exact.harmonic_trajectory(beta, x, dx, np.asarray(run.time), start=start, **settings)
        start = expected["state"][-1]
    # Fourth order in steps of 0.056, in which the noise's memory of 1/nu = 0.11 decays by half.
    for key in ("q", "q2", "p2", "qp", "cumulative_work", "cumulative_heat"):
        moment = expected[key.removeprefix("cumulative_")]
        np.testing.assert_allclose(getattr(run, key), moment, atol=2e-5, err_msg=key)
    np.testing.assert_allclose(run.work, expected["work"][-1], atol=1e-6)
    np.testing.assert_allclose(run.beta, [beta(t) for t in np.asarray(run.time)], rtol=1e-12)
    np.testing.assert_allclose(run.x, [x(t) for t in np.asarray(run.time)], atol=1e-12)


CLASSICAL_GRID = jt.PhaseGrid(6.0, 0.3, 9.0, 0.5)


@pytest.fixture(scope="module")
def classical_work():
    """Cycle work of the classical quartic as a function of the strength and the period, compiled once."""

    @jax.jit
    def work(strength, period):
        oscillator = jt.classical_oscillator(QUARTIC, strength, CLASSICAL_GRID)
        run = jt.run_cycle(oscillator, jt.StirlingCycle(0.6, 1.2, 0.2, 0.9, period), 1e-7, points=10, steps=16)
        return run.work, run.residual

    return work


def free_energy_work():
    """Work of two isothermal strokes without dissipation: G_h(x_end) - G_h(x_start) + G_c(x_start) - G_c(x_end)."""
    potential = np.polynomial.Polynomial(COEFFICIENTS)
    hot, cold = ([exact.classical_equilibrium(potential, beta, x)["G"] for x in (0.2, 0.9)] for beta in (0.6, 1.2))
    return hot[1] - hot[0] + cold[0] - cold[1]


def test_quasi_static_limit_is_the_free_energy_difference(classical_work):
    """W - W_qs falls like 1/period, for any strength; at period 200 the steps are 0.3 long."""
    expected = free_energy_work()
    for strength in (0.8, 1.3):
        works = []
        for period in (20.0, 100.0, 200.0):
            work, residual = classical_work(jnp.asarray(strength), jnp.asarray(period))
            assert residual < 1e-7
            works.append(float(work))
        excess = np.array(works) - expected
        assert np.all(excess > 0)
        # The next order is another factor of relaxation time over period.
        np.testing.assert_allclose(excess[1] / excess[2], 2.0, rtol=0.05)
        np.testing.assert_allclose(2 * works[2] - works[1], expected, atol=0.1 * excess[2])


def test_classical_cycle_chooses_its_grid_and_its_step():
    oscillator, cycle = jt.classical_oscillator(QUARTIC, 1.0), jt.StirlingCycle(0.6, 1.2, 0.2, 0.9, 8.0)
    run = jt.run_cycle(oscillator, cycle, 1e-4, points=4)
    check_laws(run, 1e-4, currents=5e-4)
    allowed = 1e-4 * float(np.ptp(run.U))
    assert run.step_error < allowed
    assert run.edge.max() < 1e-9
    # What the step error estimates, from steps so short that theirs is 256 times smaller.
    fine = jt.run_cycle(oscillator, cycle, 1e-6, points=4, steps=4 * int(run.stats["steps_per_piece"]))
    assert abs(run.work - fine.work) < 2.0 * run.step_error < 2.0 * allowed


def test_units_do_not_matter_to_a_cycle():
    """In units of an atom's motion no cycle had closed: how much a turn changes was measured in 1/sqrt(action)."""
    runs = []
    for mass, length, time in ((1.0, 1.0, 1.0), (1e-20, 1e-6, 1e-3)):
        energy = mass * (length / time) ** 2
        scaled = jt.Polynomial(np.array(COEFFICIENTS) * energy / length ** np.arange(5.0))
        model = jt.classical_oscillator(scaled, np.sqrt(mass / time), mass=mass, hbar=energy * time)
        force = energy / length
        cycle = jt.StirlingCycle(0.6 / energy, 1.2 / energy, 0.2 * force, 0.9 * force, 8.0 * time)
        run = jt.run_cycle(model, cycle, 1e-4, points=4)
        assert run.ok and run.residual < 1e-4
        runs.append((run.work / energy, run.step_error / energy))
    # The first step that is tried need not be the same share of a period.
    (natural, error), (other, its) = runs
    assert abs(natural - other) < error + its + 1e-7


NAMES = ("beta_hot", "beta_cold", "x_start", "x_end", "period", "stroke 1", "stroke 2", "stroke 3")
NAMES = (*NAMES, "strength", "U2", "U4")
AT = jnp.array([0.6, 1.1, 0.2, 0.9, 6.0, 0.3, 0.2, 0.27, 1.0, 0.1, 0.05])
SMALL_GRID = jt.PhaseGrid(5.5, 0.5, 7.0, 0.7)


def engine_work(p):
    cycle = jt.StirlingCycle(p[0], p[1], p[2], p[3], p[4], jnp.append(p[5:8], 1.0 - jnp.sum(p[5:8])))
    zero = jnp.zeros(())
    potential = jt.Polynomial(jnp.stack([zero, zero, p[9], zero + 0.02, p[10]]))
    oscillator = jt.quantum_oscillator(potential, p[8], 1, 1, SMALL_GRID)
    return jt.run_cycle(oscillator, cycle, 1e-10, points=2, steps=3).work


@pytest.fixture(scope="module")
def central():
    """Central differences of the work; the cycle closes to 1e-10, so that steps of 1e-4 leave 1e-6."""
    work, h = jax.jit(engine_work), 1e-4
    return np.array([float(work(AT + s) - work(AT - s)) / (2 * h) for s in h * jnp.eye(len(AT))])


def test_forward_derivatives_of_the_work(central):
    forward = jax.jit(jax.jacfwd(engine_work))(AT)
    for name, found, expected in zip(NAMES, np.asarray(forward), central, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7, err_msg=name)


def test_reverse_derivatives_of_the_work(central):
    reverse = jax.jit(jax.grad(engine_work))(AT)
    for name, found, expected in zip(NAMES, np.asarray(reverse), central, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7, err_msg=name)


BAD = {
    "beta": (jt.StirlingCycle(-0.5, 1.5, 0.2, 1.0), {}, "`beta_hot` must be > 0"),
    "strokes": (jt.StirlingCycle(0.5, 1.5, 0.2, 1.0, 20.0, (0.3, 0.3, 0.3, 0.3)), {}, "`strokes` must sum to 1"),
    "ramps": (
        jt.StirlingCycle(0.5, 1.5, 0.2, 1.0, ramps=((0, 1), (0, 1), (-2.0, 0.5), (0, 1))),
        {},
        "`ramps` must not overlap",
    ),
    "loose tol": (CYCLE, {"tol": 2.0}, "`tol` must be < 1"),
    "tight tol": (CYCLE, {"tol": 1e-15}, "`tol` must be >="),
    "NaN tol": (CYCLE, {"tol": np.nan}, "`tol`"),
    "no steps": (CYCLE, {"steps": 0}, "`steps` must be an integer >= 1"),
    "no points": (CYCLE, {"points": 0}, "`points` must be an integer >= 1"),
    "no cycles": (CYCLE, {"max_cycles": 0}, "`max_cycles` must be an integer >= 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_run_cycle_names_the_bad_argument(case):
    cycle, keywords, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        jt.run_cycle(jt.classical_oscillator(QUARTIC, 1.0, CLASSICAL_GRID), cycle, **keywords)


def test_a_cycle_that_does_not_close_says_so():
    """Three turns are not enough at weak coupling."""
    oscillator = jt.classical_oscillator(QUARTIC, 0.1, CLASSICAL_GRID)
    run = jt.run_cycle(oscillator, jt.StirlingCycle(0.6, 1.2, 0.2, 0.9, 3.0), points=2, steps=2, max_cycles=2)
    assert run.outcome == "not periodic"
    assert run.residual > 1e-6


def test_a_grid_that_was_too_small_is_chosen_again():
    """A resonant field carries the state beyond what equilibria reach; <q> = (x_1/gamma) sin t, W = pi x_1^2/gamma."""
    friction, field = 0.16, 0.5
    cycle = jt.FourierCycle(1.0, [0.0], [0.0], 0.0, [field], [0.0], 2.0 * np.pi)
    open_grid = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), friction**0.5)
    first = jt.grid_for(open_grid, 1.0, [-field, field])
    on_first = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), friction**0.5, first)
    with pytest.warns(UserWarning, match="grid too small"):
        small = jt.run_cycle(on_first, cycle, 1e-5, points=3, steps=12)
    assert small.outcome == "grid too small" and small.stats["meshes"] == 1
    run = jt.run_cycle(open_grid, cycle, 1e-5, points=3, steps=12)
    assert run.outcome == "ok" and run.stats["meshes"] == 2
    assert run.oscillator.grid.q_points > first.q_points and run.oscillator.grid.q_max > first.q_max
    np.testing.assert_allclose(run.work, np.pi * field**2 / friction, rtol=2e-5)
    # U rests on resonance, so the span of U is no scale for the error of a time step, and the steps are given.
    assert abs(np.abs(run.q).max() - field / friction) < 1e-4


@pytest.mark.parametrize(
    ("field", "q_max", "p_max", "outcome"),
    [(1.0, 6.5, 6.8, "ok"), (1.0, 6.5, 6.0, "grid too small"), (0.1, 5.0, 6.0, "grid too small")],
)
def test_the_work_is_right_to_a_share_of_the_swing(field, q_max, p_max, outcome):
    """On resonance W = pi x_1^2/gamma. The rim cuts off a share of the state, which is more of a small work."""
    cycle = jt.FourierCycle(1.0, [0.0], [0.0], 0.0, [field], [0.0], 2.0 * np.pi)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = jt.run_cycle(harmonic(1.0, jt.PhaseGrid(q_max, 0.25, p_max, 0.28)), cycle, 1e-5, points=4)
    assert run.outcome == outcome and run.edge.max() < 1e-5
    assert (abs(run.work / (np.pi * field**2) - 1.0) < 2e-5) == (outcome == "ok")


def test_steps_of_an_explicit_solver_are_stable_where_nobody_asks_for_a_number():
    """The first guess of a step is ten times too long for it on this grid; the work is that of split steps."""
    oscillator, cycle = harmonic(), jt.StirlingCycle(0.8, 1.0, 0.4, 0.2, period=8.0)
    with pytest.raises(ValueError, match=r"`steps` must be >= \d+ for Tsit5 to be stable"):
        jt.run_cycle(oscillator, cycle, 1e-5, solver=diffrax.Tsit5(), points=2, steps=4)
    explicit = jt.run_cycle(oscillator, cycle, 1e-5, solver=diffrax.Tsit5(), points=2)
    split = jt.run_cycle(oscillator, cycle, 1e-5, points=2)
    assert explicit.ok and split.ok
    assert float(explicit.work) == pytest.approx(float(split.work), abs=1e-5 * float(jnp.ptp(split.U)))
