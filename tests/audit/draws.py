"""Random questions to every verb, over its whole parameter space, each from a seed of its own."""

from collections.abc import Callable
from typing import Any

import numpy as np

Draw = dict[str, Any]
Generator = np.random.Generator

QUARTIC, HARMONIC = (0.0, 0.0, 0.1, 0.02, 0.05), (0.0, 0.0, 0.5)
LAWS = ("arrhenius", "glauber", "metropolis", "load sharing")


def between(rng: Generator, low: float, high: float) -> float:
    """Evenly over the decades."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def well(rng: Generator) -> tuple[float, ...]:
    """A single or a double well."""
    if rng.uniform() < 0.5:
        return (0.0, 0.0, rng.uniform(0.05, 0.6), rng.uniform(-0.05, 0.05), between(rng, 0.02, 0.2))
    return (0.0, rng.uniform(-0.1, 0.1), -rng.uniform(0.2, 1.5), 0.0, rng.uniform(0.1, 0.3))


def equilibrium_harmonic(rng: Generator, narrow: bool) -> Draw:
    p = {
        "coefficients": HARMONIC,
        "strength": between(rng, 0.05 if narrow else 0.01, 1.0 if narrow else 2.0),
        "poles": 1 if narrow else int(rng.integers(0, 5)),
        "beta": between(rng, 1.0, 4.0) if narrow else between(rng, 0.05, 10.0),
        "x": rng.uniform(-1.0, 1.0),
    }
    return _meshed(p, rng, narrow, 2)


def equilibrium_classical(rng: Generator, narrow: bool) -> Draw:
    p = {
        "coefficients": well(rng),
        "strength": between(rng, 0.1 if narrow else 0.01, 2.0),
        "poles": None,
        "beta": between(rng, 0.5, 4.0) if narrow else between(rng, 0.05, 10.0),
        "x": rng.uniform(-1.0, 1.0),
    }
    return _meshed(p, rng, narrow, None)


def equilibrium_quantum(rng: Generator, narrow: bool) -> Draw:
    p = {
        "coefficients": well(rng),
        "strength": between(rng, 0.05, 0.7) if narrow else between(rng, 0.01, 2.0),
        "poles": 1 if narrow else int(rng.integers(0, 5)),
        "beta": between(rng, 1.0, 4.0) if narrow else between(rng, 0.3, 10.0),
        "x": rng.uniform(-1.0, 1.0),
    }
    return _meshed(p, rng, narrow, 3)


def _meshed(p: Draw, rng: Generator, narrow: bool, depth: int | None) -> Draw:
    """The draw with its mesh left open; or, where draws are to share programs, with one number of points.

    These then span from a little less to more than the state needs.
    """
    if not narrow:
        return p
    q = np.linspace(-12.0, 12.0, 4801)
    height = np.polynomial.polynomial.polyval(q, p["coefficients"]) - p["x"] * q
    hot = 1.0 / p["beta"] if p["poles"] is None else max(1.0 / p["beta"], 0.8)
    reach = float(np.abs(q[height - height.min() < 21.0 * hot]).max()) * rng.uniform(0.9, 1.3)
    momentum = 6.5 * np.sqrt(hot * (1.0 if p["poles"] is None else 1.0 + p["strength"] ** 2)) * rng.uniform(0.9, 1.2)
    return p | {"grid": (reach, reach / 26, float(momentum), float(momentum) / 22), "depth": depth}


def drive_harmonic(rng: Generator, narrow: bool) -> Draw:
    grid = {"grid": (9.0, 9.0 / 26, 9.0, 9.0 / 22)} if narrow else {}
    spread = (0.5, 1.5) if narrow else (0.2, 4.0)
    return (
        {
            "coefficients": HARMONIC,
            "strength": between(rng, 0.2, 1.5),
            "poles": None if narrow else (None, 0, 1, 2)[int(rng.integers(0, 4))],
        }
        | _ramps(rng, spread)
        | grid
    )


def drive_classical(rng: Generator, narrow: bool) -> Draw:
    grid = {"grid": (5.8, 5.8 / 26, 9.4, 9.4 / 22)} if narrow else {}
    return (
        {
            "coefficients": QUARTIC if narrow else well(rng),
            "strength": between(rng, 0.2, 1.5),
            "poles": None,
        }
        | _ramps(rng, (0.7, 1.4) if narrow else (0.3, 3.0))
        | grid
    )


def drive_quantum(rng: Generator, narrow: bool) -> Draw:
    return {
        "coefficients": well(rng),
        "strength": between(rng, 0.1, 0.7),
        "poles": 1,
    } | _ramps(rng, (0.8, 4.0))


def _ramps(rng: Generator, betas: tuple[float, float]) -> Draw:
    """Temperature and field from one value to another, slowly or all but at once; the temperature up to fourfold."""
    start = between(rng, *betas)
    end = float(np.clip(start * between(rng, 0.25, 4.0), *betas))
    begin = rng.uniform(0.2, 0.8, size=2)
    ends = begin + np.array([between(rng, 1e-3, 3.0), between(rng, 1e-3, 3.0)])
    stops = sorted({0.0, *map(float, begin), *map(float, ends), 5.0})
    return {
        "beta": (start, end, float(begin[0]), float(ends[0])),
        "x": (rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8), float(begin[1]), float(ends[1])),
        "ts": stops,
    }


def cycle_harmonic(rng: Generator, narrow: bool) -> Draw:
    hot = between(rng, 0.4, 1.0)
    grid = {"grid": (9.0, 9.0 / 26, 9.0, 9.0 / 22)} if narrow else {}
    return {
        "coefficients": HARMONIC,
        "strength": between(rng, 0.4, 1.5),
        "poles": None if narrow else (None, 0, 1, 2)[int(rng.integers(0, 4))],
        "cycle": (
            hot,
            hot * rng.uniform(1.2, 2.5),
            rng.uniform(0.5, 1.5),
            rng.uniform(0.0, 0.5),
            between(rng, 5.0, 30.0),
        ),
        "tol": 1e-4,
        "points": 5,
    } | grid


def ring_stationary(rng: Generator, narrow: bool) -> Draw:
    q = 3 if narrow else int(rng.integers(2, 8))
    start = rng.dirichlet(np.ones(q))
    near = rng.uniform() < 0.3
    coupling, beta = -between(rng, 0.3, 3.0), between(rng, 0.3, 10.0)
    if near:
        beta = -q / coupling * (1.0 + rng.choice([-1.0, 1.0]) * between(rng, 0.01, 0.3))
    return {
        "q": q,
        "coupling": coupling if rng.uniform() < 0.85 else -coupling,
        "force": rng.uniform(-2.0, 2.0),
        "prefactor": 1.0,
        "energies": (np.zeros(q) if rng.uniform() < 0.5 else rng.normal(0.0, 0.3, q)).tolist(),
        "law": "arrhenius" if narrow else str(rng.choice(LAWS)),
        "split": rng.uniform(0.1, 0.9),
        "beta": float(beta),
        "start": start.tolist(),
    }


def ring_cycle(rng: Generator, narrow: bool) -> Draw:
    q = 3 if narrow else int(rng.choice([3, 5]))
    return {
        "q": q,
        "coupling": -1.0,
        "force": rng.uniform(0.7, 2.0),
        "prefactor": 1.0,
        "energies": [0.0] * q,
        "law": "arrhenius",
        "split": 0.5,
        "beta": q * rng.uniform(1.03, 1.3),
    }


def finite(rng: Generator, narrow: bool) -> Draw:
    q = 3 if narrow else int(rng.integers(2, 5))
    most = {2: 40, 3: 16, 4: 8}[q]
    return ring_stationary(rng, True) | {
        "q": q,
        "energies": (np.zeros(q) if rng.uniform() < 0.5 else rng.normal(0.0, 0.3, q)).tolist(),
        "law": "arrhenius" if narrow else str(rng.choice(LAWS)),
        "beta": between(rng, 0.1, 4.0),
        "units": 8 if narrow else int(rng.integers(1, most)),
    }


def minimum_work(rng: Generator, narrow: bool) -> Draw:
    return {
        "coefficients": HARMONIC,
        "strength": between(rng, 0.5, 1.5),
        "poles": None,
        "grid": (10.0, 10.0 / 26, 10.0, 10.0 / 22),
        "from": (rng.uniform(0.7, 1.3), rng.uniform(-0.5, 0.5)),
        "to": (rng.uniform(0.7, 1.3), rng.uniform(-0.5, 0.5)),
        "order": 3,
        "horizon": 1.0 if narrow else rng.uniform(0.5, 2.0),
    }


# Every kind of question with its share of the draws.
KINDS: dict[str, tuple[Callable[[Generator, bool], Draw], float]] = {
    "equilibrium, harmonic": (equilibrium_harmonic, 0.10),
    "equilibrium, classical": (equilibrium_classical, 0.10),
    "equilibrium, quantum": (equilibrium_quantum, 0.20),
    "drive, harmonic": (drive_harmonic, 0.06),
    "drive, classical": (drive_classical, 0.06),
    "drive, quantum": (drive_quantum, 0.06),
    "cycle, harmonic": (cycle_harmonic, 0.03),
    "ring, stationary": (ring_stationary, 0.20),
    "ring, limit cycle": (ring_cycle, 0.04),
    "ring, N units": (finite, 0.10),
    "minimum work": (minimum_work, 0.05),
}
# The default suite asks what costs little.
SHORT = {
    "equilibrium, harmonic": 8,
    "equilibrium, classical": 10,
    "equilibrium, quantum": 6,
    "drive, harmonic": 5,
    "drive, classical": 5,
    "cycle, harmonic": 1,
    "ring, stationary": 14,
    "ring, limit cycle": 2,
    "ring, N units": 8,
    "minimum work": 1,
}


# Kinds without a share, which came later: from the seed of their generation on they are asked in turn, so that older
# seeds keep their draws.
LATER: dict[int, tuple[str, ...]] = {1000: (), 1040: (), 1210: (), 1480: (), 1510: (), 1570: (), 1600: ()}
# Of the last generation, so many draws of each kind.
EACH = 30


def count() -> int:
    """Draws of an audit."""
    latest = max(LATER)
    return latest + EACH * len(LATER[latest])


def question(seed: int, narrow: bool = False, kind: str | None = None) -> tuple[str, Draw]:
    """The draw of one seed: its kind, and its parameters."""
    rng = np.random.default_rng(seed)
    names, shares = list(KINDS), np.array([share for _, share in KINDS.values()])
    drawn = str(rng.choice(names, p=shares / shares.sum()))
    if seed >= min(LATER):
        own = LATER[max(first for first in LATER if first <= seed)]
        drawn = own[seed % len(own)]
    kind = drawn if kind is None else kind
    return kind, KINDS[kind][0](rng, narrow)
