"""Folds, branches and limit cycles of networks that are not rings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

import jaxthermo as jt

# Four states, all joined to all, without force: an equilibrium Potts model.
ALL = [(i, j) for i in range(4) for j in range(i)]
START = [1.0 - 3e-4, 1e-4, 1e-4, 1e-4]


def potts(coupling):
    return jt.JumpNetwork(ALL, np.zeros(4), coupling, rates=jt.jumps.Glauber())


def beta_of(x, coupling=-1.0):
    """beta at which P = (x, (1 - x)/3, ..) is at rest, from ln(P_1/P_2) = -beta u (P_1 - P_2)."""
    return np.log(3.0 * x / (1.0 - x)) / (-coupling * (4.0 * x - 1.0) / 3.0)


EXACT = minimize_scalar(beta_of, bounds=(0.4, 0.95), method="bounded", options={"xatol": 1e-10})

# Both reservoirs drive the triangle round; the second is colder and slower.
EDGES = [(0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)]
FORCES = np.array([1.0, 1.0, 1.0, -0.8, -0.8, -0.8])
RESERVOIRS = [0, 0, 0, 1, 1, 1]
PREFACTOR = np.array([0.1, 0.1, 0.1, 0.03, 0.03, 0.03])
BETAS = np.array([3.3, 3.8])


def cycling(forces=FORCES):
    return jt.JumpNetwork(EDGES, np.zeros(3), -1.0, forces, RESERVOIRS, prefactor=PREFACTOR)


def rate(_, P):
    """dP/dt of the cycling network, edge by edge."""
    change = np.zeros(3)
    for (i, j), r, f, G in zip(EDGES, RESERVOIRS, FORCES, PREFACTOR, strict=True):
        half = 0.5 * BETAS[r] * (P[i] - P[j] - f)
        current = G * (np.exp(-half) * P[i] - np.exp(half) * P[j])
        change += current * (np.eye(3)[j] - np.eye(3)[i])
    return change


@pytest.fixture(scope="module")
def cycle():
    return jt.jumps.limit_cycle(cycling(), BETAS)


def test_a_derivative_of_a_branch_is_refused_by_its_name():
    def first_work(force):
        return jt.jumps.branch(jt.PottsRing(3, -1.0, force, 0.1), 8.0, low=5.0, high=9.0, points=2).work_current[0]

    with pytest.raises(NotImplementedError, match="`branch` has no derivatives"):
        jax.grad(first_work)(1.0)


def test_fold_of_the_equilibrium_potts_model():
    found = jt.jumps.fold(potts(-1.0), 12.0, START)
    assert bool(found.ok) and float(found.residual) < 1e-12
    assert float(found.beta) == pytest.approx(EXACT.fun, rel=1e-13)
    assert float(found.occupation[0]) == pytest.approx(EXACT.x, abs=1e-6)
    np.testing.assert_allclose(found.occupation[1:], (1.0 - found.occupation[0]) / 3.0, rtol=1e-10)


def test_derivative_of_the_fold():
    """beta u is what counts, so d(beta)/du = -beta/u."""
    slope = jax.grad(lambda u: jt.jumps.fold_beta(potts(u), 12.0, START))(-1.0)
    assert float(slope) == pytest.approx(EXACT.fun, rel=1e-10)


def test_no_fold_on_a_branch_that_does_not_turn():
    free = jt.JumpNetwork(ALL, np.zeros(4), 0.0, rates=jt.jumps.Glauber())
    with pytest.warns(jt._results.JaxthermoWarning, match="not converged"):
        found = jt.jumps.fold(free, 12.0, np.full(4, 0.25))
    assert found.outcome == "not converged" and np.isnan(found.beta)


def test_branch_runs_through_its_fold():
    path = jt.jumps.branch(potts(-1.0), 8.0, START, low=3.0, high=8.5)
    x = np.asarray(path.occupation)[:, 0]
    past = np.abs(4.0 * x - 1.0) > 0.05
    np.testing.assert_allclose(np.asarray(path.beta)[past], beta_of(x[past]), rtol=1e-9)
    assert float(path.beta.min()) == pytest.approx(EXACT.fun, abs=2e-3) and int(path.fold.sum()) >= 1
    first = int(np.argmax(np.asarray(path.fold)))
    assert bool(np.asarray(path.stable)[: first - 1].all()) and not bool(np.asarray(path.stable)[first + 1])


def test_cycle_comes_back_to_itself(cycle):
    assert bool(cycle.ok) and bool(cycle.stable) and float(cycle.period) > 1.0
    end = solve_ivp(rate, (0.0, float(cycle.period)), np.asarray(cycle.point), "DOP853", rtol=1e-12, atol=1e-13).y[
        :, -1
    ]
    np.testing.assert_allclose(end, cycle.point, rtol=0, atol=1e-8)
    assert abs(complex(cycle.multipliers[0]) - 1.0) < 1e-6


def test_both_laws_hold_over_a_cycle(cycle):
    assert float(cycle.work_current + cycle.heat_current) == pytest.approx(0.0, abs=1e-9)
    assert float(-BETAS @ np.asarray(cycle.heat_currents)) == pytest.approx(
        float(cycle.entropy_production_rate), rel=1e-8
    )


def test_cycle_is_the_attractor_of_the_trajectory(cycle):
    found = jt.jumps.stationary(cycling(), BETAS)
    assert found.kind == "limit cycle"
    assert float(found.period) == pytest.approx(float(cycle.period), rel=1e-7)
    np.testing.assert_allclose(found.heat_currents, cycle.heat_currents, rtol=1e-6)


def test_derivative_of_the_period():
    def period(scale):
        return jt.jumps.limit_cycle(cycling(scale * jnp.asarray(FORCES)), BETAS).period

    slope = (float(period(1.0 + 1e-4)) - float(period(1.0 - 1e-4))) / 2e-4
    assert float(jax.grad(period)(1.0)) == pytest.approx(slope, rel=1e-6)


BAD = {
    "two states": (
        lambda: jt.jumps.limit_cycle(jt.JumpNetwork([(0, 1)], [0.0, 0.0]), 1.0),
        "`network` must have q >= 3",
    ),
    "a force for each edge": (
        lambda: jt.jumps.branch(cycling(), BETAS, along="force", low=0.0, high=1.0),
        '`along` must not be "force"',
    ),
    "far from rest": (
        lambda: jt.jumps.branch(potts(-1.0), 8.0, START, low=1.0, high=5.0),
        "`low` and `high` must hold the start's beta",
    ),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD.keys())
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
