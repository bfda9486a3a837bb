"""Schnakenberg's cycles: their affinities by hand, and entropy production as their sum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from jaxthermo.jumps.graph import incidence, spanning_tree, windings
from tests.systems import ring
from tests.test_jumps import BETAS, EDGES, FORCES, START, engine


def cycles_of_engine():
    first, second = np.asarray(engine().edges).T
    tree = spanning_tree(first, second, 3)
    return windings(tree, first, second, np.arange(len(first)), len(first)), tree.chords


def test_cycles_close_and_are_as_many_as_the_graph_has():
    cycles, chords = cycles_of_engine()
    assert cycles.shape == (len(EDGES) - 2, len(EDGES)) and len(chords) == 4
    np.testing.assert_array_equal(incidence(engine().edges, 3) @ cycles.T, 0.0)
    assert np.linalg.matrix_rank(cycles) == 4
    np.testing.assert_array_equal(cycles[np.arange(4), chords], 1.0)


def test_a_ring_has_one_cycle_with_the_affinity_q_beta_f():
    model = ring(q=5, energies=np.linspace(0.0, 0.4, 5))
    found = jt.jumps.cycle_affinities(model, 2.0, jt.jumps.stationary(model, 2.0).occupation)
    np.testing.assert_allclose(found.affinity, [5 * 2.0 * 1.0], rtol=1e-12)


def test_two_reservoirs_on_one_edge_make_a_cycle():
    pair = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 2.0], None, [0.0, 0.8], [0, 1])
    found = jt.jumps.cycle_affinities(pair, BETAS, jt.jumps.stationary(pair, BETAS).occupation)
    # Along the cold edge and back along the hot one, or the other way round.
    exact = BETAS[1] * (0.8 - 2.0) + BETAS[0] * 2.0
    np.testing.assert_allclose(found.affinity, [exact], rtol=1e-12)
    assert float(found.entropy_production_rate) > 0.0


def test_affinities_times_currents_are_the_entropy_production():
    steady = jt.jumps.stationary(engine(), BETAS, START)
    found = jt.jumps.cycle_affinities(engine(), BETAS, steady.occupation)
    assert bool(found.ok)
    assert float(found.entropy_production_rate) == pytest.approx(float(steady.entropy_production_rate), rel=1e-10)
    assert found.to_dataset()["edges_of"].dims == ("cycle", "edge")


def test_derivatives_and_lanes():
    """The cycle of the triangle in reservoir 0: beta_0 times the forces round it, since energies cancel."""
    cycles, _ = cycles_of_engine()
    own = int(np.argmax(np.all(cycles[:, 3:] == 0.0, axis=1)))
    P = jt.jumps.stationary(engine(), BETAS, START).occupation

    def affinity(hot):
        return jt.jumps.cycle_affinities(engine(), jnp.stack([hot, jnp.asarray(2.5)]), P).affinity[own]

    assert float(affinity(jnp.asarray(1.0))) == pytest.approx(FORCES[:3].sum(), rel=1e-12)
    assert float(jax.grad(affinity)(1.0)) == pytest.approx(FORCES[:3].sum(), rel=1e-12)
    together = jax.vmap(affinity)(jnp.array([1.0, 0.5]))
    np.testing.assert_allclose(together, FORCES[:3].sum() * np.array([1.0, 0.5]), rtol=1e-12)


def test_what_is_not_at_rest_is_said():
    with pytest.warns(UserWarning, match="not converged"):
        found = jt.jumps.cycle_affinities(engine(), BETAS, START)
    assert found.status == jt.Status.not_converged
    with pytest.raises(ValueError, match="`P` must sum to 1"):
        jt.jumps.cycle_affinities(engine(), BETAS, [0.5, 0.1, 0.1])


# units


def test_units_in_one_reservoir_are_driven_by_the_forces_alone():
    """Energies cancel round every cycle of occupation numbers."""
    model = ring(q=3, energies=np.array([0.0, 0.1, 0.3]))
    found = jt.jumps.mesoscopic_affinities(model, 2.0, 4)
    states, hops = 15, 3 * 10
    assert found.affinity.shape == (hops - states + 1,)
    np.testing.assert_allclose(found.affinity, 2.0 * 1.0 * found.edges_of.sum(axis=1), atol=1e-12)
    np.testing.assert_array_equal(found.edges_of @ incidence(model.network.edges, 3).T, 0.0)
    assert bool((found.closing_counts.sum(axis=1) == 4).all())


def test_affinities_times_currents_are_the_entropy_production_of_units_between_reservoirs():
    found = jt.jumps.mesoscopic_affinities(engine(), BETAS, 4)
    steady = jt.jumps.mesoscopic_stationary(engine(), BETAS, 4)
    assert bool(found.ok)
    assert float(found.entropy_production_rate) == pytest.approx(float(steady.entropy_production_rate), rel=1e-10)
    assert found.to_dataset()["affinity"].dims == ("cycle",)


def test_one_unit_has_the_cycles_of_the_network_itself():
    """Its interaction with itself cancels where K is a number."""
    model = ring(q=5, energies=np.linspace(0.0, 0.4, 5))
    one = jt.jumps.mesoscopic_affinities(model, 2.0, 1)
    np.testing.assert_allclose(one.affinity * one.edges_of.sum(), [5 * 2.0 * 5.0], rtol=1e-12)
    alone = jt.JumpNetwork(model.network.edges, np.linspace(0.0, 0.4, 5), None, 1.0, prefactor=0.1)
    rest = jt.jumps.cycle_affinities(alone, 2.0, jt.jumps.stationary(alone, 2.0).occupation)
    assert float(one.entropy_production_rate) == pytest.approx(float(rest.entropy_production_rate), rel=1e-9)


def test_the_derivative_of_the_sum_over_cycles_of_units():
    """Reverse mode, against differences of the stationary state."""

    def of(function, hot):
        return function(engine(), jnp.stack([jnp.asarray(hot), jnp.asarray(2.5)]), 2).entropy_production_rate

    h = 1e-4
    difference = of(jt.jumps.mesoscopic_stationary, 1.0 + h) - of(jt.jumps.mesoscopic_stationary, 1.0 - h)
    slope = jax.grad(lambda hot: of(jt.jumps.mesoscopic_affinities, hot))(1.0)
    assert float(slope) == pytest.approx(float(difference) / (2.0 * h), rel=1e-5)
