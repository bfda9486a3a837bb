"""The depth that is chosen: what truncation leaves, what it costs, and where it is left open."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from jaxthermo import Status
from jaxthermo.brownian.accuracy.automatic import LEAST_DEPTH, MOST_DEPTH, SAFE_DEPTH, with_more_room
from jaxthermo.brownian.accuracy.promise import (
    COURSE_TRUNCATED,
    course_truncation,
    growth_of_run,
    growth_of_state,
    judged_period,
    promised_error,
    weight_of_cycle,
)
from jaxthermo.brownian.hierarchy import members_of

QUARTIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
# Truncation does not depend on the mesh to the digits looked at, so one small one serves all.
GRID = jt.PhaseGrid(5.2, 0.3, 8.4, 0.5)


@pytest.mark.parametrize(("strength", "poles", "beta"), [(0.1, 1, 1.0), (0.5, 1, 1.0), (1.0, 1, 1.0), (1.0, 2, 0.5)])
def test_truncation_is_below_the_promise(strength, poles, beta):
    """1e-6 of the scale of X, <q^2> and <p^2>, against a hierarchy two levels deeper."""
    oscillator = jt.quantum_oscillator(QUARTIC, strength, poles, grid=GRID)
    depth = jt.brownian.depth_for(oscillator, beta, 0.5)
    found, deeper = (
        jt.equilibrium(jt.quantum_oscillator(QUARTIC, strength, poles, d, GRID), beta, 0.5) for d in (depth, depth + 2)
    )
    scale = np.array([np.sqrt(deeper.q2), deeper.q2, deeper.p2])
    errors = np.array([found.X - deeper.X, found.q2 - deeper.q2, found.p2 - deeper.p2]) / scale
    assert np.all(np.abs(errors) < 1e-6)


def test_depth_grows_with_coupling_and_cold_and_has_limits():
    def depth(strength, beta, poles=1):
        return jt.brownian.depth_for(jt.quantum_oscillator(QUARTIC, strength, poles), beta, 0.5)

    by_beta = [depth(0.5, beta) for beta in (0.25, 1.0, 4.0, 10.0)]
    by_strength = [depth(strength, 4.0) for strength in (0.05, 0.2, 0.5, 2.0)]
    for depths in (by_beta, by_strength):
        assert depths == sorted(depths) and depths[0] == LEAST_DEPTH < depths[-1] <= MOST_DEPTH
    assert depth(0.5, [0.25, 4.0]) == depth(0.5, 4.0)
    # No more members than memory bears, whatever the number of poles.
    deepest = jt.OhmicBath(2.0, 4).with_depth(depth(2.0, 10.0, 4))
    assert len(members_of(jt.quantum_oscillator(QUARTIC, deepest))) <= 60


@pytest.mark.parametrize(("tail", "depth"), [(1e-2, 4), (2e-2, 5), (0.05, 5), (0.1, None)])
def test_a_drive_that_was_too_shallow_gets_the_levels_that_it_misses(tail, depth):
    """Of four poles, up to the 126 members of depth 5, unless far more are missing.

    A state at rest keeps to the members that it had at first.
    """
    asked = jt.quantum_oscillator(QUARTIC, 1.2, 4, grid=GRID)
    seen = SimpleNamespace(oscillator=asked.with_depth(3), q=0.0, q2=0.7, p2=2.1, edge=1e-9, coarse=1e-9)
    seen.tail, seen.tail_density = tail, np.array([0.1 * tail, tail])
    seen.error, seen.beta, seen.x = 0.0, 3.0, 0.0
    assert np.max(course_truncation(seen, seen.oscillator)) > COURSE_TRUNCATED
    missing = Status.hierarchy_too_shallow
    again = with_more_room(seen.oscillator, asked, missing, growth_of_run(seen))
    assert again is depth if depth is None else again.depth == depth
    if tail < 0.03:
        fallen = seen.tail_density.max() ** (depth / 3)
        assert course_truncation(SimpleNamespace(**vars(seen) | {"tail_density": fallen}), again) < COURSE_TRUNCATED
    # A cycle whose U swings by as much as the kinetic energy likewise.
    seen.U = np.zeros(2)
    status, growth = judged_period(seen, seen.oscillator, 2.1, 1e-6)
    assert status is missing and growth.levels == growth_of_run(seen).levels
    assert with_more_room(seen.oscillator.with_depth(4), asked, missing, growth_of_state(seen)) is None


@pytest.mark.parametrize(
    ("work", "tol", "weight"),
    [(2.1, 1e-6, 1.0), (0.21, 1e-6, 10.0), (0.21, 5e-5, 2.0), (0.21, 1e-3, 1.0), (0.0, 0.0, 100.0)],
)
def test_errors_count_for_more_where_a_cycle_does_little_work(work, tol, weight):
    """In units of the kinetic energy, 2.1; the same for what is known and what jax traces."""
    oscillator = jt.classical_oscillator(QUARTIC, 2.0, GRID)
    seen = SimpleNamespace(q=np.zeros(2), q2=np.full(2, 0.7), p2=np.full(2, 2.1), U=np.full(2, 1.5))
    assert weight_of_cycle(seen, oscillator, work, tol, np) == pytest.approx(weight)
    assert jax.jit(lambda work: weight_of_cycle(seen, oscillator, work, tol))(work) == pytest.approx(weight)
    error = promised_error(work, 2.1, tol)
    assert error == pytest.approx(2e-5 * 2.1 / weight) or (tol == 1e-3 and error == pytest.approx(2e-3 * work))


@pytest.mark.slow
def test_a_cycle_that_was_too_shallow_is_solved_again():
    """A level more changes the work by less than is promised."""
    well, grid = jt.Polynomial([0.0, 0.0, 0.5, -0.05, 0.02]), jt.PhaseGrid(5.6, 0.28, 10.0, 0.45)
    cycle = jt.StirlingCycle(2.0, 3.3, 0.9, 0.15, 4.0)
    found, deep = (
        jt.run_cycle(jt.quantum_oscillator(well, 1.3, poles, depth, grid), cycle, 1e-4, points=2)
        for poles, depth in ((4, None), (4, 5))
    )
    assert found.outcome == deep.outcome == "ok" and found.stats["meshes"] == 2 and found.oscillator.bath.depth == 4
    assert abs(found.work - deep.work) < 2e-5 * max(np.ptp(deep.U), abs(deep.work))


def test_an_open_depth_is_filled_in_with_the_grid():
    open_one = jt.quantum_oscillator(QUARTIC, 1.0)
    assert open_one.bath.depth is None and open_one.grid is None
    filled = jt.brownian.resolved(open_one, [0.5, 1.0], [0.0, 1.0])
    assert filled.bath.depth == jt.brownian.depth_for(open_one, [0.5, 1.0], [0.0, 1.0])
    assert filled.grid.q_side == jt.grid_for(open_one, [0.5, 1.0], [0.0, 1.0]).q_side
    # What was given stays.
    given = jt.brownian.resolved(jt.quantum_oscillator(QUARTIC, 1.0, 1, 5, GRID), 1.0, 0.5)
    assert given.bath.depth == 5 and given.grid is GRID
    drude = jt.brownian.resolved(jt.quantum_oscillator(QUARTIC, jt.DrudeBath(1.0, 10.0)), 1.0, 0.5)
    assert drude.bath.depth >= 2 and float(drude.bath.cutoff) == 10.0
    assert jt.classical_oscillator(QUARTIC, 1.0).bath.depth == 0


def test_baths_that_share_an_open_depth():
    hot, cold = jt.OhmicBath(1.0, 1), jt.OhmicBath(0.5, 1)
    windows = [lambda t: jnp.cos(t), lambda t: jnp.sin(t)]
    pair = jt.quantum_oscillator(QUARTIC, jt.SwitchedBaths([hot, cold], [0.5, 2.0], windows), grid=GRID)
    filled = jt.brownian.resolved(pair, 1.0, 0.5).bath
    assert filled.depth is not None and {bath.depth for bath in filled.baths} == {filled.depth}


def test_traced_parameters_get_the_safe_depth():
    depths = []

    def record(strength):
        oscillator = jt.quantum_oscillator(QUARTIC, strength, 1, grid=GRID)
        depths.append(jt.brownian.resolved(oscillator, 1.0, 0.5).bath.depth)
        return strength

    jax.jit(record)(1.0)
    assert depths == [SAFE_DEPTH]


def test_a_hierarchy_without_a_depth_says_what_to_write():
    with pytest.raises(ValueError, match=r"`depth` must be given .* jt.brownian.resolved\(oscillator, betas, fields\)"):
        members_of(jt.quantum_oscillator(QUARTIC, 1.0))
