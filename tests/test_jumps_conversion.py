"""Units between two reservoirs that share an edge: exact currents, engines and refrigerators, and their bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt

BETAS = np.array([0.5, 2.0])


def two_state(gap=2.0, hot_force=0.0, cold_force=0.0, interaction=None):
    """Units with two states, whose one edge belongs to a hot and to a cold reservoir, each with its own force."""
    forces = jnp.stack([jnp.asarray(hot_force, float), jnp.asarray(cold_force, float)])
    return jt.JumpNetwork([(0, 1), (0, 1)], [0.0, gap], interaction, forces, [0, 1], prefactor=[1.0, 0.4])


def exact(gap, forces):
    """Current up through the hot reservoir and back through the cold one, from the four rates of one unit."""
    up, down = (np.array([1.0, 0.4]) * np.exp(sign * 0.5 * BETAS * (gap - np.asarray(forces))) for sign in (-1.0, 1.0))
    current = (up[0] * down[1] - down[0] * up[1]) / (up.sum() + down.sum())
    return current * (forces[0] - forces[1]), current * np.array([gap - forces[0], forces[1] - gap])


CASES = {
    # forces (hot, cold), and what the machine does.
    "heat engine": ((0.0, 0.8), "heat engine"),
    "heat alone": ((0.0, 0.0), "dissipator"),
    "refrigerator": ((0.0, 1.9), "refrigerator"),
}


@pytest.mark.parametrize("forces, mode", CASES.values(), ids=CASES.keys())
def test_one_edge_with_two_reservoirs_has_the_exact_currents(forces, mode):
    network = two_state(2.0, *forces)
    steady = jt.jumps.stationary(network, BETAS)
    work, heats = exact(2.0, forces)
    assert float(steady.work_current) == pytest.approx(work, abs=1e-13)
    np.testing.assert_allclose(steady.heat_currents, heats, rtol=0, atol=1e-13)
    one = jt.jumps.mesoscopic_stationary(network, BETAS, 1)
    np.testing.assert_allclose(one.heat_currents, heats, rtol=0, atol=1e-13)
    found = jt.jumps.conversion(steady.work_current, steady.heat_currents, BETAS)
    assert found.mode == mode and bool(found.ok)
    assert float(found.carnot) == pytest.approx(0.75)
    assert float(found.entropy_production_rate) == pytest.approx(float(steady.entropy_production_rate), rel=1e-10)


def test_efficiency_of_tightly_coupled_units_is_a_ratio_of_energies():
    """Each turn takes the gap from the hot reservoir and gives away the cold force: efficiency f/gap, whatever else."""
    for force in (0.3, 1.4):
        steady = jt.jumps.stationary(two_state(2.0, 0.0, force), BETAS)
        found = jt.jumps.conversion(steady.work_current, steady.heat_currents, BETAS)
        assert float(found.efficiency) == pytest.approx(force / 2.0, rel=1e-10)
        assert float(found.efficiency) < float(found.carnot)
    # Beyond gap (1 - beta_hot/beta_cold) = 1.5 the current turns round, and the cold reservoir is cooled.
    steady = jt.jumps.stationary(two_state(2.0, 0.0, 1.6), BETAS)
    found = jt.jumps.conversion(steady.work_current, steady.heat_currents, BETAS)
    assert found.mode == "refrigerator" and np.isnan(found.efficiency)
    assert float(found.performance) == pytest.approx((2.0 - 1.6) / 1.6, rel=1e-10)
    assert float(found.performance) < float(found.carnot_performance) == pytest.approx(1.0 / 3.0)


def test_derivatives_of_the_efficiency_in_both_modes():
    def efficiency(x):
        network = two_state(x[0], 0.1, x[1], np.array([[-0.5, 0.1], [0.1, -0.3]]))
        few = jt.jumps.mesoscopic_stationary(network, x[2:], 3)
        return jt.jumps.conversion(few.work_current, few.heat_currents, x[2:]).efficiency

    x = np.append([2.0, 0.8], BETAS)
    central = [(float(efficiency(x + 1e-5 * e)) - float(efficiency(x - 1e-5 * e))) / 2e-5 for e in np.eye(4)]
    np.testing.assert_allclose(jax.grad(efficiency)(jnp.asarray(x)), central, rtol=1e-6)
    np.testing.assert_allclose(jax.jacfwd(efficiency)(jnp.asarray(x)), central, rtol=1e-6)


def test_lanes_are_what_single_calls_give():
    heats = np.array([[0.5, -0.3], [-0.25, 0.05], [0.1, -0.1]])
    work = -heats.sum(axis=1)
    batch = jt.jumps.conversion(work, heats, BETAS)
    lanes = jax.vmap(lambda w, q: jt.jumps.conversion(w, q, BETAS))(work, heats)
    singles = [jt.jumps.conversion(w, q, BETAS) for w, q in zip(work, heats, strict=True)]
    for name in ("machine", "power", "efficiency", "performance", "entropy_production_rate"):
        expected = [getattr(one, name) for one in singles]
        np.testing.assert_array_equal(getattr(batch, name), expected)
        np.testing.assert_array_equal(getattr(lanes, name), expected)
    assert list(batch.mode) == ["heat engine", "refrigerator", "dissipator"]
    assert "efficiency" in batch.to_dataset()


def test_what_the_second_law_forbids_is_said():
    with pytest.warns(UserWarning, match="second law"):
        found = jt.jumps.conversion(-0.5, [0.5, 0.0], BETAS * 0.0 + [1.0, 1.0])
        found = jt.jumps.conversion(-0.45, [0.5, -0.05], BETAS)
    assert found.status == jt.Status.second_law_violated


BAD = {
    "three betas": (
        lambda: jt.jumps.conversion(0.1, [0.1, -0.2], [1.0, 2.0, 3.0]),
        "`beta` must have one number",
    ),
    "one heat": (lambda: jt.jumps.conversion(0.1, 0.1, BETAS), "`beta` must have one number"),
    "two works": (lambda: jt.jumps.conversion([0.1, 0.2], np.zeros((3, 2)), BETAS), "`work` must fit `heats`"),
    "cold below zero": (lambda: jt.jumps.conversion(0.1, [0.1, -0.2], [1.0, -2.0]), "`beta` must be >= 0"),
    "infinite heat": (lambda: jt.jumps.conversion(0.1, [np.inf, -0.2], BETAS), "`heats` must be finite"),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD.keys())
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
