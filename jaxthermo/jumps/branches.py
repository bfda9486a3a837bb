"""Branches of fixed points through their folds, as labelled datasets."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxthermo.checks import require_double_for, require_integer, require_scalar
from jaxthermo.jumps.coordinates import complete, field
from jaxthermo.jumps.folds import scaled_field
from jaxthermo.jumps.labels import labelled
from jaxthermo.jumps.mean_field import Betas, thermodynamics
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork, require_constant
from jaxthermo.jumps.occupation import initial_occupation
from jaxthermo.provenance import provenance
from jaxthermo.solve.arclength import Front, advance_curve, start_curve
from jaxthermo.solve.attractor import MARGINAL
from jaxthermo.solve.fixed_point import newton
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.linear import is_stable

if TYPE_CHECKING:
    import xarray

ALONG = ("beta", "force")
POINTS, LONGEST = 400, 0.03


def branch(
    network: AbstractJumpModel,
    beta: Betas,
    start: Any = None,
    *,
    along: str = "beta",
    low: Any,
    high: Any,
    upward: bool = False,
    points: int = POINTS,
    longest: Any = LONGEST,
) -> "xarray.Dataset":
    """The branch of fixed points through a given one, followed in beta or in the force through its folds.

    Equation   F(P, parameter) = 0, stepped in arclength of (P_1 .. P_{q-1}, ln beta) or (P_1 .. P_{q-1}, f)

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta       where the branch starts, a number or (R,) numbers, one for each reservoir, which keep their ratios
    start      (q,), a guess for Newton's method there, None for P_1 = 1
    along      "beta" (that of reservoir 0) or "force", which must be one for all edges
    low, high  between which values of it the branch is followed
    Shapes     each variable has the dimension `step`, `heat_currents` also `reservoir`
    Units      in each variable's attrs
    Raises     ValueError if no fixed point is found near `start`, for impossible parameters, without double precision
    Source     pseudo-arclength: Keller, in Applications of Bifurcation Theory (1977)

    It first heads for smaller values of the parameter (`upward`: for larger ones), and ends outside [low, high], after
    `points` steps of at most `longest`, or where the curve cannot be followed. `fold` marks the first point after each
    turn in the parameter; `stable` is the stability of the point against all perturbations.
    """
    model = network
    network, betas = require_constant(model, beta)
    require_double_for(1e-13, 1e-13)
    if along not in ALONG:
        raise ValueError(f"`along` must be one of {', '.join(ALONG)}, but is {along!r}")
    points = require_integer("points", points, 1)
    low, high = float(require_scalar("low", low)), float(require_scalar("high", high))
    if along == "force" and network.forces_at(0.0).ndim:
        raise ValueError('`along` must not be "force", since every edge has its own')
    first = float(jnp.ravel(betas)[0] if along == "beta" else network.forces_at(0.0))
    if not low <= first <= high:
        raise ValueError(f"`low` and `high` must hold the start's {along} = {first}, but are {low} and {high}")
    guess = initial_occupation(network.q, start)
    step = require_scalar("longest", longest)
    fronts, found, stable, work, heats = _follow(network, betas, guess, step, along, 1.0 if upward else -1.0, points)
    if not bool(found):
        raise ValueError(
            f"`start` must be near a fixed point, but Newton's method found none at beta = {np.asarray(betas)}"
        )
    values = np.exp(fronts.point[:, -1]) if along == "beta" else np.asarray(fronts.point[:, -1])
    slope = np.asarray(fronts.tangent[:, -1])
    inside = np.cumprod(np.asarray(fronts.alive) & (values >= low) & (values <= high)).astype(bool)
    # A step that was refused leaves its point twice.
    moved = np.append(True, np.any(np.diff(np.asarray(fronts.point), axis=0) != 0.0, axis=1))
    keep = inside & moved
    turned = np.append(False, np.diff(np.sign(slope[keep])) != 0)
    units = "1/energy" if along == "beta" else "energy"
    name = "inverse temperature" if along == "beta" else "force f"
    variables = {
        along: ("step", values[keep], units, name),
        "occupation": (("step", "state"), _complete_all(fronts.point[:, :-1])[keep], "1", "occupation P_i"),
        "work_current": ("step", np.asarray(work)[keep], "energy/time", "work current per unit"),
        "heat_currents": (
            ("step", "reservoir"),
            np.asarray(heats)[keep],
            "energy/time",
            "heat current per unit from each reservoir",
        ),
        "stable": ("step", np.asarray(stable)[keep], "1", "whether every perturbation decays"),
        "fold": ("step", turned, "1", f"first point after a turn in {name}"),
    }
    coords = {
        "step": ("step", np.arange(int(keep.sum())), "1", "step along the branch"),
        "state": ("state", np.arange(1, network.q + 1), "1", "state of a unit"),
    }
    parameters = {"network": model, "beta": betas, "start": guess, "along": along, "low": low, "high": high}
    return labelled(variables, coords).assign_attrs(provenance(parameters))


_complete_all = lean_jit(jax.vmap(complete))


@lean_jit
def _follow(
    network: JumpNetwork, betas: Array, guess: Array, longest: Array, along: str, direction: float, points: int
) -> tuple[Front, Array, Array, Array, Array]:
    """All fronts of the branch, whether its start was found, and stability, work and heats of each point."""
    first = betas if betas.ndim == 0 else betas[0]

    def at(parameter: Array) -> tuple[JumpNetwork, Array]:
        if along == "beta":
            warmth = jnp.exp(parameter)
            return network, warmth if betas.ndim == 0 else warmth * (betas / first)
        return _with_force(network, parameter), betas

    def equations(y: Array, _: Any) -> Array:
        return scaled_field(y[:-1], *at(y[-1]))

    parameter = jnp.log(first) if along == "beta" else network.forces_at(0.0)
    x, _, found = newton(lambda x, _: equations(jnp.append(x, parameter), None), guess[:-1], None)
    front = start_curve(equations, jnp.append(x, parameter), None, direction, longest)

    def advance(front: Front, _: Any) -> tuple[Front, Front]:
        return advance_curve(equations, front, None, longest), front

    def describe(point: Array) -> tuple[Array, Array, Array]:
        args = at(point[-1])
        stable = is_stable(jax.jacfwd(field)(point[:-1], args), MARGINAL)
        flow = thermodynamics(0.0, complete(point[:-1]), *args)
        return stable, flow.work_current, flow.heat_currents

    _, fronts = jax.lax.scan(advance, front, length=points)
    stable, work, heats = jax.vmap(describe)(fronts.point)
    return fronts, found, stable, work, heats


def _with_force(network: JumpNetwork, force: Array) -> JumpNetwork:
    reservoirs, rates, prefactor = network.reservoirs, network.rates, network.prefactor
    return JumpNetwork(network.edges, network.energies, network.interaction, force, reservoirs, rates, prefactor)
