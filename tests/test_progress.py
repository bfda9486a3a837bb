"""Lines of progress: shown where they are wanted, with the time left, and gone at the end."""

import time

import jaxthermo as jt
from jaxthermo.solve import progress
from jaxthermo.solve.progress import Line
from tests.systems import harmonic


def test_a_line_counts_and_disappears(capsys):
    with Line("attractors", True) as line:
        advance = line.counter(10, "starts")
        advance(4)
        advance(6)
    said = capsys.readouterr().err
    assert "attractors: 4 of 10 starts, " in said and "10 of 10 starts, 0 s left" in said
    assert said.endswith(" \r")


def test_the_time_left_leaves_out_the_first_that_compiled(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Line("drive", True) as line:
        advance = line.counter(40, "times")
        advance(0)
        for seconds in (30.0, 31.0, 32.0):
            now[0] = seconds
            advance(10)
    said = capsys.readouterr().err
    assert "drive: 0 of 40 times" in said and "drive: 0 of 40 times," not in said
    assert "10 of 40 times, 90 s left" in said and "20 of 40 times, 2 s left" in said
    assert "30 of 40 times, 1 s left" in said


def test_nothing_is_shown_where_nobody_watches(capsys):
    for wanted in (None, False):
        with Line("attractors", wanted) as line:
            line.counter(2, "starts")(1)
    assert capsys.readouterr().err == ""


def test_a_line_within_a_line_is_part_of_it(capsys):
    with Line("drive", True) as outer, Line("equilibrium") as inner:
        inner.tell("3 members")
        outer.tell("21 times")
    said = capsys.readouterr().err
    assert "drive: equilibrium: 3 members" in said and "\requilibrium" not in said
    with Line("drive", False), Line("equilibrium", True) as inner:
        inner.tell("3 members")
        inner.say("found")
    assert capsys.readouterr().err == ""


def test_nobody_is_told_of_what_is_soon_over_and_the_clock_goes_on(capsys, monkeypatch):
    """A call that tells nothing further, as a compilation, still shows that it is alive."""
    monkeypatch.setattr(progress, "_is_watched", lambda: True)
    monkeypatch.setattr(progress, "TICK", 0.02)
    with Line("scan") as line:
        line.tell("compiling")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    with Line("scan") as line:
        line.tell("compiling")
        time.sleep(0.5)
    said = capsys.readouterr().err
    assert said.count("scan: compiling (0 s)") > 2 and said.endswith(" \r")


def test_what_is_said_stays(capsys):
    with Line("scan", True) as line:
        line.tell("tracing")
        line.say("3 of 4 chunks found")
    assert capsys.readouterr().err.endswith("\rscan: 3 of 4 chunks found\n")


def test_long_calls_tell_what_they_solve(capsys):
    oscillator = harmonic()
    jt.equilibrium(oscillator, 1.0, 0.3, progress=True)
    assert "equilibrium: " in (said := capsys.readouterr().err) and "points, 1 member, attempt 1" in said
    jt.drive(oscillator, 1.0, 0.3, [0.0, 0.1], progress=True)
    said = capsys.readouterr().err
    assert "drive: equilibrium: " in said and "points, 1 member, 2 times" in said
