"""Fluctuations of the work of N units at long times: cumulants, their generating function, the rate function."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.checks import as_float, require_double_for, require_finite, require_integer
from jaxthermo.flags import coded
from jaxthermo.potts.finite.distribution import CONVERGED, LIMIT, STATUS, Distribution, stationary_distribution
from jaxthermo.potts.finite.generator import mesoscopic_hops
from jaxthermo.potts.finite.hops import Moment, moment
from jaxthermo.potts.finite.labels import finite_dataset
from jaxthermo.potts.finite.multigrid import cycle, stencil
from jaxthermo.potts.finite.perron import Perron, perron
from jaxthermo.potts.finite.space import Space, space
from jaxthermo.potts.finite.states import log_multiplicity, require_mesostates
from jaxthermo.potts.ring import PottsRing, require_autonomous
from jaxthermo.solve.krylov import gmres
from jaxthermo.solve.lean import lean_jit

if TYPE_CHECKING:
    import xarray

RTOL = 1e-12
# Distance of the points between which the slope is taken, in units of 1/max(|f|, 1): errors of order step^4, and of
# those of the eigenvalue over step.
SLOPE_STEP = 4e-3


def cumulants(ring: PottsRing, beta: Any, units: Any, order: Any = 2) -> "xarray.Dataset":
    """Cumulants of the work and of the net number of hops at long times, from the generator.

    Equation   lambda(s) = sum_k c_k s^k/k! is the leading eigenvalue of the generator with forward hops weighted by
               exp(s); its Taylor series follows from one linear solve per order. The k-th cumulant of the hops grows
               like c_k t, that of the work like f^k c_k t. Uncertainty ratio: variance x entropy production/(2 mean^2)
    Shapes     over `order`, 1 .. order
    Units      per unit of the ring and per unit time; k_B = 1
    Raises     ValueError for impossible parameters, order < 1, more states than memory holds, without double precision
    Source     Lebowitz & Spohn, J. Stat. Phys. 95, 333 (1999); the ratio is >= 1: Barato & Seifert, PRL 114,
               158101 (2015)

    The ratio is NaN at f = 0 and at beta = 0, where mean and entropy production vanish together, and without the second
    order.
    """
    beta = require_autonomous(ring, beta)
    require_double_for(RTOL, RTOL)
    units = require_mesostates(ring.q, units)
    order = require_integer("order", order, 1)
    states = space(ring.q, units)
    now = moment(ring, beta)
    found = stationary_distribution(now, states)
    rates, residual = _taylor(now, states, found, order)
    orders = np.arange(1, order + 1)
    hops = np.asarray(rates) / units
    work = hops * float(now.force) ** orders
    produced = float(beta) * work[0]
    driven = now.force != 0 and beta != 0
    ratio = work[1] * produced / (2.0 * work[0] ** 2) if order > 1 and driven else np.nan
    variables = {
        "work_cumulant": ("order", work, "energy^order/time", "cumulant of the work, per unit and time"),
        "hop_cumulant": ("order", hops, "1/time", "cumulant of the net number of hops, per unit and time"),
        "work_current": ((), work[0], "energy/time", "mean work current per unit"),
        "work_variance": (
            (),
            work[1] if order > 1 else np.nan,
            "energy^2/time",
            "variance of the work, per unit and time",
        ),
        "entropy_production": ((), produced, "k_B/time", "mean rate of entropy production per unit"),
        "uncertainty_ratio": ((), ratio, "1", "variance x entropy production/(2 mean^2), at least 1"),
    }
    coords = {"order": ("order", orders, "1", "order of the cumulant")}
    worst = max(float(found.residual), float(residual))
    status = STATUS[0 if worst < CONVERGED else 1]
    return finite_dataset(variables, coords, ring, beta, units, status=status, residual=worst, states=states.size)


@lean_jit
def _taylor(now: Moment, states: Space, found: Distribution, order: int) -> tuple[Float[Array, " order"], Array]:
    """c_1 .. c_order of all units, and the worst residual of the linear solves.

    (L - lambda_0) p_k = sum_j (lambda_j - L_j/j!) p_{k-j} with lambda_0 = 0, sum p_k = 0, and L_j the hops into states,
    those against the force with the sign (-1)^j.
    """
    hops = mesoscopic_hops(now, states)
    inverse = stencil(hops, states, found.p)
    terms, taylor, worst, factorial = [found.p], [jnp.zeros(())], jnp.zeros(()), 1.0

    def lifted(p: Array, j: int) -> Array:
        forward, backward = hops.flows(p)
        return hops.into_states(forward) + (-1) ** j * jnp.sum(backward, axis=0)

    results = []
    for k in range(1, order + 1):
        factorial = factorial * k
        drive, weight = jnp.zeros_like(found.p), 1.0
        for j in range(1, k + 1):
            weight = weight / j
            drive = drive + weight * lifted(terms[k - j], j)
        taylor.append(jnp.sum(drive))
        results.append(factorial * taylor[k])
        if k == order:
            break
        drive = sum((taylor[j] * terms[k - j] for j in range(1, k + 1)), -drive)
        size = jnp.linalg.norm(drive)
        solved = gmres(hops.apply, lambda r: cycle(inverse, r), drive, RTOL * size, LIMIT)
        worst = jnp.maximum(worst, solved.residual / jnp.where(size > 0, size, 1.0))
        terms.append(solved.x - jnp.sum(solved.x) * found.p)
    return jnp.stack(results), worst


def scaled_cumulant(ring: PottsRing, beta: Any, units: Any, s: Any) -> "xarray.Dataset":
    """Scaled cumulant generating function of the work, lambda(s) = lim ln <exp(s W)>/(N t), and its rate function.

    Equation   N lambda(s) is the eigenvalue of largest real part of the generator with forward hops weighted by
               exp(s f), backward ones by exp(-s f); lambda(s) = lambda(-beta - s). `work_current` w = dlambda/ds
               (differences of fourth order), `rate_function` I(w) = s w - lambda(s): the work W of a long time t has
               the probability density exp(-N t I(W/(N t)))
    Shapes     s: (points,) or a scalar, 1/energy; results over `s`
    Units      per unit of the ring and per unit time; k_B = 1
    Raises     ValueError for impossible parameters, more states than memory holds, without double precision
    Source     Lebowitz & Spohn, J. Stat. Phys. 95, 333 (1999)

    The eigenvector is positive, and only one is. `residual` is the largest of those between which the slope is taken,
    relative to the traffic; above 1e-9 the `status` of the point is "not converged".
    """
    beta = require_autonomous(ring, beta)
    require_double_for(RTOL, RTOL)
    units = require_mesostates(ring.q, units)
    points = np.atleast_1d(np.asarray(as_float(s)))
    if points.ndim != 1 or points.size == 0:
        raise ValueError(f"`s` must be a scalar or one-dimensional and not empty, but has shape {points.shape}")
    require_finite("s", points)
    states = space(ring.q, units)
    now = moment(ring, beta)
    p = stationary_distribution(now, states).p
    step = SLOPE_STEP / max(abs(float(now.force)), 1.0)
    wanted = np.unique(np.concatenate([points + shift * step for shift in range(-2, 3)]))
    modes = _along(now, states, p, wanted)

    def at(places: np.ndarray) -> np.ndarray:
        return np.array([float(modes[place].value) / units for place in places])

    value = at(points)
    near, far = (at(points + shift * step) - at(points - shift * step) for shift in (1, 2))
    slope = (8.0 * near - far) / (12.0 * step)
    residual = np.array([max(float(modes[s + shift * step].residual) for shift in range(-2, 3)) for s in points])
    variables = {
        "scaled_cumulant": ("s", value, "1/time", "lim ln <exp(s W)>/(N t)"),
        "work_current": ("s", slope, "energy/time", "work current per unit that s makes typical"),
        "rate_function": ("s", points * slope - value, "1/time", "rate function of that work current, per unit"),
        "residual": ("s", residual, "1", "residual of the eigenvector, relative to the traffic"),
        "status": ("s", (residual > CONVERGED).astype(np.int32), "1", "whether the eigenvector was found"),
    }
    coords = {"s": ("s", points, "1/energy", "conjugate of the work")}
    worst = STATUS[int(variables["status"][1].max())]
    dataset = finite_dataset(variables, coords, ring, beta, units, status=worst, states=states.size)
    dataset["status"].attrs |= coded(STATUS)
    return dataset


def _along(now: Moment, states: Space, p: Array, places: np.ndarray) -> dict[float, Perron]:
    """The leading mode at every s, each started from its neighbour's.

    Two are known: the stationary state at s = 0, and the equilibrium state of f = 0 at s = -beta, both with the
    eigenvalue 0. The others are reached from the nearer one, outwards. Left eigenvectors are uniform at s = 0 and far
    from it at s = -beta, unless vectors are divided by the equilibrium state.
    """
    end = -float(now.beta)
    from_end = np.abs(places - end) < np.abs(places)
    equilibrium = log_multiplicity(states.counts) - now.beta * now.energy(states.counts)
    anchors = (
        (0.0, p, jnp.zeros_like(p), ~from_end),
        (end, jnp.ones_like(p), equilibrium, from_end),
    )
    found: dict[float, Perron] = {}
    for origin, start, scale, chosen in anchors:
        for side in (places >= origin, places < origin):
            line = sorted(places[chosen & side].tolist(), key=lambda s: abs(s - origin))
            past, vector = [(origin, 0.0)], start
            for place in line:
                guess = as_float(_extrapolated(past, place))
                mode = perron(now, states, jnp.exp(place * now.force), guess, vector, scale)
                found[place], vector = jax.tree.map(np.asarray, mode), mode.x
                past = [*past[-1:], (place, float(mode.value))]
    return found


def _extrapolated(past: list[tuple[float, float]], place: float) -> float:
    (s, value), *rest = reversed(past)
    slope = (value - rest[0][1]) / (s - rest[0][0]) if rest and s != rest[0][0] else 0.0
    return value + slope * (place - s)
