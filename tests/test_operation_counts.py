"""No verb's program may grow unseen: XLA takes about a millisecond of every user's time for each operation."""

import json

import jax
import pytest

from benchmarks import _latency_cases as cases, latency

COUNTED = json.loads(latency.OPERATIONS.read_text())
# Other versions of jax write the same computation with other operations.
KNOWN = COUNTED.get(jax.__version__, {})
ROOM = 1.2
# Tracing it takes as long as all others together.
LONG = "gradient of a cycle"
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name == LONG else name
    for name, case in cases.CASES.items()
    if case.program
]


@pytest.mark.skipif(not KNOWN, reason=f"no counts for jax {jax.__version__}; `make operations` writes them")
@pytest.mark.parametrize("name", NAMES)
def test_a_program_has_at_most_a_fifth_more_operations_than_recorded(name):
    assert name in KNOWN, "`make operations` records it"
    now = cases.operations(cases.CASES[name])
    assert now <= ROOM * KNOWN[name], f"{name} has {now} operations; if that is what it takes, `make operations`"


def test_the_record_has_no_verb_that_is_gone():
    assert all(set(counts) <= set(cases.CASES) for counts in COUNTED.values())


def test_operations_are_counted_as_lines_that_make_a_value():
    text = jax.jit(lambda x: x * x + 1.0).trace(2.0).lower().as_text()
    # The product, the constant and the sum.
    assert cases.count(text) == 3
    assert cases.count('#loc1 = loc("file.py":1:2)\n' + text) == 3
