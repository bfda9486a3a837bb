"""Draws of canonical states, density matrices and fields of equal entropy; number states and quadrature refer.

H_A = p^2/2m + U - x X with polynomials U and X. Its matrix among the number states of one frequency w has the elements
of powers of q, and q those of sqrt(hbar/2mw) (a + a').
"""

import math
from typing import Any

import numpy as np
import oscillator_exact as exact
from numpy.polynomial import Polynomial
from scipy.optimize import brentq

import jaxthermo as jt

from . import draws, starts
from .ask import Answer, answer, quiet
from .draws import Draw, Generator, between

Array = np.ndarray
# What the verbs promise: means of a canonical state; a matrix of a Wigner function; entropies but for rounding errors.
MEANS, MATRIX, ENTROPY = 1e-7, 1e-6, 1e-9
# A canonical state is promised up to so many quanta over the temperature.
COLD = 20.0
# Energies above the temperature by so much are not populated.
EMPTY = 36.0
# So many levels of a density matrix.
COUNT = 8
BREATHING = (0.0, 0.0, -0.5)


def canonical(rng: Generator, narrow: bool) -> Draw:
    p = {
        "coefficients": draws.well(rng),
        "coordinate": (0.0, 1.0),
        "mass": between(rng, 0.5, 2.0),
        "hbar": between(rng, 0.3, 2.0),
        "quantum": narrow or bool(rng.uniform() < 0.8),
        "strength": between(rng, 0.05, 1.0),
        # With noises, a canonical state asks for a deep hierarchy.
        "poles": 0 if rng.uniform() < 0.7 else int(rng.integers(1, 4)),
        "x": rng.uniform(-1.0, 1.0),
        "beta": between(rng, 0.5, 3.0) if narrow else between(rng, 0.05, 10.0),
    }
    return p | {"beta": min(p["beta"], COLD / (p["hbar"] * _frequency(p, p["x"])))}


def matrix(rng: Generator, narrow: bool) -> Draw:
    """A prepared state, or a canonical one, among the levels of a well."""
    own = {"mass": 1.0, "hbar": 1.0, "quantum": True, "coordinate": (0.0, 1.0)}
    p = starts.prepared(rng, narrow) | own | {"coefficients": draws.well(rng), "x": rng.uniform(-0.5, 0.5)}
    p["shape"] = ("canonical", "coherent", "squeezed", "fock", "cat", "matrix")[int(rng.integers(0, 6))]
    return p


def isentrope(rng: Generator, narrow: bool) -> Draw:
    """A field that moves a well or makes it stiffer, and the temperature at which another field has the entropy."""
    breathing = bool(rng.uniform() < 0.6)
    quartic = between(rng, 0.02, 0.2) if rng.uniform() < 0.6 or not breathing else 0.0
    p = {
        "coefficients": (0.0, 0.0, rng.uniform(0.3, 1.0), 0.0 if breathing else rng.uniform(-0.05, 0.05), quartic),
        "coordinate": BREATHING if breathing else (0.0, 1.0),
        "mass": between(rng, 0.5, 2.0),
        "hbar": between(rng, 0.5, 2.0),
        "quantum": bool(rng.uniform() < 0.6),
        "strength": 0.5,
        "poles": 0,
        "x": rng.uniform(-0.3, 0.3) if breathing else rng.uniform(0.2, 1.0),
        "beta": between(rng, 0.5, 3.0) if narrow else between(rng, 0.05, 10.0),
    }
    p["beta"] = min(p["beta"], 8.0 / (p["hbar"] * _frequency(p, p["x"])))
    # The answer is about here; of the quantum entropy at high temperature the classical one is near enough.
    target = p["x"] + rng.uniform(-0.25, 1.0) * (1.0 if breathing else 0.5)
    rough = p | {"quantum": p["quantum"] and p["beta"] * p["hbar"] * _frequency(p, p["x"]) > 0.5}
    wanted, near = entropy(rough, p["beta"], p["x"]), math.log(p["beta"])
    end = brentq(lambda log: entropy(rough, math.exp(log), target) - wanted, near - 4.0, near + 4.0, rtol=1e-6)
    width = rng.uniform(0.1, 0.25)
    return p | {"beta_end": math.exp(end), "bounds": (target - width, target + 2.0 * width)}


def _height(p: Draw, x: float) -> Polynomial:
    return Polynomial(p["coefficients"]) - x * Polynomial(p["coordinate"])


def _frequency(p: Draw, x: float) -> float:
    """Of small oscillations in the deepest place."""
    height, q = _height(p, x), np.linspace(-12.0, 12.0, 24001)
    return math.sqrt(max(float(height.deriv(2)(q[np.argmin(height(q))])), 1e-3) / p["mass"])


def model_of(p: Draw) -> Any:
    potential, X = jt.Polynomial(list(p["coefficients"])), jt.Polynomial(list(p["coordinate"]))
    settings: dict[str, Any] = {"mass": p["mass"], "hbar": p["hbar"], "coordinate": X}
    if p["quantum"]:
        return jt.quantum_oscillator(potential, p["strength"], p["poles"], **settings)
    return jt.classical_oscillator(potential, p["strength"], **settings)


def ask_canonical(p: Draw) -> Answer:
    state = quiet(jt.State.canonical, model_of(p), beta=p["beta"], x=p["x"])
    return answer(state, {name: float(getattr(state, name)) for name in ("X", "q2", "p2", "U", "purity")})


def ask_matrix(p: Draw) -> Answer:
    model = model_of(p)
    keys: dict[str, Any] = {"beta": p["beta"], "x": p["x"]}
    w, place = p["frequency"], p["place"]
    rho = np.array(p["matrix"][0]) + 1j * np.array(p["matrix"][1])
    made = {
        "canonical": lambda: jt.State.canonical(model, **keys),
        "coherent": lambda: jt.State.coherent(model, *place, **keys, frequency=w),
        "squeezed": lambda: jt.State.squeezed(model, *place, p["squeezing"], p["angle"], **keys, frequency=w),
        "fock": lambda: jt.State.fock(model, p["quanta"], **keys, frequency=w),
        "cat": lambda: jt.State.cat(model, *place, p["phase"], **keys, frequency=w),
        "matrix": lambda: jt.State.from_density_matrix(model, rho, **keys, frequency=w),
    }
    state = quiet(made[p["shape"]])
    return answer(state, {"matrix": np.asarray(jt.brownian.density_matrix(state, COUNT))})


def ask_isentrope(p: Draw) -> Answer:
    x = quiet(jt.isentropic_field, model_of(p), p["beta"], p["x"], p["beta_end"], p["bounds"])
    return Answer(True, "ok", {"x": float(x)})


def hamiltonian(p: Draw, x: float, w: float, size: int) -> tuple[Array, Array, Array]:
    """H_A, q and p^2 among number states, of which products know a few more."""
    scale, more = math.sqrt(0.5 * p["hbar"] / (p["mass"] * w)), size + 6
    a = np.diag(np.sqrt(np.arange(1.0, more)), 1)
    q, rising = scale * (a + a.T), a - a.T
    p2 = -((0.5 * p["hbar"] / scale) ** 2) * rising @ rising
    H, power = 0.5 / p["mass"] * p2, np.eye(more)
    for c in _height(p, x).coef:
        H, power = H + c * power, power @ q
    return H[:size, :size], q[:size, :size], p2[:size, :size]


def _room(p: Draw, beta: float, x: float) -> tuple[float, int]:
    """The frequency of number states, and how many, that hold all that is populated."""
    height, q = _height(p, x), np.linspace(-200.0, 200.0, 400_001)
    values = height(q)
    energy = EMPTY / beta + 6.0 * p["hbar"] * _frequency(p, x)
    reach = float(np.abs(q[values < values.min() + energy]).max())
    momentum = math.sqrt(2.0 * p["mass"] * energy)
    return momentum / (p["mass"] * reach), 40 + int(0.9 * reach * momentum / p["hbar"])


# More number states than that cost too much.
MOST = 1500


def _levels(p: Draw, beta: float, x: float, more: float) -> tuple[Array, Array, Array, Array] | None:
    """Energies, their states, q and p^2 among number states."""
    w, size = _room(p, beta, x)
    size = int(more * size)
    if size > MOST:
        return None
    H, q, p2 = hamiltonian(p, x, w, size)
    return (*np.linalg.eigh(H), q, p2)


def entropy(p: Draw, beta: float, x: float, more: float = 1.0) -> float:
    """ln Z + beta <H_A>; nan where that takes too many levels."""
    if not p["quantum"]:
        return exact.classical_equilibrium(_height(p, x), beta, 0.0, p["mass"], p["hbar"])["S"]
    levels = _levels(p, beta, x, more)
    if levels is None:
        return math.nan
    above = beta * (levels[0] - levels[0][0])
    weights = np.exp(-above)
    return math.log(weights.sum()) + float(weights @ above / weights.sum())


def _means(p: Draw, more: float) -> dict[str, float] | None:
    levels = _levels(p, p["beta"], p["x"], more)
    if levels is None:
        return None
    energies, states, q, p2 = levels
    weights = np.exp(-p["beta"] * (energies - energies[0]))
    rho = (states * (weights / weights.sum())) @ states.T
    X, H = float(np.sum(rho * q)), float(weights @ energies / weights.sum())
    return {
        "X": X,
        "q2": float(np.sum(rho * (q @ q))),
        "p2": float(np.sum(rho * p2)),
        "U": H + p["x"] * X,
        "purity": float((weights @ weights) / weights.sum() ** 2),
    }


def _off(found: dict[str, float], at: dict[str, float]) -> float:
    """The largest difference over the size of each number, of X over that of its fluctuation or 1."""
    scale = {name: max(1.0, abs(value)) for name, value in at.items()}
    return max(abs(found[name] - value) / scale[name] for name, value in at.items())


def means(p: Draw, found: Answer) -> float | None:
    if not p["quantum"]:
        at = exact.classical_equilibrium(Polynomial(p["coefficients"]), p["beta"], p["x"], p["mass"])
        return _off(found.numbers, {name: at[name] for name in ("X", "q2", "p2", "U")}) / MEANS
    less, at = _means(p, 1.0), _means(p, 1.3)
    if less is None or at is None or _off(less, at) > 0.1 * MEANS:
        return None
    return _off(found.numbers, at) / MEANS


def elements(p: Draw, found: Answer) -> float | None:
    """Among levels whose signs are free: those of the most populated one's row are taken from the answer."""
    w = p["frequency"]
    known = starts.LEVELS
    energies, states = np.linalg.eigh(hamiltonian(p, p["x"], w, 170)[0])
    fewer = np.linalg.eigvalsh(hamiltonian(p, p["x"], w, 130)[0])
    if np.abs(energies[:COUNT] - fewer[:COUNT]).max() > 1e-9:
        return None
    if p["shape"] == "canonical":
        weights = np.exp(-p["beta"] * (energies - energies[0]))
        at = np.diag(weights[:COUNT] / weights.sum()).astype(complex)
    else:
        lowest = states[:known, :COUNT]
        at = lowest.T @ starts._density(p) @ lowest
    rho = found.numbers["matrix"]
    row = int(np.argmax(np.abs(np.diag(at))))
    signs = np.where((rho[row] * at[row].conj()).real < 0.0, -1.0, 1.0)
    return float(np.abs(rho - signs[:, None] * at * signs).max()) / MATRIX


def equal(p: Draw, found: Answer) -> float | None:
    """Entropies before and after, as the reference has them."""
    x, (low, high) = found.numbers["x"], p["bounds"]
    if not low <= x <= high:
        return math.inf
    before, after = entropy(p, p["beta"], p["x"], 1.3), entropy(p, p["beta_end"], x, 1.3)
    blur = abs(before - entropy(p, p["beta"], p["x"])) + abs(after - entropy(p, p["beta_end"], x))
    if not blur < 0.1 * ENTROPY:
        return None
    return abs(after - before) / ENTROPY / max(before, 1e-2)


JUDGES = {
    "state, canonical": (ask_canonical, means),
    "state, density matrix": (ask_matrix, elements),
    "field of equal entropy": (ask_isentrope, equal),
}
draws.KINDS |= {
    "state, canonical": (canonical, 0.0),
    "state, density matrix": (matrix, 0.0),
    "field of equal entropy": (isentrope, 0.0),
}
draws.LATER[1210] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 1)
