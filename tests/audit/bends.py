"""Draws of folds and branches of two-state units, of noise round attractors, and of rings that follow a drive."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov
from scipy.optimize import brentq, minimize_scalar, root

import jaxthermo as jt

from . import ask, contacts, draws, networks
from .ask import Answer, answer, quiet
from .draws import Draw, Generator, between

Array = np.ndarray
# What the verbs promise: of folds and fixed points, of linear noise.
ROOT, NOISE = 1e-9, 1e-5
TRANSIENT, PERIODS = 40, 80
# Nearly all units in the upper of two states.
UPPER = (0.01, 0.99)


def bend(rng: Generator, narrow: bool) -> Draw:
    """A cold start in the well that is not the deepest, so that the branch ends where this well does."""
    coupling = -between(rng, 0.7, 3.0)
    return {
        "coupling": coupling,
        "gap": -coupling * rng.uniform(0.05, 0.5),
        "load": -coupling * rng.uniform(-0.15, 0.15),
        "prefactor": [between(rng, 0.2, 2.0) for _ in range(2)],
        "ratio": rng.uniform(0.7, 1.4),
        "beta": 9.0 / -coupling,
    }


def _pair(p: Draw) -> Any:
    return jt.JumpNetwork(
        [(0, 1), (0, 1)],
        [0.0, p["gap"]],
        p["coupling"],
        [0.0, p["load"]],
        reservoirs=[0, 1],
        prefactor=p["prefactor"],
    )


def ask_fold(p: Draw) -> Answer:
    found = quiet(jt.jumps.fold, _pair(p), p["beta"] * np.array([1.0, p["ratio"]]), UPPER)
    return answer(found, {"beta": float(found.beta), "share": float(found.occupation[1])})


def ask_branch(p: Draw) -> Answer:
    found = quiet(
        jt.jumps.branch,
        _pair(p),
        p["beta"] * np.array([1.0, p["ratio"]]),
        UPPER,
        low=0.01 * p["beta"],
        high=1.01 * p["beta"],
    )
    names = ("beta", "stable", "fold", "work_current", "heat_currents")
    numbers = {name: np.asarray(getattr(found, name)) for name in names}
    return answer(found, numbers | {"share": np.asarray(found.occupation)[:, 1]})


def _flows(p: Draw, share: float, beta: float) -> tuple[Array, Array, Array]:
    """Through each reservoir up and down, and the heat that a hop up takes from it."""
    heat = p["gap"] + p["coupling"] * (2.0 * share - 1.0) - np.array([0.0, p["load"]])
    half = 0.5 * beta * np.array([1.0, p["ratio"]]) * heat
    G = np.array(p["prefactor"])
    return G * np.exp(-half) * (1.0 - share), G * np.exp(half) * share, heat


def _drift(p: Draw, share: float, beta: float) -> float:
    """dP/dt of the upper state, over the traffic."""
    up, down, _ = _flows(p, share, beta)
    return float((up.sum() - down.sum()) / (up.sum() + down.sum()))


def _beta_at(p: Draw, share: float, near: float) -> float:
    """Where this share rests; the branch has one beta for each share."""
    low = high = near
    while _drift(p, share, low) * _drift(p, share, high) > 0.0:
        low, high = 0.9 * low, 1.1 * high
    return float(brentq(lambda beta: _drift(p, share, beta), low, high, xtol=1e-15, rtol=1e-15))


def _bend(p: Draw) -> tuple[float, float]:
    """The least beta of the branch over the share, from the cold well on, and the share there."""
    share = float(brentq(lambda s: _drift(p, s, p["beta"]), 0.9, 1.0 - 1e-12, xtol=1e-15))
    beta, step = p["beta"], 1e-3
    betas = [beta]
    shares = [share]
    while len(betas) < 3 or betas[-1] < betas[-2]:
        shares.append(shares[-1] - step)
        betas.append(_beta_at(p, shares[-1], betas[-1]))
    near = betas[-2]
    best = minimize_scalar(
        lambda s: _beta_at(p, s, near), bounds=(shares[-1], shares[-3]), method="bounded", options={"xatol": 1e-9}
    )
    return float(best.fun), float(best.x)


def fold(p: Draw, found: Answer) -> float:
    """The share is the place of a flat minimum, of which fewer digits can be known."""
    beta, share = _bend(p)
    return max(abs(found.numbers["beta"] - beta) / beta / ROOT, abs(found.numbers["share"] - share) / 1e-6)


def branch(p: Draw, found: Answer) -> float:
    """Every point rests, is stable where the drift falls, and the branch turns once, at the fold."""
    numbers, (turn, share) = found.numbers, _bend(p)
    errors = []
    for i, (beta, s) in enumerate(zip(numbers["beta"], numbers["share"], strict=True)):
        up, down, heat = _flows(p, s, beta)
        J = up - down
        slope = (_drift(p, s + 1e-6, beta) - _drift(p, s - 1e-6, beta)) / 2e-6
        if abs(s - share) > 1e-3 and bool(numbers["stable"][i]) != (slope < 0.0):
            return math.inf
        scale = max(1.0, float((up + down).max()))
        off = np.append(numbers["heat_currents"][i] - J * heat, numbers["work_current"][i] - J[1] * p["load"])
        errors += [abs(_drift(p, s, beta)) / ROOT, float(np.abs(off).max()) / scale / ROOT]
    turns = np.flatnonzero(numbers["fold"])
    # It goes on to the unstable side of the fold, and comes no lower than it.
    if len(turns) != 1 or abs(numbers["share"][turns[0]] - share) > 0.05 or numbers["share"][-1] > share:
        return math.inf
    return max(*errors, (turn - numbers["beta"].min()) / turn / ROOT)


def ask_noise_at_rest(p: Draw) -> Answer:
    found = quiet(jt.jumps.linear_noise, contacts.network_of(p), np.array(p["betas"]), p["start"])
    numbers = {name: np.asarray(getattr(found, name)) for name in ("covariance", "contraction")}
    return answer(found, numbers | {"kind": str(found.kind)})


def ask_noise_of_a_cycle(p: Draw) -> Answer:
    found = quiet(jt.jumps.linear_noise, ask.ring(p), p["beta"], _start(p["q"]))
    names = ("period", "phase_diffusion", "contraction")
    return answer(found, {name: float(getattr(found, name)) for name in names} | {"kind": str(found.kind)})


def _start(q: int) -> list[float]:
    return [0.9, *[0.1 / (q - 1)] * (q - 1)]


def _slopes(field: Any, x: Array) -> Array:
    """The Jacobian by complex steps, exact to rounding."""
    return np.column_stack([field(x + 1e-30j * e).imag for e in np.eye(len(x))]) / 1e-30


def noise_at_rest(p: Draw, found: Answer) -> float | None:
    """Lyapunov's equation at the state where a long integration ends."""
    if found.numbers["kind"] != "fixed point":
        return math.inf
    P, betas = np.array(p["start"]), np.array(p["betas"])
    for _ in range(20):
        P = contacts.follow(p, P, lambda t: betas, np.array([0.0, 100.0]))[-1, :3]
    forward, backward, _ = contacts.flows(p, P, betas)
    if np.abs(contacts.ARRIVALS @ (forward - backward)).max() > 1e-10:
        return None

    def field(x: Array) -> Array:
        there, back, _ = contacts.flows(p, np.append(x, 1.0 - x.sum()), betas)
        return (contacts.ARRIVALS @ (there - back))[:2]

    J, step = _slopes(field, P[:2]), contacts.ARRIVALS[:2]
    C = solve_continuous_lyapunov(J, -(step * (forward + backward)) @ step.T)
    whole = np.block([[C, -C.sum(axis=1)[:, None]], [-C.sum(axis=0)[None], np.array([[C.sum()]])]])
    return contacts.furthest([(found.numbers["covariance"], whole), (found.numbers["contraction"], np.trace(J))], NOISE)


def noise_of_a_cycle(p: Draw, found: Answer) -> float | None:
    """The phase's response from the map over one period, the noise that a period adds from its covariance."""
    if found.numbers["kind"] != "limit cycle":
        return math.inf
    ring, beta, q = networks.Ring(**{k: p[k] for k in RING}), p["beta"], p["q"]

    def field(x: Array) -> Array:
        return ring.slope(np.append(x, 1.0 - x.sum()), beta)[:-1]

    def moved(x: Array, duration: float) -> Array:
        done = solve_ivp(lambda t, y: field(y), (0.0, duration), x, method="DOP853", rtol=1e-12, atol=1e-13)
        return done.y[:, -1]

    P, _ = networks.flow(ring, beta, np.array(_start(q)), 600.0)
    at, guess = P[:-1], found.numbers["period"]
    ahead = field(at)
    closed = root(
        lambda z: np.append(moved(z[:-1], z[-1]) - z[:-1], (z[:-1] - at) @ ahead), np.append(at, guess), tol=1e-11
    )
    x, T = closed.x[:-1], float(closed.x[-1])
    if np.abs(moved(x, T) - x).max() > 1e-9:
        return None
    n = q - 1

    def rates(t: float, y: Array) -> Array:
        now, flow, spread = y[:n], y[n : n + n * n].reshape(n, n), y[n + n * n : -1].reshape(n, n)
        P, J = np.append(now, 1.0 - now.sum()), _slopes(field, now)
        levels = np.array(ring.energies) + ring.coupling * P
        forward, backward = ring.rates(np.roll(levels, -1) - levels, beta)
        traffic = forward * P + backward * np.roll(P, -1)
        steps = (np.roll(np.eye(q), 1, axis=0) - np.eye(q))[:-1]
        more = J @ spread + spread @ J.T + (steps * traffic) @ steps.T
        return np.concatenate([field(now), (J @ flow).ravel(), more.ravel(), [np.trace(J)]])

    start = np.concatenate([x, np.eye(n).ravel(), np.zeros(n * n + 1)])
    end = solve_ivp(rates, (0.0, T), start, method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1]
    flow, spread = end[n : n + n * n].reshape(n, n), end[n + n * n : -1].reshape(n, n)
    values, vectors = np.linalg.eig(flow.T)
    z = vectors[:, np.argmin(np.abs(values - 1.0))].real
    z = z / (z @ field(x))
    expected = (T, 0.5 * (2.0 * np.pi / T) ** 2 * float(z @ spread @ z) / T, float(end[-1]) / T)
    names = ("period", "phase_diffusion", "contraction")
    return max(abs(found.numbers[k] / value - 1.0) for k, value in zip(names, expected, strict=True)) / NOISE


RING = ("q", "coupling", "force", "prefactor", "energies", "law", "split")


def driven(rng: Generator, narrow: bool) -> Draw:
    """Above onset a ring of three states turns in about 14 units of time."""
    return {
        "force": rng.uniform(0.8, 1.3),
        "swing": rng.uniform(0.1, 0.6),
        "period": rng.uniform(3.0, 12.0),
        "beta": rng.uniform(3.1, 3.8),
        "start": rng.dirichlet(np.ones(3)).tolist(),
    }


def ask_locking(p: Draw) -> Answer:
    def force(t: Any) -> Any:
        return p["force"] + p["swing"] * jnp.cos(2.0 * jnp.pi * t / p["period"])

    found = quiet(
        jt.jumps.locking,
        jt.PottsRing(3, -1.0, force, 0.1),
        p["beta"],
        p["period"],
        p["start"],
        transient=TRANSIENT,
        periods=PERIODS,
    )
    numbers = {name: float(getattr(found, name)) for name in ("rotation_number", "lyapunov")}
    return answer(found, numbers | {"locked": bool(found.locked)})


def locking(p: Draw, found: Answer) -> float:
    """Turns and growth along a trajectory by LSODA; what is counted over n periods is known to 1/n."""
    T, beta = p["period"], p["beta"]
    corners = np.exp(2j * np.pi * np.arange(3) / 3)

    def currents(P: Array, t: float) -> Array:
        force = p["force"] + p["swing"] * math.cos(2.0 * np.pi * t / T)
        half = 0.5 * beta * (np.roll(P, -1) - P + force)
        return 0.1 * (np.exp(half) * P - np.exp(-half) * np.roll(P, -1))

    def field(x: Array, t: float) -> Array:
        J = currents(np.append(x, 1.0 - x.sum()), t)
        return (np.roll(J, 1) - J)[:-1]

    def rates(t: float, y: Array) -> Array:
        return np.concatenate([field(y[:2], t), _slopes(lambda x: field(x, t), y[:2]) @ y[2:]])

    y = np.array([*p["start"][:2], 0.6, 0.8])
    turned, grown = 0.0, 0.0
    for period in range(TRANSIENT + PERIODS):
        ts = T * (period + np.linspace(0.0, 1.0, 61))
        course = solve_ivp(rates, (ts[0], ts[-1]), y, method="LSODA", rtol=1e-9, atol=1e-11, t_eval=ts).y
        y, length = course[:, -1].copy(), float(np.linalg.norm(course[2:, -1]))
        y[2:] /= length
        if period >= TRANSIENT:
            z = corners @ np.vstack([course[:2], 1.0 - course[:2].sum(axis=0)])
            turned += float(np.angle(z[1:] / z[:-1]).sum()) / (2.0 * np.pi)
            grown += math.log(length)
    # A disturbance that shrinks clearly less, or clearly more, than by exp(-6) decides.
    if abs(grown + 6.0) > 3.0 and found.numbers["locked"] != (grown < -6.0):
        return math.inf
    return max(
        abs(found.numbers["rotation_number"] * PERIODS - turned),
        0.5 * abs(found.numbers["lyapunov"] * PERIODS * T - grown),
    )


JUDGES = {
    "units, fold": (ask_fold, fold),
    "units, branch": (ask_branch, branch),
    "noise, fixed point": (ask_noise_at_rest, noise_at_rest),
    "noise, limit cycle": (ask_noise_of_a_cycle, noise_of_a_cycle),
    "ring, locking": (ask_locking, locking),
}
draws.KINDS |= {
    "units, fold": (bend, 0.0),
    "units, branch": (bend, 0.0),
    "noise, fixed point": (contacts.network, 0.0),
    "noise, limit cycle": (draws.ring_cycle, 0.0),
    "ring, locking": (driven, 0.0),
}
draws.LATER[1040] += tuple(JUDGES)
draws.SHORT |= dict.fromkeys(JUDGES, 2)
