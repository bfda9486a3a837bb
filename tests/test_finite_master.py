"""N units by their master equations: states, stationary states and evolution on both levels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxthermo as jt
from jaxthermo._results import JaxthermoWarning, quantities
from jaxthermo.jumps.finite.distribution import direct, stationary_distribution
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import network_at
from jaxthermo.jumps.finite.space import space
from jaxthermo.jumps.finite.states import count_mesostates, log_multiplicity, mesostates, rank

RATES = [jt.potts.Arrhenius(), jt.potts.LoadSharing(0.3), jt.potts.Glauber(), jt.potts.Metropolis()]
UNEVEN = [0.0, 0.2, -0.1]


def dense(q, units, u, f, beta, energies, prefactor=1.0):
    """The mesoscopic generator hop by hop in plain Python, from the rates as the paper writes them."""
    states = [tuple(n) for n in mesostates(q, units).T.tolist()]
    where = {n: k for k, n in enumerate(states)}
    matrix = np.zeros((len(states), len(states)))
    for n in states:
        for i in range(q):
            for j, sign in (((i + 1) % q, 1.0), ((i - 1) % q, -1.0)):
                if n[i]:
                    change = energies[j] - energies[i] + u / units * (n[j] - n[i] + 1)
                    after = list(n)
                    after[i] -= 1
                    after[j] += 1
                    rate = n[i] * prefactor * np.exp(-beta / 2 * (change - sign * f))
                    matrix[where[tuple(after)], where[n]] += rate
                    matrix[where[n], where[n]] -= rate
    return matrix


@pytest.mark.parametrize(("q", "units"), [(2, 9), (3, 6), (5, 4)])
def test_states_are_numbered_by_rank(q, units):
    states = mesostates(q, units)
    assert states.shape == (q, count_mesostates(q, units))
    assert (states.sum(axis=0) == units).all() and states.min() == 0
    assert (rank(states) == np.arange(states.shape[1])).all()


@pytest.mark.parametrize(("q", "units"), [(2, 5), (3, 5), (4, 3)])
def test_generator_agrees_with_hops_written_one_by_one(q, units):
    energies = np.linspace(-0.2, 0.3, q)
    ring = jt.PottsRing(q, -1.3, 0.7, 0.6, energies)

    @jax.jit
    def matrix_and_outflow(identity):
        hops = mesoscopic_hops(network_at(ring, 1.9), space(q, units))
        return jax.vmap(hops.apply, out_axes=1)(identity), hops.outflow()

    found, outflow = matrix_and_outflow(np.eye(count_mesostates(q, units)))
    expected = dense(q, units, -1.3, 0.7, 1.9, energies, 0.6)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(outflow, -np.diag(expected), rtol=1e-12)


# Stationary work currents of q = 3, u = -1, f = 1, G = 1 at beta = 3.5, by elimination on matrices written hop by hop.
KNOWN = {1: 5.580829, 2: 4.172522, 5: 3.895261, 10: 4.031581, 20: 4.254084, 40: 4.466479}


@pytest.mark.parametrize("units", KNOWN)
def test_known_work_currents(units):
    found = jt.potts.mesoscopic_stationary(jt.PottsRing(3, -1.0, 1.0, 1.0), 3.5, units)
    assert bool(found.ok) and float(found.residual) < 1e-12
    assert abs(float(found.work_current) - KNOWN[units]) < 1e-6
    assert abs(float(found.work_current + found.heat_current)) < 1e-10
    assert abs(float(found.entropy_production_rate / found.work_current) - 3.5) < 1e-9
    np.testing.assert_allclose(found.occupation, 1 / 3, atol=1e-12)
    np.testing.assert_allclose(found.covariance.sum(axis=-1), 0.0, atol=1e-12)


@pytest.mark.parametrize("energies", [None, [0.0, 0.1, 0.2]])
@pytest.mark.parametrize("beta", [2.0, 3.5, 8.0])
def test_multigrid_agrees_with_elimination(beta, energies):
    """Three phases on 861 states; at beta = 8 wells are left once in 1e5 hops."""
    ring = jt.PottsRing(3, -1.0, 1.0, 1.0, energies)
    states = space(3, 40)
    assert states.coarse is not None
    found = stationary_distribution(network_at(ring, beta), states)
    assert 0 < found.iterations < 60
    matrix = dense(3, 40, -1.0, 1.0, beta, [0.0, 0.0, 0.0] if energies is None else energies)
    matrix[0] = 1.0
    expected = np.linalg.solve(matrix, np.eye(len(matrix))[0])
    np.testing.assert_allclose(found.p, expected, rtol=0, atol=1e-9 * expected.max())


def test_wells_have_boltzmanns_weights_and_their_derivative():
    """Without a force, three wells that are left once in 1e12 hops; the derivative is -p (E - <E>)."""
    energies, units, beta = np.array([0.0, 0.01, -0.01]), 6, 40.0
    states = space(3, units)
    counts = np.asarray(states.counts)
    energy = energies @ counts - 0.5 / units * (counts**2).sum(axis=0)
    weight = np.exp(np.asarray(log_multiplicity(counts)) - beta * (energy - energy.min()))
    expected = weight / weight.sum()

    def distribution(beta):
        return direct(network_at(jt.PottsRing(3, -1.0, 0.0, 0.1, energies), beta), states).p

    p, slope = jax.jvp(distribution, (jnp.asarray(beta),), (jnp.ones(()),))
    np.testing.assert_allclose(p, expected, rtol=1e-11)
    np.testing.assert_allclose(slope, -expected * (energy - expected @ energy), rtol=1e-9)


@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
def test_weights_of_wells_lost_in_rounding_errors_are_said():
    """435 states, which a search finds: against Boltzmann's weights, at which it misses the promise when cold."""
    energies, units = np.array([0.0, 0.05, -0.02]), 28
    states = space(3, units)
    assert states.coarse is not None
    counts = np.asarray(states.counts)
    energy = energies @ counts - 0.5 / units * (counts**2).sum(axis=0)
    for beta, word in ((4.0, "ok"), (7.0, "below rounding errors")):
        found = stationary_distribution(network_at(jt.PottsRing(3, -1.0, 0.0, 0.1, energies), beta), states)
        weight = np.exp(np.asarray(log_multiplicity(counts)) - beta * (energy - energy.min()))
        wrong = 0.5 * abs(np.asarray(found.p) - weight / weight.sum()).sum()
        assert jt.Status(int(found.status)).word == word
        assert wrong < 1e-6 if word == "ok" else wrong > 1e-6


@pytest.mark.parametrize("edges", [[(0, 1), (1, 0)], [(1, 0), (1, 0)], [(0, 1), (0, 1)]], ids=str)
def test_two_states_are_a_chain(edges):
    """Between two reservoirs against elimination; at one temperature Boltzmann's, to the tails of 1e-300."""
    betas, energies = np.array([1.5, 4.0]), np.array([0.0, 0.4])
    forces = np.array([0.5, -0.2])
    network = jt.JumpNetwork(edges, energies, -0.9, forces, [0, 1])
    units = 50
    matrix = np.zeros((units + 1, units + 1))
    for k in range(units + 1):
        n = np.array([k, units - k])
        for (i, j), beta, force in zip(edges, betas, forces, strict=True):
            for a, b, f in ((i, j, force), (j, i, -force)):
                if n[a]:
                    rise = energies[b] - energies[a] - 0.9 / units * (n[b] - n[a] + 1)
                    rate, after = n[a] * np.exp(-0.5 * beta * (rise - f)), k + (1 if b == 0 else -1)
                    matrix[after, k] += rate
                    matrix[k, k] -= rate
    matrix[0] = 1.0
    found = stationary_distribution(network_at(network, betas), space(2, units, network.edges))
    np.testing.assert_allclose(found.p, np.linalg.solve(matrix, np.eye(units + 1)[0]), rtol=1e-9, atol=1e-14)

    now, states = network_at(jt.JumpNetwork(edges, energies, -2.0), 1.3), space(2, 2000, network.edges)
    found = stationary_distribution(now, states)
    log_p = log_multiplicity(states.counts) - 1.3 * now.energy(states.counts)
    log_p -= jax.nn.logsumexp(log_p)
    likely = log_p > np.log(1e-300)
    assert float(found.residual) < 1e-15 and likely.sum() > 500
    np.testing.assert_allclose(jnp.log(found.p)[likely], log_p[likely], rtol=0, atol=1e-9)


@pytest.mark.parametrize("rates", RATES, ids=lambda rates: type(rates).__name__)
def test_equilibrium_is_boltzmanns_without_force(rates):
    ring = jt.PottsRing(3, -0.8, 0.0, 0.7, UNEVEN, rates)
    states, now = space(3, 12), network_at(ring, 1.6)
    found = stationary_distribution(now, states)
    log_p = log_multiplicity(states.counts) - 1.6 * now.energy(states.counts)
    exact = jnp.exp(log_p) / jnp.sum(jnp.exp(log_p))
    np.testing.assert_allclose(found.p, exact, rtol=1e-11)
    forward, backward = mesoscopic_hops(now, states).flows(exact)
    np.testing.assert_allclose(forward, backward, rtol=1e-12, atol=1e-300)
    flow = jt.potts.mesoscopic_stationary(ring, 1.6, 12)
    assert abs(float(flow.entropy_production_rate)) < 1e-13 and abs(float(flow.heat_current)) < 1e-12
    free = float(flow.energy - flow.entropy / 1.6)
    assert abs(free + float(jnp.log(jnp.sum(jnp.exp(log_p)))) / (1.6 * 12)) < 1e-12


@pytest.mark.parametrize("rates", RATES, ids=lambda rates: type(rates).__name__)
def test_both_levels_agree_in_the_stationary_state(rates):
    """Energies, currents and, here, entropies (B15, B16)."""
    ring = jt.PottsRing(3, -1.0, 1.0, 1.0, UNEVEN, rates)
    meso = jt.potts.mesoscopic_stationary(ring, 2.5, 5)
    micro = jt.potts.microscopic_stationary(ring, 2.5, 5)
    assert bool(micro.ok) and micro.stats["states"] == 243
    for name in set(quantities(meso)) - {"residual"}:
        np.testing.assert_allclose(getattr(micro, name), getattr(meso, name), rtol=1e-10, atol=1e-12, err_msg=name)
    assert abs(float(meso.entropy_production_rate + 2.5 * meso.heat_current)) < 1e-11


def test_wells_that_the_microscopic_search_cannot_tell_apart_are_labelled():
    """So cold that hops between wells are lost in the rounding errors of all others; the other level knows them."""
    ring = jt.PottsRing(3, -1.0, 0.1, 1.0, UNEVEN, jt.potts.Arrhenius())
    with pytest.warns(JaxthermoWarning, match="below rounding errors"):
        micro = jt.potts.microscopic_stationary(ring, 60.0, 5)
    meso = jt.potts.mesoscopic_stationary(ring, 60.0, 5)
    assert meso.ok and micro.residual < 1e-9
    assert np.abs(micro.occupation - meso.occupation).max() > 1e-3


@pytest.fixture(scope="module")
def driven():
    """Both levels under beta(t), f(t) and u(t), from one microscopic state."""
    ring = jt.PottsRing(3, -1.0, lambda t: 1.0 + 0.5 * jnp.cos(t), 1.0, UNEVEN)
    arguments = (ring, lambda t: 2.0 + jnp.sin(t), 4, [2, 1, 1], np.linspace(0.0, 2.0, 9))
    turned = {"coupling": lambda t: -1.0 - 0.3 * jnp.sin(t)}
    return jt.potts.mesoscopic_evolve(*arguments, **turned), jt.potts.microscopic_evolve(*arguments, **turned)


def test_energy_heat_and_work_agree_at_all_times(driven):
    meso, micro = driven
    assert bool(meso.ok) and bool(micro.ok)
    # The tolerance is that of the integration, rtol = 1e-9, on rates of order 10.
    for name in ("occupation", "covariance", "energy", "work", "heat", "work_current", "heat_current"):
        np.testing.assert_allclose(getattr(micro, name), getattr(meso, name), rtol=0, atol=1e-7, err_msg=name)


def test_entropies_differ_until_units_have_mixed(driven):
    """Twelve orders of the four units share the first counts: ln(12)/4 per unit."""
    meso, micro = driven
    assert abs(float(meso.entropy[0] - micro.entropy[0]) - np.log(12) / 4) < 1e-12
    assert float(abs(meso.entropy[1] - micro.entropy[1])) > 1e-6
    assert float(abs(meso.entropy[-1] - micro.entropy[-1])) < 1e-6
    assert abs(float(micro.entropy_produced[-1] - meso.entropy_produced[-1]) - np.log(12) / 4) < 1e-6


@pytest.mark.parametrize("level", [0, 1])
def test_laws_hold_along_a_driven_evolution(driven, level):
    run = driven[level]
    assert float(abs(run.norm - 1.0).max()) < 1e-12
    assert float(abs(run.energy - run.energy[0] - run.work - run.heat).max()) < 1e-10
    assert (run.entropy_production_rate > 0).all() and (jnp.diff(run.entropy_produced) > 0).all()


def test_evolution_is_the_matrix_exponential():
    ring = jt.PottsRing(3, -1.0, 1.0, 1.0, UNEVEN)
    run = jt.potts.mesoscopic_evolve(ring, 2.0, 4, [4, 0, 0], [0.0, 0.3])
    start = np.eye(15)[rank(np.array([[4], [0], [0]]))[0]]
    p = scipy.linalg.expm(0.3 * dense(3, 4, -1.0, 1.0, 2.0, UNEVEN)) @ start
    np.testing.assert_allclose(run.occupation[-1], mesostates(3, 4) @ p / 4, rtol=1e-8)


def test_means_tend_to_the_mean_field():
    """In the uniform phase the distance falls like 1/N, up to terms in 1/N^2."""
    ring = jt.PottsRing(2, -1.0, 1.0, 1.0)
    exact = 2 * np.sinh(0.5)
    gaps = [float(jt.potts.mesoscopic_stationary(ring, 1.0, n).work_current) - exact for n in (50, 100, 200)]
    short = 2.0 - np.divide(gaps[:-1], gaps[1:])
    assert 0 < short[1] < 0.05 and abs(short[0] / short[1] - 2.0) < 0.2


@pytest.mark.parametrize("units", [4, 40])
def test_gradients_are_central_differences(units):
    @jax.jit
    def work(x):
        ring = jt.PottsRing(3, x[1], x[2], x[3], x[4:])
        flow = jt.potts.mesoscopic_stationary(ring, x[0], units)
        return flow.work_current + flow.entropy

    at = jnp.array([2.5, -1.0, 1.0, 1.0, 0.0, 0.1, 0.3])
    gradient = jax.jit(jax.grad(work))(at)
    central = jnp.stack([work(at + 1e-5 * e) - work(at - 1e-5 * e) for e in jnp.eye(7)]) / 2e-5
    np.testing.assert_allclose(gradient, central, rtol=1e-6, atol=1e-7)


RING = jt.PottsRing(3, -1.0, 1.0, 1.0)
BAD = {
    "no units": (lambda: jt.potts.mesoscopic_stationary(RING, 1.0, 0), "`units` must be an integer >= 1"),
    "half a unit": (
        lambda: jt.potts.simulate(RING, 1.0, np.array(1.5), 1.0, 1, jax.random.key(0)),
        "`units` must be an integer",
    ),
    "too many mesostates": (lambda: jt.potts.mesoscopic_stationary(RING, 1.0, 10**5), r"e\+12 bytes"),
    "mesostates of a long ring": (
        lambda: jt.potts.mesoscopic_evolve(jt.PottsRing(12, -1.0, 1.0), 1.0, 60, None, [0.0, 1.0]),
        "bytes",
    ),
    "too many microstates": (
        lambda: jt.potts.microscopic_stationary(RING, 1.0, 11),
        r"3\^11 is 10\^5.2",
    ),
    "absurdly many": (lambda: jt.potts.microscopic_stationary(RING, 1.0, 10**9), r"bytes"),
    "callable beta": (lambda: jt.potts.mesoscopic_stationary(RING, lambda t: t, 3), "`beta` must be constant"),
    "counts of two": (lambda: jt.potts.mesoscopic_evolve(RING, 1.0, 3, [1, 2], [0.0, 1.0]), "`n0` must have shape"),
    "counts off": (lambda: jt.potts.mesoscopic_evolve(RING, 1.0, 3, [1, 1, 0], [0.0, 1.0]), "`n0` must be 3 counts"),
    "times fall": (lambda: jt.potts.mesoscopic_evolve(RING, 1.0, 3, None, [1.0, 0.0]), "`ts` must be strictly"),
    "no trajectories": (lambda: jt.potts.simulate(RING, 1.0, 3, 1.0, 0, jax.random.key(0)), "`trajectories` must be"),
    "no time": (lambda: jt.potts.simulate(RING, 1.0, 3, 0.0, 1, jax.random.key(0)), "`t_end` must be > 0"),
    "no key": (lambda: jt.potts.simulate(RING, 1.0, 3, 1.0, 1, jnp.ones(3)), "`key` must be a jax.random.key"),
    "start of too many units": (
        lambda: jt.potts.simulate(RING, 1.0, 10**6, 1.0, 1, jax.random.key(0)),
        "`n0` must be given for so many units",
    ),
    "coupling is not a number": (
        lambda: jt.potts.simulate(RING, 1.0, 3, 1.0, 1, jax.random.key(0), coupling=np.nan),
        "`coupling` must be finite",
    ),
    "coupling of two": (
        lambda: jt.potts.mesoscopic_evolve(RING, 1.0, 3, None, [0.0, 1.0], coupling=lambda t: jnp.stack([t, t])),
        "`coupling` must return a scalar",
    ),
    "force without end": (
        lambda: jt.potts.work_theorem(jt.PottsRing(3, -1.0, lambda t: 1.0 / t), 1.0, 3, 1.0),
        "`force` must be finite, but is inf",
    ),
    "beta falls below 0": (
        lambda: jt.potts.tau_leap(RING, lambda t: 1.0 - 2.0 * t, 3, 1.0, 1, jax.random.key(0)),
        "`beta` must be >= 0, but is -1.0",
    ),
    "too many trajectories": (
        lambda: jt.potts.simulate(RING, 1.0, 3, 1.0, 10**12, jax.random.key(0)),
        r"`trajectories` must fit .* 3.36e\+14 bytes",
    ),
    "order zero": (lambda: jt.potts.cumulants(RING, 1.0, 3, 0), "`order` must be an integer >= 1"),
    "s of two axes": (
        lambda: jt.potts.scaled_cumulant(RING, 1.0, 3, np.zeros((1, 1))),
        "`s` must be a scalar or one-dim",
    ),
    "no s": (lambda: jt.potts.scaled_cumulant(RING, 1.0, 3, []), "`s` must be .* not empty"),
    "infinite s": (lambda: jt.potts.scaled_cumulant(RING, 1.0, 3, np.inf), "`s` must be finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_before_anything_is_allocated(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()
