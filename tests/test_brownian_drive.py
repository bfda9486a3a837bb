"""Driven solves of an anharmonic oscillator: orders, explicit against split steps, switched baths, derivatives."""

import functools

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest
from jaxtyping import Array, Float
from systems import HARMONIC, harmonic

import jaxthermo as jt
from jaxthermo.brownian.hierarchy import equation_on
from jaxthermo.brownian.observables import observe
from jaxthermo.brownian.steps.limits import stability_extents, step_limit
from jaxthermo.brownian.steps.propagation import Drive, Method, Protocol, propagate
from jaxthermo.brownian.steps.stepper import DrivenTerm, start

QUARTIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
# The states at beta = 0.7 .. 1.1 end here at 1e-7 in every direction; both sides of a comparison use the same grid.
GRID = jt.PhaseGrid(6.0, 0.3, 8.4, 0.5)
TIMES = np.linspace(0.0, 3.0, 4)
# One level only, so that it compiles fast; with four more <p^2> differs by 3e-4.
SHALLOW = "hierarchy too shallow"


class Wave(eqx.Module):
    """mean + size sin(rate t)."""

    numbers: Float[Array, "3"]

    def __call__(self, t):
        mean, size, rate = self.numbers
        return mean + size * jnp.sin(rate * t)


BETA, X = Wave(jnp.array([0.9, 0.15, 1.1])), Wave(jnp.array([0.4, 0.4, 0.8]))


@pytest.fixture(scope="module")
def model():
    return jt.quantum_oscillator(QUARTIC, 0.7, 1, 1, GRID)


@pytest.fixture(scope="module")
def state(model):
    return jt.equilibrium(model, 0.9, 0.4)


@pytest.fixture(scope="module")
def split(model, state):
    return jt.drive(model, BETA, X, TIMES, state, tol=1e-8)


def test_explicit_and_split_steps_give_the_same_course(model, state, split):
    """Through the same public call; both err by about 1e-8 per step over some hundred steps."""
    explicit = jt.drive(model, BETA, X, TIMES, state, diffrax.Tsit5(), tol=1e-8)
    assert split.outcome == explicit.outcome == SHALLOW
    for key in (
        "X",
        "U",
        "H",
        "norm",
        "q2",
        "p2",
        "qp",
        "work",
        "heat",
        "work_int",
        "heat_ext",
        "purity",
        "min_wigner",
    ):
        np.testing.assert_allclose(getattr(explicit, key), getattr(split, key), atol=1e-6, err_msg=key)
    for run in (split, explicit):
        assert run.first_law_residual < 1e-6
        np.testing.assert_allclose(run.norm, 1.0, atol=1e-10)


def test_without_a_state_it_starts_from_equilibrium(model, state, split):
    run = jt.drive(model, BETA, X, TIMES, tol=1e-8)
    for key in ("X", "U", "work", "p2"):
        np.testing.assert_allclose(getattr(run, key), getattr(split, key), atol=1e-12, err_msg=key)


@pytest.mark.parametrize(("extrapolate", "order"), [(True, 4), (False, 2)])
def test_order_of_the_split_step(model, state, extrapolate, order):
    """Fixed steps against the finest run, in the state and in the work and bath heat that it carries."""
    solver = jt.SplitStep(extrapolate)
    equation = equation_on(model, GRID)

    @jax.jit
    def run(count):
        h = 2.0 / count.astype(float)

        def step(i, y):
            t = i.astype(float) * h
            return solver.step(DrivenTerm(equation, BETA, X), t, t + h, y, None, noise, False)[0]

        term = DrivenTerm(equation, BETA, X)
        noise = solver.init(term, 0.0, h, start(state.V, equation), None)
        end = jax.lax.fori_loop(0, count, step, start(state.V, equation))
        return jnp.concatenate([end.V.ravel(), end.totals])

    counts = np.array([16, 24, 32])
    finest = run(jnp.asarray(256 if order == 2 else 96))
    ends = [run(jnp.asarray(count)) for count in counts]
    errors = np.array([[jnp.linalg.norm(d[:-4]), *jnp.abs(d[-4:])] for d in (end - finest for end in ends)])
    slopes = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert abs(slopes[0] + order) < 0.3, slopes
    # An integral may happen to have a small leading coefficient, so it may fall faster.
    assert np.all(slopes[1:] < 0.3 - order), slopes
    norms = [float(jnp.sum(e[:-4].reshape(state.V.shape)[:, 0])) * GRID.dq * GRID.dp for e in ends]
    np.testing.assert_allclose(norms, float(state.norm), atol=1e-10)


def test_fixed_steps_through_the_public_call(model, state, split):
    run = jt.drive(model, BETA, X, TIMES, state, dt=0.025)
    assert run.outcome == SHALLOW
    # Fourth order in steps of 0.025. Steps of 0.04 amplify fast waves here, to 1e-5 on the rim, see `SplitStep`.
    for key in ("X", "U", "work", "bath_heat"):
        np.testing.assert_allclose(getattr(run, key), getattr(split, key), atol=1e-5, err_msg=key)


def test_explicit_steps_up_to_the_limit_are_stable_and_beyond_are_refused(model, state, split):
    solver = diffrax.Tsit5()
    limit = min(
        float(step_limit(equation_on(model, GRID), jnp.asarray(1.0 / b), jnp.asarray(x), stability_extents(solver)))
        for b in (split.beta.min().item(), split.beta.max().item())
        for x in (split.x.min().item(), split.x.max().item())
    )
    with pytest.raises(ValueError, match=r"`dt` must be <= .* Tsit5"):
        jt.drive(model, BETA, X, TIMES, state, solver, dt=1.2 * limit)
    # The limit is for the extremes between the times asked for too, hence the 5 % below those at the times.
    run = jt.drive(model, BETA, X, TIMES, state, solver, dt=0.9 * limit)
    assert run.outcome == SHALLOW
    for key in ("X", "U", "norm", "work"):
        np.testing.assert_allclose(getattr(run, key), getattr(split, key), atol=1e-6, err_msg=key)


def test_explicit_steps_far_beyond_the_limit_would_diverge(model, state):
    """The limit is not an idle one: at five times it the state explodes, and nothing is silent about that."""
    solver = diffrax.Tsit5()
    limit = float(step_limit(equation_on(model, GRID), jnp.asarray(1.2), jnp.asarray(0.8), stability_extents(solver)))
    steps, most = jnp.asarray(int(1.0 / (5.0 * limit)), jnp.int32), jnp.asarray(10_000, jnp.int32)
    still = Method(solver, jnp.zeros(()), steps, most, False)
    run = propagate(Drive(model, Protocol(BETA, X), jnp.asarray(TIMES)), state.V, still)
    assert not np.abs(np.asarray(run.measured.U[-1])) < 1e3


def opening_later():
    """An oscillator with a strong bath behind a window closed at t = 0, and the limits of Tsit5 at t = 0 and 1."""
    weak, strong = jt.OhmicBath(0.3, poles=0), jt.OhmicBath(2.0, poles=0)
    bath = jt.SwitchedBaths([weak, strong], [1.0, 1.0], [jt.Constant(1.0), lambda t: jnp.sin(0.5 * jnp.pi * t) ** 2])
    oscillator = jt.quantum_oscillator(HARMONIC, bath, grid=jt.PhaseGrid(6.0, 0.5, 6.0, 0.5))
    equation, extents = equation_on(oscillator), stability_extents(diffrax.Tsit5())
    return oscillator, [float(step_limit(equation, jnp.ones(()), jnp.ones(()), extents, t)) for t in (0.0, 1.0)]


def test_the_limit_of_stability_knows_windows_that_open_later():
    oscillator, (closed, opened) = opening_later()
    assert opened < 0.5 * closed
    with pytest.raises(ValueError, match=rf"`dt` must be <= {opened:.3g} for Tsit5"):
        jt.drive(oscillator, 1.0, 1.0, [0.0, 1.0], None, diffrax.Tsit5(), dt=0.9 * closed)


def test_an_explicit_solver_is_stable_while_a_strong_bath_is_coupled():
    oscillator, (_, opened) = opening_later()
    ramp, times = jt.Ramp(0.0, 1.0, 0.0, 1.0), [0.0, 1.0]
    run = jt.drive(oscillator, 1.0, ramp, times, None, diffrax.Tsit5(), dt=0.9 * opened)
    split = jt.drive(oscillator, 1.0, ramp, times, tol=1e-7)
    np.testing.assert_allclose([run.work, run.q2, run.p2], [split.work, split.q2, split.p2], atol=1e-5)


def test_stability_extents_of_known_methods():
    """Heun (-2, 0) and Bogacki-Shampine (-2.51, 1.73), to the mesh of 0.02 on which they are sought.

    |R(iy)|^2 = 1 + y^4/4 for Heun, so a slope of 1e-3 allows y = 0.3.
    """
    for solver, real, imaginary in ((diffrax.Heun(), 2.0, 0.3), (diffrax.Bosh3(), 2.51, 1.73)):
        found = stability_extents(solver)
        assert abs(found[0] - real) < 0.03
        assert abs(found[1] - imaginary) < 0.06


@pytest.mark.parametrize("name", ["strength", "hbar"])
def test_a_state_of_another_oscillator_is_not_taken_for_ones_own(model, state, name):
    """The members refer to the strength and hbar: either they are rewritten, so that W_0 rests, or they are refused."""
    value = jnp.array(1.1, dtype=float)
    other = eqx.tree_at(lambda o: o.bath.strength if name == "strength" else o.hbar, model, value)
    try:
        run = jt.drive(other, BETA, X, TIMES, state, tol=1e-8)
    except ValueError as refusal:
        assert "`state`" in str(refusal)
    else:
        np.testing.assert_allclose([run.p2[0], run.U[0]], [state.p2, state.U], rtol=1e-6)


def test_a_schedule_that_fails_between_the_times_asked_for_is_refused(model, state):
    """beta = 0.9 at 0, 1/2 and 1, but below zero between."""
    beta = Wave(jnp.array([0.9, 1.5, 8 * jnp.pi]))
    with pytest.raises(ValueError, match="`beta` must be > 0"):
        jt.drive(model, beta, 0.4, np.array([0.0, 1.0]), state)


@pytest.mark.parametrize("keywords", [{}, {"dt": 0.01}], ids=["adaptive", "fixed"])
def test_a_schedule_that_fails_where_nobody_looked_ends_the_solve(model, state, keywords):
    """beta < 0 for a tenth of the time between two of the times looked at: a status, and NaN for what comes after."""
    dip = jt.Table([0.0, 0.501, 0.502, 0.53, 0.531, 1.0], [0.9, 0.9, -0.9, -0.9, 0.9, 0.9])
    # Towards infinite temperature the error control takes ever shorter steps, so these are limited.
    run = jt.drive(model, dip, 0.4, np.array([0.0, 1.0]), state, max_steps=300, **keywords)
    # Which of the two stops error control first depends on the last digits.
    assert run.outcome in (("solver failed",) if keywords else ("max steps reached", "solver failed"))
    assert np.isnan(run.X[-1]) and np.isnan(run.work[-1])


class Counted(jt.protocols.AbstractSchedule):
    """A ramp that counts how often it is traced."""

    ramp: jt.Ramp

    def __call__(self, t):
        TRACES.append(1)
        return self.ramp(t)


TRACES = []


def test_other_values_run_in_the_same_program(model, state):
    """Other schedules of the same kind, times, tolerances, limits and steps, and another oscillator."""

    def run(end, times=TIMES, oscillator=model, start=state, **keywords):
        return jt.drive(oscillator, Counted(jt.Ramp(0.9, end, 0.0, 2.0)), 0.4 + 0.1 * end, times, start, **keywords)

    run(1.1)
    run(1.1, dt=0.3)
    before = len(TRACES)
    assert before > 0
    first = run(1.2, 1.1 * TIMES, tol=1e-6, max_steps=5000)
    run(0.8, 0.9 * TIMES, dt=0.2, max_steps=100)
    other = eqx.tree_at(lambda o: o.bath.strength, model, jnp.asarray(0.9, dtype=float))
    run(1.2, oscillator=other, start=jt.equilibrium(other, 0.9, 0.52))
    assert len(TRACES) == before
    assert first.outcome == SHALLOW
    assert run(1.2, max_steps=3).outcome == "max steps reached"


def test_the_unit_of_mass_does_not_matter(model, state, split):
    """Steps are chosen by an error without a unit, so every action may be a billion times smaller."""
    unit = 1e-9
    grid = jt.PhaseGrid(GRID.q_max, GRID.dq, GRID.p_max * unit, GRID.dp * unit)
    potential = jt.Polynomial(QUARTIC.coefficients * unit)
    small = jt.quantum_oscillator(potential, 0.7 * unit**0.5, 1, 1, grid, mass=unit, hbar=unit)
    begin = jt.equilibrium(small, 0.9 / unit, 0.4 * unit)
    run = jt.drive(
        small,
        Wave(BETA.numbers / jnp.array([unit, unit, 1.0])),
        Wave(X.numbers * jnp.array([unit, unit, 1.0])),
        TIMES,
        begin,
        tol=1e-8,
    )
    assert run.stats["steps"] == split.stats["steps"]
    assert np.allclose(run.X, split.X, atol=1e-9) and np.allclose(run.work / unit, split.work, atol=1e-9)


@pytest.mark.parametrize("time", [1e-4, 1e3])
def test_the_unit_of_time_of_a_classical_drive_does_not_matter(time):
    """Nothing sets an action classically, so errors are shares of the state; all units were 1 before."""
    runs = []
    for unit in (1.0, time):
        # The unit of energy is 1/unit^2, that of momentum 1/unit.
        grid = jt.PhaseGrid(8.0, 0.4, 8.0 / unit, 0.4 / unit)
        parabola = jt.Polynomial(HARMONIC.coefficients / unit**2)
        model = jt.classical_oscillator(parabola, 0.7 / unit**0.5, grid)
        beta, x = jt.Ramp(unit**2, 1.4 * unit**2, 0.0, unit), jt.Ramp(0.0, 0.5 / unit**2, 0.0, unit)
        runs.append(jt.drive(model, beta, x, [0.0, unit]))
    natural, other = runs
    assert natural.ok and other.ok and abs(int(natural.stats["steps"]) - int(other.stats["steps"])) < 5
    assert np.allclose(natural.X, other.X, atol=2e-8) and np.allclose(natural.p2, other.p2 * time**2, atol=2e-7)


def test_a_table_is_the_ramp_it_draws(model, state):
    ramp = jt.drive(model, jt.Ramp(0.9, 1.1, 0.0, 3.0), jt.Constant(0.4), TIMES, state, tol=1e-6)
    table = jt.drive(model, jt.Table([0.0, 3.0], [0.9, 1.1]), 0.4, TIMES, state, tol=1e-6)
    for key in ("X", "U", "heat", "beta"):
        np.testing.assert_allclose(getattr(table, key), getattr(ramp, key), atol=1e-12, err_msg=key)


@pytest.mark.parametrize("dt", [None, 0.01])
def test_an_explicit_solver_sees_both_sides_of_a_corner(dt):
    """Its steps look at the slopes of the schedules at their ends; against closed moments."""
    beta, x, ts = (1.0, 1.3, 0.5, 2.0), (0.0, 1.0, 0.5, 1.2), np.array([0.0, 0.5, 1.2, 2.0])
    oscillator = jt.classical_oscillator(HARMONIC, 1.0, jt.PhaseGrid(7.0, 0.58, 7.0, 0.58))
    run = jt.drive(oscillator, jt.Ramp(*beta), jt.Ramp(*x), ts, None, diffrax.Tsit5(), dt=dt)
    none, slope = np.zeros(0), 1.0 / 0.7

    def at(ramp):
        return lambda t: float(np.interp(t, ramp[2:], ramp[:2]))

    def dx(t):
        return slope if 0.5 <= t <= 1.2 else 0.0

    expected = exact.harmonic_trajectory(
        at(beta), at(x), dx, ts, w0=1.0, gamma=1.0, xi=none, eta=none, kinks=(0.5, 1.2, 2.0)
    )
    np.testing.assert_allclose(run.work, expected["work"], atol=2e-6)


def test_an_implicit_solver_is_refused(model, state):
    with pytest.raises(ValueError, match="`solver` must be an explicit Runge-Kutta"):
        jt.drive(model, 0.9, 0.4, TIMES, state, diffrax.Kvaerno3())


def opened(t):
    return 1.0


def test_one_open_window_is_the_bath_itself(model, state):
    bath = jt.SwitchedBaths([jt.OhmicBath(0.7, 1, 1)], [0.9], [opened])
    switched = jt.quantum_oscillator(QUARTIC, bath, grid=GRID)
    # beta is the bath's own, so any other is ignored by the dynamics.
    other = jt.equilibrium(switched, 0.9, 0.4)
    for name in ("norm", "X", "U", "q2", "p2"):
        np.testing.assert_allclose(getattr(other, name), getattr(state, name), rtol=1e-8, err_msg=name)
    run = jt.drive(switched, 0.9, X, TIMES, other, tol=1e-8)
    expected = jt.drive(model, Wave(jnp.array([0.9, 0.0, 1.0])), X, TIMES, state, tol=1e-8)
    for key in ("X", "U", "q2", "p2", "work", "bath_heat", "heat_ext"):
        np.testing.assert_allclose(getattr(run, key), getattr(expected, key), atol=1e-6, err_msg=key)


def closing(t):
    return jnp.cos(0.5 * jnp.pi * jnp.clip(t / 2.0, 0.0, 1.0)) ** 2


def opening(t):
    return jnp.sin(0.5 * jnp.pi * jnp.clip(t / 2.0, 0.0, 1.0)) ** 2


def test_two_baths_hand_over():
    """From a bath at 1/beta = 1 to one at 1/1.4: energy goes where the first law says, and the end is colder."""
    bath = jt.SwitchedBaths([jt.OhmicBath(1.0, 1, 2), jt.OhmicBath(1.0, 1, 2)], [0.9, 1.4], [closing, opening])
    oscillator = jt.quantum_oscillator(QUARTIC, bath, grid=GRID)
    run = jt.drive(oscillator, 0.9, 0.4, np.linspace(0.0, 10.0, 6), tol=1e-7)
    # Two levels are enough for what is tested, not for what `drive` promises of the work.
    assert run.outcome in ("ok", "hierarchy too shallow")
    np.testing.assert_allclose(run.norm, 1.0, atol=1e-8)
    assert run.first_law_residual < 1e-5
    np.testing.assert_allclose(run.work, 0.0, atol=1e-14)
    cold = jt.equilibrium(jt.quantum_oscillator(QUARTIC, 1.0, 1, 2, GRID), 1.4, 0.4)
    assert run.U[-1] < run.U[0] - 0.1
    # exp(-gamma t/2) of the difference is left 8 units after the handing over.
    np.testing.assert_allclose(run.U[-1], cold.U, atol=2e-2)


def test_the_terms_of_the_vector_field_are_measured(model, state):
    """A stationary state measured twice: the state's own numbers are those of `observe`."""
    measured = observe(state.V, state.equation, 1.0 / state.beta)
    np.testing.assert_allclose(measured.U, state.U, rtol=1e-12)
    np.testing.assert_allclose(np.sum(state.wigner) * GRID.dq * GRID.dp, state.norm, rtol=1e-12)
    q2 = np.sum(np.asarray(state.wigner) * GRID.q[:, None] ** 2) * GRID.dq * GRID.dp
    p2 = np.sum(np.asarray(state.wigner) * GRID.p[None, :] ** 2) * GRID.dq * GRID.dp
    # W_0 itself, with the noise folded in, has the moments that are measured without folding; it reaches further in p.
    np.testing.assert_allclose([q2, p2], [state.q2, state.p2], rtol=1e-6)


def test_many_times_are_solved_in_blocks_that_agree_with_one_program(capsys):
    """To rounding at fixed steps: 37 intervals are two blocks of 16 and one of 5, which is filled up."""
    oscillator, ts = harmonic(), np.linspace(0.0, 3.0, 38)
    start = jt.equilibrium(oscillator, 0.9, 0.4)
    drive = functools.partial(jt.drive, oscillator, BETA, X, ts, dt=0.1)
    whole = eqx.filter_jit(drive)(start)
    blocks = drive(start, progress=True)
    assert "37 of 37 times, 0 s left" in capsys.readouterr().err
    assert int(blocks.stats["steps"]) == int(whole.stats["steps"]) == 37
    for name in ("X", "U", "p2", "work", "heat", "bath_heat", "heat_int", "V"):
        np.testing.assert_allclose(getattr(blocks, name), getattr(whole, name), rtol=1e-11, atol=1e-13, err_msg=name)

    with pytest.warns(UserWarning, match="max steps reached"):
        cut = drive(start, max_steps=20)
    np.testing.assert_array_equal(np.isfinite(cut.X), np.arange(38) <= 20)
    np.testing.assert_allclose(cut.work[:21], whole.work[:21], rtol=1e-11, atol=1e-13)


def test_reverse_mode_keeps_as_many_states_as_it_may():
    """Another gradient of 300 steps would be wrong; the states that are not kept are what the program saves."""
    grid = jt.PhaseGrid(6.0, 0.4, 6.0, 0.6)
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, grid)
    start = jt.State.canonical(oscillator, beta=1.0)
    found, sizes = [], []
    for checkpoints in (4, 64):

        def work(end, checkpoints=checkpoints):
            ramp, times = jt.Ramp(0.0, end, 0.0, 6.0), [0.0, 6.0]
            return jt.drive(oscillator, 1.0, ramp, times, start, dt=0.02, checkpoints=checkpoints).work[-1]

        program = jax.jit(jax.grad(work)).lower(jnp.asarray(0.8)).compile()
        found.append(float(program(jnp.asarray(0.8))))
        sizes.append(program.memory_analysis().temp_size_in_bytes)
    assert found[0] == pytest.approx(found[1], rel=1e-12) and found[0] < 0.0
    assert sizes[1] - sizes[0] >= 60 * 8 * start.V.size
