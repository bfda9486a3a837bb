"""Slow modes of two quantum wells at weak coupling: golden rule, and a second hierarchy."""

import numpy as np
import oscillator_exact as exact
from audit import hierarchy

import jaxthermo as jt

DOUBLE = (0.0, 0.0, -1.5, 0.0, 0.25)
BETA = 3.0


def rates(strength, count=4, tol=1e-5):
    """With one pole."""
    oscillator = jt.quantum_oscillator(jt.Polynomial(list(DOUBLE)), strength, 1)
    return jt.relaxation_rates(oscillator, BETA, 0.0, count, tol=tol)


def golden_rule():
    """Splitting of the lowest two levels, and the rate over A^2 at which their coherence is lost: half of all hops.

    Equation   hops m -> n: |q_mn|^2 w [coth(beta w/2) - 1], w = E_n - E_m, with the coth of one pole
    """
    at = hierarchy.basis(hierarchy.Well(DOUBLE, 0.0), 0.0, 14)
    energies = np.diag(at.H)
    w = energies[None, :] - energies[:2, None]
    xi, eta = exact.pade(1)
    hops = at.q[:2] ** 2 * (2.0 / BETA * (1.0 + 2.0 * eta[0] * (BETA * w) ** 2 / ((BETA * w) ** 2 + xi[0] ** 2)) - w)
    np.fill_diagonal(hops, 0.0)
    return energies[1] - energies[0], 0.5 * hops.sum()


def test_coherence_between_two_wells_is_lost_by_the_golden_rule():
    """lambda = -r + i w has |lambda| -> the splitting, r/A^2 -> the golden rule; what A changes in both is about A^2.

    A damped swing from well to well: its frequency alone also changes by -r^2/(2 w).
    """
    splitting, rate = golden_rule()
    errors = []
    for strength in (0.02, 0.04):
        found = rates(strength)
        assert found.ok and found.stats["levels"] > 0
        slow = np.argmin(np.abs(np.asarray(found.frequency) - splitting))
        decay, frequency = float(found.rate[slow]), float(found.frequency[slow])
        errors.append([np.hypot(decay, frequency) - splitting, decay / strength**2 - rate])
    errors = np.array(errors)
    assert np.all(np.abs(errors[0]) < 5e-5)
    np.testing.assert_allclose(errors[1] / errors[0], 4.0, rtol=0.05)


def test_modes_are_those_of_a_second_hierarchy():
    """At A = 0.3, where the bath moves the splitting, by a matrix of the hierarchy that the audit uses."""
    xi, eta = exact.pade(1)
    well = hierarchy.Well(DOUBLE, 0.3, (tuple(xi), tuple(eta)))
    model = hierarchy.Hierarchy(well, hierarchy.basis(well, 0.0, 12), 3, np.ones(1))
    shape = model.stationary(BETA)[0].shape
    units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    values = np.linalg.eigvals(np.stack([model.rates(unit, BETA, 0.0).ravel() for unit in units], axis=1))
    found = rates(0.3, 4, 1e-4)
    for value in np.asarray(found.rate) - 1j * np.asarray(found.frequency):
        assert np.min(np.abs(values + value)) < 1e-4 * abs(value)
