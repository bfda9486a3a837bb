"""Which cycle did the work? A fit of a Stirling cycle to works per cycle, by gradients through the solves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxthermo.brownian import run_cycle
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.protocols import StirlingCycle
from jaxthermo.search.bounded import Solution, least_squares
from jaxthermo.solve.lean import lean_jit

# Name, start, lower and upper bound of each parameter. The isothermal strokes are shares of the period, the cooling
# stroke is a part of what they leave. Ramps begin and end at fractions of their stroke; those of x may end in the
# stroke after it (1.3: when 0.3 of that one is over), those of beta may reach into the isothermal strokes on both
# sides. Within these bounds no two ramps can overlap.
PARAMETERS = (
    ("beta_hot", 0.5, 0.3, 0.9),
    ("beta_cold", 1.5, 0.95, 3.0),
    ("x_start", 1.0, 0.0, 2.0),
    ("x_end", 0.7, 0.0, 2.0),
    ("hot_share", 0.3, 0.2, 0.42),
    ("cold_share", 0.3, 0.2, 0.42),
    ("cooling_part", 0.5, 0.3, 0.7),
    ("hot_begin", 0.2, 0.0, 0.5),
    ("hot_finish", 1.2, 0.55, 1.9),
    ("cooling_begin", 0.05, -0.3, 0.45),
    ("cooling_finish", 0.9, 0.5, 1.2),
    ("cold_begin", 0.2, 0.0, 0.5),
    ("cold_finish", 1.2, 0.55, 1.9),
    ("heating_begin", 0.05, -0.3, 0.45),
    ("heating_finish", 0.9, 0.5, 1.2),
)
NAMES = tuple(name for name, *_ in PARAMETERS)
# Coarse steps for the search, finer ones for the end; what those still miss is measured under step control and put in
# as a constant, then the fit is repeated.
POINTS, STEPS, FINE_STEPS, CORRECTIONS = 2, 4, 12, 3
TOLERANCE = 1e-7
MAX_EVALUATIONS = 40
# A search ends where every residual is this small, and the corrections where the re-simulated ones are within 1.
ENOUGH = 0.6
# Random starts of the classical works, which cost little, and the share of each bound that they are drawn from.
STARTS, START_BOX = 8, (0.15, 0.85)


@dataclass(frozen=True)
class Fit:
    """The best cycle found, and how well and how sharply the data fix it.

    `residuals` are (work - target)/scale, re-simulated on fine steps, and `statuses` what those runs say of themselves;
    `singular_values` those of the Jacobian of the residuals in the parameters over the widths of their bounds, `flat`
    the parameter direction of the smallest one.
    """

    cycle: StirlingCycle
    parameters: dict[str, float]
    works: np.ndarray
    statuses: tuple[str, ...]
    residuals: np.ndarray
    singular_values: np.ndarray
    flat: dict[str, float]
    evaluations: int


def cycle_from(theta: Float[Array, " parameters"], period: float = 20.0) -> StirlingCycle:
    """The cycle that a parameter vector, in the order of `PARAMETERS`, describes."""
    beta_hot, beta_cold, x_start, x_end, hot, cold, part = theta[:7]
    rest = 1.0 - hot - cold
    strokes = jnp.stack([hot, part * rest, cold, (1.0 - part) * rest])
    ramps = theta[7:].reshape(4, 2)
    over = ramps[::2, 1] - 1.0
    late = jnp.maximum(over, 0.0) * (strokes[1::2] / strokes[::2])
    ramps = ramps.at[::2, 1].set(1.0 + jnp.minimum(over, 0.0) + late)
    return StirlingCycle(beta_hot, beta_cold, x_start, x_end, period, strokes, ramps)


def infer_cycle(
    oscillators: Sequence[Oscillator],
    targets: ArrayLike | Sequence[float],
    scales: ArrayLike | Sequence[float],
    fine: Callable[[Oscillator, StirlingCycle], tuple[float, str]],
    *,
    starts: int = STARTS,
    max_evaluations: int = MAX_EVALUATIONS,
    corrections: int = CORRECTIONS,
    advance: Callable[[str], None] = lambda text: None,
) -> Fit:
    """Least squares for the cycle's parameters, with exact derivatives of every work (reverse mode through the cycle).

    Equation   minimise sum_i [(W_i(theta) - target_i)/scale_i]^2 within the bounds of `PARAMETERS`: first the classical
               works alone from several starts, then all of them in one common unit, then in units of their scales
    Shapes     oscillators, each with a grid; targets, scales: one for each; `fine(oscillator, cycle)` re-simulates a
               work and says how that went
    Raises     ValueError if the lengths differ or an oscillator has no grid
    """
    targets, scales = np.asarray(targets, dtype=float), np.asarray(scales, dtype=float)
    if not len(oscillators) == len(targets) == len(scales):
        raise ValueError("`oscillators`, `targets` and `scales` must have one common length")
    if any(o.grid is None for o in oscillators):
        raise ValueError("`oscillators` must have a grid each, since jax traces the temperatures")
    start, low, high = (np.array([row[i] for row in PARAMETERS]) for i in (1, 2, 3))
    cache: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    every = np.arange(len(targets))
    simple = np.flatnonzero([not o.quantum for o in oscillators])

    def evaluate(scaled: np.ndarray, which: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        key = scaled.tobytes() + which.tobytes() + bytes([steps])
        if key not in cache:
            theta = jnp.asarray(low + scaled * (high - low))
            pairs = [work_and_gradient(theta, oscillators[int(i)], steps) for i in which]
            cache[key] = np.array([float(w) for w, _ in pairs]), np.stack([np.asarray(g) for _, g in pairs])
        return cache[key]

    def fitted(point: np.ndarray, which: np.ndarray, goals: np.ndarray, units: np.ndarray, steps: int) -> Solution:
        def misfit(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            works, slopes = evaluate(scaled, which, steps)
            return (works - goals[which]) / units[which], slopes * (high - low) / units[which][:, None]

        done = least_squares(misfit, point, max_evaluations, ENOUGH)
        advance(f"{len(which)} works, {len(cache)} evaluations: misfit {np.abs(done.residuals).max():.3g}")
        return done

    # One unit for all works first: the roundings differ by ten, and the sharpest would rule the search from afar.
    alike = np.full(len(targets), float(np.max(scales)))
    point = (start - low) / (high - low)
    if len(simple):
        rng = np.random.default_rng(0)
        points = [point, *rng.uniform(*START_BOX, size=(max(0, starts - 1), len(point)))]
        tried = [fitted(p, simple, targets, alike, STEPS) for p in points]
        point = min(tried, key=lambda done: done.cost).point
    point = fitted(point, every, targets, alike, STEPS).point
    shift = np.zeros(len(targets))
    for round_ in range(corrections + 1):
        point = fitted(point, every, targets - shift, scales, FINE_STEPS).point
        cycle = cycle_from(jnp.asarray(low + point * (high - low)))
        works, statuses = zip(*(fine(o, cycle) for o in oscillators), strict=True)
        shift = np.array(works) - evaluate(point, every, FINE_STEPS)[0]
        residuals = (np.array(works) - targets) / scales
        advance(f"round {round_ + 1}: largest residual on fine steps {np.abs(residuals).max():.3g}")
        if np.abs(residuals).max() <= 1.0:
            break
    jacobian = evaluate(point, every, FINE_STEPS)[1] * (high - low) / scales[:, None]
    _, sizes, directions = np.linalg.svd(jacobian)
    theta = low + point * (high - low)
    return Fit(
        cycle=cycle,
        parameters=dict(zip(NAMES, theta.tolist(), strict=True)),
        works=np.array(works),
        statuses=statuses,
        residuals=residuals,
        singular_values=sizes,
        flat=dict(zip(NAMES, directions[-1].tolist(), strict=True)),
        evaluations=len(cache),
    )


@lean_jit
def work_and_gradient(theta: Array, oscillator: Oscillator, steps: int) -> tuple[Array, Array]:
    def work(theta: Array) -> Array:
        return run_cycle(oscillator, cycle_from(theta), TOLERANCE, points=POINTS, steps=steps).work

    return jax.value_and_grad(work)(theta)
