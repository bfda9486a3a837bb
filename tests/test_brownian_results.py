"""Results of the oscillator as data: labelled, stored and read again."""

import jax
import numpy as np
import pytest
from systems import QUARTIC, SEARCH_GRID

import jaxthermo as jt

QUANTUM = jt.quantum_oscillator(QUARTIC, 1.0, 1, 2, SEARCH_GRID)


def same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.fixture(scope="module")
def state():
    return jt.equilibrium(QUANTUM, 0.8, 0.3)


def test_a_state_is_stored_and_read_again(state, tmp_path):
    state.save(tmp_path / "state.nc")
    same(jt.State.load(tmp_path / "state.nc"), state)


def test_a_state_is_a_dataset_with_its_wigner_function_over_position_and_momentum(state):
    data = state.to_dataset()
    assert data.wigner.dims == ("position", "momentum") and data.wigner.units == "1/action"
    np.testing.assert_allclose(data.wigner.integrate(["position", "momentum"]), state.norm, rtol=1e-7)
    assert data.attrs["status"] == state.outcome and float(data.X) == float(state.X)


def test_a_potential_that_is_a_function_must_be_given_to_read_a_state(tmp_path):
    oscillator = jt.classical_oscillator(lambda q: 0.5 * q**2, 1.0, SEARCH_GRID)
    state = jt.equilibrium(oscillator, 1.0, 0.3)
    with pytest.raises(ValueError, match="`oscillator` must be given"):
        jt.State.from_dataset(state.to_dataset())
    same(jt.State.from_dataset(state.to_dataset(), oscillator).V, state.V)
