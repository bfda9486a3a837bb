"""Operations counted from programs whose operations are known."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import _floor


def test_loops_count_as_often_as_they_run_and_products_by_their_flops():
    def function(x, a):
        def step(x, _):
            return jnp.exp(x) / (x + 2.0), None

        x, _ = jax.lax.scan(step, x, length=5)
        return a @ (a @ x), jax.jit(jnp.log)(x)

    found = _floor.operations(function, jnp.ones(3), jnp.ones((3, 3)))
    assert found == {"exponential": 15, "division": 15, "simple": 15, "product": 2 * 2 * 9, "logarithm": 3}


def test_of_a_choice_the_dearer_side_counts():
    def function(x):
        return jax.lax.cond(jnp.all(x > 0), lambda x: jnp.exp(jnp.sin(x)), lambda x: x, x)

    found = _floor.operations(function, jnp.ones(4))
    assert found["exponential"] == 4 and found["sine"] == 4


def test_a_floor_is_the_sum_of_numbers_times_rates():
    rates = _floor.Rates(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
    counts = _floor.Counter({"exponential": 2, "product": 10})
    assert _floor.floor_seconds(counts, rates, times=3.0, cores=2) == pytest.approx(1e-9 * 62.0 * 3.0 / 2.0)


def test_short_calls_are_timed_in_stretches():
    wall, processor = _floor.best_seconds(jax.jit(jnp.sin), jnp.ones(4), stretches=1)
    assert 0.0 < wall < 0.01 and 0.0 < processor < 0.1
