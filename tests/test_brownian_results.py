"""Results of the oscillator: labelled, stored and read again; the same under jit, vmap and derivatives."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems import QUARTIC, SEARCH_GRID

import jaxthermo as jt
from jaxthermo.protocols.schedules import as_schedule

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


def test_a_start_without_correlations_is_read_as_it_was():
    """Its Wigner function and purity were measured again, on members that do not give all of it."""
    start = jt.State.coherent(QUANTUM, 0.5, 0.2, beta=1.0)
    again = jt.State.from_dataset(start.to_dataset())
    same(again, start)
    assert again.stats["factorised"] == 1 and again.purity == start.purity


def test_a_potential_that_is_a_function_must_be_given_to_read_a_state(tmp_path):
    oscillator = jt.classical_oscillator(lambda q: 0.5 * q**2, 1.0, SEARCH_GRID)
    state = jt.equilibrium(oscillator, 1.0, 0.3)
    with pytest.raises(ValueError, match="`oscillator` must be given"):
        jt.State.from_dataset(state.to_dataset())
    same(jt.State.from_dataset(state.to_dataset(), oscillator).V, state.V)


def test_a_batch_is_not_read_as_one(state):
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), state)
    with pytest.raises(
        ValueError, match=r"`dataset` must hold one jt.State, but is of a batch with the axes \['lane_0'\]"
    ):
        jt.State.from_dataset(batch.to_dataset())
    same(jt.State.from_dataset(jax.tree.map(lambda leaf: leaf[0], batch).to_dataset()), state)


# For what does not depend on how accurate a mesh is.
COARSE = jt.PhaseGrid(5.0, 0.7, 7.0, 1.0)
KRAMERS = jt.classical_oscillator(QUARTIC, 1.0, COARSE)
TIMES = jnp.linspace(0.0, 2.0, 3)


def stirling(beta):
    return jt.StirlingCycle(beta, 1.2, 0.2, 0.9, 8.0)


@pytest.fixture(scope="module")
def driven():
    return jt.drive(KRAMERS, jt.Ramp(0.8, 1.0, 0.0, 2.0), 0.3, TIMES, keep_states=True)


def test_a_batch_of_runs_is_not_read_as_one(driven):
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), driven)
    with pytest.raises(ValueError, match=r"`dataset` must hold one jt.brownian.DrivenRun"):
        jt.brownian.DrivenRun.from_dataset(batch.to_dataset())


@pytest.fixture(scope="module")
def cycle():
    return jt.run_cycle(KRAMERS, stirling(0.6), 1e-6, points=2, steps=2, keep_states=True)


def test_runs_are_stored_and_read_again(driven, cycle, tmp_path):
    for run in (driven, cycle):
        run.save(tmp_path / "run.nc")
        again = type(run).load(tmp_path / "run.nc")
        same(again, run)
        same(again.state_at(1.0), run.state_at(1.0))
        assert again.outcome == run.outcome


def test_schedules_that_are_functions_are_read_as_lines_between_their_values(driven, cycle):
    """Such a run could not be read at all."""
    protocol = dataclasses.replace(driven.protocol, beta=as_schedule("beta", lambda t: 0.8 + 0.1 * t))
    again = type(driven).from_dataset(dataclasses.replace(driven, protocol=protocol).to_dataset())
    same(again.protocol.beta(driven.time[1]), driven.beta[1])
    wave = jt.PeriodicCycle(lambda t: 0.6 + 0.1 * jnp.cos(t * jnp.pi / 4.0), 0.2, 8.0)
    again = type(cycle).from_dataset(dataclasses.replace(cycle, cycle=wave).to_dataset())
    same(again.cycle.beta(cycle.time[1]), cycle.beta[1])
    assert isinstance(again.cycle, jt.PeriodicCycle) and float(again.cycle.x(1.0)) == 0.2


def test_a_cycle_of_an_unknown_class_cannot_be_read(cycle):
    data = cycle.to_dataset()
    data.attrs["parameters"] = data.attrs["parameters"].replace("StirlingCycle", "Own")
    with pytest.raises(ValueError, match="`dataset` cannot be read, since it records a Own, not known here"):
        type(cycle).from_dataset(data)


def test_a_run_is_a_dataset_over_time(driven, cycle):
    data = driven.to_dataset()
    assert data.work.dims == ("time",) and data.work.units == "energy" and data.attrs["steps"] == driven.stats["steps"]
    data = cycle.to_dataset()
    assert float(data.work) == float(data.cumulative_work[-1]) and data.members.dims[0] == "time"


def test_a_run_goes_on_from_its_last_state(driven):
    more = jt.drive(KRAMERS, 1.0, 0.3, TIMES, driven.final)
    for name in ("X", "U", "p2"):
        np.testing.assert_allclose(getattr(more, name)[0], getattr(driven, name)[-1], rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(getattr(driven.state_at(1.0), name), getattr(driven, name)[1], rtol=1e-12)


def test_a_run_without_its_states_has_none_at_a_time():
    run = jt.drive(KRAMERS, 1.0, 0.3, TIMES)
    with pytest.raises(ValueError, match="`keep_states` must be True"):
        run.state_at(1.0)


def drive_work(number):
    """With a number in the oscillator, in both schedules and in the state at the start; fixed steps."""
    oscillator = jt.classical_oscillator(QUARTIC, 0.4 + number, COARSE)
    beta, x = lambda t: number * (1.0 + 0.1 * t), jt.Ramp(0.3, number, 0.0, 2.0)
    return jt.drive(oscillator, beta, x, TIMES, dt=0.25).work[-1]


def cycle_work(beta):
    """With error control of the step, and by the library's own choice of steps."""
    return jt.run_cycle(KRAMERS, stirling(beta), 1e-5, points=2).work


@pytest.mark.parametrize("verb", [drive_work, cycle_work])
def test_jit_vmap_and_both_modes_agree_with_eager_loops_and_central_differences(verb):
    # What one more cycle changes, 1e-5 of it in phase space, moves the work by less.
    exact = 1e-12 if verb is drive_work else 2e-6
    betas, h = np.array([0.6, 0.7]), 1e-3
    lanes = jax.jit(jax.vmap(verb))
    eager = np.stack([verb(float(beta)) for beta in betas])
    np.testing.assert_allclose(lanes(betas), eager, atol=exact)
    below, above = lanes(betas[0] + np.array([-h, h]))
    central = (above - below) / (2.0 * h)
    # The value comes along with the slope, so that it needs no program of its own.
    value, slope = jax.jit(jax.value_and_grad(verb))(betas[0])
    np.testing.assert_allclose(value, eager[0], atol=exact)
    np.testing.assert_allclose(slope, central, atol=1e-6 if verb is drive_work else 5e-4)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(verb))(betas[0]), slope, rtol=1e-6)


def test_cycles_of_given_steps_in_a_batch_and_in_reverse_mode():
    """One program for values and slopes, against eager cycles and their central difference."""

    def work(beta):
        return jt.run_cycle(KRAMERS, stirling(beta), 1e-9, points=2, steps=4).work

    betas, h = jnp.array([0.6, 0.7]), 1e-3
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(work)))(betas)
    np.testing.assert_allclose(values, [work(float(beta)) for beta in betas], atol=1e-9)
    central = (work(0.6 + h) - work(0.6 - h)) / (2.0 * h)
    np.testing.assert_allclose(slopes[0], central, atol=1e-5)


def test_a_fourier_series_is_a_cycle_like_any_other():
    """One class, and no other edit: its laws, and the work of the same schedules in `drive`."""
    oscillator = jt.classical_oscillator(QUARTIC, 1.0, jt.PhaseGrid(5.6, 0.28, 10.5, 0.5))
    cycle = jt.FourierCycle(0.9, [0.1], [0.2], 0.5, [0.2, 0.0], [0.3, 0.1], 6.0)
    run = jt.run_cycle(oscillator, cycle, 1e-7, points=2, steps=8)
    assert run.outcome == "ok" and run.residual < 1e-7
    np.testing.assert_allclose(run.work + run.heat, 0.0, atol=1e-6)
    turn = jt.drive(oscillator, cycle.beta, cycle.x, [0.0, 3.0, 6.0], run.final, tol=1e-6)
    # Both keep the work to some 2e-5 of the energies that it changes, which are 1.4.
    np.testing.assert_allclose(turn.work[-1], run.work, atol=6e-5)
    with pytest.raises(ValueError, match="`beta` must be > 0"):
        jt.run_cycle(KRAMERS, jt.FourierCycle(0.2, [0.3], [0.0], 0.5, [0.1], [0.0]))
