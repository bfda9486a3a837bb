"""Relaxation rates of the oscillator: the slowest eigenvalues of its generator."""

import heapq

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import IntLike, ScalarLike, Stats
from jaxthermo.brownian.equilibria.equilibria import state_at
from jaxthermo.brownian.oscillator import Oscillator, check_place
from jaxthermo.brownian.potential import Identity
from jaxthermo.brownian.response.disturbance import Disturbed
from jaxthermo.brownian.response.level_modes import LevelModes, modes_by_levels
from jaxthermo.brownian.response.linear import linear_motion
from jaxthermo.brownian.response.meshes import resolved_enough, with_room
from jaxthermo.brownian.response.observables import FunctionOfPosition, Momentum
from jaxthermo.brownian.response.slow_modes import SIZE, slow_modes
from jaxthermo.brownian.states.state import State
from jaxthermo.checks import (
    as_float,
    is_known,
    require_double_for,
    require_integer,
)
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.lean import lean_jit

# Error of an eigenvalue over its modulus.
TOLERANCE = 1e-7
MOST = SIZE // 4
# Up to where closed rates count as equal, over the largest eigenvalue.
DIGIT = 1e-12


class RelaxationRates(AbstractResult):
    """The slowest eigenvalues of the generator, with their errors; made by `jt.relaxation_rates`.

    `stats`: `steps` and `runs` of split steps on the grid, 0 where none was needed; `levels` of H_A and `depth` of the
    hierarchy where the modes were found among levels, else 0.
    """

    status: Int[Array, "*batch"]
    stats: Stats
    oscillator: Oscillator
    tol: Float[Array, "*batch"]
    rate: Float[Array, "*batch modes"] = quantity("1/time", "rate of decay, -Re lambda", ("mode",), main=True)
    frequency: Float[Array, "*batch modes"] = quantity("1/time", "frequency, Im lambda", ("mode",), main=True)
    error: Float[Array, "*batch modes"] = quantity("1/time", "estimated error of lambda", ("mode",), main=True)
    beta: Float[Array, "*batch"] = quantity("1/energy", "inverse temperature of the bath")
    x: Float[Array, "*batch"] = quantity("energy/X", "field x")
    edge: Float[Array, "*batch"] = quantity("1", "largest mode on the rim of the grid over its size")
    coarse: Float[Array, "*batch"] = quantity("1", "largest coefficient of the highest waves over the largest of all")
    tail: Float[Array, "*batch"] = quantity("1", "largest member of the last level over the mode's size")


def relaxation_rates(
    oscillator: Oscillator,
    beta: ScalarLike,
    x: ScalarLike,
    count: IntLike = 2,
    *,
    tol: float = TOLERANCE,
    progress: bool | None = None,
) -> RelaxationRates:
    """The slowest eigenvalues of the generator: rates of relaxation and of escape, frequencies of coherent motion.

    Equation   L V = lambda V among all members without norm; rate = -Re lambda, frequency = Im lambda, by increasing
               rate, both members of a conjugate pair

    oscillator   as `jt.correlation`
    beta, x      inverse temperature, 1/energy, and field; scalars
    count        how many, 1..10
    tol          of the error of each eigenvalue, over its modulus
    progress     as `jt.correlation`
    Returns      a `RelaxationRates` with `rate`, `frequency` and `error`, (count,)
    Raises       ValueError that names the argument; if the oscillator has no grid and jax traces a parameter
    Accuracy     `status` is ok where the stationary state is, the modes are held by grid and hierarchy, and `error` is
                 within the tolerance; else a `JaxthermoWarning` is raised, unless jax traces. `error` adds what the
                 Krylov space leaves, by the condition of each eigenvalue, and the change in the extrapolation to step
                 0; among levels what more levels and a deeper hierarchy have changed
    Source       Risken, The Fokker-Planck Equation (1989), Ch. 10, for the classical modes; Hanggi, Talkner & Borkovec,
                 Rev. Mod. Phys. 62, 251 (1990) for rates of escape

    Two wells that exchange particles at rates k+ and k- relax at the rate k+ + k-, which is the slowest one. At weak
    coupling two quantum wells have coherent motion instead: a pair of modes whose frequency is the splitting of their
    levels over hbar, as the bath changes it, and whose rate is that at which coherence is lost.

    A known quantum oscillator at weak coupling, or with two wells, is solved among the levels of H_A where so few are
    enough that the modes rest; `poles` are those of the bath, the depth is chosen. Elsewhere the modes are found on the
    grid, and those that neither q, q^2 nor p excites are not found. Where forces are linear, and all is known, the
    eigenvalues are sums of those of the closed first moments. No derivatives.

    Example
        >>> import jaxthermo as jt
        >>> oscillator = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0)
        >>> [round(float(rate), 6) for rate in jt.relaxation_rates(oscillator, 1.0, 0.0).rate[:2]]
        [0.5, 0.5]
    """
    beta, x = check_place(oscillator, beta, x)
    require_double_for(tol, tol, "tol")
    count = require_integer("count", count, 1)
    if count > MOST:
        raise ValueError(f"`count` must be <= {MOST}, but is {count}")
    motion = linear_motion(oscillator, beta, x)
    if motion is not None:
        values = _slowest_sums(np.linalg.eigvals(np.asarray(motion.drift)).astype(complex), count)
        return _closed(oscillator, beta, x, LevelModes(values, np.zeros(count), 0, 0), as_float(tol))
    if is_known(jax.tree.leaves(oscillator), beta, x, tol):
        modes = modes_by_levels(oscillator, float(beta), float(x), count, float(tol))
        if modes is not None:
            return _closed(oscillator, beta, x, modes, as_float(tol))
    if not is_known(jax.tree.leaves(oscillator), beta, x):
        # Before the eigenvectors, whose derivatives jax refuses in words of its own.
        oscillator, beta, x = without_derivatives((oscillator, beta, x), "relaxation_rates")
    pair = (FunctionOfPosition(Identity()), Momentum())

    def solve(chosen: Oscillator) -> RelaxationRates:
        return _found(state_at(chosen, beta, x), count, as_float(tol))

    found = with_room("relaxation_rates", oscillator, beta, x, pair, solve, progress)
    warn_unless_ok(found)
    return found


def _slowest_sums(values: Complex[np.ndarray, " z"], count: int) -> Complex[np.ndarray, " modes"]:
    """The `count` slowest sums of eigenvalues, each taken any number of times, at least one in all."""

    # Rates that agree but for rounding are one rate, in any unit of time.
    digit = DIGIT * float(np.abs(values).max())

    def entry(total: complex, last: int) -> tuple[int, float, int, complex]:
        return round(-total.real / digit), -total.imag, last, total

    # Each sum grows by values from its last one on, so that it is met once.
    waiting = [entry(value, i) for i, value in enumerate(values)]
    heapq.heapify(waiting)
    found: list[complex] = []
    while len(found) < count:
        _, _, last, total = heapq.heappop(waiting)
        found.append(total)
        for i in range(last, len(values)):
            heapq.heappush(waiting, entry(total + values[i], i))
    return np.array(found)


def _closed(oscillator: Oscillator, beta: Array, x: Array, modes: LevelModes, tol: Array) -> RelaxationRates:
    """Modes that rest, found without a grid."""
    nothing = jnp.zeros(())
    return RelaxationRates(
        status=first_problem(),
        stats={"steps": np.int32(0), "runs": np.int32(0), "levels": modes.levels, "depth": modes.depth},
        oscillator=oscillator,
        tol=tol,
        rate=as_float(-modes.values.real),
        frequency=as_float(modes.values.imag),
        error=as_float(modes.errors),
        beta=beta,
        x=x,
        edge=nothing,
        coarse=nothing,
        tail=nothing,
    )


@lean_jit
def _found(state: State, count: int, tol: Float[Array, ""]) -> RelaxationRates:
    position, momentum = FunctionOfPosition(Identity()), Momentum()
    temperature = 1.0 / state.beta
    problem = Disturbed(state.oscillator, state.V, temperature, state.x, position, momentum, jnp.zeros(1))
    modes = slow_modes(problem, _mixture(problem), count, tol)
    edge, coarse, tail = modes.held
    status = first_problem(
        state.status,
        status_if(~jnp.all(jnp.isfinite(modes.values)), Status.not_finite),
        status_if(~jnp.all(modes.errors <= tol * jnp.abs(modes.values)), Status.not_converged),
        resolved_enough(state, (position, momentum), edge, coarse, tail),
    )
    return RelaxationRates(
        status=status,
        stats={"steps": modes.steps, "runs": modes.runs, "levels": 0, "depth": 0},
        oscillator=state.oscillator,
        tol=tol,
        rate=-modes.values.real,
        frequency=modes.values.imag,
        error=modes.errors,
        beta=state.beta,
        x=state.x,
        edge=edge,
        coarse=coarse,
        tail=tail,
    )


def _mixture(problem: Disturbed) -> Float[Array, "p n q"]:
    """A field without norm that has a share of odd and of even modes: disturbances by q, q^2 and p."""
    place = (problem.V, problem.equation, problem.temperature)
    position = problem.seen
    shifted = position.symmetrised(*place) - position.mean(*place) * problem.V
    widened = position.symmetrised(shifted, *place[1:])
    widened = widened - position.mean(shifted, *place[1:]) * problem.V
    parts = (shifted, widened, position.after_impulse(*place))
    return sum((part / jnp.linalg.norm(part.reshape(-1)) for part in parts), start=jnp.zeros_like(problem.V))
