"""Work-to-work conversion: maximum power and its efficiency, inside phases and on their edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from audit import networks
from scipy.optimize import brentq, minimize_scalar

import jaxthermo as jt
from jaxthermo.potts.converter import Converter
from jaxthermo.potts.edges import Place, Side


def uniform_optimum(beta):
    """The load of maximum power of the uniform state, tanh[beta (1 + f2)/2] = -beta f2/2, and the power there."""
    load = brentq(lambda f2: np.tanh(0.5 * beta * (1.0 + f2)) + 0.5 * beta * f2, -1.0, 0.0)
    return load, -load * 0.2 * np.sinh(0.5 * beta * (1.0 + load))


@pytest.mark.parametrize("beta", [1e-3, 2.0])
def test_uniform_phase_obeys_the_transcendental_equation(beta):
    best = jt.potts.maximum_power(3, -1.0, 0.1, 1.0, beta=beta)
    load, power = uniform_optimum(beta)
    np.testing.assert_allclose(best.force2, load, atol=1e-6)
    np.testing.assert_allclose(best.power, power, rtol=1e-10)
    assert best.efficiency == -best.force2 and best.kind == "fixed point" and best.place is Place.interior
    assert bool(best.ok) and best.stats["undecided"] == 0


def test_linear_response_reaches_one_half():
    assert abs(float(jt.potts.maximum_power(3, -1.0, 0.1, 1.0, beta=1e-3).efficiency) - 0.5) < 1e-5


@pytest.fixture(scope="module")
def three():
    return jt.potts.maximum_power(3, -1.0, 0.1, 1.0)


def test_global_maximum_of_three_states_lies_in_the_synchronised_phase(three):
    """A fresh evaluation at the point found, and its slope by the implicit function theorem, which vanishes."""

    def power(z):
        state = jt.potts.stationary(jt.PottsRing(3, -1.0, 1.0 + z[1], 0.1), z[0])
        return jt.potts.output_power(state, 1.0 + z[1], z[1])

    assert three.kind == "limit cycle" and three.place is Place.interior and bool(three.ok)
    value, slope = jax.value_and_grad(power)(jnp.stack([three.beta, three.force2]))
    np.testing.assert_allclose(value, three.power, rtol=1e-9)
    # With a bend of about 1 in the load that is a distance of 1e-5 from the maximum.
    assert np.all(np.abs(slope) < 1e-5)


def test_the_onset_of_three_states_is_no_maximum(three):
    """The power is continuous at beta_c1 and rises on both sides, so that the interior maximum is the only one."""
    load, at_onset = uniform_optimum(3.0)
    below, above = (
        jt.potts.output_power(jt.potts.stationary(jt.PottsRing(3, -1.0, 1.0 + load, 0.1), beta), 1.0 + load, load)
        for beta in (2.999, 3.001)
    )
    assert below < at_onset < above < three.power
    np.testing.assert_allclose([below, above], at_onset, rtol=1e-3)
    assert len(three.powers) == 1 and three.ties == 0


# Powers, loads and, for q = 5, the edge: DOP853 from P_1 = 1 goes to the cycle at beta = 6.6646, f2 = -0.2806, and to a
# localised state at 6.6647.
EDGES = [
    (4, 0.120835, 0.4129, Place.onset),
    (5, 0.196421, 0.2806, Place.basin_edge),
    (6, 0.280072, 0.2636, Place.basin_edge),
]


@pytest.mark.slow
@pytest.mark.parametrize(("q", "power", "efficiency", "place"), EDGES)
def test_global_maxima_on_edges(q, power, efficiency, place):
    best = jt.potts.maximum_power(q, -1.0, 0.1, 1.0)
    assert bool(best.ok) and best.place is place
    assert abs(float(best.power) - power) < 2e-6 and abs(float(best.efficiency) - efficiency) < 1e-3


SPLIT = 0.2


def shared_power(beta, load):
    """The uniform state's with rates that share the load: -f2 G [exp(split beta f) - exp(-(1 - split) beta f)]."""
    force = 1.0 + load
    return -load * 0.1 * (np.exp(SPLIT * beta * force) - np.exp(-(1.0 - SPLIT) * beta * force))


@pytest.fixture(scope="module")
def shared_optimum():
    """Load and power of the uniform state at beta_c1 = 3, which no split of the load moves."""
    load = float(minimize_scalar(lambda f2: -shared_power(3.0, f2), bounds=(-1.0, 0.0), method="bounded").x)
    return load, float(shared_power(3.0, load))


def test_power_with_shared_load_is_largest_at_the_onset(shared_optimum):
    """Uniform below beta_c1 by the closed form, cycles above it by LSODA from P_1 = 0.9: a scan over both."""
    load, top = shared_optimum
    ring = jt.PottsRing(3, -1.0, 1.0, 0.1, rates=jt.potts.LoadSharing(SPLIT))
    converter, loads = Converter(ring), np.array([-0.8, load, -0.3])
    np.testing.assert_allclose(converter.onset(loads), 3.0, rtol=1e-12)
    points = np.stack([np.array([3.0, 3.0, 2.0]), loads], axis=1)
    np.testing.assert_allclose(converter.uniform_power(points), shared_power(*points.T), rtol=1e-12)
    below, everywhere = np.meshgrid(np.linspace(0.05, 3.0, 60), np.linspace(-0.98, -0.02, 97))
    assert shared_power(below, everywhere).max() <= top
    for beta, shift in ((3.05, 0.0), (3.2, 0.0), (3.2, 0.08)):
        power = _power_of_trajectory(beta, load + shift)
        assert 0.9 * top < power < 0.999 * top


def _power_of_trajectory(beta, load):
    ring = networks.Ring(3, -1.0, 1.0 + load, 0.1, (0.0, 0.0, 0.0), "load sharing", SPLIT)
    settled, _ = networks.flow(ring, beta, np.array([0.9, 0.06, 0.04]), 2000.0)
    return -load * networks.flow(ring, beta, settled, 2000.0)[1] / 2000.0 / (1.0 + load)


def test_maximum_power_with_shared_load_is_that_of_the_onset(shared_optimum):
    load, top = shared_optimum
    best = jt.potts.maximum_power(3, -1.0, 0.1, 1.0, rates=jt.potts.LoadSharing(SPLIT))
    assert bool(best.ok) and best.place is Place.onset
    assert abs(float(best.beta) - 3.0) < 1e-6 and abs(float(best.efficiency) + load) < 1e-3
    np.testing.assert_allclose(best.power, top, rtol=1e-6)
    assert int(best.sides[0]) in (Side.from_below, Side.from_above)


BAD = {
    "no drive": ((3, -1.0, 0.1, 0.0), {"beta": 1.0}, "`forward_force` must be > 0"),
    "NaN beta": ((3, -1.0, 0.1, 1.0), {"beta": np.nan}, "`beta` must be finite"),
    "unbounded for repulsion": ((3, 1.0, 0.1, 1.0), {}, "`beta` must be given"),
    "unbounded for strong drive": ((3, -1.0, 0.1, 1.5), {}, "`beta` must be given"),
    "q": ((1, -1.0, 0.1, 1.0), {}, "`q` must be an integer"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_named(case):
    arguments, more, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        jt.potts.maximum_power(*arguments, **more)
