"""The slowest modes of the generator, from the propagator over a time in which faster ones fade.

Its eigenvalues exp(lambda tau) are ordered by Re lambda, as those of an inverse are not, and a split step's error in
lambda has even powers of the step only, so that runs with ever more steps are extrapolated.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Int

from jaxthermo.brownian.equilibria.stationary import norm_of
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, vector_field
from jaxthermo.brownian.response.disturbance import Disturbed
from jaxthermo.brownian.response.evolution import RUNS, advance_of, first_counts
from jaxthermo.solve.extrapolation import weights_of_late_runs

# Vectors of the Krylov space; the time tau in units of the crossing time, and at most, where friction is slow.
SIZE, SHORT, LONG = 40, 2.0, 30.0


class Modes(eqx.Module):
    """Eigenvalues of the generator by one propagator, slowest first, and bounds on what the Krylov space leaves.

    `held` are the worst `edge`, `coarse` and `tail` of the modes.
    """

    values: Complex[Array, " modes"]
    errors: Float[Array, " modes"]
    held: Float[Array, "3"]


class SlowModes(eqx.Module):
    """Extrapolated eigenvalues, their estimated errors, and the cost."""

    values: Complex[Array, " modes"]
    errors: Float[Array, " modes"]
    held: Float[Array, "3"]
    runs: Int[Array, ""]
    steps: Int[Array, ""]


class _Search(eqx.Module):
    runs: Complex[Array, "runs modes"]
    latest: Modes
    values: Complex[Array, " modes"]
    errors: Float[Array, " modes"]
    next: Int[Array, ""]
    done: Bool[Array, ""]


def slow_modes(problem: Disturbed, begin: HierarchyState, count: int, tol: Any) -> SlowModes:
    """The `count` slowest modes that `begin`, a field without norm, has a share of.

    tol         of each eigenvalue over its modulus
    """
    symmetric = problem.oscillator.bath.flows() is not None
    best, late, early = (jnp.asarray(w, complex) for w in weights_of_late_runs(RUNS, symmetric))
    crossing = problem.crossing()
    friction = problem.oscillator.mass / problem.oscillator.bath.friction()
    tau = jnp.clip(friction, SHORT * crossing, LONG * crossing)
    first = first_counts(problem.equation, problem.temperature, problem.x, crossing, tau[None])[0]

    # More than asked for, so that those that change places are not lost.
    more = 2 * count + 2

    def run(so_far: _Search) -> _Search:
        i = so_far.next
        modes = _by_propagator(problem, begin, count, tau, first * 2**i)
        runs = so_far.runs.at[i].set(modes.values)
        # Nearly equal rates change places from run to run.
        places = jax.vmap(lambda values: _nearest(values, modes.values))(runs)
        ordered = jnp.take_along_axis(runs, places, axis=1)
        change = jnp.abs((late[i] - early[i]) @ ordered)
        errors = jnp.where(i > 0, change, jnp.inf) + modes.errors
        values = best[i] @ ordered
        asked = _slowest(modes.values)[:count]
        enough = jnp.all(errors[asked] <= tol * jnp.abs(values[asked])) | (i + 1 >= RUNS)
        return _Search(runs, modes, values, errors, i + 1, enough)

    nothing, unknown = jnp.zeros(more, complex), jnp.full(more, jnp.inf)
    empty, none = Modes(nothing, jnp.zeros(more), jnp.zeros(3)), jnp.zeros((RUNS, more), complex)
    start = _Search(none, empty, nothing, unknown, jnp.zeros((), jnp.int32), jnp.asarray(False))
    end = jax.lax.while_loop(lambda s: ~s.done, run, start)
    # What is no mode may extrapolate to anything, so the last run tells which ones are slowest.
    chosen = _slowest(end.latest.values)[:count]
    order = chosen[_slowest(end.values[chosen])]
    return SlowModes(end.values[order], end.errors[order], end.latest.held, end.next, first * (2**end.next - 1) * SIZE)


def _nearest(values: Complex[Array, " n"], wanted: Complex[Array, " n"]) -> Int[Array, " n"]:
    """For each wanted value in turn the place of the nearest one that is not taken yet."""
    distance = jnp.abs(values[None] - wanted[:, None])
    distance = jnp.where(jnp.isfinite(distance), distance, jnp.finfo(distance.dtype).max)

    def take(free: Array, row: Array) -> tuple[Array, Array]:
        place = jnp.argmin(jnp.where(free, row, jnp.inf))
        return free.at[place].set(False), place

    return jax.lax.scan(take, jnp.ones(values.shape[0], bool), distance)[1]


def _slowest(values: Complex[Array, " n"]) -> Int[Array, " n"]:
    """Least rates first, and of a conjugate pair the one with positive frequency."""
    return jnp.lexsort((-values.imag, jnp.round(-values.real / (1e-7 * jnp.max(jnp.abs(values))))))


def _by_propagator(problem: Disturbed, begin: HierarchyState, count: int, tau: Array, steps: Array) -> Modes:
    """Eigenvalues by Arnoldi's method."""
    equation = problem.equation
    advance = advance_of(equation, problem.temperature, problem.x, False)

    def clean(V: HierarchyState) -> HierarchyState:
        # The stationary state, which is slower than all, must not grow out of rounding errors.
        return V - norm_of(V, equation) * problem.V

    def step(j: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        basis, hessenberg = carry
        image = clean(advance(basis[j].reshape(begin.shape), tau, steps)).reshape(-1)
        first = basis @ image
        image = image - first @ basis
        second = basis @ image
        image = image - second @ basis
        length = jnp.linalg.norm(image)
        column = (first + second).at[j + 1].set(length)
        return basis.at[j + 1].set(image / jnp.where(length > 0, length, 1.0)), hessenberg.at[:, j].set(column)

    flat = clean(begin).reshape(-1)
    basis = jnp.zeros((SIZE + 1, flat.shape[0])).at[0].set(flat / jnp.linalg.norm(flat))
    basis, hessenberg = jax.lax.fori_loop(0, SIZE, step, (basis, jnp.zeros((SIZE + 1, SIZE))))
    shares, vectors = jnp.linalg.eig(hessenberg[:SIZE])
    order = jnp.argsort(-jnp.abs(shares))[: 2 * count + 2]
    left = jnp.linalg.inv(vectors)
    condition = jnp.linalg.norm(left, axis=1) * jnp.linalg.norm(vectors, axis=0)
    residual = jnp.abs(hessenberg[SIZE, SIZE - 1]) * jnp.abs(vectors[SIZE - 1]) / jnp.linalg.norm(vectors, axis=0)
    error = (condition * residual / (jnp.abs(shares) * tau))[order]

    def described(column: Array) -> tuple[Array, Array]:
        parts = jnp.stack([column.real, column.imag]) @ basis[:SIZE]
        fields = parts.reshape(2, *begin.shape)
        return _rayleigh(fields, equation, problem.temperature, problem.x), problem.held_pair(fields)

    about, held = jax.vmap(described)(vectors.T[order])
    rates = jnp.log(jnp.abs(shares[order])) / tau
    turned = jnp.angle(shares[order])
    # The propagator tells frequencies but for whole turns, the generator itself tells how many.
    turns = jnp.round((about.imag * tau - turned) / (2.0 * jnp.pi))
    values = jax.lax.complex(rates, (turned + 2.0 * jnp.pi * turns) / tau)
    return Modes(values, error, jnp.max(held[:count], axis=0))


def _rayleigh(pair: Float[Array, "2 p n q"], equation: Equation, temperature: Any, x: Any) -> Complex[Array, ""]:
    """<v, L v>/<v, v> of a complex field."""
    moved = jax.vmap(lambda V: vector_field(V, equation, 0.0, temperature, x))(pair)
    real = jnp.sum(pair * moved)
    imaginary = jnp.sum(pair[0] * moved[1] - pair[1] * moved[0])
    return jax.lax.complex(real, imaginary) / jnp.sum(pair**2).astype(complex)
