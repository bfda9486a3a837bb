"""An approximate inverse of a master equation: aggregation of states into cells, and of cells again, in a W-cycle.

Cells are joined with the weights of a reference distribution, so the coarse equation is a master equation too, and
exact if the reference is the stationary state (Takahashi's aggregation, applied level by level: Horton & Leutenegger
1994). It is meant as a preconditioner: where a flow goes round, as on a limit cycle, cells overstate its diffusion.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from jaxthermo._types import Real
from jaxthermo.jumps.finite.generator import Hops
from jaxthermo.jumps.finite.space import Space, parities

# Damped Jacobi steps before and after each visit to the cells, and the visits.
SWEEPS, DAMPING, VISITS = 2, 0.7, 2
# The smallest share of the largest weight. Cells of states that are hardly ever visited pass on rounding errors.
FLOOR = 1e-30
# Added to the rate at which states are left. Nothing returns, so the inverse exists, and hops between wells, which
# may be exponentially rare, are not resolved to where rounding errors would fill them.
REGULAR = 1e-5


class Stencil(eqx.Module):
    """(A x)(n) = diagonal(n) x(n) + sum_k entries_k(n) x(neighbour k of n), and A of the cells below."""

    space: Space
    diagonal: Inexact[Array, " states"]
    entries: Float[Array, "moves states"]
    weight: Float[Array, " states"]
    coarse: "Stencil | None"
    inverse: Inexact[Array, "states states"] | None

    def apply(self, x: Array) -> Array:
        """A x."""
        neighbours = self.space.neighbours
        return self.diagonal * x + sum(
            entry * x[near] for entry, near in zip(self.entries, neighbours[: len(self.entries)], strict=True)
        )


def stencil(
    hops: Hops,
    space: Space,
    weight: Float[Array, " states"],
    tilt: Real = 1.0,
    shift: Real = 0.0,
    outflow: Float[Array, " states"] | None = None,
) -> Stencil:
    """The master equation of `hops`, forward hops counted `tilt` times, less `shift` times the identity; regularised.

    Shapes     weight: (states,), the reference distribution; tilt: a scalar, (E, 1) or (E, states); shift: a scalar,
               may be complex; outflow: (states,), the rate at which states are left; None: that of the hops
    """
    # Into a state come the backward hops of its targets and the forward hops of its sources.
    into = [flow[origin] for flow, origin in zip(tilt * hops.forward, hops.links.source, strict=True)]
    entries = jnp.concatenate([hops.backward / tilt, jnp.stack(into)])
    weight = jnp.maximum(weight, FLOOR * jnp.max(weight))
    outflow = hops.outflow() if outflow is None else outflow
    return _level(space, -(1.0 + REGULAR) * outflow - shift, entries, weight)


def _level(space: Space, diagonal: Array, entries: Array, weight: Array) -> Stencil:
    if space.coarse is None:
        return Stencil(space, diagonal, entries, weight, None, _inverse(space, diagonal, entries))
    assert space.parent is not None and space.children is not None
    total = _gathered(space, weight)
    share = weight / total[space.parent]
    cells, names = space.coarse.size, space.moves
    lines = {move: number for number, move in reversed(list(enumerate(names)))}
    flat = jnp.zeros((len(names) + 1) * cells, entries.dtype)
    for entry, near, move in zip(entries, space.neighbours[: len(entries)], names[: len(entries)], strict=True):
        gains, loses = (space.counts[state] % 2 for state in move)
        line = jnp.zeros(space.size, jnp.int32)
        for (odd_gains, odd_loses), cell in parities(space.q, move).items():
            number = len(names) if cell is None else lines[cell]
            line = jnp.where((gains == odd_gains) & (loses == odd_loses), jnp.int32(number), line)
        flat = flat.at[line * jnp.int32(cells) + space.parent].add(entry * share[near])
    coarse_entries = flat.reshape(len(names) + 1, cells)
    coarse_diagonal = _gathered(space, diagonal * share) + coarse_entries[-1]
    coarse = _level(space.coarse, coarse_diagonal, coarse_entries[:-1], total)
    return Stencil(space, diagonal, entries, share, coarse, None)


def _inverse(space: Space, diagonal: Array, entries: Array) -> Array:
    rows = jnp.arange(space.size)
    matrix = jnp.diag(diagonal)
    for entry, near in zip(entries, space.neighbours[: len(entries)], strict=True):
        matrix = matrix.at[rows, near].add(entry.astype(diagonal.dtype))
    return jnp.linalg.inv(matrix)


def _gathered(space: Space, x: Array) -> Array:
    """Sums over the cells."""
    padded = jnp.concatenate([x, jnp.zeros(1, x.dtype)])
    assert space.children is not None
    return jnp.stack([padded[corner] for corner in space.children]).sum(axis=0)


def cycle(level: Stencil, residual: Inexact[Array, " states"]) -> Inexact[Array, " states"]:
    """An approximate solution of A x = residual; linear in the residual."""
    if level.coarse is None:
        assert level.inverse is not None
        return level.inverse @ residual
    coarse, space = level.coarse, level.space
    assert space.parent is not None
    damped = DAMPING / level.diagonal
    x = damped * residual
    for _ in range(SWEEPS - 1):
        x = x + damped * (residual - level.apply(x))
    below = _gathered(space, residual - level.apply(x))

    def visit(_: Array, y: Array) -> Array:
        return y + cycle(coarse, below - coarse.apply(y))

    # The last level is exact at once; the others are compiled once for all their visits.
    last = coarse.coarse is None
    y = cycle(coarse, below) if last else jax.lax.fori_loop(0, VISITS, visit, jnp.zeros_like(below))
    x = x + level.weight * y[space.parent]
    for _ in range(SWEEPS):
        x = x + damped * (residual - level.apply(x))
    return x
