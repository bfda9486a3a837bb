"""Draws of states that are prepared without a bath, beside kets and density matrices among number states."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.linalg import expm
from scipy.special import eval_laguerre

import jaxthermo as jt

from . import draws
from .ask import Answer, answer, quiet
from .draws import QUARTIC, Draw, Generator, between

Array = np.ndarray
# Over the size of each number; and of the negativity, whose accuracy its docstring gives.
STATE, NEGATIVITY = 1e-6, 1e-4
SHAPES = ("coherent", "squeezed", "fock", "cat", "matrix", "wigner")
# Number states of the reference, of which the last third is only room for products.
LEVELS = 90


def prepared(rng: Generator, narrow: bool) -> Draw:
    root = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    rho = root @ root.conj().T
    rho /= np.trace(rho).real
    return {
        "shape": SHAPES[int(rng.integers(0, len(SHAPES)))],
        "frequency": between(rng, 0.6, 1.8),
        "place": rng.uniform(-1.5, 1.5, 2).tolist(),
        "squeezing": rng.uniform(-0.6, 0.6),
        "angle": rng.uniform(0.0, np.pi),
        "quanta": int(rng.integers(0, 5)),
        "phase": rng.uniform(0.0, 2.0 * np.pi),
        "matrix": [rho.real.tolist(), rho.imag.tolist()],
        "strength": between(rng, 0.1, 1.0),
        # Without a pole all members are the state itself.
        "poles": int(rng.uniform() < 0.25),
        "beta": between(rng, 0.5, 3.0),
    }


def ask_prepared(p: Draw) -> Answer:
    model = jt.quantum_oscillator(jt.Polynomial(QUARTIC), p["strength"], p["poles"])
    keys: dict[str, Any] = {"beta": p["beta"], "frequency": p["frequency"]}
    w, place = p["frequency"], p["place"]
    matrix = np.array(p["matrix"][0]) + 1j * np.array(p["matrix"][1])

    def number_state(q: Any, momentum: Any) -> Any:
        """The Wigner function of one quantum."""
        s = 2.0 * (q**2 * w + momentum**2 / w)
        return -(1.0 - s) * jnp.exp(-0.5 * s) / np.pi

    made = {
        "coherent": lambda: jt.State.coherent(model, *place, **keys),
        "squeezed": lambda: jt.State.squeezed(model, *place, p["squeezing"], p["angle"], **keys),
        "fock": lambda: jt.State.fock(model, p["quanta"], **keys),
        "cat": lambda: jt.State.cat(model, *place, p["phase"], **keys),
        "matrix": lambda: jt.State.from_density_matrix(model, matrix, **keys),
        "wigner": lambda: jt.State.from_wigner(model, number_state, beta=p["beta"]),
    }
    state = quiet(made[p["shape"]])
    numbers = {name: float(getattr(state, name)) for name in ("q", "q2", "p2", "qp", "U", "purity")}
    numbers["q2p2"] = float(jt.brownian.expectation(state, lambda q, p: q**2 * p**2))
    numbers["negativity"] = float(jt.brownian.wigner_negativity(state))
    return answer(state, numbers)


def _density(p: Draw) -> Array:
    """The density matrix among number states of the frequency."""
    a = np.diag(np.sqrt(np.arange(1.0, LEVELS)), 1)
    raised, w = a.T, p["frequency"]
    q, momentum = p["place"]
    alpha = (q * np.sqrt(w) + 1j * momentum / np.sqrt(w)) / np.sqrt(2.0)

    def displaced(ket: Array, by: complex) -> Array:
        return expm(by * raised - np.conj(by) * a) @ ket

    ground = np.eye(LEVELS)[0].astype(complex)
    if p["shape"] in ("matrix", "fock", "wigner"):
        rho = np.zeros((LEVELS, LEVELS), complex)
        if p["shape"] == "matrix":
            rho[:3, :3] = np.array(p["matrix"][0]) + 1j * np.array(p["matrix"][1])
        else:
            n = 1 if p["shape"] == "wigner" else p["quanta"]
            rho[n, n] = 1.0
        return rho
    if p["shape"] == "cat":
        ket = displaced(ground, alpha) + np.exp(1j * p["phase"]) * displaced(ground, -alpha)
    elif p["shape"] == "squeezed":
        # Narrow along the direction of the angle.
        z = p["squeezing"] * np.exp(2j * p["angle"])
        ket = displaced(expm(0.5 * (np.conj(z) * a @ a - z * raised @ raised)) @ ground, alpha)
    else:
        ket = displaced(ground, alpha)
    ket = ket / np.linalg.norm(ket)
    return np.outer(ket, ket.conj())


def levels(p: Draw, found: Answer) -> float:
    rho, w = _density(p), p["frequency"]
    a = np.diag(np.sqrt(np.arange(1.0, LEVELS)), 1)
    q, momentum = (a + a.T) / np.sqrt(2.0 * w), 1j * np.sqrt(0.5 * w) * (a.T - a)
    q2, p2 = q @ q, momentum @ momentum

    def mean(operator: Array) -> float:
        return float(np.einsum("ij,ji->", rho, operator).real)

    height = sum(c * np.linalg.matrix_power(q, k) for k, c in enumerate(QUARTIC))
    expected = {
        "q": mean(q),
        "q2": mean(q2),
        "p2": mean(p2),
        "qp": mean(0.5 * (q @ momentum + momentum @ q)),
        "U": mean(0.5 * p2 + height),
        "purity": mean(rho),
        # Weyl's order of q^2 p^2.
        "q2p2": mean(0.25 * (q2 @ p2 + 2.0 * q @ p2 @ q + p2 @ q2)),
    }
    errors = [abs(found.numbers[name] - value) / (STATE * max(1.0, abs(value))) for name, value in expected.items()]
    if p["shape"] in ("coherent", "squeezed"):
        errors.append(found.numbers["negativity"] / NEGATIVITY)
    if p["shape"] in ("fock", "wigner"):
        n = 1 if p["shape"] == "wigner" else p["quanta"]
        s = np.linspace(0.0, 60.0, 400_001)
        # In s = 2 H/(hbar w) the volume element is pi hbar ds/2 and W = (-1)^n exp(-s/2) L_n(s)/(pi hbar).
        volume = np.trapezoid(np.abs(0.5 * np.exp(-0.5 * s) * eval_laguerre(n, s)), s)
        errors.append(abs(found.numbers["negativity"] - (volume - 1.0)) / NEGATIVITY)
    return max(errors)


JUDGES = {"state, prepared": (ask_prepared, levels)}
draws.KINDS |= {"state, prepared": (prepared, 0.0)}
draws.LATER[1040] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 2)
