"""Work-to-work conversion and its efficiency at maximum power."""

import numpy as np
import pytest
from scipy.optimize import brentq

import jaxthermo as jt


@pytest.mark.parametrize("beta", [0.4, 2.0])
def test_uniform_phase_obeys_the_transcendental_equation(beta):
    best = jt.potts.maximum_power(3, -1.0, 0.1, 1.0, beta=beta)
    exact = brentq(lambda f2: np.tanh(0.5 * beta * (1.0 + f2)) + 0.5 * beta * f2, -1.0, 0.0)
    np.testing.assert_allclose(best.force2, exact, atol=1e-6)
    np.testing.assert_allclose(best.power, -exact * 0.2 * np.sinh(0.5 * beta * (1.0 + exact)), rtol=1e-10)
    assert best.efficiency == -best.force2 and best.kind == "fixed point" and best.undecided == 0


def test_linear_response_reaches_one_half():
    assert abs(jt.potts.maximum_power(3, -1.0, 0.1, 1.0, beta=1e-3).efficiency - 0.5) < 1e-5


def test_global_maximum_of_three_states_lies_in_the_synchronised_phase():
    best = jt.potts.maximum_power(3, -1.0, 0.1, 1.0)
    assert best.kind == "limit cycle"
    assert 3.0 < best.beta < 4.0
    # A fresh evaluation at the point found, and its neighbours, which must not be better.
    ring = jt.PottsRing(3, -1.0, 1.0 + best.force2, 0.1)
    again = jt.potts.output_power(jt.potts.stationary(ring, best.beta), 1.0 + best.force2, best.force2)
    np.testing.assert_allclose(again, best.power, rtol=1e-9)
    for shift in (-1e-3, 1e-3):
        ring = jt.PottsRing(3, -1.0, 1.0 + best.force2 + shift, 0.1)
        other = jt.potts.output_power(jt.potts.stationary(ring, best.beta), ring.force, best.force2 + shift)
        assert float(other) < best.power


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


def test_climbing_reaches_the_uniform_optimum():
    """In the uniform phase the optimum solves tanh[beta (f1 + f2)/2] = -beta f2/2; at q = 2 it is the global one."""
    best = jt.potts.climb_power(q=3, coupling=-1.0, prefactor=0.1, forward_force=1.0, beta=1.0, force2=-0.4, steps=3)
    start = jt.potts.maximum_power(q=3, coupling=-1.0, prefactor=0.1, forward_force=1.0, beta=1.0)
    assert best.power > start.power and best.kind in ("fixed point", "limit cycle")
    assert np.isclose(best.efficiency, -best.force2)


def test_climbing_names_bad_input():
    with pytest.raises(ValueError, match="`force2`"):
        jt.potts.climb_power(3, -1.0, 0.1, 1.0, 1.0, 0.2)
