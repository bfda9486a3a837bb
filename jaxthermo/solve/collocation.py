"""Limit cycles as boundary-value problems: Radau collocation on a mesh that follows the orbit.

Shooting takes as many explicit steps as the fastest relaxation asks for, which near an infinite period are millions.
Implicit stages on a periodic mesh do not notice: slow passages cost no more than fast ones.
"""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.fixed_point import AutonomousField, implicit
from jaxthermo.solve.stepping import Stepper, sampling, solve_to

STAGES = 5
ITERATIONS = 14
CONVERGED = 1e-11
# In a period much longer than the fastest relaxation rounding moves the orbit along itself, and the steps end there.
STALLED, STALLED_LOG_PERIOD, SMALL_RESIDUAL = 1e-5, 1e-8, 1e-9
# Larger Newton steps leave the region where the guess means anything.
LONGEST_MOVE, LONGEST_LOG_PERIOD_STEP = 0.1, 0.3
SAMPLE_RTOL, SAMPLE_ATOL, SAMPLE_STEPS, SAMPLE_FIRST_STEP = 1e-8, 1e-10, 8192, 1e-4


def _radau(stages: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes, Runge-Kutta matrix and barycentric weights (with the node 0) of Radau IIA, order 2 stages - 1."""
    legendre = np.polynomial.legendre.Legendre
    inner = (legendre.basis(stages) - legendre.basis(stages - 1)).roots()
    nodes = np.sort(0.5 * (1.0 + np.real(inner)))
    nodes[-1] = 1.0
    powers = np.arange(1, stages + 1)
    # sum_j a_ij c_j^(k-1) = c_i^k / k for k = 1..stages.
    matrix = np.linalg.solve((nodes[:, None] ** (powers - 1)).T, (nodes[:, None] ** powers / powers).T).T
    all_nodes = np.append(0.0, nodes)
    gaps = all_nodes[:, None] - all_nodes + np.eye(stages + 1)
    return nodes, matrix, 1.0 / np.prod(gaps, axis=1)


NODES, MATRIX, BARYCENTRIC = _radau(STAGES)


class Loop(eqx.Module):
    """A closed orbit on a mesh: widths of the intervals as shares of the period, states at their stages, ln(period).

    The last stage of an interval is the first point of the next; the last of all is the orbit's base point.
    """

    widths: Float[Array, " intervals"]
    stages: Float[Array, "intervals stages n"]
    log_period: Float[Array, ""]

    def starts(self) -> Float[Array, "intervals n"]:
        return jnp.roll(self.stages[:, -1], 1, axis=0)

    def base(self) -> Float[Array, " n"]:
        return self.stages[-1, -1]


def stage_times(widths: Float[Array, " intervals"]) -> Float[Array, "intervals stages"]:
    """When the stages are passed, as shares of the period."""
    left = jnp.cumsum(widths) - widths
    return left[:, None] + widths[:, None] * jnp.asarray(NODES, widths.dtype)[None]


def close_loop(field: AutonomousField, guess: Loop, args: PyTree) -> tuple[Loop, Float[Array, ""], Bool[Array, ""]]:
    """Newton's method for all stages and the period: the loop, the largest residual, and whether it converged.

    The phase is fixed by (base - guess) . field(guess) = 0.
    """
    normal = field(guess.base(), args)
    normal = normal / jnp.linalg.norm(normal)

    def cond(carry: tuple[Loop, Array, Array, Array, Array]) -> Array:
        _, move, last, log_move, count = carry
        stalled = (move < STALLED) & (move > 0.25 * last) & (log_move < STALLED_LOG_PERIOD)
        return (jnp.maximum(move, log_move) > CONVERGED) & ~stalled & (count < ITERATIONS)

    def body(carry: tuple[Loop, Array, Array, Array, Array]) -> tuple[Loop, Array, Array, Array, Array]:
        loop, last, _, _, count = carry
        phase = jnp.dot(normal, loop.base() - guess.base())
        d_stages, d_log_period, _ = _solve(field, loop, args, _residual(field, loop, args), phase, normal)
        move, log_move = jnp.max(jnp.abs(d_stages)), jnp.abs(d_log_period)
        shrink = jnp.minimum(1.0, LONGEST_MOVE / jnp.maximum(move, 1e-300))
        shrink = jnp.minimum(shrink, LONGEST_LOG_PERIOD_STEP / jnp.maximum(log_move, 1e-300))
        moved = Loop(loop.widths, loop.stages + shrink * d_stages, loop.log_period + shrink * d_log_period)
        return moved, move, last, log_move, count + 1

    far = jnp.full((), jnp.inf, guess.stages.dtype)
    loop, move, _, log_move, _ = jax.lax.while_loop(cond, body, (guess, far, far, far, jnp.zeros((), jnp.int32)))
    residual = jnp.max(jnp.abs(_residual(field, loop, args)))
    return loop, residual, (move < STALLED) & (log_move < STALLED_LOG_PERIOD) & (residual < SMALL_RESIDUAL)


def implicit_loop(field: AutonomousField, loop: Loop, args: PyTree) -> tuple[Loop, Float[Array, "n n"]]:
    """The closed loop as a function of `args`, with derivatives of every order, and the matrix of one turn.

    The second, the derivative of the base point after one turn, has no derivatives.
    """

    def equations(loop: Loop, args: PyTree) -> Array:
        return _residual(field, loop, args)

    def moved(loop: Loop, args: PyTree, forcing: Array) -> Loop:
        def step(residual: Array) -> tuple[Array, Array]:
            d_stages, d_log_period, _ = _solve(field, loop, args, residual, *_held_phase(field, loop, args))
            return d_stages, d_log_period

        # As a tangent, which keeps what is linear in the forcing apart from what is not: reverse mode transposes it.
        _, (d_stages, d_log_period) = jax.jvp(step, (jnp.zeros_like(forcing),), (forcing,))
        return Loop(jnp.zeros_like(loop.widths), d_stages, d_log_period)

    still, fixed = stop_gradient(loop), stop_gradient(args)
    nothing = jnp.zeros_like(still.stages)
    _, _, monodromy = _solve(field, still, fixed, nothing, *_held_phase(field, still, fixed))
    return implicit(equations, moved, still, args), monodromy


def _held_phase(field: AutonomousField, loop: Loop, args: PyTree) -> tuple[Array, Array]:
    """The phase condition of a loop whose base point moves across the flow only: miss and normal."""
    normal = field(loop.base(), args)
    return jnp.zeros((), normal.dtype), normal / jnp.linalg.norm(normal)


def loop_average(observe: Callable[[Array, PyTree], Array], loop: Loop, args: PyTree) -> Float[Array, " m"]:
    """Time average of the observables, by the collocation's own quadrature."""
    values = jax.vmap(jax.vmap(lambda x: observe(x, args)))(loop.stages)
    return jnp.einsum("k,j,kjm->m", loop.widths, jnp.asarray(MATRIX[-1], values.dtype), values)


def _residual(field: AutonomousField, loop: Loop, args: PyTree) -> Float[Array, "intervals stages n"]:
    rates = jax.vmap(jax.vmap(lambda x: field(x, args)))(loop.stages)
    steps = jnp.exp(loop.log_period) * loop.widths
    slopes = jnp.einsum("k,ij,kjn->kin", steps, jnp.asarray(MATRIX, rates.dtype), rates)
    return loop.starts()[:, None] + slopes - loop.stages


def _solve(
    field: AutonomousField, loop: Loop, args: PyTree, residual: Array, phase: Array, normal: Array
) -> tuple[Array, Array, Array]:
    """Newton's update of stages and ln(period), and the monodromy matrix, by condensing each interval.

    Inside an interval the stages follow from its start, ln(period) and the residual; the starts then form a chain that
    closes on itself.
    """
    count, stages, n = loop.stages.shape
    matrix = jnp.asarray(MATRIX, residual.dtype)
    steps = jnp.exp(loop.log_period) * loop.widths
    rates = jax.vmap(jax.vmap(lambda x: field(x, args)))(loop.stages)
    slopes = jax.vmap(jax.vmap(jax.jacfwd(lambda x: field(x, args))))(loop.stages)
    coupling = jnp.einsum("k,ij,kjab->kiajb", steps, matrix, slopes).reshape(count, stages * n, stages * n)
    system = jnp.eye(stages * n, dtype=residual.dtype)[None] - coupling
    from_start = jnp.tile(jnp.eye(n, dtype=residual.dtype), (stages, 1))
    from_period = jnp.einsum("k,ij,kjn->kin", steps, matrix, rates).reshape(count, stages * n, 1)
    sources = jnp.concatenate(
        [jnp.broadcast_to(from_start, (count, stages * n, n)), from_period, residual.reshape(count, stages * n, 1)],
        axis=2,
    )
    response = jnp.linalg.solve(system, sources)

    def link(chain: Array, ends: Array) -> tuple[Array, Array]:
        following = ends[:, :n] @ chain
        return following.at[:, n:].add(ends[:, n:]), chain

    first = jnp.eye(n, n + 2, dtype=residual.dtype)
    last, chains = jax.lax.scan(link, first, response[:, -n:])
    top = jnp.concatenate([last[:, :n] - first[:, :n], last[:, n : n + 1]], axis=1)
    bottom = jnp.append(normal, jnp.zeros((), normal.dtype))
    start = jnp.linalg.solve(jnp.concatenate([top, bottom[None]]), -jnp.append(last[:, n + 1], phase))
    unknown = jnp.append(start, jnp.ones((), start.dtype))
    seeds = jnp.concatenate([chains @ unknown, jnp.broadcast_to(unknown[n:], (count, 2))], axis=1)
    d_stages = jnp.einsum("kim,km->ki", response, seeds).reshape(loop.stages.shape)
    return d_stages, start[n], last[:, :n]


def sample_loop(
    field: AutonomousField, base: Float[Array, " n"], period: Float[Array, ""], args: PyTree, intervals: int
) -> Loop:
    """A guess for `close_loop`: the trajectory from `base` over one period on an even mesh."""
    widths = jnp.full(intervals, 1.0 / intervals, base.dtype)
    # Rounding may put the last stage beyond the end.
    times = jnp.minimum(stage_times(widths).ravel(), 1.0)
    stepper = Stepper(lambda s, x, a: period * field(x, a), args, diffrax.Tsit5(), SAMPLE_RTOL, SAMPLE_ATOL)
    note = sampling(stepper, times, lambda x: x)
    # A base point of NaN, or a period too long, leaves NaN where it was not reached.
    blank = jnp.full((times.shape[0], base.shape[0]), jnp.nan, base.dtype)
    _, states, _ = solve_to(stepper, base, jnp.ones((), base.dtype), SAMPLE_STEPS, blank, note, SAMPLE_FIRST_STEP)
    return Loop(widths, states.reshape(intervals, STAGES, base.shape[0]), jnp.log(period))


def remeshed(field: AutonomousField, loop: Loop, args: PyTree) -> Loop:
    """The same orbit on a mesh with equal shares of arclength, of ln(speed)'s variation, and of time in each interval.

    Arclength resolves the fast turns, ln(speed) the way into and out of a slow passage, time the passage itself.
    """
    period = jnp.exp(loop.log_period)

    def densities(x: Array) -> Array:
        rate = field(x, args)
        acceleration = jax.jvp(lambda y: field(y, args), (x,), (rate,))[1]
        speed = jnp.linalg.norm(rate)
        return jnp.stack([speed, jnp.abs(jnp.dot(rate, acceleration)) / speed**2, 1.0 / period])

    values = jax.vmap(jax.vmap(densities))(loop.stages)
    weights = loop.widths[:, None] * jnp.asarray(MATRIX[-1], values.dtype)[None]
    shares = jnp.einsum("kj,kjm->km", weights, values)
    mass = jnp.sum(shares / jnp.sum(shares, axis=0, keepdims=True), axis=1) / 3.0
    edges = jnp.append(jnp.zeros((), mass.dtype), jnp.cumsum(loop.widths))
    cumulated = jnp.append(jnp.zeros((), mass.dtype), jnp.cumsum(mass))
    wanted = jnp.linspace(0.0, cumulated[-1], mass.shape[0] + 1, dtype=mass.dtype)
    widths = jnp.diff(jnp.interp(wanted, cumulated, edges / edges[-1]))
    return Loop(widths, interpolate(loop, stage_times(widths)), loop.log_period)


def interpolate(loop: Loop, times: Float[Array, "*shape"]) -> Float[Array, "*shape n"]:
    """States at given shares of the period, from the polynomials of the collocation."""
    edges = jnp.cumsum(loop.widths)
    index = jnp.minimum(jnp.searchsorted(edges, times), loop.widths.shape[0] - 1)
    local = (times - (edges - loop.widths)[index]) / loop.widths[index]
    nodes = jnp.asarray(np.append(0.0, NODES), times.dtype)
    gaps = local[..., None] - jnp.broadcast_to(nodes, (*local.shape, nodes.size))
    hit = jnp.abs(gaps) < 1e-12
    share = jnp.broadcast_to(jnp.asarray(BARYCENTRIC, times.dtype), gaps.shape) / jnp.where(hit, 1.0, gaps)
    share = jnp.where(jnp.any(hit, axis=-1, keepdims=True), hit.astype(times.dtype), share)
    share = share / jnp.sum(share, axis=-1, keepdims=True)
    values = jnp.concatenate([loop.starts()[:, None], loop.stages], axis=1)
    return jnp.einsum("...j,...jn->...n", share, values[index])
