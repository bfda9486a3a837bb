"""Whether a network that cycles by itself follows a periodic drive: rotation number and Lyapunov exponent."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import IntLike, ScalarLike, Stats
from jaxthermo.checks import require_double_for, require_integer, require_positive_scalar
from jaxthermo.jumps.arguments import checked
from jaxthermo.jumps.driven import require_repeats
from jaxthermo.jumps.mean_field import Betas, vector_field
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.occupation import complete, initial_occupation
from jaxthermo.jumps.schedules import Schedule
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.lean import lean_jit

TRANSIENT, PERIODS, STEPS = 100, 200, 100
# A disturbance that has shrunk by exp(-6) over the periods that are looked at was not that of a free phase, which
# only sways.
SHRUNK = 6.0
# The last period again, in half the steps, must end this near.
SAME = 1e-5


class Locking(AbstractResult):
    """How a network that cycles follows its drive; made by `locking`."""

    status: Int[Array, "*batch"]
    stats: Stats
    network: AbstractJumpModel
    betas: Schedule
    period: Float[Array, "*batch"] = quantity("time", "period of the driving")
    rotation_number: Float[Array, "*batch"] = quantity("1", "turns of the network in one period", main=True)
    lyapunov: Float[Array, "*batch"] = quantity("1/time", "largest Lyapunov exponent", main=True)
    locked: Bool[Array, "*batch"] = quantity("1", "whether disturbances decay, also those along the cycle", main=True)
    occupation: Float[Array, "*batch q"] = quantity("1", "occupation P_i in the end", ("state",))
    residual: Float[Array, "*batch"] = quantity("1", "change of the end by half as many steps in the last period")


def locking(
    network: AbstractJumpModel,
    beta: Betas,
    period: ScalarLike,
    p0: ArrayLike | Sequence[ScalarLike] | None = None,
    *,
    transient: IntLike = TRANSIENT,
    periods: IntLike = PERIODS,
    steps: int = STEPS,
) -> Locking:
    """Turns of a periodically driven network per period of the drive, and how fast its disturbances decay.

    Equation   rotation number = (arg z(t_1) - arg z(t_0))/(2 pi n) over n periods, z = sum_k P_k exp(2 pi i k/q), with
               the angle followed without jumps; Lyapunov exponent = ln(|v(t_1)|/|v(t_0)|)/(t_1 - t_0), dv/dt = J v

    network    a `jt.JumpNetwork` or a `jt.PottsRing`
    beta       a number, (R,) numbers, one for each reservoir, a callable of t with either as value, or R schedules
    period     of the driving, a scalar > 0
    p0         occupations at t = 0, (q,), that sum to 1; None for P_1 = 1 - small
    transient  periods before the measurement
    periods    n, those of the measurement
    steps      equal steps of a classical Runge-Kutta scheme in a period
    Units      rotation number: none; exponent: 1/time
    Returns    `Locking`
    Raises     ValueError that names the argument, also where a schedule does not repeat after `period`
    Accuracy   rotation number: 1/n where it is not locked; exponent: about 1/(t_1 - t_0); `residual` above 1e-5 is
               `Status.time_step_too_long`
    Source     Pikovsky, Rosenblum & Kurths, Synchronization (2001), Chapters 7 and 9

    Locked means that the Lyapunov exponent is negative: then the phase follows the drive, and the rotation number is a
    ratio of whole numbers. A phase that is free keeps the exponent 0, and chaos has one above 0. A drive that acts on
    all states of a ring alike does not tell a turn by one state from none, so there ratios with the denominator q are
    the broad ones. There are no derivatives.

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> found = jt.jumps.locking(ring, 4.0, period=10.0, transient=20, periods=50, steps=400)
        >>> round(float(found.rotation_number), 2)  # the period of the free ring is 14.05
        0.71
    """
    network, betas = checked(network, beta)
    require_double_for(1e-12, 1e-12)
    period = require_positive_scalar("period", period)
    steps = require_integer("steps", steps, 8)
    transient, periods = require_integer("transient", transient, 0), require_integer("periods", periods, 1)
    p0 = initial_occupation(network.q, p0)
    require_repeats(network, betas, period)
    counts = jnp.asarray([transient, periods], jnp.int32)
    result = without_derivatives(_measured(network, betas, period, p0, counts, steps), "locking")
    warn_unless_ok(result)
    return result


@lean_jit
def _measured(network: JumpNetwork, betas: Schedule, period: Array, p0: Array, counts: Array, steps: int) -> Locking:
    weights = jnp.asarray(np.exp(2j * np.pi * np.arange(network.q) / network.q))

    def rate(t: Array, x: Array) -> Array:
        return vector_field(t, complete(x), network, betas)[:-1]

    def rates(t: Array, pair: PyTree) -> PyTree:
        return jax.jvp(lambda x: rate(t, x), (pair[0],), (pair[1],))

    def direction(x: Array) -> Array:
        return jnp.dot(complete(x).astype(weights.dtype), weights)

    def step(number: Array, carry: PyTree, h: Array, derivative: PyTree) -> PyTree:
        """One step of the classical scheme of fourth order."""
        t = number.astype(h.dtype) * h
        first = derivative(t, carry)
        second = derivative(t + 0.5 * h, _moved(carry, first, 0.5 * h))
        third = derivative(t + 0.5 * h, _moved(carry, second, 0.5 * h))
        fourth = derivative(t + h, _moved(carry, third, h))
        return jax.tree.map(
            lambda y, a, b, c, d: y + h / 6.0 * (a + 2.0 * (b + c) + d), carry, first, second, third, fourth
        )

    def once(_: Array, carry: PyTree) -> PyTree:
        """One period: the state, a disturbance of length 1, the angle and ln(growth) so far."""
        x, v, angle, grown = carry

        def onward(number: Array, carry: PyTree) -> PyTree:
            pair, angle = carry
            after = step(number, pair, period / steps, rates)
            turned = jnp.angle(direction(after[0]) * jnp.conj(direction(pair[0])))
            return after, angle + turned

        (x, v), angle = jax.lax.fori_loop(0, steps, onward, ((x, v), angle))
        length = jnp.linalg.norm(v)
        return x, v / length, angle, grown + jnp.log(length)

    zero = jnp.zeros((), p0.dtype)
    x, v, _, _ = jax.lax.fori_loop(0, counts[0], once, (p0[:-1], _any_direction(network.q), zero, zero))
    x, v, angle, grown = jax.lax.fori_loop(0, counts[1], once, (x, v, zero, zero))
    fine, _, _, _ = once(counts[0], (x, v, zero, zero))
    coarse = jax.lax.fori_loop(0, steps // 2, lambda k, x: step(k, x, period / (steps // 2), rate), x)
    residual = jnp.max(jnp.abs(fine - coarse))
    count = counts[1].astype(p0.dtype)
    return Locking(
        status=first_problem(
            status_if(~jnp.isfinite(grown), Status.not_finite), status_if(~(residual < SAME), Status.time_step_too_long)
        ),
        stats={"steps": (counts[0] + counts[1]) * steps},
        network=network,
        betas=betas,
        period=period,
        rotation_number=angle / (2.0 * jnp.pi * count),
        lyapunov=grown / (count * period),
        locked=grown < -SHRUNK,
        occupation=complete(x),
        residual=residual,
    )


def _moved(state: PyTree, slope: PyTree, h: Array) -> PyTree:
    return jax.tree.map(lambda y, k: y + h * k, state, slope)


def _any_direction(q: int) -> Float[Array, " n"]:
    """A unit vector along no axis and no symmetry."""
    v = np.cos(1.0 + np.arange(1, q))
    return jnp.asarray(v / np.linalg.norm(v))
