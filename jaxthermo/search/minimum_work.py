"""The non-equilibrium Planck potential: the least work that a protocol from a given state can cost."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo.brownian.drive import starting_members
from jaxthermo.brownian.hierarchy import Field, Workspace, workspace
from jaxthermo.brownian.information import information_planck
from jaxthermo.brownian.labels import EDGE, TOUCHED
from jaxthermo.brownian.observables import low_members, moments
from jaxthermo.brownian.oscillator import check_oscillator
from jaxthermo.brownian.quasistatic import QuasiStatic, partition_of, quasi_static
from jaxthermo.brownian.spectrum import from_spectrum, to_spectrum
from jaxthermo.brownian.split import change_temperature, noise_of
from jaxthermo.brownian.stepper import DrivenTerm
from jaxthermo.checks import require_finite, require_integer, require_positive, require_scalar
from jaxthermo.protocols.polynomial import PolynomialSchedule, from_control_points
from jaxthermo.scans.status import Outcome, outcome_of
from jaxthermo.search.ensemble import extrapolated, moments_of, passage
from jaxthermo.search.minimise import PLATEAU, STATUS, STOPPED, Minimum, minimise

# Of the split step, bare and halved, whose two works are extrapolated.
STEP = 0.1
MAX_STEPS = 200
GRADIENT_TOLERANCE, LEAST_GAIN = 1e-8, 1e-10
# How far a protocol may take beta (as a factor) and x (in units of 1/(beta sigma_X)) from where it starts.
BETA_FACTOR, FIELD_REACH = 4.0, 6.0
# A quantum oscillator's potential is tabulated over this range, so it is narrower.
QUANTUM_BETA_FACTOR, QUANTUM_FIELD_REACH = 1.6, 1.0
# Spread of the random starts after the first, which is the protocol that rests.
SPREAD = 0.5
# A converged value may lie below the exact bound by no more than this, the error of the time step and the grid.
BELOW = 1e-6
# How a search ended: as `minimise` says, or with a value that grid or time step spoiled.
SEARCH_STATUS = (*STATUS, TOUCHED, "below the exact bound")


class Search(eqx.Module):
    """Where protocols may go, and how they are searched for; see `minimum_work`."""

    potential: QuasiStatic
    beta_factor: Float[Array, ""]
    field_reach: Float[Array, ""]  # in units of x
    horizon: Float[Array, ""]
    order: int = eqx.field(static=True)
    jumps: bool = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    @property
    def parameters(self) -> int:
        """Free numbers: a control point of beta and of x for each power, and with jumps both sides of both ends."""
        return 2 * (self.order + (2 if self.jumps else 0))


class Protocols(eqx.Module):
    """Schedules of beta and x from 0 to the horizon, and where they end after the last jump."""

    beta: PolynomialSchedule
    x: PolynomialSchedule
    last_beta: Float[Array, ""]
    last_x: Float[Array, ""]


class Found(eqx.Module):
    """The outcome of one search as arrays; see `MinimumWork`."""

    value: Float[Array, ""]
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

    `value` Xi_neq; `upper` Xi_qst(beta, x), the cost of doing nothing; `lower` Xi_info, exact for a classical state,
    None for a quantum one; `gap` value - lower. `beta_coefficients`, `x_coefficients` Taylor coefficients of the best
    protocol, `beta_chebyshev`, `x_chebyshev` the same on T_j(2 t/horizon - 1); `last` (beta, x) where it stays
    afterwards. `solves` how often the state was propagated over the horizon with its gradient; `history` the best value
    after each step; `step_error` what halving the time step changed, before extrapolation; `status` "ok" (the gradient
    vanished), "plateau" (steps no longer gained), or what went wrong, with the best protocol found all the same.
    """

    value: float
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


def protocols(search: Search, beta: Any, x: Any, z: Float[Array, " parameters"]) -> Protocols:
    """The protocol that a vector of unbounded numbers describes; 0 is the one that rests at (beta, x).

    Control points are beta factor^tanh(z) and x + reach tanh(z), and a polynomial stays between its control points: it
    cannot leave the allowed range.
    """
    half = z.shape[0] // 2
    betas = beta * search.beta_factor ** jnp.tanh(z[:half])
    fields = x + search.field_reach * jnp.tanh(z[half:])
    if search.jumps:
        inner_beta, inner_x = betas[:-1], fields[:-1]
    else:
        inner_beta, inner_x = jnp.concatenate([beta[None], betas]), jnp.concatenate([x[None], fields])
    return Protocols(
        beta=from_control_points(inner_beta, search.horizon),
        x=from_control_points(inner_x, search.horizon),
        last_beta=betas[-1],
        last_x=fields[-1],
    )


def cost(
    search: Search, V: Field, work: Workspace, beta: Any, x: Any, z: Float[Array, " parameters"]
) -> tuple[Float[Array, ""], tuple[Float[Array, ""], Float[Array, ""]]]:
    """Xi_qst at the end of a protocol plus int (U dbeta - X dx~) along it, for one state.

    Beside it what halving the time step changed, before extrapolation, and how much of the state reached the rim.
    """
    chosen = protocols(search, beta, x, z)
    term, noise = DrivenTerm(work, chosen.beta, chosen.x), noise_of(work)
    ends = chosen.beta(search.horizon), chosen.x(search.horizon)
    final = search.potential(chosen.last_beta, chosen.last_x)
    if search.jumps:
        before = moments(V[:, low_members(work.oscillator)], work, 1.0 / beta)
        first = chosen.beta(0.0), chosen.x(0.0)
        final = final + _jump(before, (beta, x), first)
        V = change_temperature(V, work, 1.0 / beta, 1.0 / first[0])
    begin = to_spectrum(V, work)

    def total(steps: int) -> tuple[Array, Array]:
        done = passage(term, noise, begin, search.horizon, steps)
        value = final + done.totals[1] - done.totals[2]
        if search.jumps:
            value = value + _jump(
                moments_of(done.spectrum, work, 1.0 / ends[0]), ends, (chosen.last_beta, chosen.last_x)
            )
        return value, _edge(from_spectrum(done.spectrum, work))

    (coarse, edge), (fine, _) = total(search.steps), total(2 * search.steps)
    step_error = jnp.abs(fine - coarse) / 3.0
    return extrapolated(coarse, fine), jax.lax.stop_gradient((step_error, edge))


def _jump(now: Any, old: tuple[Any, Any], new: tuple[Any, Any]) -> Array:
    """U dbeta - X dx~ of a jump at frozen state."""
    return now.U * (new[0] - old[0]) - now.X * (new[0] * new[1] - old[0] * old[1])


def search_one(search: Search, V: Field, work: Workspace, beta: Any, x: Any, starts: Float[Array, "starts z"]) -> Found:
    """Searches from every start, one after another; the best of them. Pure: to be jitted and vmapped over states."""

    def once(z: Array) -> Minimum:
        return minimise(
            lambda z: cost(search, V, work, beta, x, z),
            z,
            max_steps=MAX_STEPS,
            gradient_tolerance=GRADIENT_TOLERANCE,
            plateau=LEAST_GAIN,
        )

    every = jax.lax.map(once, starts)
    best = jnp.argmin(jnp.where(jnp.isfinite(every.value), every.value, jnp.inf))
    minimum = jax.tree.map(lambda leaf: leaf[best], every)
    chosen = protocols(search, beta, x, minimum.point)
    step_error, edge = minimum.extra
    lower = jnp.asarray(jnp.nan) if work.oscillator.quantum else information_planck(V, work, beta, x)
    touched = jnp.logical_not(edge < EDGE)
    spoiled = jnp.where(touched, len(STATUS), jnp.where(minimum.value - lower < -BELOW, len(STATUS) + 1, minimum.code))
    return Found(
        value=minimum.value,
        upper=search.potential(beta, x),
        lower=lower,
        protocol=chosen,
        minimum=minimum,
        step_error=step_error,
        solves=jnp.sum(every.evaluations),
        code=jnp.where(minimum.code <= PLATEAU, spoiled, minimum.code).astype(jnp.int32),
    )


def _edge(V: Field) -> Float[Array, ""]:
    W = jnp.abs(V[:, 0])
    return jnp.max(jnp.concatenate([W[0], W[-1], W[:, 0], W[:, -1]])) / jnp.max(W)


_compiled = eqx.filter_jit(search_one)


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
) -> MinimumWork:
    """The non-equilibrium Planck potential of a state at (beta, x), by a search for the protocol of minimum work.

    Equation   Xi_neq = min { Xi_qst(beta_end, x_end) + int_0^horizon [U beta' - X x~'] dt }, x~ = beta x, over
               polynomials beta(t), x(t) of this order that start at (beta, x); with jumps also over jumps at both ends,
               which cost U dbeta - X dx~ at frozen state
    Shapes     state: from `jt.equilibrium` or `jt.brownian.state_of`; beta, x: scalars
    Units      beta: 1/energy, x: energy per unit of X, horizon: time; Xi is a number
    Raises     ValueError that names the argument
    Source     Koyanagi & Tanimura 2024, Sec. III.3, with gradients (L-BFGS) in the place of Nelder-Mead

    The search starts from the protocol that rests, whose cost is `upper`, and never ends above it. For a classical
    state `lower` is exact, so that `gap` certifies the value. beta stays within a factor of 4 (quantum: 1.6) of its
    start, and x within 6/(beta sigma_X) (quantum: 1), by construction. `restarts` further searches begin at random
    protocols; `dt` is the time step, used whole and halved.
    """
    beta, x = require_scalar("beta", beta), require_scalar("x", x)
    check_oscillator(oscillator)
    V = starting_members(oscillator, state, beta)
    work = workspace(oscillator, state.grid)
    search = search_for(oscillator, work, [beta], [x], order=order, horizon=horizon, jumps=jumps, dt=dt)
    starts = starting_points(search, require_integer("restarts", restarts, 0))
    found = _compiled(search, V, work, beta, x, starts)
    return labelled(jax.tree.map(np.asarray, found), oscillator.quantum)


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
    partition = partition_of(eqx.tree_at(lambda o: o.grid, oscillator, work.grid, is_leaf=lambda leaf: leaf is None))
    factor, reach = (QUANTUM_BETA_FACTOR, QUANTUM_FIELD_REACH) if oscillator.quantum else (BETA_FACTOR, FIELD_REACH)
    spreads = [1.0 / (b * np.sqrt(float(partition.means(b, f)[2]))) for b, f in zip(betas, fields, strict=True)]
    reach = reach * max(spreads)
    potential = quasi_static(
        eqx.tree_at(lambda o: o.grid, oscillator, work.grid, is_leaf=lambda leaf: leaf is None),
        factor * betas.max(),
        [fields.min() - reach, fields.max() + reach],
    )
    steps = max(2, int(np.ceil(float(horizon) / float(dt) - 1e-9)))
    return Search(potential, jnp.asarray(factor), jnp.asarray(reach), horizon, order, bool(jumps), steps)


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
