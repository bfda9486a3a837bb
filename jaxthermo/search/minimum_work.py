"""The non-equilibrium Planck potential: the least work that a protocol from a given state can cost."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo.brownian.drive import starting_members
from jaxthermo.brownian.hierarchy import Field, Workspace, workspace
from jaxthermo.brownian.information import entropy_error, information_planck
from jaxthermo.brownian.oscillator import check_oscillator
from jaxthermo.brownian.progress import Line
from jaxthermo.brownian.quasistatic import partition_of, quasi_static
from jaxthermo.checks import require_finite, require_integer, require_positive, require_scalar
from jaxthermo.search.cost import Protocols, Search, cost, protocols
from jaxthermo.search.ensemble import EDGE, LEAST_BOUND, bound_of
from jaxthermo.search.minimise import (
    PLATEAU,
    STATUS,
    STOPPED,
    Minimum,
    Stopping,
    Turn,
    advance,
    begin,
    ended,
    minimise,
    unfinished,
)
from jaxthermo.search.rounds import in_rounds
from jaxthermo.solve.constant import frozen
from jaxthermo.solve.outcome import Outcome, outcome_of

# Longest step that a search begins with, and the fewest steps it takes.
STEP, FEWEST_STEPS = 0.1, 8
MAX_STEPS = 200
STOPPING = Stopping(MAX_STEPS, gradient_tolerance=1e-8, plateau=1e-10)
# How far a protocol may take beta (as a factor) and x (in units of 1/(beta sigma_X)) from where it starts.
BETA_FACTOR, FIELD_REACH = 4.0, 6.0
# A quantum oscillator's potential is tabulated over this range, so it is narrower.
QUANTUM_BETA_FACTOR, QUANTUM_FIELD_REACH = 1.6, 1.0
# Spread of the random starts after the first, which is the protocol that rests.
SPREAD = 0.5
# The error of the time step, in units of 1 + |value|: a search is repeated with half the step, so many times, until it
# is below the first, and not called resolved above the second.
FINE_ENOUGH, RESOLVED, REFINEMENTS = 1e-6, 1e-5, 4
# What the sums over the mesh miss, in the same units.
ROUNDING = 1e-9
# How a search ended: as `minimise` says, or with a value that grid or time step spoiled.
SEARCH_STATUS = (*STATUS, "grid too small", "below the exact bound", "time step too long")
GRID_TOO_SMALL, BELOW_BOUND, UNRESOLVED = range(len(STATUS), len(SEARCH_STATUS))


# A state, the workspace it is in, and the beta and x it is looked at from.
Seen = tuple[Field, Workspace, Any, Any]


class Found(eqx.Module):
    """The outcome of one search as arrays; see `MinimumWork`."""

    value: Float[Array, ""]
    error: Float[Array, ""]
    upper: Float[Array, ""]
    lower: Float[Array, ""]
    protocol: Protocols
    minimum: Minimum
    step_error: Float[Array, ""]
    solves: Int[Array, ""]
    code: Int[Array, ""]  # index into SEARCH_STATUS

    @property
    def outcome(self) -> Outcome:
        """What a scan says of it; a value that grid or time step spoiled is not converged."""
        found = jnp.isfinite(self.value)
        return outcome_of(self.code <= PLATEAU, self.code == STOPPED, found, self.minimum.steps)


class MinimumWork(eqx.Module):
    """The non-equilibrium Planck potential of one state, and how it was found; made by `minimum_work`.

    `value` Xi_neq, the cost of the protocol found, propagated again with half and a quarter of the search's step;
    `error` what the time step may have added to it or taken from it; `upper` Xi_qst(beta, x), the cost of doing
    nothing; `lower` Xi_info, exact for a classical state, None for a quantum one; `gap` value - lower.
    `beta_coefficients`, `x_coefficients` Taylor coefficients of the best protocol, `beta_chebyshev`, `x_chebyshev` the
    same on T_j(2 t/horizon - 1); `last` (beta, x) where it stays afterwards. `solves` how often the state was
    propagated over the horizon with its gradient; `history` the best value after each step of the last search;
    `step_error` what halving the time step changed, before extrapolation; `status` "ok" (the gradient vanished),
    "plateau" (steps no longer gained), or what went wrong, with the best protocol found all the same.
    """

    value: float
    error: float
    upper: float
    lower: float | None
    beta_coefficients: np.ndarray
    x_coefficients: np.ndarray
    beta_chebyshev: np.ndarray
    x_chebyshev: np.ndarray
    last: tuple[float, float]
    solves: int
    gradient: float
    step_error: float
    history: np.ndarray
    status: str

    @property
    def gap(self) -> float | None:
        """What may still be missing to the true minimum: value - lower."""
        return None if self.lower is None else self.value - self.lower


def search_one(search: Search, V: Field, work: Workspace, beta: Any, x: Any, starts: Float[Array, "starts z"]) -> Found:
    """Searches from every start, one after another; the best of them. Pure: to be jitted, vmapped and differentiated.

    The derivative of the value is that of the best protocol's cost at fixed protocol, since there it is stationary.
    """
    fixed, state, space, b, f = frozen((search, V, work, beta, x))

    def once(z: Array) -> Minimum:
        return minimise(lambda z: cost(fixed, state, space, b, f, z), z, STOPPING)

    every = jax.lax.map(once, starts)
    best = jnp.argmin(jnp.where(jnp.isfinite(every.value), every.value, jnp.inf))
    minimum = frozen(jax.tree.map(lambda leaf: leaf[best], every))
    again, extra = cost(finer(search), V, work, beta, x, minimum.point)
    return settled(search, V, work, beta, x, minimum, again, extra, jnp.sum(every.evaluations))


def finer(search: Search) -> Search:
    """The same search with steps half as long."""
    return replace(search, steps=2 * search.steps, most=2 * search.most)


def settled(
    search: Search,
    V: Field,
    work: Workspace,
    beta: Any,
    x: Any,
    minimum: Minimum,
    again: Float[Array, ""],
    extra: tuple[Float[Array, ""], Float[Array, ""]],
    solves: Int[Array, ""],
) -> Found:
    """What a search has found, judged by the cost of its protocol with steps half as long, `again`."""
    upper = search.potential(beta, x)
    # Resting costs `upper` exactly; a search that gained by errors of the time step only has found nothing better.
    rests = again > upper
    missed = jnp.abs(again - minimum.value)
    value, error = jnp.where(rests, upper, again), jnp.where(rests, 0.0, missed)
    scale = 1.0 + jnp.abs(value)
    lower, blur = jnp.asarray(jnp.nan), jnp.zeros(())
    if not work.oscillator.quantum:
        lower, blur = information_planck(V, work, beta, x), entropy_error(V, work)
    below = lower - value > error + blur + ROUNDING * scale
    step_error, edge = extra
    problems = ((edge >= EDGE, GRID_TOO_SMALL), (missed > RESOLVED * scale, UNRESOLVED), (below, BELOW_BOUND))
    code = minimum.code
    for found, number in problems:
        code = jnp.where((code <= PLATEAU) & found, number, code)
    # Within their errors no cost is below the bound.
    raised = (value < lower) & jnp.logical_not(below)
    return Found(
        value=jnp.where(raised, lower, value),
        error=jnp.where(raised, jnp.maximum(error, lower - value), error),
        upper=upper,
        lower=lower,
        protocol=protocols(search, beta, x, jnp.where(rests, 0.0, 1.0) * minimum.point),
        minimum=minimum,
        step_error=step_error,
        solves=solves,
        code=code.astype(jnp.int32),
    )


_settled = eqx.filter_jit(settled)


@eqx.filter_jit
def _begin(z: Float[Array, " parameters"]) -> Turn:
    return begin(z, (jnp.zeros(()), jnp.zeros(())), STOPPING)


@eqx.filter_jit
def _advance(search: Search, V: Field, work: Workspace, beta: Any, x: Any, now: Turn, turns: Int[Array, ""]) -> Turn:
    return advance(lambda z: cost(search, V, work, beta, x, z), now, STOPPING, turns)


def minimum_work(
    oscillator: Any,
    state: Any,
    beta: Any,
    x: Any,
    order: int = 5,
    horizon: Any = 1.0,
    jumps: bool = False,
    *,
    restarts: int = 0,
    dt: float = STEP,
    progress: bool | None = None,
) -> MinimumWork:
    """The non-equilibrium Planck potential of a state at (beta, x), by a search for the protocol of minimum work.

    Equation   Xi_neq = min { Xi_qst(beta_end, x_end) + int_0^horizon [U beta' - X x~'] dt }, x~ = beta x, over
               polynomials beta(t), x(t) of this order that start at (beta, x); with jumps also over jumps at both ends,
               which cost U dbeta - X dx~ at frozen state
    Shapes     state: from `jt.equilibrium` or `jt.brownian.state_of`; beta, x: scalars
    Units      beta: 1/energy, x: energy per unit of X, horizon: time; Xi is a number
    Raises     ValueError that names the argument
    Accuracy   `value` is the cost of the protocol found to within `error`, which is below 1e-5 (1 + |value|), and
               usually below 1e-6, where `status` is "ok" or "plateau"
    Source     Koyanagi & Tanimura 2024, Sec. III.3, with gradients (L-BFGS) in the place of Nelder-Mead

    The search starts from the protocol that rests, whose cost is `upper`, and never ends above it. For a classical
    state `lower` is exact, so that `gap` certifies the value. beta stays within a factor of 4 (quantum: 1.6) of its
    start, and x within 6/(beta sigma_X) (quantum: 1), by construction. `restarts` further searches begin at random
    protocols; `dt` is the longest time step to begin with, which is halved until `error` is small. `progress`: whether
    to show it; by default on a terminal.
    """
    beta, x = require_scalar("beta", beta), require_scalar("x", x)
    check_oscillator(oscillator)
    V = starting_members(oscillator, state, beta)
    work = workspace(oscillator, state.grid)
    search = search_for(oscillator, work, [beta], [x], order=order, horizon=horizon, jumps=jumps, dt=dt)
    starts = starting_points(search, require_integer("restarts", restarts, 0))
    with Line("minimum_work", progress) as line:
        found = _refined(search, (V, work, beta, x), starts, line)
    return labelled(jax.tree.map(np.asarray, found), oscillator.quantum)


def _refined(search: Search, at: Seen, starts: Float[Array, "starts z"], line: Line) -> Found:
    """Searches with ever shorter steps, from the best protocol so far, until the error of the time step is small."""
    solves = 0
    for left in reversed(range(REFINEMENTS + 1)):
        # One program serves the search and the check of what it found, with twice as many steps.
        search = replace(search, most=max(LEAST_BOUND, bound_of(2 * int(search.steps))))
        ends = [_searched(search, at, z, line) for z in starts]
        best = min(ends, key=lambda end: float(end.best[1]))
        twice = replace(search, steps=2 * search.steps)
        checked = _advance(twice, *at, _begin(best.best[0]), jnp.asarray(1, jnp.int32))
        _, again, extra = checked.best
        solves += sum(int(end.calls) for end in ends) + 1
        found = _settled(search, *at, ended(best, STOPPING), again, extra, jnp.asarray(solves, jnp.int32))
        hopeless = left == 0 or SEARCH_STATUS[int(found.code)] == "grid too small"
        if hopeless or not abs(float(again - best.best[1])) > FINE_ENOUGH * (1.0 + abs(float(found.value))):
            break
        search = twice
        # Where coarse steps were deceived, the search begins anew.
        starts = best.best[0][None] if float(again) < float(found.upper) else starts
    return found


def _searched(search: Search, at: Seen, start: Float[Array, " z"], line: Line) -> Turn:
    def on(now: Turn, turns: int) -> Turn:
        now = _advance(search, *at, now, jnp.asarray(turns, jnp.int32))
        line.tell(f"{int(search.steps)} steps, {int(now.calls)} propagations, value {float(now.best[1]):.9g}")
        return now

    return in_rounds(on, _begin(start), lambda now: bool(unfinished(now, STOPPING)))


def search_for(
    oscillator: Any, work: Workspace, betas: Any, fields: Any, *, order: Any, horizon: Any, jumps: Any, dt: Any
) -> Search:
    """The search for states of one workspace looked at from these beta and x, after checks."""
    order = require_integer("order", order, 1)
    horizon, dt = require_scalar("horizon", horizon), require_scalar("dt", dt)
    require_positive("horizon", horizon)
    require_positive("dt", dt)
    betas, fields = np.asarray(betas, dtype=float), np.asarray(fields, dtype=float)
    require_positive("beta", betas)
    require_finite("x", fields)
    on_grid = eqx.tree_at(lambda o: o.grid, oscillator, work.grid, is_leaf=lambda leaf: leaf is None)
    factor, reach = (QUANTUM_BETA_FACTOR, QUANTUM_FIELD_REACH) if oscillator.quantum else (BETA_FACTOR, FIELD_REACH)
    variances = _variances(partition_of(on_grid), jnp.asarray(betas), jnp.asarray(fields))
    reach = reach * float(np.max(1.0 / (betas * np.sqrt(np.asarray(variances)))))
    potential = quasi_static(on_grid, factor * betas.max(), [fields.min() - reach, fields.max() + reach])
    steps = max(FEWEST_STEPS, int(np.ceil(float(horizon) / float(dt) - 1e-9)))
    return Search(
        potential=potential,
        beta_factor=jnp.asarray(factor),
        field_reach=jnp.asarray(reach),
        horizon=horizon,
        steps=jnp.asarray(steps, jnp.int32),
        order=order,
        jumps=bool(jumps),
        most=bound_of(steps),
    )


@eqx.filter_jit
def _variances(partition: Any, betas: Float[Array, " n"], fields: Float[Array, " n"]) -> Float[Array, " n"]:
    """Of X, in the quasi-static state at each pair."""
    return jax.vmap(lambda beta, x: partition.means(beta, x)[2])(betas, fields)


def starting_points(search: Search, restarts: int) -> Float[Array, "starts z"]:
    """The protocol that rests, and random ones around it, the same each time."""
    rng = np.random.default_rng(0)
    return jnp.asarray(
        np.concatenate([np.zeros((1, search.parameters)), SPREAD * rng.standard_normal((restarts, search.parameters))])
    )


def labelled(found: Found, quantum: bool) -> MinimumWork:
    """One search's outcome as plain numbers."""
    history = np.asarray(found.minimum.history)
    return MinimumWork(
        value=float(found.value),
        error=float(found.error),
        upper=float(found.upper),
        lower=None if quantum else float(found.lower),
        beta_coefficients=np.asarray(found.protocol.beta.taylor()),
        x_coefficients=np.asarray(found.protocol.x.taylor()),
        beta_chebyshev=np.asarray(found.protocol.beta.chebyshev),
        x_chebyshev=np.asarray(found.protocol.x.chebyshev),
        last=(float(found.protocol.last_beta), float(found.protocol.last_x)),
        solves=int(found.solves),
        gradient=float(found.minimum.gradient),
        step_error=float(found.step_error),
        history=history[np.isfinite(history)],
        status=SEARCH_STATUS[int(found.code)],
    )
