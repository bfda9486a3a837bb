"""Correlation and response functions of the oscillator in its stationary state."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import ScalarLike, Stats, VectorLike
from jaxthermo.brownian.equilibria.equilibria import state_at
from jaxthermo.brownian.oscillator import Oscillator, check_place
from jaxthermo.brownian.response.disturbance import Disturbed, follow
from jaxthermo.brownian.response.linear import LinearMotion, are_linear, functions_of_time, linear_motion, pace_of
from jaxthermo.brownian.response.meshes import resolved_enough, with_room
from jaxthermo.brownian.response.spectra import Spectrum, described, require_parity
from jaxthermo.brownian.response.transform import FEWEST, transforms
from jaxthermo.brownian.response.weyl import ObservableLike, Pair, pair_of
from jaxthermo.brownian.states.state import State
from jaxthermo.checks import (
    as_float,
    is_known,
    require_double_for,
    require_finite,
    require_times,
)
from jaxthermo.solve.lean import lean_jit

# Error of the time step over the scale of each function.
TOLERANCE = 1e-9
# Error of a transform over its largest value; and by how much of their mean length steps in time may differ.
TRANSFORMED, UNEVEN = 1e-5, 1e-6
# After so many times of friction nothing swings any more.
FORGOTTEN = 30.0


class Correlation(AbstractResult):
    """Two-time functions of A and B in the stationary state; made by `jt.correlation`.

    `symmetrised` is that of the fluctuations A - <A> and B - <B>; add `mean_a` times `mean_b` for the raw one.
    """

    status: Int[Array, "*batch"]
    stats: Stats
    oscillator: Oscillator
    observables: Pair
    tol: Float[Array, "*batch"]
    time: Float[Array, "*batch times"] = quantity("time", "time between B and A", ("time",), coordinate=True)
    symmetrised: Float[Array, "*batch times"] = quantity("A B", "<(A(t) B + B A(t))/2> - <A><B>", ("time",), main=True)
    response: Float[Array, "*batch times"] = quantity("A B/action", "(i/hbar) <[A(t), B]>", ("time",), main=True)
    beta: Float[Array, "*batch"] = quantity("1/energy", "inverse temperature of the bath")
    x: Float[Array, "*batch"] = quantity("energy/X", "field x")
    mean_a: Float[Array, "*batch"] = quantity("A", "<A>")
    mean_b: Float[Array, "*batch"] = quantity("B", "<B>")
    pace: Float[Array, "*batch"] = quantity("1/time", "frequency of quick motion, at the mean curvature of the well")
    step_error: Float[Array, "*batch"] = quantity("1", "estimated error from the time step over the functions' scale")
    edge: Float[Array, "*batch"] = quantity("1", "largest disturbance on the rim of the grid over its first size")
    coarse: Float[Array, "*batch"] = quantity("1", "largest coefficient of the highest waves over the largest of all")
    tail: Float[Array, "*batch"] = quantity("1", "largest member of the last level over the disturbance's first size")

    def spectrum(self) -> Spectrum:
        """Power spectrum and susceptibility by the fast Fourier transform of both functions.

        Equation   S(w) = int exp(i w t) C(t) dt over all t, chi(w) = int_0^inf exp(i w t) chi(t) dt, as `jt.spectrum`

        Returns    a `Spectrum` at the frequencies pi k/T up to pi/8 over the step in time, T the last time
        Raises     ValueError if the times are not evenly spaced from 0 on, or fewer than 20; if an observable is
                   neither even nor odd in p; for a batch (call it inside `jax.vmap`)
        Accuracy   `status` is ok where that of the correlation is, and the error of the sum and what is cut off after T
                   are both below 1e-5 of the largest value (`error` is their sum). "time step too long" asks for closer
                   times, at least one in the time 1/`pace`, "not converged" for later ones

        A part that decays far more slowly than T, and is smaller than the functions still are at T, is not seen there:
        rare hops between two wells that hardly move A. A share a of C(0) with the life tau adds 2 a tau C(0) to S below
        the frequency 1/tau. `jt.spectrum` has it, and `jt.relaxation_rates` tells tau.

        Example
            >>> import numpy as np
            >>> import jaxthermo as jt
            >>> oscillator = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0)
            >>> found = jt.correlation(oscillator, 1.0, 0.0, np.linspace(0.0, 40.0, 401)).spectrum()
            >>> round(float(found.symmetrised[0]), 4), found.outcome  # 2 A^2/(beta k^2)
            (2.0, 'ok')
        """
        if self.time.ndim != 1:
            raise ValueError(f"a spectrum takes one correlation, but `time` has shape {self.time.shape}: use jax.vmap")
        require_parity(self.observables)
        count = self.time.shape[0]
        if count < FEWEST:
            raise ValueError(f"a spectrum needs {FEWEST} times or more, but `ts` has {count}")
        if is_known(self.time) and _uneven(np.asarray(self.time)):
            raise ValueError("`ts` must be evenly spaced and begin at 0 for a spectrum; use `np.linspace(0.0, T, n)`")
        found = _transformed(self)
        warn_unless_ok(found)
        return found


def correlation(
    oscillator: Oscillator,
    beta: ScalarLike,
    x: ScalarLike,
    ts: VectorLike,
    observables: Sequence[ObservableLike] = ("q", "q"),
    *,
    tol: float = TOLERANCE,
    progress: bool | None = None,
) -> Correlation:
    """Correlation and response functions in the stationary state, with the correlations of oscillator and bath.

    Equation   C(t) = <(A(t) B + B A(t))/2> - <A><B>,  chi(t) = (i/hbar) <[A(t), B]>,  t >= 0; classically chi is the
               Poisson bracket -<{A(t), B}>, and chi = -beta dC/dt. B acts on all members of the hierarchy, the result
               moves by their generator, and A is read off

    oscillator    of `jt.quantum_oscillator` or `jt.classical_oscillator`; a grid or a depth left open is chosen, finer
                  than for an equilibrium
    beta          inverse temperature, 1/energy; a scalar
    x             field, energy per unit of X; a scalar
    ts            times of A after B, (times,), increasing, the first one >= 0
    observables   A and B: "q", "p", "X", functions f(q) that jax differentiates (`Polynomial` for polynomials), or
                  functions f(q, p), the Weyl symbols of operators: polynomials in p of degree 4 at most, whose
                  coefficients are any functions of q
    tol           of the error from the time step, over the scale of each function: sqrt(var A var B), and that times
                  the smaller of 2/hbar and beta over the time of crossing the well
    progress      whether a line tells what is being solved; None: on a terminal and in notebooks, if it takes seconds
    Returns       a `Correlation` with `symmetrised` and `response` at `ts`
    Raises        ValueError that names the argument; if the oscillator has no grid and jax traces a parameter
    Accuracy      `status` is ok where the stationary state is, grid and hierarchy hold both disturbances at all times
                  (`edge`, `coarse`, `tail`), and the time step is short enough (`step_error`): then both functions are
                  right to 1e-6 of their scale for this number of poles, and to 1e-8 where forces are linear; else a
                  `JaxthermoWarning` is raised, unless jax traces
    Source        Tanimura, J. Phys. Soc. Jpn. 75, 082001 (2006), Sec. 4 for two-time functions of a hierarchy

    A force f(t) along B, H -> H - f B, moves <A> by int chi(t - s) f(s) ds. Where forces and observables are linear and
    all parameters are known, both functions follow from the closed moments of the hierarchy, at any temperature and
    without a grid (`steps` is then 0). Elsewhere runs with ever shorter split steps are extrapolated to step 0; a bath
    without split flows takes Taylor steps of order 8. Differentiable in beta, x and the
    parameters of the oscillator, in either mode (baths other than `OhmicBath`: forward mode). Windows of
    `SwitchedBaths` rest at t = 0.

    Example
        >>> import jaxthermo as jt
        >>> grid = jt.PhaseGrid(7.0, 0.5, 7.0, 0.5)
        >>> oscillator = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 0.5, poles=1, depth=2, grid=grid)
        >>> found = jt.correlation(oscillator, 1.0, 0.0, [0.0, 1.0, 2.0])
        >>> [round(float(c), 3) for c in found.symmetrised], found.outcome
        ([1.079, 0.608, -0.256], 'ok')
    """
    beta, x = check_place(oscillator, beta, x)
    require_double_for(tol, tol, "tol")
    ts = times_after(ts)
    pair = pair_of(observables, oscillator, beta, x)
    motion = linear_motion(oscillator, beta, x) if are_linear(pair) else None
    if motion is not None:
        return _closed(oscillator, motion, beta, x, ts, pair)

    def solve(chosen: Oscillator) -> Correlation:
        return _correlated(state_at(chosen, beta, x), ts, pair, as_float(tol))

    found = with_room("correlation", oscillator, beta, x, pair, solve, progress)
    warn_unless_ok(found)
    return found


def times_after(ts: VectorLike) -> Float[Array, " times"]:
    """Increasing times from 0 on; one is enough."""
    times = as_float(ts)
    if times.ndim == 1 and times.shape[0] == 1:
        require_finite("ts", times)
    else:
        times = require_times("ts", ts)
    if is_known(times) and np.asarray(times)[0] < 0.0:
        raise ValueError(f"`ts` must not be negative, but begins at {float(times[0])}")
    return times


def _uneven(time: Any) -> Any:
    """Whether times do not begin at 0, or steps differ."""
    steps = time[1:] - time[:-1]
    return (time[0] != 0.0) | (abs(steps / steps.mean() - 1.0) > UNEVEN).any()


@lean_jit
def _transformed(run: Correlation) -> Spectrum:
    even = run.observables[0].sign == run.observables[1].sign
    found = transforms(run.time, jnp.stack([run.symmetrised, run.response]), even)
    # Two looks at the same place of successive turns show no motion, and no differences that would tell.
    step, bath = jnp.mean(run.time[1:] - run.time[:-1]), run.oscillator.bath
    swings = bath.friction_has_memory | (step * bath.friction() / run.oscillator.mass < FORGOTTEN)
    unseen = swings & ~(step * run.pace <= 1.0)
    return described(
        run.oscillator,
        run.beta,
        run.x,
        found.frequency,
        run.observables,
        found.values,
        status=first_problem(
            status_if(_uneven(run.time), Status.invalid_input),
            run.status,
            status_if(unseen | ~(found.rule <= TRANSFORMED), Status.time_step_too_long),
            status_if(~(found.rest <= TRANSFORMED), Status.not_converged),
        ),
        error=found.rule + found.rest,
        held=jnp.stack([run.edge, run.coarse, run.tail]),
    )


def _closed(
    oscillator: Oscillator, motion: LinearMotion, beta: Array, x: Array, ts: Float[Array, " times"], pair: Pair
) -> Correlation:
    values = jnp.stack(functions_of_time(motion.drift, *motion.pair(*pair), ts))
    none, nothing = jnp.zeros((), jnp.int32), jnp.zeros(())
    return Correlation(
        status=first_problem(status_if(~jnp.all(jnp.isfinite(values)), Status.not_finite)),
        stats={"steps": none, "runs": none},
        oscillator=oscillator,
        tol=nothing,
        beta=beta,
        x=x,
        pace=pace_of(oscillator, 1.0 / beta, motion.stiffness),
        step_error=nothing,
        **_series(pair, ts, values, [one.at(motion.center[0]) for one in pair], jnp.zeros(3)),
    )


def _series(pair: Pair, ts: Array, values: Array, means: list[Array], held: Array) -> dict[str, Any]:
    """Both functions, the means of both observables, and how grid and hierarchy held the disturbances."""
    names = ("symmetrised", "response", "mean_a", "mean_b", "edge", "coarse", "tail")
    return {"observables": pair, "time": ts, **dict(zip(names, (*values, *means, *held), strict=True))}


@lean_jit
def _correlated(state: State, ts: Float[Array, " times"], pair: Pair, tol: Float[Array, ""]) -> Correlation:
    problem = Disturbed(state.oscillator, state.V, 1.0 / state.beta, state.x, *pair, ts)
    found = follow(problem, tol)
    status = first_problem(
        state.status,
        status_if(~jnp.all(jnp.isfinite(found.values)), Status.not_finite),
        status_if(~jnp.all(found.errors <= tol), Status.time_step_too_long),
        resolved_enough(state, pair, *found.held),
    )
    return Correlation(
        status=status,
        stats={"steps": found.steps, "runs": found.run + 1},
        oscillator=state.oscillator,
        tol=tol,
        beta=state.beta,
        x=state.x,
        pace=problem.pace(),
        step_error=jnp.max(found.errors),
        **_series(pair, ts, found.values, [problem.mean(one, state.V) for one in pair], found.held),
    )
