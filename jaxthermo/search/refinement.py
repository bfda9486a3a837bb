"""The search for the cheapest protocol, with time steps that are halved until they no longer decide what it costs."""

import functools
from collections.abc import Callable
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo.search.lbfgs import (
    Minimum,
    SearchState,
    Stopping,
    after_evaluation,
    initial_state,
    minimum_of,
    resumed,
    unfinished,
)
from jaxthermo.search.protocol_cost import Problem, cost
from jaxthermo.search.work_functional import EDGE, LEAST_BOUND, bound_of
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.lanes import one_by_one
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.slices import in_slices

STOPPING = Stopping(max_steps=400, gradient_tolerance=1e-8, value_tolerance=1e-10)
# A search goes on with twice as many time steps, so many times at most, until twice as many change what its protocol
# costs by less than this, in units of 1 + |cost|. Of that a fifteenth is left where the cost has its fourth order.
REFINEMENTS, FINE_ENOUGH = 4, 4e-6
# What may be left where it has not: of the change, and of the error before extrapolation, in case the change is small
# by chance. The largest of 80 random searches needed 1.33 of the one, or a hundredth of the other.
OF_CHANGE, OF_SECOND_ORDER = 1.5, 0.01


class Refinement(eqx.Module):
    """Where a search with ever shorter time steps stands.

    `state` searches with `steps` time steps, from where the search with half as many has ended, `coarse`. Its first
    evaluation checks that end (`checked`): if the cost is the same, all is finished. `value` and `aux` are those of the
    last evaluation, which at the end is the check.
    """

    start: Float[Array, " z"]
    state: SearchState
    coarse: Minimum
    value: Float[Array, ""]
    aux: tuple[Float[Array, ""], Float[Array, ""]]
    steps: Int[Array, ""]
    level: Int[Array, ""]
    checked: Bool[Array, ""]
    finished: Bool[Array, ""]
    evaluations: Int[Array, ""]


def first_refinement(start: Float[Array, " z"], steps: Int[Array, ""]) -> Refinement:
    """Before the first evaluation."""
    state, no, zero = _begin(start), jnp.asarray(False), jnp.zeros((), jnp.int32)
    return Refinement(
        start=start,
        state=state,
        coarse=minimum_of(state, STOPPING),
        value=state.best[1],
        aux=state.best[2],
        steps=steps,
        level=zero,
        checked=no,
        finished=no,
        evaluations=zero,
    )


_first = lean_jit(first_refinement)


def _begin(start: Float[Array, " z"], after: SearchState | None = None) -> SearchState:
    """A search from `start`; one `after` another keeps what that has learnt."""
    aux = jnp.zeros(()), jnp.zeros(())
    return initial_state(start, aux, STOPPING) if after is None else resumed(after, start, aux, STOPPING)


def refined(problem: Problem, start: Float[Array, " z"], steps: int) -> Refinement:
    """The whole search as one program, for use inside jit, vmap and grad; no derivative passes through it."""
    end = one_by_one(functools.partial(_refined, steps=steps), stop_gradient(problem), stop_gradient(start))
    return stop_gradient(end)


def finest(steps: int) -> int:
    """A bound of the time steps of a whole search that begins with `steps`."""
    return max(LEAST_BOUND, bound_of(steps * 2 ** (REFINEMENTS + 1)))


@lean_jit
def _refined(problem: Problem, start: Array, *, steps: int) -> Refinement:
    return _advanced(
        problem, first_refinement(start, jnp.asarray(steps, jnp.int32)), jnp.asarray(2**30, jnp.int32), finest(steps)
    )


def refined_in_rounds(
    problem: Problem, start: Float[Array, " z"], steps: int, tell: Callable[[str], None]
) -> tuple[Refinement, bool]:
    """The same search by short programs from the host; `tell(text)` hears how far it is.

    Also whether a keyboard interrupt has ended it; then it is the best protocol until then, and its check.
    """
    now = last = _first(start, jnp.asarray(steps, jnp.int32))
    while not bool(now.finished):
        # One program serves a search and the check of what it found, with twice as many steps.
        most = max(LEAST_BOUND, bound_of(2 * int(now.steps)))

        def advance(now: Refinement, evaluations: Int[Array, ""], most: int = most) -> Refinement:
            nonlocal last
            now = last = jax.block_until_ready(_advance(problem, now, evaluations, most))
            tell(f"{int(now.steps)} steps, {int(now.evaluations)} propagations, value {float(now.state.best[1]):.9g}")
            return now

        def going(now: Refinement, most: int = most) -> bool:
            return not bool(now.finished) and int(now.steps) <= most

        try:
            now = in_slices(advance, now, going, first=1)
        except KeyboardInterrupt:
            return _checked(problem, last, most), True
    return now, False


def _checked(problem: Problem, now: Refinement, most: int) -> Refinement:
    """The best protocol of a search that is not at its end, propagated once more with steps half as long."""
    if bool(jnp.isfinite(now.state.best[1])):
        found, level = minimum_of(now.state, STOPPING), now.level + 1
        begun, no = _begin(found.point, now.state), jnp.asarray(False)
        now = replace(now, state=begun, coarse=found, steps=2 * now.steps, level=level, checked=no)
    elif int(now.level) == 0:
        raise KeyboardInterrupt
    return _advance(problem, now, jnp.asarray(1, jnp.int32), most)


def _advanced(problem: Problem, now: Refinement, evaluations: Int[Array, ""], most: int) -> Refinement:
    """After so many evaluations more, at the end, or where more than `most` steps are asked for."""
    upper = problem.potential(problem.beta, problem.x)
    limit = now.evaluations + evaluations
    evaluate = jax.value_and_grad(lambda z, steps: cost(problem, z, steps, most), has_aux=True)

    def due(now: Refinement) -> Array:
        return ~now.finished & (now.steps <= most) & (now.evaluations < limit)

    def after(now: Refinement) -> Refinement:
        (value, aux), slope = evaluate(now.state.trial, now.steps)
        return _judged(now, after_evaluation(now.state, value, aux, slope, STOPPING), value, aux, upper)

    return jax.lax.while_loop(due, after, now)


_advance = lean_jit(_advanced)


def time_step_error(refinement: Refinement) -> Float[Array, ""]:
    """A bound of what the time steps of a check have left in its cost."""
    return OF_CHANGE * _change(refinement) + OF_SECOND_ORDER * refinement.aux[0]


def _change(refinement: Refinement) -> Float[Array, ""]:
    return jnp.abs(refinement.value - refinement.coarse.value)


def _judged(now: Refinement, state: SearchState, value: Array, aux: tuple[Array, Array], upper: Array) -> Refinement:
    """Whether the evaluation ends the whole search, or the one with this time step."""
    seen = replace(now, value=value, aux=aux, evaluations=now.evaluations + 1)
    check = (now.level > 0) & ~now.checked
    fine = _change(seen) <= FINE_ENOUGH * (1.0 + jnp.abs(value))
    hopeless = (now.level > REFINEMENTS) | (aux[1] >= EDGE)
    finished = check & (fine | hopeless)
    # Where coarse steps made a protocol seem cheaper than rest, and it is not, the search begins anew.
    state = _where(check & ~finished & (value >= upper), _begin(now.start), state)
    ended = ~finished & ~unfinished(state, STOPPING)
    found = minimum_of(state, STOPPING)
    return replace(
        seen,
        state=_where(ended, _begin(found.point, state), state),
        coarse=_where(ended, found, now.coarse),
        steps=jnp.where(ended, 2 * now.steps, now.steps),
        level=now.level + ended.astype(jnp.int32),
        checked=(now.checked | check) & ~ended,
        finished=finished,
    )


def _where(condition: Array, yes: PyTree, no: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def with_slope(
    value: Float[Array, ""], problem: Problem, z: Float[Array, " z"], steps: Int[Array, ""], most: int
) -> Float[Array, ""]:
    """`value`, which is the cost of the protocol z, with the derivatives of that cost at fixed z, in both modes.

    At the best protocol the cost is stationary, so these are the derivatives of the minimum (envelope theorem). The
    whole gradient is taken by one reverse pass, only where it is asked for; JAX transposes its product with tangents.
    Raises     NotImplementedError for second derivatives, to which the protocol's own change contributes
    """
    inputs, others = eqx.partition(problem, eqx.is_inexact_array)
    integers, static = eqx.partition(others, eqx.is_array)

    def at(inputs: PyTree, integers: PyTree, z: Array, steps: Array) -> PyTree:
        return jax.grad(lambda inputs: cost(eqx.combine(inputs, integers, static), z, steps, most)[0])(inputs)

    @jax.custom_jvp
    def known(inputs: PyTree, rest: PyTree) -> Array:
        return rest[0]

    @known.defjvp
    def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> tuple[Array, Array]:
        inputs, (value, *rest) = primals
        slopes = one_by_one(at, _first_order_only(inputs), *rest)
        parts = jax.tree.map(lambda slope, change: jnp.sum(slope * change), slopes, tangents[0])
        return value, sum(jax.tree.leaves(parts), jnp.zeros(()))

    return known(inputs, stop_gradient((value, integers, z, steps)))


@jax.custom_jvp
def _first_order_only(inputs: PyTree) -> PyTree:
    return inputs


@_first_order_only.defjvp
def _(primals: tuple[PyTree, ...], tangents: tuple[PyTree, ...]) -> PyTree:
    raise NotImplementedError("second derivatives of `minimum_work` are not known: differentiate its value once only")
