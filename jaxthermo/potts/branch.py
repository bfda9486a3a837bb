"""Branches of fixed points through their folds, as labelled datasets."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxthermo.checks import require_double_for, require_integer, require_scalar
from jaxthermo.jumps.coordinates import complete, field
from jaxthermo.jumps.labels import labelled
from jaxthermo.jumps.mean_field import thermodynamics
from jaxthermo.jumps.occupation import initial_occupation
from jaxthermo.potts.ring import PottsRing, require_autonomous
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
    ring: PottsRing,
    beta: Any,
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
    Shapes     start: (q,), a guess for Newton's method at (beta, ring.force), None for P_1 = 1; each variable has the
               dimension `step`
    Units      in each variable's attrs
    Raises     ValueError if no fixed point is found near `start`, for impossible parameters, without double precision
    Source     pseudo-arclength: Keller, in Applications of Bifurcation Theory (1977)

    It first heads for smaller values of the parameter (`upward`: for larger ones), and ends outside [low, high], after
    `points` steps of at most `longest`, or where the curve cannot be followed. `fold` marks the first point after each
    turn in the parameter; `stable` is the stability of the point against all perturbations.
    """
    beta = require_autonomous(ring, beta)
    require_double_for(1e-13, 1e-13)
    if along not in ALONG:
        raise ValueError(f"`along` must be one of {', '.join(ALONG)}, but is {along!r}")
    points = require_integer("points", points, 1)
    low, high = float(require_scalar("low", low)), float(require_scalar("high", high))
    first = float(beta if along == "beta" else ring.force)
    if not low <= first <= high:
        raise ValueError(f"`low` and `high` must hold the start's {along} = {first}, but are {low} and {high}")
    guess = initial_occupation(ring.q, start)
    step = require_scalar("longest", longest)
    fronts, found, stable, work = _follow(ring, beta, guess, step, along, 1.0 if upward else -1.0, points)
    if not bool(found):
        raise ValueError(f"`start` must be near a fixed point, but Newton's method found none at beta = {float(beta)}")
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
        "stable": ("step", np.asarray(stable)[keep], "1", "whether every perturbation decays"),
        "fold": ("step", turned, "1", f"first point after a turn in {name}"),
    }
    coords = {
        "step": ("step", np.arange(int(keep.sum())), "1", "step along the branch"),
        "state": ("state", np.arange(1, ring.q + 1), "1", "state of a unit"),
    }
    parameters = {"ring": ring, "beta": beta, "start": guess, "along": along, "low": low, "high": high}
    return labelled(variables, coords).assign_attrs(provenance(parameters))


_complete_all = lean_jit(jax.vmap(complete))


@lean_jit
def _follow(
    ring: PottsRing, beta: Array, guess: Array, longest: Array, along: str, direction: float, points: int
) -> tuple[Front, Array, Array, Array]:
    """All fronts of the branch, whether its start was found, and stability and work of each point."""

    def at(parameter: Array) -> tuple[PottsRing, Array]:
        if along == "beta":
            return ring, jnp.exp(parameter)
        return _with_force(ring, parameter), beta

    def equations(y: Array, _: Any) -> Array:
        moved, warmth = at(y[-1])
        forward, backward = moved.rates(jnp.zeros_like(warmth), moved.force, warmth, moved.prefactor)
        return field(y[:-1], (moved, warmth)) / (forward + backward)

    parameter = jnp.log(beta) if along == "beta" else ring.force
    x, _, found = newton(lambda x, _: equations(jnp.append(x, parameter), None), guess[:-1], None)
    front = start_curve(equations, jnp.append(x, parameter), None, direction, longest)

    def advance(front: Front, _: Any) -> tuple[Front, Front]:
        return advance_curve(equations, front, None, longest), front

    def describe(point: Array) -> tuple[Array, Array]:
        args = at(point[-1])
        stable = is_stable(jax.jacfwd(field)(point[:-1], args), MARGINAL)
        return stable, thermodynamics(0.0, complete(point[:-1]), *args).work_current

    _, fronts = jax.lax.scan(advance, front, length=points)
    stable, work = jax.vmap(describe)(fronts.point)
    return fronts, found, stable, work


def _with_force(ring: PottsRing, force: Array) -> PottsRing:
    return PottsRing(ring.q, ring.coupling, force, ring.prefactor, ring.energies, ring.rates)
