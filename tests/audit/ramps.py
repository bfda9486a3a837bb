"""Draws of ramps of least work; closed moments of a parabola that is moved or made stiffer refer, by SciPy alone."""

import math
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from scipy.integrate import solve_ivp

import jaxthermo as jt

from . import draws
from .ask import Answer, answer, quiet
from .draws import Draw, Generator, between

Array = np.ndarray
# What the verb promises of the work beside its own `error`, in units of 1 + |work|; and how far below the ramp another
# one of its form may lie, to second order in the differences that the reference takes.
WORK, GAIN, STEP = 1e-6, 1e-8, 1e-3
FORMS = ("moved", "moved, jumps", "stiffer", "stiffer, jumps")


def ramp(rng: Generator, narrow: bool) -> Draw:
    form = FORMS[1] if narrow else FORMS[int(rng.integers(0, len(FORMS)))]
    jumps, moved = form.endswith("jumps"), form.startswith("moved")
    start = rng.uniform(-2.0, 2.0) if moved else rng.uniform(-0.3, 1.0)
    end = start + rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 3.0) if moved else rng.uniform(-0.3, 2.0)
    return {
        "form": form,
        "stiffness": rng.uniform(0.5, 2.0),
        "strength": between(rng, 0.2, 2.0),
        "mass": between(rng, 0.5, 2.0),
        "poles": int(rng.integers(0, 3)) if moved and not narrow and rng.uniform() < 0.4 else None,
        "beta": between(rng, 0.3, 3.0),
        "ends": (start, end),
        "duration": 2.0 if narrow else between(rng, 0.3, 20.0),
        "order": 0 if narrow else int(rng.integers(0 if jumps else 1, 5)),
    }


def ask_ramp(p: Draw) -> Answer:
    well = jt.Polynomial([0.0, 0.0, 0.5 * p["stiffness"], 0.0, 0.0])
    X = jt.Polynomial([0.0, 1.0, 0.0] if p["form"].startswith("moved") else [0.0, 0.0, -0.5])
    settings: dict[str, Any] = {"mass": p["mass"], "coordinate": X}
    if p["poles"] is None:
        model = jt.classical_oscillator(well, p["strength"], **settings)
    else:
        model = jt.quantum_oscillator(well, p["strength"], p["poles"], **settings)
    asked = (p["beta"], *p["ends"], p["duration"], p["order"], p["form"].endswith("jumps"))
    found = quiet(jt.optimal_ramp, model, *asked, progress=False)
    names = ("work", "error", "coefficients", "ends", "kicks")
    return answer(found, {name: np.asarray(getattr(found, name), float) for name in names})


def _schedule(p: Draw, z: Array) -> tuple[Polynomial, Array, Array]:
    """x(s), its ends and the kicks of the parameters: displacements of the ends, kicks, coefficients."""
    jumps = p["form"].endswith("jumps")
    ends, kicks = np.array(p["ends"]), np.zeros(2)
    if jumps:
        ends, kicks = ends + z[:2], z[2:4]
    s = Polynomial([0.0, 1.0])
    shape = z[len(z) - p["order"] :]
    return ends[0] + (ends[1] - ends[0]) * s + s * (1.0 - s) * Polynomial([*shape, 0.0]), ends, kicks


def moved(p: Draw, z: Array) -> float:
    """The work on <q>, <p>, which feel no temperature."""
    m, k, g = p["mass"], p["stiffness"], p["strength"] ** 2
    x, ends, kicks = _schedule(p, z)
    slope, T = x.deriv(), p["duration"]

    def rates(s: float, y: Array) -> Array:
        q, momentum, _ = y
        return np.array([T * momentum / m, T * (-k * q + x(s) - g * momentum / m), -q * slope(s)])

    first = p["ends"][0] / k
    start = [first, kicks[0], 0.5 * kicks[0] ** 2 / m - first * (ends[0] - p["ends"][0])]
    q, momentum, work = solve_ivp(rates, (0.0, 1.0), start, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    kick = kicks[1] * momentum / m + 0.5 * kicks[1] ** 2 / m
    return float(work + kick - q * (p["ends"][1] - ends[1]))


def stiffer(p: Draw, z: Array) -> float:
    """The work on <q^2>, <qp>, <p^2>; a kick changes p by -kick q, and X = -q^2/2."""
    m, g, T = p["mass"], p["strength"] ** 2, p["duration"]
    x, ends, kicks = _schedule(p, z)
    slope = x.deriv()

    def kicked(y: Array, kick: float) -> Array:
        q2, qp, p2, work = y
        more = kick**2 * q2 - 2.0 * kick * qp
        return np.array([q2, qp - kick * q2, p2 + more, work + 0.5 * more / m])

    def rates(s: float, y: Array) -> Array:
        q2, qp, p2, _ = y
        k = p["stiffness"] + x(s)
        moved = (2.0 * qp / m, p2 / m - k * q2 - g * qp / m, -2.0 * k * qp - 2.0 * g * (p2 / m - 1.0 / p["beta"]))
        return np.array([*(T * np.array(moved)), 0.5 * q2 * slope(s)])

    q2 = 1.0 / (p["beta"] * (p["stiffness"] + p["ends"][0]))
    start = kicked(np.array([q2, 0.0, m / p["beta"], 0.5 * q2 * (ends[0] - p["ends"][0])]), kicks[0])
    y = solve_ivp(rates, (0.0, 1.0), start, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    return float(kicked(y, kicks[1])[-1] + 0.5 * y[0] * (p["ends"][1] - ends[1]))


def least(p: Draw, found: Answer) -> float:
    """What the ramp costs, by closed moments, and whether others cost less; with jumps a moved one has a limit.

    Equation   -(dx)^2 t / [2 k (t + 2 gamma/k)] from x = 0, Gomez-Marin, Schmiedl & Seifert 2008
    """
    numbers, jumps = found.numbers, p["form"].endswith("jumps")
    cost = moved if p["form"].startswith("moved") else stiffer
    z = numbers["coefficients"]
    z = z[:0] if p["order"] == 0 else z
    if jumps:
        z = np.concatenate([numbers["ends"] - np.array(p["ends"]), numbers["kicks"], z])
    work, said, unit = cost(p, z), float(numbers["work"]), 1.0 + abs(float(numbers["work"]))
    errors = [abs(work - said) / (float(numbers["error"]) + 1e-9 * unit), float(numbers["error"]) / (WORK * unit)]
    # Newton's step by differences, in directions of which none is flat: what it would gain.
    size = max(1.0, abs(p["ends"][1] - p["ends"][0]))
    steps = STEP * size * np.eye(len(z))
    up, down = (np.array([cost(p, z + sign * step) for step in steps]) for sign in (1.0, -1.0))
    slope = 0.5 * (up - down)
    H = np.diag(up + down - 2.0 * work)
    for i, one in enumerate(steps):
        for j, other in enumerate(steps[:i]):
            both = cost(p, z + one + other) - up[i] - up[j] + work
            H[i, j] = H[j, i] = both
    values, directions = np.linalg.eigh(H)
    along = directions.T @ slope
    # Differences are known to rounding errors of the works only.
    curved = np.maximum(values, 1e-10 * unit)
    errors.append(float(np.sum(0.5 * along**2 / curved)) / (GAIN * unit))
    if cost is moved and jumps:
        k, T, dx = p["stiffness"], p["duration"], p["ends"][1] - p["ends"][0]
        limit = -p["ends"][0] * dx / k - 0.5 * dx**2 * T / (k * (T + 2.0 * p["strength"] ** 2 / k))
        errors.append(abs(said - limit) / (float(numbers["error"]) + 1e-9 * unit))
    else:
        errors.append((_bound(p) - said) / (WORK * unit))
    return max(errors)


def _bound(p: Draw) -> float:
    """What no ramp goes below: the difference of the equilibria's free energies."""
    (first, last), k = p["ends"], p["stiffness"]
    if p["form"].startswith("moved"):
        return -0.5 * (last**2 - first**2) / k
    return 0.5 / p["beta"] * math.log((k + last) / (k + first))


JUDGES = {"optimal ramp": (ask_ramp, least)}
draws.KINDS |= {"optimal ramp": (ramp, 0.0)}
draws.LATER[1210] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 1)
