"""Disturbances of a stationary state from time to time, at constant temperature and field.

Split steps with tables made once for each interval. A symmetric composition has errors in even powers of the step, so
runs with ever more steps are extrapolated to step 0. A bath without split flows takes Taylor steps of high order.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxthermo.brownian.hierarchy import Equation, HierarchyState, vector_field
from jaxthermo.brownian.steps.limits import step_limit
from jaxthermo.brownian.steps.propagation import loop_for
from jaxthermo.brownian.steps.spectrum import from_spectrum, to_spectrum
from jaxthermo.brownian.steps.split import (
    local_flow,
    local_tables,
    momenta_flow,
    momenta_tables,
    noise_of,
    transport_flow,
)

# The longest split step of the first run, in units of the time in which the state is crossed at thermal velocity.
LONGEST = 0.25
# Runs, each with twice the steps of the one before.
RUNS = 8
# Order of the Taylor steps, and how far |R(z)| <= 1 along the negative real and the imaginary axis.
TAYLOR, EXTENTS = 8, (4.3, 3.39)

# (state, duration, number of steps) -> the state after them.
Advance = Callable[[HierarchyState, Any, Any], HierarchyState]


def split_advance(equation: Equation, temperature: Any, x: Any, reverse: bool) -> Advance:
    """Equal split steps."""
    noise = noise_of(equation)

    def advance(V: HierarchyState, duration: Any, count: Any) -> HierarchyState:
        h = duration / jnp.maximum(count, 1).astype(duration.dtype)
        local = local_tables(equation, 0.5 * h, temperature, x, jnp.zeros(()))
        free = None if noise is None else momenta_tables(equation, noise, h, equation.oscillator.bath.friction())

        def step(spectrum: Array) -> Array:
            still = local_flow(spectrum, equation, local)
            if noise is None or free is None:
                moved = transport_flow(still, equation, None, h, temperature)
            else:
                moved = momenta_flow(from_spectrum(still, equation), equation, noise, free)
            return local_flow(moved, equation, local)

        return from_spectrum(_repeated(step, to_spectrum(V, equation), count, reverse), equation)

    return advance


def taylor_advance(equation: Equation, temperature: Any, x: Any, reverse: bool) -> Advance:
    """Equal steps by the Taylor series of exp(h L)."""

    def advance(V: HierarchyState, duration: Any, count: Any) -> HierarchyState:
        h = duration / jnp.maximum(count, 1).astype(duration.dtype)

        def term(
            carry: tuple[HierarchyState, HierarchyState], power: Array
        ) -> tuple[tuple[HierarchyState, HierarchyState], None]:
            total, last = carry
            last = (h / power) * vector_field(last, equation, 0.0, temperature, x)
            return (total + last, last), None

        def step(V: HierarchyState) -> HierarchyState:
            return jax.lax.scan(term, (V, V), jnp.arange(1.0, TAYLOR + 1.0))[0][0]

        return _repeated(step, V, count, reverse)

    return advance


def _repeated(step: Callable[[Array], Array], begin: Array, count: Any, reverse: bool) -> Array:
    def advance(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        return carry[0] + 1, step(carry[1])

    return loop_for(lambda carry: carry[0] < count, advance, (jnp.zeros((), jnp.int32), begin), reverse)[1]


def first_counts(
    equation: Equation, temperature: Any, x: Any, crossing: Any, durations: Float[Array, " times"]
) -> Int[Array, " times"]:
    """Numbers of steps of the first run: as many as accuracy asks for, or stability; none where no time passes."""
    is_split = equation.oscillator.bath.flows() is not None
    longest = LONGEST * crossing if is_split else step_limit(equation, temperature, x, EXTENTS)
    return jnp.ceil(durations / longest - 1e-9).astype(jnp.int32)


def advance_of(equation: Equation, temperature: Any, x: Any, reverse: bool) -> Advance:
    """The steps that the bath takes."""
    kind = taylor_advance if equation.oscillator.bath.flows() is None else split_advance
    return kind(equation, temperature, x, reverse)
