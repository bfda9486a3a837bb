"""No compiled program of a public verb calls back to the host, which would keep it out of JAX's cache on disk.

Programs are lowered, not compiled: those of the verbs that are pure functions, and what labelled verbs compile.
"""

import re

import jax
import jax.numpy as jnp
import pytest

import jaxthermo as jt
from jaxthermo.jumps.branches import _follow
from jaxthermo.jumps.finite import jumps
from jaxthermo.jumps.finite.distribution import stationary_distribution
from jaxthermo.jumps.finite.fluctuations import _taylor
from jaxthermo.jumps.finite.hops import moment
from jaxthermo.jumps.finite.leaps import leaps
from jaxthermo.jumps.finite.master import Meso, evolution
from jaxthermo.jumps.finite.perron import perron
from jaxthermo.jumps.finite.random import streams
from jaxthermo.jumps.finite.sectors import Sector, leading_mode
from jaxthermo.jumps.finite.space import space
from jaxthermo.jumps.finite.theorem import _averages
from jaxthermo.potts.congruence import _sample
from jaxthermo.potts.cycle_branch import _along, find_loop
from jaxthermo.potts.phases import _cold_is_stable

BETA, END = jnp.asarray(4.0), jnp.asarray(1.0)
TIMES = jnp.linspace(0.0, 1.0, 3)
CAP = jnp.asarray(9)


def ring(force=1.0):
    return jt.PottsRing(3, -1.0, force, 0.1)


def stationary(beta):
    return jt.potts.stationary(ring(), beta).energy


def period(beta):
    return jt.potts.limit_cycle(ring(), beta).period


def follow_branch(beta):
    return _follow(ring().network, beta, jt.potts.localised(3), jnp.asarray(0.03), "beta", -1.0, 3)


def follow_cycle(beta):
    found = find_loop(ring(), beta, None)
    return _along(ring(), beta[None], jt.potts.fold(ring()), *found)


def cold_is_stable(beta):
    rings = jax.vmap(ring)(jnp.array([0.5, 1.0]))
    return _cold_is_stable(rings, jnp.array([3.0, 4.0]), beta[None])


def master_equation(beta):
    states = space(3, 4)
    return evolution(ring().network, beta, None, Meso(states), jnp.full(states.size, 1 / states.size), TIMES)


def averages(beta):
    return _averages(ring().network, lambda t: beta, None, space(3, 4), END, TIMES, backwards=False)


def mode(beta):
    states = space(3, 8)
    one = jnp.full(states.size, 1 / states.size)
    return leading_mode(moment(ring(), beta), states, Sector(turns=1), END, jnp.zeros(()), one + 0j, one)


def tilted(beta):
    states = space(3, 8)
    even = jnp.full(states.size, 1 / states.size)
    return perron(moment(ring(), beta), states, END, jnp.zeros(()), even, jnp.zeros(states.size))


def taylor(beta):
    states, now = space(3, 8), moment(ring(), beta)
    return _taylor(now, states, stationary_distribution(now, states), 2)


def walk():
    return jumps.start(jnp.array([[2, 1, 1]] * 4), streams(jax.random.key(0), 4))


def steady(beta):
    return jumps.steady_jumps(ring(), beta, END, END, CAP, walk(), CAP)


def driven(beta):
    return jumps.driven_jumps(ring(), lambda t: beta, None, END, END, CAP, END, jumps.first_hazard(walk()), CAP)


def leaping(beta):
    return leaps(ring().network, beta, None, 4, END, CAP, walk().counts, jax.random.key(0))


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
    "branch": follow_branch,
    "cycle_branch": follow_cycle,
    "phase_diagram": cold_is_stable,
    "attractors": lambda beta: _sample(ring(), beta, jt.potts.localised(3), beta),
    "trajectory": lambda beta: jt.potts.trajectory(ring(), beta, jt.potts.localised(3), TIMES),
    "mesoscopic_evolve": master_equation,
    "work_theorem": averages,
    "mesoscopic_thermodynamics": lambda beta: jt.potts.mesoscopic_thermodynamics(ring(), beta, 8),
    "coherence": mode,
    "cumulants": taylor,
    "scaled_cumulant": tilted,
    "simulate": steady,
    "simulate, driven": driven,
    "tau_leap": leaping,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_ring_calls_back_nowhere(name):
    text = jax.jit(PROGRAMS[name]).lower(BETA).as_text()
    assert "func.func public @main" in text
    assert not re.findall(r"custom_call[^\n]*callback", text)
