"""Observables q, p, X and f(q) as what they do to the members of the hierarchy.

An observable acts on a member as it acts on the density operator. In (q, y), y conjugate to p, a function of q is a
number, and d_p is i y; the members carry p + zeta in the place of p, see `hierarchy`.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxthermo.brownian.hierarchy import (
    Equation,
    HierarchyState,
    annihilation_operators,
    derivative,
    members_of,
    mix_members,
    weighted_sum,
)
from jaxthermo.brownian.potential import AbstractPotential, force_phase
from jaxthermo.brownian.steps.spectrum import from_spectrum, to_spectrum
from jaxthermo.checks import as_float, is_known


class AbstractObservable(eqx.Module):
    """A Hermitian operator of the oscillator."""

    @property
    @abstractmethod
    def sign(self) -> float:
        """What time reversal multiplies it by; NaN where it has no such number."""

    @property
    @abstractmethod
    def raises(self) -> int:
        """The levels that it climbs in the hierarchy."""

    @abstractmethod
    def symmetrised(self, V: HierarchyState, equation: Equation, temperature: Any) -> HierarchyState:
        """(B rho + rho B)/2 of every member."""

    @abstractmethod
    def after_impulse(self, V: HierarchyState, equation: Equation, temperature: Any) -> HierarchyState:
        """(i/hbar) [B, rho] of every member: what a short force along B does to the state."""

    @abstractmethod
    def linear(self) -> Bool[Array, ""]:
        """Whether it is linear in q and p, where that can be seen."""

    def is_linear(self) -> bool:
        """Whether that is known."""
        linear = self.linear()
        return is_known(linear) and bool(linear)

    @abstractmethod
    def slope(self, jitter: Float[Array, " modes"]) -> Float[Array, " z"]:
        """Its derivatives with respect to q, p - zeta and the noises, at the origin, if it is linear."""

    @abstractmethod
    def at(self, q: Float[Array, ""]) -> Float[Array, ""]:
        """Its value where the particle rests."""

    @abstractmethod
    def mean(self, V: HierarchyState, equation: Equation, temperature: Any) -> Float[Array, ""]:
        """tr(B rho)."""


class FunctionOfPosition(AbstractObservable):
    """f(q)."""

    function: AbstractPotential

    @property
    def sign(self) -> float:
        return 1.0

    @property
    def raises(self) -> int:
        return 0

    def symmetrised(self, V: HierarchyState, equation: Equation, temperature: Any) -> HierarchyState:
        """Equation   [f(q + hbar y/2) + f(q - hbar y/2)]/2 times the member in (q, y)."""
        q, y, oscillator = equation.grid.q[None], equation.grid.y, equation.oscillator
        shift = (0.5 * oscillator.hbar if oscillator.quantum else jnp.zeros(())) * y[:, None]
        factor = 0.5 * (self.function(q + shift) + self.function(q - shift))
        return from_spectrum(jnp.concatenate([factor, factor[1:]])[:, None, :] * to_spectrum(V, equation), equation)

    def after_impulse(self, V: HierarchyState, equation: Equation, temperature: Any) -> HierarchyState:
        """Equation   -i [f(q + hbar y/2) - f(q - hbar y/2)]/hbar times the member; classically -f' d_p."""
        q, y, oscillator, side = equation.grid.q, equation.grid.y[1:], equation.oscillator, equation.grid.p_side
        if oscillator.quantum:
            rate = self.function.moyal_phase(q, y, oscillator.hbar)
        else:
            rate = force_phase(self.function, q, y)
        spectrum, rate = to_spectrum(V, equation), rate[:, None, :]
        re, im = spectrum[1 : side + 1], spectrum[side + 1 :]
        return from_spectrum(jnp.concatenate([jnp.zeros_like(spectrum[:1]), rate * im, -rate * re]), equation)

    def linear(self) -> Bool[Array, ""]:
        """Where its coefficients say that it is quadratic, and its second derivative is 0."""
        return self.function.is_quadratic() & (jax.grad(jax.grad(self.function))(jnp.zeros(())) == 0.0)

    def at(self, q: Float[Array, ""]) -> Float[Array, ""]:
        return as_float(self.function(q))

    def slope(self, jitter: Float[Array, " modes"]) -> Float[Array, " z"]:
        """Equation   (f', 0, ..)."""
        return jnp.zeros(jitter.shape[0] + 2).at[0].set(jax.grad(self.function)(jnp.zeros(())))

    def mean(self, V: HierarchyState, equation: Equation, temperature: Any) -> Float[Array, ""]:
        """Equation   int f(q) V_0 dq dp."""
        return jnp.sum(V[:, 0] @ self.function(equation.grid.q)) * equation.grid.cell


class Momentum(AbstractObservable):
    """p, which is p + zeta for the members."""

    @property
    def sign(self) -> float:
        return -1.0

    @property
    def raises(self) -> int:
        return 1

    def symmetrised(self, V: HierarchyState, equation: Equation, temperature: Any) -> HierarchyState:
        """Equation   (p + zeta) V."""
        moved = equation.grid.p[:, None, None] * V
        if len(members_of(equation.oscillator)) == 1:
            return moved
        lower = jnp.asarray(annihilation_operators(members_of(equation.oscillator)))
        return moved + mix_members(weighted_sum(_jitter(equation, temperature), lower + jnp.swapaxes(lower, 1, 2)), V)

    def after_impulse(self, V: HierarchyState, equation: Equation, temperature: Any) -> HierarchyState:
        """Equation   d_q V."""
        return jnp.matmul(V, derivative(equation.grid).T)

    def linear(self) -> Bool[Array, ""]:
        return jnp.asarray(True)

    def at(self, q: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.zeros_like(q)

    def slope(self, jitter: Float[Array, " modes"]) -> Float[Array, " z"]:
        """Equation   (0, 1, jitter)."""
        return jnp.concatenate([jnp.zeros(1), jnp.ones(1), jitter])

    def mean(self, V: HierarchyState, equation: Equation, temperature: Any) -> Float[Array, ""]:
        """Equation   int p V_0 dq dp + sum_k jitter_k int V_{e_k} dq dp."""
        grid, first = equation.grid, members_of(equation.oscillator).above[:, 0]
        total = grid.p @ jnp.sum(V[:, 0], axis=1)
        if len(first):
            total = total + _jitter(equation, temperature) @ jnp.sum(V[:, first], axis=(0, 2))
        return total * grid.cell


def _jitter(equation: Equation, temperature: Any) -> Float[Array, " modes"]:
    return equation.oscillator.bath.terms(0.0, temperature, equation.oscillator.hbar).jitter
