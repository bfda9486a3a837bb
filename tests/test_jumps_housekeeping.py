"""Housekeeping and excess: exact where nothing drives, at rest, for independent units; and as a least cost."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from jaxthermo.jumps.mean_field import flows
from tests.systems import ring
from tests.test_jumps import BETAS, START, engine

TIMES = np.linspace(0.0, 2.0, 5)
PARTS = ("housekeeping", "excess", "adiabatic", "nonadiabatic")


def independent():
    """The units of `engine` without their interaction."""
    return engine(interaction=np.zeros((3, 3)))


def split_of(network=None, betas=BETAS, start=START, times=TIMES):
    run = jt.jumps.evolve(engine() if network is None else network, betas, start, times)
    return run, jt.jumps.housekeeping(run)


def test_parts_are_positive_and_add_up():
    run, parts = split_of()
    assert bool(parts.ok)
    np.testing.assert_allclose(parts.entropy_production_rate, run.entropy_production_rate, rtol=1e-12)
    np.testing.assert_allclose(parts.housekeeping + parts.excess, run.entropy_production_rate, rtol=1e-12)
    np.testing.assert_allclose(parts.adiabatic + parts.nonadiabatic, run.entropy_production_rate, rtol=1e-11)
    assert all(bool((getattr(parts, name) > 0).all()) for name in PARTS)


def test_without_forces_and_at_one_temperature_all_is_excess():
    run, parts = split_of(engine(forces=np.zeros(6)), np.array([2.0, 2.0]))
    np.testing.assert_allclose(parts.excess, run.entropy_production_rate, rtol=1e-10)
    assert float(abs(parts.housekeeping).max()) < 1e-14
    assert float(abs(parts.adiabatic).max()) < 1e-14


def test_at_rest_all_is_housekeeping():
    steady = jt.jumps.stationary(engine(), BETAS, START)
    _, parts = split_of(start=steady.occupation)
    for name in ("housekeeping", "adiabatic"):
        np.testing.assert_allclose(getattr(parts, name), steady.entropy_production_rate, rtol=1e-8)
    assert float(parts.excess.max()) < 1e-16


def test_excess_is_the_least_cost_of_the_change():
    """The least sum of J'^2/c among all currents J' with the same dP/dt, by a pseudo-inverse."""
    run, parts = split_of()
    for t, P, excess in zip(run.time, run.occupation, parts.excess, strict=True):
        flow = flows(t, P, engine(), BETAS)
        force = np.log(flow.forward / flow.backward)
        root = np.sqrt(np.asarray(flow.currents) / force)
        arrivals = np.asarray(jax.jacobian(engine().gains)(flow.currents))
        least = np.linalg.pinv(arrivals * root) @ np.asarray(jt.jumps.vector_field(t, P, engine(), BETAS))
        assert float(excess) == pytest.approx(least @ least, rel=1e-10)


def test_nonadiabatic_is_the_fall_of_the_relative_entropy_of_independent_units():
    run, parts = split_of(independent())
    generator = np.asarray(
        jax.jacobian(lambda P: jt.jumps.vector_field(0.0, P, independent(), BETAS))(run.occupation[0])
    )
    values, vectors = np.linalg.eig(generator)
    rest = np.real(vectors[:, np.argmax(values.real)])
    rest = rest / rest.sum()
    change = np.asarray(run.occupation) @ generator.T
    np.testing.assert_allclose(
        parts.nonadiabatic, -(change * np.log(np.asarray(run.occupation) / rest)).sum(axis=1), rtol=1e-10
    )


def test_independent_units_split_alike_one_by_one_and_together():
    """Their distribution is multinomial, so each force and each potential is that of one unit."""
    _, parts = split_of(independent(), start=[1.0, 0.0, 0.0])
    few = jt.jumps.mesoscopic_evolve(independent(), BETAS, 3, [3, 0, 0], TIMES)
    together = jt.jumps.housekeeping(few)
    assert bool(together.ok)
    for name in PARTS:
        np.testing.assert_allclose(getattr(together, name)[1:], getattr(parts, name)[1:], rtol=1e-6, atol=1e-9)


def test_interacting_units_relax_to_the_entropy_production_of_their_rest():
    few = jt.jumps.mesoscopic_evolve(engine(), BETAS, 3, [3, 0, 0], np.array([0.0, 0.5, 1.0, 2.0, 12.0]))
    parts = jt.jumps.housekeeping(few)
    steady = jt.jumps.mesoscopic_stationary(engine(), BETAS, 3)
    np.testing.assert_allclose(parts.entropy_production_rate[1:], few.entropy_production_rate[1:], rtol=1e-10)
    for name in ("housekeeping", "adiabatic"):
        assert float(getattr(parts, name)[-1]) == pytest.approx(float(steady.entropy_production_rate), rel=1e-6)
    assert 0.0 < float(parts.excess[-1]) < 1e-8 and float(parts.excess[1]) > 1e-3


def test_slow_driving_costs_housekeeping_only():
    """Per period the excess falls like 1/period; the parts add up to the entropy produced."""

    def turn(period):
        def swinging(t):
            return 1.0 + 0.2 * jnp.cos(2.0 * jnp.pi * t / period)

        run = jt.jumps.periodic_state(engine(), (swinging, 2.5), period)
        parts = jt.jumps.housekeeping(run)
        assert bool(parts.ok)
        means = {name: period * float(getattr(parts, name)[:-1].mean()) for name in PARTS}
        for pair in (("housekeeping", "excess"), ("adiabatic", "nonadiabatic")):
            assert sum(means[name] for name in pair) == pytest.approx(float(run.entropy_produced), rel=1e-9)
        return means

    fast, slow = turn(20.0), turn(80.0)
    for name in ("excess", "nonadiabatic"):
        assert fast[name] / slow[name] == pytest.approx(4.0, rel=0.05)
    assert slow["excess"] < 1e-3 * slow["housekeeping"]


def test_a_limit_cycle_pays_for_its_motion():
    cycle = jt.jumps.limit_cycle(ring(), 3.5)
    parts = jt.jumps.housekeeping(cycle)
    assert bool(parts.ok)
    assert float(parts.entropy_production_rate[:-1].mean()) == pytest.approx(
        float(cycle.entropy_production_rate), rel=1e-8
    )
    assert float(parts.excess.min()) > 0.01
    with pytest.raises(NotImplementedError, match="housekeeping of a limit cycle"):
        jax.grad(lambda P: jnp.sum(jt.jumps.housekeeping(dataclasses.replace(cycle, point=P)).excess))(cycle.point)


def test_derivatives_in_both_modes_and_lanes():
    def parts(hot):
        _, found = split_of(betas=jnp.stack([hot, jnp.asarray(2.5)]))
        return jnp.stack([getattr(found, name)[-1] for name in PARTS])

    hot, h = jnp.asarray(1.0), 1e-4
    forward, back = jax.jacfwd(parts)(hot), jax.jacrev(parts)(hot)
    together = jax.vmap(parts)(jnp.stack([hot - h, hot + h]))
    np.testing.assert_allclose(forward, (together[1] - together[0]) / (2.0 * h), rtol=1e-5)
    np.testing.assert_allclose(back, forward, rtol=1e-9)


def test_what_cannot_be_split_is_said():
    few = jt.jumps.mesoscopic_evolve(ring(), 2.0, 40, [40, 0, 0], [0.0, 1e-4])
    with pytest.raises(ValueError, match="`result` must have at most 400"):
        jt.jumps.housekeeping(few)
    fine = jt.potts.microscopic_evolve(ring(), 2.0, 2, [2, 0, 0], [0.0, 0.1])
    with pytest.raises(ValueError, match="`result` must be of mesoscopic_evolve"):
        jt.jumps.housekeeping(fine)
    runs = jax.vmap(lambda beta: jt.jumps.evolve(ring(), beta, [0.8, 0.1, 0.1], TIMES))(jnp.array([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"`result` must be one run; use jax\.vmap"):
        jt.jumps.housekeeping(runs)
    with pytest.raises(TypeError, match="`result` must be one of evolve"):
        jt.jumps.housekeeping(jt.jumps.stationary(ring(), 2.0))
