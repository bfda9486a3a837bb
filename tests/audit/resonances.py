"""Draws of spectra and relaxation rates in wells that are no parabolas; the generator as a matrix, by numpy and scipy.

The members of one noise are a chain of blocks, each of all matrices among the levels, so that linear solves go from the
deepest member up (matrix continued fractions: Risken, The Fokker-Planck Equation (1989), Ch. 9).
"""

from functools import cached_property
from typing import Any

import numpy as np
import oscillator_exact as exact
from scipy.linalg import eigvals, lu_factor, lu_solve

import jaxthermo as jt

from . import draws, hierarchy
from .ask import Answer, answer, oscillator, quiet
from .draws import Draw, Generator, between
from .wells import place

Array = np.ndarray
# What the verbs promise: of a spectrum over its largest value, of an eigenvalue over its modulus; and by how much two
# references may differ.
SPECTRUM, RATE, CHANGE = 1e-6, 1e-6, 3e-7
# Levels and depths of the references, in turn, without a noise and with one.
LADDERS = {
    0: ((14, 0), (18, 0), (22, 0), (26, 0), (30, 0)),
    1: ((12, 2), (15, 3), (18, 4), (22, 5), (26, 6)),
}
# The largest matrix whose eigenvalues are sought.
LARGEST = 1700


def spectrum(rng: Generator, narrow: bool) -> Draw:
    return place(rng) | {"frequencies": sorted(between(rng, 0.1, 4.0) for _ in range(3))}


def rates(rng: Generator, narrow: bool) -> Draw:
    return place(rng)


def ask_spectrum(p: Draw) -> Answer:
    found = quiet(jt.spectrum, oscillator(p), p["beta"], p["x"], np.array(p["frequencies"]))
    return answer(found, {name: np.asarray(getattr(found, name)) for name in ("symmetrised", "response")})


def ask_rates(p: Draw) -> Answer:
    found = quiet(jt.relaxation_rates, oscillator(p), p["beta"], p["x"])
    return answer(found, {"values": -np.asarray(found.rate) + 1j * np.asarray(found.frequency)})


class Chain:
    """The generator at rest of at most one noise: blocks on each member, to the one above and to the one below."""

    def __init__(self, p: Draw, levels: int, depth: int) -> None:
        poles = tuple(map(tuple, exact.pade(p["poles"])))
        well = hierarchy.Well(tuple(p["coefficients"]), p["strength"], poles)
        shares = hierarchy.best_frame(well, p["beta"], p["x"]).shares
        self.ladder = hierarchy.Hierarchy(well, hierarchy.basis(well, p["x"], levels), depth, shares)
        self.beta, self.levels, self.count = p["beta"], levels, depth + 1 if p["poles"] else 1

    @cached_property
    def blocks(self) -> tuple[Array, Array, Array, Array]:
        """Each member's own motion, what it gives upwards and downwards but for the roots, the decay of one level."""
        n, T = self.levels, 1.0 / self.beta
        units = np.eye(n * n).reshape(n * n, n, n)

        def block(moved: Array) -> Array:
            return moved.reshape(n * n, n * n).T

        alone = block(self.ladder.own(units, T, 0.0))
        if self.count == 1:
            return alone, np.zeros(0), np.zeros(0), np.zeros(1)
        up, down = (block(self.ladder.moved(units, 0, T, sign)) for sign in (1.0, -1.0))
        return alone, up, down, self.ladder.decays(T)

    def matrix(self) -> Array:
        alone, up, down, decay = self.blocks
        size = len(alone)
        whole = np.zeros((self.count * size,) * 2)
        for i in range(self.count):
            here = slice(i * size, (i + 1) * size)
            whole[here, here] = alone - i * decay[0] * np.eye(size)
            if i:
                below = slice((i - 1) * size, i * size)
                whole[here, below], whole[below, here] = np.sqrt(i) * up, np.sqrt(i) * down
        return whole

    def resolvent(self, frequency: float, starts: Array) -> Array:
        """(-i w - L)^-1 of states, (starts, members, levels, levels); their first members."""
        alone, up, down, decay = self.blocks
        size = len(alone)
        rest = starts.reshape(len(starts), self.count, size).astype(complex).transpose(1, 2, 0)
        back = np.zeros((size, size), complex)
        for i in reversed(range(self.count)):
            factors = lu_factor((i * decay[0] - 1j * frequency) * np.eye(size) - alone - back)
            if i == 0:
                return lu_solve(factors, rest[0]).T
            rest[i - 1] += np.sqrt(i) * down @ lu_solve(factors, rest[i])
            back = i * down @ lu_solve(factors, up.astype(complex))
        raise AssertionError


def _spectra(p: Draw, levels: int, depth: int) -> tuple[Array, Array]:
    """S(w) and chi(w) of the position."""
    chain = Chain(p, levels, depth)
    state, _ = chain.ladder.stationary(p["beta"])
    q = chain.ladder.at.q
    turned = np.swapaxes(state, -1, -2)
    starts = np.stack([0.5 * (q @ state + state @ q) - np.sum(state[0] * q) * state, q @ turned - turned @ q])
    found = np.array([chain.resolvent(w, starts) @ q.ravel() for w in p["frequencies"]])
    return 2.0 * found[:, 0].real, found[:, 1]


def _apart(one: Any, other: Any) -> float:
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(one, other, strict=True))


def spectra(p: Draw, found: Answer) -> float | None:
    at: tuple[Array, Array] | None = None
    for levels, depth in LADDERS[p["poles"]]:
        less, at = at, _spectra(p, levels, depth)
        change = np.inf if less is None else _apart(less, at)
        if change < CHANGE:
            error = _apart((found.numbers["symmetrised"], found.numbers["response"]), at)
            return max(0.0, error - change) / SPECTRUM
    return None


def _eigenvalues(p: Draw, levels: int, depth: int) -> Array:
    """All by increasing rate, without that of the stationary state."""
    values = eigvals(Chain(p, levels, depth).matrix())
    values = np.delete(values, np.argmin(np.abs(values)))
    return values[np.argsort(-values.real)]


def _from_nearest(one: Array, among: Array) -> float:
    """How far the values are from the nearest others, over their moduli."""
    return float(np.max(np.min(np.abs(one[:, None] - among[None]), axis=1) / np.abs(one)))


def _upper(values: Array) -> Array:
    """Conjugates, of which either may come first, as one."""
    return values.real + 1j * np.abs(values.imag)


def relaxation(p: Draw, found: Answer) -> float | None:
    """Each eigenvalue is one of the generator's, and no slower one is left out."""
    ours, at = found.numbers["values"], None
    for levels, depth in LADDERS[p["poles"]]:
        if levels**2 * (depth + 1) > LARGEST:
            break
        less, at = at, _eigenvalues(p, levels, depth)
        slowest = at[: len(ours)]
        change = np.inf if less is None else _from_nearest(slowest, less)
        if change < CHANGE:
            error = max(_from_nearest(ours, at), _from_nearest(_upper(slowest), _upper(ours)))
            return max(0.0, error - change) / RATE
    return None


JUDGES = {
    "spectrum, anharmonic": (ask_spectrum, spectra),
    "relaxation rates, anharmonic": (ask_rates, relaxation),
}
draws.KINDS |= {"spectrum, anharmonic": (spectrum, 0.0), "relaxation rates, anharmonic": (rates, 0.0)}
draws.LATER[1000] += tuple(JUDGES)
