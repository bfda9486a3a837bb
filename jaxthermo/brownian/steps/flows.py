"""What `SplitStep` needs from a bath: exact flows of its parts, on real Fourier coefficients in y."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from jaxthermo.brownian.grid import computed_once
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, members_of
from jaxthermo.brownian.steps.spectrum import Noise, Spectrum


class AbstractFlows(eqx.Module):
    """The flows of one kind of bath; `split` calls them."""

    @abstractmethod
    def noise(self, equation: Equation) -> Noise | None:
        """zeta diagonalised, where its shape does not depend on the temperature; else None."""

    @abstractmethod
    def noise_at(self, equation: Equation, temperature: Any, t: Any) -> Noise:
        """zeta diagonalised at one temperature and time."""

    @abstractmethod
    def member_tables(
        self, equation: Equation, duration: Any, temperature: Any, heating: Any, t: Any
    ) -> tuple[Array, Array]:
        """What diffusion and the bath do to the members over a time, as arrays for `mix_members`."""

    @abstractmethod
    def mix_members(self, spectrum: Spectrum, equation: Equation, tables: tuple[Array, Array]) -> Spectrum:
        """The flow that `member_tables` prepared."""

    @abstractmethod
    def hops(self, equation: Equation, temperature: Any) -> Float[Array, "y n n"] | None:
        """The generator of what the bath does to the twisted members at each y > 0; None if it is their decay alone."""

    @abstractmethod
    def is_heated(self, equation: Equation) -> bool:
        """Whether a changing temperature, or what else the bath does in time, moves the members but by
        `member_tables`."""

    def rests(self, equation: Equation, old: Any, new: Any, begin: Any, end: Any) -> Bool[Array, ""]:
        """Whether it does not from one time to another, between which the temperature goes from `old` to `new`."""
        return jnp.asarray(old == new)

    @abstractmethod
    def heating_table(
        self, equation: Equation, noise: Noise | None, old: Any, new: Any, begin: Any, end: Any
    ) -> PyTree[Array]:
        """What it does from one time to another, for `heat_members`; the temperature goes from `old` to `new`."""

    @abstractmethod
    def heat_members(
        self, spectrum: Spectrum, equation: Equation, noise: Noise | None, growth: PyTree[Array]
    ) -> Spectrum:
        """The flow that `heating_table` prepared."""

    @abstractmethod
    def transport(
        self, spectrum: Spectrum, equation: Equation, noise: Noise | None, duration: Any, temperature: Any, t: Any
    ) -> Spectrum:
        """Free motion with friction, and what the momentum does to the bath."""

    @abstractmethod
    def change_temperature(self, V: HierarchyState, equation: Equation, old: Any, new: Any) -> HierarchyState:
        """The same state of the whole hierarchy, written for another temperature."""


class AbstractDecayingFlows(AbstractFlows):
    """Those of baths under which the members only decay, which commutes with diffusion."""

    def factors(
        self, equation: Equation, duration: Any, diffusion: Float[Array, ""], decay: Float[Array, " modes"]
    ) -> tuple[Array, Array]:
        """The factors of diffusion, for each y > 0, and of decay, for each member."""
        aged = jnp.asarray(members_of(equation.oscillator).indices, dtype=float) @ decay
        smoothed = computed_once(jnp.exp(-duration * diffusion * equation.grid.y[1:] ** 2))
        return smoothed, computed_once(jnp.exp(-duration * aged))

    def mix_members(self, spectrum: Spectrum, equation: Equation, tables: tuple[Array, Array]) -> Spectrum:
        """Every coefficient times its two factors."""
        damping, aged = tables
        both = jnp.concatenate([jnp.ones(1), damping, damping])[:, None, None]
        return aged[None, :, None] * (both * spectrum)

    def hops(self, equation: Equation, temperature: Any) -> None:
        """None: the members only decay."""
        return None
