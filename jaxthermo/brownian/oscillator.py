"""The Brownian oscillator: parameters, and nothing of time stepping."""

from typing import TYPE_CHECKING

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._parameters import Parameters
from jaxthermo._status import Status, status_if
from jaxthermo._types import Real, ScalarLike
from jaxthermo.brownian.bath import AbstractBath
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.potential import AbstractPotential
from jaxthermo.checks import require_finite, require_positive, require_positive_scalar, require_scalar
from jaxthermo.solve.lean import brief_jit

if TYPE_CHECKING:
    from jaxthermo.brownian.steps.ledger import Ledger


@brief_jit
def _are_quadratic(potential: AbstractPotential, coordinate: AbstractPotential) -> Bool[Array, ""]:
    return potential.is_quadratic() & coordinate.is_quadratic()


class Oscillator(Parameters):
    """A particle H_A = p^2/2m + U(q) - x X(q) coupled to a bath; made by `quantum_oscillator`, `classical_oscillator`.

    potential, coordinate   U(q) and X(q)
    bath                    what the oscillator is coupled to
    mass, hbar              parameters; k_B = 1
    grid                    of phase space; None where it is left open
    quantum                 False: no Moyal correction and no hierarchy, the thermostatic Kramers equation; its hbar
                            only sets the measure of phase space, dq dp / (2 pi hbar)
    """

    potential: AbstractPotential
    bath: AbstractBath
    coordinate: AbstractPotential
    mass: Float[Array, ""]
    hbar: Float[Array, ""]
    grid: PhaseGrid | None
    quantum: bool = eqx.field(static=True)

    @property
    def ledger(self) -> "Ledger | None":
        """How heat and the work of switching are counted, where there are several baths; None for one."""
        return self.bath.ledger(self.hbar)

    @property
    def mesh(self) -> PhaseGrid:
        """The grid, where it is known to be given or chosen."""
        assert self.grid is not None
        return self.grid

    @property
    def depth(self) -> int:
        """The depth of the hierarchy, where it is known to be given or chosen."""
        assert self.bath.depth is not None
        return self.bath.depth

    def height(self, q: Array, x: Real) -> Float[Array, "..."]:
        """U - xX at positions q of any shape."""
        return jnp.asarray(self.potential(q)) - x * jnp.asarray(self.coordinate(q))

    def has_linear_forces(self) -> Bool[Array, ""]:
        """Whether U and X are known to be quadratic: then moments close at any depth of the hierarchy."""
        return _are_quadratic(self.potential, self.coordinate)

    def with_grid(self, grid: PhaseGrid) -> "Oscillator":
        """The same oscillator on another grid."""
        return eqx.tree_at(lambda o: o.grid, self, grid, is_leaf=lambda leaf: leaf is None)

    def with_bath(self, bath: AbstractBath) -> "Oscillator":
        """The same oscillator with another bath."""
        return eqx.tree_at(lambda o: o.bath, self, bath)

    def with_depth(self, depth: int) -> "Oscillator":
        """The same oscillator with another depth of the hierarchy."""
        return self.with_bath(self.bath.with_depth(depth))


def check_oscillator(oscillator: Oscillator | None) -> None:
    """Raise a ValueError that names the first parameter with an impossible value."""
    if not isinstance(oscillator, Oscillator):
        raise ValueError(f"`oscillator` must be a jaxthermo oscillator, but is {type(oscillator).__name__}")
    require_positive("mass", oscillator.mass)
    require_positive("hbar", oscillator.hbar)
    oscillator.bath.check()


def check_place(
    oscillator: Oscillator | None, beta: ScalarLike, x: ScalarLike
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """beta and x as arrays; ValueError that names the first of oscillator, beta and x with an impossible value."""
    check_oscillator(oscillator)
    beta, x = require_positive_scalar("beta", beta), require_scalar("x", x)
    require_finite("x", x)
    return beta, x


def place_problem(oscillator: Oscillator, beta: Array, x: Array) -> Int[Array, ""]:
    """`Status.invalid_input` where `check_place` would refuse the numbers, had jax not traced them."""
    positive = jnp.stack([jnp.asarray(number) for number in (oscillator.mass, oscillator.hbar, beta)])
    possible = jnp.all(jnp.isfinite(positive) & (positive > 0.0)) & jnp.isfinite(x)
    return status_if(~possible, Status.invalid_input)
