"""Bare split steps of fixed number between given times, as one loop.

The same steps as `SplitStep(extrapolate=False)` in diffrax, for calculations that repeat and differentiate a whole
period: the loop compiles in a fraction of the time, in both modes of differentiation.
"""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo.brownian.drive import Course, Protocol
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import Field, workspace
from jaxthermo.brownian.observables import observe
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.spectrum import from_spectrum, to_spectrum
from jaxthermo.brownian.split import noise_of
from jaxthermo.brownian.stepper import Driven, DrivenTerm, start, strang
from jaxthermo.protocols.schedule import value_at
from jaxthermo.solve.integrate import FAILED, OK


def march(
    oscillator: Oscillator,
    protocol: Protocol,
    V: Field,
    ts: Float[Array, " times"],
    grid: PhaseGrid,
    steps: int | Int[Array, ""],
    keep_states: bool = False,
    most: int | None = None,
    measured: bool | Bool[Array, ""] = True,
) -> Course:
    """`course` by `steps` second-order split steps from each time to the next.

    An array of `steps` serves every number with one compilation. The reverse pass, which keeps the state at every time
    and repeats the steps between, must know a bound for it, `most`. Nothing is measured, and the course holds zeros,
    where `measured` is False.
    """
    work = workspace(oscillator, grid)
    term = DrivenTerm(work, protocol.beta, protocol.x)
    noise = noise_of(work)

    # Inside a loop no other computation of the same values could be merged with the repeated one.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def advance(y: Driven, piece: tuple[Array, Array, Array]) -> tuple[Driven, Any]:
        t0, t1, count = piece
        h = (t1 - t0) / jnp.asarray(steps, t0.dtype)

        @functools.partial(jax.checkpoint, prevent_cse=False)
        def step(i: Array, y: Driven) -> Driven:
            begin = t0 + i.astype(h.dtype) * h
            return strang(term, noise, y, begin, begin + h)

        def step_if_due(i: Array, y: Driven) -> Driven:
            return jax.lax.cond(i < count, step, lambda i, y: y, i, y)

        y = jax.lax.fori_loop(0, count, step, y) if most is None else jax.lax.fori_loop(0, most, step_if_due, y)
        if measured is True:
            return y, measure(y, t1)
        return y, jax.lax.cond(measured, measure, nothing, y, t1)

    def measure(y: Driven, t: Any) -> Any:
        V = from_spectrum(y.V, work)
        return observe(V, work, 1.0 / value_at(protocol.beta, t), t), y.totals, V if keep_states else None

    def nothing(y: Driven, t: Any) -> Any:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(measure, y, t))

    # A piece without steps comes first, so that the first time is measured by the same piece of program.
    counts = jnp.full(ts.shape, jnp.asarray(steps, jnp.int32)).at[0].set(0)
    pieces = (jnp.concatenate([ts[:1], ts[:-1]]), ts, counts)
    end, (observed, totals, history) = jax.lax.scan(advance, start(to_spectrum(V, work)), pieces)
    finite = jnp.all(jnp.isfinite(end.V))
    return Course(
        measured=observed,
        beta=jax.vmap(lambda t: value_at(protocol.beta, t))(ts),
        x=jax.vmap(lambda t: value_at(protocol.x, t))(ts),
        totals=totals,
        V=from_spectrum(end.V, work),
        history=history,
        status=jnp.where(finite, OK, FAILED).astype(jnp.int32),
        steps=jnp.asarray(steps, jnp.int32) * (ts.shape[0] - 1),
    )


def extrapolated(coarse: Course, fine: Course) -> Course:
    """Everything measured at step 0, from one number of second-order steps and from twice that number."""

    def to_zero(a: Array, b: Array) -> Array:
        return (4.0 * b - a) / 3.0 if eqx.is_inexact_array(b) else a + b

    both = jax.tree.map(to_zero, _without_state(coarse), _without_state(fine))
    # The state stays one that a run has been in, and so does what watches over it.
    status = jnp.maximum(coarse.status, fine.status)
    last = (fine.V, fine.measured.edge, fine.measured.tail, fine.measured.min_wigner, fine.history, status)
    return eqx.tree_at(_from_one_run, both, last, is_leaf=lambda leaf: leaf is None)


def _without_state(course: Course) -> Course:
    return eqx.tree_at(lambda c: (c.V, c.history), course, (None, None), is_leaf=lambda leaf: leaf is None)


def _from_one_run(course: Course) -> Any:
    measured = course.measured
    return course.V, measured.edge, measured.tail, measured.min_wigner, course.history, course.status
