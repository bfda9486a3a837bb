"""Integrals int_0^inf exp(i w t) f(t) dt of a function at evenly spaced times, by the fast Fourier transform."""

from fractions import Fraction
from math import comb
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

# Differences at either end that mend the trapezoidal rule, with two and four of them less; times that it needs.
ORDERS, ORDER = (6, 8, 10), 10
FEWEST = 2 * ORDER
# Steps in a turn of the highest frequency.
TURN = 16
# What comes after the last time is followed for at most so many tenths of it.
LONGEST = 1e3


class Transforms(NamedTuple):
    """Both functions' transforms, and their errors over the largest value: of the rule, and of what comes later.

    The largest value of the first one is that of its real part if it is `even` in time, else of its imaginary part.
    """

    frequency: Float[Array, " frequencies"]
    values: Complex[Array, "2 frequencies"]
    rule: Float[Array, ""]
    rest: Float[Array, ""]


def transforms(time: Float[Array, " times"], functions: Float[Array, "2 times"], even: bool) -> Transforms:
    """Trapezoidal rule with Gregory's differences, at the frequencies pi k/T up to pi/8 over the step.

    A function that is a sum of decaying exponentials, as all are here, makes errors at the ends only. What more and
    more differences change there goes on nearly as a geometric sequence, which is summed and doubled for the error.
    `rest` takes what comes after the last time T for a geometric sequence, whose ratio is that of the largest values in
    the last two tenths of the time, but at most for a hundred times T.
    """
    count = time.shape[0]
    step = (time[-1] - time[0]) / (count - 1)
    kept = 2 * count // TURN + 1
    frequency = jnp.pi * jnp.arange(kept, dtype=step.dtype) / (count * step)

    def transform(order: int) -> Complex[Array, "2 frequencies"]:
        weights = np.ones(count)
        weights[:order] += gregory(order)
        weights[-order:] += gregory(order)[::-1]
        return jnp.conj(jnp.fft.rfft(step * weights[None] * functions, 2 * count)[:, :kept])

    rough, better, values = map(transform, ORDERS)
    part = values[0].real if even else values[0].imag
    largest = jnp.stack([jnp.max(jnp.abs(part)), jnp.max(jnp.abs(values[1]))])
    safe = jnp.where(largest > 0.0, largest, 1.0)
    first, second = (jnp.max(jnp.abs(one - other), axis=1) / safe for one, other in ((rough, better), (better, values)))
    rule = 2.0 * jnp.max(second * jnp.maximum(1.0, _sum_over_first(second, first)))
    tenth = max(count // 10, 1)
    before, last = (
        jnp.max(jnp.abs(part), axis=1) for part in (functions[:, -2 * tenth : -tenth], functions[:, -tenth:])
    )
    rest = last * jnp.minimum(_sum_over_first(last, before), LONGEST) * tenth * step / safe
    return Transforms(frequency, values, jax.lax.stop_gradient(rule), jax.lax.stop_gradient(jnp.max(rest)))


def _sum_over_first(one: Float[Array, "2"], before: Float[Array, "2"]) -> Float[Array, "2"]:
    """What comes after `one` in the geometric sequence that begins `before`, `one`; over `one`."""
    return one / jnp.maximum(before - one, jnp.finfo(one.dtype).tiny)


def gregory(order: int) -> np.ndarray:
    """What the rule that adds all values gets at its first `order` ones, exact for polynomials below that degree.

    Equation   int_0 f = sum_j f_j - sum_n G_(n+1) D^n f_0,  x/ln(1 + x) = sum_n G_n x^n, D the forward difference
    """
    numbers: list[Fraction] = []
    for n in range(order + 1):
        known = sum((G * Fraction((-1) ** (n - k), n - k + 1) for k, G in enumerate(numbers)), Fraction(0))
        numbers.append(Fraction(n == 0) - known)
    added = [
        -sum((numbers[n + 1] * (-1) ** (n - j) * comb(n, j) for n in range(j, order)), Fraction(0))
        for j in range(order)
    ]
    return np.array([float(one) for one in added])
