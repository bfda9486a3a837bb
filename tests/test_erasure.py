"""Erasing a bit: Landauer's k_B T ln 2, a cost that falls like 1/time, and the bounds that no protocol beats.

A quartic double well holds the bit. The barrier is taken away, the single well is tilted, the barrier is raised again
under the tilt, and the tilt is taken away. The four stages are drives of one field each, which hand on the state.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt

# U = 0.256 q^4 - barrier q^2/2 - tilt q at k_B T = 1: wells at -2.5 and 2.5, between them 10 k_B T.
QUARTIC, BARRIER, TILT = 0.256, 6.4, 3.0
GRID = jt.PhaseGrid(4.76, 0.14, 7.5, 0.5)
BUMP, SLOPE = jt.Polynomial([0.0, 0.0, 0.5]), jt.Polynomial([0.0, 1.0, 0.0])
# (tilt and barrier at rest, X of the field, its values at both ends)
STAGES = (
    ((0.0, 0.0), BUMP, (BARRIER, 0.0)),
    ((0.0, 0.0), SLOPE, (0.0, TILT)),
    ((TILT, 0.0), BUMP, (0.0, BARRIER)),
    ((0.0, BARRIER), SLOPE, (TILT, 0.0)),
)


def well(tilt, barrier, coordinate):
    potential = jt.Polynomial([0.0, -tilt, -0.5 * barrier, 0.0, QUARTIC])
    return jt.classical_oscillator(potential, 1.0, GRID, coordinate=coordinate)


def free_energy(tilt, barrier, half):
    """-ln of the integral of exp(-U) over all q, or over q > 0."""
    q = np.linspace(0.0 if half else -5.0, 5.0, 20001)
    return -np.log(np.trapezoid(np.exp(-(QUARTIC * q**4 - 0.5 * barrier * q**2 - tilt * q)), q))


ENDS = ((0.0, BARRIER), (0.0, 0.0), (TILT, 0.0), (TILT, BARRIER), (0.0, BARRIER))
FREE = [free_energy(*end, half=place == 4) for place, end in enumerate(ENDS)]


def erased(times):
    """The work of each stage, and the densities of q before and after."""
    state = first = jt.equilibrium(well(0.0, BARRIER, SLOPE), 1.0, 0.0)
    works = []
    for (rest, coordinate, (begin, end)), time in zip(STAGES, times, strict=True):
        field = jt.Ramp(begin, end, 0.0, time)
        run = jt.drive(well(*rest, coordinate), 1.0, field, [0.0, time], state, tol=3e-7)
        assert run.ok
        works.append(float(run.work[-1]))
        state = run.final
    return np.array(works), *(np.asarray(jnp.sum(one.V[:, 0], axis=0)) * GRID.dp for one in (first, state))


def excess(works):
    """What each stage costs beyond its free energy, at k_B T = 1."""
    return works - np.diff(FREE)


@pytest.fixture(scope="module")
def runs():
    """Four stages of 10 each, and of 20."""
    return erased([10.0] * 4), erased([20.0] * 4)


def test_the_work_tends_to_landauers_bound_like_one_over_time(runs):
    assert sum(np.diff(FREE)) == pytest.approx(np.log(2.0), abs=1e-10)
    short, long = (works.sum() for works, *_ in runs)
    assert (short - np.log(2.0)) / (long - np.log(2.0)) == pytest.approx(2.0, rel=0.01)
    assert 2.0 * long - short == pytest.approx(np.log(2.0), abs=4e-3)


def test_the_bit_is_erased_and_no_cheaper_than_transport_allows(runs):
    """Moving the density of q at friction gamma costs at least gamma (Wasserstein's distance)^2/time, whatever p does.

    Aurell et al., J. Stat. Phys. 147, 487 (2012); Proesmans, Ehrich & Bechhoefer, Phys. Rev. Lett. 125, 100602 (2020).
    """
    q = np.linspace(float(GRID.q[0]), float(GRID.q[-1]), 20001)
    shares = (np.arange(4000) + 0.5) / 4000
    for (works, *densities), time in zip(runs, (40.0, 80.0), strict=True):
        before, after = (np.maximum(np.interp(q, np.asarray(GRID.q), one), 0.0) for one in densities)
        assert after[q < 0.0].sum() < 3e-4 * after.sum()
        assert before[q < 0.0].sum() == pytest.approx(0.5 * before.sum(), rel=1e-3)
        places = [np.interp(shares, np.cumsum(one) / one.sum(), q) for one in (before, after)]
        distance = np.mean((places[1] - places[0]) ** 2)
        # The half in the left well moves by 5, less about the width of the right one, whose lower half it becomes.
        assert 0.8 * 12.5 < distance < 12.5
        assert distance / time < excess(works).sum() < 5.0 * distance / time


def test_time_shared_by_the_root_of_each_cost_costs_less(runs):
    """sum B_i/t_i at fixed time is least at t_i ~ sqrt(B_i), and is then (sum sqrt B_i)^2/time."""
    (works, *_), time = runs[0], 40.0
    roots = np.sqrt(0.25 * time * excess(works))
    shared, *_ = erased(time * roots / roots.sum())
    found = excess(shared).sum()
    assert found == pytest.approx(roots.sum() ** 2 / time, rel=0.05)
    assert found < 0.85 * excess(works).sum()
