"""A long drive as calls for a few of its times each, which show progress and can be interrupted."""

from dataclasses import replace

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._status import Status, as_codes
from jaxthermo.brownian.hierarchy import Field
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.propagation import DriveSolution, Pacing, Protocol, propagate
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.progress import Line

# Intervals between saved times that one call solves. Error control begins anew with each, which costs a step or two.
BLOCK = 16

_piece = lean_jit(propagate)


def in_blocks(
    oscillator: Oscillator,
    protocol: Protocol,
    V: Field,
    ts: Float[Array, " times"],
    pacing: Pacing,
    solver: diffrax.AbstractSolver,
    keep_states: bool,
    line: Line,
) -> DriveSolution:
    """`propagate` of known values; one program serves every number of times.

    A keyboard interrupt ends it with the status `interrupted`, once the first block is done.
    """
    last = len(ts) - 1
    advance = line.counter(last, "times")
    advance(0)
    parts: list[DriveSolution] = []
    left = pacing.max_steps
    for first in range(0, last, BLOCK):
        # The last block is filled up by its last time, to which no step leads.
        index = np.minimum(np.arange(first, first + BLOCK + 1), last)
        own = Pacing(pacing.tolerance, pacing.steps, left)
        try:
            part = jax.block_until_ready(_piece(oscillator, protocol, V, ts[index], own, solver, keep_states))
        except KeyboardInterrupt:
            if not parts:
                raise
            parts[-1] = replace(parts[-1], status=as_codes(Status.interrupted))
            break
        parts.append(part)
        V, left = part.V, left - part.steps
        if int(part.status) != Status.ok:
            break
        advance(min(BLOCK, last - first))
    return _joined(parts, last + 1)


def _joined(parts: list[DriveSolution], count: int) -> DriveSolution:
    """One solution of many: each begins where the one before it ends, and what was not reached is NaN."""

    def together(*leaves: Array) -> Array:
        known = jnp.concatenate([leaves[0], *(leaf[1:] for leaf in leaves[1:])])[:count]
        return jnp.concatenate([known, jnp.full((count - len(known), *known.shape[1:]), jnp.nan, known.dtype)])

    sums = [parts[0].totals]
    for part in parts[1:]:
        sums.append(sums[-1][-1:] + part.totals)
    measured, members = (jax.tree.map(together, *(getattr(p, name) for p in parts)) for name in ("measured", "members"))
    end = parts[-1]
    steps = sum((part.steps for part in parts[1:]), start=parts[0].steps)
    return DriveSolution(measured, together(*sums), end.V, members, end.status, steps)
