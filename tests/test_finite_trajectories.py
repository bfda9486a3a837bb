"""Trajectories of N units against the master equation, on fixed seeds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from jaxthermo.jumps.finite.distribution import stationary_distribution
from jaxthermo.jumps.finite.hops import network_at
from jaxthermo.jumps.finite.random import Stream, streams
from jaxthermo.jumps.finite.space import space
from jaxthermo.jumps.finite.states import rank

# A mean is within so many of its standard errors; beyond it is one run in 16 000.
ERRORS = 4.0
RING = jt.PottsRing(3, -1.0, 1.0, 1.0)


def close(values, expected):
    """Whether the mean of the trajectories is what is expected, and how large the error is."""
    values = np.asarray(values)
    error = values.std(ddof=1) / len(values) ** 0.5
    assert error > 0
    assert abs(values.mean() - expected) < ERRORS * error, (values.mean(), expected, error)


def reference(low, high):
    """xoroshiro128++ in Python's integers."""
    mask = 2**64 - 1

    def turned(x, by):
        return ((x << by) | (x >> (64 - by))) & mask

    while True:
        yield ((((turned((low + high) & mask, 17) + low) & mask) >> 11) + 1) * 2.0**-53
        high ^= low
        low, high = turned(low, 49) ^ high ^ ((high << 21) & mask), turned(high, 28)


def test_random_numbers_are_those_of_xoroshiro():
    stream = Stream(jnp.asarray([3, 2**63 + 5], jnp.uint64), jnp.asarray([2**64 - 7, 11], jnp.uint64))
    expected = [reference(3, 2**64 - 7), reference(2**63 + 5, 11)]
    for _ in range(50):
        stream, numbers = stream.uniform()
        assert numbers.tolist() == [next(one) for one in expected]


def test_random_numbers_are_uniform_and_independent():
    _, numbers = jax.lax.scan(lambda s, _: s.uniform(), streams(jax.random.key(3), 1000), length=200)
    x = np.asarray(numbers)
    assert x.min() > 0 and x.max() <= 1
    for power in (1, 2, 3):
        close(x.ravel() ** power, 1 / (power + 1))
    close((x[1:] * x[:-1]).ravel() - 0.25, 0.0)
    close((x[:, 1:] * x[:, :-1]).ravel() - 0.25, 0.0)


@pytest.fixture(scope="module")
def steady():
    return jt.potts.simulate(RING, 3.5, 20, 20.0, 512, jax.random.key(0))


def test_means_and_variances_are_those_of_the_master_equation(steady):
    exact = jt.potts.mesoscopic_stationary(RING, 3.5, 20)
    assert steady.ok.all()
    close(steady.work, float(exact.work_current))
    close(steady.heat, float(exact.heat_current))
    close(steady.entropy_production_rate, float(exact.entropy_production_rate))
    shares = np.asarray(steady.final_counts) / 20
    for i in range(3):
        close(shares[:, i], 1 / 3)
        close((shares[:, i] - 1 / 3) ** 2, float(exact.covariance[i, i]))
    # The variance of a time average tends to the rate over N t; its correction falls like the correlation time over t.
    rate = float(jt.potts.cumulants(RING, 3.5, 20).variance) / (20 * 20.0)
    squares = (np.asarray(steady.work) - np.asarray(steady.work).mean()) ** 2
    error = squares.std() / len(squares) ** 0.5
    assert abs(squares.mean() - rate) < ERRORS * error + 0.02 * rate


def test_hops_are_those_of_the_outflow(steady):
    states, now = space(3, 20), network_at(RING, 3.5)
    from jaxthermo.jumps.finite.generator import mesoscopic_hops

    outflow = mesoscopic_hops(now, states).outflow() @ stationary_distribution(now, states).p
    close(np.asarray(steady.jumps) / 20.0, float(outflow))


def test_first_law_and_conservation_along_each_trajectory(steady):
    counts = np.asarray(steady.final_counts), np.asarray(steady.initial_counts)
    assert (counts[0].sum(axis=1) == 20).all() and counts[0].min() >= 0
    energy = [-0.5 * (n**2).sum(axis=1) / 20 for n in counts]
    np.testing.assert_allclose((steady.work + steady.heat) * 400.0, energy[0] - energy[1], atol=1e-9)
    np.testing.assert_allclose(steady.dimensionless_work, 3.5 * 400.0 * steady.work, rtol=1e-9, atol=1e-9)


def test_a_key_gives_the_same_trajectories_in_any_chunk(steady):
    again = jt.potts.simulate(RING, 3.5, 20, 20.0, 512, jax.random.key(0))
    assert (again.work == steady.work).all() and (again.jumps == steady.jumps).all()
    other = jt.potts.simulate(RING, 3.5, 20, 20.0, 512, jax.random.key(1))
    assert (other.work != steady.work).any()


@pytest.mark.parametrize("is_driven", [False, True])
def test_lanes_of_a_known_key_and_known_counts_are_the_loop(is_driven):
    """Nothing but the temperature is traced here; hops are the same ones, heats up to the last digits."""

    def run(beta):
        schedule = (lambda t: beta + 0.1 * t) if is_driven else beta
        found = jt.potts.simulate(RING, schedule, 20, 2.0, 16, jax.random.key(7), [8, 6, 6])
        return found.work, found.heats, found.final_counts, found.jumps, found.status

    betas = jnp.array([2.0, 3.5])
    together, alone = jax.vmap(run)(betas), [run(beta) for beta in betas]
    for lanes, each in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(lanes, np.stack(each), rtol=1e-12, atol=1e-12)
    for compiled, each in zip(jax.jit(run)(betas[0]), alone[0], strict=True):
        np.testing.assert_allclose(compiled, each, rtol=1e-12, atol=1e-12)
    assert (together[3][0] != together[3][1]).any()


def test_entropy_production_obeys_the_integral_theorem():
    """<exp(-Sigma)> = 1 from the stationary state, with the change of -ln p counted; few hops, so that it converges."""
    ring = jt.PottsRing(3, -1.0, 0.6, 1.0, [0.0, 0.2, -0.1])
    run = jt.potts.simulate(ring, 1.5, 3, 0.5, 20_000, jax.random.key(5))
    log_p = np.log(stationary_distribution(network_at(ring, 1.5), space(3, 3)).p)
    first, last = (log_p[rank(np.asarray(getattr(run, name)).T)] for name in ("initial_counts", "final_counts"))
    sigma = np.asarray(run.entropy_production_rate) * 3 * 0.5 - (last - first)
    close(np.exp(-sigma), 1.0)
    assert sigma.mean() > 0.3


@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
def test_a_capped_trajectory_says_so():
    run = jt.potts.simulate(RING, 3.5, 20, 1.0, 64, jax.random.key(2), [20, 0, 0], max_jumps=60)
    capped = np.asarray(run.status == jt.Status.max_jumps_reached)
    assert 0 < capped.sum() < 64 and set(run.outcome) == {"ok", "max jumps reached"}
    assert (np.asarray(run.jumps)[capped] == 60).all() and np.isnan(np.asarray(run.work)[capped]).all()
    assert np.isfinite(np.asarray(run.work)[~capped]).all()


@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
@pytest.mark.parametrize("beta", [2000.0, lambda t: 2000.0 + t], ids=["steady", "driven"])
def test_rates_beyond_all_numbers_end_a_trajectory(beta):
    run = jt.potts.simulate(RING, beta, 20, 1.0, 4, jax.random.key(2), [20, 0, 0])
    assert (run.status == jt.Status.not_finite).all() and np.isnan(run.work).all()


def test_states_that_shut_edges_part_have_no_one_start():
    network = jt.JumpNetwork([(0, 1), (1, 2)], [0.0, 1.0, 2.0], prefactor=lambda t: jnp.array([1.0, 0.0]) + 0.0 * t)
    with pytest.raises(ValueError, match="`n0` must be given"):
        jt.jumps.simulate(network, 1.0, 2, 1.0, 4, jax.random.key(0))


@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
def test_leaps_that_are_too_long_say_so():
    run = jt.potts.tau_leap(RING, 3.5, 1000, 1.0, 4, jax.random.key(2), [1000, 0, 0], steps=2)
    assert (run.status == jt.Status.leaps_too_long).all()


@pytest.fixture(scope="module")
def turned():
    """Driven by beta(t), f(t), u(t), from the equilibrium of time 0."""
    ring = jt.PottsRing(3, -1.0, lambda t: 0.6 * jnp.sin(t), 1.0, [0.0, 0.1, -0.2])
    return ring, lambda t: 1.0 + 0.3 * t, lambda t: -1.0 - 0.4 * jnp.sin(2.0 * t)


@pytest.mark.parametrize("step", [None, 0.05])
def test_driven_trajectories_are_those_of_the_master_equation(turned, step):
    ring, beta, coupling = turned
    run = jt.potts.simulate(ring, beta, 4, 1.0, 4096, jax.random.key(1), [2, 1, 1], coupling=coupling, dt=step)
    exact = jt.potts.mesoscopic_evolve(ring, beta, 4, [2, 1, 1], [0.0, 1.0], coupling=coupling)
    close(run.work, float(exact.work[-1]))
    close(run.heat, float(exact.heat[-1]))
    for i in range(3):
        close(run.final_counts[:, i] / 4, float(exact.occupation[-1, i]))


def test_jarzynski_by_sampling_and_both_theorems_exactly(turned):
    ring, beta, coupling = turned
    exact = jt.potts.work_theorem(ring, beta, 4, 1.0, [0.0, 0.5, 1.0], coupling=coupling)
    assert exact.ok.all()
    np.testing.assert_allclose(exact.crooks_error, 0.0, atol=1e-8)
    np.testing.assert_allclose(exact.forward[0], 1.0, atol=1e-9)
    np.testing.assert_allclose(exact.forward[2], exact.partition_ratio, rtol=1e-8)
    assert abs(float(exact.partition_ratio) - 1.0) > 0.1
    run = jt.potts.simulate(ring, beta, 4, 1.0, 4096, jax.random.key(4), coupling=coupling)
    for point in (1, 2):
        close(np.exp(-float(exact.s[point]) * run.dimensionless_work), float(exact.forward[point]))


def test_leaps_lose_their_bias_with_the_square_of_the_step():
    """Against the mean field at N = 10^6, whose distance from it is far below the bias of the coarse run."""
    start = [500_000, 250_000, 250_000]
    exact = jt.potts.evolve(RING, 3.5, [0.5, 0.25, 0.25], [0.0, 1.0])
    runs = [jt.potts.tau_leap(RING, 3.5, 10**6, 1.0, 512, jax.random.key(3), start, steps=steps) for steps in (16, 32)]
    assert all(run.ok.all() for run in runs)
    assert (runs[0].final_counts.sum(axis=-1) == 10**6).all() and runs[0].final_counts.min() >= 0
    biases = [float(run.work.mean() - exact.work[-1]) for run in runs]
    assert abs(biases[1]) < 2e-3
    assert 3.0 < biases[0] / biases[1] < 5.5
    # What the coarse and the fine run tell of the bias: a third of their difference.
    assert abs(float(runs[0].work_bias) / 3.0 - biases[0]) < 0.3 * abs(biases[0])
    assert float(runs[0].work_bias_error) < abs(float(runs[0].work_bias))


def test_averages_too_small_for_the_steps_are_said():
    """An average of 1e-12 is below the absolute error of the steps: the relation of both ways tells."""
    interaction = [[-1.27, -0.81], [-0.81, -1.49]]
    force = lambda t: jnp.array([0.135, 1.414]) * (1.0 - 0.18 * t)  # noqa: E731
    pair = jt.JumpNetwork([(0, 1), (1, 0)], [-0.46, -0.86], interaction, force, prefactor=[0.057, 0.515])
    with pytest.warns(UserWarning, match="not converged"):
        found = jt.jumps.work_theorem(pair, lambda t: 1.9 + 0.115 * t, 40, 2.8, [0.5, 1.0])
    assert not found.ok[0] and abs(found.crooks_error[0]) > 1e-3
    assert found.ok[1] and abs(found.crooks_error[1]) < 1e-8
