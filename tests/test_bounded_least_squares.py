"""Bounded least squares of least norm, against problems whose answer is known."""

import numpy as np
import pytest

from jaxthermo.search.bounded import least_squares


def test_a_linear_problem_ends_at_the_nearest_solution():
    rng = np.random.default_rng(0)
    J = rng.normal(size=(3, 7))
    start = np.full(7, 0.5)
    goal = J @ (start + 0.02 * rng.uniform(-1, 1, size=7))
    done = least_squares(lambda x: (J @ x - goal, J), start, 60, 1e-9)
    assert np.abs(done.residuals).max() <= 1e-9
    # Nothing moves in the directions that the data do not fix.
    np.testing.assert_allclose(done.point - start, np.linalg.pinv(J) @ (goal - J @ start), atol=1e-8)


def test_a_curved_valley_is_followed_to_its_minimum():
    def rosenbrock(x):
        a, b = 2.0 * x
        return np.array([10.0 * (b - a**2), 1.0 - a]), np.array([[-40.0 * a, 20.0], [-2.0, 0.0]])

    done = least_squares(rosenbrock, np.array([0.0, 0.8]), 200, 1e-8)
    np.testing.assert_allclose(done.point, 0.5, atol=1e-8)
    assert done.evaluations < 100


@pytest.mark.parametrize("goal, expected", [(2.0, 1.0), (-1.0, 0.0)])
def test_a_minimum_outside_is_sought_at_the_bound(goal, expected):
    done = least_squares(lambda x: (x - np.array([goal, 0.3]), np.eye(2)), np.array([0.5, 0.5]), 50)
    np.testing.assert_allclose(done.point, [expected, 0.3], atol=1e-6)


def test_it_stops_when_it_is_told_and_steps_over_nan():
    calls = []

    def bad(x):
        calls.append(x)
        value = np.array([np.nan]) if x[0] > 0.55 else x - 0.54
        return value, np.eye(1)

    assert least_squares(bad, np.array([0.1]), 3).evaluations == 3 == len(calls)
    assert least_squares(bad, np.array([0.5]), 50, 1e-6).point[0] == pytest.approx(0.54, abs=1e-6)
