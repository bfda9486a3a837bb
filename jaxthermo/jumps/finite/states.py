"""The states of N units: occupation numbers, or the state of every single unit; counted before they are made."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxthermo._types import IntLike
from jaxthermo.checks import as_float, require_finite, require_integer

MAX_MICROSTATES = 100_000
# A float counts no further.
MOST_UNITS = 2**53
# Of the arrays that one calculation on occupation numbers holds at once; more is refused before any is made.
MEMORY_LIMIT = 16 * 2**30
# Arrays over all states that a solve keeps beside two of indices and two of rates for each bond: the Krylov basis.
VECTORS = 48


def count_mesostates(q: int, units: int) -> int:
    """C(N + q - 1, q - 1), the number of ways to put N units into q states."""
    return math.comb(units + q - 1, q - 1)


def require_countable(units: IntLike) -> int:
    """The number of units, or a ValueError where a float cannot count them one by one."""
    units = require_integer("units", units, 1)
    if units > MOST_UNITS:
        raise ValueError(f"`units` must be at most 2**53, beyond which a float does not count, but is {units}")
    return units


def require_mesostates(q: int, units: IntLike, edges: int | None = None) -> int:
    """The number of units, or a ValueError with the bytes that its occupation numbers would take; edges: q if None."""
    units = require_integer("units", units, 1)
    count = count_mesostates(q, units)
    need = count * (8 * VECTORS + (q if edges is None else edges) * (2 * 4 + 5 * 8))
    if need > MEMORY_LIMIT or count >= 2**31:
        raise ValueError(
            f"`units` must leave few enough occupation numbers for {MEMORY_LIMIT:.2e} bytes, but {units} units in "
            f"{q} states have {count:.3g} of them, which take {need:.2e} bytes"
        )
    return units


def require_microstates(q: int, units: IntLike) -> int:
    """The number of units, or a ValueError with the bytes that q^N microstates would take."""
    units = require_integer("units", units, 1)
    # Compared as logarithms first: q^N of a careless N has millions of digits.
    digits = units * math.log10(q)
    if digits > 300 or q**units > MAX_MICROSTATES:
        power = digits + math.log10(8 * VECTORS + units * (2 * 4 + 5 * 8))
        raise ValueError(
            f"`units` must leave at most {MAX_MICROSTATES} microstates, but {q}^{units} is 10^{digits:.1f}, which take "
            f"10^{power:.1f} bytes; use the mesoscopic functions"
        )
    return units


def rank_table(q: int, units: int) -> np.ndarray:
    """C(s + j - 1, j) for the partial sums s = 0..N of the first j = 1..q - 1 occupation numbers: (q - 1, N + 1)."""
    return np.array([[math.comb(s + j - 1, j) for s in range(units + 1)] for j in range(1, q)], np.int64)


def rank(counts: np.ndarray) -> np.ndarray:
    """Index of occupation numbers (q, ...) in the combinatorial number system.

    Equation   rank = sum_{j=1}^{q-1} C(N_1 + .. + N_j + j - 1, j); it does not depend on N
    """
    q = counts.shape[0]
    sums = np.cumsum(counts[:-1], axis=0)
    table = rank_table(q, int(counts.sum(axis=0).max(initial=0)))
    return sum((table[j][sums[j]] for j in range(q - 1)), np.zeros(counts.shape[1:], np.int64))


def mesostates(q: int, units: int) -> np.ndarray:
    """All occupation numbers, (q, states), in the order of `rank`."""
    left = np.arange(count_mesostates(q, units), dtype=np.int64)
    table = rank_table(q, units)
    sums = np.empty((q + 1, left.size), np.int32)
    sums[0], sums[q] = 0, units
    for j in range(q - 1, 0, -1):
        sums[j] = np.searchsorted(table[j - 1], left, side="right") - 1
        left -= table[j - 1][sums[j]]
    return np.diff(sums, axis=0)


def microstates(q: int, units: int) -> np.ndarray:
    """The state 0..q - 1 of every unit, (N, q^N); the first unit is the last digit."""
    index = np.arange(q**units, dtype=np.int64)
    return np.stack([index // q**unit % q for unit in range(units)]).astype(np.int32)


def counts_of(q: int, units: np.ndarray) -> np.ndarray:
    """Occupation numbers (q, ...) of the states of single units (N, ...)."""
    return np.stack([(units == state).sum(axis=0) for state in range(q)]).astype(np.int32)


def initial_counts(q: int, units: int, n0: ArrayLike | Sequence[int] | None) -> np.ndarray:
    """n0 checked, (q,) integers that sum to N; None for all units in the first state, as the paper starts."""
    if n0 is None:
        return np.eye(q, dtype=np.int64)[0] * units
    values = np.asarray(n0, float)
    if values.shape != (q,):
        raise ValueError(f"`n0` must have shape ({q},), but has shape {values.shape}")
    require_finite("n0", values)
    counts = np.rint(values).astype(np.int64)
    if (counts != values).any() or counts.min() < 0 or counts.sum() != units:
        raise ValueError(f"`n0` must be {q} counts >= 0 that sum to {units} units, but is {values}")
    return counts


def log_multiplicity(counts: np.ndarray | Array) -> Float[Array, "..."]:
    """Boltzmann entropy ln(N!/prod N_i!) of occupation numbers (q, ...).

    Source     Herpich & Esposito 2019, Eq. (A8)
    """
    from jax.scipy.special import gammaln

    counts = as_float(counts)
    return gammaln(jnp.sum(counts, axis=0) + 1.0) - jnp.sum(gammaln(counts + 1.0), axis=0)
