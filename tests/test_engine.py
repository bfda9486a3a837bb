"""What the search for better engines refuses; that it improves one is shown in docs/minimum_work.md."""

import numpy as np
import pytest

import jaxthermo as jt

OSCILLATOR = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(6.0, 0.5, 6.0, 0.5))
CYCLE = jt.StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "speed"}, "`objective`"),
        ({"objective": "entropy_production"}, "`power` must be given"),
        ({"power": 0.1}, "`power` must be given"),
        ({"steps": 0}, "`steps`"),
        ({"bounds": {}}, "`bounds`"),
        ({"bounds": {"mass": (1.0, 2.0)}}, "'mass'"),
        ({"bounds": {"period": (-1.0, 30.0)}}, "> 0 for period"),
        ({"bounds": {"x_end": (1.2, 0.5)}}, "low < high"),
        ({"bounds": {"x_end": (1.2, 1.5)}}, "hold the starting cycle"),
        ({"bounds": {"ramps": (0.6, 1.0)}}, "middle of a stroke"),
    ],
)
def test_bad_searches_are_named_before_anything_is_computed(options, message):
    with pytest.raises(ValueError, match=message):
        jt.optimise_cycle(OSCILLATOR, CYCLE, **options)


def test_default_bounds_hold_the_cycle():
    for name, (low, high) in jt.search.default_bounds(CYCLE).items():
        value = np.asarray(getattr(CYCLE, name))
        assert (low < value).all() and (value < high).all(), name
