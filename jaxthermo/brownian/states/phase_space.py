"""Means of functions on phase space, and how negative a Wigner function is."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxthermo.checks import as_float

if TYPE_CHECKING:
    from jaxthermo.brownian.states.state import State

# By how much finer than the grid |W| is summed.
FINER = 8
# What `expectation` takes by name, as Weyl symbols.
NAMES = ("q", "p", "X", "H0")
# A function of position and momentum, the Weyl symbol of an operator.
WeylSymbol = Callable[[jax.Array, jax.Array], ArrayLike]


def expectation(state: "State", observable: str | WeylSymbol) -> Float[Array, ""]:
    """The mean of an observable in a state of the oscillator.

    Equation   tr(F rho) = int f(q, p) W(q, p) dq dp with f the Weyl symbol of F; classically the mean over the density

    state        from `jt.equilibrium`, `jt.State.coherent`, `run.final`, ...; not a batch (use jax.vmap)
    observable   f, a function of arrays q and p (jax.numpy inside), or a name: "q", "p", "X", or "H0" for p^2/2m + U.
                 The Weyl symbol of a sum f(q) + g(p) is that sum; that of (qp + pq)/2 is qp
    Returns      a number
    Raises       ValueError if the name is not known
    Accuracy     of the Wigner function on its grid, where f W has fallen at its rim. W has the noise of the bath in its
                 momentum, and reaches further than the members that the grid was chosen for

    Example
        >>> import jaxthermo as jt
        >>> state = jt.equilibrium(jt.classical_oscillator(jt.Polynomial([0, 0, 0.5]), 1.0), 1.0, 0.0)
        >>> round(float(jt.brownian.expectation(state, lambda q, p: q**4)), 6)
        3.0
    """
    values = _symbol(state, observable)(state.position[:, None], state.momentum[None, :])
    return jnp.sum(as_float(values) * state.wigner) * state.grid.cell


def _symbol(state: "State", observable: str | WeylSymbol) -> WeylSymbol:
    if not isinstance(observable, str):
        return observable
    if observable not in NAMES:
        raise ValueError(f"`observable` must be a function of q and p or one of {', '.join(NAMES)}, not {observable!r}")
    oscillator = state.oscillator
    symbols: dict[str, WeylSymbol] = {
        "q": lambda q, p: q + 0.0 * p,
        "p": lambda q, p: p + 0.0 * q,
        "X": lambda q, p: oscillator.coordinate(q) + 0.0 * p,
        "H0": lambda q, p: 0.5 * p**2 / oscillator.mass + oscillator.potential(q),
    }
    return symbols[observable]


def wigner_negativity(state: "State") -> Float[Array, ""]:
    """How negative the Wigner function of a state is: 0 for classical states and for Gaussian ones.

    Equation   delta = int (|W| - W) dq dp, twice the volume under the negative parts; 4 exp(-1/2) - 2 for one quantum

    state      from `jt.State.fock`, `cat`, `jt.equilibrium`, `run.final`, ...; not a batch (use jax.vmap)
    Returns    delta, a number >= 0
    Accuracy   that of W itself, and second order in an eighth of the grid's steps, since |W| has corners where W
               changes sign: 2.5e-5 of one quantum with steps of 0.3 sqrt(hbar)
    Source     Kenfack & Zyczkowski, J. Opt. B 6, 396 (2004)

    Example
        >>> import jaxthermo as jt
        >>> grid = jt.PhaseGrid(7.0, 0.3, 7.0, 0.3)
        >>> oscillator = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 0.5, 1, 2, grid)
        >>> round(float(jt.brownian.wigner_negativity(jt.State.fock(oscillator, 1, beta=1.0))), 3)  # 4 exp(-1/2) - 2
        0.426
    """
    grid = state.grid
    W = jnp.asarray(_between(grid.q_side)) @ state.wigner @ jnp.asarray(_between(grid.p_side)).T
    return jnp.sum(jnp.abs(W) - W) * grid.cell / FINER**2


@functools.lru_cache(maxsize=8)
def _between(side: int) -> Float[np.ndarray, "fine points"]:
    """The matrix from the values of a trigonometric polynomial on 2 side + 1 points to those on steps of 1/FINER."""
    points = 2 * side + 1
    distance = np.arange(FINER * points)[:, None] / FINER - np.arange(points)[None]
    kernel = np.ones_like(distance)
    off = distance % points != 0.0
    kernel[off] = np.sin(np.pi * distance[off]) / (points * np.sin(np.pi * distance[off] / points))
    return kernel
