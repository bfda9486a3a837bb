"""Fixed points of norm-keeping maps: Anderson's acceleration and derivatives in both modes on stochastic matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxthermo.solve.periodic import begin_repetition, derivable, repeated

SIZE = 12


def stochastic(weights):
    """A matrix whose columns sum to 1."""
    rates = jnp.exp(weights)
    return rates / jnp.sum(rates, axis=0, keepdims=True)


def step(x, weights, measured):
    """The image, and as its record the sum of the squares of what it was made from."""
    return stochastic(weights) @ x, jnp.where(measured, jnp.sum(x**2), 0.0)


@pytest.fixture(scope="module")
def weights():
    return jnp.asarray(np.random.default_rng(3).normal(size=(SIZE, SIZE)))


def stationary(weights):
    """The eigenvector of 1, by numpy."""
    values, vectors = np.linalg.eig(np.asarray(stochastic(weights)))
    vector = vectors[:, np.argmax(values.real)].real
    return vector / vector.sum()


@jax.jit
def solved(weights, slowness=0.0):
    start = jnp.zeros(SIZE).at[0].set(1.0)

    def slow(x, args, measured):
        image, record = step(x, args, measured)
        return slowness * x + (1.0 - slowness) * image, record

    return repeated(slow, begin_repetition(start, 1e-12, 200), weights)


def test_it_finds_the_stationary_state_and_keeps_the_norm(weights):
    found = solved(weights)
    np.testing.assert_allclose(found.x, stationary(weights), atol=1e-11)
    np.testing.assert_allclose(jnp.sum(found.x), 1.0, atol=1e-13)
    assert found.residual <= 1e-12
    image, record = step(found.x, weights, True)
    np.testing.assert_allclose(jnp.linalg.norm(image - found.x), 0.0, atol=2e-12)
    # The record is that of one more application, to the fixed point itself.
    np.testing.assert_allclose(found.image, image, atol=1e-15)
    np.testing.assert_allclose(found.record, record, rtol=1e-14)


def test_it_needs_far_fewer_turns_than_repetition(weights):
    """A map that keeps 99 % of the state would need ln(1e12)/0.01 turns."""
    found = solved(weights, 0.99)
    np.testing.assert_allclose(found.x, stationary(weights), atol=1e-9)
    assert int(found.applications) < 150


def test_it_stops_at_its_limit_and_says_what_is_left(weights):
    start = jnp.zeros(SIZE).at[0].set(1.0)
    found = repeated(step, begin_repetition(start, 1e-14, 3), weights)
    assert int(found.applications) == 3
    assert found.residual > 1e-8


def test_a_fixed_point_as_the_guess_is_found_at_once(weights):
    found = repeated(step, begin_repetition(jnp.asarray(stationary(weights)), 1e-12, 200), weights)
    assert int(found.applications) == 1


def test_it_does_not_care_about_the_shape(weights):
    def folded(x, args, measured):
        image, record = step(x.reshape(-1), args, measured)
        return image.reshape(x.shape), record

    start = jnp.zeros((3, 4)).at[0, 0].set(1.0)
    found = repeated(folded, begin_repetition(start, 1e-12, 200), weights)
    np.testing.assert_allclose(found.x.reshape(-1), solved(weights).x, atol=1e-11)


def test_derivatives_in_both_modes_are_central_differences(weights):
    """Of the fixed point, its image and the record of the last application together."""
    direction = jnp.asarray(np.random.default_rng(4).normal(size=(SIZE, SIZE)))
    values = jnp.arange(1.0, SIZE + 1.0) ** 2

    def project(covector, root):
        # The sum is the map's left eigenvector of 1.
        return covector - jnp.sum(covector * root)

    def found(weights):
        """Sought from two guesses, so that there are two fixed points, which are the same."""

        def search(weights):
            guesses = jnp.eye(SIZE)[:2]
            return jax.lax.map(
                lambda guess: repeated(step, begin_repetition(guess, 1e-12, 200), weights), guesses
            ), jnp.ones(())

        points, _ = derivable(search, lambda x, args, which, reverse: step(x, args, True), weights, project)
        first, second = (jax.tree.map(lambda leaf, i=i: leaf[i], points) for i in (0, 1))
        return values @ first.image + 3.0 * first.record + jnp.sum(second.x**2)

    def expected(weights):
        x = stationary(weights)
        return np.asarray(values) @ x + 4.0 * np.sum(x**2)

    along = jax.jit(lambda w: jax.jvp(found, (w,), (direction,))[1])(weights)
    gradient = jax.jit(jax.grad(found))(weights)
    h = 1e-5
    central = (expected(weights + h * direction) - expected(weights - h * direction)) / (2 * h)
    # Central differences are good to h^2; the series is summed to 1e-9.
    np.testing.assert_allclose(along, central, rtol=1e-7)
    np.testing.assert_allclose(jnp.sum(gradient * direction), central, rtol=1e-7)


def test_derivatives_of_a_map_that_hardly_forgets_are_none(weights):
    """The point is found by acceleration; the series of its derivative would take a hundred thousand turns."""

    def slow(x, weights, measured):
        image, record = step(x, weights, measured)
        return x + 1e-4 * (image - x), record

    def found(weights):
        def search(weights):
            begin = begin_repetition(jnp.zeros(SIZE).at[0].set(1.0), 1e-12, 200)
            return jax.tree.map(lambda leaf: leaf[None], repeated(slow, begin, weights)), jnp.ones(())

        points, _ = derivable(
            search, lambda x, args, which, reverse: slow(x, args, True), weights, lambda c, root: c - jnp.sum(c * root)
        )
        return points.x[0] @ jnp.arange(1.0, SIZE + 1.0)

    np.testing.assert_allclose(found(weights), stationary(weights) @ np.arange(1.0, SIZE + 1.0), atol=1e-7)
    assert jnp.isnan(jax.jit(lambda w: jax.jvp(found, (w,), (w,))[1])(weights))
    assert jnp.all(jnp.isnan(jax.jit(jax.grad(found))(weights)))
