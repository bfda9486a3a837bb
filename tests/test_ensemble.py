"""Many trajectories at once end where diffrax's do, however vmaps are nested; derivatives are diffrax's."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from jaxthermo.solve.ensemble import BLOCK, final_state
from jaxthermo.solve.lanes_last import along_lanes

LIMITS = {"rtol": 1e-9, "atol": 1e-9, "max_steps": 4096}


def decay(t, y, args):
    """Two numbers that decay at different rates, with a drive."""
    rate, matrix = args
    return {"a": -rate * y["a"] + jnp.cos(t), "b": matrix @ y["b"]}


def ends(solver, rates, t1, matrix, limits=LIMITS):
    """The ends of all lanes, from 1 at t = 0."""

    def one(rate):
        y = {"a": jnp.asarray(1.0), "b": jnp.asarray([1.0, 0.0])}
        return final_state(decay, y, (rate, matrix), jnp.asarray(0.0), jnp.asarray(t1), solver=solver, **limits)

    return jax.jit(jax.vmap(one))(rates)


def exact(rate, t):
    """a(t) of da/dt = -rate a + cos t, a(0) = 1."""
    start = 1.0 - rate / (1.0 + rate**2)
    return start * np.exp(-rate * t) + (rate * np.cos(t) + np.sin(t)) / (1.0 + rate**2)


def test_lanes_end_at_the_exact_solution():
    """More lanes than a block, in number no multiple of it; the turn by the matrix is shared by all."""
    rates = jnp.linspace(0.1, 4.0, BLOCK + 3)
    end, status, steps = ends(None, rates, 3.0, jnp.asarray([[0.0, -1.0], [1.0, 0.0]]))
    assert np.all(np.asarray(status) == jt.Status.ok)
    np.testing.assert_allclose(end["a"], exact(np.asarray(rates), 3.0), atol=2e-8)
    np.testing.assert_allclose(end["b"], np.tile([np.cos(3.0), np.sin(3.0)], (len(rates), 1)), atol=2e-8)
    assert np.ptp(np.asarray(steps)) > 0


def test_vmaps_in_vmaps_are_more_lanes():
    """Over what the inner vmap shares, and over all."""
    rates, times = jnp.asarray([0.3, 1.0, 2.0]), jnp.asarray([1.0, 2.0])

    def one(rate, t1):
        matrix = jnp.asarray([[0.0, -1.0], [1.0, 0.0]])
        y = {"a": jnp.asarray(1.0), "b": jnp.asarray([1.0, 0.0])}
        return final_state(decay, y, (rate, matrix), jnp.asarray(0.0), t1, solver=diffrax.Tsit5(), **LIMITS)[0]

    inner = jax.vmap(one, in_axes=(0, None))
    found = jax.jit(jax.vmap(inner, in_axes=(None, 0)))(rates, times)
    expected = exact(np.asarray(rates)[None], np.asarray(times)[:, None])
    np.testing.assert_allclose(found["a"], expected, atol=2e-8)
    both = jax.jit(jax.vmap(inner, in_axes=(0, 0)))(jnp.stack([rates, 2.0 * rates]), times)
    np.testing.assert_allclose(both["a"], exact(np.stack([rates, 2.0 * rates]), np.asarray(times)[:, None]), atol=2e-8)


def test_a_lane_that_does_not_arrive_is_nan_and_says_why():
    """One is out of steps, one meets a field that is no number; the others are as before."""
    turn = jnp.asarray([[0.0, -1.0], [1.0, 0.0]])
    end, status, steps = ends(None, jnp.asarray([1.0, 1e4, jnp.nan]), 3.0, turn, LIMITS | {"max_steps": 100})
    np.testing.assert_array_equal(
        status, [int(jt.Status.ok), int(jt.Status.max_steps_reached), int(jt.Status.solver_failed)]
    )
    np.testing.assert_array_equal(np.isnan(end["a"]), [False, True, True])
    assert steps[1] == 100
    np.testing.assert_allclose(end["a"][0], exact(1.0, 3.0), atol=2e-8)


def test_lanes_last_are_what_vmap_has():
    """Numbers and arrays, with lanes and shared, moved, summed, stacked, chosen and multiplied; kept and not."""
    turn = jnp.asarray([[0.0, -1.0, 0.5], [1.0, 0.0, 0.2], [0.3, 0.1, -0.4]])

    def function(number, y, shared):
        rising = jnp.exp(-number * jnp.roll(y, 1) + shared)
        chosen = jnp.where(number > 0.5, rising, y[jnp.asarray([2, 0, 0])])
        pair = jnp.concatenate([jnp.reshape(number, 1), jnp.sum(rising, keepdims=True), shared[:1]])
        return {"a": jnp.roll(rising, -1) - rising, "b": turn @ chosen + jnp.log(pair), "c": shared, "d": 2.0 * number}

    number, shared = jnp.linspace(0.2, 1.0, 5), jnp.asarray([0.3, -0.2, 0.1])
    y = jnp.linspace(0.1, 2.0, 15).reshape(3, 5)

    def both(going):
        for axes in ((0, -1, None), (None, -1, None), (0, None, None)):
            args = (number if axes[0] == 0 else number[0], y if axes[1] == -1 else y[:, 0], jnp.exp(shared))
            many = [axis is not None for axis in axes]
            expected = jax.vmap(function, in_axes=axes, out_axes=-1)(*args)
            yield from ((along_lanes(function, args, many, one), expected) for one in (going, None))

    for found, expected in jax.jit(lambda going: list(both(going)))(jnp.asarray(True)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), found, expected)


# ---- rings ----------------------------------------------------------------------------------------------------------


def test_rings_of_many_lanes_agree_with_diffrax():
    """Against solves with a third time, which diffrax does; from a start with empty states too."""
    betas, forces = jnp.linspace(0.5, 6.0, 5), jnp.linspace(-1.0, 2.0, 5)
    start = jnp.asarray([1.0, 0.0, 0.0])

    def ring_at(times):
        def one(beta, force):
            return jt.potts.evolve(jt.PottsRing(3, -1.0, force, 0.1), beta, start, jnp.asarray(times))

        return jax.jit(jax.vmap(one))(betas, forces)

    many, reference = ring_at([0.0, 10.0]), ring_at([0.0, 5.0, 10.0])
    assert np.all(np.asarray(many.status) == jt.Status.ok)
    for name in ("occupation", "work", "heats", "entropy_produced", "energy", "entropy_production_rate"):
        np.testing.assert_allclose(
            getattr(many, name)[:, -1], getattr(reference, name)[:, -1], rtol=1e-9, atol=1e-10, err_msg=name
        )
    np.testing.assert_array_equal(many.time[:, -1], 10.0)
    np.testing.assert_array_equal(many.work[:, 0], 0.0)


def test_derivatives_through_many_rings_are_those_of_their_values():
    """Of a sum over a vmap, whose values come from the loops of many lanes, in reverse mode."""
    betas, step = jnp.asarray([1.0, 4.0]), 1e-4

    def work(beta):
        ring = jt.PottsRing(3, -1.0, 1.0, 0.1)
        ts = jnp.asarray([0.0, 10.0])
        return jt.potts.evolve(ring, beta, None, ts, solver=diffrax.Tsit5(), rtol=1e-10, atol=1e-10).work[-1]

    slopes = jax.jit(jax.grad(lambda betas: jnp.sum(jax.vmap(work)(betas))))(betas)
    values = jax.jit(jax.vmap(work))(jnp.concatenate([betas - step, betas + step]))
    np.testing.assert_allclose((values[2:] - values[:2]) / (2 * step), slopes, rtol=1e-5)
