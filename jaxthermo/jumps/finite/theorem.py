"""Jarzynski's equality and Crooks' relation for N units, from the master equation and without sampling."""

from typing import TYPE_CHECKING, Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from jaxthermo.checks import (
    as_float,
    require_double_for,
    require_finite,
    require_positive,
    require_scalar,
)
from jaxthermo.jumps.bookkeeping import along_edges
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import Moment, moment
from jaxthermo.jumps.finite.labels import finite_dataset
from jaxthermo.jumps.finite.schedules import require_schedules
from jaxthermo.jumps.finite.space import Space, space
from jaxthermo.jumps.finite.states import log_multiplicity, require_mesostates
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork, as_network, require_one_reservoir
from jaxthermo.solve.integrate import STATUS, integrate, status_of
from jaxthermo.solve.lean import lean_jit

if TYPE_CHECKING:
    import xarray

RTOL = 1e-10
MAX_STEPS = 1_000_000


def work_theorem(
    network: AbstractJumpModel, beta: Any, units: Any, t_end: Any, s: Any = (0.5, 1.0), *, coupling: Any = None
) -> "xarray.Dataset":
    """Averages over all trajectories of a driven process that starts in equilibrium, and of the one run backwards.

    Equation   w = int E dbeta + beta dW, where W is the work of the force and of u(t); `forward` <exp(-s w)> from the
               equilibrium of f = 0 at time 0; `backward` <exp(-(1 - s) w~)> for beta, f, u run from t_end to 0, from
               the equilibrium at t_end. Crooks: forward = Z(t_end)/Z(0) backward; at s = 1 it is Jarzynski's equality
    Shapes     s: (points,) or a scalar; beta, forces and coupling (None: the network's): numbers or callables of time
    Units      none; w is that of all units
    Raises     ValueError that names the argument; for more states than memory holds, without double precision
    Source     Jarzynski, PRL 78, 2690 (1997); Crooks, Phys. Rev. E 60, 2721 (1999)

    The averages solve d psi/dt = L psi - s d(beta E)/dt psi, with hops along the force weighted by exp(-s beta f) in L.
    """
    require_double_for(RTOL, RTOL)
    t_end = require_scalar("t_end", t_end)
    require_positive("t_end", t_end)
    model = network
    beta = require_schedules(model, beta, coupling, 0.0, t_end)
    network = require_one_reservoir(as_network(model))
    units = require_mesostates(network.q, units, len(network.edges))
    points = jnp.atleast_1d(as_float(s))
    require_finite("s", points)
    states = space(network.q, units, network.edges)
    past, future = (log_partition(moment(network, beta, t, coupling), states) for t in (jnp.zeros(()), t_end))

    forward, status = _averages(network, beta, coupling, states, t_end, points, backwards=False)
    backward, other = _averages(network, beta, coupling, states, t_end, 1.0 - points, backwards=True)
    ratio = jnp.exp(future - past)
    variables = {
        "forward": ("s", forward, "1", "<exp(-s w)>"),
        "backward": ("s", backward, "1", "<exp(-(1 - s) w)> of the reversed process"),
        "crooks_error": ("s", forward / (ratio * backward) - 1.0, "1", "relative violation of Crooks' relation"),
        "partition_ratio": ((), ratio, "1", "Z(t_end)/Z(0) of f = 0"),
    }
    worst = STATUS[max(int(np.max(status)), int(np.max(other)))]
    coords = {"s": ("s", points, "1", "exponent")}
    return finite_dataset(variables, coords, model, beta, units, status=worst, states=states.size)


def log_partition(now: Moment, states: Space) -> Float[Array, ""]:
    """ln of the sum of N!/prod N_i! exp(-beta E) over occupation numbers."""
    return logsumexp(log_multiplicity(states.counts) - now.beta * now.energy(states.counts))


@lean_jit
def _averages(
    network: JumpNetwork,
    beta: Any,
    coupling: Any,
    states: Space,
    t_end: Float[Array, ""],
    points: Float[Array, " points"],
    backwards: bool,
) -> tuple[Float[Array, " points"], Int[Array, " points"]]:
    inner = log_multiplicity(states.counts)

    def at(t: Any) -> Moment:
        return moment(network, beta, t_end - t if backwards else t, coupling)

    def reduced(t: Any) -> Array:
        now = at(t)
        return now.beta * now.energy(states.counts)

    start = jnp.exp(inner - reduced(jnp.zeros(())) - log_partition(at(jnp.zeros(())), states))

    def rate(t: Any, psi: Any, s: Any) -> Any:
        now = at(t)
        change = jax.jvp(reduced, (as_float(t),), (jnp.ones(()),))[1]
        tilt = jnp.exp(-s * now.beta * now.force)
        return mesoscopic_hops(now, states).tilted(psi, along_edges(tilt, states.counts)) - s * change * psi

    def one(s: Array) -> tuple[Array, Array]:
        solution = integrate(
            rate,
            start,
            s,
            t0=jnp.zeros(()),
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
