"""What a short protocol costs a given state: the work functional of the searches, differentiable in both modes.

A search compiles its steps once: the schedules are evaluated for all steps at once outside the loop, the tables of free
motion do not depend on the protocol, and one loop takes the coarse steps and then the fine ones. How many there are is
traced; only a bound of it is static, and steps beyond the number asked for are skipped.
"""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo.brownian.hierarchy import Workspace
from jaxthermo.brownian.observables import Moments, low_members, moments
from jaxthermo.brownian.spectrum import Noise, Spectrum, from_spectrum
from jaxthermo.brownian.split import (
    heating_flow,
    heating_table,
    heats,
    local_flow,
    local_tables,
    momenta_flow,
    momenta_tables,
    transport_flow,
)
from jaxthermo.brownian.stepper import DrivenTerm
from jaxthermo.protocols.polynomial import PolynomialSchedule
from jaxthermo.protocols.schedule import value_at

# Bounds of the number of steps are this times a power of 2; single searches begin with the other.
SMALLEST_BOUND, LEAST_BOUND = 16, 64


class Passage(eqx.Module):
    """Running integrals of a passage by steps and by twice as many, and what is left at its end.

    `totals` rows: coarse, fine; columns: int X dx, int U dbeta, int X d(beta x). `U`, `X`: at the end, coarse and fine.
    `spectrum`: the state at the end of the fine steps.
    """

    totals: Float[Array, "2 3"]
    U: Float[Array, "2"]
    X: Float[Array, "2"]
    spectrum: Spectrum


class _Plan(eqx.Module):
    """Each step of the loop, coarse ones first: the fractions of the whole at which it begins, is through by quarters,
    and ends; whether it is a fine one, the first of those, and to be taken at all."""

    fractions: Float[Array, "steps 5"]
    fine: Int[Array, " steps"]
    restarts: Bool[Array, " steps"]
    counts: Bool[Array, " steps"]


def bound_of(steps: int) -> int:
    """The static bound that goes with a number of steps: programs are compiled for few of them."""
    return SMALLEST_BOUND * 2 ** max(0, math.ceil(math.log2(steps / SMALLEST_BOUND)))


def passage(
    term: DrivenTerm, noise: Noise | None, begin: Spectrum, duration: Any, steps: Int[Array, ""], most: int
) -> Passage:
    """`steps` second-order split steps from `begin`, and again twice as many; at most `most` and twice as many.

    The reverse pass keeps the state at each step and repeats what is between. For a number of steps that is the same
    for all lanes of a vmap, steps beyond it cost next to nothing.
    """
    work = term.work
    plan = _plan(steps, most)
    betas, fields = _values(term.beta, plan.fractions), _values(term.x, plan.fractions)
    lengths = jnp.stack([duration / steps, 0.5 * duration / steps])
    tables = None if noise is None else jax.vmap(lambda h: momenta_tables(work, noise, h))(lengths)
    measure = _measure(work, noise)

    def advance(spectrum: Spectrum, at: Any) -> tuple[Spectrum, Array]:
        betas, fields, fine, restarts, beta = at
        now = measure(spectrum, beta)
        spectrum = jnp.where(restarts, begin, spectrum)
        free = jax.tree.map(lambda leaf: leaf[fine], tables)
        return _step(work, noise, free, spectrum, lengths[fine], betas, fields), now

    def rest(spectrum: Spectrum, at: Any) -> tuple[Spectrum, Array]:
        return spectrum, jnp.zeros(2)

    @jax.checkpoint
    def step_if_due(spectrum: Spectrum, at: Any) -> tuple[Spectrum, Array]:
        return jax.lax.cond(at[0], advance, rest, spectrum, at[1])

    # The state that comes in is that of the step before, also where the passage starts again.
    reached = jnp.concatenate([betas[:1, 0], betas[:-1, 4]])
    each = (betas, fields, plan.fine, plan.restarts, reached)
    end, seen = jax.lax.scan(step_if_due, begin, (plan.counts, each))
    # What is seen before step i, and after the last one.
    seen = jnp.concatenate([seen, jnp.zeros((1, 2))]).at[3 * steps].set(measure(end, betas[-1, 4]))
    before = jnp.where(plan.restarts[:, None], seen[0], seen[:-1])
    return Passage(_totals(plan, before, seen[1:], betas, fields), *seen[jnp.stack([steps, 3 * steps])].T, end)


def _values(schedule: Any, fractions: Float[Array, "steps 5"]) -> Float[Array, "steps 5"]:
    if isinstance(schedule, PolynomialSchedule):
        return schedule.along(fractions)
    return jnp.broadcast_to(value_at(schedule, 0.0), fractions.shape)


def _measure(work: Workspace, noise: Noise | None) -> Callable[[Spectrum, Any], Float[Array, "2"]]:
    """U and X of a state at this beta. They are linear in it, and but for a `DrudeBath` the same at every beta."""
    kept = low_members(work.oscillator)

    def measured(low: Spectrum, beta: Any) -> Array:
        now = moments(from_spectrum(low, work), work, 1.0 / beta)
        return jnp.stack([now.U, now.X])

    if noise is None:
        return lambda spectrum, beta: measured(spectrum[:, kept], beta)
    shape = (work.grid.p_points, len(kept), work.grid.q_points)
    rows = jax.jacrev(lambda low: measured(low, 1.0))(jnp.zeros(shape))
    return lambda spectrum, beta: jnp.tensordot(rows, spectrum[:, kept], axes=3)


def _plan(steps: Int[Array, ""], most: int) -> _Plan:
    index = jnp.arange(3 * most, dtype=jnp.int32)
    fine = (index >= steps).astype(jnp.int32)
    width = jnp.where(fine == 1, 0.5, 1.0) / steps
    begin = (index - fine * steps).astype(width.dtype) * width
    quarters = jnp.arange(5, dtype=width.dtype) / 4.0
    # Schedules need not make sense beyond their end, where steps are skipped.
    fractions = jnp.minimum(begin[:, None] + width[:, None] * quarters, 1.0)
    return _Plan(fractions, fine, index == steps, index < 3 * steps)


def _step(
    work: Workspace,
    noise: Noise | None,
    free: Any,
    spectrum: Spectrum,
    h: Any,
    betas: Float[Array, "5"],
    fields: Float[Array, "5"],
) -> Spectrum:
    """One symmetric step: what `jaxthermo.brownian.stepper.strang` does to the state, with given schedule values."""
    half, T = 0.5 * h, 1.0 / betas
    heating = jnp.log(betas[:4:2] / betas[2::2]) / half
    both = jax.vmap(lambda *at: local_tables(work, half, *at))(T[1::2], fields[1::2], heating)
    first, last = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))
    warmed = _heated(spectrum, work, noise, T[0], T[2])
    still = local_flow(warmed, work, first)
    if noise is None:
        moved = transport_flow(still, work, None, h, T[2])
    else:
        moved = momenta_flow(from_spectrum(still, work), work, noise, free)
    return _heated(local_flow(moved, work, last), work, noise, T[2], T[4])


def _heated(spectrum: Spectrum, work: Workspace, noise: Noise | None, old: Any, new: Any) -> Spectrum:
    if not heats(work, noise):
        return spectrum
    return heating_flow(spectrum, work, noise, heating_table(work, noise, old, new), old == new)


def _totals(
    plan: _Plan,
    before: Float[Array, "steps 2"],
    after: Float[Array, "steps 2"],
    betas: Float[Array, "steps 5"],
    fields: Float[Array, "steps 5"],
) -> Float[Array, "2 3"]:
    """The schedules move in each half of a step while the state rests: before it, and after it."""
    held = betas * fields

    def moved(values: Array) -> Array:
        return jnp.stack([values[:, 2] - values[:, 0], values[:, 4] - values[:, 2]])

    U, X = jnp.stack([before, after]).transpose(2, 0, 1)
    parts = jnp.stack([X * moved(fields), U * moved(betas), X * moved(held)]).sum(axis=1)
    which = plan.counts & (plan.fine == jnp.arange(2, dtype=jnp.int32)[:, None])
    return which.astype(parts.dtype) @ parts.T


def moments_of(spectrum: Spectrum, work: Workspace, temperature: Any) -> Moments:
    """U, X and the other low moments of a state given by its Fourier coefficients in y."""
    return moments(from_spectrum(spectrum[:, low_members(work.oscillator)], work), work, temperature)


def extrapolated(pair: Float[Array, "2"]) -> Float[Array, ""]:
    """The value at step 0 from those of n and of 2n second-order steps."""
    return (4.0 * pair[1] - pair[0]) / 3.0
