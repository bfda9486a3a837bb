"""Schedules, and those of the Stirling cycle: corners, ramps, periodicity, derivatives, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import jaxthermo as jt
from jaxthermo.protocols.cycle import check_cycle
from jaxthermo.protocols.polynomial import from_control_points
from jaxthermo.protocols.schedules import as_schedule, rate_at, value_at

CYCLE = jt.StirlingCycle(0.5, 1.5, 0.2, 1.0, 10.0, (0.1, 0.2, 0.3, 0.4))
# Ramps that begin and end inside, before and after their strokes.
RAMPS = ((0.5, 1.5), (0.25, 1.0), (0.0, 1.1), (0.5, 1.1))


def test_corners_have_the_values_of_the_four_strokes():
    corners = CYCLE.corners()
    np.testing.assert_allclose(corners, [0.0, 1.0, 3.0, 6.0, 10.0], rtol=1e-14)
    np.testing.assert_allclose([CYCLE.beta(t) for t in corners], [0.5, 0.5, 1.5, 1.5, 0.5], rtol=1e-12)
    np.testing.assert_allclose([CYCLE.x(t) for t in corners], [0.2, 1.0, 1.0, 0.2, 0.2], rtol=1e-12)
    np.testing.assert_array_equal(CYCLE.knots(), corners)


def test_between_corners_it_is_linear():
    t = np.linspace(0.0, 10.0, 401)
    corners = np.asarray(CYCLE.corners())
    np.testing.assert_allclose(jax.vmap(CYCLE.beta)(t), np.interp(t, corners, [0.5, 0.5, 1.5, 1.5, 0.5]), atol=1e-13)
    np.testing.assert_allclose(jax.vmap(CYCLE.x)(t), np.interp(t, corners, [0.2, 1.0, 1.0, 0.2, 0.2]), atol=1e-13)


def test_it_repeats_with_the_period():
    t = jnp.linspace(0.05, 9.95, 34)
    for schedule in (CYCLE.beta, CYCLE.x):
        for turns in (-20.0, 10.0, 50.0):
            np.testing.assert_allclose(jax.vmap(schedule)(t + turns), jax.vmap(schedule)(t), atol=1e-12)


def test_ramps_of_their_own_reach_into_other_strokes():
    cycle = jt.StirlingCycle(0.5, 1.5, 0.2, 1.0, 10.0, (0.1, 0.2, 0.3, 0.4), RAMPS)
    t = np.linspace(0.0, 10.0, 401)
    # x: out from 0.5 to 1.5, back from 3 to 6.3. beta: out from 1.5 to 3, back from 8 to 10.4, which is 0.4.
    x = np.interp(t, [0.5, 1.5, 3.0, 6.3], [0.2, 1.0, 1.0, 0.2])
    middle = 1.5 - 1.0 * (2.0 / 2.4)
    beta = np.interp(t, [0.0, 0.4, 1.5, 3.0, 8.0, 10.0], [middle, 0.5, 0.5, 1.5, 1.5, middle])
    np.testing.assert_allclose(jax.vmap(cycle.x)(t), x, atol=1e-12)
    np.testing.assert_allclose(jax.vmap(cycle.beta)(t), beta, atol=1e-12)
    np.testing.assert_allclose(cycle.beta(10.0 - 1e-12), cycle.beta(0.0), atol=1e-10)
    check_cycle(cycle)


fraction = st.floats(0.0, 1.0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(fraction, fraction), min_size=4, max_size=4), st.lists(st.floats(0.05, 1.0), min_size=4))
def test_knots_are_increasing_and_hold_every_corner(ramps, lengths):
    ramps = np.array([(min(a, b) * 0.9, max(a, b) * 0.9 + 0.1) for a, b in ramps])
    strokes = np.array(lengths[:4]) / np.sum(lengths[:4])
    cycle = jt.StirlingCycle(0.5, 1.5, 0.2, 1.0, 7.0, strokes, ramps)
    knots = np.asarray(cycle.knots())
    assert knots.shape == (13,)
    assert np.all(np.diff(knots) > 0)
    assert knots[0] == 0.0 and knots[-1] == 7.0
    begin, end = cycle.spans()
    for corner in np.concatenate([np.asarray(begin) % 7.0, np.asarray(end) % 7.0, cycle.corners()]):
        # Coinciding corners are moved apart by 1e-9 of the period each.
        assert np.abs(knots - corner).min() < 20e-9 * 7.0


def test_knots_are_differentiable_in_both_modes():
    def last_corner(strokes):
        return jt.StirlingCycle(0.5, 1.5, 0.2, 1.0, 10.0, strokes, RAMPS).knots()

    strokes = jnp.array([0.1, 0.2, 0.3, 0.4])
    forward, reverse = jax.jit(lambda s: (jax.jacfwd(last_corner)(s), jax.jacrev(last_corner)(s)))(strokes)
    np.testing.assert_allclose(forward, reverse, atol=1e-12)
    assert np.all(np.isfinite(forward))


def test_schedules_are_numbers_or_callables():
    assert value_at(0.7, 3.0) == 0.7
    assert value_at(lambda t: 2.0 * t, 3.0) == 6.0
    value, rate = rate_at(0.7, 3.0)
    assert (value, rate) == (0.7, 0.0)
    value, rate = rate_at(lambda t: jnp.sin(2.0 * t), 0.3)
    np.testing.assert_allclose([value, rate], [np.sin(0.6), 2.0 * np.cos(0.6)], rtol=1e-14)
    inside, slope = rate_at(CYCLE.x, 0.5)
    np.testing.assert_allclose([inside, slope], [0.6, 0.8], rtol=1e-13)


T = np.linspace(-1.0, 6.0, 141)
ORDERS = np.array([1.0, 2.0])
SCHEDULES = {
    "constant": (jt.Constant(0.7), lambda t: np.full_like(t, 0.7)),
    "ramp": (jt.Ramp(0.5, 1.5, 1.0, 4.0), lambda t: np.interp(t, [1.0, 4.0], [0.5, 1.5])),
    "table": (
        jt.Table([0.0, 1.0, 1.5, 5.0], [0.2, 1.0, 0.4, 0.9]),
        lambda t: np.interp(t, [0.0, 1.0, 1.5, 5.0], [0.2, 1.0, 0.4, 0.9]),
    ),
    "fourier": (
        jt.Fourier(1.0, [0.2, -0.1], [0.05, 0.3], 4.0),
        lambda t: (
            1.0
            + sum((np.array([0.2, -0.1]) * np.cos(np.outer(t, 0.5 * np.pi * ORDERS))).T)
            + sum((np.array([0.05, 0.3]) * np.sin(np.outer(t, 0.5 * np.pi * ORDERS))).T)
        ),
    ),
    "polynomial": (from_control_points(jnp.array([0.5, 1.0, 0.2]), 4.0), lambda t: 0.5 + t / 4 - 1.3 * (t / 4) ** 2),
}


@pytest.mark.parametrize("kind", SCHEDULES)
def test_schedules_have_their_values_and_rates(kind):
    schedule, expected = SCHEDULES[kind]
    values, rates = jax.jit(jax.vmap(lambda t: rate_at(schedule, t)))(jnp.asarray(T))
    np.testing.assert_allclose(values, expected(T), atol=1e-13)
    # Away from the corners, which are at multiples of a half.
    smooth = np.abs(2.0 * T - np.round(2.0 * T)) > 0.05
    slope = (expected(T + 1e-6) - expected(T - 1e-6)) / 2e-6
    np.testing.assert_allclose(np.asarray(rates)[smooth], slope[smooth], atol=1e-8)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_schedules_are_differentiated_in_their_parameters(kind):
    """Along one direction through every number of the schedule, at times between its corners."""
    schedule, _ = SCHEDULES[kind]
    times = jnp.asarray(T[np.abs(2.0 * T - np.round(2.0 * T)) > 0.05])
    direction = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(leaf.size, dtype=float)).reshape(leaf.shape), schedule)

    def values(s):
        return jnp.stack([*jax.vmap(lambda t: rate_at(s, t))(times)])

    moved = [jax.tree.map(lambda a, d, h=h: a + h * d, schedule, direction) for h in (1e-6, -1e-6)]
    central = (values(moved[0]) - values(moved[1])) / 2e-6
    np.testing.assert_allclose(jax.jvp(values, (schedule,), (direction,))[1], central, atol=1e-8)


def test_a_new_schedule_of_the_same_kind_is_the_same_program():
    traces = []

    @jax.jit
    def value(schedule, t):
        traces.append(type(schedule))
        return value_at(schedule, t)

    for end in (0.5, 0.7, 0.9):
        for schedule in (jt.Constant(end), jt.Ramp(0.2, end, 0.0, 2.0), jt.Table([0.0, 2.0], [0.2, end])):
            value(schedule, 1.0)
    assert len(traces) == 3


def test_a_loop_over_ramps_of_a_ring_traces_once():
    class Counted(jt.protocols.AbstractSchedule):
        ramp: jt.Ramp

        def __call__(self, t):
            traces.append(1)
            return self.ramp(t)

    traces, ends = [], []
    ring = jt.PottsRing(q=3, coupling=-1.0, force=1.0, prefactor=0.1)
    for end in (1.5, 2.0, 2.5):
        run = jt.potts.evolve(ring, Counted(jt.Ramp(1.0, end, 0.0, 2.0)), [0.8, 0.1, 0.1], [0.0, 1.0, 2.0])
        ends.append(len(traces))
        np.testing.assert_allclose(run.beta[:, 0], [1.0, 0.5 * (1.0 + end), end], rtol=1e-14)
    # What checks the schedule at the door calls it again, but the solve does not compile again.
    assert ends[2] - ends[1] == ends[1] - ends[0] <= 2


def test_a_number_is_a_constant_schedule():
    assert isinstance(as_schedule("x", 2), jt.Constant)
    assert value_at(as_schedule("x", 2), 5.0) == 2.0
    with pytest.raises(ValueError, match="`x` must be a scalar"):
        as_schedule("x", np.array([1.0, 2.0]))


BAD_SCHEDULES = {
    "constant": (lambda: jt.Constant(np.inf), "`value` must be finite"),
    "ramp's order": (lambda: jt.Ramp(0.0, 1.0, 2.0, 2.0), "`t1` must be > t0 = 2.0"),
    "ramp's end": (lambda: jt.Ramp(0.0, np.nan, 0.0, 2.0), "`end` must be finite"),
    "one time": (lambda: jt.Table([0.0], [1.0]), "`times` must have shape"),
    "times' order": (lambda: jt.Table([0.0, 2.0, 1.0], [1.0, 1.0, 1.0]), "`times` must be strictly increasing"),
    "values' number": (lambda: jt.Table([0.0, 1.0], [1.0]), "`values` must have the shape"),
    "values": (lambda: jt.Table([0.0, 1.0], [1.0, np.nan]), "`values` must be finite"),
    "period": (lambda: jt.Fourier(1.0, [0.1], [0.1], 0.0), "`period` must be > 0"),
    "sines": (lambda: jt.Fourier(1.0, [0.1], [0.1, 0.2], 1.0), "`sines` must have the shape"),
    "cosines": (lambda: jt.Fourier(1.0, 0.1, 0.1, 1.0), "`cosines` must have shape"),
}


@pytest.mark.parametrize("case", BAD_SCHEDULES)
def test_a_bad_schedule_names_its_argument(case):
    make, message = BAD_SCHEDULES[case]
    with pytest.raises(ValueError, match=message):
        make()


OVERLAPPING = ((0.0, 1.0), (0.0, 1.0), (-2.0, 0.5), (0.0, 1.0))
BAD = {
    "beta_hot": ((-0.5, 1.5, 0.2, 1.0), {}, "`beta_hot` must be > 0"),
    "beta_cold": ((0.5, 0.0, 0.2, 1.0), {}, "`beta_cold` must be > 0"),
    "beta_nan": ((np.nan, 1.0, 0.2, 1.0), {}, "`beta_hot` must be finite"),
    "x_start": ((0.5, 1.5, np.inf, 1.0), {}, "`x_start` must be finite"),
    "x_end": ((0.5, 1.5, 0.2, np.nan), {}, "`x_end` must be finite"),
    "x_shape": ((0.5, 1.5, np.array([0.2, 0.3]), 1.0), {}, "`x_start` must be a scalar"),
    "period": ((0.5, 1.5, 0.2, 1.0, 0.0), {}, "`period` must be > 0"),
    "three strokes": ((0.5, 1.5, 0.2, 1.0, 10.0, (0.3, 0.3, 0.4)), {}, "`strokes` must have shape"),
    "strokes' sum": ((0.5, 1.5, 0.2, 1.0, 10.0, (0.3, 0.3, 0.3, 0.3)), {}, "`strokes` must sum to 1"),
    "empty stroke": ((0.5, 1.5, 0.2, 1.0, 10.0, (0.0, 0.3, 0.3, 0.4)), {}, "`strokes` must be > 0"),
    "ramps' shape": ((0.5, 1.5, 0.2, 1.0), {"ramps": [0.0, 1.0]}, "`ramps` must have shape"),
    "ramps' order": ((0.5, 1.5, 0.2, 1.0), {"ramps": [[0.5, 0.5]] * 4}, "`ramps` must end after they begin"),
    "overlap": ((0.5, 1.5, 0.2, 1.0), {"ramps": OVERLAPPING}, "`ramps` must not overlap, but those of x"),
    "ramps' NaN": ((0.5, 1.5, 0.2, 1.0), {"ramps": [[0.0, np.nan]] * 4}, "`ramps` must be finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_cycle_names_its_argument(case):
    arguments, keywords, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        check_cycle(jt.StirlingCycle(*arguments, **keywords))
