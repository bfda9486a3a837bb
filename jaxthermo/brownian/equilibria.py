"""The correlated stationary state of the oscillator and its bath at one temperature and field."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxthermo._results import warn_unless_ok
from jaxthermo._status import Status
from jaxthermo._types import ScalarLike
from jaxthermo.brownian.automatic import larger, resolved
from jaxthermo.brownian.hierarchy import vector_field, workspace
from jaxthermo.brownian.level_solve import members_by_levels
from jaxthermo.brownian.levels import Levels, is_hard, levels_of
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.brownian.state import State, measured_state
from jaxthermo.brownian.stationary import TOLERANCE, stationary_members
from jaxthermo.checks import is_known, require_double_for, require_finite, require_positive, require_scalar
from jaxthermo.solve.lean import lean_jit


def equilibrium(oscillator: Oscillator, beta: ScalarLike, x: ScalarLike) -> State:
    """The stationary state of the hierarchy at constant beta and x, with its correlations with the bath.

    Equation   L V = 0, int W_0 dq dp = 1, solved by generalised conjugate residuals on M L V with M a short relaxation,
               so that the answer is the null vector of the spectral generator itself, without a time step's error

    oscillator   of `jt.quantum_oscillator` or `jt.classical_oscillator`; a grid or a depth left open is chosen
    beta         inverse temperature, 1/energy; a scalar (batch with jax.vmap and a given grid; lanes are solved one
                 after another)
    x            field, energy per unit of X; a scalar
    Returns      a `State`, with its measured quantities by name
    Raises       ValueError that names the argument; if the oscillator has no grid and jax traces beta or x; without
                 double precision
    Accuracy     `status` is ok where X, <q^2>, <p^2> and U are right to 1e-6 of their scale for the given number of
                 poles. A grid or a depth that was left open, and was found too small, is chosen once more. A state that
                 is not ok raises a `JaxthermoWarning`, unless jax traces
    Source       Koyanagi & Tanimura 2024, Sec. III

    Where that search would be long (weak coupling, two wells, a deep hierarchy) or has not converged, and beta, x and
    the oscillator are known, the hierarchy is solved among the lowest levels of H_A instead, and what the grid misses
    does not add up over the time of friction. Under jit, vmap and grad there is only the search on the grid, which says
    `Status.not_converged` in such corners.
    Differentiable in beta, x and the parameters of the oscillator, in both modes (the linear solve is differentiated,
    not its iterations; baths other than `OhmicBath`: forward mode). Windows of `SwitchedBaths` are taken at t = 0.
    """
    check_oscillator(oscillator)
    require_double_for(TOLERANCE, TOLERANCE)
    beta, x = require_scalar("beta", beta), require_scalar("x", x)
    require_positive("beta", beta)
    require_finite("x", x)
    state = state_at(oscillator, beta, x)
    warn_unless_ok(state)
    return state


def state_at(oscillator: Oscillator, beta: Any, x: Any) -> State:
    """`equilibrium` of checked arguments without a warning."""
    beta, x = require_scalar("beta", beta), require_scalar("x", x)
    chosen = resolved(oscillator, beta, x)
    state = _solved(chosen, beta, x)
    if is_known(state.status) and int(state.status) != Status.ok:
        # What was left open is chosen once more, with room for what was found missing.
        again = larger(chosen, oscillator, Status(int(state.status)))
        if again is not None:
            state = _solved(again, beta, x)
    return state


def _solved(oscillator: Oscillator, beta: Array, x: Array) -> State:
    """The state on the grid that the oscillator has; among its levels where that is hard and all numbers are known."""
    if not is_known(jax.tree.leaves((oscillator, beta, x))):
        return _solve(oscillator, beta, x, None)
    state = None if is_hard(oscillator, float(beta), float(x)) else _solve(oscillator, beta, x, None)
    if state is None or int(state.status) == Status.not_converged:
        levels = levels_of(oscillator, float(beta), float(x))
        state = state if levels is None else _solve(oscillator, beta, x, levels)
    return _solve(oscillator, beta, x, None) if state is None else state


@lean_jit
def _solve(oscillator: Oscillator, beta: Array, x: Array, levels: Levels | None) -> State:
    work = workspace(oscillator)
    if levels is None:
        V, error = stationary_members(work, 1.0 / beta, x)
    else:
        V, error = members_by_levels(work, 1.0 / beta, levels)
    residual = jnp.max(jnp.abs(vector_field(V, work, 0.0, 1.0 / beta, x)[:, 0]))
    return measured_state(oscillator, V, beta, x, residual, error, exact=levels is not None)
