"""The general solvers on systems with known answers: linear stability, fixed points, closed orbits, attractors."""

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxthermo.scans import map_lanes
from jaxthermo.solve.attractor import FIXED_POINT, LIMIT_CYCLE, UNDECIDED, find_attractor
from jaxthermo.solve.cycle import close_orbit, go_round, log_contraction
from jaxthermo.solve.lanes import CHUNK, CHUNK_ACCELERATOR, usual_chunk
from jaxthermo.solve.linear import is_stable, log_spectral_radius


@pytest.mark.parametrize("seed", range(4))
def test_spectral_radius_and_stability_agree_with_eigenvalues(seed):
    matrix = np.random.default_rng(seed).normal(size=(5, 5))
    eigenvalues = np.linalg.eigvals(matrix)
    np.testing.assert_allclose(log_spectral_radius(jnp.asarray(matrix)), np.log(np.abs(eigenvalues).max()), atol=1e-12)
    edge = eigenvalues.real.max() * np.eye(5)
    assert bool(is_stable(jnp.asarray(matrix - edge - 1e-6 * np.eye(5)), 0.0))
    assert not bool(is_stable(jnp.asarray(matrix - edge + 1e-6 * np.eye(5)), 0.0))


def hopf(x, args):
    """Hopf normal form: r' = r (mu - r^2), phase' = omega: a circle of radius sqrt(mu), multiplier exp(-2 mu T)."""
    mu, omega = args
    r2 = jnp.sum(x**2)
    return jnp.stack([mu * x[0] - omega * x[1] - r2 * x[0], omega * x[0] + mu * x[1] - r2 * x[1]])


def radius_squared(x, args):
    return jnp.sum(x**2, keepdims=True)


def test_closed_orbit_of_the_hopf_normal_form():
    mu, omega = 0.09, 2.0
    orbit = jax.jit(lambda g: close_orbit(hopf, g, jnp.asarray(3.0), (mu, omega)))(jnp.array([0.36, 0.05]))
    assert bool(orbit.closed)
    np.testing.assert_allclose(orbit.period, np.pi, rtol=1e-10)
    np.testing.assert_allclose(jnp.linalg.norm(orbit.point), 0.3, rtol=1e-9)
    mean, turns = jax.jit(lambda orbit: go_round(hopf, radius_squared, orbit, (mu, omega)))(orbit)
    assert float(turns) == 1.0
    np.testing.assert_allclose(mean, 0.09, rtol=1e-9)
    np.testing.assert_allclose(log_contraction(orbit, hopf(orbit.point, (mu, omega))), -2 * mu * np.pi, rtol=1e-7)


@pytest.fixture(scope="module")
def search():
    def run(mu, omega):
        return find_attractor(hopf, radius_squared, jnp.array([0.9, 0.0]), (mu, omega), 20)

    return run


def test_attractor_of_the_hopf_normal_form_and_its_derivatives(search):
    above = jax.jit(search)(0.25, 1.3)
    below = jax.jit(search)(-0.25, 1.3)
    assert int(above.kind) == LIMIT_CYCLE and int(below.kind) == FIXED_POINT
    np.testing.assert_allclose(above.period, 2 * np.pi / 1.3, rtol=1e-9)
    np.testing.assert_allclose(above.mean, 0.25, rtol=1e-9)
    np.testing.assert_allclose(below.mean, 0.0, atol=1e-12)
    slope = jax.jit(jax.jacfwd(lambda mu, omega: search(mu, omega).mean[0], argnums=(0, 1)))(0.25, 1.3)
    np.testing.assert_allclose(slope, [1.0, 0.0], atol=1e-8)
    slope = jax.jit(jax.grad(lambda omega: search(0.25, omega).period))(1.3)
    np.testing.assert_allclose(slope, -2 * np.pi / 1.3**2, rtol=1e-8)


def test_recurrence_after_several_turns_is_one_turn():
    """A second oscillation hardly decays: the trajectory comes back after several turns, and is near the cycle late."""

    def ghost(x, mu):
        return jnp.concatenate([hopf(x[:2], (0.02, 1.0)), hopf(x[2:], (mu, 0.5 * (1.0 + jnp.sqrt(5.0))))])

    starts = jnp.array(
        [[0.15, -0.2, 0.3, 0.1], [-0.3, 0.1, 0.05, -0.35], [0.25, 0.3, -0.2, 0.2], [-0.1, 0.4, 0.3, 0.3]]
    )
    found = jax.jit(jax.vmap(lambda x: find_attractor(ghost, radius_squared, x, -0.001, 70)))(starts)
    assert np.all(found.kind == LIMIT_CYCLE)
    np.testing.assert_allclose(found.period, 2 * np.pi, rtol=1e-9)


def test_a_torus_is_undecided():
    """Two uncoupled oscillators with incommensurate frequencies never close."""

    def torus(x, args):
        return jnp.concatenate([hopf(x[:2], (0.3, 1.0)), hopf(x[2:], (0.3, args * jnp.sqrt(2.0)))])

    found = jax.jit(lambda s: find_attractor(torus, lambda x, _: x[:1], jnp.array([0.5, 0.0, 0.4, 0.1]), s, 8))(1.0)
    assert int(found.kind) == UNDECIDED and int(found.rounds) == 8
    assert np.isnan(found.period)


def test_what_is_undecided_has_no_derivative_of_any_order(search):
    """Without linear restoring the trajectory creeps, and its averages are of no attractor."""

    def mean(mu):
        return search(mu, 1.3).mean[0]

    for slope in (jax.grad(mean), jax.grad(jax.grad(mean))):
        assert np.isnan(jax.jit(slope)(0.0))


def test_lanes_come_back_in_order_whatever_the_chunk():
    vectorised = jax.jit(jax.vmap(lambda x, y: {"sum": x + y}))
    x, y = np.arange(37.0), np.arange(37.0) ** 2
    done = []
    for chunk in (5, 37, 64):
        result = map_lanes(vectorised, x, y, chunk=chunk, advance=done.append)
        np.testing.assert_array_equal(result["sum"], x + y)
    assert sum(done) == 3 * 37


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_an_interrupt_waits_for_no_chunk():
    """What runs is left to end; what does not is never begun."""
    begun, running, release = [], threading.Event(), threading.Event()

    def vectorised(x):
        begun.append(int(x[0]))
        if len(begun) > 1:
            running.set()
            release.wait(60.0)
        return x

    def interrupt():
        running.wait(60.0)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        # One that comes while an object is finalised is dropped by Python.
        while not release.wait(2.0):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    # However the tests were started: in the background of a shell SIGINT is ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            map_lanes(vectorised, np.arange(1000.0), chunk=1)
        assert not release.is_set()
    finally:
        release.set()
        watcher.join()
        signal.signal(signal.SIGINT, handler)
    time.sleep(0.2)
    assert 2 <= len(begun) <= 1 + os.cpu_count()


@pytest.mark.parametrize("cause", [KeyboardInterrupt, ValueError])
def test_an_interrupt_inside_a_lock_of_the_pool_is_one(monkeypatch, cause):
    def interrupted(*_):
        try:
            raise cause
        except cause:
            raise RuntimeError("release unlocked lock") from None

    monkeypatch.setattr(ThreadPoolExecutor, "map", interrupted)
    with pytest.raises(KeyboardInterrupt if cause is KeyboardInterrupt else RuntimeError):
        map_lanes(lambda x: x, np.arange(4.0), chunk=1)


def test_accelerators_get_large_chunks(monkeypatch):
    """Powers of two, so that scans of like size share one compilation."""
    assert usual_chunk(1000) == CHUNK and usual_chunk(1000, host=256) == 256
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert [usual_chunk(lanes) for lanes in (1, 1000, 10**6)] == [1, 1024, CHUNK_ACCELERATOR]
