"""Ctrl-C in a drive and in a search for least work: what was done until then is kept."""

import numpy as np
import pytest
from systems import harmonic, quartic

import jaxthermo as jt
from jaxthermo import Status
from jaxthermo.brownian.driven import driving
from jaxthermo.search import refinement


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
