"""Temperature and field as functions of time, written anew for the references."""

import itertools
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from .draws import Draw

Array = np.ndarray


class Path(NamedTuple):
    """beta(t), x(t) and dx/dt, and where they have corners or jumps, with the ends."""

    beta: Callable[[float], float]
    x: Callable[[float], float]
    dx: Callable[[float], float]
    knots: Array


def pieces_of(p: Draw) -> Path:
    knots = p["period"] * np.append(0.0, np.cumsum(p["strokes"]))

    def ends(name: str) -> Array:
        values = np.array(p[name])
        return values if values.ndim == 2 else np.stack([values, np.roll(values, -1)], axis=1)

    beta, x = ends("beta"), ends("x")

    def along(values: Array, t: float) -> float:
        i = min(max(int(np.searchsorted(knots, t, side="right")) - 1, 0), len(values) - 1)
        share = (t - knots[i]) / (knots[i + 1] - knots[i])
        return float(values[i, 0] + share * (values[i, 1] - values[i, 0]))

    slopes = np.repeat((x[:, 1] - x[:, 0])[:, None] / np.diff(knots)[:, None], 2, axis=1)
    return Path(lambda t: along(beta, t), lambda t: along(x, t), lambda t: along(slopes, t), knots)


def work_of_jumps(path: Path, ts: Array, q: Array) -> float:
    """A jump of the field does its work on the state of that moment, which a trajectory with `q` at ts does not see."""
    work = 0.0
    # The last knot is the first of the next period.
    for knot, following in zip(path.knots[1:], [*path.knots[1:-1], 0.0], strict=True):
        before, after = path.x(float(np.nextafter(knot, 0.0))), path.x(float(np.nextafter(following, np.inf)))
        work -= float(q[np.searchsorted(ts, knot)]) * (after - before)
    return work


def follow(
    state: Array,
    path: Path,
    ts: Array,
    rates: Callable[[Array, float, float], Array],
    mean: Callable[[Array], float],
    measure: Callable[[Array], dict[str, float]],
    until: float = math.inf,
    atol: float = 1e-10,
) -> tuple[Array, dict[str, Array]]:
    """The state at the end, with what is measured and the work -int X dx at ts, which hold the path's knots.

    `rates` is d/dt of a state at an inverse temperature and a field, `mean` its X. TimeoutError after so many CPU
    seconds of the process.
    """
    now, work = state, 0.0
    rows = [measure(now) | {"work": 0.0}]
    for left, right in itertools.pairwise(ts):
        inside = (np.nextafter(left, right), np.nextafter(right, left))

        def slope(t: float, y: Array, inside: tuple[float, float] = inside) -> Array:
            if time.process_time() > until:
                raise TimeoutError
            s, one = float(np.clip(t, *inside)), y[:-1].reshape(state.shape)
            out = np.empty_like(y)
            out[:-1] = rates(one, path.beta(s), path.x(s)).ravel()
            out[-1] = -path.dx(s) * mean(one)
            return out

        begin = np.append(now.ravel(), work)
        done = solve_ivp(slope, (left, right), begin, method="DOP853", rtol=1e-8, atol=atol)
        now, work = done.y[:-1, -1].reshape(state.shape), float(done.y[-1, -1])
        rows.append(measure(now) | {"work": work})
    return now, {name: np.array([row[name] for row in rows]) for name in rows[0]}
