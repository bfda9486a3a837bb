"""Draws of drives between two baths that are switched, of a parabola, whose closed moments are the reference."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
from scipy.linalg import solve_continuous_lyapunov

import jaxthermo as jt

from . import draws
from .ask import Answer, answer, quiet
from .draws import Draw, Generator, between

# What a drive promises of moments and work over their scale; and of each bath's heat over the largest one.
COURSE, HEAT = 1e-4, 1e-3
NAMES = ("q2", "p2", "work", "heat_of", "switching_of")


def switched(rng: Generator, narrow: bool) -> Draw:
    return {
        "strengths": [between(rng, 0.4, 1.2) for _ in range(2)],
        "betas": [between(rng, 0.5, 2.0) for _ in range(2)],
        "poles": int(rng.integers(0, 2)),
        "rate": rng.uniform(0.3, 1.2),
        "x": (rng.uniform(-0.5, 0.5), rng.uniform(0.1, 0.4), rng.uniform(0.3, 1.5)),
        "ts": [0.0, *sorted(float(t) for t in rng.uniform(0.5, 5.0, 3))],
    }


def ask_switched(p: Draw) -> Answer:
    x0, swing, speed = p["x"]
    windows = [lambda t: jnp.cos(p["rate"] * t) ** 2, lambda t: jnp.sin(p["rate"] * t) ** 2]
    baths = jt.SwitchedBaths([jt.OhmicBath(a, p["poles"], p["poles"]) for a in p["strengths"]], p["betas"], windows)
    model = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5, 0.0, 0.0]), baths)
    run = quiet(jt.drive, model, p["betas"][0], lambda t: x0 + swing * jnp.sin(speed * t), np.array(p["ts"]))
    return answer(run, {name: np.asarray(getattr(run, name)) for name in NAMES})


def moments(p: Draw, found: Answer) -> float:
    """Means and covariances of q, p and both noises, from their stationary values beside the first bath."""
    w, (x0, swing, speed) = p["rate"], p["x"]
    xi, eta = exact.pade(p["poles"])
    pairs = (
        (lambda t: np.cos(w * t) ** 2, lambda t: -w * np.sin(2.0 * w * t)),
        (lambda t: np.sin(w * t) ** 2, lambda t: w * np.sin(2.0 * w * t)),
    )
    baths = [
        exact.SwitchedBath(a**2, beta, *pair, xi, eta)
        for a, beta, pair in zip(p["strengths"], p["betas"], pairs, strict=True)
    ]
    course = exact.SwitchedMoments(
        baths,
        lambda t: 1.0,
        lambda t: 0.0,
        lambda t: x0 + swing * float(np.sin(speed * t)),
        lambda t: swing * speed * float(np.cos(speed * t)),
    )
    drift, diffusion = course.linear(0.0)
    mean = np.zeros(course.size)
    mean[0] = x0
    at = course.trajectory(np.array(p["ts"]), mean, solve_continuous_lyapunov(drift, -diffusion))
    expected: dict[str, Any] = at | {"heat_of": at["heat"], "switching_of": at["switching"]}
    size = float(max(np.abs(at["heat"]).max(), np.abs(at["switching"]).max()))
    scales = {"q2": at["q2"].max(), "p2": at["p2"].max(), "work": at["p2"].max()}
    errors = {name: float(np.abs(found.numbers[name] - expected[name]).max()) for name in NAMES}
    return max(errors[name] / (COURSE * scales[name] if name in scales else HEAT * size) for name in NAMES)


JUDGES = {"drive, switched baths": (ask_switched, moments)}
draws.KINDS |= {"drive, switched baths": (switched, 0.0)}
draws.LATER[1040] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 2)
