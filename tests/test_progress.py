"""Lines of progress: shown where they are wanted, with the time left, and gone at the end."""

from jaxthermo.solve.progress import Line


def test_a_line_counts_and_disappears(capsys):
    with Line("attractors", True) as line:
        advance = line.counter(10, "starts")
        advance(4)
        advance(6)
    said = capsys.readouterr().err
    assert "attractors: 4 of 10 starts, " in said and "10 of 10 starts, 0 s left" in said
    assert said.endswith(" \r")


def test_nothing_is_shown_where_nobody_watches(capsys):
    for wanted in (None, False):
        with Line("attractors", wanted) as line:
            line.counter(2, "starts")(1)
    assert capsys.readouterr().err == ""
