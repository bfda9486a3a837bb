"""Jarzynski's equality and Crooks' relation for N units, from the master equation and without sampling."""

from collections.abc import Sequence

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from jaxthermo._results import AbstractResult, quantity, status_over, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import IntLike, Real, ScalarLike, Stats
from jaxthermo.checks import as_float, require_double_for, require_finite, require_positive_scalar
from jaxthermo.jumps.arguments import require_one_reservoir
from jaxthermo.jumps.bookkeeping import along_edges
from jaxthermo.jumps.finite.driving import DrivenNetwork, driven_network
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import NetworkAtTime
from jaxthermo.jumps.finite.space import Space, space
from jaxthermo.jumps.finite.states import log_multiplicity, require_mesostates
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.jumps.schedules import Schedule
from jaxthermo.solve.derivatives import both_modes
from jaxthermo.solve.integrate import integrate, status_of
from jaxthermo.solve.lean import lean_jit

RTOL = 1e-10
MAX_STEPS = 1_000_000
# By how much Crooks' relation may be violated, of what it says.
KEPT = 1e-7


class WorkTheorem(AbstractResult):
    """Exponential averages of the work of a driven process and of its reverse; made by `work_theorem`."""

    stats: Stats
    network: AbstractJumpModel
    betas: Schedule
    coupling: Schedule | None
    t_end: Float[Array, ""]
    units: int = eqx.field(static=True)
    s: Float[Array, " s"] = quantity("1", "exponent", ("s",), coordinate=True)
    status: Int[Array, "*batch s"] = status_over("s")
    forward: Float[Array, "*batch s"] = quantity("1", "<exp(-s w)>", ("s",), main=True)
    backward: Float[Array, "*batch s"] = quantity("1", "<exp(-(1 - s) w)> of the reversed process", ("s",))
    crooks_error: Float[Array, "*batch s"] = quantity("1", "relative violation of Crooks' relation", ("s",))
    partition_ratio: Float[Array, "*batch"] = quantity("1", "Z(t_end)/Z(0) of f = 0")


def work_theorem(
    network: AbstractJumpModel,
    beta: Betas,
    units: IntLike,
    t_end: ScalarLike,
    s: ArrayLike | Sequence[ScalarLike] = (0.5, 1.0),
    *,
    coupling: Schedule | None = None,
) -> WorkTheorem:
    """Averages over all trajectories of a driven process that starts in equilibrium, and of the one run backwards.

    Equation   w = int E dbeta + beta dW, where W is the work of the force and of u(t); `forward` <exp(-s w)> from the
               equilibrium of f = 0 at time 0; `backward` <exp(-(1 - s) w~)> for beta, f, u run from t_end to 0, from
               the equilibrium at t_end. Crooks: forward = Z(t_end)/Z(0) backward; at s = 1 it is Jarzynski's equality

    network    a `jt.JumpNetwork` with one reservoir, or a `jt.PottsRing`
    beta       a number or a callable of t
    units      N
    t_end      time of the end
    s          exponents, (points,) or a number
    coupling   a number or a callable of t in place of an interaction that is a number
    Units      none; w is that of all units
    Raises     ValueError that names the argument; for more states than memory holds, without double precision
    Accuracy   1e-7 of each average; averages so small that the steps lose them break Crooks' relation, and their status
               is `not_converged`
    Source     Jarzynski, PRL 78, 2690 (1997); Crooks, Phys. Rev. E 60, 2721 (1999)

    The averages solve d psi/dt = L psi - s d(beta E)/dt psi, with hops along the force weighted by exp(-s beta f) in L.
    Derivatives in beta, the coupling and the network's numbers are those of the integration, in both modes.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> found = jt.potts.work_theorem(ring, lambda t: 1.0 + 0.1 * t, 4, 2.0)
        >>> crooks = found.forward / found.backward  # Z(t_end)/Z(0), whatever s
        >>> abs(float(crooks[0] / crooks[1]) - 1.0) < 1e-6
        True
    """
    require_double_for(RTOL, RTOL)
    t_end = require_positive_scalar("t_end", t_end)
    model = network
    driven = driven_network(model, beta, coupling, 0.0, t_end)
    network = require_one_reservoir(driven.network)
    units = require_mesostates(network.q, units, len(network.edges))
    points = jnp.atleast_1d(as_float(s))
    require_finite("s", points)
    states = space(network.q, units, network.edges)
    past, future = (log_partition(driven.at(t), states) for t in (jnp.zeros(()), t_end))
    ways = [(points, False), (1.0 - points, True)]
    (forward, first), (backward, second) = (_averages(driven, states, t_end, *way) for way in ways)
    ratio = jnp.exp(future - past)
    violated = forward / (ratio * backward) - 1.0
    result = WorkTheorem(
        # What is far below 1 is lost in the absolute error of the steps; Crooks' relation shows that.
        status=first_problem(first, second, status_if(~(jnp.abs(violated) <= KEPT), Status.not_converged)),
        stats={"states": states.size},
        network=model,
        betas=driven.betas,
        coupling=driven.coupling,
        t_end=t_end,
        units=units,
        s=points,
        forward=forward,
        backward=backward,
        crooks_error=violated,
        partition_ratio=ratio,
    )
    warn_unless_ok(result)
    return result


def log_partition(now: NetworkAtTime, states: Space) -> Float[Array, ""]:
    """ln of the sum of N!/prod N_i! exp(-beta E) over occupation numbers."""
    return logsumexp(log_multiplicity(states.counts) - now.beta * now.energy(states.counts))


@lean_jit
def _averages(
    driven: DrivenNetwork, states: Space, t_end: Float[Array, ""], points: Float[Array, " points"], backwards: bool
) -> tuple[Float[Array, " points"], Int[Array, " points"]]:
    def averages(args: PyTree, constants: PyTree) -> tuple[Array, Array]:
        driven, t_end = args
        points, states = constants

        def at(t: Real) -> NetworkAtTime:
            return driven.at(t_end - t if backwards else t)

        def reduced(t: Real) -> Array:
            now = at(t)
            return now.beta * now.energy(states.counts)

        def rate(t: Real, psi: PyTree, s: Real) -> PyTree:
            now = at(t)
            change = jax.jvp(reduced, (as_float(t),), (jnp.ones(()),))[1]
            tilt = jnp.exp(-s * now.beta * now.force)
            return mesoscopic_hops(now, states).tilted(psi, along_edges(tilt, states.counts)) - s * change * psi

        zero = jnp.zeros(())
        start = jnp.exp(log_multiplicity(states.counts) - reduced(zero) - log_partition(at(zero), states))

        def one(s: Array) -> tuple[Array, Array]:
            solution = integrate(
                rate,
                start,
                s,
                t0=zero,
                t1=t_end,
                saveat=diffrax.SaveAt(t1=True),
                rtol=RTOL,
                atol=RTOL / states.size,
                max_steps=MAX_STEPS,
                solver=diffrax.Tsit5(),
            )
            assert solution.ys is not None
            return jnp.sum(solution.ys[0]), status_of(solution)

        return jax.lax.map(one, points)

    return both_modes(averages, (driven, t_end), (points, states))
