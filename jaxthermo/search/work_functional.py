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
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo._types import Real, ScheduleLike
from jaxthermo.brownian.grid import complex_multiply, cosine_and_sine
from jaxthermo.brownian.hierarchy import Equation, HierarchyState
from jaxthermo.brownian.observables import low_members, moments
from jaxthermo.brownian.steps.spectrum import Noise, Spectrum, from_spectrum
from jaxthermo.brownian.steps.split import (
    flows_of,
    heating_flow,
    heating_table,
    local_flow,
    local_tables,
    momenta_flow,
    momenta_tables,
    transport_flow,
)
from jaxthermo.brownian.steps.stepper import DrivenTerm
from jaxthermo.protocols.polynomial import PolynomialSchedule
from jaxthermo.protocols.schedules import value_at

# Bounds of the number of steps are this times a power of 2; single searches begin with the other.
SMALLEST_BOUND, LEAST_BOUND = 16, 64
# A state that reaches the rim of the grid at this share of its peak is not to be trusted.
EDGE = 1e-5

# What is measured of a state at a given beta.
Measure = Callable[[Spectrum, Any], Float[Array, " observables"]]


class Propagation(eqx.Module):
    """Running integrals of a passage by steps and by twice as many, and what is seen at both ends.

    `totals` rows: coarse, fine; columns: int X dx, int U dbeta, int X d(beta x). `first`, `last`: what was measured at
    the start and, by coarse and by fine steps, at the end. `edge`: the most that W_0 had on the rim of the grid, over
    the largest in it, in the middle of any step; no derivative passes through it.
    """

    totals: Float[Array, "2 3"]
    first: Float[Array, " observables"]
    last: Float[Array, "2 observables"]
    edge: Float[Array, ""]


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


def propagate(
    term: DrivenTerm,
    noise: Noise | None,
    begin: Spectrum,
    duration: Float[Array, ""],
    steps: Int[Array, ""],
    most: int,
    measure: Measure,
) -> Propagation:
    """`steps` second-order split steps from `begin`, and again twice as many; at most `most` and twice as many.

    The reverse pass keeps the state at each step and repeats what is between. For a number of steps that is the same
    for all lanes of a vmap, steps beyond it cost next to nothing.
    """
    equation = term.equation
    plan = _plan(steps, most)
    betas, fields = _values(term.beta, plan.fractions), _values(term.x, plan.fractions)
    lengths = duration / steps.astype(plan.fractions.dtype) * jnp.asarray([1.0, 0.5])
    friction = equation.oscillator.bath.friction()
    tables = None if noise is None else jax.vmap(lambda h: momenta_tables(equation, noise, h, friction))(lengths)

    first = measure(begin, betas[0, 0])

    def advance(spectrum: Spectrum, at: PyTree) -> tuple[Spectrum, tuple[Array, Array]]:
        betas, fields, fine, restarts, beta = at
        now = measure(spectrum, beta)
        spectrum = jnp.where(restarts, begin, spectrum)
        free = jax.tree.map(lambda leaf: leaf[fine], tables)
        spectrum, edge = _step(equation, noise, free, spectrum, lengths[fine], betas, fields)
        return spectrum, (now, edge)

    def rest(spectrum: Spectrum, at: PyTree) -> tuple[Spectrum, tuple[Array, Array]]:
        return spectrum, (jnp.zeros_like(first), jnp.zeros(()))

    @jax.checkpoint
    def step_if_due(spectrum: Spectrum, at: PyTree) -> tuple[Spectrum, tuple[Array, Array]]:
        return jax.lax.cond(at[0], advance, rest, spectrum, at[1])

    # The state that comes in is that of the step before, also where the passage starts again.
    reached = jnp.concatenate([betas[:1, 0], betas[:-1, 4]])
    each = (betas, fields, plan.fine, plan.restarts, reached)
    end, (seen, edges) = jax.lax.scan(step_if_due, begin, (plan.counts, each))
    # What is seen before step i, and after the last one.
    seen = jnp.append(seen, first[None], axis=0).at[3 * steps].set(measure(end, betas[-1, 4]))
    before = jnp.where(plan.restarts[:, None], first[None], seen[:-1])
    totals = _totals(plan, before[:, :2], seen[1:, :2], betas, fields)
    return Propagation(totals, first, seen[jnp.stack([steps, 3 * steps])], jnp.max(edges))


def _values(schedule: ScheduleLike, fractions: Float[Array, "steps 5"]) -> Float[Array, "steps 5"]:
    if isinstance(schedule, PolynomialSchedule):
        return schedule.along(fractions)
    return jnp.broadcast_to(value_at(schedule, 0.0), fractions.shape)


def measure_of(equation: Equation, noise: Noise | None, impulses: bool = False) -> Measure:
    """U and X of a state at this beta; with `impulses` also what one of the field does, see `kick_energy`.

    They are linear in the state and, but for a `DrudeBath`, the same at every beta: rows to multiply it with.
    """
    kept = low_members(equation.oscillator)

    def measured(low: Spectrum, beta: Real) -> Array:
        V = from_spectrum(low, equation)
        now = moments(V, equation, 1.0 / beta)
        return jnp.stack([now.U, now.X, *(_push(V, equation, 1.0 / beta) if impulses else ())])

    if noise is None:
        return lambda spectrum, beta: measured(spectrum[:, kept], beta)
    shape = (equation.grid.p_points, len(kept), equation.grid.q_points)
    rows = jax.jacrev(lambda low: measured(low, 1.0))(jnp.zeros(shape))
    return lambda spectrum, beta: jnp.tensordot(rows, spectrum[:, kept], axes=3)


def _push(low: Float[Array, "p low q"], equation: Equation, temperature: Real) -> tuple[Array, Array]:
    """<X' (p + zeta)>/m and <X'^2>/m, X' = dX/dq."""
    oscillator, grid = equation.oscillator, equation.grid
    jitter = oscillator.bath.terms(0.0, jnp.asarray(temperature), oscillator.hbar).jitter
    slope = jax.vmap(jax.grad(lambda q: jnp.asarray(oscillator.coordinate(q))))(grid.q)
    along = jnp.sum(grid.p[:, None] * low[:, 0], axis=0)
    along = along + jitter @ jnp.sum(low[:, 1 : 1 + oscillator.bath.modes], axis=0)
    density = jnp.sum(low[:, 0], axis=0)
    scale = grid.cell / oscillator.mass
    return scale * jnp.sum(slope * along), scale * jnp.sum(slope**2 * density)


def kick_energy(seen: Float[Array, "*times observables"], kick: Float[Array, ""]) -> Float[Array, "*times"]:
    """Kinetic energy that an impulse of the field brings, which takes p to p + kick X'(q)."""
    return kick * seen[..., 2] + 0.5 * kick**2 * seen[..., 3]


def with_kick(spectrum: Spectrum, equation: Equation, kick: Float[Array, ""]) -> Spectrum:
    """The state after an impulse of the field, p -> p + kick X'(q).

    Within the impulse only the force counts, so it is exact: a phase in the conjugate of p.
    """
    side = equation.grid.p_side
    cosine, sine = cosine_and_sine(-kick * equation.phase_x)
    re, im = complex_multiply(spectrum[1 : side + 1], spectrum[side + 1 :], cosine[:, None, :], sine[:, None, :])
    return jnp.concatenate([spectrum[:1], re, im])


def _plan(steps: Int[Array, ""], most: int) -> _Plan:
    index = jnp.arange(3 * most, dtype=jnp.int32)
    fine = (index >= steps).astype(jnp.int32)
    width = jnp.where(fine == 1, 0.5, 1.0) / steps.astype(float)
    begin = (index - fine * steps).astype(width.dtype) * width
    quarters = jnp.arange(5, dtype=width.dtype) / 4.0
    # Schedules need not make sense beyond their end, where steps are skipped.
    fractions = jnp.minimum(begin[:, None] + width[:, None] * quarters[None], 1.0)
    return _Plan(fractions, fine, index == steps, index < 3 * steps)


def _step(
    equation: Equation,
    noise: Noise | None,
    free: PyTree,
    spectrum: Spectrum,
    h: Real,
    betas: Float[Array, "5"],
    fields: Float[Array, "5"],
) -> tuple[Spectrum, Float[Array, ""]]:
    """One symmetric step: what `jaxthermo.brownian.steps.stepper.strang` does to the state, with given schedule values.

    Beside it how much of W_0 is on the rim half way.
    """
    half, T = 0.5 * h, 1.0 / betas
    heating = jnp.log(betas[:4:2] / betas[2::2]) / half
    both = jax.vmap(lambda *at: local_tables(equation, half, *at))(T[1::2], fields[1::2], heating)
    first, last = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))
    warmed = _heated(spectrum, equation, noise, T[0], T[2])
    still = local_flow(warmed, equation, first)
    V = from_spectrum(still, equation)
    moved = transport_flow(still, equation, None, h, T[2]) if noise is None else momenta_flow(V, equation, noise, free)
    return _heated(local_flow(moved, equation, last), equation, noise, T[2], T[4]), rim(V)


def rim(V: HierarchyState) -> Float[Array, ""]:
    """The largest |W_0| on the rim of the grid over the largest in it, without a derivative."""
    W = jnp.abs(jax.lax.stop_gradient(V[:, 0]))
    return jnp.max(jnp.stack([jnp.max(W[:: W.shape[0] - 1]), jnp.max(W[:, :: W.shape[1] - 1])])) / jnp.max(W)


def _heated(spectrum: Spectrum, equation: Equation, noise: Noise | None, old: PyTree, new: PyTree) -> Spectrum:
    if not flows_of(equation).is_heated(equation):
        return spectrum
    return heating_flow(spectrum, equation, noise, heating_table(equation, noise, old, new), old == new)


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
    which = plan.counts[None] & (plan.fine[None] == jnp.arange(2, dtype=jnp.int32)[:, None])
    return which.astype(parts.dtype) @ parts.T


def extrapolated(pair: Float[Array, "2"]) -> Float[Array, ""]:
    """The value at step 0 from those of n and of 2n second-order steps."""
    return (4.0 * pair[1] - pair[0]) / 3.0
