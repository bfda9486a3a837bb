"""Work-to-work conversion: f = f1 + f2 with f1 > 0 > f2, its power and its efficiency at maximum power."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxthermo.checks import require_finite, require_positive, require_scalar
from jaxthermo.jumps.attractor import Stationary
from jaxthermo.potts.attractor import long_time_lanes
from jaxthermo.potts.ring import PottsRing, check_ring, require_beta
from jaxthermo.potts.stability import critical_beta

# The landscape has edges (first-order drops at beta_c1, square-root ridges at beta_c2), so it is searched by ever finer
# grids, which need no derivative; each refinement keeps this many cells of the last grid on either side of the best.
KEPT_CELLS = 1.5
GRID_1D, ZOOM_1D, LEVELS_1D = 64, 17, 8
GRID_2D, ZOOM_2D, LEVELS_2D = 32, 9, 12
# The localised phase, whose power only falls with beta, has taken over well below this multiple of beta_c1.
BETA_RANGE = 3.0
SEARCH_ROUNDS = 12


class MaximumPower(eqx.Module):
    """Maximum output power, where it is reached, and its efficiency; see `maximum_power`."""

    power: float = eqx.field(static=True)
    efficiency: float = eqx.field(static=True)
    force2: float = eqx.field(static=True)
    beta: float = eqx.field(static=True)
    kind: str = eqx.field(static=True)
    undecided: int = eqx.field(static=True)


def output_power(state: Stationary, force: Any, force2: Any) -> Any:
    """Output power delivered against the load, |P| = -f2 I with I = sum J = work current / f, per unit and time."""
    safe = jnp.where(force == 0, 1.0, force)
    return jnp.where(force == 0, 0.0, -force2 * state.work_current / safe)


def maximum_power(
    q: Any,
    coupling: Any,
    prefactor: Any,
    forward_force: Any,
    beta: Any = None,
    *,
    rates: Any = None,
) -> MaximumPower:
    """Largest output power over the load f2 (and over beta, if None), for the attractor reached from P_1 = 1.

    Equation   I = sum J_i at f = f1 + f2; output power P = f2 I <= 0, `power` = |P|; efficiency eta = -f2/f1
    Units      power: energy per unit time and per unit of the ring; force2: energy; beta: 1/energy
    Raises     ValueError if forward_force <= 0, or, with beta None, if the power is unbounded as beta -> infinity
               (coupling >= 0, or forward_force > -coupling)
    Source     Herpich & Esposito 2019, Sec. IV, Figs. 3 and 4

    `kind` is the attractor at the maximum; `undecided` counts the lanes of the search without a known attractor, which
    were left out of it. Where the power drops at a transition, as for even q, the maximum is the limit from its side.
    """
    f1 = float(require_scalar("forward_force", forward_force))
    require_positive("forward_force", f1)
    ring = PottsRing(q, coupling, f1, prefactor, rates=rates)
    check_ring(ring)

    def powers(betas: Any, loads: Any) -> tuple[Any, Stationary]:
        rings = jax.vmap(lambda f2: PottsRing(q, ring.coupling, f1 + f2, ring.prefactor, rates=ring.rates))(loads)
        state = long_time_lanes(rings, betas, None, SEARCH_ROUNDS)
        return np.asarray(output_power(state, f1 + loads, loads)), state

    if beta is not None:
        beta = require_scalar("beta", beta)
        require_beta(beta)
        axes = [np.full(2, float(beta)), np.array([-f1, 0.0])]
        return _zoom(powers, axes, f1, (1, GRID_1D), (1, ZOOM_1D), LEVELS_1D)

    if float(ring.coupling) >= 0 or f1 > -float(ring.coupling):
        raise ValueError(
            "`beta` must be given here: with coupling >= 0 or forward_force > -coupling the power grows without bound "
            f"as beta -> infinity, but coupling is {float(ring.coupling)} and forward_force {f1}"
        )
    require_finite("critical beta", critical_beta(ring))
    axes = [np.array([0.0, BETA_RANGE * float(critical_beta(ring))]), np.array([-f1, 0.0])]
    return _zoom(powers, axes, f1, (GRID_2D, GRID_2D), (ZOOM_2D, ZOOM_2D), LEVELS_2D)


def _zoom(
    powers: Any,
    bounds: list[Any],
    f1: float,
    grid: tuple[int, int],
    zoom: tuple[int, int],
    levels: int,
) -> MaximumPower:
    """Grid search over (beta, f2), then ever finer grids about the best point so far, all within the bounds."""
    windows = [tuple(bound) for bound in bounds]
    best: tuple[float, float, float, str] = (-np.inf, np.nan, np.nan, "undecided")
    undecided = 0
    for level in range(levels + 1):
        counts = grid if level == 0 else zoom
        # Interior points only: at f2 = 0 and f2 = -f1 the power vanishes.
        axes = [
            np.linspace(low, high, n + 2)[1:-1] if n > 1 else np.array([low])
            for (low, high), n in zip(windows, counts, strict=True)
        ]
        betas, loads = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
        power, state = powers(betas, loads)
        known = np.isfinite(power) & (np.asarray(state.attractor) != 0)
        undecided += int(np.sum(~known))
        if not known.any():
            break
        i = int(np.argmax(np.where(known, power, -np.inf)))
        if power[i] > best[0]:
            best = (float(power[i]), float(betas[i]), float(loads[i]), str(state.kind[i]))
        windows = [
            _window(bound, window, n, centre)
            for bound, window, n, centre in zip(bounds, windows, counts, best[1:3], strict=True)
        ]
    power, beta, force2, kind = best
    return MaximumPower(power, -force2 / f1, force2, beta, kind, undecided)


def _window(bound: Any, window: tuple[float, float], points: int, centre: float) -> tuple[float, float]:
    """The next, finer window about the best point, inside the bounds."""
    half = KEPT_CELLS * (window[1] - window[0]) / (points + 1)
    return max(bound[0], centre - half), min(bound[1], centre + half)
