"""Ctrl-C in a drive, in a search for least work and in one for a better cycle: what was done until then is kept."""

import numpy as np
import pytest
from systems import harmonic, quartic

import jaxthermo as jt
from jaxthermo import Status
from jaxthermo._results import JaxthermoWarning
from jaxthermo.brownian import driving
from jaxthermo.search import engine, refinement

CYCLE = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0)


def interrupted_at(number, function):
    """The function, whose call of this number is interrupted, and that one only."""
    calls = []

    def called(*arguments):
        calls.append(arguments)
        if len(calls) == number:
            raise KeyboardInterrupt
        return function(*arguments)

    return called


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


def test_a_search_for_a_cycle_keeps_the_best_one_tried(monkeypatch):
    oscillator = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(6.0, 0.5, 6.0, 0.5))
    bounds = {"x_end": (0.6, 1.4), "period": (12.0, 40.0)}
    tried, best = [], np.array([0.8, 25.0])

    def loss(theta, *rest):
        """Made up, so that nothing is compiled: the nearer to one cycle, the better."""
        if len(tried) == 4:
            raise KeyboardInterrupt
        away = (np.asarray(theta) - best) / np.array([0.8, 28.0])
        tried.append(-float(away @ away))
        seen = {"value": tried[-1], "power": tried[-1], "entropy_production_rate": 0.0}
        return (-tried[-1], seen), 2.0 * away / np.array([0.8, 28.0])

    monkeypatch.setattr(engine, "_loss", loss)
    with pytest.raises(jt.Interrupted) as caught, pytest.warns(JaxthermoWarning):
        jt.optimise_cycle(oscillator, CYCLE, bounds=bounds)
    found = caught.value.result
    assert found.search_status == Status.interrupted
    np.testing.assert_array_equal(found.history, tried)
    away = (np.array([float(found.cycle.x_end), float(found.cycle.period)]) - best) / np.array([0.8, 28.0])
    assert -away @ away == pytest.approx(max(tried), rel=1e-12) and max(tried) > tried[0]
    # Its measures are those of a run of its own.
    again = jt.run_cycle(oscillator, found.cycle, engine.FINAL_TOLERANCE, points=engine.FINAL_POINTS)
    assert float(found.power) == pytest.approx(float(-again.work / found.cycle.period), rel=1e-9)
