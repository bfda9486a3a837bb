"""No program of an equilibrium holds a host callback, which would keep it out of the compilation cache."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt

planck_table = importlib.import_module("jaxthermo.brownian.equilibria.planck_table")
QUARTIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
GRID = jt.PhaseGrid(5.6, 0.5, 8.0, 0.7)
BATHS = {
    "Kramers": jt.classical_oscillator(QUARTIC, 1.0, GRID),
    "Ohmic": jt.quantum_oscillator(QUARTIC, 1.0, 1, 2, GRID),
    "Drude": jt.quantum_oscillator(QUARTIC, jt.DrudeBath(1.0, 8.0, 1, 2), grid=GRID),
    "switched": jt.quantum_oscillator(
        QUARTIC, jt.SwitchedBaths([jt.OhmicBath(1.0, 1, 2)], [1.0], [lambda t: jnp.cos(t)]), grid=GRID
    ),
}


def lowered(function, *args):
    return jax.jit(function).lower(*args).as_text()


@pytest.mark.parametrize("name", BATHS)
def test_equilibrium(name):
    def moments(beta, x):
        state = jt.equilibrium(BATHS[name], beta, x)
        return jnp.stack([state.X, state.U, state.residual])

    program = lowered(moments, 1.0, 0.5)
    # The classical state is known without a search.
    assert ("stablehlo.while" in program) == (name != "Kramers") and "callback" not in program
    assert "callback" not in lowered(jax.jacfwd(moments), 1.0, 0.5)
    # An error_if is found by this search.
    assert "callback" in lowered(lambda beta: jax.pure_callback(np.sin, beta, beta), jnp.ones(()))


@pytest.mark.parametrize("name", ["Kramers", "Ohmic", "Drude"])
def test_gradient_of_an_equilibrium(name):
    assert "callback" not in lowered(jax.grad(lambda beta: jt.equilibrium(BATHS[name], beta, 0.5).U), 1.0)


def test_planck_potential():
    assert "callback" not in lowered(lambda beta: jt.planck_potential(BATHS["Kramers"], beta, 0.5), 1.0)
    points = [jnp.ones(2)] * 4
    assert "callback" not in lowered(lambda *p: planck_table._means(BATHS["Ohmic"], GRID, *p), *points)
