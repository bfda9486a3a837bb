"""What the split flows do to the hierarchy of a `DrudeBath`, on real Fourier coefficients in y.

A: free motion with friction at fixed chi as for the Ohmic bath, between two halves of chi' = (gamma/m)(p - chi) at
fixed p - chi.
B: everything local in (q, y): the Moyal phase and diffusion, which all members share, and for each y a matrix that
mixes them.
"""

from typing import TYPE_CHECKING, Any, cast

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxthermo.brownian.bath import BathTerms, MemoryTerms
from jaxthermo.brownian.hierarchy import (
    Equation,
    HierarchyState,
    annihilation_operators,
    members_of,
    mix_members,
    weighted,
)
from jaxthermo.brownian.steps.flows import AbstractFlows
from jaxthermo.brownian.steps.spectrum import (
    Noise,
    Spectrum,
    from_spectrum,
    map_in_real_basis,
    noise_along,
    to_spectrum,
)
from jaxthermo.brownian.steps.split import from_momenta, mean_decay
from jaxthermo.solve.linear import expm

if TYPE_CHECKING:
    from jaxthermo.brownian.baths.drude import DrudeBath

Matrices = Float[Array, "... n n"]


class DrudeFlows(AbstractFlows):
    """The flows of a `DrudeBath`; its noises have a shape that follows the temperature."""

    def noise(self, equation: Equation) -> None:
        """None: see `noise_at`."""
        return None

    def noise_at(self, equation: Equation, temperature: Any, t: Any) -> Noise:
        """chi diagonalised."""
        return noise_at(equation, temperature)

    def member_tables(
        self, equation: Equation, duration: Any, temperature: Any, heating: Any, t: Any
    ) -> tuple[Array, Array]:
        """Matrices at y = 0, and at each y > 0."""
        return local_tables(equation, duration, temperature)

    def mix_members(self, spectrum: Spectrum, equation: Equation, tables: tuple[Array, Array]) -> Spectrum:
        """The members mixed by these matrices."""
        return mixed(spectrum, equation, tables)

    def hops(self, equation: Equation, temperature: Any) -> Float[Array, "y n n"]:
        """The matrices of `mixing` in the real basis."""
        return mixing(equation, temperature)[1]

    def is_heated(self, equation: Equation) -> bool:
        """Always: the Hermite functions follow the temperature."""
        return True

    def heating_table(
        self, equation: Equation, noise: Noise | None, old: Any, new: Any, begin: Any, end: Any
    ) -> Float[Array, "rows n"]:
        """One matrix."""
        return change_of_hermite_functions(equation, old, new)

    def heat_members(
        self, spectrum: Spectrum, equation: Equation, noise: Noise | None, growth: PyTree[Array]
    ) -> Spectrum:
        """The state stays, and is written in other Hermite functions."""
        return mix_members(growth, spectrum)

    def transport(
        self, spectrum: Spectrum, equation: Equation, noise: Noise | None, duration: Any, temperature: Any, t: Any
    ) -> Spectrum:
        """Free motion between two halves of what the momentum does to chi, at this temperature."""
        noise = noise_at(equation, temperature)
        V = friction_kick(from_spectrum(spectrum, equation), equation, 0.5 * duration, temperature)
        V = from_spectrum(from_momenta(V, equation, noise, duration, equation.oscillator.bath.friction()), equation)
        return to_spectrum(friction_kick(V, equation, 0.5 * duration, temperature), equation)

    def change_temperature(self, V: HierarchyState, equation: Equation, old: Any, new: Any) -> HierarchyState:
        """The members written in the Hermite functions of the new temperature."""
        return mix_members(change_of_hermite_functions(equation, old, new), V)


def noise_at(equation: Equation, temperature: Any) -> Noise:
    """chi = sum_k jitter_k (a_k + a_k^+) diagonalised."""
    oscillator = equation.oscillator
    bath = cast("DrudeBath", oscillator.bath)
    first, others = bath.width(temperature, oscillator.hbar), bath.shares(temperature, oscillator.hbar)
    return noise_along(
        annihilation_operators(members_of(oscillator)), bath.strength * jnp.concatenate([first[None], others])
    )


def mixing(equation: Equation, temperature: Any) -> tuple[Matrices, Matrices]:
    """Generators of B but for phase and diffusion: the one at y = 0, and those in the real basis at each y > 0."""
    oscillator = equation.oscillator
    members = members_of(oscillator)
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar)
    memory = _memory(terms)
    lower = annihilation_operators(members)
    up = jnp.asarray(lower[0].T)
    decay = jnp.diag(jnp.asarray(members.indices, dtype=float) @ terms.decay)
    drag = memory.drag[0] / oscillator.mass * terms.jitter
    down = jnp.tensordot(drag - memory.feed[0], jnp.asarray(lower), axes=1)
    both = jnp.tensordot(drag, jnp.asarray(np.swapaxes(lower, 1, 2)), axes=1)
    cross = memory.cross[0] * equation.grid.y[1:][:, None, None] * up[None]
    # Two levels up is a change of sign of the members in the real basis.
    return up @ (down + both) - decay, (up @ (down - both) - decay)[None] + cross


def local_tables(equation: Equation, duration: Any, temperature: Any) -> tuple[Matrices, Matrices]:
    """What B does to the members over a time at frozen temperature: at y = 0, and in the real basis at each y > 0."""
    at_zero, elsewhere = mixing(equation, temperature)
    diffusion = equation.oscillator.bath.friction() * temperature
    damping = jnp.exp(-duration * diffusion * equation.grid.y[1:] ** 2)[:, None, None]
    return expm(duration * at_zero), damping * expm(duration * elsewhere)


def mixed(spectrum: Spectrum, equation: Equation, tables: tuple[Matrices, Matrices]) -> Spectrum:
    """The members mixed by the matrices of `local_tables`."""
    still, step = tables
    moved = map_in_real_basis(spectrum, equation, lambda part: jnp.matmul(step, part))
    return moved.at[:1].set(jnp.matmul(still, spectrum[:1]))


def friction_kick(V: HierarchyState, equation: Equation, duration: Any, temperature: Any) -> HierarchyState:
    """exp[t drag (p/m) a_0^+], a finite series."""
    oscillator = equation.oscillator
    members = members_of(oscillator)
    drag = _memory(oscillator.bath.terms(0.0, temperature, oscillator.hbar)).drag[0]
    kick = (duration * drag / oscillator.mass) * equation.grid.p[:, None, None]
    term = V
    for power in range(1, int(members.level.max()) + 1):
        term = kick / power * weighted(term, members.below[0], np.sqrt(members.indices[:, 0]))
        V = V + term
    return V


def change_of_hermite_functions(equation: Equation, old: Any, new: Any) -> Matrices:
    """The matrix that writes the same state in the Hermite functions of another temperature.

    With b_0' = mu b_0 + sum_k tau_k b_k it is exp{-a_0^+ [kappa (a_0 + a_0^+) + sum_k kappa_k (a_k + a_k^+)]}, kappa =
    -ln mu, kappa_k = -tau_k kappa/(1 - mu).
    """
    bath = cast("DrudeBath", equation.oscillator.bath)
    hbar, lower = equation.oscillator.hbar, annihilation_operators(members_of(equation.oscillator))
    before, after = bath.width(old, hbar), bath.width(new, hbar)
    kappa = jnp.log(after / before)
    moved = (bath.shares(new, hbar) - bath.shares(old, hbar)) / after
    kappas = jnp.concatenate([kappa[None], moved / mean_decay(kappa)])
    both = jnp.tensordot(kappas, jnp.asarray(lower + np.swapaxes(lower, 1, 2)), axes=1)
    return expm(-jnp.asarray(lower[0].T) @ both)


def _memory(terms: BathTerms) -> MemoryTerms:
    assert terms.memory is not None
    return terms.memory
