"""Large deviations of work, heat and currents of N units at long times: generating and rate functions."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from jaxthermo._results import AbstractResult, quantity, status_over, warn_unless_ok
from jaxthermo._status import Status, status_if
from jaxthermo._types import IntLike, ScalarLike, Stats
from jaxthermo.checks import as_float, require_finite
from jaxthermo.jumps.finite.counting import Count, Counted, Mirror, counted, mirror
from jaxthermo.jumps.finite.distribution import CONVERGED, stationary_distribution
from jaxthermo.jumps.finite.hops import NetworkAtTime, network_at
from jaxthermo.jumps.finite.levels import units_at_rest
from jaxthermo.jumps.finite.perron import Perron, perron
from jaxthermo.jumps.finite.space import Space
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.lean import lean_jit

# Distance of the points between which the slope is taken, in units of 1/max(|f|, 1): errors of order step^4, and of
# those of the eigenvalue over step.
SLOPE_STEP = 4e-3
# The points are that number, and twice it, and so on, so that numbers of like size share one compilation.
FEWEST_POINTS = 4


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

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> found = jt.potts.scaled_cumulant(ring, 2.0, 6, [0.1, -2.1])
        >>> abs(float(found.scaled_cumulant[0] - found.scaled_cumulant[1])) < 1e-9  # lambda(s) = lambda(-beta - s)
        True
    """
    model = network
    network, beta, states = units_at_rest(model, beta, units)
    units = states.units
    points = jnp.atleast_1d(as_float(s))
    if points.ndim != 1 or points.size == 0:
        raise ValueError(f"`s` must be a scalar or one-dimensional and not empty, but has shape {points.shape}")
    require_finite("s", points)
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
