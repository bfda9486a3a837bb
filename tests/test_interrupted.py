"""Ctrl-C in a drive, a cycle, and in searches for least work and better cycles: what was done until then is kept.

`jt.potentials` has its test in tests/test_potentials.py, beside the cycle that it needs.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from systems import harmonic, interrupted_at, quartic

import jaxthermo as jt
from jaxthermo import Status
from jaxthermo.brownian.driven import driving, host_search
from jaxthermo.search import engine, ramp, refinement

CYCLE = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)


def test_a_drive_keeps_the_times_that_it_has_reached(monkeypatch):
    oscillator, ts = harmonic(), np.linspace(0.0, 3.0, 38)
    start = jt.equilibrium(oscillator, 0.9, 0.4)

    def drive():
        return jt.drive(oscillator, 0.9, jt.Ramp(0.4, 0.9, 0.0, 3.0), ts, start, dt=0.1)

    whole = drive()
    monkeypatch.setattr(driving, "_piece", interrupted_at(3, driving._piece))
    with pytest.raises(KeyboardInterrupt, match=r"sys\.last_value\.result") as caught:
        drive()
    assert isinstance(caught.value, jt.Interrupted)
    run = caught.value.result
    assert run.status == Status.interrupted and "Ctrl-C" in Status.interrupted.message
    reached = np.arange(38) <= 2 * driving.BLOCK
    for name in ("X", "U", "work", "heat"):
        np.testing.assert_array_equal(getattr(run, name)[reached], getattr(whole, name)[reached])
        assert np.isnan(getattr(run, name)[~reached]).all()
    # Where nothing was done, nothing is kept.
    monkeypatch.setattr(driving, "_piece", interrupted_at(1, driving._piece))
    with pytest.raises(KeyboardInterrupt) as caught:
        drive()
    assert not isinstance(caught.value, jt.Interrupted)


def test_a_search_for_least_work_keeps_its_best_protocol(monkeypatch):
    oscillator = quartic()
    state = jt.equilibrium(oscillator, 0.7, 0.3)

    def search():
        return jt.minimum_work(oscillator, state, 1.0, 0.8, order=2, dt=0.25)

    whole = search()
    monkeypatch.setattr(refinement, "_advance", interrupted_at(2, refinement._advance))
    with pytest.raises(jt.Interrupted) as caught:
        search()
    found = caught.value.result
    assert found.status == Status.interrupted and 0 < int(found.stats["solves"]) < int(whole.stats["solves"])
    # A protocol that was tried, judged by steps half as long: above the best one, not above rest, and above the bound.
    assert whole.value - whole.error - found.error <= found.value <= found.upper
    assert found.lower <= found.value and np.isfinite(found.error)


def along_the_line(t, y):
    """Slopes of q, p and the work in the harmonic well, whose field rises from 0 to 1 in a time of 5."""
    return [y[1], t / 5.0 - y[0] - y[1], -y[0] / 5.0]


def test_a_search_for_a_ramp_keeps_its_best_one(monkeypatch):
    def search():
        return jt.optimal_ramp(harmonic(), 1.0, 0.0, 1.0, 5.0, 2)

    def kept(number):
        with monkeypatch.context() as patch:
            patch.setattr(ramp, "value_and_slope", interrupted_at(number, ramp.value_and_slope))
            with pytest.raises(jt.Interrupted) as caught:
                search()
        assert caught.value.result.status == Status.interrupted
        return caught.value.result

    # In the search for a first Hessian the best ramp is the line, whose work is that of the mean motion.
    found = kept(3)
    motion = solve_ivp(along_the_line, (0.0, 5.0), np.zeros(3), rtol=1e-11, atol=1e-13)
    assert float(found.work) == pytest.approx(motion.y[2, -1], abs=1e-8) and not np.any(found.coefficients)
    # In the last look at a search that has ended, it is what the whole call returns.
    whole = search()
    assert whole.ok and int(whole.solves) == 7
    np.testing.assert_array_equal(kept(7).work, whole.work)
    assert float(whole.work) < float(found.work) - 1e-3
    monkeypatch.setattr(ramp, "value_and_slope", interrupted_at(1, ramp.value_and_slope))
    with pytest.raises(KeyboardInterrupt) as caught:
        search()
    assert not isinstance(caught.value, jt.Interrupted)


def test_a_cycle_keeps_the_runs_that_were_closed(monkeypatch):
    oscillator = quartic(grid=jt.PhaseGrid(5.6, 0.35, 10.2, 0.6))

    def interrupted(number):
        monkeypatch.setattr(host_search, "closed", interrupted_at(number, closed))
        with pytest.raises(KeyboardInterrupt) as caught:
            jt.run_cycle(oscillator, CYCLE, points=2)
        return caught.value

    closed = host_search.closed
    whole = jt.run_cycle(oscillator, CYCLE, points=2)
    assert whole.ok and not isinstance(interrupted(1), jt.Interrupted)
    one, two = interrupted(2).result, interrupted(3).result
    assert one.status == two.status == Status.interrupted and np.isinf(one.step_error)
    # Two numbers of steps are extrapolated, as where the number of steps is given.
    assert int(two.stats["steps_per_piece"]) == int(one.stats["steps_per_piece"])
    monkeypatch.undo()
    given = jt.run_cycle(oscillator, CYCLE, points=2, steps=int(two.stats["steps_per_piece"]))
    np.testing.assert_allclose(two.cumulative_work, given.cumulative_work, atol=1e-7)
    missed = [abs(float(run.work - whole.work)) for run in (one, two)]
    assert 10 * missed[1] < missed[0] < 0.1 * abs(float(whole.work))


def test_a_search_for_a_cycle_keeps_the_best_one_tried(monkeypatch):
    bounds, best = {"x_end": (0.6, 1.4), "period": (12.0, 40.0)}, np.array([0.8, 25.0])
    width, steep, tried = np.array([0.8, 28.0]), np.array([1.0, 4.0]), []

    def value_at(theta):
        return -float(steep @ ((np.asarray(theta) - best) / width) ** 2)

    def loss(theta, oscillator, cycle, *rest):
        """Made up, so that nothing is compiled: the nearer to one cycle, the better."""
        if len(tried) == 4:
            raise KeyboardInterrupt
        tried.append(value_at(theta))
        seen = {"value": tried[-1], "power": tried[-1], "entropy_production_rate": 0.0}
        return (np.array([-tried[-1]]), seen), (2.0 * steep * (np.asarray(theta) - best) / width**2)[None]

    def measured(oscillator, cycle, objective, constraints):
        names = ("value", "power", "efficiency", "entropy_production_rate")
        value = jnp.asarray(value_at([cycle.x_end, cycle.period]))
        return {**dict.fromkeys(names, value), "status": jnp.asarray(0, jnp.int32), "missed": 0.0}

    monkeypatch.setattr(engine, "_loss", loss)
    monkeypatch.setattr(engine, "measured", measured)
    with pytest.raises(jt.Interrupted) as caught:
        jt.optimise_cycle(harmonic(), CYCLE, bounds=bounds)
    found = caught.value.result
    assert found.search_status == found.status == Status.interrupted
    np.testing.assert_array_equal(found.history, tried)
    assert float(found.value) == pytest.approx(max(tried), rel=1e-9) and max(tried) > tried[0]
    assert float(found.start_value) == pytest.approx(tried[0], rel=1e-9)
