"""What a drive asks of its arguments before it begins, and the members that it begins with."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._types import ScalarLike
from jaxthermo.brownian.grid import same_grid
from jaxthermo.brownian.hierarchy import HierarchyState, equation_on
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.states.state import State
from jaxthermo.brownian.steps.limits import stability_extents, step_limit
from jaxthermo.brownian.steps.propagation import Protocol
from jaxthermo.brownian.steps.split import change_temperature
from jaxthermo.brownian.steps.stepper import SplitStep
from jaxthermo.checks import is_known, require_finite, require_positive, require_positive_scalar
from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.protocols.schedules import value_at
from jaxthermo.solve.lean import brief_jit

# Times from each saved time to the next at which the schedules are looked at before a solve.
SAMPLES = 32


def require_solver(solver: Any) -> None:
    """Raise a ValueError unless the solver is None, `SplitStep`, or an explicit Runge-Kutta method of diffrax."""
    if solver is not None and not isinstance(solver, SplitStep | diffrax.AbstractERK):
        raise ValueError(
            "`solver` must be an explicit Runge-Kutta method of diffrax, such as diffrax.Tsit5(), or SplitStep, "
            f"but is {solver!r}"
        )


def check_protocol(
    oscillator: Oscillator, protocol: Protocol, ts: Float[Array, " times"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Values of beta and x at many times, the first of them ts[0], after refusing impossible ones.

    What a schedule does between these times is met by the solve, which ends with a status where beta is not > 0.
    """
    times, betas, fields = _sampled(protocol, ts)
    require_positive("beta", betas)
    require_finite("x", fields)
    oscillator.bath.check_drive(oscillator.mass, oscillator.hbar, times, betas)
    return betas, fields


@brief_jit
def _sampled(protocol: Protocol, ts: Float[Array, " times"]) -> tuple[Float[Array, " n"], ...]:
    """The times asked for with `SAMPLES` times from each to the next, and both schedules at them."""
    moments = _moments(ts)
    return moments, *(jax.vmap(lambda t, s=s: value_at(s, t))(moments) for s in (protocol.beta, protocol.x))


def _moments(ts: Float[Array, " times"]) -> Float[Array, " n"]:
    parts = jnp.arange(SAMPLES, dtype=ts.dtype) / SAMPLES
    return jnp.append((ts[:-1, None] + (ts[1:] - ts[:-1])[:, None] * parts[None]).ravel(), ts[-1])


def starting_members(oscillator: Oscillator, state: Any, beta: Any) -> HierarchyState:
    """The members of a state, written for the temperature it is to meet; ValueError if it is another oscillator's."""
    if not isinstance(state, State):
        raise ValueError(
            f"`state` must come from jt.equilibrium or from a run's state_at, but is {type(state).__name__}"
        )
    if oscillator.grid is not None and not same_grid(oscillator.grid, state.grid):
        raise ValueError(f"`state` must be on the oscillator's grid {oscillator.grid}, but is on {state.grid}")
    own, given = oscillator.bath, state.oscillator.bath
    # The members are measured in units of the bath's noise, so they mean something else in another bath.
    if not (_shape(own) == _shape(given) and _same(own, given)):
        raise ValueError("`state` must come from the oscillator's own bath, but its bath has other parameters")
    if not _same(oscillator.hbar, state.oscillator.hbar):
        raise ValueError("`state` must come from an oscillator with the same hbar, but its hbar differs")
    if not len(own.own_betas()) and not (is_known(state.beta, beta) and float(state.beta) == float(beta)):
        return _rewritten(oscillator, state, jnp.asarray(beta))
    return state.V


@brief_jit
def _rewritten(oscillator: Oscillator, state: State, beta: Float[Array, ""]) -> HierarchyState:
    """The members of a state, written for another temperature."""
    return change_temperature(state.V, equation_on(oscillator, state.grid), 1.0 / state.beta, 1.0 / beta)


def _shape(bath: Any) -> Any:
    return jax.tree.structure(bath)


def _same(a: Any, b: Any) -> bool:
    """Whether all arrays agree, as far as they are known."""
    pairs = zip(jax.tree.leaves(eqx.filter(a, eqx.is_array)), jax.tree.leaves(eqx.filter(b, eqx.is_array)), strict=True)
    return all(not is_known(x, y) or np.array_equal(np.asarray(x), np.asarray(y)) for x, y in pairs)


def solver_for(oscillator: Oscillator, solver: diffrax.AbstractSolver | None) -> diffrax.AbstractSolver | None:
    """The solver given; Tsit5 where none is and the bath has no flows for split steps."""
    return diffrax.Tsit5() if solver is None and oscillator.bath.flows() is None else solver


def stable_step(
    oscillator: Oscillator,
    solver: diffrax.AbstractSolver | None,
    ts: Float[Array, " times"],
    betas: Float[Array, " n"],
    fields: Float[Array, " m"],
) -> Float[Array, ""] | None:
    """The longest step at which a solver is stable at the extremes of temperature and field; None: at every one.

    A bath behind a window is damping and noise at some times only, so many times are looked at.
    """
    if solver is None or isinstance(solver, SplitStep):
        return None
    return _stable_step(oscillator, stability_extents(solver), ts, betas, fields)


@brief_jit
def _stable_step(
    oscillator: Oscillator, extents: tuple[float, float], ts: Array, betas: Array, fields: Array
) -> Float[Array, ""]:
    equation = equation_on(oscillator)
    corners = [(1.0 / b, x) for b in (betas.min(), betas.max()) for x in (fields.min(), fields.max())]

    def at(t: Array) -> Array:
        return jnp.min(jnp.stack([step_limit(equation, T, x, extents, t) for T, x in corners]))

    return jnp.min(jax.vmap(at)(_moments(ts)))


def checked_steps(
    oscillator: Oscillator,
    solver: diffrax.AbstractSolver | None,
    steps: int | None,
    first: Int[Array, ""],
    cycle: AbstractCycle,
    times: Float[Array, " times"],
) -> Int[Array, ""]:
    """Fixed steps to each of the times of a cycle: those asked for, or where it is None `first` or more, so many that
    the solver is stable; ValueError that names `steps` if they are known to be too few for that.
    """
    limit = stable_step(oscillator, solver, times, *cycle.bounds())
    if limit is None:
        return first if steps is None else jnp.asarray(steps, jnp.int32)
    least = jnp.ceil(jnp.max(jnp.diff(times)) / limit - 1e-9).astype(jnp.int32)
    if steps is None:
        return jnp.maximum(first, least)
    if is_known(least) and steps < int(least):
        raise ValueError(
            f"`steps` must be >= {int(least)} for {type(solver).__name__} to be stable on this grid, but is {steps}; "
            "leave `steps` out"
        )
    return jnp.asarray(steps, jnp.int32)


def checked_step(
    oscillator: Oscillator,
    solver: diffrax.AbstractSolver | None,
    dt: ScalarLike,
    ts: Float[Array, " times"],
    betas: Float[Array, " n"],
    fields: Float[Array, " m"],
) -> Float[Array, ""]:
    """A fixed step as an array; ValueError that names `dt` if an explicit solver is known to be unstable at it."""
    step = require_positive_scalar("dt", dt)
    limit = stable_step(oscillator, solver, ts, betas, fields)
    if limit is not None and is_known(step, limit) and float(step) > float(limit):
        name = type(solver).__name__
        raise ValueError(
            f"`dt` must be <= {float(limit):.3g} for {name} to be stable on this grid, but is {float(step):.3g}; "
            "use SplitStep"
        )
    return step
