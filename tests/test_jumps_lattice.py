"""Units on lattices: against the master equation of every single unit, Boltzmann's weights, and all-to-all coupling."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from tests.systems import ring

TRIANGLE = [(0, 1), (1, 2), (2, 0)]
COUPLING = np.array([[-1.0, 0.2, 0.0], [0.2, -1.1, 0.1], [0.0, 0.1, -0.5]])
BETAS = np.array([1.0, 2.0])
ALL_OF_FOUR = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])


def between_baths():
    return jt.JumpNetwork(TRIANGLE * 2, [0.0, 0.3, 0.5], COUPLING, [0.0, 0.0, 0.0, 0.4, 0.4, 0.4], [0, 0, 0, 1, 1, 1])


def exact_currents(energies, coupling, neighbours, forces, betas, prefactor=1.0):
    """Mean energy per unit and heat currents per unit at rest, from the master equation over all q^N states."""
    units, z = neighbours.shape
    states = list(itertools.product(range(3), repeat=units))
    place = {s: i for i, s in enumerate(states)}

    def energy(s):
        pairs = sum(coupling[s[n], s[m]] for n in range(units) for m in neighbours[n])
        return sum(energies[k] for k in s) + pairs / (2 * z)

    rates, heats = np.zeros((len(states),) * 2), np.zeros((len(betas), len(states)))
    for s, i in place.items():
        for n in range(units):
            for (first, second), way in itertools.product(TRIANGLE, (1, -1)):
                start, end = (first, second)[::way]
                if s[n] != start:
                    continue
                after = (*s[:n], end, *s[n + 1 :])
                change = energy(after) - energy(s)
                for r, (force, beta) in enumerate(zip(forces, betas, strict=True)):
                    rate = prefactor * np.exp(-0.5 * beta * (change - way * force))
                    rates[place[after], i] += rate
                    rates[i, i] -= rate
                    heats[r, i] += rate * (change - way * force)
    system = np.vstack([rates, np.ones(len(states))])
    p = np.linalg.lstsq(system, np.eye(len(states) + 1)[-1], rcond=None)[0]
    return np.array([energy(s) for s in states]) @ p / units, heats @ p / units


def within_errors(values, exact, count=4.0):
    values = np.asarray(values)
    assert abs(values.mean() - exact) < count * values.std() / np.sqrt(len(values))


def test_a_ring_of_units_between_two_baths_follows_the_exact_master_equation():
    four = jt.jumps.cubic_lattice([4])
    energy, heats = exact_currents([0.0, 0.3, 0.5], COUPLING, four, [0.0, 0.4], BETAS)
    paths = jt.jumps.simulate_lattice(between_baths(), BETAS, four, [0.0, 10.0, 60.0], 256, jax.random.key(0))
    assert paths.ok.all()
    rates = np.diff(paths.heats, axis=1)[:, -1] / 50.0
    for r in range(2):
        within_errors(rates[:, r], heats[r])
    within_errors(paths.energy[:, -1], energy)
    assert abs(rates[:, 0].std() / 16.0 / heats[0]) < 0.05


def test_without_forces_energy_is_boltzmanns_and_heat_is_all_that_changes_it():
    """The ring of q-state units by its transfer matrix; the network's own coupling is halved by two neighbours."""
    free, beta, number = ring(0.0), 2.0, 6
    weights = np.exp(0.5 * beta * np.eye(3))
    values = np.linalg.eigvalsh(weights)
    slope = np.linalg.eigvalsh(np.exp(0.5 * (beta + 1e-5) * np.eye(3)))
    exact = -(np.log((slope**number).sum()) - np.log((values**number).sum())) / 1e-5 / number
    paths = jt.jumps.simulate_lattice(
        free, beta, jt.jumps.cubic_lattice([number]), [0.0, 150.0], 256, jax.random.key(1)
    )
    within_errors(paths.energy[:, -1], exact)
    np.testing.assert_allclose(paths.work, 0.0, atol=1e-12)
    assert float(abs(paths.heats[:, -1]).max()) > 0.1


def test_all_neighbours_of_all_are_the_mesoscopic_level():
    """Pairs of N units share u/N there, and u/z with z = N - 1 here."""
    few = jt.jumps.mesoscopic_stationary(jt.PottsRing(3, -1.0, 1.0, 0.1), 2.0, 4)
    model = jt.PottsRing(3, -0.75, 1.0, 0.1)
    paths = jt.jumps.simulate_lattice(model, 2.0, ALL_OF_FOUR, [0.0, 50.0, 350.0], 256, jax.random.key(2))
    within_errors(np.diff(paths.work, axis=1)[:, -1] / 300.0, float(few.work_current))


def test_trajectories_are_repeatable_pass_through_jit_and_have_no_derivatives():
    square, key = jt.jumps.cubic_lattice([3, 3]), jax.random.key(3)

    def occupation(beta):
        return jt.jumps.simulate_lattice(ring(), beta, square, [0.0, 1.0], 4, key).occupation

    once = occupation(2.0)
    np.testing.assert_array_equal(once, occupation(2.0))
    np.testing.assert_array_equal(once[None], jax.vmap(occupation)(jnp.array([2.0])))
    with pytest.raises(NotImplementedError, match="simulate_lattice"):
        jax.grad(lambda beta: jnp.sum(occupation(beta)))(2.0)


def test_lattices_have_mutual_neighbours():
    cube = jt.jumps.cubic_lattice([3, 4, 5])
    assert cube.shape == (60, 6)
    assert all(len(set(row)) == 6 for row in cube.tolist())
    assert {(n, m) for n in range(60) for m in cube[n]} == {(m, n) for n in range(60) for m in cube[n]}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"neighbours": [[1], [2], [0]]}, "`neighbours` must be mutual"),
        ({"neighbours": [[0], [1]]}, "`neighbours` must be others"),
        ({"neighbours": [[1], [3]]}, "`neighbours` must name units 0..1"),
        ({"neighbours": [[1.0], [0.0]]}, "`neighbours` must be integers"),
        ({"states": [0, 3]}, "`states` must be numbers 0..2"),
        ({"states": [0]}, "`states` must have shape"),
        ({"network": jt.JumpNetwork(TRIANGLE, np.zeros(3), lambda P: -jnp.sum(P**4))}, "`network` must have an inter"),
    ],
)
def test_bad_arguments_are_named(change, match):
    arguments = {"network": ring(), "neighbours": [[1], [0]], "states": [0, 0], **change}
    with pytest.raises(ValueError, match=match):
        jt.jumps.simulate_lattice(
            arguments["network"],
            2.0,
            arguments["neighbours"],
            [0.0, 1.0],
            2,
            jax.random.key(0),
            arguments["states"],
        )


def test_sides_of_a_lattice_are_at_least_three():
    with pytest.raises(ValueError, match="`sides`"):
        jt.jumps.cubic_lattice([2, 3])
