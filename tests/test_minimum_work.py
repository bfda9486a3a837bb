"""The searches for least work against exact minima, exact bounds, Nelder-Mead and finite differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from systems import FINER_GRID, HARMONIC, QUARTIC, compilations, harmonic, quartic

import jaxthermo as jt
from jaxthermo import Status
from jaxthermo._results import JaxthermoWarning
from jaxthermo.brownian.driven.arguments import starting_members
from jaxthermo.protocols.polynomial import PolynomialSchedule, from_control_points
from jaxthermo.search.lbfgs import Stopping, after_evaluation, initial_state, minimum_of, unfinished
from jaxthermo.search.newton import newton_descent
from jaxthermo.search.potential_range import potential_status, problem_of
from jaxthermo.search.protocol_cost import cost


@pytest.fixture(scope="module")
def oscillator():
    return quartic()


@pytest.fixture(scope="module")
def state(oscillator):
    return jt.equilibrium(oscillator, 0.7, 0.3)


@pytest.fixture(scope="module")
def objective(oscillator, state):
    """A search with few parameters, its cost and its gradient, compiled once."""
    one, x = jnp.asarray(1.0), jnp.asarray(0.8)
    potential, V = jt.search.potential_around(oscillator, one, x), starting_members(oscillator, state, one)
    problem = problem_of(oscillator, potential, V, one, x, one, 2, False)

    @jax.jit
    def value_and_grad(z):
        return jax.value_and_grad(lambda z: cost(problem, z, jnp.asarray(8, jnp.int32), 16)[0])(z)

    return problem, value_and_grad


def test_polynomials_agree_in_all_their_forms():
    points = jnp.array([0.3, 1.2, -0.4, 0.9, 0.1])
    schedule = from_control_points(points, 2.5)
    ts = np.linspace(0.0, 2.5, 7)
    values = np.array([float(schedule(t)) for t in ts])
    assert np.allclose(values, np.polynomial.polynomial.polyval(ts, np.asarray(schedule.taylor())), atol=1e-12)
    assert np.allclose(values[[0, -1]], points[jnp.array([0, 4])], atol=1e-14)
    line = PolynomialSchedule(jnp.array([1.0, 0.5]), jnp.asarray(2.0))
    assert np.isclose(float(line(2.0)), 1.5)
    assert np.allclose(schedule.along(jnp.asarray(ts / 2.5)), values, atol=1e-14)
    assert np.isclose(schedule.start(), points[0]) and np.isclose(schedule.end(), points[4])


@pytest.mark.parametrize(("order", "exact"), [(2, -0.326171), (4, -0.341378)])
def test_harmonic_ramp_has_its_exact_minimum(order, exact):
    found = jt.optimal_ramp(harmonic(), 1.0, 0.0, 1.0, 5.0, order)
    assert abs(found.work - exact) < 1e-6
    assert found.work > -5.0 / 14.0 and len(found.coefficients) == order
    assert found.ok and found.error < 1e-8


@pytest.mark.parametrize(("gamma", "duration"), [(1.0, 5.0), (0.3, 3.0)])
def test_jumps_reach_the_analytic_bound(gamma, duration):
    bound = -0.5 * duration / (duration + 2.0 * gamma)
    found = jt.optimal_ramp(harmonic(gamma), 1.0, 0.0, 1.0, duration, 1, jumps=True)
    assert abs(found.work - bound) < 1e-8 and found.work > bound - 1e-9
    velocity = 1.0 / (duration + 2.0 * gamma)
    assert np.allclose(found.kicks, (velocity, -velocity), atol=1e-4)
    # In other units it is the same search.
    mass, length, time = 1e-26, 1e-9, 1e-12
    energy, momentum = mass * (length / time) ** 2, mass * length / time
    grid = jt.PhaseGrid(8.0 * length, 0.4 * length, 8.0 * momentum, 0.4 * momentum)
    well, strength = jt.Polynomial([0.0, 0.0, 0.5 * mass / time**2]), (gamma * mass / time) ** 0.5
    particle = jt.classical_oscillator(well, strength, grid, mass=mass)
    scaled = jt.optimal_ramp(particle, 1.0 / energy, 0.0, energy / length, duration * time, 1, jumps=True)
    assert scaled.work / energy == pytest.approx(float(found.work), abs=1e-9) and scaled.ok


@pytest.mark.parametrize(
    ("gamma", "duration", "published"),
    [(1.0, 1.0, 25.0 / 3.0), (1.0 / 7.0, 0.15 * 2.0 * np.pi, 2.90787)],
    ids=["overdamped", "underdamped"],
)
def test_traps_of_nestbench_are_moved_with_the_published_work(gamma, duration, published):
    """arXiv 2506.15122, problems 1 and 2, with the energy 25/2 of the trap; up to four thermal velocities.

    With impulses at both ends the least work does not depend on the mass, so it is that of the overdamped problem too.
    """
    found = jt.optimal_ramp(harmonic(gamma, None), 1.0, 0.0, 5.0, duration, 1, jumps=True)
    velocity = 5.0 / (duration + 2.0 * gamma)
    assert found.ok
    assert abs(found.work + 2.5 * duration * velocity) < 1e-8
    assert abs(found.work + 12.5 - published) < 1e-5
    assert np.allclose(found.kicks, (velocity, -velocity), atol=1e-5)


def fast_ramp(grid=None):
    """A ramp with impulses of four thermal momenta, by a factor of 10 faster than friction, and how far it is off."""
    k, mass, gamma, start, end, duration = 1.52, 1.97, 0.39**2, 0.35, 2.98, 0.37
    well, X = jt.Polynomial([0.0, 0.0, 0.5 * k, 0.0, 0.0]), jt.Polynomial([0.0, 1.0, 0.0])
    oscillator = jt.classical_oscillator(well, np.sqrt(gamma), grid, mass=mass, coordinate=X)
    found = jt.optimal_ramp(oscillator, 0.7, start, end, duration, 2, jumps=True)
    least = -start * (end - start) / k - 0.5 * (end - start) ** 2 * duration / (k * (duration + 2.0 * gamma / k))
    assert found.ok
    return found, abs(found.work - least)


def test_a_grid_has_room_for_impulses():
    found, off = fast_ramp()
    assert off < found.error + 1e-9 < 1e-8


def test_the_error_of_a_ramp_counts_what_the_rim_cuts_off():
    """The default grid had been this one, and `error` 1.8e-10."""
    found, off = fast_ramp(jt.PhaseGrid(9.7, 0.441, 15.6, 0.711))
    assert 1e-8 < off < found.error < 1e-6


def test_a_ramp_on_a_grid_too_small_for_it_says_so():
    oscillator = harmonic(grid=jt.PhaseGrid(5.0, 0.25, 5.0, 0.25))
    with pytest.warns(JaxthermoWarning, match="grid too small"):
        assert jt.optimal_ramp(oscillator, 1.0, 0.0, 3.0, 0.5, 1, jumps=True).status == Status.grid_too_small


def test_one_program_serves_all_ramps_of_one_order():
    def ramp(gamma, beta, x_end, duration, dt):
        return jt.optimal_ramp(harmonic(gamma), beta, 0.1, x_end, duration, 1, jumps=True, dt=dt)

    ramp(1.0, 1.0, 1.0, 5.0, 0.05)
    with compilations() as made:
        assert ramp(0.7, 0.9, 1.1, 2.3, 0.04).ok
    assert not made


def test_ramp_coefficients_are_the_protocol_that_was_found():
    """Driven along the reported polynomial, the oscillator does the reported work."""
    oscillator = harmonic()
    found = jt.optimal_ramp(oscillator, 1.0, 0.0, 1.0, 5.0, 2)
    c = jnp.asarray(found.coefficients)

    def x(t):
        s = t / 5.0
        return s + s * (1.0 - s) * (c[0] + c[1] * s)

    run = jt.drive(oscillator, 1.0, x, np.linspace(0.0, 5.0, 6), tol=1e-7)
    assert abs(float(run.work[-1]) - found.work) < 1e-5


def test_anharmonic_ramp_beats_the_line():
    oscillator = quartic(grid=jt.PhaseGrid(5.6, 0.28, 8.0, 0.4))
    line = jt.drive(oscillator, 1.0, lambda t: 0.25 * jnp.asarray(t), np.linspace(0.0, 4.0, 5))
    found = jt.optimal_ramp(oscillator, 1.0, 0.0, 1.0, 4.0, 2)
    free = jt.planck_potential(oscillator, 1.0, 0.0) - jt.planck_potential(oscillator, 1.0, 1.0)
    assert float(free) < found.work < float(line.work[-1]) - 1e-3


def test_a_value_is_the_cost_of_its_protocol():
    """Driven along the reported polynomials under step control, the state costs what is reported."""
    oscillator = quartic(grid=FINER_GRID)
    state = jt.equilibrium(oscillator, 0.7, 0.3)
    found = jt.minimum_work(oscillator, state, 1.0, 0.8, order=8, horizon=0.5)
    assert found.ok and found.error < 1e-5
    beta, x = (PolynomialSchedule(jnp.asarray(c), jnp.asarray(0.5)) for c in (found.beta_chebyshev, found.x_chebyshev))
    run = jt.drive(oscillator, beta, x, np.linspace(0.0, 0.5, 3), state=state, tol=1e-9)
    spent = float(jt.planck_potential(oscillator, *found.last)) + float(run.work_int[-1])
    # `error` bounds that of the time step, of which a tenth is usual; drives differ by their own error.
    assert abs(found.value - spent) < 0.1 * found.error + 1e-6
    # With steps of 0.1 alone a search finds a protocol that seems to cost 1e-3 less than the best one does.
    assert found.lower + 1e-3 < found.value


def test_high_orders_do_not_undercut_the_exact_bound():
    oscillator = quartic(grid=FINER_GRID)
    start = jt.equilibrium(oscillator, 1.0, -0.5)
    found = jt.minimum_work(oscillator, start, 1.0, 0.5, order=8)
    assert found.ok and found.error < 2e-6
    assert found.lower <= found.value < found.lower + 1e-4


def test_a_state_that_its_grid_cannot_hold_is_not_ok():
    oscillator = quartic(grid=jt.PhaseGrid(2.8, 0.2, 8.4, 0.7))
    with pytest.warns(JaxthermoWarning, match="grid too small"):
        found = jt.minimum_work(oscillator, jt.equilibrium(oscillator, 0.4, 1.0), 0.5, 0.8, order=2, dt=0.25)
    assert found.status == Status.grid_too_small


def test_one_program_serves_all_searches_of_one_order(oscillator, state):
    jt.minimum_work(oscillator, state, 1.0, 0.8, order=2, dt=0.25)
    other = jt.equilibrium(oscillator, 0.9, 0.1)
    with compilations() as made:
        jt.minimum_work(oscillator, other, 1.1, 0.6, order=2, horizon=0.8, dt=0.1)
    assert not made


def test_a_search_is_the_same_inside_of_transformations(oscillator, state):
    """jit, vmap and both modes of differentiation, against the search from the host and central differences."""

    def value(beta):
        return jt.minimum_work(oscillator, state, beta, 0.8, order=2, dt=0.25).value

    eager = jt.minimum_work(oscillator, state, 1.0, 0.8, order=2, dt=0.25)
    betas, step = jnp.array([1.0, 0.999, 1.001]), 1e-3
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(value)))(betas)
    assert abs(float(values[0]) - float(eager.value)) < 1e-12
    central = float(values[2] - values[1]) / (2.0 * step)
    assert abs(float(slopes[0]) - central) < 1e-5
    with pytest.raises(NotImplementedError, match="second derivatives"):
        jax.eval_shape(jax.grad(jax.grad(value)), 1.0)


def test_forward_derivatives_of_a_search_are_those_in_reverse(oscillator, state):
    def value(beta):
        return jt.minimum_work(oscillator, state, beta, 0.8, order=2, dt=0.25).value

    found, slope = jax.jit(jax.value_and_grad(value))(0.999)
    alone, forward = jax.jit(lambda beta: jax.jvp(value, (beta,), (jnp.ones(()),)))(0.999)
    assert abs(float(alone - found)) < 1e-12
    # The protocol, at which the slope is taken, is known to the root of what the value is known to.
    assert abs(float(forward - slope)) < 1e-7


def test_a_scan_takes_a_search_as_it_is(oscillator, state):
    """A state that is no equilibrium makes its search one of something else, whatever it finds."""
    lost = jnp.asarray(int(Status.not_converged), jnp.int32)

    def search(beta, worse):
        start = eqx.tree_at(lambda s: s.status, state, jnp.where(worse > 0, lost, state.status))
        return jt.minimum_work(oscillator, start, beta, 0.8, order=2, dt=0.25)

    data = jt.scan(search, {("beta", "worse"): ([1.0, 0.9], [0.0, 1.0])})
    loop = [jt.minimum_work(oscillator, state, beta, 0.8, order=2, dt=0.25) for beta in (1.0, 0.9)]
    # Near a minimum the protocol is known to the root of what its cost is known to.
    for name, error in (("value", 1e-12), ("lower", 1e-12), ("upper", 1e-12), ("beta_coefficients", 1e-6)):
        np.testing.assert_allclose(data[name], [getattr(one, name) for one in loop], rtol=0.0, atol=error)
    assert data.status.values.tolist() == [Status.ok, Status.not_converged]
    assert data.beta_coefficients.dims == ("beta_worse", "power") and data.last_beta.attrs["units"] == "1/energy"


def test_a_result_prints_itself_and_is_a_dataset(oscillator, state):
    found = jt.minimum_work(oscillator, state, 1.0, 0.8, order=2, dt=0.25)
    data = found.to_dataset()
    assert float(data.value) == float(found.value) and data.x_chebyshev.attrs["units"] == "energy/X"
    assert data.attrs["solves"] == int(found.solves) and "non-equilibrium Planck potential" in repr(found)


def test_what_cannot_be_traced_is_named(oscillator, state):
    with pytest.raises(ValueError, match="`horizon` must be a known number"):
        jax.eval_shape(lambda t: jt.minimum_work(oscillator, state, 1.0, 0.8, horizon=t), 1.0)


def test_equilibrium_costs_nothing_less_than_its_potential(oscillator, state):
    found = jt.minimum_work(oscillator, state, 0.7, 0.3, order=2, dt=0.25)
    # The entropy of a density on a mesh as coarse as this one is good to 1e-5.
    assert abs(found.value - found.upper) < 1e-7 and abs(found.lower - found.upper) < 1e-5
    assert np.isclose(found.upper, jt.planck_potential(oscillator, 0.7, 0.3))


def test_values_lie_between_the_bounds_and_jumps_reach_the_lower_one(oscillator, state):
    found = jt.minimum_work(oscillator, state, 1.0, 0.8, order=2, dt=0.25)
    assert found.lower < found.value < found.upper
    assert np.isclose(found.beta_coefficients[0], 1.0) and np.isclose(found.x_coefficients[0], 0.8)
    assert (np.diff(found.history[: found.stats["steps"]]) <= 0.0).all() and found.solves > found.stats["steps"]
    free = jt.minimum_work(oscillator, state, 1.0, 0.8, order=1, jumps=True, dt=0.1)
    assert abs(free.gap) < 1e-5 * abs(free.lower)
    assert np.allclose(free.last, (0.7, 0.3), atol=1e-3)


def test_an_end_of_the_range_does_not_hold_a_search_fast():
    """From the protocol that rests the first steps go to a corner of the allowed range; the best protocol is elsewhere,
    as further searches find too."""
    model = harmonic()
    cold = jt.equilibrium(model, 2.0, 1.0)
    found, best = (
        jt.minimum_work(model, cold, 0.5, -1.0, order=2, dt=0.25, restarts=count, progress=False) for count in (0, 3)
    )
    assert found.ok and abs(found.value - best.value) < 1e-6 and found.value < -0.508


@pytest.mark.parametrize("weight", [0.2, 0.8])
def test_potentials_are_concave_under_mixing_of_states(oscillator, state, weight):
    """Xi of a mixture is at least the mixture of Xi at equal (beta, x), for a fixed protocol costs a mixture its mean.

    Phi = Xi - x~ X then is too, since X is linear in the state; and so is the bound, the entropy being concave.
    """
    other = jt.equilibrium(oscillator, 0.5, 1.2)
    mixture = eqx.tree_at(lambda s: s.V, state, weight * state.V + (1.0 - weight) * other.V)
    one, two, both = (jt.minimum_work(oscillator, s, 1.0, 0.8, order=2, dt=0.25) for s in (state, other, mixture))
    mean = weight * one.value + (1.0 - weight) * two.value
    # 1e-8 is what a search may have left to gain when it stops.
    assert both.value >= mean - 1e-8 and both.value > mean + 1e-4
    assert both.lower > weight * one.lower + (1.0 - weight) * two.lower


def test_massieu_potential_of_a_state_does_not_depend_on_the_field_it_is_looked_at_from(oscillator, state):
    """With free jumps the first one moves x at no change of Phi = Xi - beta x X: it is a function of state and beta."""
    seen = [
        jt.minimum_work(oscillator, state, 1.0, x, order=1, jumps=True, dt=0.1).value - x * state.X for x in (0.6, 0.9)
    ]
    assert abs(seen[0] - seen[1]) < 1e-6


def test_gradient_is_the_central_difference(objective):
    problem, value_and_grad = objective
    z = 0.2 * jnp.asarray(np.random.default_rng(1).standard_normal(problem.parameters))
    _, slope = value_and_grad(z)
    for i in range(problem.parameters):
        step = jnp.zeros_like(z).at[i].set(1e-5)
        central = float(value_and_grad(z + step)[0] - value_and_grad(z - step)[0]) / 2e-5
        assert abs(central - float(slope[i])) < 1e-7


def test_never_worse_than_nelder_mead(objective, oscillator, state):
    problem, value_and_grad = objective
    ours = jt.minimum_work(oscillator, state, 1.0, 0.8, order=2, dt=0.25)
    simplex = minimize(
        lambda z: float(value_and_grad(jnp.asarray(z))[0]),
        np.zeros(problem.parameters),
        method="Nelder-Mead",
        options={"maxfev": 1500, "xatol": 1e-8, "fatol": 1e-12},
    )
    # The simplex searches on the first steps of ours; the value itself is that of steps half as long.
    assert int(ours.stats["time_steps"]) == 16
    assert float(np.nanmin(ours.history)) <= simplex.fun + 1e-8
    change = abs(float(ours.value) - float(np.nanmin(ours.history)))
    assert float(ours.error) == pytest.approx(1.5 * change + 0.01 * float(ours.step_error))
    assert int(ours.solves) * 25 < 1500 * 4


@pytest.fixture(scope="module")
def quantum(tmp_path_factory):
    """An oscillator, and a cache in which the search and its test share one table of the potential."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXTHERMO_CACHE", str(tmp_path_factory.mktemp("planck")))
        yield jt.quantum_oscillator(HARMONIC, 1.0, poles=1, depth=1, grid=jt.PhaseGrid(7.0, 0.5, 9.0, 0.6))


def test_quantum_search_stays_below_its_upper_bound(quantum):
    start = jt.equilibrium(quantum, 0.8, 0.0)
    found = jt.minimum_work(quantum, start, 1.0, 0.4, order=2, dt=0.25)
    assert found.lower is None and found.gap is None
    assert found.ok
    assert found.value < found.upper - 1e-3


def test_quantum_table_has_the_equilibrium_means_as_derivatives(quantum):
    """dXi/dx = beta X is not put into the table: it holds as far as the Maxwell defect vanishes."""
    potential = jt.search.potential_around(quantum, 1.0, 0.4)
    slope = jax.jit(jax.grad(potential, argnums=(0, 1)))(1.0, 0.4)
    state = jt.equilibrium(jt.quantum_oscillator(HARMONIC, 1.0, poles=1, depth=1), 1.0, 0.4)
    assert np.allclose(slope, (-(state.U - 0.4 * state.X), state.X), atol=1e-6)
    assert potential.table.maxwell_defect < 1e-6 and potential.table.residual < 1e-8


def test_a_quantum_search_takes_its_potential_from_outside(quantum):
    """Where jax traces there is no other way; errors of its equilibria reach the status of the search."""
    start, potential = jt.equilibrium(quantum, 0.8, 0.0), jt.search.potential_around(quantum, 1.0, 0.4)
    bad = eqx.tree_at(lambda p: p.table.error, potential, jnp.asarray(1e-3))
    with pytest.warns(JaxthermoWarning, match="not converged"):
        found = jt.minimum_work(quantum, start, 1.0, 0.4, order=2, dt=0.25, potential=bad)
    assert found.status == Status.not_converged
    with pytest.raises(ValueError, match="`potential` must be made for this beta and x"):
        jt.minimum_work(quantum, start, 1.2, 0.4, order=2, dt=0.25, potential=potential)
    for beta, status in ((1.0, Status.ok), (1.2, Status.invalid_input)):
        problem = problem_of(quantum, potential, start.V, jnp.asarray(beta), jnp.asarray(0.4), jnp.ones(()), 2, False)
        assert jax.jit(potential_status)(problem) == status


def minimise(function, stopping):
    """A whole search from (0, 0), as a program."""

    def turn(state):
        (value, aux), slope = jax.value_and_grad(function, has_aux=True)(state.trial)
        return after_evaluation(state, value, aux, slope, stopping)

    first = initial_state(jnp.zeros(2), jnp.zeros(()), stopping)
    end = jax.jit(lambda: jax.lax.while_loop(lambda state: unfinished(state, stopping), turn, first))()
    return minimum_of(end, stopping)


def test_a_minimisation_says_how_it_ended():
    def bowl(z):
        return jnp.sum((z - 1.0) ** 2 * jnp.array([1.0, 30.0])), z[0]

    good = minimise(bowl, Stopping(50, 1e-8, 1e-14))
    assert good.status == Status.ok and np.allclose(good.point, 1.0) and float(good.aux) == float(good.point[0])
    short = minimise(bowl, Stopping(1, 1e-12, 0.0))
    assert short.status == Status.max_steps_reached and float(short.value) < 31.0
    wall = minimise(lambda z: (jnp.where(z[0] > 0, jnp.inf, -z[0]), z[1]), Stopping(9, 1e-8, 1e-14))
    assert wall.status == Status.plateau and float(wall.value) == 0.0
    lost = minimise(lambda z: (jnp.sum(z) * jnp.nan, z[0]), Stopping(3, 0.0, 0.0))
    assert lost.status == Status.not_finite


@pytest.mark.parametrize(
    ("change", "name"),
    [({"horizon": 0.0}, "horizon"), ({"order": 0}, "order"), ({"dt": -1.0}, "dt"), ({"restarts": -1}, "restarts")],
)
def test_bad_searches_are_named(oscillator, state, change, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        jt.minimum_work(oscillator, state, 1.0, 0.5, **change)


def test_bad_states_and_values_are_named(oscillator, state):
    other = jt.classical_oscillator(QUARTIC, 1.0, jt.PhaseGrid(5.6, 0.35, 8.4, 0.7))
    with pytest.raises(ValueError, match="`state` must be on the oscillator's grid"):
        jt.minimum_work(other, state, 1.0, 0.5)
    with pytest.raises(ValueError, match="`beta`"):
        jt.minimum_work(oscillator, state, 0.0, 0.5)
    with pytest.raises(ValueError, match="`duration`"):
        jt.optimal_ramp(oscillator, 1.0, 0.0, 1.0, -1.0, 2)
    with pytest.raises(ValueError, match="`order`"):
        jt.optimal_ramp(oscillator, 1.0, 0.0, 1.0, 1.0, 0)


def test_newton_ends_a_quadratic_search_in_one_step_and_others_soon():
    matrix = np.array([[2.0, 0.01], [0.01, 1e-3]])

    def quadratic(z):
        return 0.5 * float(z @ matrix @ z) - float(z[1]), matrix @ z - np.array([0.0, 1.0])

    done = newton_descent(quadratic, np.zeros(2), gain=1e-13, max_steps=9)
    assert done.status is Status.ok and len(done.history) == 2
    assert np.allclose(done.point, np.linalg.solve(matrix, [0.0, 1.0]), rtol=1e-6)

    def rosenbrock(z):
        a, b = z
        slope = np.array([-400.0 * a * (b - a**2) - 2.0 * (1.0 - a), 200.0 * (b - a**2)])
        return float(100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2), slope

    done = newton_descent(rosenbrock, np.array([-1.2, 1.0]), gain=1e-13, max_steps=60)
    assert done.status is Status.ok and np.allclose(done.point, 1.0, atol=1e-6)
    assert (np.diff(done.history) < 0.0).all()


def test_newton_leaves_a_saddle_and_says_how_it_ended():
    def saddle(z):
        return float(z[0] ** 2 - z[1] ** 2 + z[1] ** 4), np.array([2.0 * z[0], -2.0 * z[1] + 4.0 * z[1] ** 3])

    done = newton_descent(saddle, np.array([0.3, 0.01]), gain=1e-13, max_steps=60)
    assert done.status is Status.ok and abs(done.value + 0.25) < 1e-10
    assert newton_descent(saddle, np.array([0.3, 0.01]), gain=1e-13, max_steps=1).status is Status.max_steps_reached
    assert newton_descent(lambda z: (np.nan, z), np.ones(2), gain=1e-13, max_steps=5).status is Status.not_finite


def test_progress_is_shown_where_it_is_asked_for(oscillator, state, capsys):
    jt.minimum_work(oscillator, state, 1.0, 0.8, order=2, dt=0.25)
    assert capsys.readouterr().err == ""
    jt.minimum_work(oscillator, state, 1.0, 0.8, order=2, dt=0.25, progress=True)
    assert "minimum_work: 8 steps" in capsys.readouterr().err
