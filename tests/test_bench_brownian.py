import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from benchmarks import _published_hierarchy as published, equilibrium_vs_qutip, stirling_cycle
from jaxthermo.brownian.hierarchy import equation_on, vector_field
from jaxthermo.brownian.observables import observe, wigner

GRID = jt.PhaseGrid(5.2, 0.4, 7.2, 0.6)
DEPTH, TEMPERATURE, FIELD = 8, 1.6, 0.7


def oscillator(depth):
    return jt.quantum_oscillator(jt.Polynomial([0.0, 0.1, 0.3, 0.02, 0.02]), 0.7, poles=1, depth=depth, grid=GRID)


@pytest.fixture(scope="module")
def start():
    """An equilibrium of the library at another field, so that it moves."""
    return jt.equilibrium(oscillator(4), 1.0 / TEMPERATURE, 0.2)


@pytest.fixture(scope="module")
def equation():
    return equation_on(oscillator(DEPTH), GRID)


def test_the_published_members_hold_the_same_state(start):
    """Both forms give W_0; only rounding separates them."""
    P = published.published_members(start.V, start.equation, TEMPERATURE, DEPTH)
    W = GRID.y_to_p() @ P[:, 0]
    np.testing.assert_allclose(W, wigner(start.V, start.equation, TEMPERATURE), rtol=0, atol=1e-14)
    np.testing.assert_allclose(jnp.sum(GRID.q * published.position_density(P)) * GRID.dq, start.X, atol=1e-13)


def test_both_hierarchies_rest_in_the_same_equilibrium(start, equation):
    """What one form calls stationary is so in the other, but for the 8e-6 that depth 4 and this mesh leave out."""
    P = published.published_members(start.V, start.equation, TEMPERATURE, DEPTH)
    rest = published.vector_field(P, equation, TEMPERATURE, 0.2)
    moving = published.vector_field(P, equation, TEMPERATURE, FIELD)
    size = float(jnp.max(jnp.abs(moving[:, 0])))
    assert size > 1e-2
    assert float(jnp.max(jnp.abs(rest[:, 0]))) < 3e-5 * size


def test_both_hierarchies_move_alike(start, equation):
    """A short run at another field by RK4 in both frames; the tolerance is what the depths 4 and 8 leave out."""
    steps, dt = 120, 0.0025
    mine = equation_on(oscillator(4), GRID)
    P = published.published_members(start.V, start.equation, TEMPERATURE, DEPTH)
    V = _rk4(lambda V: vector_field(V, mine, 0.0, TEMPERATURE, FIELD), start.V, dt, steps)
    Q = _rk4(lambda P: published.vector_field(P, equation, TEMPERATURE, FIELD), P, dt, steps)
    X = float(jnp.sum(GRID.q * published.position_density(Q)) * GRID.dq)
    assert abs(X - float(start.X)) > 1e-2
    assert float(observe(V, mine, TEMPERATURE).X) == pytest.approx(X, abs=1e-7)


def test_the_published_field_keeps_the_norm(equation):
    P = jnp.asarray(np.random.default_rng(1).standard_normal((GRID.p_points, DEPTH + 1, GRID.q_points)))
    change = published.vector_field(P, equation, TEMPERATURE, FIELD)
    assert float(jnp.max(jnp.abs(change))) > 1.0
    assert abs(float(jnp.sum(published.position_density(change)))) < 1e-12 * float(jnp.max(jnp.abs(change)))


def test_the_smallest_count_that_meets_the_target():
    assert stirling_cycle.coarsest(lambda n: 1e-2 / n**2) == 10
    assert stirling_cycle.coarsest(lambda n: 0.0) == 1


def test_the_search_and_the_timed_cycle_give_one_work():
    setting = stirling_cycle.Setting(1.0, 1, 0.5, 0.8, 6.4, 1)
    engine = stirling_cycle.oscillator_of(setting, 1)
    V = jt.equilibrium(engine, stirling_cycle.CYCLE.beta_hot, stirling_cycle.CYCLE.x_start).V
    timed = float(stirling_cycle.jaxthermo_cycle(engine, 6)(V))
    assert float(stirling_cycle.jaxthermo_search(engine)(V, 6)) == pytest.approx(timed, rel=1e-10)
    assert abs(timed) > 0.1


def test_a_missing_qutip_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "qutip", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'jaxthermo\[bench\]'"):
        equilibrium_vs_qutip.run(quick=True)


def _rk4(field, y, dt, steps):
    def step(_, y):
        k1 = field(y)
        k2 = field(y + 0.5 * dt * k1)
        k3 = field(y + 0.5 * dt * k2)
        k4 = field(y + dt * k3)
        return y + dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

    return jax.jit(lambda y: jax.lax.fori_loop(0, steps, step, y))(y)
