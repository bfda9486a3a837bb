"""What the split flows do to the hierarchy of an `OhmicBath`, on real Fourier coefficients in y."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxthermo.brownian.flows import AbstractDecayingFlows
from jaxthermo.brownian.grid import table
from jaxthermo.brownian.hierarchy import Field, Workspace, among_members, lowering, members_of
from jaxthermo.brownian.spectrum import Noise, Spectrum, from_spectrum, to_spectrum, twisted
from jaxthermo.brownian.split import from_momenta


class OhmicFlows(AbstractDecayingFlows):
    """A: free motion with friction at fixed zeta. B: diffusion and the decay of the members, which commute."""

    def noise(self, work: Workspace) -> Noise:
        """Its shape is a constant, only its scale A sqrt(hbar) is a parameter."""
        bath: Any = work.oscillator.bath
        matrix = np.tensordot(bath.jitter_shape(), lowering(members_of(work.oscillator)), axes=1)
        values, basis = np.linalg.eigh(matrix + matrix.T)
        return Noise(bath.jitter_scale(work.oscillator.hbar) * jnp.asarray(values), jnp.asarray(basis))

    def noise_at(self, work: Workspace, temperature: Any, t: Any) -> Noise:
        """The same at every temperature."""
        return self.noise(work)

    def member_tables(
        self, work: Workspace, duration: Any, temperature: Any, heating: Any, t: Any
    ) -> tuple[Array, Array]:
        """The factors of diffusion, for each y > 0, and of decay, for each member."""
        oscillator = work.oscillator
        terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar, heating)
        diffusion = terms.diffusion + terms.heating * jnp.sum(terms.jitter**2)
        return self.factors(work, duration, diffusion, terms.decay + terms.heating)

    def is_heated(self, work: Workspace) -> bool:
        """With the memory of the earlier temperature only."""
        bath: Any = work.oscillator.bath
        return bath.thermostat == "earlier" and len(members_of(work.oscillator)) > 1

    def heating_table(
        self, work: Workspace, noise: Noise | None, old: Any, new: Any, begin: Any, end: Any
    ) -> Float[Array, "rows n"]:
        """For each y > 0 a factor for every zeta."""
        assert noise is not None
        return table(jnp.exp(jnp.log(new / old) * work.grid.y[1:, None] * noise.values[None]))

    def heat_members(self, spectrum: Spectrum, work: Workspace, noise: Noise | None, growth: PyTree[Array]) -> Spectrum:
        """The hops (d ln T/dt) d_p sum_k jitter_k (a_k^+ - a_k); twisted they are (d ln T/dt) y zeta, a real symmetric
        matrix."""
        assert noise is not None
        basis = noise.basis

        def grown(part: Array) -> Array:
            return among_members(basis, growth[:, :, None] * among_members(basis.T, part))

        return twisted(spectrum, work, grown)

    def transport(
        self, spectrum: Spectrum, work: Workspace, noise: Noise | None, duration: Any, temperature: Any, t: Any
    ) -> Spectrum:
        """`from_momenta`."""
        assert noise is not None
        return from_momenta(from_spectrum(spectrum, work), work, noise, duration, work.oscillator.bath.friction())

    def change_temperature(self, V: Field, work: Workspace, old: Any, new: Any) -> Field:
        """Exact solution of the terms with `heating` in `BathTerms`, over ln(new/old).

        The members V_n refer to the temperature, the W_n of the published equation do not.
        Equation   exp[-ln(new/old) sum_k (a_k^+ + jitter_k d_p)(a_k - jitter_k d_p)]
        """
        members, bath = members_of(work.oscillator), work.oscillator.bath
        if not self.is_heated(work):
            return V
        count = len(members)
        hbar = work.oscillator.hbar
        ratio = jnp.log(new / old)
        y = work.grid.y[1:][:, None, None]
        generator = jnp.zeros((y.shape[0], count, count))
        jitter = bath.terms(0.0, new, hbar).jitter
        for k, lower in enumerate(lowering(members)):
            shifted = lower - jitter[k] * y * np.eye(count)
            generator = generator + jnp.swapaxes(shifted, 1, 2) @ shifted
        step = jax.scipy.linalg.expm(-ratio * generator)
        spectrum = to_spectrum(V, work)
        still = jnp.exp(-ratio * jnp.asarray(members.level, dtype=float))[:, None]
        moved = twisted(spectrum, work, lambda part: step @ part)
        return from_spectrum(jnp.concatenate([still * spectrum[:1], moved[1:]]), work)
