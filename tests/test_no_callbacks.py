"""No compiled program of a public verb calls back to the host, which would keep it out of JAX's cache on disk.

Programs are lowered, not compiled: those of the verbs that are pure functions, and what labelled verbs compile.
"""

import re

import jax
import jax.numpy as jnp
import pytest

import jaxthermo as jt
from jaxthermo.potts.diagram import _cold_is_stable
from jaxthermo.potts.symmetry import _sample

BETA = jnp.asarray(4.0)
TIMES = jnp.linspace(0.0, 1.0, 3)
KEY = jax.random.key(0)


def ring(force=1.0):
    return jt.PottsRing(3, -1.0, force, 0.1)


def stationary(beta):
    return jt.potts.stationary(ring(), beta).energy


def period(beta):
    return jt.potts.limit_cycle(ring(), beta).period


def cold_is_stable(beta):
    rings = jax.vmap(ring)(jnp.array([0.5, 1.0]))
    return _cold_is_stable(rings, jnp.array([3.0, 4.0]), beta[None])


def between_temperatures():
    edges = [(0, 1), (1, 2), (2, 0), (0, 1)]
    return jt.JumpNetwork(edges, jnp.zeros(3), -1.0, [0.5, 0.5, 0.5, 0.0], [0, 0, 0, 1])


def network_trajectory(beta):
    return jt.jumps.evolve(between_temperatures(), jnp.stack([beta, 2.0 * beta]), None, TIMES).heats[-1, 0]


PROGRAMS = {
    "network, trajectory": network_trajectory,
    "network, derivative of a trajectory": jax.grad(network_trajectory),
    "stationary": stationary,
    "stationary, derivative": jax.grad(stationary),
    "stationary, many lanes": lambda beta: jax.vmap(stationary)(beta[None]),
    "limit_cycle": period,
    "limit_cycle, derivative": jax.grad(period),
    "fold": lambda beta: jt.potts.fold(ring(beta)),
    "normal_form": lambda beta: jt.potts.normal_form(ring(beta)).growth,
    "branch": lambda beta: jt.potts.branch(ring(), beta, low=0.1, high=9.0, points=3),
    "cycle_branch": lambda beta: jt.potts.cycle_branch(ring(), beta[None]),
    "phase_diagram": cold_is_stable,
    "attractors": lambda beta: _sample(ring(), beta, jt.potts.localised(3), beta),
    "mesoscopic_evolve": lambda beta: jt.potts.mesoscopic_evolve(ring(), beta, 4, None, TIMES),
    "work_theorem": lambda beta: jt.potts.work_theorem(ring(), beta, 4, 1.0),
    "mesoscopic_stationary": lambda beta: jt.potts.mesoscopic_stationary(ring(), beta, 8),
    "coherence": lambda beta: jt.potts.coherence(ring(), beta, 8),
    "cumulants": lambda beta: jt.potts.cumulants(ring(), beta, 8),
    "scaled_cumulant": lambda beta: jt.potts.scaled_cumulant(ring(), beta, 8, 0.1),
    "simulate": lambda beta: jt.potts.simulate(ring(), beta, 4, 1.0, 4, KEY, [2, 1, 1]),
    "simulate, driven": lambda beta: jt.potts.simulate(ring(), lambda t: beta, 4, 1.0, 4, KEY, [2, 1, 1]),
    "tau_leap": lambda beta: jt.potts.tau_leap(ring(), beta, 4, 1.0, 4, KEY, [2, 1, 1], steps=9),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_ring_calls_back_nowhere(name):
    text = jax.jit(PROGRAMS[name]).lower(BETA).as_text()
    assert "func.func public @main" in text
    assert not re.findall(r"custom_call[^\n]*callback", text)
