"""The page of benchmarks and the figures of README.md say what the committed records say."""

import pytest

from benchmarks import _page, _readme


def test_the_page_is_that_of_the_records():
    assert _page.PAGE.read_text() == _page.page(_page.records()), "run python -m benchmarks._page"


def test_the_figures_of_the_readme_are_those_of_the_records():
    text = _page.README.read_text()
    assert text == _page.readme(text, _readme.figures(_page.records())), "run python -m benchmarks._page"


def test_every_record_has_its_table():
    """Latency has a page of its own."""
    names = {path.stem for path in _page.RESULTS.glob("*/*.json")}
    assert {name for name in names if not name.startswith("latency")} <= set(_page.TABLES)


def test_another_figure_changes_both(monkeypatch):
    found = _page.records()
    before = _page.page(found), _readme.figures(found)
    found["scan_throughput"][_readme.EPYC]["rows"][0]["ratio"] = 0.123
    assert "0.123" in _page.page(found) and "0.123" not in before[0]
    assert "0.12 of the speed" in _readme.figures(found) and "0.12 of the speed" not in before[1]


def test_marks_that_are_missing_are_an_error():
    with pytest.raises(ValueError, match="one pair"):
        _page.readme("nothing", "figures")
