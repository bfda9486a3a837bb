"""Samples of basins: what they find in each phase, and how they tell attractors apart."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from jaxthermo.potts import basins
from jaxthermo.potts.basins import uniform_starts
from jaxthermo.potts.symmetry import cycle_orbit, point_orbit

G = 0.1
STARTS = 48


@pytest.fixture(scope="module")
def phases():
    """Uniform, synchronised and localised phase of three states."""
    ring = jt.PottsRing(3, -1.0, 1.0, G)
    return {beta: jt.potts.attractors(ring, beta, STARTS) for beta in (2.5, 4.0, 8.0)}


def test_three_states_have_one_attractor_in_each_phase(phases):
    kinds = ["fixed point", "limit cycle", "fixed point"]
    for sample, kind, copies in zip(phases.values(), kinds, (1, 1, 3), strict=True):
        assert len(sample) == 1 and not sample.coexist
        assert (sample[0].kind, sample[0].copies, sample[0].copies_found) == (kind, copies, copies)
        assert (sample[0].basin, sample[0].basin_error) == (1.0, 0.0)
        assert sample.summary.startswith("one attractor, up to rotation of the ring\n" + kind)


def test_entries_are_those_of_stationary(phases):
    """Localised work as from P_1 = 1; entropy production is beta times the work current."""
    ring = jt.PottsRing(3, -1.0, 1.0, G)
    reference = jt.potts.stationary_lanes(ring, [8.0])
    np.testing.assert_allclose(phases[8.0][0].work_current, reference.work_current[0], rtol=1e-10)
    np.testing.assert_allclose(sorted(phases[8.0][0].occupation), sorted(reference.occupation[0]), atol=1e-10)
    for beta, sample in phases.items():
        np.testing.assert_allclose(sample[0].entropy_production_rate, beta * sample[0].work_current, rtol=1e-7)


def test_a_cycle_is_one_turn_at_equal_times(phases):
    one = phases[4.0][0]
    assert np.all(np.isnan(phases[2.5][0].cycle)) and np.isnan(phases[2.5][0].period)
    np.testing.assert_allclose(one.cycle.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(one.cycle.mean(axis=0), one.occupation, atol=1e-8)
    ring = jt.PottsRing(3, -1.0, 1.0, G)
    quarter = len(one.cycle) // 4
    run = jt.potts.evolve(ring, 4.0, one.cycle[0], [0.0, one.period / 4, one.period])
    np.testing.assert_allclose(run.occupation[1:], one.cycle[np.array([quarter, 0])], atol=1e-6)


def test_coexistence_is_said_and_its_basins_are_shares():
    """At small force the localised states appear below beta_c1: three copies of them beside the uniform state."""
    ring = jt.PottsRing(3, -1.0, 0.05, G)
    sample = jt.potts.attractors(ring, 2.95, STARTS)
    assert sample.coexist and sample.summary.startswith("2 attractors coexist")
    assert [(one.kind, int(one.copies), int(one.copies_found)) for one in sample] == [
        ("fixed point", 3, 3),
        ("fixed point", 1, 1),
    ]
    assert sum(one.basin for one in sample) == pytest.approx(1.0, abs=1e-15)
    for one in sample:
        assert one.basin_error == pytest.approx(np.sqrt(one.basin * (1 - one.basin) / STARTS))
    again = jt.potts.attractors(ring, 2.95, STARTS, jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, again, sample)
    other = jt.potts.attractors(ring, 2.95, STARTS, jax.random.key(7))
    assert abs(other[0].basin - sample[0].basin) < 5 * max(one.basin_error for one in (*sample, *other))


def test_uneven_energies_are_not_rotated():
    """Deep in the cold every state holds the units; without the symmetry these are three different attractors."""
    sample = jt.potts.attractors(jt.PottsRing(3, -1.0, 0.05, G, [0.0, 0.02, -0.02]), 8.0, STARTS)
    assert len(sample) == 3 and sample.coexist
    assert {int(np.argmax(one.occupation)) for one in sample} == {0, 1, 2}
    assert all(one.copies == one.copies_found == 1 for one in sample)


@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
def test_undecided_starts_are_counted(monkeypatch):
    original = basins.long_time_lanes

    def half(*arguments, **options):
        found = original(*arguments, **options)
        return eqx.tree_at(lambda f: f.attractor, found, np.where(np.arange(STARTS) % 2, found.attractor, 0))

    monkeypatch.setattr(basins, "long_time_lanes", half)
    sample = jt.potts.attractors(jt.PottsRing(3, -1.0, 1.0, G), 2.5, STARTS)
    assert [one.kind for one in sample] == ["fixed point", "undecided"] and not sample.coexist
    assert [float(one.basin) for one in sample] == [0.5, 0.5]
    assert np.isnan(sample[1].work_current) and np.all(np.isnan(sample[1].occupation))
    assert "undecided: basin 0.500 +- 0.072" in sample.summary


def test_the_curve_of_a_cycle_knows_its_symmetries(phases):
    """The cycle of three states is a wave: rotations only shift its phase, also between two samples."""
    one = phases[4.0][0]
    curve = cycle_orbit(
        jt.PottsRing(3, -1.0, 1.0, G), jnp.array(4.0), np.asarray(one.cycle[0]), float(one.period), range(3)
    )
    assert (curve.symmetries, curve.copies) == (3, 1)
    run = jt.potts.evolve(jt.PottsRing(3, -1.0, 1.0, G), 4.0, one.cycle[0], [0.0, 0.3217 * one.period])
    assert curve.rotations_through(np.asarray(run.occupation)[-1]) == [0, 1, 2]
    assert curve.rotations_through(np.asarray(run.occupation)[-1][::-1]) == []


def test_rotations_and_symmetries_of_points():
    assert point_orbit(np.full(4, 0.25), range(4)).copies == 1
    alternating = point_orbit(np.array([0.4, 0.1, 0.4, 0.1]), range(4))
    assert (alternating.copies, alternating.symmetries) == (2, 2)
    assert alternating.rotations_through(np.array([0.1, 0.4, 0.1, 0.4])) == [1, 3]
    lonely = point_orbit(np.array([0.7, 0.2, 0.06, 0.04]), range(4))
    assert lonely.copies == 4 and lonely.rotations_through(np.array([0.06, 0.04, 0.7, 0.2])) == [2]
    assert lonely.rotations_through(np.array([0.2, 0.7, 0.04, 0.06])) == []


def test_starts_are_uniform_on_the_simplex():
    """Dirichlet(1): every occupation has mean 1/q and variance (q - 1)/(q^2 (q + 1))."""
    starts = np.asarray(uniform_starts(4, 20_000))
    np.testing.assert_allclose(starts.sum(axis=1), 1.0, atol=1e-14)
    # Five standard errors of mean and variance.
    np.testing.assert_allclose(starts.mean(axis=0), 0.25, atol=5 * np.sqrt(3 / 80 / 20_000))
    np.testing.assert_allclose(starts.var(axis=0), 3 / 80, rtol=0.06)


BAD = {
    "starts": ({"starts": 0}, "`starts` must be an integer >= 1"),
    "key": ({"key": jnp.ones(3)}, "`key` must be a jax.random.key"),
    "beta": ({"beta": -1.0}, "`beta` must be >= 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    change, message = BAD[case]
    arguments = {"ring": jt.PottsRing(3, -1.0, 1.0, G), "beta": 4.0, "starts": 4} | change
    with pytest.raises(ValueError, match=message):
        jt.potts.attractors(**arguments)
