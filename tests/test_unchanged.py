"""Results are what they were before the library was redrawn; see docs/unchanged.md."""

import pytest

from benchmarks import unchanged

# One of each kind of result that other tests have compiled.
QUICK = (
    "ring at beta = 4, work current",
    "ring at beta = 4, period",
    "classical equilibrium, X",
    "classical equilibrium, U",
)


def agree(names):
    found, before = unchanged.now(names), unchanged.before()
    return {name: (found[name], before[name]) for name in names if not _agrees(name, found[name], before[name])}


def _agrees(name, now, before):
    return abs(now - before) <= unchanged.ROWS[name].allowed


def test_a_few_results_are_what_they_were():
    assert agree(QUICK) == {}


def test_all_results_are_what_they_were():
    assert set(unchanged.ROWS) == set(unchanged.before()) and len(unchanged.ROWS) >= 40
    assert agree(unchanged.ROWS) == {}


@pytest.mark.parametrize("factor", [-1.0, 1.0])
def test_a_change_beyond_what_is_allowed_would_be_seen(factor):
    name = QUICK[0]
    before = unchanged.before()[name]
    assert not _agrees(name, before + factor * 1.1 * unchanged.ROWS[name].allowed, before)
