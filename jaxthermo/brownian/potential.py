"""Potentials U(q), and the phase that they give a Wigner function in the variable conjugate to momentum."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxthermo._parameters import Parameters
from jaxthermo._types import Function, VectorLike
from jaxthermo.checks import as_float, require_numbers
from jaxthermo.protocols.formula import scalar_formula


class AbstractPotential(Parameters):
    """A function of position. Another one is another subclass: parameters as arrays, and these methods."""

    @abstractmethod
    def __call__(self, q: ArrayLike) -> Float[Array, "..."]:
        """The values at positions q of any shape."""

    @abstractmethod
    def moyal_phase(self, q: Float[Array, " q"], y: Float[Array, " y"], hbar: Float[Array, ""]) -> Float[Array, "y q"]:
        """Quantum phase rate [U(q + hbar y/2) - U(q - hbar y/2)] / hbar at all q and y: the whole Moyal series."""

    @abstractmethod
    def is_quadratic(self) -> Bool[Array, ""]:
        """Whether its force is linear in q, where that is known: then moments close at any depth of the hierarchy."""


class Polynomial(AbstractPotential):
    """U(q) = sum_i a_i q^i.

    coefficients   a_i in ascending powers, energy / length^i, (degree + 1,)
    Raises         ValueError if the coefficients are not one-dimensional and non-empty

    Example
        >>> import jaxthermo as jt
        >>> float(jt.Polynomial([1.0, 0.0, 0.5])(2.0))
        3.0
    """

    coefficients: Float[Array, " powers"]

    def __init__(self, coefficients: VectorLike):
        self.coefficients = require_numbers("coefficients", coefficients)
        if self.coefficients.ndim != 1 or self.coefficients.shape[0] == 0:
            raise ValueError(
                f"`coefficients` must be one-dimensional and not empty, but has shape {self.coefficients.shape}"
            )

    def __call__(self, q: ArrayLike) -> Float[Array, "..."]:
        total = jnp.zeros_like(q)
        for coefficient in self.coefficients[::-1]:
            total = total * q + coefficient
        return total

    def derivative(self, order: int) -> "Polynomial":
        """The polynomial U^(order)(q)."""
        powers = np.arange(self.coefficients.shape[0], dtype=float)
        coefficients = self.coefficients
        for _ in range(order):
            coefficients = (coefficients * powers[: coefficients.shape[0]])[1:]
        return Polynomial(coefficients if coefficients.shape[0] else jnp.zeros(1))

    def moyal_phase(self, q: Float[Array, " q"], y: Float[Array, " y"], hbar: Float[Array, ""]) -> Float[Array, "y q"]:
        """The finite Moyal series, which does not cancel digits at small hbar.

        Equation   sum_r U^(2r+1)(q) (hbar/2)^(2r) y^(2r+1) / (2r+1)!
        """
        total = jnp.zeros((y.shape[0], q.shape[0]))
        factor = y
        for order in range(1, self.coefficients.shape[0], 2):
            total = total + factor[:, None] * self.derivative(order)(q)[None, :]
            factor = factor * (0.5 * hbar * y) ** 2 / ((order + 1) * (order + 2))
        return total

    def is_quadratic(self) -> Bool[Array, ""]:
        """Whether all higher coefficients are zero."""
        return ~jnp.any(self.coefficients[3:] != 0.0)


class Identity(AbstractPotential):
    """X(q) = q, the coordinate that the field couples to unless another is given; without parameters."""

    def __call__(self, q: ArrayLike) -> Float[Array, "..."]:
        return as_float(q)

    def moyal_phase(self, q: Float[Array, " q"], y: Float[Array, " y"], hbar: Float[Array, ""]) -> Float[Array, "y q"]:
        """y, at every q."""
        return y[:, None] * jnp.ones_like(q)[None]

    def is_quadratic(self) -> Bool[Array, ""]:
        """Yes."""
        return jnp.asarray(True)


class FunctionPotential(AbstractPotential):
    """A potential that is any callable of one position which jax differentiates."""

    function: Callable[[Any], Any]

    def __call__(self, q: ArrayLike) -> Float[Array, "..."]:
        return jnp.vectorize(lambda one: as_float(self.function(one)))(as_float(q))

    def moyal_phase(self, q: Float[Array, " q"], y: Float[Array, " y"], hbar: Float[Array, ""]) -> Float[Array, "y q"]:
        """The difference itself."""
        shift = 0.5 * hbar * y[:, None]
        return (self(q[None, :] + shift) - self(q[None, :] - shift)) / hbar

    def is_quadratic(self) -> Bool[Array, ""]:
        """Not known."""
        return jnp.asarray(False)


Potential: TypeAlias = AbstractPotential | Function


def as_potential(name: str, potential: Potential) -> AbstractPotential:
    """A potential as it is, a callable as a `FunctionPotential`; ValueError that names the argument for others."""
    if isinstance(potential, AbstractPotential):
        return potential
    if not callable(potential):
        raise ValueError(f"`{name}` must be a function of q such as jt.Polynomial([0, 0, 0.5]), but is {potential!r}")
    return FunctionPotential(scalar_formula(name, potential, "q"))


def force_phase(potential: AbstractPotential, q: Float[Array, " q"], y: Float[Array, " y"]) -> Float[Array, "y q"]:
    """Classical phase rate y U'(q), from +U'(q) d_p with d_p -> iy."""
    return y[:, None] * jax.vmap(jax.grad(potential))(q)[None, :]
