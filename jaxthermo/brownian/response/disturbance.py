"""What one observable does to a stationary state, followed in time and looked at by another one."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo.brownian.equilibria.relaxation import crossing_time
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, equation_on
from jaxthermo.brownian.observables import observe, wigner
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.response.evolution import RUNS, advance_of, first_counts
from jaxthermo.brownian.response.linear import pace_of
from jaxthermo.brownian.response.observables import AbstractObservable
from jaxthermo.solve.either_mode import either_mode
from jaxthermo.solve.extrapolation import weights_of_runs


class Disturbed(eqx.Module):
    """A stationary state V, the observables A and B, and the times, or frequencies, at which A is looked at."""

    oscillator: Oscillator
    V: HierarchyState
    temperature: Float[Array, ""]
    x: Float[Array, ""]
    seen: AbstractObservable
    moved: AbstractObservable
    points: Float[Array, " points"]

    @property
    def equation(self) -> Equation:
        """The discretised equation."""
        return equation_on(self.oscillator)

    def mean(self, observable: AbstractObservable, V: HierarchyState) -> Float[Array, ""]:
        """Of an observable in a state."""
        return observable.mean(V, self.equation, self.temperature)

    def beginnings(self) -> Float[Array, "2 p n q"]:
        """(B V + V B)/2 less <B> V, and (i/hbar) [B, V]."""
        place = (self.V, self.equation, self.temperature)
        still = self.moved.symmetrised(*place)
        return jnp.stack([still - self.moved.mean(*place) * self.V, self.moved.after_impulse(*place)])

    def variance(self, observable: AbstractObservable) -> Float[Array, ""]:
        """Of an observable in the stationary state."""
        squared = self.mean(observable, observable.symmetrised(self.V, self.equation, self.temperature))
        return squared - self.mean(observable, self.V) ** 2

    def scales(self) -> Float[Array, "2"]:
        """Bounds, or sizes, of both functions: by Schwarz's inequality, and by it or the time of a crossing."""
        size = jnp.sqrt(self.variance(self.seen) * self.variance(self.moved))
        rate = 1.0 / (self.temperature * self.crossing())
        if self.oscillator.quantum:
            rate = jnp.minimum(rate, 2.0 / self.oscillator.hbar)
        return size * jnp.stack([jnp.ones(()), rate])

    def held(self, V: HierarchyState, size: Float[Array, ""]) -> Float[Array, "3"]:
        """`edge`, `coarse` and `tail` of a disturbance, as shares of a size."""
        seen = observe(V, self.equation, self.temperature)
        own = height(V)
        # The imaginary part at frequency 0 is empty.
        return jnp.where(own > 0, own / size * jnp.stack([seen.edge, seen.coarse, seen.tail]), 0.0)

    def held_pair(self, fields: Float[Array, "2 p n q"]) -> Float[Array, "3"]:
        """The worst `held` of the real and the imaginary part of a complex field, as shares of its size."""
        size = jnp.maximum(height(fields[0]), height(fields[1]))
        return jnp.max(jax.vmap(lambda V: self.held(V, size))(fields), axis=0)

    def crossing(self) -> Float[Array, ""]:
        """Time in which the state is crossed at thermal velocity."""
        return crossing_time(self.equation, self.temperature, wigner(self.V, self.equation, self.temperature))

    def pace(self) -> Float[Array, ""]:
        """Frequency of quick motion, where U'' - x X'' has its mean."""
        q = self.equation.grid.q
        density = jnp.sum(wigner(self.V, self.equation, self.temperature), axis=0)
        bend = jax.vmap(jax.grad(jax.grad(self.oscillator.height)), in_axes=(0, None))(q, self.x)
        return pace_of(self.oscillator, self.temperature, jnp.sum(density * bend) / jnp.sum(density))


def height(V: HierarchyState) -> Float[Array, ""]:
    """The largest |V_0|."""
    return jnp.max(jnp.abs(V[:, 0]))


class Followed(eqx.Module):
    """Both functions at all times, the estimated error of each, and how well grid and hierarchy held them.

    `held` are the worst `edge`, `coarse` and `tail` of both disturbances, as shares of their first size.
    """

    values: Float[Array, "2 times"]
    errors: Float[Array, "2"]
    held: Float[Array, "3"]
    run: Int[Array, ""]
    steps: Int[Array, ""]


def follow(problem: Disturbed, tol: Float[Array, ""]) -> Followed:
    """Runs with ever more steps until the error is below the tolerance, with derivatives in either mode.

    tol         of each function over its scale, see `Disturbed.scales`
    """

    def value(args: tuple[Disturbed, Array]) -> Followed:
        return _search(*args)

    def tangent(args: tuple[Disturbed, Array], found: Followed, changes: Any) -> Any:
        def values(problem: Disturbed) -> Array:
            return _combined(problem, found.run, reverse=False)

        return _only(found, eqx.filter_jvp(values, (args[0],), (changes[0],))[1])

    def cotangent(moving: Any, fixed: Any, found: Followed, covectors: Any) -> Any:
        def values(moving: Any) -> Array:
            return _combined(eqx.combine(moving, fixed[0]), found.run, reverse=True)

        return eqx.filter_vjp(values, moving[0])[1](covectors.values)[0], None

    return either_mode(value, tangent, cotangent, (problem, jax.lax.stop_gradient(tol)))


def _only(found: Followed, values: Array) -> Followed:
    """The change of the values; nothing else has one."""
    empty = jax.tree.map(lambda _: None, found)
    return eqx.tree_at(lambda f: f.values, empty, values, is_leaf=lambda leaf: leaf is None)


def _durations(problem: Disturbed) -> tuple[Float[Array, " times"], Int[Array, " times"]]:
    """Times between readings, and steps of the first run."""
    durations = jnp.diff(problem.points, prepend=jnp.zeros(1))
    counts = first_counts(problem.equation, problem.temperature, problem.x, problem.crossing(), durations)
    return durations, jax.lax.stop_gradient(counts)


def _run(problem: Disturbed, refined: Any, reverse: bool) -> tuple[Array, Array]:
    """Readings of both disturbances, (2, times), by `refined` times the steps of the first run; and `held`."""
    equation = problem.equation
    durations, counts = _durations(problem)
    advance = advance_of(equation, problem.temperature, problem.x, reverse)
    begin = problem.beginnings()
    first = jax.vmap(height)(begin)

    def piece(states: Array, interval: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        states = jax.vmap(lambda V: advance(V, interval[0], interval[1] * refined))(states)
        readings = jax.vmap(lambda V: problem.mean(problem.seen, V))(states)
        return states, (readings, jax.lax.stop_gradient(jax.vmap(problem.held)(states, first)))

    _, (readings, shares) = jax.lax.scan(piece, begin, (durations, counts))
    return readings.T, jnp.max(shares, axis=(0, 1))


def _weights(problem: Disturbed) -> tuple[Array, Array]:
    best, other = weights_of_runs(RUNS, problem.oscillator.bath.flows() is not None)
    return jnp.asarray(best), jnp.asarray(other)


class _Search(eqx.Module):
    """All runs so far, what the last one gave, and whether it is enough."""

    runs: Float[Array, "runs 2 times"]
    held: Float[Array, "3"]
    errors: Float[Array, "2"]
    next: Int[Array, ""]
    done: Bool[Array, ""]


def _search(problem: Disturbed, tol: Array) -> Followed:
    best, other = _weights(problem)
    scales = problem.scales()

    def run(so_far: _Search) -> _Search:
        i = so_far.next
        readings, held = _run(problem, 2**i, reverse=False)
        runs = so_far.runs.at[i].set(readings)
        difference = jnp.tensordot(best[i] - other[i], runs, axes=1)
        errors = jnp.where(i > 0, jnp.max(jnp.abs(difference), axis=1) / scales, jnp.inf)
        enough = jnp.all(errors <= tol) | ~jnp.all(jnp.isfinite(readings)) | (i + 1 >= RUNS)
        return _Search(runs, held, errors, i + 1, enough)

    none = jnp.zeros((RUNS, 2, problem.points.shape[0]))
    begin = _Search(none, jnp.zeros(3), jnp.full(2, jnp.inf), jnp.zeros((), jnp.int32), jnp.asarray(False))
    end = jax.lax.while_loop(lambda s: ~s.done, run, begin)
    last = end.next - 1
    steps = jnp.sum(_durations(problem)[1], dtype=jnp.int32) * (2**end.next - 1)
    return Followed(jnp.tensordot(best[last], end.runs, axes=1), end.errors, end.held, last, steps)


def _combined(problem: Disturbed, last: Array, reverse: bool) -> Float[Array, "2 times"]:
    """The extrapolated readings again, as a function of the problem: runs that do not count take no steps."""
    weights = _weights(problem)[0][last]

    def run(total: Array, which: tuple[Array, Array]) -> tuple[Array, None]:
        index, weight = which
        refined = jnp.where(index <= last, 2**index, 0)
        return total + weight * _run(problem, refined, reverse)[0], None

    none = jnp.zeros((2, problem.points.shape[0]))
    return jax.lax.scan(run, none, (jnp.arange(RUNS, dtype=jnp.int32), weights))[0]
