"""Equilibria in hard corners: ok, and right by closed moments or by an independent hierarchy among levels."""

import jax
import oscillator_exact as exact
import pytest
from audit import hierarchy

import jaxthermo as jt

HARMONIC, QUARTIC = (0.0, 0.0, 0.5, 0.0, 0.0), (0.0, 0.0, 0.1, 0.02, 0.05)
DOUBLE = (0.0, 0.0, -1.5, 0.0, 0.25)


def moments(coefficients, strength, beta, x, shared=True):
    """With two poles; `shared`: on as many points as all others, and with as many members, for one program."""
    oscillator = jt.quantum_oscillator(jt.Polynomial(list(coefficients)), strength, 2)
    if shared:
        chosen = jt.grid_for(oscillator, beta, x)
        grid = jt.PhaseGrid(chosen.q_max, chosen.q_max / 26, chosen.p_max, chosen.p_max / 44)
        oscillator = jt.quantum_oscillator(jt.Polynomial(list(coefficients)), strength, 2, 3, grid)
    state = jt.equilibrium(oscillator, beta, x)
    assert state.outcome == "ok"
    return {name: float(getattr(state, name)) for name in ("X", "q2", "p2", "U")}


@pytest.mark.parametrize(
    ("coefficients", "strength", "beta", "x", "shared"),
    [
        pytest.param(QUARTIC, 0.01, 8.0, 0.3, False, id="weak and cold"),
        pytest.param(DOUBLE, 0.2, 6.0, 0.1, True, id="tunnelling"),
        pytest.param(QUARTIC, 2.0, 4.0, 0.3, True, id="strong"),
    ],
)
def test_a_hard_equilibrium_is_ok_and_right(coefficients, strength, beta, x, shared):
    well = hierarchy.Well(coefficients, strength, tuple(map(tuple, exact.pade(2))))
    expected, change = hierarchy.converged(well, beta, x, 3e-7)
    assert expected is not None and change < 3e-7
    assert hierarchy.furthest(moments(coefficients, strength, beta, x, shared), expected) < 1e-6


@pytest.mark.parametrize("strength", [1.0, 1.5, 2.0])
def test_strong_coupling_at_low_temperature_has_the_closed_moments(strength):
    xi, eta = exact.pade(2)
    at = exact.harmonic_stationary(10.0, 0.4, w0=1.0, gamma=strength**2, xi=xi, eta=eta)
    found = moments(HARMONIC, strength, 10.0, 0.4)
    assert hierarchy.furthest(found, at | {"X": at["q"]}) < 1e-6


def test_two_wells_whose_last_members_look_small():
    """Draw 48 of the audit: 8e-6 off and ok on the grid, since a small last member stood for a small error."""
    coefficients, strength, beta, x = [0.0, 0.00276, -1.10284, 0.0, 0.23045], 0.9684, 1.91056, 0.54344
    oscillator = jt.quantum_oscillator(jt.Polynomial(coefficients), strength, 2, 3)
    well = hierarchy.Well(tuple(coefficients), strength, tuple(map(tuple, exact.pade(2))))
    expected, _ = hierarchy.converged(well, beta, x, 3e-7)
    oscillator = jt.brownian.resolved(oscillator, beta, x)
    state = jax.jit(jt.equilibrium)(oscillator, beta, x)
    found = {name: float(getattr(state, name)) for name in expected}
    assert hierarchy.furthest(found, expected) > 1e-6
    assert state.outcome == "hierarchy too shallow"
