"""Interacting two- and three-state engines between two temperatures: exact numbers of units, and what the papers found.

Vroylandt, Esposito & Verley, arXiv 1707.00326: interactions can raise the power of each machine; they break tight
coupling in finite ensembles, and the macroscopic limit restores it. Filho, Forao, Busiello, Cleuren & Fiore, arXiv
2301.06591: units that are ordered reach efficiencies at maximum power between Curzon & Ahlborn's and Carnot's.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from audit import contacts, networks
from scipy.optimize import minimize_scalar

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


SPINS = np.array([1.0, 0.0, -1.0])


def three_states(coupling, load):
    """Spins 1, 0, -1 with E = -coupling m^2/2, which two reservoirs drive round the triangle in opposite senses."""
    way = np.repeat([-1.0, 1.0], 3)
    edges, interaction = [(0, 1), (1, 2), (2, 0)] * 2, -coupling * np.outer(SPINS, SPINS)
    return jt.JumpNetwork(edges, np.zeros(3), interaction, load * way, [0, 0, 0, 1, 1, 1])


def plain(coupling, load, number=1):
    """The same for `tests/audit`."""
    return {
        "energies": np.zeros(3),
        "interaction": -coupling * np.outer(SPINS, SPINS),
        "forces": load * np.repeat([-1.0, 1.0], 3),
        "prefactor": np.ones(6),
        "betas": BETAS,
        "units": number,
    }


@pytest.mark.parametrize("number", [1, 7])
def test_any_number_of_three_state_units_is_a_matrix(number):
    coupling, load = 4.0, 0.5
    found = jt.jumps.mesoscopic_stationary(three_states(coupling, load), BETAS, number)
    _, _, W, hops = contacts.generator(plain(coupling, load, number))
    at, heats, work = networks.null_vector(W), np.zeros(2), 0.0
    for hop in hops:
        current = (hop.out * at[hop.fro] - hop.back * at[hop.to]) / number
        heats[contacts.RESERVOIRS[hop.edge]] += current * hop.heat
        work += current * plain(coupling, load)["forces"][hop.edge]
    np.testing.assert_allclose(found.heat_currents, heats, rtol=0, atol=1e-10)
    assert float(found.work_current) == pytest.approx(work, abs=1e-10)
    if number == 1:
        # One unit with the levels -c/2, 0, -c/2.
        levels, up, down = np.array([-0.5, 0.0, -0.5]) * coupling, np.zeros(3), np.zeros(3)
        for beta, sense in zip(BETAS, (-1.0, 1.0), strict=True):
            half = 0.5 * beta * (np.roll(levels, -1) - levels - sense * load)
            up, down = up + np.exp(-half), down + np.exp(half)
        # Counts are in the order (0, 0, 1), (0, 1, 0), (1, 0, 0).
        np.testing.assert_allclose(at[::-1], trees(up, down), atol=1e-12)


def trees(a, b):
    """Occupations of a triangle at rest, rates a[i] from i to i + 1, b[i] back: sums over the trees that lead to each.

    Nothing is subtracted, so rare occupations are known to their own rounding errors.
    """
    weights = [a[i - 2] * a[i - 1] + a[i - 1] * b[i] + b[i] * b[i - 2] for i in range(3)]
    return np.array(weights) / np.sum(weights)


def ordered(coupling, load):
    """Power, efficiency and occupations of the mean field near spin 1, at rest in the energies that they cause."""
    p, P = plain(coupling, load), np.array([1.0, np.exp(-coupling), np.exp(-2.0 * coupling)])
    for _ in range(40):
        forward, backward, heat = contacts.flows(p, P, BETAS)
        up, down = forward.reshape(2, 3) / P, backward.reshape(2, 3) / np.roll(P, -1)
        P = trees(up.sum(axis=0), down.sum(axis=0))
    J = forward - backward
    power = -float(J @ p["forces"])
    return power, power / float((J * heat)[:3].sum()), P


def test_ordered_units_have_their_best_power_between_curzon_ahlborn_and_carnot():
    load = 3.0
    best = minimize_scalar(lambda c: -ordered(c, load)[0], bounds=(9.0, 14.0), method="bounded").x
    power, efficiency, P = ordered(best, load)
    assert 1.0 - np.sqrt(0.5) < efficiency < 0.5
    flow = jt.jumps.thermodynamics(0.0, jnp.asarray(P), three_states(best, load), BETAS)
    found = engine(flow.work_current, flow.heat_currents)
    assert found.mode == "heat engine"
    np.testing.assert_allclose([found.power, found.efficiency], [power, efficiency], rtol=1e-9)


def test_ordered_units_are_found_where_rates_are_very_unlike():
    """A hop from the highest level to the lowest is exp(24) times faster than one without energy."""
    for coupling, load in ((8.0, 2.0), (10.77, 3.0)):
        power, _, P = ordered(coupling, load)
        found = jt.jumps.stationary(three_states(coupling, load), BETAS, P)
        np.testing.assert_allclose(found.occupation, P, rtol=1e-9)
        assert bool(found.ok) and float(found.work_current) == pytest.approx(-power, rel=1e-9)
