"""Fluctuations of work, heat and currents of N units at long times: cumulants, generating and rate functions."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree

from jaxthermo._results import AbstractResult, quantity, status_over, warn_unless_ok
from jaxthermo._status import Status, status_if
from jaxthermo._types import IntLike, ScalarLike, Stats
from jaxthermo.checks import as_float, require_double_for, require_finite, require_integer
from jaxthermo.jumps.arguments import require_constant
from jaxthermo.jumps.finite.counting import Count, Counted, Mirror, counted, mirror
from jaxthermo.jumps.finite.distribution import CONVERGED, LIMIT, Distribution, stationary_distribution
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import NetworkAtTime, network_at
from jaxthermo.jumps.finite.multigrid import cycle, stencil
from jaxthermo.jumps.finite.perron import Perron, perron
from jaxthermo.jumps.finite.space import Space, space
from jaxthermo.jumps.finite.states import require_mesostates
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.solve.constant import without_derivatives
from jaxthermo.solve.krylov import gmres
from jaxthermo.solve.lean import lean_jit

RTOL = 1e-12
# Distance of the points between which the slope is taken, in units of 1/max(|f|, 1): errors of order step^4, and of
# those of the eigenvalue over step.
SLOPE_STEP = 4e-3
# The points are that number, and twice it, and so on, so that numbers of like size share one compilation.
FEWEST_POINTS = 4


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
    Raises     ValueError for impossible parameters, order < 1, more states than memory holds, without double precision
    Source     Lebowitz & Spohn, J. Stat. Phys. 95, 333 (1999); the ratio is >= 1: Barato & Seifert, PRL 114,
               158101 (2015)

    The ratio is NaN where the mean vanishes by symmetry, as at f = 0 with one reservoir and at beta = 0, and without
    the second order. `Status.not_converged` where `residual` is above 1e-9. Cumulants have no derivatives.
    """
    model = network
    network, beta = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    units = require_mesostates(network.q, units, len(network.edges))
    order = require_integer("order", order, 1)
    states = space(network.q, units, network.edges)
    now = network_at(network, beta)
    count = counted(of, now, states)
    found = stationary_distribution(now, states)
    rates, residual = _taylor(now, states, found, order, count.weight)
    orders = np.arange(1, order + 1)
    hops = rates / units
    values = hops * count.scale ** orders.astype(float)
    produced, driven = _produced(now, states, found, values[0] if count.kind is Counted.work else None)
    variance = values[1] if order > 1 else jnp.full_like(values[0], jnp.nan)
    moving = driven & (values[0] != 0)
    ratio = variance * produced / (2.0 * jnp.where(moving, values[0], 1.0) ** 2)
    worst = jnp.maximum(found.residual, residual)
    result = Cumulants(
        status=status_if(~(worst < CONVERGED), Status.not_converged),
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
        uncertainty_ratio=jnp.where(moving, ratio, jnp.nan),
        residual=worst,
        hop_cumulant=hops if count.weight is None else None,
    )
    warn_unless_ok(result)
    return without_derivatives(result, "cumulants")


def _produced(
    now: NetworkAtTime, states: Space, found: Distribution, work: Array | None
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """Entropy production per unit and time of the stationary state, and whether there is any by the parameters."""
    pushed = jnp.any(now.force != 0)
    if now.network.reservoir_count == 1 and work is not None:
        beta = jnp.reshape(now.beta, ())
        return beta * work, pushed & (beta != 0)
    heats = mesoscopic_hops(now, states).booked(found.p, now).heat_currents(now.network) / states.units
    return -jnp.sum(now.beta * heats), pushed | (now.network.reservoir_count > 1)


@lean_jit
def _taylor(
    now: NetworkAtTime, states: Space, found: Distribution, order: int, weight: Array | None
) -> tuple[Float[Array, " order"], Array]:
    """c_1 .. c_order of all units, and the worst residual of the linear solves; `weight` w is 1 if None.

    (L - lambda_0) p_k = sum_j (lambda_j - L_j/j!) p_{k-j} with lambda_0 = 0, sum p_k = 0, and L_j the hops into states
    times w^j, backward ones with the sign (-1)^j.
    """
    hops = mesoscopic_hops(now, states)
    inverse = stencil(hops, states, found.p)
    terms, taylor, worst, factorial = [found.p], [jnp.zeros(())], jnp.zeros(()), 1.0
    traffic = jnp.linalg.norm(hops.outflow() * found.p)
    least = 10.0 * jnp.finfo(found.p.dtype).eps * traffic

    def lifted(p: Array, j: int) -> Array:
        forward, backward = hops.flows(p)
        if weight is not None:
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


class ScaledCumulants(AbstractResult):
    """A scaled cumulant generating function and its rate function; made by `scaled_cumulant`.

    `counted` holds a member of `Counted`: the unit of what is counted is that of energy, of entropy, or 1.
    """

    stats: Stats
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    units: int = eqx.field(static=True)
    counted: Int[Array, "*batch"] = quantity("1", "what is counted", codes=Counted)
    s: Float[Array, "*batch s"] = quantity("1/counted", "conjugate of what is counted", ("s",), coordinate=True)
    status: Int[Array, "*batch s"] = status_over("s")
    scaled_cumulant: Float[Array, "*batch s"] = quantity("1/time", "lim ln <exp(s X)>/(N t)", ("s",), main=True)
    current: Float[Array, "*batch s"] = quantity("counted/time", "current per unit that s makes typical", ("s",))
    rate_function: Float[Array, "*batch s"] = quantity("1/time", "rate function of that current, per unit", ("s",))
    residual: Float[Array, "*batch s"] = quantity("1", "residual of the eigenvector, relative to the traffic", ("s",))


def scaled_cumulant(
    network: AbstractJumpModel,
    beta: Betas,
    units: IntLike,
    s: ArrayLike | Sequence[ScalarLike],
    *,
    of: str | IntLike | Sequence[int | float] = "work",
) -> ScaledCumulants:
    """Scaled cumulant generating function of a current, lambda(s) = lim ln <exp(s X)>/(N t), and its rate function.

    Equation   N lambda(s) is the eigenvalue of largest real part of the generator with forward hops weighted by
               exp(s w), backward ones by exp(-s w), where a hop counts w. `current` x = dlambda/ds (differences of
               fourth order), `rate_function` I(x) = s x - lambda(s): X of a long time t has the probability density
               exp(-N t I(X/(N t))). Work in one reservoir: lambda(s) = lambda(-beta - s); entropy:
               lambda(s) = lambda(-1 - s)

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta       a number, or (R,) numbers, one for each reservoir
    units      N
    s          (points,) or a scalar, 1/(what is counted); results over `s`
    of         "work", "entropy", the number of a reservoir (the heat from it), or (E,) numbers, as in `cumulants`
    Units      per unit and per unit time; k_B = 1
    Raises     ValueError for impossible parameters, more states than memory holds, without double precision
    Source     Lebowitz & Spohn, J. Stat. Phys. 95, 333 (1999)

    The eigenvector is positive, and only one is. `residual` is the largest of those between which the slope is taken,
    relative to the traffic; above 1e-9 the `status` of the point is `Status.not_converged`. There are no derivatives;
    `current` is the one in s.
    """
    model = network
    network, beta = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    units = require_mesostates(network.q, units, len(network.edges))
    points = jnp.atleast_1d(as_float(s))
    if points.ndim != 1 or points.size == 0:
        raise ValueError(f"`s` must be a scalar or one-dimensional and not empty, but has shape {points.shape}")
    require_finite("s", points)
    states = space(network.q, units, network.edges)
    now = network_at(network, jnp.reshape(beta, ()) if network.reservoir_count == 1 else beta)
    count = counted(of, now, states)
    step = SLOPE_STEP / jnp.maximum(jnp.max(jnp.abs(count.each)), 1.0)
    number = max(FEWEST_POINTS, 1 << (len(points) - 1).bit_length())
    padded = jnp.pad(points, (0, number - len(points)), mode="edge")
    p = stationary_distribution(now, states).p
    known = mirror(count, now, states)
    value, residual = _around(now, states, count, known, p, padded, step, jnp.asarray(len(points)))
    value, residual = value[: len(points)] / units, jnp.max(residual[: len(points)], axis=1)
    slope = (8.0 * (value[:, 3] - value[:, 1]) - (value[:, 4] - value[:, 0])) / (12.0 * step)
    result = ScaledCumulants(
        status=status_if(~(residual < CONVERGED), Status.not_converged),
        stats={"states": states.size},
        network=model,
        beta=beta,
        units=units,
        counted=jnp.asarray(int(count.kind), jnp.int32),
        s=points,
        scaled_cumulant=value[:, 2],
        current=slope,
        rate_function=points * slope - value[:, 2],
        residual=residual,
    )
    warn_unless_ok(result)
    return without_derivatives(result, "scaled_cumulant")


@lean_jit
def _around(
    now: NetworkAtTime,
    states: Space,
    count: Count,
    known: Mirror | None,
    p: Array,
    points: Float[Array, " points"],
    step: Array,
    wanted: Array,
) -> tuple[Float[Array, "points five"], Float[Array, "points five"]]:
    """The leading eigenvalue and its residual at each of the first `wanted` points and two steps to either side.

    The eigenvector is known at s = 0, the stationary state, and for some counts at a second s (`mirror`), both with the
    eigenvalue 0. The others are reached from the nearer one, outwards, each from its neighbour's. Left eigenvectors are
    uniform at s = 0 and far from it at the second s, unless vectors are divided by the eigenvector there.
    """
    places = (points[:, None] + step * jnp.arange(-2.0, 3.0)[None]).ravel()
    is_wanted = jnp.repeat(jnp.arange(len(points)) < wanted, 5)
    zero = jnp.zeros(())
    second = [] if known is None else [known]
    origins = jnp.stack([zero, *(at for at, _ in second)])
    starts = jnp.stack([p, *(jnp.ones_like(p) for _ in second)])
    scales = jnp.stack([jnp.zeros_like(p), *(scale for _, scale in second)])
    nearest = jnp.argmin(jnp.abs(places[None] - origins[:, None]), axis=0)
    lines = []
    for anchor in range(len(origins)):
        for side in (places >= origins[anchor], places < origins[anchor]):
            distance = jnp.where((nearest == anchor) & side & is_wanted, jnp.abs(places - origins[anchor]), jnp.inf)
            order = jnp.argsort(distance)
            first = jnp.arange(len(places)) == 0
            lines.append((order, jnp.full(len(places), anchor), first, jnp.isfinite(distance[order])))
    visits, anchors, starting, chosen = (jnp.concatenate(parts) for parts in zip(*lines, strict=True))

    def onward(carry: PyTree, entry: PyTree) -> PyTree:
        place, anchor, first, chosen = entry
        origin = origins[anchor]
        fresh = (jnp.stack([origin, origin]), jnp.zeros(2), starts[anchor])
        (s, values, vector) = jax.tree.map(lambda new, old: jnp.where(first, new, old), fresh, carry)

        def follow() -> tuple[PyTree, Array, Array]:
            apart = s[1] != s[0]
            slope = jnp.where(apart, (values[1] - values[0]) / jnp.where(apart, s[1] - s[0], 1.0), 0.0)
            guess = values[1] + slope * (place - s[1])
            tilt = jnp.exp(place * count.each)
            mode: Perron = perron(now, states, tilt, guess, vector, scales[anchor])
            after = (jnp.stack([s[1], place]), jnp.stack([values[1], mode.value]), mode.x)
            return after, mode.value, mode.residual

        def stay() -> tuple[PyTree, Array, Array]:
            return (s, values, vector), jnp.zeros(()), jnp.zeros(())

        after, value, residual = jax.lax.cond(chosen, follow, stay)
        return after, (value, residual)

    blank = (jnp.zeros(2), jnp.zeros(2), jnp.zeros_like(p))
    _, (value, residual) = jax.lax.scan(onward, blank, (places[visits], anchors, starting, chosen))
    value, residual = (jnp.zeros_like(places).at[visits].add(one).reshape(len(points), 5) for one in (value, residual))
    return value, residual
