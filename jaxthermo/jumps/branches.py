"""Branches of fixed points through their folds."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree

from jaxthermo._results import quantity, warn_unless_ok
from jaxthermo._status import Status, status_if
from jaxthermo._types import ScalarLike
from jaxthermo.checks import is_known, require_double_for, require_integer, require_scalar
from jaxthermo.jumps.arguments import require_constant
from jaxthermo.jumps.folds import scaled_field
from jaxthermo.jumps.mean_field import AbstractFlowResult, Betas, thermodynamics
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.occupation import complete, field, initial_occupation
from jaxthermo.solve.arclength import ArclengthState, advance_curve, start_curve
from jaxthermo.solve.attractor import MARGINAL
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.fixed_point import newton
from jaxthermo.solve.lean import brief_jit
from jaxthermo.solve.linear import is_stable

ALONG = ("beta", "force")
POINTS, LONGEST = 400, 0.03


class Branch(AbstractFlowResult):
    """A branch of fixed points, step by step; see `branch`.

    Under a jax transformation it has as many steps as were allowed, and those beyond its end are NaN.
    """

    status: Int[Array, "*batch"]
    stats: dict[str, Array]
    network: AbstractJumpModel
    along: str = eqx.field(static=True)
    beta: Float[Array, "*batch step"] = quantity("1/energy", "inverse temperature of reservoir 0", ("step",), main=True)
    forces: Float[Array, "*batch step edges"] = quantity("energy", "force of each edge", ("step", "edge"))
    occupation: Float[Array, "*batch step q"] = quantity("1", "occupation P_i", ("step", "state"))
    work_current: Float[Array, "*batch step"] = quantity("energy/time", "work of the forces per unit time", ("step",))
    heat_currents: Float[Array, "*batch step reservoirs"] = quantity(
        "energy/time", "heat current from each reservoir", ("step", "reservoir")
    )
    entropy_production_rate: Float[Array, "*batch step"] = quantity("k_B/time", "rate of entropy production", ("step",))
    stable: Bool[Array, "*batch step"] = quantity("1", "whether every perturbation decays", ("step",))
    fold: Bool[Array, "*batch step"] = quantity("1", "first point after a turn in the parameter", ("step",))

    @property
    def force(self) -> Float[Array, "*batch step"]:
        """The force of the first edge: that of all, where the branch was followed in it."""
        return self.forces[..., 0]


def branch(
    network: AbstractJumpModel,
    beta: Betas,
    p0: ArrayLike | Sequence[ScalarLike] | None = None,
    *,
    along: str = "beta",
    low: ScalarLike,
    high: ScalarLike,
    upward: bool = False,
    points: int = POINTS,
    longest: ScalarLike = LONGEST,
) -> Branch:
    """The branch of fixed points through a given one, followed in beta or in the force through its folds.

    Equation   F(P, parameter) = 0, stepped in arclength of (P_1 .. P_{q-1}, ln beta) or (P_1 .. P_{q-1}, f)

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta       where the branch starts, a number or (R,) numbers, one for each reservoir, which keep their ratios
    p0         (q,), a guess for Newton's method there, None for P_1 = 1
    along      "beta" (that of reservoir 0) or "force", which must be one for all edges
    low, high  between which values of it the branch is followed
    upward     whether it first heads for larger values of the parameter, and not for smaller ones
    points     steps after which it ends
    longest    length of a step, in the arclength of the equation
    Units      in the labels of the result
    Raises     ValueError if no fixed point is found near `p0`, for impossible parameters, without double precision
    Source     pseudo-arclength: Keller, in Applications of Bifurcation Theory (1977)

    It ends outside [low, high], after `points` steps, or where the curve cannot be followed. `fold` marks the first
    point after each turn in the parameter; `stable` is the stability of the point against all perturbations. Under a
    jax transformation a start without a fixed point has `Status.not_converged`. There are no derivatives.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> found = jt.jumps.branch(ring, 8.0, low=5.0, high=9.0, points=60)
        >>> round(float(found.beta[found.fold][0]), 2)  # near jt.potts.fold_beta(ring), 6.1069
        6.11
    """
    model = network
    network, betas = require_constant(model, beta)
    require_double_for(1e-13, 1e-13)
    if along not in ALONG:
        raise ValueError(f"`along` must be one of {', '.join(ALONG)}, but is {along!r}")
    points = require_integer("points", points, 1)
    low, high = require_scalar("low", low), require_scalar("high", high)
    if along == "force" and network.forces_at(0.0).ndim:
        raise ValueError('`along` must not be "force", since every edge has its own')
    first = jnp.ravel(betas)[0] if along == "beta" else network.forces_at(0.0)
    if is_known((first, low, high)) and not low <= first <= high:
        raise ValueError(f"`low` and `high` must hold the start's {along} = {first}, but are {low} and {high}")
    guess = initial_occupation(network.q, p0)
    step = require_scalar("longest", longest)
    model, betas, step = without_derivatives((model, betas, step), "branch")
    result, kept = _follow(model, betas, guess, step, (low, high), along, 1.0 if upward else -1.0, points)
    if is_known(result.status):
        if not bool(result.ok):
            raise ValueError(
                f"`p0` must be near a fixed point, but Newton's method found none at beta = {np.asarray(betas)}"
            )
        result = _shortened(result, np.asarray(kept))
    warn_unless_ok(result)
    return result


ALONG_STEPS = (
    "beta",
    "forces",
    "occupation",
    "work_current",
    "heat_currents",
    "entropy_production_rate",
    "stable",
    "fold",
)


def _shortened(result: Branch, kept: np.ndarray) -> Branch:
    """The branch without what lies beyond its end."""

    shorter = [getattr(result, name)[kept] for name in ALONG_STEPS]
    return eqx.tree_at(lambda branch: [getattr(branch, name) for name in ALONG_STEPS], result, shorter)


@brief_jit
def _follow(
    model: AbstractJumpModel,
    betas: Array,
    guess: Array,
    longest: Array,
    window: tuple[Array, Array],
    along: str,
    direction: float,
    points: int,
) -> tuple[Branch, Array]:
    """Every point of the branch, and which of them are within the window."""
    network = model.network
    first = jnp.ravel(betas)[0]

    def at(parameter: Array) -> tuple[JumpNetwork, Array]:
        if along == "beta":
            return network, jnp.exp(parameter) * (betas / first)
        return _with_force(network, parameter), betas

    def equations(y: Array, _: object) -> Array:
        return scaled_field(y[:-1], *at(y[-1]))

    parameter = jnp.log(first) if along == "beta" else network.forces_at(0.0)
    x, _, found, _ = newton(lambda x, _: equations(jnp.append(x, parameter), None), guess[:-1], None)
    front = start_curve(equations, jnp.append(x, parameter), None, direction, longest)

    def advance(front: ArclengthState, _: object) -> tuple[ArclengthState, ArclengthState]:
        return advance_curve(equations, front, None, longest), front

    _, fronts = jax.lax.scan(advance, front, length=points)
    values = jnp.exp(fronts.point[:, -1]) if along == "beta" else fronts.point[:, -1]
    low, high = window
    inside = jnp.cumprod(fronts.alive & (values >= low) & (values <= high)).astype(bool)
    # A step that was refused leaves its point twice.
    moved = jnp.append(True, jnp.any(jnp.diff(fronts.point, axis=0) != 0.0, axis=1))
    kept = inside & moved

    def describe(point: Array) -> dict[str, Array]:
        now, betas = at(point[-1])
        flow = thermodynamics(0.0, complete(point[:-1]), now, betas)
        return {
            "beta": jnp.ravel(betas)[0],
            "forces": jnp.broadcast_to(now.forces_at(0.0), (len(now.edges),)),
            "occupation": complete(point[:-1]),
            "work_current": flow.work_current,
            "heat_currents": flow.heat_currents,
            "entropy_production_rate": flow.entropy_production_rate,
            "stable": is_stable(jax.jacfwd(field)(point[:-1], (now, betas)), MARGINAL),
        }

    described = jax.vmap(describe)(fronts.point)
    known = {name: jnp.where(_like(kept, values), values, _missing(values)) for name, values in described.items()}
    # The direction of the last point that was kept, since those left out in between have none of their own.
    heading = jnp.where(kept, jnp.sign(fronts.tangent[:, -1]), 0.0)
    turned = kept & (heading * _last_before(heading) < 0)
    result = Branch(
        status=status_if(~found, Status.not_converged),
        stats={"points": jnp.sum(kept)},
        network=model,
        along=along,
        fold=turned,
        **known,
    )
    return result, kept


def _like(mask: Array, values: Array) -> Array:
    return mask.reshape(mask.shape + (1,) * (values.ndim - 1))


def _missing(values: Array) -> PyTree:
    return jnp.full((), jnp.nan, values.dtype) if jnp.issubdtype(values.dtype, jnp.inexact) else jnp.zeros((), bool)


def _last_before(signs: Float[Array, " steps"]) -> Float[Array, " steps"]:
    """At every step the last sign before it that is not 0."""

    def onward(last: Array, sign: Array) -> tuple[Array, Array]:
        return jnp.where(sign != 0.0, sign, last), last

    return jax.lax.scan(onward, jnp.zeros((), signs.dtype), signs)[1]


def _with_force(network: JumpNetwork, force: Array) -> JumpNetwork:
    reservoirs, rates, prefactor = network.reservoirs, network.rates, network.prefactor
    return JumpNetwork(network.edges, network.energies, network.interaction, force, reservoirs, rates, prefactor)
