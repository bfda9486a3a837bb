"""Models print their values, and what is wrong with an argument is said in one sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt

EXPECTED = {
    "ring": (
        lambda: jt.PottsRing(3, -1.0, 1.0, 0.1),
        "PottsRing(q=3, coupling=-1, force=1, prefactor=0.1, energies=[0, 0, 0], rates=Arrhenius())",
    ),
    "polynomial": (lambda: jt.Polynomial([0.0, 0.5]), "Polynomial(coefficients=[0, 0.5])"),
    "ramp": (lambda: jt.Ramp(0.5, 1.0, 0.0, 2.0), "Ramp("),
    "bath": (
        lambda: jt.OhmicBath(1.5, 1, 2),
        "OhmicBath(strength=1.5, poles=1, depth=2, scheme='pade', thermostat='symmetric')",
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_models_print_their_values(name):
    make, words = EXPECTED[name]
    assert repr(make()).startswith(words)


def test_large_arrays_functions_and_traced_values_are_short():
    network = jt.JumpNetwork([(i, i + 1) for i in range(19)], np.zeros(20), interaction=lambda P: jnp.sum(P**2))
    assert "float64[20]" in repr(network) and len(repr(network)) < 1000
    said = []
    jax.jit(lambda force: said.append(repr(jt.PottsRing(3, -1.0, force))) or force)(1.0)
    assert said[0].startswith("PottsRing(q=3, coupling=")


def test_numpy_in_a_function_is_one_sentence():
    with pytest.raises(
        ValueError, match=r"`potential` must be a function that jax can trace: write jax.numpy for numpy"
    ):

        def steep(q):
            return np.cosh(q)

        jt.classical_oscillator(steep, 1.0)


def test_the_first_wrong_value_of_many_is_said():
    with pytest.raises(ValueError, match=r"`betas` must be > 0, but has -3.0, the first of 10 such among 20 values"):
        jt.grid_for(jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0), np.repeat([1.0, -3.0], 10), 0.0)
