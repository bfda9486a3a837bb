"""Jump networks: any graph, several reservoirs, against references that share nothing with the library."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm, null_space

import jaxthermo as jt
from jaxthermo.jumps import rates as laws

# Three states, all joined to all, by two reservoirs in parallel; both push round the triangle.
TRIANGLE = [(0, 1), (1, 2), (2, 0)]
EDGES = TRIANGLE + TRIANGLE
RESERVOIRS = [0, 0, 0, 1, 1, 1]
ENERGIES = np.array([0.0, 0.3, 0.5])
MATRIX = np.array([[-1.0, 0.2, 0.0], [0.2, -1.1, 0.1], [0.0, 0.1, -0.5]])
FORCES = np.array([0.1, 0.0, 0.2, 0.4, 0.3, 0.0])
PREFACTOR = np.array([1.0, 1.0, 1.0, 0.5, 0.6, 0.7])
BETAS = np.array([1.0, 2.5])
START = np.array([0.7, 0.2, 0.1])
TIMES = np.linspace(0.0, 3.0, 5)


def engine(energies=ENERGIES, interaction=MATRIX, forces=FORCES, rates=None):
    return jt.JumpNetwork(EDGES, energies, interaction, forces, RESERVOIRS, rates, PREFACTOR)


def reference(P, interaction=MATRIX, forces=FORCES):
    """dP/dt, work current, heat currents and entropy production rate of Arrhenius rates, edge by edge in NumPy."""
    level = ENERGIES + interaction @ P
    change, heats, work, produced = np.zeros(3), np.zeros(2), 0.0, 0.0
    for (i, j), r, f, G in zip(EDGES, RESERVOIRS, forces, PREFACTOR, strict=True):
        dE = level[j] - level[i]
        forward = G * np.exp(-0.5 * BETAS[r] * (dE - f)) * P[i]
        backward = G * np.exp(0.5 * BETAS[r] * (dE - f)) * P[j]
        change[i] -= forward - backward
        change[j] += forward - backward
        work += f * (forward - backward)
        heats[r] += (dE - f) * (forward - backward)
        produced += (forward - backward) * np.log(forward / backward)
    return change, work, heats, produced


@pytest.fixture(scope="module")
def driven():
    return jt.jumps.evolve(engine(), BETAS, START, TIMES)


@pytest.fixture(scope="module")
def steady():
    return jt.jumps.stationary(engine(), BETAS, START)


def test_vector_field_and_thermodynamics_edge_by_edge():
    P = jnp.asarray(START)
    change, work, heats, produced = reference(START)
    flow = jt.jumps.thermodynamics(0.0, P, engine(), BETAS)
    np.testing.assert_allclose(jt.jumps.vector_field(0.0, P, engine(), BETAS), change, rtol=0, atol=1e-15)
    np.testing.assert_allclose(flow.heat_currents, heats, rtol=0, atol=1e-15)
    assert float(flow.work_current) == pytest.approx(work, abs=1e-15)
    assert float(flow.entropy_production_rate) == pytest.approx(produced, rel=1e-14)
    assert float(flow.energy) == pytest.approx(ENERGIES @ START + 0.5 * START @ MATRIX @ START, abs=1e-15)


def test_both_laws_hold_with_the_heat_of_each_reservoir():
    P = jnp.asarray(START)
    flow = jt.jumps.thermodynamics(0.0, P, engine(), BETAS)
    change = jt.jumps.vector_field(0.0, P, engine(), BETAS)
    rise = jnp.dot(jax.grad(jt.jumps.energy)(P, engine()), change)
    assert float(rise) == pytest.approx(float(flow.work_current + flow.heat_current), abs=1e-15)
    mixing = jnp.dot(jax.grad(jt.jumps.entropy)(P), change)
    balance = mixing - jnp.dot(jnp.asarray(BETAS), flow.heat_currents)
    assert float(balance) == pytest.approx(float(flow.entropy_production_rate), rel=1e-13)


def test_trajectory_against_scipy(driven):
    def rate(_, y):
        change, work, heats, produced = reference(y[:3])
        return np.concatenate([change, [work], heats, [produced]])

    exact = solve_ivp(rate, (0.0, 3.0), np.append(START, np.zeros(4)), "DOP853", TIMES, rtol=1e-12, atol=1e-14).y.T
    found = np.column_stack([driven.occupation, driven.work, driven.heats, driven.entropy_produced])
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-11)
    assert bool(driven.ok)


def test_trajectory_without_interaction_is_a_matrix_exponential():
    # W[j, i]: rate i -> j, summed over the reservoirs.
    W = np.zeros((3, 3))
    for (i, j), r, f, G in zip(EDGES, RESERVOIRS, FORCES, PREFACTOR, strict=True):
        W[j, i] += G * np.exp(-0.5 * BETAS[r] * (ENERGIES[j] - ENERGIES[i] - f))
        W[i, j] += G * np.exp(0.5 * BETAS[r] * (ENERGIES[j] - ENERGIES[i] - f))
    W -= np.diag(W.sum(axis=0))
    free = engine(interaction=np.zeros((3, 3)))
    exact = np.stack([expm(W * t) @ START for t in TIMES])
    # Between its steps the solver interpolates, at a lower order than it steps.
    np.testing.assert_allclose(jt.jumps.evolve(free, BETAS, START, TIMES).occupation, exact, rtol=0, atol=5e-11)
    kernel = null_space(W)[:, 0]
    found = jt.jumps.stationary(free, BETAS, START)
    np.testing.assert_allclose(found.occupation, kernel / kernel.sum(), rtol=0, atol=1e-13)


def test_stationary_state_between_two_temperatures(steady):
    change, work, heats, produced = reference(np.asarray(steady.occupation))
    assert steady.kind == "fixed point" and bool(steady.ok)
    np.testing.assert_allclose(change, 0.0, atol=1e-14)
    np.testing.assert_allclose(steady.heat_currents, heats, atol=1e-13)
    assert float(steady.work_current) == pytest.approx(work, abs=1e-13)
    assert float(steady.entropy_production_rate) == pytest.approx(produced, rel=1e-12)
    # Heat flows out of the hot reservoir, and at rest nothing is stored.
    assert heats[0] > 0.1 > -0.1 > heats[1]
    assert float(steady.heat_current + steady.work_current) == pytest.approx(0.0, abs=1e-13)
    assert float(-BETAS @ np.asarray(steady.heat_currents)) == pytest.approx(produced, rel=1e-11)


def test_units_that_do_not_interact_are_at_rest_also_where_rates_are_far_apart():
    """One bond a million million times faster than the next, cold: the current round the ring from its resistances."""
    energies, prefactor, force, beta = np.array([0.0, 0.5, 0.2, 5.0]), np.array([1e-6, 1e6, 1.0, 1.0]), 0.3, 8.0
    network = jt.JumpNetwork([(0, 1), (1, 2), (2, 0), (2, 3)], energies, None, force, None, None, prefactor)
    found = jt.jumps.stationary(network, beta)
    # With y = P exp(beta E - ..) along the ring: y_{k+1} = y_k exp(beta f) - J r_k closes for one ratio J/y_0.
    resistance = np.exp(0.5 * beta * (energies[[0, 1, 2]] + energies[[1, 2, 0]] + force)) / prefactor[:3]
    gain = np.exp(beta * force)
    ratio = (gain**3 - 1.0) / (resistance @ gain ** np.array([2, 1, 0]))
    y = [1.0]
    for one in resistance[:2]:
        y.append(y[-1] * gain - ratio * one)
    P = np.exp(-beta * energies) * np.array([*y, y[2] * gain])
    assert found.ok
    np.testing.assert_allclose(found.occupation, P / P.sum(), rtol=1e-9)
    # Free of the 1e-12 that rounding leaves of some 1e3 hops there and back along the fast bond.
    np.testing.assert_allclose(found.work_current, 3.0 * force * ratio / P.sum(), rtol=1e-11)
    np.testing.assert_allclose(found.heat_currents, [-3.0 * force * ratio / P.sum()], rtol=1e-11)
    assert 1e-7 < abs(float(found.work_current)) < 1e-3


def test_at_one_temperature_without_force_it_is_gibbs_and_nothing_is_dissipated():
    free = engine(interaction=np.zeros((3, 3)), forces=np.zeros(6))
    found = jt.jumps.stationary(free, np.array([1.7, 1.7]), START)
    gibbs = np.exp(-1.7 * ENERGIES)
    np.testing.assert_allclose(found.occupation, gibbs / gibbs.sum(), atol=1e-14)
    assert abs(float(found.entropy_production_rate)) < 1e-14


def rolled(P, q, u, f, beta, G, energies):
    """Arrhenius rates on a ring, bond by bond with rolls: dP/dt and the thermodynamics of Herpich & Esposito."""
    change = np.roll(energies, -1) - energies + u * (np.roll(P, -1) - P)
    forward = G * np.exp(-0.5 * beta * (change - f)) * P
    backward = G * np.exp(0.5 * beta * (change - f)) * np.roll(P, -1)
    current = forward - backward
    return np.roll(current, 1) - current, {
        "energy": energies @ P + 0.5 * u * P @ P,
        "work_current": f * current.sum(),
        "heat_current": current @ (change - f),
        "entropy": -P @ np.log(P),
        "entropy_production_rate": current @ np.log(forward / backward),
    }


@pytest.mark.parametrize("q", [2, 5])
def test_ring_is_a_network(q):
    u, f, beta, G, energies = -1.0, 0.7, 2.0, 0.3, np.linspace(0.0, 0.4, q)
    P = np.arange(q, 0.0, -1.0) / sum(range(q + 1))
    change, expected = rolled(P, q, u, f, beta, G, energies)
    ring = jt.PottsRing(q, u, f, G, energies)
    # The same graph with its edges in another order, which is no rotation any more.
    edges = [(i, (i + 1) % q) for i in reversed(range(q))]
    network = jt.JumpNetwork(edges, energies, u, f, prefactor=G)
    for model in (ring, ring.network, network):
        np.testing.assert_allclose(jt.jumps.vector_field(0.0, jnp.asarray(P), model, beta), change, rtol=0, atol=1e-15)
        found = jt.jumps.thermodynamics(0.0, jnp.asarray(P), model, beta)
        for name, value in expected.items():
            assert float(getattr(found, name)) == pytest.approx(value, abs=1e-14), name


def test_interactions_as_number_matrix_and_function_agree():
    P = jnp.asarray(START)
    number = jt.jumps.vector_field(0.0, P, engine(interaction=-0.8), BETAS)
    matrix = jt.jumps.vector_field(0.0, P, engine(interaction=-0.8 * np.eye(3)), BETAS)
    function = engine(interaction=lambda P: -0.4 * jnp.sum(P**2))
    np.testing.assert_allclose(matrix, number, rtol=0, atol=1e-15)
    np.testing.assert_allclose(jt.jumps.vector_field(0.0, P, function, BETAS), number, rtol=0, atol=1e-15)
    assert float(jt.jumps.energy(P, function)) == pytest.approx(float(jt.jumps.energy(P, engine(interaction=-0.8))))


def test_vmapped_trajectories_are_those_of_a_loop():
    betas = np.array([[1.0, 2.5], [0.5, 1.5]])
    batch = jax.vmap(lambda beta: jt.jumps.evolve(engine(), beta, START, TIMES))(betas)
    for lane, beta in enumerate(betas):
        one = jt.jumps.evolve(engine(), beta, START, TIMES)
        np.testing.assert_allclose(batch.occupation[lane], one.occupation, rtol=0, atol=1e-11)
        np.testing.assert_allclose(batch.heats[lane], one.heats, rtol=0, atol=1e-11)
    assert batch.ok.shape == (2,) and bool(jnp.all(batch.ok))
    assert batch.to_dataset()["heats"].dims == ("lane_0", "time", "reservoir")


def test_vmapped_stationary_states_are_those_of_a_loop(steady):
    batch = jax.vmap(lambda beta: jt.jumps.stationary(engine(), beta, START))(np.array([[1.0, 2.5], [0.5, 1.5]]))
    np.testing.assert_allclose(batch.heat_currents[0], steady.heat_currents, rtol=0, atol=1e-12)
    assert list(batch.kind) == ["fixed point", "fixed point"]


def differences(f, x, step=1e-5):
    return np.array([(f(x + step * e) - f(x - step * e)) / (2.0 * step) for e in np.eye(len(x))])


def test_trajectories_have_derivatives_in_both_modes():
    def heat(x):
        network = engine(ENERGIES, MATRIX, x[2] * FORCES)
        return jt.jumps.evolve(network, x[:2], START, TIMES).heats[-1, 0]

    x = np.append(BETAS, 1.1)
    expected = differences(lambda x: float(heat(jnp.asarray(x))), x)
    np.testing.assert_allclose(jax.grad(heat)(jnp.asarray(x)), expected, rtol=1e-7)
    np.testing.assert_allclose(jax.jacfwd(heat)(jnp.asarray(x)), expected, rtol=1e-7)


def test_stationary_states_have_derivatives_in_both_modes():
    def heat(x):
        return jt.jumps.stationary(engine(ENERGIES, MATRIX, x[2] * FORCES), x[:2], START).heat_currents[0]

    x = np.append(BETAS, 1.1)
    expected = differences(lambda x: float(heat(jnp.asarray(x))), x)
    np.testing.assert_allclose(jax.grad(heat)(jnp.asarray(x)), expected, rtol=1e-7)
    np.testing.assert_allclose(jax.jacfwd(heat)(jnp.asarray(x)), expected, rtol=1e-7)


def test_derivatives_reach_what_a_function_has_closed_over():
    def produced(x):
        network = engine(interaction=lambda P: x * jnp.sum(P**2), forces=lambda t: x * jnp.cos(t))
        run = jt.jumps.evolve(network, (1.0, lambda t: 2.0 + x * t), START, TIMES)
        return run.entropy_produced[-1]

    slope = (float(produced(0.3 + 1e-5)) - float(produced(0.3 - 1e-5))) / 2e-5
    assert float(jax.grad(produced)(0.3)) == pytest.approx(slope, rel=1e-7)


def test_schedules_for_each_reservoir_and_each_edge():
    def rise(t):
        return 2.5 - 0.5 * t

    forces = [*FORCES[:3], lambda t: 0.4 + 0.1 * t, *FORCES[4:]]
    run = jt.jumps.evolve(engine(forces=forces), (1.0, rise), START, TIMES)
    np.testing.assert_allclose(run.beta, np.column_stack([np.ones(5), rise(TIMES)]), rtol=1e-15)
    now = FORCES + np.array([0.0, 0.0, 0.0, 0.1, 0.0, 0.0]) * 3.0
    last = jt.jumps.thermodynamics(0.0, run.occupation[-1], engine(forces=now), run.beta[-1])
    np.testing.assert_allclose(run.heat_currents[-1], last.heat_currents, atol=1e-15)


# Two temperatures in one law: ln(V+/V-) is that of neither.
class TwoBaths(laws.AbstractRates):
    cold: float = eqx.field(static=True)

    def __call__(self, energy_change, force, beta, prefactor):
        half, cold = 0.5 * beta * (energy_change - force), 0.5 * self.cold * (energy_change - force)
        return prefactor * (jnp.exp(-half) + jnp.exp(-cold)), prefactor * (jnp.exp(half) + jnp.exp(cold))


# A law of one's own: Arrhenius with a barrier that grows with the distance in energy.
class Barrier(laws.AbstractRates):
    height: jax.Array

    def __call__(self, energy_change, force, beta, prefactor):
        half = 0.5 * beta * (energy_change - force)
        slow = prefactor * jnp.exp(-beta * self.height * energy_change**2)
        return slow * jnp.exp(-half), slow * jnp.exp(half)


@pytest.mark.parametrize("law", [law(0.3) if law is laws.LoadSharing else law() for law in laws.CHECKED], ids=repr)
def test_laws_of_the_library_obey_local_detailed_balance(law):
    violation, _ = laws.detailed_balance_violation(law)
    assert violation < 1e-14


def test_a_law_of_ones_own_is_checked():
    law = Barrier(jnp.asarray(0.2))
    assert engine(rates=law).rates is law
    with pytest.raises(ValueError, match=r"`rates` must obey local detailed balance.*TwoBaths is off by 1\.\d+ at dE"):
        engine(rates=TwoBaths(0.1))
    with pytest.raises(ValueError, match="`rates` must obey"):
        jax.jit(lambda P: jt.jumps.vector_field(0.0, P, engine(rates=TwoBaths(0.1)), BETAS))(START)


class ByNumPy(laws.AbstractRates):
    def __call__(self, energy_change, force, beta, prefactor):
        half = np.exp(-0.5 * beta * (energy_change - force))
        return prefactor * half, prefactor / half


class OneRate(laws.AbstractRates):
    def __call__(self, energy_change, force, beta, prefactor):
        return prefactor * jnp.exp(-0.5 * beta * (energy_change - force))


class ThreeArguments(laws.AbstractRates):
    def __call__(self, energy_change, beta, prefactor):
        return prefactor, prefactor


@pytest.mark.parametrize(
    ("law", "message"),
    [(ByNumPy, "write jax.numpy"), (OneRate, "must return two rates"), (ThreeArguments, "must be called with energy")],
)
def test_a_law_that_is_no_function_to_two_rates_is_named_where_the_network_is_made(law, message):
    with pytest.raises(ValueError, match=f"`rates` .*{message}"):
        jt.JumpNetwork([(0, 1)], [0.0, 1.0], rates=law())


BAD = {
    "edges of three": ({"edges": np.array([(0, 1, 2)])}, r"`edges` must have shape \(E, 2\)"),
    "edge to nowhere": ({"edges": [(0, 3), (1, 2)]}, r"`edges` must join states 0..2, but name \[3\]"),
    "loop": ({"edges": [(0, 1), (1, 2), (1, 1)]}, r"edges from \[1\] to themselves"),
    "split graph": ({"edges": [(0, 1)]}, r"none leads from state 0 to \[2\]"),
    "edges of floats": ({"edges": np.array([(0.5, 1.0)])}, "`edges` must be integers"),
    "energies in a table": ({"energies": np.zeros((3, 3))}, r"`energies` must have shape \(q,\)"),
    "interaction of two": ({"interaction": np.zeros((2, 2))}, r"`interaction` must be a scalar or have shape \(3, 3\)"),
    "interaction one way": ({"interaction": np.triu(np.ones((3, 3)))}, "`interaction` must be symmetric.*off by 1"),
    "two forces": ({"forces": [0.1, 0.2]}, r"`forces` must be a scalar or have shape \(3,\)"),
    "reservoir too many": ({"reservoirs": [0, 0]}, r"`reservoirs` must have shape \(3,\)"),
    "reservoir left out": ({"reservoirs": [0, 2, 2]}, "`reservoirs` must be numbered"),
    "prefactors": ({"prefactor": [1.0, 2.0]}, r"`prefactor` must be a scalar or have shape \(3,\)"),
}


@pytest.mark.parametrize("bad, message", BAD.values(), ids=BAD.keys())
def test_bad_networks_are_named(bad, message):
    good = {"edges": TRIANGLE, "energies": ENERGIES}
    with pytest.raises(ValueError, match=message):
        jt.JumpNetwork(**{**good, **bad})


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"`beta` must be a scalar or have shape \(2,\)"):
        jt.jumps.stationary(engine(), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="`beta` must be >= 0"):
        jt.jumps.evolve(engine(), (1.0, lambda t: 1.0 - t), START, TIMES)
    with pytest.raises(ValueError, match="`prefactor` must be > 0"):
        jt.jumps.stationary(jt.JumpNetwork(TRIANGLE, ENERGIES, prefactor=-1.0), 1.0)
    with pytest.raises(ValueError, match="`forces` must be constant"):
        jt.jumps.stationary(engine(forces=lambda t: t), BETAS)
    with pytest.raises(ValueError, match="`beta` must be constant"):
        jt.jumps.stationary(engine(), lambda t: 1.0)
    with pytest.raises(ValueError, match="`p0` must sum to 1"):
        jt.jumps.evolve(engine(), BETAS, [0.5, 0.1, 0.1], TIMES)
