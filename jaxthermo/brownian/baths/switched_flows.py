"""What the split flows do to the hierarchy of `SwitchedBaths`, on real Fourier coefficients in y.

At every time the noises of all baths act through one sum, zeta = sum_b xi_b zeta_b, so a step is that of an Ohmic bath
along this sum, at the windows of its middle. While windows move, q and p + zeta keep their values.
"""

from typing import TYPE_CHECKING, Any, cast

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from jaxthermo.brownian.grid import complex_multiply, cosine_and_sine
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, annihilation_operators, members_of, mix_members
from jaxthermo.brownian.steps.flows import AbstractDecayingFlows
from jaxthermo.brownian.steps.ledger import Ledger
from jaxthermo.brownian.steps.spectrum import Noise, Spectrum, from_spectrum, noise_along
from jaxthermo.brownian.steps.split import from_momenta

if TYPE_CHECKING:
    from jaxthermo.brownian.baths.switched import SwitchedBaths


class SwitchedFlows(AbstractDecayingFlows):
    """A: free motion with friction at fixed zeta. B: diffusion and the decay of the members, which commute."""

    def noise(self, equation: Equation) -> None:
        """None: its direction among the baths changes with the windows."""
        return None

    def noise_at(self, equation: Equation, temperature: Any, t: Any) -> Noise:
        """zeta diagonalised at one time."""
        ledger = _ledger(equation)
        return along(equation, ledger, ledger.openings(t))

    def member_tables(
        self, equation: Equation, duration: Any, temperature: Any, heating: Any, t: Any
    ) -> tuple[Array, Array]:
        """The factors of diffusion, for each y > 0, and of decay, for each member."""
        ledger = _ledger(equation)
        diffusion = jnp.sum(ledger.frictions * ledger.openings(t) ** 2 * ledger.temperatures)
        return self.factors(equation, duration, diffusion, ledger.decay)

    def is_heated(self, equation: Equation) -> bool:
        """As windows move."""
        return True

    def rests(self, equation: Equation, old: Any, new: Any, begin: Any, end: Any) -> Bool[Array, ""]:
        """Whether no window moves; their temperatures rest."""
        ledger = _ledger(equation)
        return jnp.all(ledger.openings(begin) == ledger.openings(end))

    def heating_table(
        self, equation: Equation, noise: Noise | None, old: Any, new: Any, begin: Any, end: Any
    ) -> PyTree[Array]:
        """The kick of the counter-terms, and the shift of p by the noises that windows let in."""
        ledger, grid = _ledger(equation), equation.grid
        before, after = ledger.openings(begin), ledger.openings(end)
        kick = 0.5 * jnp.sum(ledger.frictions * (after**2 - before**2))
        shift = along(equation, ledger, after - before)
        y = grid.y[1:]
        kicked = cosine_and_sine(kick * y[:, None] * grid.q[None])
        return kicked, cosine_and_sine(y[:, None] * shift.values[None]), shift.basis

    def heat_members(
        self, spectrum: Spectrum, equation: Equation, noise: Noise | None, growth: PyTree[Array]
    ) -> Spectrum:
        """The shift, where it is diagonal, and the kick, which commutes with it."""
        (kick_cosine, kick_sine), (cosine, sine), basis = growth
        side = equation.grid.p_side
        turned = mix_members(basis.T, spectrum[1:])
        re, im = complex_multiply(turned[:side], turned[side:], cosine[:, :, None], sine[:, :, None])
        re, im = complex_multiply(re, im, kick_cosine[:, None, :], kick_sine[:, None, :])
        return jnp.concatenate([spectrum[:1], mix_members(basis, jnp.concatenate([re, im]))])

    def transport(
        self, spectrum: Spectrum, equation: Equation, noise: Noise | None, duration: Any, temperature: Any, t: Any
    ) -> Spectrum:
        """`from_momenta` along the noise of this time."""
        now = self.noise_at(equation, temperature, t)
        return from_momenta(from_spectrum(spectrum, equation), equation, now, duration, _ledger(equation).friction(t))

    def change_temperature(self, V: HierarchyState, equation: Equation, old: Any, new: Any) -> HierarchyState:
        """The same: baths keep their temperatures."""
        return V


def along(equation: Equation, ledger: Ledger, openings: Float[Array, " baths"]) -> Noise:
    """sum_b openings_b zeta_b diagonalised, zeta_b the noise of a bath whose window is open."""
    bath = cast("SwitchedBaths", equation.oscillator.bath)
    members = members_of(equation.oscillator)
    lower, owners = annihilation_operators(members), np.array(ledger.owners, dtype=int)
    if not len(lower):
        return Noise(jnp.zeros(len(members)), jnp.eye(len(members)))
    # The shape of the noise of each bath is a constant, and one direction of the hierarchy.
    noisy = sorted(set(ledger.owners))
    shapes = [bath.baths[i].jitter_shape() for i in noisy]
    sizes = [float(np.linalg.norm(shape)) for shape in shapes]
    directions = [
        np.tensordot(shape / size, lower[owners == i], axes=1)
        for i, shape, size in zip(noisy, shapes, sizes, strict=True)
    ]
    scales = [size * bath.baths[i].jitter_scale(equation.oscillator.hbar) for i, size in zip(noisy, sizes, strict=True)]
    return noise_along(np.stack(directions), jnp.stack(scales) * openings[np.array(noisy)])


def _ledger(equation: Equation) -> Ledger:
    ledger = equation.oscillator.ledger
    assert ledger is not None
    return ledger
