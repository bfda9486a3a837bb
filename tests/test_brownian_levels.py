"""Equilibria at weak coupling and in double wells: ok, and right by an independent hierarchy among levels."""

import oscillator_exact as exact
import pytest
from audit import hierarchy

import jaxthermo as jt

QUARTIC, DOUBLE = (0.0, 0.0, 0.1, 0.02, 0.05), (0.0, 0.0, -1.5, 0.0, 0.25)


@pytest.mark.parametrize(
    ("coefficients", "strength", "beta", "x", "depth"),
    [(QUARTIC, 0.01, 8.0, 0.3, 4), (DOUBLE, 0.2, 6.0, 0.1, 6)],
)
def test_a_hard_equilibrium_is_ok_and_right(coefficients, strength, beta, x, depth):
    state = jt.equilibrium(jt.quantum_oscillator(jt.Polynomial(list(coefficients)), strength, 2), beta, x)
    well = hierarchy.Well(coefficients, strength, tuple(map(tuple, exact.pade(2))))
    expected, residual = hierarchy.equilibrium(well, beta, x, 18, depth)
    assert residual < 1e-9
    assert bool(state.ok)
    assert hierarchy.furthest({name: float(getattr(state, name)) for name in expected}, expected) < 1e-6
