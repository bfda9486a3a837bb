"""Bounded least squares of least norm, against problems whose answer is known."""

import numpy as np
import pytest

from jaxthermo._status import Status
from jaxthermo.search.bounded import descend, least_squares


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


@pytest.mark.parametrize("unit", [1.0, 1e-21])
def test_a_descent_keeps_its_constraints_in_any_unit(unit):
    """Least a^2 + 4 b^2 about (0.7, 0.6), where a + b <= 1: at (0.46, 0.54), by Lagrange's multiplier."""
    tried = []

    def evaluate(point):
        away = point - np.array([0.7, 0.6])
        tried.append(point)
        return np.array([unit * (away**2 @ [1.0, 4.0]), 1.0 - point.sum()]), np.array(
            [unit * away * [2.0, 8.0], [-1, -1]]
        )

    assert descend(evaluate, np.array([0.1, 0.2]), 30, 1) == Status.ok
    np.testing.assert_allclose(tried[-1], [0.46, 0.54], atol=1e-6)
    tried.clear()
    assert descend(lambda x: tuple(part[:1] for part in evaluate(x)), np.array([0.1, 0.2]), 30) == Status.ok
    np.testing.assert_allclose(tried[-1], [0.7, 0.6], atol=1e-5)
