"""What quantum bath and Moyal bracket add to ln Z, tabulated over inverse temperature and field, kept on disk."""

import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial import chebyshev

from jaxthermo.brownian.accuracy.automatic import FALLEN, MARGIN, depth_for, extremes, points_to_one_side, step
from jaxthermo.brownian.bath import require_ohmic
from jaxthermo.brownian.equilibria.stationary import stationary_members
from jaxthermo.brownian.grid import PhaseGrid, with_steps
from jaxthermo.brownian.hierarchy import equation_on, vector_field
from jaxthermo.brownian.observables import low_members, moments
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.cache import user_folder
from jaxthermo.checks import is_known
from jaxthermo.solve.lanes import map_lanes
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.progress import Line

# Chebyshev nodes in sqrt(beta) and in x. At high temperature a quartic wall gives <q^2> ~ beta^(-1/2), so that the
# integrand is smooth in sqrt(beta), not in beta.
BETA_NODES = 12
# Of the coefficients in x, and the distance that sets how many are needed, see `_field_nodes`.
RESOLVED, NEAREST = 1e-5, 1.8
# Equilibria that one thread solves at a stretch.
CHUNK = 8
FORMAT = 3
# What is stored beside the coefficients.
NUMBERS = ("maxwell_defect", "residual", "error", "truncation")


class PlanckTable(eqx.Module):
    """-integral_0^beta [H(b, x) - H_cl(b, x)] db as a Chebyshev series in sqrt(beta) and x.

    Attributes `maxwell_defect` max |dU/dx~ + dX/dbeta| of the quantum equilibrium over the table (the potential is a
    function of the state only as far as this is 0), `residual` the largest |dW_0/dt| of the equilibria, `error` the
    most that a linear solve of them has left over the size of the state, `truncation` the last coefficients over the
    largest
    """

    coefficients: Float[Array, "beta_powers field_powers"]
    beta_max: Float[Array, ""]
    field_range: Float[Array, "2"]
    maxwell_defect: Float[Array, ""]
    residual: Float[Array, ""]
    error: Float[Array, ""]
    truncation: Float[Array, ""]

    def __call__(self, beta: Any, x: Any) -> Float[Array, ""]:
        low, high = self.field_range
        width = jnp.where(high > low, high - low, 1.0)
        in_beta = chebyshev_values(2.0 * jnp.sqrt(beta / self.beta_max) - 1.0, self.coefficients.shape[0])
        in_field = chebyshev_values((2.0 * x - low - high) / width, self.coefficients.shape[1])
        return in_beta @ self.coefficients @ in_field


def chebyshev_values(u: Any, count: int) -> Float[Array, " count"]:
    """T_0(u), ..., T_(count - 1)(u)."""
    values = [jnp.ones_like(u), u]
    for _ in range(count - 2):
        values.append(2.0 * u * values[-1] - values[-2])
    return jnp.stack(values[:count])


def planck_table(
    oscillator: Oscillator, partition: Any, betas: Any, fields: Any, progress: bool | None = None
) -> PlanckTable:
    """The table for 0 < beta <= max(betas), min(fields) <= x <= max(fields); one field gives a table of that field.

    progress   whether a line tells how many equilibria are done; None: on a terminal and in notebooks
    Kept in $JAXTHERMO_CACHE (default: the user's cache folder) under a hash of everything it depends on.
    Raises     ValueError if jax traces the values, or the bath is not an `OhmicBath`
    """
    if not is_known(jax.tree.leaves((oscillator, betas, fields))):
        raise ValueError(
            "`beta` and `x` must be known values for a quantum Planck potential; under jax.jit or jax.grad "
            "make potential = jt.brownian.quasi_static(oscillator, betas, fields) outside, and call potential(beta, x)"
        )
    require_ohmic(oscillator)
    beta_max = float(np.max(betas))
    span = (float(np.min(fields)), float(np.max(fields)))
    path = user_folder() / f"planck-{_key(oscillator, partition, beta_max, span)}.npz"
    stored = _read(path)
    if stored is None:
        with Line("planck_potential", progress) as line:
            stored = _tabulate(oscillator, partition, beta_max, span, line)
        _write(path, stored)
    numbers = {name: jnp.asarray(stored[name]) for name in NUMBERS}
    return PlanckTable(jnp.asarray(stored["coefficients"]), jnp.asarray(beta_max), jnp.asarray(span), **numbers)


def _tabulate(
    oscillator: Oscillator, partition: Any, beta_max: float, span: tuple[float, float], line: Line
) -> dict[str, Any]:
    u_beta = _nodes(BETA_NODES)
    betas = beta_max * (0.5 * (1.0 + u_beta)) ** 2
    counts = [_field_nodes(partition, beta, span) for beta in betas]
    rows = [0.5 * (span[0] + span[1]) + 0.5 * (span[1] - span[0]) * _nodes(count) for count in counts]
    mesh_beta, mesh_field = np.repeat(betas, counts), np.concatenate(rows)
    if oscillator.bath.depth is None:
        oscillator = oscillator.with_depth(depth_for(oscillator, mesh_beta, mesh_field))
    grid, dq, dp = _grids(oscillator, mesh_beta, mesh_field)

    def solve(betas: Any, fields: Any, dq: Any, dp: Any) -> Any:
        return _means(oscillator, grid, betas, fields, dq, dp)

    advance = line.counter(mesh_beta.size, "equilibria")
    advance(0)
    U, X, residual, error = map_lanes(solve, mesh_beta, mesh_field, dq, dp, chunk=CHUNK, advance=advance)
    U_cl, X_cl, _ = jax.jit(jax.vmap(partition.means))(mesh_beta, mesh_field)
    inverse = np.linalg.inv(chebyshev.chebvander(u_beta, BETA_NODES - 1))
    more_U, more_X, enthalpy = (
        inverse @ _in_field(values, counts) for values in (U - U_cl, X - X_cl, U - U_cl - mesh_field * (X - X_cl))
    )
    # db = beta_max (1 + u)/2 du with u = 2 sqrt(b/beta_max) - 1.
    weighted = np.stack([chebyshev.chebmul(column, [0.5, 0.5]) for column in enthalpy.T], axis=1)
    largest = np.abs(enthalpy).max()
    last = max(np.abs(enthalpy[-1]).max(), np.abs(enthalpy[:, -1]).max() if enthalpy.shape[1] > 1 else 0.0)
    return {
        "coefficients": -beta_max * chebyshev.chebint(weighted, lbnd=-1, axis=0),
        "maxwell_defect": _defect(more_U, more_X, beta_max, span),
        "residual": float(np.max(residual)),
        "error": float(np.max(error)),
        "truncation": float(last / largest),
    }


@lean_jit
def _means(
    oscillator: Oscillator, grid: PhaseGrid, betas: Any, fields: Any, dq: Any, dp: Any
) -> tuple[Float[Array, " points"], ...]:
    """U, X, residual and error of the equilibrium at each point, on a grid with steps of its own; one after another."""

    def solve(point: tuple[Array, ...]) -> tuple[Array, ...]:
        beta, x, *steps = point
        equation = equation_on(oscillator, with_steps(grid, *steps))
        V, error = stationary_members(equation, 1.0 / beta, x, differentiable=False)
        low = moments(V[:, low_members(oscillator)], equation, 1.0 / beta)
        return low.U, low.X, jnp.max(jnp.abs(vector_field(V, equation, 0.0, 1.0 / beta, x)[:, 0])), error

    return jax.lax.map(solve, tuple(jnp.asarray(a, dtype=float) for a in (betas, fields, dq, dp)))


def _field_nodes(partition: Any, beta: float, span: tuple[float, float]) -> int:
    """How many nodes in x resolve one temperature.

    As a function of complex x, means have their nearest singularities about NEAREST/(beta sigma_X) from the real axis;
    Chebyshev coefficients fall like rho^-n with rho the ellipse through them.
    """
    half = 0.5 * (span[1] - span[0])
    if half == 0.0:
        return 1
    variances = [float(partition.means(beta, x)[2]) for x in np.linspace(*span, 5)]
    distance = NEAREST / (beta * np.sqrt(max(variances))) / half
    return int(np.ceil(-np.log(RESOLVED) / np.log(distance + np.sqrt(1.0 + distance**2)))) + 2


def _in_field(values: Any, counts: list[int]) -> np.ndarray:
    """Chebyshev coefficients in x of each row, with zeros up to the longest."""
    rows = np.split(np.asarray(values), np.cumsum(counts)[:-1])
    coefficients = np.zeros((len(rows), max(counts)))
    for i, (row, count) in enumerate(zip(rows, counts, strict=True)):
        coefficients[i, :count] = np.linalg.solve(chebyshev.chebvander(_nodes(count), count - 1), row)
    return coefficients


def _defect(U: np.ndarray, X: np.ndarray, beta_max: float, span: tuple[float, float]) -> float:
    """max |dU/dx~ at fixed beta + dX/dbeta at fixed x~| on a mesh; the classical parts obey it and have been left out.

    At fixed x~ a change of beta moves x by -x/beta. NaN where the table has one field only.
    """
    if span[0] == span[1]:
        return float("nan")
    u = np.linspace(-0.9, 0.9, 13)
    root = 0.5 * (1.0 + u)[:, None]
    beta = beta_max * root**2
    x = 0.5 * (span[0] + span[1]) + 0.5 * (span[1] - span[0]) * u
    per_beta, per_field = 1.0 / (beta_max * root), 2.0 / (span[1] - span[0])
    dU = chebyshev.chebgrid2d(u, u, chebyshev.chebder(U, axis=1)) * per_field / beta
    dX = chebyshev.chebgrid2d(u, u, chebyshev.chebder(X, axis=0)) * per_beta
    dX -= chebyshev.chebgrid2d(u, u, chebyshev.chebder(X, axis=1)) * per_field * x / beta
    return float(np.abs(dU + dX).max())


def _nodes(count: int) -> np.ndarray:
    """Roots of T_count: none of them is an end of the interval, where the temperature would be infinite."""
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)[::-1]


def _grids(oscillator: Oscillator, betas: Any, fields: Any) -> tuple[PhaseGrid, np.ndarray, np.ndarray]:
    """A grid of as many points as the widest state needs, and the steps for each point."""
    reaches = [extremes(oscillator, beta, x) for beta, x in zip(betas, fields, strict=True)]
    q_side = max(points_to_one_side(reach.q, reach.k) for reach in reaches)
    p_side = max(points_to_one_side(reach.p, reach.y) for reach in reaches)
    dq = np.array([step(q_side, reach.q, reach.k) for reach in reaches])
    dp = np.array([step(p_side, reach.p, reach.y) for reach in reaches])
    return PhaseGrid(q_side, 1.0, p_side, 1.0), dq, dp


def _key(oscillator: Oscillator, partition: Any, beta_max: float, span: tuple[float, float]) -> str:
    """A hash of the physics: potential and coordinate by their values on a mesh, not by their names."""
    bath = oscillator.bath
    mesh = partition.scale * jnp.linspace(-5.0, 5.0, 41)
    values = [f(mesh) for f in (oscillator.potential, oscillator.coordinate)]
    numbers = [oscillator.mass, oscillator.hbar, *jax.tree.leaves(bath), beta_max, span, *values]
    text = json.dumps(
        [np.asarray(n).tolist() for n in numbers]
        + [str(jax.tree.structure(bath)), BETA_NODES, RESOLVED, NEAREST, FALLEN, MARGIN, FORMAT]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _read(path: Path) -> dict[str, Any] | None:
    """What was stored, or None if there is nothing or it cannot be read: then it is computed again."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in ("coefficients", *NUMBERS)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, numbers: dict[str, Any]) -> None:
    """All or nothing, since another process may read it. A folder that cannot be written to costs the cache only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
            np.savez(file, **numbers)
        os.replace(file.name, path)
    except OSError:
        return
