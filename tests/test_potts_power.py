"""Work-to-work conversion: maximum power and its efficiency, inside phases and on their edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

import jaxthermo as jt
from jaxthermo.potts.edges import Place


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
