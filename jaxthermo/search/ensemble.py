"""What a short protocol costs a given state: the work functional of the searches, differentiable in both modes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.brownian.hierarchy import Workspace
from jaxthermo.brownian.observables import Moments, low_members, moments
from jaxthermo.brownian.spectrum import Noise, Spectrum, from_spectrum
from jaxthermo.brownian.stepper import Driven, DrivenTerm, strang


class Passage(NamedTuple):
    """The state at the end, and the running integrals int X dx, int U dbeta, int X d(beta x), heat."""

    spectrum: Spectrum
    totals: Float[Array, "4"]


def passage(term: DrivenTerm, noise: Noise | None, start: Spectrum, duration: Any, steps: int) -> Passage:
    """`steps` second-order split steps; the reverse pass keeps the state at each and repeats what is between."""
    h = duration / steps

    @jax.checkpoint
    def step(y: Driven, i: Array) -> tuple[Driven, None]:
        begin = i.astype(h.dtype) * h
        return strang(term, noise, y, begin, begin + h), None

    h = jnp.asarray(h, dtype=float)
    end, _ = jax.lax.scan(step, Driven(start, jnp.zeros(4)), jnp.arange(steps, dtype=jnp.int32))
    return Passage(end.V, end.totals)


def moments_of(spectrum: Spectrum, work: Workspace, temperature: Any) -> Moments:
    """U, X and the other low moments of a state given by its Fourier coefficients in y."""
    return moments(from_spectrum(spectrum[:, low_members(work.oscillator)], work), work, temperature)


def extrapolated(coarse: Any, fine: Any) -> Any:
    """The value at step 0 from those of n and of 2n second-order steps."""
    return (4.0 * fine - coarse) / 3.0
