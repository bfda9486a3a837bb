"""Kramers equations that count work on the way: densities weighted by powers and exponentials of the work so far."""

import functools
from math import comb
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo.brownian.hierarchy import HierarchyState, equation_on
from jaxthermo.brownian.observables import rim_share
from jaxthermo.brownian.steps.propagation import Drive, loop_for
from jaxthermo.brownian.steps.spectrum import from_spectrum, to_spectrum
from jaxthermo.brownian.steps.split import noise_of
from jaxthermo.brownian.steps.stepper import Driven, DrivenTerm, strang, totals_of
from jaxthermo.protocols.schedules import value_at
from jaxthermo.solve.either_mode import by_mode

# Moments of the work up to this order.
ORDERS = 3
# Each of three runs has twice as many steps as the one before.
REFINEMENTS = np.array([1, 2, 4])


class Counting(eqx.Module):
    """What is counted: a drive gone through `turns` times in a row from the members V, and the counting fields."""

    drive: Drive
    V: HierarchyState
    fields: Float[Array, " fields"]
    turns: int = eqx.field(static=True)


class Counted(eqx.Module):
    """Since the first time: the mean work, central moments of order 1, 2, 3, and ln <exp(-kappa (w - <w>))>.

    `rim` is the largest density on the rim of the grid over the largest in it, of the moments and of each field.
    """

    mean: Float[Array, " times"]
    moments: Float[Array, "times orders"]
    generating: Float[Array, "times fields"]
    rim: Float[Array, " times"]


def count_work(counting: Counting, steps: Int[Array, ""]) -> tuple[Counted, Counted]:
    """What is counted, extrapolated to step 0 from `steps`, twice and four times as many, and the errors of that."""
    runs = jax.lax.map(lambda count: _counted(counting, count), steps * jnp.asarray(REFINEMENTS, steps.dtype))
    # Symmetric steps: errors in h^2, h^4, ...
    coarse, fine = (jax.tree.map(lambda f, i=i: (4.0 * f[i + 1] - f[i]) / 3.0, runs) for i in (0, 1))
    best = jax.tree.map(lambda a, b: (16.0 * b - a) / 15.0, coarse, fine)
    error = jax.tree.map(lambda a, b: jnp.abs(a - b), best, fine)
    return eqx.tree_at(lambda one: one.rim, best, runs.rim[-1]), error


def _counted(counting: Counting, steps: Int[Array, ""]) -> Counted:
    """Derivatives in either mode, the times and the steps held constant."""

    return by_mode(lambda args, reverse: _by_steps(args[0], args[1], reverse), (counting, steps))


def _by_steps(counting: Counting, steps: Int[Array, ""], reverse: bool) -> Counted:
    """Symmetric steps: half of the step of x with the state at rest, the motion, and the other half.

    The work of a step of x is -(X - <X>) dx beyond its mean. A density weighted by its powers or exponential stays one
    that moves by the same equation.
    """
    drive, fields = counting.drive, counting.fields
    equation, ts, protocol = equation_on(drive.oscillator), drive.times, drive.protocol
    term, noise = DrivenTerm(equation, protocol.beta, protocol.x), noise_of(equation)
    X, none = drive.oscillator.coordinate(equation.grid.q), jnp.zeros(totals_of(equation))

    def density(copies: Array) -> Float[Array, "copies q"]:
        return copies[:, 0, 0]

    def weighted(copies: Array, dx: Array) -> tuple[Array, Array]:
        """Every copy after a step of x, and the mean work that this takes."""
        first = density(copies)[0]
        mean = jnp.vdot(first, X) / jnp.sum(first)
        work = (mean - X) * dx
        powers = [work**k for k in range(ORDERS + 1)]
        nothing = jnp.zeros_like(work)
        rows = [
            [comb(j, i) * powers[j - i] if i <= j else nothing for i in range(ORDERS + 1)] for j in range(ORDERS + 1)
        ]
        table = jnp.stack([jnp.stack(row) for row in rows])
        moments = jnp.sum(table[:, :, None, None] * copies[None, : ORDERS + 1], axis=1)
        exponentials = jnp.exp(-fields[:, None] * work[None])[:, None, None] * copies[ORDERS + 1 :]
        return jnp.concatenate([moments, exponentials]), -mean * dx

    def moved(copies: Array, t0: Array, t1: Array) -> Array:
        return jax.vmap(lambda V: strang(term, noise, Driven(V, none), t0, t1).V)(copies)

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def advance(state: tuple[Array, Array], piece: tuple[Array, Array, Array]) -> tuple[Any, Any]:
        t0, t1, count = piece
        h = (t1 - t0) / steps.astype(t0.dtype)

        def step(carry: tuple[Array, tuple[Array, Array]]) -> tuple[Array, tuple[Array, Array]]:
            i, (copies, mean) = carry
            times = t0 + (i.astype(h.dtype) + jnp.asarray([0.0, 0.5, 1.0])) * h
            early, late = jnp.diff(jax.vmap(lambda t: value_at(protocol.x, t))(times))
            copies, before = weighted(copies, early)
            copies, after = weighted(moved(copies, times[0], times[2]), late)
            return i + 1, (copies, mean + before + after)

        def due(carry: tuple[Array, Any]) -> Array:
            return carry[0] < count

        _, state = loop_for(due, step, (jnp.zeros((), jnp.int32), state), reverse)
        return state, measured(*state)

    def measured(copies: Array, mean: Array) -> tuple[Array, ...]:
        sums = jnp.sum(density(copies), axis=1)
        shares = sums / sums[0]
        on_grid = jax.vmap(lambda V: rim_share(from_spectrum(V[:, :1], equation)[:, 0]))(copies)
        return mean, shares[1 : ORDERS + 1], jnp.log(shares[ORDERS + 1 :]), jnp.max(on_grid)

    V = to_spectrum(counting.V, equation)
    begin = jnp.concatenate(
        [V[None], jnp.zeros((ORDERS, *V.shape)), jnp.broadcast_to(V, (len(fields), *V.shape))], axis=0
    )
    # A piece without steps comes first, so that the first time is measured by the same piece of program.
    counts = jnp.full(ts.shape, steps).at[0].set(0)
    starts = jnp.concatenate([ts[:1], ts[:-1]])
    pieces = [jnp.concatenate([part, jnp.tile(part[1:], counting.turns - 1)]) for part in (starts, ts, counts)]
    return Counted(*jax.lax.scan(advance, (begin, jnp.zeros(())), tuple(pieces))[1])
