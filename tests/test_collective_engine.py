"""Interacting two-state engines between two temperatures: exact for every number of units, and what the paper found.

Vroylandt, Esposito & Verley, arXiv 1707.00326: interactions can raise the power of each machine; they break tight
coupling in finite ensembles, and the macroscopic limit restores it.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt

BETAS, GAP, LOAD = np.array([1.0, 2.0]), 5.0, 1.0
FORCES = np.array([0.0, LOAD])


def units(coupling):
    """A hop through the hot reservoir gains no work, one down into the cold reservoir gives the load away."""
    unlike = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    return jt.JumpNetwork([(0, 1), (0, 1)], [0.0, GAP], coupling * unlike, FORCES, reservoirs=[0, 1])


def chain(coupling, number):
    """Work and heats per unit from the birth-death chain of the number n of excited units, whose products are known.

    p(n+1)/p(n) = sum_r up_r(n) / sum_r down_r(n+1), with E(n) = gap n + coupling n (1 - n/N).
    """
    n = np.arange(number + 1)
    change = np.diff(GAP * n + coupling * n * (1.0 - n / number))
    push = np.exp(-0.5 * BETAS[:, None] * (change - FORCES[:, None]))
    up, down = (number - n[:-1]) * push, (n[:-1] + 1) / push
    logs = np.append(0.0, np.cumsum(np.log(up.sum(axis=0) / down.sum(axis=0))))
    p = np.exp(logs - logs.max())
    p /= p.sum()
    currents = up * p[:-1] - down * p[1:]
    heats = ((change - FORCES[:, None]) * currents).sum(axis=1) / number
    return (FORCES[:, None] * currents).sum() / number, heats


@pytest.mark.parametrize("number", [1, 2, 5, 40])
@pytest.mark.parametrize("coupling", [0.0, -1.7, 2.5])
def test_any_number_of_units_is_a_birth_and_death_chain(coupling, number):
    found = jt.jumps.mesoscopic_stationary(units(coupling), BETAS, number)
    work, heats = chain(coupling, number)
    assert float(found.work_current) == pytest.approx(work, abs=1e-10)
    np.testing.assert_allclose(found.heat_currents, heats, rtol=0, atol=1e-10)
    if number == 1:
        # One unit alone has no interaction energy: it is the closed form of four rates.
        np.testing.assert_allclose(heats, chain(0.0, 1)[1], atol=1e-14)


def engine(work, heats):
    return jt.jumps.conversion(work, heats, BETAS)


def test_finite_ensembles_leave_the_mean_field_by_one_over_their_number():
    limit = jt.jumps.stationary(units(-1.7), BETAS).heat_currents
    far = [np.asarray(chain(-1.7, number)[1] - limit) for number in (80, 160)]
    np.testing.assert_allclose(far[0], 2.0 * far[1], rtol=0.02)
    assert 5e-4 < np.abs(far[1]).max() < 1e-3


def test_interactions_raise_the_power_and_only_finite_ensembles_leak_heat():
    steady = jt.jumps.stationary(units(-1.7), BETAS)
    limit, alone = engine(steady.work_current, steady.heat_currents), engine(*chain(0.0, 1))
    few = [engine(*chain(-1.7, number)) for number in (2, 5, 20, 160)]
    assert float(limit.power) > 1.4 * float(alone.power)
    # Tight coupling: load over the energy of a hop, for one unit and for infinitely many.
    (low, high) = jt.jumps.levels(steady.occupation, units(-1.7))
    assert float(limit.efficiency) == pytest.approx(LOAD / float(high - low), rel=1e-9)
    assert float(alone.efficiency) == pytest.approx(LOAD / GAP, rel=1e-12)
    # Between them heat leaks: less than load over the mean energy of a hop, and ever less of it.
    efficiencies = [float(one.efficiency) for one in few]
    assert all(one < float(limit.efficiency) < float(limit.carnot) for one in efficiencies)
    assert float(limit.efficiency) - efficiencies[-1] < 0.2 * (float(limit.efficiency) - efficiencies[-2])
