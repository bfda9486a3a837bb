"""The search for better engines: its gradient, what it gains on a finer mesh, and what it refuses."""

import dataclasses
import functools
import inspect
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxthermo as jt
from jaxthermo import Status
from jaxthermo._results import JaxthermoWarning
from jaxthermo.papers.engine import better_engine as report
from jaxthermo.search import engine
from jaxthermo.search.free_parameters import (
    free_parameters,
    parameter_names as free_names,
    value_at as at,
    with_parameters,
)

OSCILLATOR = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(6.0, 0.5, 6.0, 0.5))
CYCLE = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "`steps`"),
        ({"bounds": {}}, "`bounds`"),
        ({"bounds": {"mass": (1.0, 2.0)}}, "'mass'"),
        ({"bounds": {"period": (-1.0, 30.0)}}, "impossible cycles: `period` must be > 0"),
        ({"bounds": {"x_end": (1.2, 0.5)}}, "low < high"),
        ({"bounds": {"x_end": (1.2, 1.5)}}, "hold the starting cycle"),
        ({"bounds": {"strokes": ([0.1, 0.2], 0.5)}}, "shape \\(4,\\) for strokes"),
        (
            {"bounds": {"ramps": (0.0, 1.0)}},
            "parameters of beta_hot, beta_cold, x_start",
        ),
    ],
)
def test_bad_searches_are_named_before_anything_is_computed(options, message):
    with pytest.raises(ValueError, match=message):
        jt.optimise_cycle(OSCILLATOR, CYCLE, **options)


FOURIER = jt.FourierCycle(0.75, [0.1, 0.0], [0.2, 0.05], 1.2, [0.3, 0.0], [0.1, 0.0], 20.0, (0.5, 1.0), (1.0, 1.5))
PIECES = jt.PiecewiseCycle.along(CYCLE, 2)
CYCLES = [
    CYCLE,
    PIECES,
    jt.CarnotCycle(0.5, 1.0, [0.0, -0.2, -0.5, -0.3], 24.0),
    jt.OttoCycle(0.5, 1.0, 0.0, -0.3, 24.0),
]


SPLINES = jt.SplineCycle.along(CYCLE, 6)


@pytest.mark.parametrize("cycle", [*CYCLES, SPLINES])
def test_default_bounds_hold_the_cycle(cycle):
    for name, (low, high) in jt.search.default_bounds(cycle).items():
        value = np.asarray(getattr(cycle, name))
        assert np.all(low <= value) and np.all(value <= high), name


def test_every_array_of_any_cycle_may_be_free():
    """What a name stands for is replaced, the rest stays, and strokes fill the period again."""
    others = (FOURIER, "x_series.sines"), (PIECES, "betas"), (SPLINES, "x_coefficients")
    for cycle, name in (*((c, "strokes") for c in CYCLES), *others):
        value = np.asarray(functools.reduce(getattr, name.split("."), cycle))
        free = free_parameters(cycle, {name: (value - 0.04, value + 0.04), "period": (10.0, 40.0)})
        moved = with_parameters(jnp.asarray(free.high), cycle, free.names)
        assert float(moved.period) == 40.0
        found = np.asarray(functools.reduce(getattr, name.split("."), moved))
        wanted = value + 0.04
        np.testing.assert_allclose(found, wanted / wanted.sum() if name == "strokes" else wanted, rtol=1e-12)
        rest = [one for one in free_names(cycle) if one not in (name, "period")]
        assert rest and all(np.all(at(moved, one) == at(cycle, one)) for one in rest)
    with pytest.raises(ValueError, match="`bounds` must be given for a FourierCycle"):
        jt.search.default_bounds(FOURIER)


def test_pieces_are_another_cycle_and_may_jump():
    ts = jnp.linspace(-3.0, 45.0, 97)
    for name in ("beta", "x"):
        pieces, cycle = (jax.jit(jax.vmap(getattr(one, name)))(ts) for one in (PIECES, CYCLE))
        np.testing.assert_allclose(pieces, cycle, atol=1e-7)
    jumps = jt.PiecewiseCycle([[0.5, 0.6], [1.0, 0.9]], [2.0, 1.0], 10.0, [0.3, 0.7])
    at_corners = jax.jit(jax.vmap(jumps.beta))(jnp.asarray([0.0, 3.0 - 1e-6, 3.0, 10.0 - 1e-6, 10.0]))
    np.testing.assert_allclose(at_corners, [0.5, 0.6, 1.0, 0.9, 0.5], atol=1e-6)
    with pytest.raises(ValueError, match="switches baths"):
        jt.PiecewiseCycle.along(CYCLES[2])
    with pytest.raises(ValueError, match="`strokes` must have the 2 pieces"):
        jt.PiecewiseCycle([0.5, 1.0], [2.0, 1.0], 10.0, [0.3, 0.3, 0.4])


def test_jumps_do_the_work_of_a_state_at_rest():
    """x jumps twice in each period, and <q> swings between: W = sum of -<q> dx, from the closed first moments."""
    half, drift = 1.7, np.array([[0.0, 1.0], [-1.0, -1.0]])
    flow = scipy.linalg.expm(half * drift)
    rest = np.array([[0.0, 0.0], [1.0, 0.0]])
    # After half a period at x = 0 the mean is at `first`, and after another one at x = 1 back where it was.
    last = np.linalg.solve(np.eye(2) - flow @ flow, (np.eye(2) - flow) @ rest[1])
    first = flow @ last
    cycle = jt.PiecewiseCycle([1.0, 1.0], [[0.0, 0.0], [1.0, 1.0]], 2.0 * half)
    run = jt.run_cycle(OSCILLATOR, cycle, 1e-5, points=2, progress=False)
    assert float(run.work) == pytest.approx(last[0] - first[0], abs=1e-5)
    assert float(run.work + run.heat) == pytest.approx(0.0, abs=1e-4) and run.work > 0.1


def test_limits_hold_a_fourier_series():
    ts = jnp.linspace(0.0, 20.0, 201)
    wide = jt.FourierCycle(0.75, [2.0], [1.0], 1.2, [0.01], [0.0], 20.0, (0.5, 1.0), (1.0, 1.5))
    betas = np.asarray(jax.jit(jax.vmap(wide.beta))(ts))
    assert 0.5 <= betas.min() < 0.501 and 0.999 < betas.max() <= 1.0
    # Well inside its limits a series is nearly left alone.
    assert float(wide.x(0.0)) == pytest.approx(1.21, abs=2e-3)
    with pytest.raises(ValueError, match="`x_limits`"):
        jt.FourierCycle(0.75, [0.1], [0.1], 1.0, [0.1], [0.1], 20.0, None, (1.0, 0.5))


def test_a_cycle_that_cannot_be_run_sends_the_search_back():
    search = engine._Search(OSCILLATOR, CYCLE, jt.search.power, (), free_parameters(CYCLE, {"x_end": (0.5, 1.4)}))
    search.tried = [
        {"loss": loss, "missed": 0.0, "theta": np.array([x])} for loss, x in ((-1.0, 1.2), (-2.0, 1.0), (np.nan, 0.6))
    ]
    value, slope = search._uphill(np.array([0.6]), np.array([0.9]))
    assert value > -1.0 and slope[0] < 0.0
    search.tried = search.tried[2:]
    assert np.isnan(search._uphill(np.array([0.6]), np.array([0.9]))[0])


QUARTIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
COARSE = jt.PhaseGrid(5.6, 0.4, 9.0, 0.75)


BOUNDS = {"x_end": (0.6, 1.4), "period": (12.0, 40.0)}


def speed(run, cycle):
    """An objective of this test's own: power, and a little for short cycles."""
    return -run.work / cycle.period + 1e-4 / cycle.period


def test_a_better_engine_by_exact_gradients_is_better_on_a_finer_mesh_too():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, COARSE)
    enough = jt.search.AtLeast(jt.search.power, 1e-3)
    with pytest.warns(JaxthermoWarning, match="OptimisedCycle: grid too"):
        found = jt.optimise_cycle(oscillator, CYCLE, speed, BOUNDS, 2, constraints=[enough])
    better, gain = found.cycle, float(found.power - found.start_power)
    assert gain > 3e-4 and float(found.improvement) > 2e-4
    assert float(found.value) == pytest.approx(float(found.power + 1e-4 / better.period), abs=1e-12)
    # This mesh is too coarse for both cycles, and too narrow for some; the result does not hide it.
    told = {int(Status.grid_too_coarse), int(Status.grid_too_small)}
    assert {int(found.start_status), int(found.cycle_status), int(found.status)} <= told
    assert found.search_status == Status.max_steps_reached
    # In units of the constraint.
    assert float(found.missed) == pytest.approx(max(0.0, 1.0 - float(found.power) / 1e-3), abs=1e-12)
    assert "constraint" not in str(jt.audit(found))
    assert "misses a constraint by 0.08" in str(jt.audit(dataclasses.replace(found, missed=jnp.asarray(0.08))))
    assert len(found.history) == found.stats["evaluations"]
    fine = jt.classical_oscillator(QUARTIC, 1.0, jt.PhaseGrid(6.0, 0.28, 10.5, 0.5))
    powers = [-float(jt.run_cycle(fine, c, 1e-5, points=5).work) / float(c.period) for c in (CYCLE, better)]
    # The margin is that of the search's own mesh, which is coarse: 4 % off.
    assert powers[1] - powers[0] == pytest.approx(gain, rel=0.1)
    assert all(low <= float(getattr(better, name)) <= high for name, (low, high) in BOUNDS.items())

    # The compiled function that the search has used, at another cycle, where the constraint is missed.
    free = free_parameters(CYCLE, BOUNDS)
    search = engine._Search(found.oscillator, CYCLE, speed, (enough,), free)

    def loss(theta):
        (values, _), slopes = engine._loss(
            theta, found.oscillator, CYCLE, free.names, speed, (enough,), search.time_steps
        )
        return np.asarray(values), np.asarray(slopes)

    at = jnp.array([1.1, 22.0])
    shifts = (1e-3 * jnp.array([1.0, 0.0]), 1e-2 * jnp.array([0.0, 1.0]))
    central = np.transpose([(loss(at + s)[0] - loss(at - s)[0]) / (2.0 * float(s.sum())) for s in shifts])
    # The cycle is found to 1e-7, which the differences divide by their step; powers are of the order of 1e-3.
    np.testing.assert_allclose(loss(at)[1][0], central[0], rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(loss(at)[1][1], central[1], rtol=2e-3, atol=1e-3)


def test_a_free_form_has_more_power_than_the_stirling_cycle_it_begins_as():
    """From the best Stirling cycle within the bounds of the report, at A = 1; on a finer mesh too."""
    best = jt.StirlingCycle(0.5, 1.0, 2.0, 0.989, 35.89, [0.412, 0.106, 0.406, 0.076])
    start, bounds = jt.PiecewiseCycle.along(best, 2), report.free_bounds(CYCLE)
    assert bounds["betas"] == (0.5, 1.0) and bounds["x_values"] == (0.5, 2.0) and bounds["period"] == (10.0, 40.0)
    with pytest.warns(JaxthermoWarning, match="OptimisedCycle: grid too"):
        found = jt.optimise_cycle(jt.classical_oscillator(QUARTIC, 1.0, COARSE), start, steps=3, bounds=bounds)
    fine = jt.classical_oscillator(QUARTIC, 1.0, jt.PhaseGrid(6.0, 0.28, 10.5, 0.5))
    powers = [-float(jt.run_cycle(fine, c, 1e-5, points=5).work) / float(c.period) for c in (best, found.cycle)]
    assert powers[1] > 1.08 * powers[0]
    for name, (low, high) in bounds.items():
        values = np.asarray(getattr(found.cycle, name))
        assert name == "strokes" or np.all((low <= values) & (values <= high)), name


def test_a_search_goes_through_switched_baths():
    """The fields and the rise of a Carnot cycle; by a central difference too."""
    breathing = jt.Polynomial([0.0, 0.0, -0.5])
    grid = jt.PhaseGrid(9.0, 0.6, 7.5, 0.6)
    oscillator = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, grid, coordinate=breathing)
    cycle = jt.CarnotCycle(0.5, 1.0, [0.0, -0.2, -0.5, -0.3], 24.0, rise=0.25)
    bounds = {"x_values": (-0.6, 0.3), "rise": (0.1, 0.4)}
    free = free_parameters(cycle, bounds)
    search = engine._Search(oscillator, cycle, jt.search.power, (), free)

    def loss(theta):
        arguments = (oscillator, cycle, free.names, jt.search.power, (), search.time_steps)
        (values, _), slopes = engine._loss(jnp.asarray(theta), *arguments)
        return float(values[0]), np.asarray(slopes[0])

    value, slope = loss(free.start)
    for i, step in ((1, 1e-3), (4, 1e-3)):
        ends = [loss(free.start + sign * step * (np.arange(5) == i))[0] for sign in (1.0, -1.0)]
        assert slope[i] == pytest.approx((ends[0] - ends[1]) / (2.0 * step), rel=1e-3, abs=1e-7)
    downhill = np.clip(free.start - 0.05 * slope / np.abs(slope).max(), free.low, free.high)
    assert loss(downhill)[0] < value


def test_what_the_cycles_say_of_themselves_reaches_the_result(monkeypatch):
    """A power measured on a grid too small is none, however well the search ended."""
    numbers = dict.fromkeys(("value", "power", "efficiency", "entropy_production_rate"), jnp.ones(()))
    numbers |= {"missed": 0.0}
    small, well = (jnp.asarray(int(s), jnp.int32) for s in (Status.grid_too_small, Status.ok))
    search = engine._Search(OSCILLATOR, CYCLE, jt.search.power, (), free_parameters(CYCLE, {"x_end": (0.5, 1.4)}))
    search.tried = [
        {"loss": -1.0, "missed": 0.0, "theta": np.array([1.2])}
        | {"value": 1.0, "power": 1.0, "entropy_production_rate": 0.1}
    ]
    for status in ((well, well), (well, small), (small, well)):
        runs = iter([numbers | {"status": one} for one in status])
        monkeypatch.setattr(engine, "measured", lambda *_, runs=runs: next(runs))
        found = search.result(Status.ok)
        assert "cycle.x_end              1.2, started at 1" in repr(found)
        assert ("start_status             ok" in repr(found)) == (found.start_status == Status.ok)
        assert found.status == max(status) and float(found.cycle.x_end) == 1.2 and found.search_status == Status.ok


def test_measures_of_a_run():
    """An ideal cycle's heat goes in on the first stroke and out on the third."""
    cycle = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period=4.0)
    run = SimpleNamespace(
        work=jnp.asarray(-0.5),
        time=jnp.arange(5.0),
        cumulative_heat=jnp.array([0.0, 2.0, 2.0, 0.5, 0.5]),
        cumulative_work_int=jnp.array([0.0, 0.1, 0.2, 0.4, 0.8]),
        heat_of=None,
        switching_of=None,
    )
    measures = {name: inspect.unwrap(getattr(jt.search, name)) for name in engine.MEASURES}
    values = [float(measure(run, cycle)) for measure in measures.values()]
    np.testing.assert_allclose(values, [0.125, 0.25, 0.2])
    cooled = SimpleNamespace(**vars(run) | {"cumulative_heat": -run.cumulative_heat})
    assert np.isnan(measures["efficiency"](cooled, cycle))


def test_the_report_measures_what_the_searches_found_and_draws_it(tmp_path, monkeypatch):
    better = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.2, period=30.0)
    powers = iter([2e-3, 3e-3])

    def found(_, start, *, steps, bounds=None):
        if bounds is not None:
            free = free_parameters(start, bounds)
            assert free.names[0] == ("betas", (8, 2)) and float(free.high.max()) == 40.0
        cycle = better if bounds is None else start
        return SimpleNamespace(cycle=cycle, start=start, start_power=jnp.asarray(1e-3), power=jnp.asarray(next(powers)))

    monkeypatch.setattr(report, "optimise_cycle", found)
    monkeypatch.setattr(report, "FINE_GRID", COARSE)
    monkeypatch.setattr(report, "FINE_TOLERANCE", 1e-3)
    before, after, free = report.better_engine(tmp_path, quick=True)[1.0]
    assert {path.name for path in tmp_path.iterdir()} == {"engine.md", "engine.png", "engine.svg"}
    assert after.power == 2e-3 and after.fine_power == -float(after.run.work) / 30.0
    assert after.fine_power > before.fine_power > 0
    # Here the free form is the Stirling cycle in eight pieces.
    assert free.power == 3e-3 and free.fine_power == pytest.approx(after.fine_power, rel=1e-3)
    assert f"{after.fine_power:.4e}" in (tmp_path / "engine.md").read_text()
