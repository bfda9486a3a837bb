"""Fluctuations of work, heat and currents of N units at long times: cumulants, generating and rate functions."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.checks import as_float, require_double_for, require_finite, require_integer
from jaxthermo.flags import coded
from jaxthermo.jumps.bookkeeping import along_edges
from jaxthermo.jumps.finite.distribution import CONVERGED, LIMIT, STATUS, Distribution, stationary_distribution
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import Moment, moment
from jaxthermo.jumps.finite.labels import finite_dataset
from jaxthermo.jumps.finite.multigrid import cycle, stencil
from jaxthermo.jumps.finite.perron import Perron, perron
from jaxthermo.jumps.finite.space import Space, space
from jaxthermo.jumps.finite.states import log_multiplicity, require_mesostates
from jaxthermo.jumps.network import AbstractJumpModel, require_constant, require_one_reservoir
from jaxthermo.solve.krylov import gmres
from jaxthermo.solve.lean import lean_jit

if TYPE_CHECKING:
    import xarray

RTOL = 1e-12
# Distance of the points between which the slope is taken, in units of 1/max(|f|, 1): errors of order step^4, and of
# those of the eigenvalue over step.
SLOPE_STEP = 4e-3


def cumulants(
    network: AbstractJumpModel, beta: Any, units: Any, order: Any = 2, *, of: str | int | Any = "work"
) -> "xarray.Dataset":
    """Cumulants of a current at long times, from the generator: the work, the heat of a reservoir, or net hops.

    Equation   lambda(s) = sum_k c_k s^k/k! is the leading eigenvalue of the generator with forward hops weighted by
               exp(s w), backward ones by exp(-s w), where a hop counts w; its Taylor series follows from one linear
               solve per order. The k-th cumulant of what is counted grows like c_k t.
               Uncertainty ratio: variance x entropy production/(2 mean^2)

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta       a number, or (R,) numbers, one for each reservoir
    units      N
    order      the highest
    of         "work", w = f_e; the number r of a reservoir, w = dE_e - f_e on its edges: the heat from it; or (E,)
               numbers w, which count net hops along edges
    Shapes     over `order`, 1 .. order
    Units      per unit and per unit time; k_B = 1
    Raises     ValueError for impossible parameters, order < 1, more states than memory holds, without double precision
    Source     Lebowitz & Spohn, J. Stat. Phys. 95, 333 (1999); the ratio is >= 1: Barato & Seifert, PRL 114,
               158101 (2015)

    The variables are `work_*`, `heat_*` or `hop_*`; with one force for all edges, the work comes with the net number of
    all hops. The ratio is NaN where the mean vanishes by symmetry, as at f = 0 with one reservoir and at beta = 0, and
    without the second order.
    """
    model = network
    network, beta = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    units = require_mesostates(network.q, units, len(network.edges))
    order = require_integer("order", order, 1)
    states = space(network.q, units, network.edges)
    now = moment(network, beta)
    name, energy, weight, scale = _counted(of, now, states)
    found = stationary_distribution(now, states)
    rates, residual = _taylor(now, states, found, order, weight)
    orders = np.arange(1, order + 1)
    hops = np.asarray(rates) / units
    counted = hops * scale**orders
    produced, driven = _produced(now, states, found, counted[0] if name == "work" else None)
    ratio = counted[1] * produced / (2.0 * counted[0] ** 2) if order > 1 and driven and counted[0] else np.nan
    about = {"work": "work", "heat": f"heat from reservoir {of}", "hop": "net number of hops"}[name]
    mean, spread = ("energy/time", "energy^2/time") if energy else ("1/time", "1/time")
    variables = {
        f"{name}_cumulant": (
            "order",
            counted,
            "energy^order/time" if energy else "1/time",
            f"cumulant of the {about}, per unit and time",
        ),
        f"{name}_current": ((), counted[0], mean, f"mean current of the {about} per unit"),
        f"{name}_variance": (
            (),
            counted[1] if order > 1 else np.nan,
            spread,
            f"variance of the {about}, per unit and time",
        ),
        "entropy_production": ((), produced, "k_B/time", "mean rate of entropy production per unit"),
        "uncertainty_ratio": ((), ratio, "1", "variance x entropy production/(2 mean^2), at least 1"),
    }
    if weight is None:
        variables["hop_cumulant"] = ("order", hops, "1/time", "cumulant of the net number of hops, per unit and time")
    coords = {"order": ("order", orders, "1", "order of the cumulant")}
    worst = max(float(found.residual), float(residual))
    status = STATUS[0 if worst < CONVERGED else 1]
    return finite_dataset(variables, coords, model, beta, units, status=status, residual=worst, states=states.size)


def _counted(of: Any, now: Moment, states: Space) -> tuple[str, bool, Any, float]:
    """Name of what is counted, whether it is an energy, what each hop counts ((E, ..); None: 1), and a factor."""
    network, edges = now.network, len(now.network.edges)
    if isinstance(of, str):
        if of != "work":
            raise ValueError(f'`of` must be "work", the number of a reservoir, or ({edges},) numbers, but is {of!r}')
        one_force = now.force.ndim == 0
        return "work", True, None if one_force else now.force[:, None], float(now.force) if one_force else 1.0
    weights = np.asarray(of)
    if weights.ndim == 0:
        number = require_integer("of", of, 0)
        if number >= network.reservoir_count:
            raise ValueError(f"`of` must be a reservoir below {network.reservoir_count}, but is {number}")
        mine = jnp.asarray(np.asarray(network.reservoirs) == number)[:, None]
        change = now.gain(states.counts.astype(float), states.units) - along_edges(now.force, states.counts)
        return "heat", True, jnp.where(mine, change, 0.0), 1.0
    if weights.shape != (edges,):
        raise ValueError(f"`of` must have shape ({edges},), one number for each edge, but has shape {weights.shape}")
    return "hop", False, as_float(weights)[:, None], 1.0


def _produced(now: Moment, states: Space, found: Distribution, work: Any) -> tuple[float, bool]:
    """Entropy production per unit and time of the stationary state, and whether there is any by the parameters."""
    if now.network.reservoir_count == 1 and work is not None:
        beta = float(jnp.reshape(now.beta, ()))
        return beta * float(work), bool(jnp.any(now.force != 0)) and beta != 0
    heats = mesoscopic_hops(now, states).booked(found.p, now).heat_currents(now.network) / states.units
    return -float(jnp.sum(now.beta * heats)), bool(jnp.any(now.force != 0)) or now.network.reservoir_count > 1


@lean_jit
def _taylor(
    now: Moment, states: Space, found: Distribution, order: int, weight: Any = None
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


def scaled_cumulant(network: AbstractJumpModel, beta: Any, units: Any, s: Any) -> "xarray.Dataset":
    """Scaled cumulant generating function of the work, lambda(s) = lim ln <exp(s W)>/(N t), and its rate function.

    Equation   N lambda(s) is the eigenvalue of largest real part of the generator with forward hops weighted by
               exp(s f_e), backward ones by exp(-s f_e); lambda(s) = lambda(-beta - s). `work_current` w = dlambda/ds
               (differences of fourth order), `rate_function` I(w) = s w - lambda(s): the work W of a long time t has
               the probability density exp(-N t I(W/(N t)))

    network    a `jt.JumpNetwork` with one reservoir or a `jt.PottsRing`, with constant forces
    beta       a number
    units      N
    s          (points,) or a scalar, 1/energy; results over `s`
    Units      per unit and per unit time; k_B = 1
    Raises     ValueError for impossible parameters, more states than memory holds, without double precision
    Source     Lebowitz & Spohn, J. Stat. Phys. 95, 333 (1999)

    The eigenvector is positive, and only one is. `residual` is the largest of those between which the slope is taken,
    relative to the traffic; above 1e-9 the `status` of the point is "not converged".
    """
    model = network
    network, beta = require_constant(model, beta)
    require_double_for(RTOL, RTOL)
    require_one_reservoir(network)
    units = require_mesostates(network.q, units, len(network.edges))
    points = np.atleast_1d(np.asarray(as_float(s)))
    if points.ndim != 1 or points.size == 0:
        raise ValueError(f"`s` must be a scalar or one-dimensional and not empty, but has shape {points.shape}")
    require_finite("s", points)
    states = space(network.q, units, network.edges)
    now = moment(network, jnp.reshape(beta, ()))
    p = stationary_distribution(now, states).p
    step = SLOPE_STEP / max(float(jnp.max(jnp.abs(now.force))), 1.0)
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
    dataset = finite_dataset(variables, coords, model, beta, units, status=worst, states=states.size)
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
                mode = perron(now, states, along_edges(jnp.exp(place * now.force), states.counts), guess, vector, scale)
                found[place], vector = jax.tree.map(np.asarray, mode), mode.x
                past = [*past[-1:], (place, float(mode.value))]
    return found


def _extrapolated(past: list[tuple[float, float]], place: float) -> float:
    (s, value), *rest = reversed(past)
    slope = (value - rest[0][1]) / (s - rest[0][0]) if rest and s != rest[0][0] else 0.0
    return value + slope * (place - s)
