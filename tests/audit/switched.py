"""Draws of response functions, rates and Carnot cycles of a parabola, the library asked, and closed references."""

from typing import Any

import numpy as np
import oscillator_exact as exact
from scipy.linalg import expm, solve_continuous_lyapunov

import jaxthermo as jt

from . import draws
from .ask import Answer, answer, quiet
from .draws import Draw, Generator, between

# What the verbs promise of linear forces, over the scale of each function; and of a run's heats, over the largest one.
LINEAR, HEAT = 1e-8, 1e-3


def response(rng: Generator, narrow: bool) -> Draw:
    return {
        "strength": between(rng, 0.05, 2.0),
        "beta": between(rng, 0.2, 10.0),
        "poles": int(rng.integers(0, 5)),
        "ts": sorted(float(t) for t in rng.uniform(0.0, 12.0, 6)),
        "frequencies": [between(rng, 0.05, 8.0) for _ in range(4)],
    }


def carnot(rng: Generator, narrow: bool) -> Draw:
    """Fields near those of equal entropy, and far from them; periods too short to be reversible."""
    first, second = rng.uniform(-0.2, 0.2), rng.uniform(-0.5, -0.2)
    ratio = rng.uniform(1.2, 2.0)
    end, begin = ((1.0 + field) / ratio ** rng.uniform(0.5, 2.0) - 1.0 for field in (second, first))
    return {
        "strength": between(rng, 0.2, 1.0),
        "betas": (0.6, 0.6 * ratio),
        "fields": (first, second, max(end, -0.8), max(begin, -0.8)),
        "period": between(rng, 10.0, 60.0),
        "rise": rng.uniform(0.1, 0.4),
    }


def _parabola(p: Draw) -> Any:
    return jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), p["strength"], p["poles"])


def ask_correlation(p: Draw) -> Answer:
    found = quiet(jt.correlation, _parabola(p), p["beta"], 0.0, np.array(p["ts"]))
    return answer(found, {name: np.asarray(getattr(found, name)) for name in ("symmetrised", "response")})


def ask_spectrum(p: Draw) -> Answer:
    found = quiet(jt.spectrum, _parabola(p), p["beta"], 0.0, np.sort(p["frequencies"]))
    return answer(found, {"response": np.asarray(found.response)})


def ask_rates(p: Draw) -> Answer:
    found = quiet(jt.relaxation_rates, _parabola(p), p["beta"], 0.0)
    return answer(found, {"rate": np.asarray(found.rate)})


def ask_carnot(p: Draw) -> Answer:
    well, stiffness = jt.Polynomial([0.0, 0.0, 0.5, 0.0, 0.0]), jt.Polynomial([0.0, 0.0, -0.5])
    model = jt.classical_oscillator(well, p["strength"], coordinate=stiffness)
    cycle = jt.CarnotCycle(*p["betas"], p["fields"], p["period"], rise=p["rise"])
    run = quiet(jt.run_cycle, model, cycle, 1e-5, points=2)
    return answer(run, {name: np.asarray(getattr(run, name)) for name in ("work", "heat_of", "switching_of")})


def correlation(p: Draw, found: Answer) -> float:
    """The closed moments of q, p - zeta and the noises, by SciPy."""
    xi, eta = exact.pade(p["poles"])
    friction, size = p["strength"] ** 2, 2 + p["poles"]
    drift = np.diag([0.0, -friction, *(-xi / p["beta"])])
    drift[0, 1:], drift[1, 0], drift[1, 2:] = 1.0, -1.0, -friction
    noise = np.diag([0.0, 2.0 * friction / p["beta"], *(4.0 * friction * eta / p["beta"])])
    spread, unit = solve_continuous_lyapunov(drift, -noise), np.eye(size)
    flow = np.stack([expm(drift * t) for t in p["ts"]])
    differences = (
        found.numbers["symmetrised"] - (flow @ spread)[:, 0, 0],
        (found.numbers["response"] - flow[:, 0] @ unit[1]) / min(2.0, p["beta"]),
    )
    return max(float(np.abs(part).max()) for part in differences) / LINEAR / max(spread[0, 0], 1.0)


def spectrum(p: Draw, found: Answer) -> float:
    """Equation   chi(w) = 1/(1 - w^2 - i A^2 w), with either sign of w in the transform."""
    w = np.sort(p["frequencies"])
    expected = 1.0 / (1.0 - w**2 - 1j * p["strength"] ** 2 * w)
    size = np.abs(expected).max()
    return float(np.abs(found.numbers["response"] - expected).max()) / size / LINEAR


def rates(p: Draw, found: Answer) -> float:
    """Sums of the damped motion's own two rates, of half of A^2 in the underdamped case, and of the noises' nu_k."""
    friction = p["strength"] ** 2
    own = -np.roots([1.0, friction, 1.0]).astype(complex)
    xi, _ = exact.pade(p["poles"])
    basic = np.concatenate([own, xi / p["beta"]])
    sums = [basic, basic[:, None] + basic[None], basic[:, None, None] + basic[None, :, None] + basic[None, None]]
    values = np.concatenate([np.unique(np.round(part.ravel(), 12)) for part in sums]).real
    ours = np.sort(found.numbers["rate"])
    slowest = np.sort(values)[: len(ours)]
    return float(np.abs(ours - slowest).max()) / slowest[-1] / LINEAR


def _moments(p: Draw) -> dict[str, np.ndarray]:
    return exact.carnot_cycle(p["betas"], np.array(p["fields"]), p["period"], p["strength"] ** 2, p["rise"])


def no_cycle(p: Draw) -> bool:
    """Whether the moving stiffness feeds the oscillation faster than the baths damp it, so that no grid is enough."""
    return bool(np.isnan(_moments(p)["work"][-1]))


def carnot_cycle(p: Draw, found: Answer) -> float:
    """The closed moments of a parabola between two baths; inf where they have no stationary cycle."""
    expected = _moments(p)
    if np.isnan(expected["work"][-1]):
        return np.inf
    pairs = (
        (found.numbers["work"], expected["work"][-1]),
        (found.numbers["heat_of"], expected["heat"][-1]),
        (found.numbers["switching_of"], expected["switching"][-1]),
    )
    size = float(np.abs(expected["heat"][-1]).max())
    return max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs) / size / HEAT


JUDGES = {
    "correlation, harmonic": (ask_correlation, correlation),
    "spectrum, harmonic": (ask_spectrum, spectrum),
    "relaxation rates, harmonic": (ask_rates, rates),
    "cycle, Carnot": (ask_carnot, carnot_cycle),
}
draws.KINDS |= {
    "correlation, harmonic": (response, 0.03),
    "spectrum, harmonic": (response, 0.03),
    "relaxation rates, harmonic": (response, 0.03),
    "cycle, Carnot": (carnot, 0.02),
}
draws.SHORT |= {"correlation, harmonic": 6, "spectrum, harmonic": 6, "relaxation rates, harmonic": 6}
