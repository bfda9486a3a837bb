"""Cumulants of work, heat and currents of N units at long times."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import IntLike, Stats
from jaxthermo.checks import require_integer
from jaxthermo.jumps.bookkeeping import along_edges
from jaxthermo.jumps.finite.counting import Count, Counted, counted
from jaxthermo.jumps.finite.distribution import CONVERGED, LIMIT, Distribution, stationary_distribution
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import NetworkAtTime, network_at
from jaxthermo.jumps.finite.levels import RTOL, units_at_rest
from jaxthermo.jumps.finite.multigrid import cycle, stencil
from jaxthermo.jumps.finite.space import Space
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.jumps.rest import currents_at_rest, weights_at_rest
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.krylov import gmres
from jaxthermo.solve.lean import brief_jit, lean_jit

# Largest relative error of mean and entropy production by rounding with which their ratio is given.
LARGEST_ERROR = 1e-3


class Cumulants(AbstractResult):
    """Cumulants of what hops count, per unit and per unit time; made by `cumulants`.

    `counted` holds a member of `Counted`. Where that is an energy, the cumulant of order k has the unit energy^k/time.
    `uncertainty_ratio` is variance x entropy production rate/(2 current^2). `hop_cumulant` are those of the net number
    of all hops, which come with the work where all edges have one force.
    """

    status: Int[Array, "*batch"]
    stats: Stats
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    units: int = eqx.field(static=True)
    counted: Int[Array, "*batch"] = quantity("1", "what is counted", codes=Counted)
    order: Int[Array, " order"] = quantity("1", "order of the cumulant", ("order",), coordinate=True)
    cumulant: Float[Array, "*batch order"] = quantity("counted^order/time", "cumulant, per unit", ("order",), main=True)
    current: Float[Array, "*batch"] = quantity("counted/time", "mean current per unit")
    variance: Float[Array, "*batch"] = quantity("counted^2/time", "variance per unit; NaN without the second order")
    entropy_production_rate: Float[Array, "*batch"] = quantity("k_B/time", "mean rate of entropy production per unit")
    uncertainty_ratio: Float[Array, "*batch"] = quantity("1", "variance x entropy production/(2 mean^2), at least 1")
    residual: Float[Array, "*batch"] = quantity("1", "largest residual, relative to the traffic between states")
    hop_cumulant: Float[Array, "*batch order"] | None = quantity(
        "1/time", "cumulant of the net number of hops, per unit", ("order",), default=None
    )


def cumulants(
    network: AbstractJumpModel,
    beta: Betas,
    units: IntLike,
    order: IntLike = 2,
    *,
    of: str | IntLike | Sequence[int | float] = "work",
) -> Cumulants:
    """Cumulants of a current at long times, from the generator: work, entropy, heat of a reservoir, or net hops.

    Equation   lambda(s) = sum_k c_k s^k/k! is the leading eigenvalue of the generator with forward hops weighted by
               exp(s w), backward ones by exp(-s w), where a hop counts w; its Taylor series follows from one linear
               solve per order. The k-th cumulant of what is counted grows like c_k t.

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta       a number, or (R,) numbers, one for each reservoir
    units      N
    order      the highest
    of         "work", w = f_e; "entropy", w = -beta_r (dE_e - f_e); the number r of a reservoir, w = dE_e - f_e on its
               edges: the heat from it; or (E,) numbers w, which count net hops along edges
    Units      per unit and per unit time; k_B = 1
    Returns    a `Cumulants`: `cumulant`, (order,), from the mean on, and `uncertainty_ratio`, variance x entropy
               production rate/(2 mean^2), which is at least 1
    Raises     ValueError for impossible parameters, order < 1, more states than memory holds, without double precision
    Accuracy   1e-7, where `status` is ok
    Source     Lebowitz & Spohn, J. Stat. Phys. 95, 333 (1999); the ratio is >= 1: Barato & Seifert, PRL 114,
               158101 (2015)

    The ratio is NaN without the second order, and where the mean or the entropy production is nothing but rounding
    errors: in equilibrium, as at f = 0 with one reservoir, at beta = 0, or where nothing flows round.
    `Status.not_converged` where `residual` is above 1e-9; other statuses are those of the stationary state, see
    `mesoscopic_stationary`. Cumulants have no derivatives.

    Example
        >>> import jaxthermo as jt
        >>> pair = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 2.0], -0.6, [0.0, 0.8], [0, 1])
        >>> found = jt.jumps.cumulants(pair, [0.5, 2.0], units=10)
        >>> round(float(found.uncertainty_ratio), 4)  # at least 1
        1.2283
    """
    model = network
    network, beta, states = units_at_rest(model, beta, units)
    units = states.units
    order = require_integer("order", order, 1)
    now = network_at(network, beta)
    count = counted(of, now, states)
    found = stationary_distribution(now, states)
    rates, residual = _taylor(now, states, found, order, count.weight)
    orders = np.arange(1, order + 1)
    hops = rates / units
    values = hops * count.scale ** orders.astype(float)
    produced, is_known = _produced(now, states, found, count, values[0])
    variance = values[1] if order > 1 else jnp.full_like(values[0], jnp.nan)
    ratio = variance * produced / (2.0 * jnp.where(is_known, values[0], 1.0) ** 2)
    worst = jnp.maximum(found.residual, residual)
    result = Cumulants(
        status=first_problem(found.status, status_if(~(worst < CONVERGED), Status.not_converged)),
        stats={"states": states.size},
        network=model,
        beta=beta,
        units=units,
        counted=jnp.asarray(int(count.kind), jnp.int32),
        order=jnp.asarray(orders),
        cumulant=values,
        current=values[0],
        variance=variance,
        entropy_production_rate=produced,
        uncertainty_ratio=jnp.where(is_known, ratio, jnp.nan),
        residual=worst,
        hop_cumulant=hops if count.weight is None else None,
    )
    warn_unless_ok(result)
    return without_derivatives(result, "cumulants")


@brief_jit
def _produced(
    now: NetworkAtTime, states: Space, found: Distribution, count: Count, mean: Float[Array, ""]
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """Entropy production per unit and time of the stationary state; whether it and the mean exceed rounding errors."""
    network = now.network
    flow = mesoscopic_hops(now, states).booked(found.p, now)
    # What all hops count, forward and back, as far as it may be out of balance.
    share = jnp.maximum(found.residual, jnp.finfo(mean.dtype).eps) / states.units / LARGEST_ERROR

    def exceeds(value: Array, each: Array) -> Bool[Array, ""]:
        return jnp.abs(value) > share * jnp.sum(jnp.abs(each) * (flow.forward + flow.backward))

    is_known = exceeds(mean, count.each)
    if network.reservoir_count == 1 and count.kind is Counted.work:
        beta = jnp.reshape(now.beta, ())
        return beta * mean, is_known & (beta != 0)
    *_, produced = currents_at_rest(flow, network, network.betas_at(now.beta, 0.0))
    produced = produced / states.units
    betas = along_edges(network.betas_at(now.beta, 0.0), flow.forward)
    heat = flow.energy_change - along_edges(now.force, flow.forward)
    return produced, is_known & exceeds(produced, betas * heat)


@lean_jit
def _taylor(
    now: NetworkAtTime, states: Space, found: Distribution, order: int, weight: Array | None
) -> tuple[Float[Array, " order"], Array]:
    """c_1 .. c_order of all units, and the worst residual of the linear solves; `weight` w is 1 if None.

    (L - lambda_0) p_k = sum_j (lambda_j - L_j/j!) p_{k-j} with lambda_0 = 0, sum p_k = 0, and L_j the hops into states
    times w^j, backward ones with the sign (-1)^j. What hops may count instead at rest (`weights_at_rest`) has the same
    lambda(s), since the change of a function of the state grows with no time.
    """
    hops = mesoscopic_hops(now, states)
    each = jnp.ones((len(states.edges), 1)) if weight is None else weight
    [weight] = weights_at_rest([each], hops.booked(found.p, now), now.network)
    inverse = stencil(hops, states, found.p)
    terms, taylor, worst, factorial = [found.p], [jnp.zeros(())], jnp.zeros(()), 1.0
    traffic = jnp.linalg.norm(hops.outflow() * found.p)
    least = 10.0 * jnp.finfo(found.p.dtype).eps * traffic

    def lifted(p: Array, j: int) -> Array:
        forward, backward = hops.flows(p)
        forward, backward = weight**j * forward, weight**j * backward
        return hops.into_states(forward) + (-1) ** j * jnp.sum(backward, axis=0)

    results = []
    for k in range(1, order + 1):
        factorial = factorial * k
        drive, share = jnp.zeros_like(found.p), 1.0
        for j in range(1, k + 1):
            share = share / j
            drive = drive + share * lifted(terms[k - j], j)
        taylor.append(jnp.sum(drive))
        results.append(factorial * taylor[k])
        if k == order:
            break
        drive = sum((taylor[j] * terms[k - j] for j in range(1, k + 1)), -drive)
        size = jnp.linalg.norm(drive)
        # Where symmetry makes the drive vanish, as for one unit on a flat ring, what is left is rounding error.
        solved = gmres(hops.apply, lambda r: cycle(inverse, r), drive, jnp.maximum(RTOL * size, least), LIMIT)
        worst = jnp.maximum(worst, solved.residual / jnp.where(size > least, size, traffic))
        terms.append(solved.x - jnp.sum(solved.x) * found.p)
    return jnp.stack(results), worst
