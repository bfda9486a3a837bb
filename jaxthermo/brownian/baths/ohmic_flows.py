"""What the split flows do to the hierarchy of an `OhmicBath`, on real Fourier coefficients in y."""

from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxthermo.brownian.grid import computed_once
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, annihilation_operators, members_of, mix_members
from jaxthermo.brownian.steps.flows import AbstractDecayingFlows
from jaxthermo.brownian.steps.spectrum import Noise, Spectrum, from_spectrum, map_in_real_basis, to_spectrum
from jaxthermo.brownian.steps.split import from_momenta

if TYPE_CHECKING:
    from jaxthermo.brownian.baths.ohmic import OhmicBath


class OhmicFlows(AbstractDecayingFlows):
    """A: free motion with friction at fixed zeta. B: diffusion and the decay of the members, which commute."""

    def noise(self, equation: Equation) -> Noise:
        """Its shape is a constant, only its scale A sqrt(hbar) is a parameter."""
        bath = cast("OhmicBath", equation.oscillator.bath)
        matrix = np.tensordot(bath.jitter_shape(), annihilation_operators(members_of(equation.oscillator)), axes=1)
        values, basis = np.linalg.eigh(matrix + matrix.T)
        return Noise(bath.jitter_scale(equation.oscillator.hbar) * jnp.asarray(values), jnp.asarray(basis))

    def noise_at(self, equation: Equation, temperature: Any, t: Any) -> Noise:
        """The same at every temperature."""
        return self.noise(equation)

    def member_tables(
        self, equation: Equation, duration: Any, temperature: Any, heating: Any, t: Any
    ) -> tuple[Array, Array]:
        """The factors of diffusion, for each y > 0, and of decay, for each member."""
        oscillator = equation.oscillator
        terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar, heating)
        diffusion = terms.diffusion + terms.heating * jnp.sum(terms.jitter**2)
        return self.factors(equation, duration, diffusion, terms.decay + terms.heating)

    def is_heated(self, equation: Equation) -> bool:
        """With the memory of the earlier temperature only."""
        bath = cast("OhmicBath", equation.oscillator.bath)
        return bath.thermostat == "earlier" and len(members_of(equation.oscillator)) > 1

    def heating_table(
        self, equation: Equation, noise: Noise | None, old: Any, new: Any, begin: Any, end: Any
    ) -> Float[Array, "rows n"]:
        """For each y > 0 a factor for every zeta."""
        assert noise is not None
        return computed_once(jnp.exp(jnp.log(new / old) * equation.grid.y[1:, None] * noise.values[None]))

    def heat_members(
        self, spectrum: Spectrum, equation: Equation, noise: Noise | None, growth: PyTree[Array]
    ) -> Spectrum:
        """The hops (d ln T/dt) d_p sum_k jitter_k (a_k^+ - a_k); in the real basis they are
        (d ln T/dt) y zeta, a real symmetric matrix."""
        assert noise is not None
        basis = noise.basis

        def grown(part: Array) -> Array:
            return mix_members(basis, growth[:, :, None] * mix_members(basis.T, part))

        return map_in_real_basis(spectrum, equation, grown)

    def transport(
        self, spectrum: Spectrum, equation: Equation, noise: Noise | None, duration: Any, temperature: Any, t: Any
    ) -> Spectrum:
        """`from_momenta`."""
        assert noise is not None
        return from_momenta(
            from_spectrum(spectrum, equation), equation, noise, duration, equation.oscillator.bath.friction()
        )

    def change_temperature(self, V: HierarchyState, equation: Equation, old: Any, new: Any) -> HierarchyState:
        """Exact solution of the terms with `heating` in `BathTerms`, over ln(new/old).

        The members V_n refer to the temperature, the W_n of the published equation do not.
        Equation   exp[-ln(new/old) sum_k (a_k^+ + jitter_k d_p)(a_k - jitter_k d_p)]
        """
        members, bath = members_of(equation.oscillator), equation.oscillator.bath
        if not self.is_heated(equation):
            return V
        count = len(members)
        hbar = equation.oscillator.hbar
        ratio = jnp.log(new / old)
        y = equation.grid.y[1:][:, None, None]
        generator = jnp.zeros((y.shape[0], count, count))
        jitter = bath.terms(0.0, new, hbar).jitter
        for k, lower in enumerate(annihilation_operators(members)):
            shifted = lower - jitter[k] * y * np.eye(count)
            generator = generator + jnp.swapaxes(shifted, 1, 2) @ shifted
        step = jax.scipy.linalg.expm(-ratio * generator)
        spectrum = to_spectrum(V, equation)
        still = jnp.exp(-ratio * jnp.asarray(members.level, dtype=float))[:, None]
        moved = map_in_real_basis(spectrum, equation, lambda part: step @ part)
        return from_spectrum(jnp.concatenate([still * spectrum[:1], moved[1:]]), equation)
