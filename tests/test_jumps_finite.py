"""N units on any graph between two reservoirs, against generators written hop by hop."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxthermo as jt
from jaxthermo._results import JaxthermoWarning
from jaxthermo.jumps.finite.distribution import stationary_distribution
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import network_at
from jaxthermo.jumps.finite.misplaced import across_slow_edges
from jaxthermo.jumps.finite.space import space
from jaxthermo.jumps.finite.states import log_multiplicity, mesostates

# Three states, all joined to all, by two reservoirs in parallel.
TRIANGLE = [(0, 1), (1, 2), (0, 2)]
EDGES = TRIANGLE + TRIANGLE
RESERVOIRS = [0, 0, 0, 1, 1, 1]
ENERGIES = np.array([0.0, 0.3, 0.5])
MATRIX = np.array([[-1.0, 0.2, 0.0], [0.2, -1.1, 0.1], [0.0, 0.1, -0.5]])
FORCES = np.array([0.1, 0.0, 0.2, 0.4, 0.3, 0.0])
PREFACTOR = np.array([1.0, 1.0, 1.0, 0.5, 0.6, 0.7])
BETAS = np.array([1.0, 2.5])
NETWORK = jt.JumpNetwork(EDGES, ENERGIES, MATRIX, FORCES, RESERVOIRS, prefactor=PREFACTOR)
SINGLE = jt.JumpNetwork(TRIANGLE, ENERGIES, MATRIX, FORCES[3:])
UNITS = 4


def energy(n):
    return ENERGIES @ n + n @ MATRIX @ n / (2.0 * n.sum())


def hops(units, forces=FORCES, betas=BETAS, edges=EDGES, reservoirs=RESERVOIRS, prefactor=PREFACTOR):
    """Every hop both ways: (number before, number after, rate, edge, sign, heat), with energies as differences of E."""
    states = [np.array(n) for n in mesostates(3, units).T.tolist()]
    where = {tuple(n): k for k, n in enumerate(states)}
    found = []
    for k, n in enumerate(states):
        for e, ((i, j), r, f, G) in enumerate(zip(edges, reservoirs, forces, prefactor, strict=True)):
            for a, b, sign in ((i, j, 1.0), (j, i, -1.0)):
                if n[a]:
                    after = n.copy()
                    after[a] -= 1
                    after[b] += 1
                    heat = energy(after) - energy(n) - sign * f
                    rate = n[a] * G * np.exp(-0.5 * betas[r] * heat)
                    found.append((k, where[tuple(after)], rate, e, sign, heat))
    return found


def generator(found, weight=lambda edge, sign, heat: 1.0):
    size = 1 + max(before for before, *_ in found)
    matrix = np.zeros((size, size))
    for before, after, rate, edge, sign, heat in found:
        matrix[after, before] += rate * weight(edge, sign, heat)
        matrix[before, before] -= rate
    return matrix


def resting(matrix):
    p = scipy.linalg.null_space(matrix)[:, 0]
    return p / p.sum()


@pytest.fixture(scope="module")
def steady():
    return jt.jumps.mesoscopic_stationary(NETWORK, BETAS, UNITS)


def as_function(P):
    return 0.5 * jnp.dot(P, jnp.dot(jnp.asarray(MATRIX), P))


@pytest.mark.parametrize("interaction", [MATRIX, as_function], ids=["matrix", "function"])
def test_generator_agrees_with_hops_written_one_by_one(interaction):
    network = jt.JumpNetwork(EDGES, ENERGIES, interaction, FORCES, RESERVOIRS, prefactor=PREFACTOR)
    states = space(3, UNITS, network.edges)
    found = mesoscopic_hops(network_at(network, BETAS), states)
    matrix = jax.jit(jax.vmap(found.apply, out_axes=1))(jnp.eye(states.size))
    np.testing.assert_allclose(matrix, generator(hops(UNITS)), rtol=0, atol=1e-13)
    energies = network_at(network, BETAS).energy(states.counts)
    np.testing.assert_allclose(energies, [energy(n) for n in mesostates(3, UNITS).T], rtol=1e-14)


def test_stationary_state_and_the_heat_of_each_reservoir(steady):
    found = hops(UNITS)
    p = resting(generator(found))
    heats, work = np.zeros(2), 0.0
    for before, _, rate, edge, sign, heat in found:
        heats[RESERVOIRS[edge]] += rate * p[before] * heat / UNITS
        work += rate * p[before] * sign * FORCES[edge] / UNITS
    np.testing.assert_allclose(steady.heat_currents, heats, rtol=0, atol=1e-13)
    assert float(steady.work_current) == pytest.approx(work, abs=1e-13)
    np.testing.assert_allclose(steady.occupation, mesostates(3, UNITS) @ p / UNITS, rtol=0, atol=1e-13)
    assert float(steady.entropy_production_rate) == pytest.approx(-BETAS @ heats, rel=1e-11)
    assert heats[0] > 0.05 > -0.05 > heats[1] and steady.ok.all()


def test_more_states_than_elimination_takes():
    units = 30
    found = jt.jumps.mesoscopic_stationary(NETWORK, BETAS, units)
    assert space(3, units, NETWORK.edges).coarse is not None and found.ok.all()
    p = resting(generator(hops(units)))
    np.testing.assert_allclose(found.occupation, mesostates(3, units) @ p / units, rtol=0, atol=1e-10)


def test_one_unit_is_a_linear_master_equation():
    # A unit alone interacts with itself only: phi = K_ii/2 raises its level.
    alone = jt.JumpNetwork(EDGES, ENERGIES + 0.5 * np.diag(MATRIX), None, FORCES, RESERVOIRS, prefactor=PREFACTOR)
    one = jt.jumps.mesoscopic_stationary(NETWORK, BETAS, 1)
    P = one.occupation
    mean = jt.jumps.thermodynamics(0.0, P, alone, BETAS)
    np.testing.assert_allclose(jt.jumps.vector_field(0.0, P, alone, BETAS), 0.0, atol=1e-15)
    np.testing.assert_allclose(one.heat_currents, mean.heat_currents, rtol=0, atol=1e-14)
    assert float(one.entropy) == pytest.approx(float(mean.entropy), abs=1e-14)


def test_derivatives_of_the_heat_are_central_differences():
    @jax.jit
    def heat(x):
        network = jt.JumpNetwork(EDGES, ENERGIES, MATRIX, x[2] * FORCES, RESERVOIRS, prefactor=PREFACTOR)
        return jt.jumps.mesoscopic_stationary(network, x[:2], UNITS).heat_currents[0]

    x = np.append(BETAS, 1.1)
    central = [(float(heat(x + 1e-5 * e)) - float(heat(x - 1e-5 * e))) / 2e-5 for e in np.eye(3)]
    np.testing.assert_allclose(jax.grad(heat)(jnp.asarray(x)), central, rtol=1e-7)
    np.testing.assert_allclose(jax.jacfwd(heat)(jnp.asarray(x)), central, rtol=1e-7)


def test_evolution_is_the_matrix_exponential_and_both_laws_hold():
    ts = np.linspace(0.0, 1.0, 3)
    run = jt.jumps.mesoscopic_evolve(NETWORK, BETAS, UNITS, [2, 1, 1], ts)
    states = mesostates(3, UNITS)
    start = np.all(states == np.array([[2], [1], [1]]), axis=0).astype(float)
    matrix = generator(hops(UNITS))
    exact = np.stack([states @ scipy.linalg.expm(matrix * t) @ start / UNITS for t in ts])
    np.testing.assert_allclose(run.occupation, exact, rtol=0, atol=1e-8)
    rise = run.energy - run.energy[0]
    np.testing.assert_allclose(rise, run.work + run.heats.sum(axis=-1), rtol=0, atol=1e-8)
    produced = run.entropy - run.entropy[0] - np.asarray(run.heats) @ BETAS
    np.testing.assert_allclose(run.entropy_produced, produced, rtol=0, atol=1e-9)
    assert (np.diff(run.entropy_produced) > 0).all()


def derivatives(value, step=0.02):
    """First and second derivative at 0 of an even-step difference of eighth and sixth order."""
    f = {k: value(k * step) for k in range(-4, 5)}
    first = sum(c * (f[k] - f[-k]) for k, c in zip((1, 2, 3, 4), (4 / 5, -1 / 5, 4 / 105, -1 / 280), strict=True))
    weights = (8 / 5, -1 / 5, 8 / 315, -1 / 560)
    second = sum(c * (f[k] + f[-k] - 2 * f[0]) for k, c in zip((1, 2, 3, 4), weights, strict=True))
    return first / step, second / step**2


COUNTED = {
    "work": ("work", "work", lambda edge, sign, heat: sign * FORCES[edge]),
    "heat of the hot": ("heat", 0, lambda edge, sign, heat: heat * (RESERVOIRS[edge] == 0)),
    "heat of the cold": ("heat", 1, lambda edge, sign, heat: heat * (RESERVOIRS[edge] == 1)),
    "one edge": ("hops", [0, 1, 0, 0, 0, 0], lambda edge, sign, heat: sign * (edge == 1)),
    "entropy": ("entropy", "entropy", lambda edge, sign, heat: -BETAS[RESERVOIRS[edge]] * heat),
}


@pytest.mark.parametrize("name, of, counted", COUNTED.values(), ids=COUNTED.keys())
def test_cumulants_are_derivatives_of_the_leading_eigenvalue(name, of, counted):
    found = hops(UNITS)

    def leading(s):
        matrix = generator(found, lambda edge, sign, heat: np.exp(s * counted(edge, sign, heat)))
        return np.linalg.eigvals(matrix).real.max() / UNITS

    mean, variance = derivatives(leading)
    result = jt.jumps.cumulants(NETWORK, BETAS, UNITS, 2, of=of)
    assert float(result.current) == pytest.approx(mean, rel=1e-9)
    assert float(result.variance) == pytest.approx(variance, rel=1e-7)
    assert float(result.uncertainty_ratio) >= 1.0 and jt.jumps.finite.Counted(int(result.counted)).name == name


def test_cumulants_agree_with_the_stationary_state(steady):
    heat = jt.jumps.cumulants(NETWORK, BETAS, UNITS, 1, of=1)
    assert float(heat.current) == pytest.approx(float(steady.heat_currents[1]), rel=1e-10)
    assert float(heat.entropy_production_rate) == pytest.approx(float(steady.entropy_production_rate), rel=1e-10)


def test_generating_function_of_the_work_and_its_symmetry():
    s = np.array([-0.9, -0.3, 0.2])
    found = hops(UNITS, FORCES[3:], [1.2], TRIANGLE, [0, 0, 0], np.ones(3))
    result = jt.jumps.scaled_cumulant(SINGLE, 1.2, UNITS, s)
    for value, at in zip(result.scaled_cumulant, s, strict=True):
        matrix = generator(found, lambda edge, sign, heat, at=at: np.exp(at * sign * FORCES[3 + edge]))
        assert float(value) == pytest.approx(np.linalg.eigvals(matrix).real.max() / UNITS, abs=1e-10)
    # s = -0.9 and s = -0.3 lie symmetrically about -beta/2.
    assert float(result.scaled_cumulant[0]) == pytest.approx(float(result.scaled_cumulant[1]), abs=1e-10)


@pytest.mark.parametrize("of, counted", [row[1:] for row in COUNTED.values()], ids=COUNTED.keys())
def test_generating_functions_between_two_temperatures(of, counted):
    """Four values of s, as many as above, so that all share their programs' sizes."""
    s = np.array([-0.7, -0.3, 0.2, 1.1])
    found = hops(UNITS)
    result = jt.jumps.scaled_cumulant(NETWORK, BETAS, UNITS, s, of=of)
    for value, at in zip(result.scaled_cumulant, s, strict=True):
        matrix = generator(found, lambda edge, sign, heat, at=at: np.exp(at * counted(edge, sign, heat)))
        assert float(value) == pytest.approx(np.linalg.eigvals(matrix).real.max() / UNITS, rel=1e-9, abs=1e-10)
    assert result.ok.all()
    if of == "entropy":
        # s = -0.7 and s = -0.3 lie symmetrically about -1/2.
        assert float(result.scaled_cumulant[0]) == pytest.approx(float(result.scaled_cumulant[1]), abs=1e-10)


def test_slowest_mode_is_that_of_the_dense_generator():
    value = np.linalg.eigvals(generator(hops(UNITS)))
    slowest = np.sort(value.real)[-2]
    found = jt.jumps.coherence(NETWORK, BETAS, UNITS)
    assert float(found.eigenvalue_real[0]) == pytest.approx(slowest, rel=1e-9)


def test_trajectories_have_the_means_of_the_stationary_state(steady):
    run = jt.jumps.simulate(NETWORK, BETAS, UNITS, 20.0, 2000, jax.random.key(5))
    for r in range(2):
        mean, error = float(run.heats[:, r].mean()), float(run.heats[:, r].std()) / np.sqrt(2000)
        assert abs(mean - float(steady.heat_currents[r])) < 4.0 * error < 0.02
    states = np.asarray(run.final_counts) - np.asarray(run.initial_counts)
    last, first = (np.asarray(counts) for counts in (run.final_counts, run.initial_counts))
    rise = np.array([energy(n) for n in last]) - [energy(n) for n in first]
    assert np.abs(states.sum(axis=1)).max() == 0
    np.testing.assert_allclose(run.work + run.heats.sum(axis=-1), rise / (UNITS * 20.0), rtol=0, atol=1e-12)
    inner = np.diff([log_multiplicity(np.asarray(one).T) for one in (run.initial_counts, run.final_counts)], axis=0)[0]
    produced = inner / (UNITS * 20.0) - np.asarray(run.heats) @ BETAS
    np.testing.assert_allclose(run.entropy_production_rate, produced, rtol=0, atol=1e-12)
    assert run.dimensionless_work is None and "dimensionless_work" not in run.to_dataset()


def test_driven_trajectories_agree_with_the_master_equation():
    def cooling(t):
        return 2.5 + t

    forces = [*FORCES[:5], lambda t: 0.5 * t]
    network = jt.JumpNetwork(EDGES, ENERGIES, MATRIX, forces, RESERVOIRS, prefactor=PREFACTOR)
    betas = (1.0, cooling)
    exact = jt.jumps.mesoscopic_evolve(network, betas, UNITS, None, np.linspace(0.0, 2.0, 2))
    run = jt.jumps.simulate(network, betas, UNITS, 2.0, 2000, jax.random.key(6), [UNITS, 0, 0], dt=0.05)
    for name in ("work", "heat"):
        values = getattr(run, name) * 2.0
        assert abs(float(values.mean()) - float(getattr(exact, name)[-1])) < 4.0 * float(values.std()) / np.sqrt(2000)
    for r in range(2):
        values = run.heats[:, r] * 2.0
        assert abs(float(values.mean()) - float(exact.heats[-1, r])) < 4.0 * float(values.std()) / np.sqrt(2000)


def test_leaps_tend_to_the_mean_field():
    """Of very many units, noise and the bias of the leaps are small, and heats are those of each reservoir."""
    ts = np.linspace(0.0, 1.0, 2)
    exact = jt.jumps.evolve(NETWORK, BETAS, [0.5, 0.3, 0.2], ts)
    units = 10**7
    run = jt.jumps.tau_leap(
        NETWORK, BETAS, units, 1.0, 64, jax.random.key(7), [units // 2, 3 * units // 10, units // 5], steps=32
    )
    assert run.ok.all()
    np.testing.assert_allclose(run.heats.mean(axis=0), exact.heats[-1], rtol=0, atol=5e-4)
    np.testing.assert_allclose(run.final_counts.mean(axis=0) / units, exact.occupation[-1], rtol=0, atol=5e-4)
    assert float(run.entropy_production_rate.mean()) == pytest.approx(float(exact.entropy_produced[-1]), abs=2e-3)


BAD = {
    "two reservoirs": (lambda: jt.jumps.work_theorem(NETWORK, BETAS, 3, 0.1), "`network` must have one reservoir"),
    "work of nothing": (
        lambda: jt.jumps.scaled_cumulant(NETWORK, BETAS, 3, 0.1, of="q"),
        '`of` must be "work", "entropy"',
    ),
    "no such reservoir": (lambda: jt.jumps.cumulants(NETWORK, BETAS, 3, of=2), "`of` must be a reservoir below 2"),
    "no such name": (lambda: jt.jumps.cumulants(NETWORK, BETAS, 3, of="heat"), '`of` must be "work"'),
    "two edges": (lambda: jt.jumps.cumulants(NETWORK, BETAS, 3, of=[1, 2]), r"`of` must have shape \(6,\)"),
    "not a ring": (lambda: jt.potts.microscopic_stationary(NETWORK, BETAS, 3), "`network` must be a ring"),
    "coupling of a matrix": (
        lambda: jt.jumps.simulate(NETWORK, BETAS, 3, 1.0, 2, jax.random.key(0), [3, 0, 0], coupling=1.0),
        "`coupling` takes the place of an interaction that is a number",
    ),
    "three betas": (lambda: jt.jumps.mesoscopic_stationary(NETWORK, [1.0, 2.0, 3.0], 3), r"shape \(2,\)"),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD.keys())
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Work, heats and entropy production with prefactors 1e12 apart, by elimination with 50 digits.
FAST = np.array([1e12, 1.0, 1.0, 0.3, 1e5, 2.0])
OF_FAST = np.array([0.400753566380641, 3413.52183842795, -3413.92259199433, 5121.28464155787])


def test_currents_beside_a_fast_edge_keep_their_digits():
    """The flows along that edge are known to 1e-4 only, which is more than the current that turns with it."""
    network = jt.JumpNetwork(EDGES, ENERGIES, MATRIX, FORCES, RESERVOIRS, prefactor=FAST)
    steady = jt.jumps.mesoscopic_stationary(network, BETAS, UNITS)
    found = [steady.work_current, *steady.heat_currents, steady.entropy_production_rate]
    np.testing.assert_allclose(found, OF_FAST, rtol=1e-12)
    counted = [jt.jumps.cumulants(network, BETAS, UNITS, 1, of=of).current for of in ("work", 0, 1)]
    np.testing.assert_allclose(counted, OF_FAST[:3], rtol=1e-12)


def test_a_distribution_that_leans_along_a_slow_edge_is_seen():
    """A fast edge joins states 0 and 1; how many units are in state 2 is for slower ones to say."""
    network = eqx.tree_at(lambda one: one.prefactor, NETWORK, jnp.asarray(FAST))
    states = space(3, UNITS, network.edges)
    now = network_at(network, jnp.asarray(BETAS))
    found, p = mesoscopic_hops(now, states), stationary_distribution(now, states).p
    seen = jax.jit(across_slow_edges)
    assert float(seen(p, found, states)) < 1e-12
    leaning = np.asarray(p) * (1.0 + 1e-3 * np.asarray(states.counts[2]))
    leaning = leaning / leaning.sum()
    moved = 0.5 * np.abs(np.bincount(np.asarray(states.counts[2]), leaning - np.asarray(p))).sum()
    assert moved > 1e-5
    assert float(seen(jnp.asarray(leaning), found, states)) == pytest.approx(moved, rel=1e-3)


def test_many_units_beside_a_fast_edge_are_labelled():
    network = eqx.tree_at(lambda one: one.prefactor, NETWORK, jnp.asarray(FAST))
    with pytest.warns(JaxthermoWarning, match="below rounding errors"):
        found = jt.jumps.mesoscopic_stationary(network, BETAS, 30)
    # The share of the traffic that is out of balance is small all the same.
    assert found.residual < 1e-9
