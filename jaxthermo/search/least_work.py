"""The non-equilibrium Planck potential: the least work that a protocol from a given state can cost."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, as_codes, first_problem, status_if
from jaxthermo._types import IntLike, ScalarLike
from jaxthermo.brownian.bath import require_one_temperature
from jaxthermo.brownian.driven.arguments import starting_members
from jaxthermo.brownian.equilibria.quasistatic import QuasiStatic
from jaxthermo.brownian.oscillator import Oscillator, check_place
from jaxthermo.brownian.states.information import entropy_error, information_planck
from jaxthermo.brownian.states.state import State
from jaxthermo.checks import is_known, require_integer, require_positive, require_scalar
from jaxthermo.interrupted import Interrupted
from jaxthermo.search.potential_range import potential_around, potential_status, problem_of, require_covered
from jaxthermo.search.protocol_cost import Problem, protocols
from jaxthermo.search.refinement import Refinement, finest, refined, refined_in_rounds, time_step_error, with_slope
from jaxthermo.search.work_functional import EDGE
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.lean import brief_jit, is_traced, lean_jit
from jaxthermo.solve.progress import Line

# Longest step that a search begins with, and the fewest steps it takes.
STEP, FEWEST_STEPS = 0.1, 8
# Spread of the random starts after the first, which is the protocol that rests.
SPREAD = 0.5
# Largest error of the time step in a result that is ok, and what the sums over the mesh miss, in units of 1 + |value|.
RESOLVED, ROUNDING = 1e-5, 1e-9


class MinimumWork(AbstractResult):
    """The non-equilibrium Planck potential of one state, and how it was found; made by `minimum_work`.

    `lower` is None for a quantum oscillator, whose bound is not known. `history` holds the best value at the start and
    after each step of the last search, NaN for steps not taken. `stats`: `solves`, how often the state was propagated
    over the horizon with its gradient, `steps` of the last search, `time_steps` of the last propagation.
    """

    status: Int[Array, "*batch"]
    stats: dict[str, Int[Array, "*batch"]]
    oscillator: Oscillator
    beta: Float[Array, "*batch"]
    x: Float[Array, "*batch"]
    order: int = eqx.field(static=True)
    horizon: Float[Array, "*batch"]
    jumps: bool = eqx.field(static=True)
    value: Float[Array, "*batch"] = quantity("1", "non-equilibrium Planck potential Xi_neq")
    error: Float[Array, "*batch"] = quantity("1", "what the time step may have added to the value or taken from it")
    upper: Float[Array, "*batch"] = quantity("1", "quasi-static Planck potential Xi_qst, the cost of doing nothing")
    lower: Float[Array, "*batch"] | None = quantity("1", "information bound Xi_info, exact for a classical state")
    gradient: Float[Array, "*batch"] = quantity("1", "norm of the gradient where the search ended")
    step_error: Float[Array, "*batch"] = quantity("1", "change by halving the time step, before extrapolation")
    beta_coefficients: Float[Array, "*batch powers"] = quantity(
        "1/energy", "Taylor coefficients of the best beta(t), in units of powers of time", ("power",)
    )
    x_coefficients: Float[Array, "*batch powers"] = quantity(
        "energy/X", "Taylor coefficients of the best x(t), in units of powers of time", ("power",)
    )
    beta_chebyshev: Float[Array, "*batch powers"] = quantity(
        "1/energy", "coefficients of T_j(2 t/horizon - 1) in the best beta(t)", ("degree",)
    )
    x_chebyshev: Float[Array, "*batch powers"] = quantity(
        "energy/X", "coefficients of T_j(2 t/horizon - 1) in the best x(t)", ("degree",)
    )
    last_beta: Float[Array, "*batch"] = quantity("1/energy", "where beta stays after the protocol")
    last_x: Float[Array, "*batch"] = quantity("energy/X", "where x stays after the protocol")
    history: Float[Array, "*batch steps"] = quantity("1", "best value after each step of the search", ("step",))

    @property
    def gap(self) -> Float[Array, "*batch"] | None:
        """What may still be missing to the true minimum: value - lower."""
        return None if self.lower is None else self.value - self.lower

    @property
    def last(self) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """(beta, x) where the best protocol stays after its end."""
        return self.last_beta, self.last_x

    @property
    def solves(self) -> Int[Array, "*batch"]:
        """How often the state was propagated over the horizon with its gradient."""
        return self.stats["solves"]


def minimum_work(
    oscillator: Oscillator,
    state: State,
    beta: ScalarLike,
    x: ScalarLike,
    order: IntLike = 5,
    horizon: ScalarLike = 1.0,
    jumps: bool = False,
    *,
    restarts: IntLike = 0,
    dt: ScalarLike = STEP,
    potential: QuasiStatic | None = None,
    progress: bool | None = None,
) -> MinimumWork:
    """The non-equilibrium Planck potential of a state at (beta, x), by a search for the protocol of minimum work.

    Equation   Xi_neq = min { Xi_qst(beta_end, x_end) + int_0^horizon [U beta' - X x~'] dt }, x~ = beta x, over
               polynomials beta(t), x(t) of this order that start at (beta, x); with jumps also over jumps at both ends,
               which cost U dbeta - X dx~ at frozen state

    oscillator   the one that the state is of
    state        from `jt.equilibrium` or `state_at` of a run
    beta, x      where the protocols start, scalars; 1/energy, and energy per unit of X
    order        of the polynomials, >= 1
    horizon      how long protocols last; time
    jumps        whether beta and x may jump at both ends
    restarts     further searches from random protocols; the first is from the protocol that rests
    dt           longest time step to begin with; it is halved until `error` is small
    potential    Xi_qst, from `jt.search.potential_around(oscillator, betas, fields)`; None: made for this beta and x.
                 Needed for a quantum oscillator where JAX traces beta or x
    progress     whether a line tells how far the search is; None: on a terminal
    Returns      Xi_neq as `value`, a number, with `error`, `upper` and `lower`; see `MinimumWork`
    Raises       ValueError that names the argument; NotImplementedError for second derivatives
    Accuracy     `value` is the cost of the protocol found to within `error`, which is below 1e-5 (1 + |value|) where
                 `status` is ok. `error` is 1.5 times what halving the time step has changed, and a hundredth of
                 `step_error`; where the cost has its fourth order, a tenth of that is left
    Source       Koyanagi & Tanimura 2024, Sec. III.3, with gradients (L-BFGS) in the place of Nelder-Mead

    The search starts from the protocol that rests, whose cost is `upper`, and never ends above it. For a classical
    state `lower` is exact, so that `gap` certifies the value. beta stays within a factor of 4 (quantum: 1.6) of its
    start, and x within 6/(beta sigma_X) (quantum: 1), by construction. Inside jit, vmap and grad the search is one
    program, in which lanes of a vmap run one after another. A keyboard interrupt between two rounds of the search ends
    it with a `jt.Interrupted`, whose `result` has the best protocol until then. `value`, `upper` and `lower` have
    derivatives in both modes, those of the minimum itself, to about 1e-5 of their size, since a search ends where it
    promises to gain less than 1e-10; everything else is held constant.

    Example
        >>> import jaxthermo as jt
        >>> harmonic = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(8.0, 0.4, 8.0, 0.4))
        >>> start = jt.equilibrium(harmonic, beta=1.0, x=0.0)
        >>> found = jt.minimum_work(harmonic, start, beta=1.0, x=0.5, order=1)
        >>> bool(found.lower <= found.value <= found.upper), found.outcome
        (True, 'ok')
    """
    beta, x = check_place(oscillator, beta, x)
    require_one_temperature(oscillator)
    order, restarts = require_integer("order", order, 1), require_integer("restarts", restarts, 0)
    steps = steps_of(horizon, dt)
    V = starting_members(oscillator, state, beta)
    on_grid = oscillator.with_grid(state.grid)
    potential = potential_around(on_grid, beta, x) if potential is None else potential
    problem = _problem_of(on_grid, potential, V, beta, x, require_scalar("horizon", horizon), order, bool(jumps))
    require_covered(problem)
    start_status = state.status
    if is_traced((problem, start_status)):
        result = _in_one_program(problem, restarts, steps, start_status)
    else:
        with Line("minimum_work", progress) as line:
            ends, stopped = [], False
            for z in starting_points(problem, restarts):
                end, stopped = refined_in_rounds(problem, z, steps, line.tell)
                ends.append(end)
                if stopped:
                    break
        best = min(ends, key=lambda end: float(end.value))
        result = _settled(problem, best, [end.evaluations for end in ends], start_status)
        if stopped:
            raise Interrupted("minimum_work", replace(result, status=as_codes(Status.interrupted)))
    warn_unless_ok(result)
    return result


def steps_of(horizon: ScalarLike, dt: ScalarLike) -> int:
    """How many time steps a search begins with."""
    for name, value in (("horizon", horizon), ("dt", dt)):
        if not is_known(value):
            raise ValueError(f"`{name}` must be a known number, since it sets how many time steps are compiled")
        require_positive(name, require_scalar(name, value))
    return max(FEWEST_STEPS, int(np.ceil(float(horizon) / float(dt) - 1e-9)))


def _in_one_program(problem: Problem, restarts: int, steps: int, start_status: Array) -> MinimumWork:
    ends = [refined(problem, z, steps) for z in starting_points(problem, restarts)]
    best, *others = ends
    for other in others:
        best = jax.tree.map(lambda a, b, c=other.value < best.value: jnp.where(c, a, b), other, best)
    value = with_slope(best.value, problem, best.coarse.point, best.steps, finest(steps))
    return settled(
        problem, eqx.tree_at(lambda end: end.value, best, value), [end.evaluations for end in ends], start_status
    )


def settled(
    problem: Problem, end: Refinement, evaluations: list[Int[Array, ""]], start_status: Int[Array, ""]
) -> MinimumWork:
    """What a search has found, judged by the cost of its protocol with steps half as long.

    end            the best of all searches
    evaluations    of each of them
    start_status   of the state that the search starts from
    """
    oscillator, found, again = problem.equation.oscillator, end.coarse, end.value
    upper = problem.potential(problem.beta, problem.x)
    # Resting costs `upper` exactly; a search that gained by errors of the time step only has found nothing better.
    rests = ~(again <= upper)
    missed = time_step_error(end)
    value, error = jnp.where(rests, upper, again), jnp.where(rests, 0.0, missed)
    scale = 1.0 + jnp.abs(value)
    lower, below = None, jnp.asarray(False)
    if not oscillator.quantum:
        lower = information_planck(problem.V, problem.equation, problem.beta, problem.x)
        blur = entropy_error(problem.V, problem.equation)
        below = lower - value > error + blur + ROUNDING * scale
        # Within their errors no cost is below the bound.
        raised = (value < lower) & ~below
        error = jnp.where(raised, jnp.maximum(error, lower - value), error)
        value = jnp.where(raised, lower, value)
    step_error, edge = end.aux
    protocol = protocols(stop_gradient(problem), jnp.where(rests, 0.0, 1.0) * found.point)
    return MinimumWork(
        status=first_problem(
            # A state that is no equilibrium is not the one asked for; what its grid misses is judged by `edge`.
            status_if(start_status == int(Status.not_converged), Status.not_converged),
            potential_status(problem),
            jnp.where(found.status == int(Status.plateau), int(Status.ok), found.status),
            status_if(edge >= EDGE, Status.grid_too_small),
            status_if(missed > RESOLVED * scale, Status.time_step_too_long),
            status_if(below, Status.below_exact_bound),
            found.status,
        ),
        stats={"solves": sum(evaluations, jnp.zeros((), jnp.int32)), "steps": found.steps, "time_steps": end.steps},
        oscillator=oscillator,
        beta=problem.beta,
        x=problem.x,
        order=problem.order,
        horizon=problem.horizon,
        jumps=problem.jumps,
        value=value,
        error=error,
        upper=upper,
        lower=lower,
        gradient=found.gradient,
        step_error=step_error,
        beta_coefficients=protocol.beta.taylor(),
        x_coefficients=protocol.x.taylor(),
        beta_chebyshev=protocol.beta.chebyshev,
        x_chebyshev=protocol.x.chebyshev,
        last_beta=protocol.last_beta,
        last_x=protocol.last_x,
        history=found.history,
    )


_settled, _problem_of = lean_jit(settled), brief_jit(problem_of)


def starting_points(problem: Problem, restarts: int) -> list[Float[Array, " z"]]:
    """The protocol that rests, and random ones around it, the same each time."""
    rng = np.random.default_rng(0)
    random = SPREAD * rng.standard_normal((restarts, problem.parameters))
    return [jnp.asarray(z) for z in (np.zeros(problem.parameters), *random)]
