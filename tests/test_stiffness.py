"""Ramps of a parabola's stiffness with jumps and kicks against least work known without a grid."""

import numpy as np
import pytest
from stiffness_exact import overdamped, underdamped

import jaxthermo as jt

# k(t) = 1 + x(t).
STIFFNESS = jt.Polynomial([0.0, 0.0, -0.5])


TRAP = jt.classical_oscillator(
    jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(6.4, 0.4, 8.0, 0.4), coordinate=STIFFNESS
)


def test_the_search_over_variances_has_both_known_limits():
    """Strong friction: Schmiedl & Seifert's closed form, but for 1/friction^2. Long times: the free energy."""
    errors = [underdamped(1.0, 1.0, 2.0, g, g) - overdamped(1.0, 1.0, 2.0, g, g) for g in (10.0, 20.0)]
    assert abs(errors[0]) < 5e-3 and errors[0] / errors[1] == pytest.approx(4.0, rel=0.15)
    slow = [underdamped(1.0, 1.0, 2.0, t, 1.0) - 0.5 * np.log(2.0) for t in (40.0, 80.0)]
    assert 0.0 < slow[1] < 2e-2 and slow[0] / slow[1] == pytest.approx(2.0, rel=0.1)


def test_a_ramp_of_the_stiffness_reaches_the_least_work():
    least = underdamped(1.0, 1.0, 2.0, 3.0, 1.0)
    found = jt.optimal_ramp(TRAP, 1.0, 0.0, 1.0, 3.0, 3, jumps=True)
    assert found.ok and -1e-7 < found.work - least < 2e-5
    assert found.kicks[0] > 0.01 > -0.01 > found.kicks[1]
