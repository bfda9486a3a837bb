import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import potts_scan
from jaxthermo.potts import vector_field


@pytest.mark.parametrize("q", [2, 3, 5, 12])
def test_the_hand_written_loop_does_the_same_work(q):
    """The tolerance is rounding: one exponential and its reciprocal, instead of two, on terms of order 1."""
    field, ring = potts_scan.numba_field(q), potts_scan.ring_of(q)
    states = [potts_scan.start_of(q), *np.random.default_rng(q).dirichlet(np.ones(q), size=4)]
    for beta in potts_scan.BETAS:
        for P in states:
            derivative = np.empty(q)
            field(P, derivative, beta)
            expected = vector_field(0.0, jnp.asarray(P), ring, jnp.asarray(beta))
            np.testing.assert_allclose(derivative, expected, rtol=0, atol=1e-13)
            assert np.max(np.abs(derivative)) > 1e-3
