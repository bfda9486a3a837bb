"""Many equilibria by one compiled program: each in units in which its grid has unit steps and its temperature is 1."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.brownian.bath import OhmicBath
from jaxthermo.brownian.equilibrium import stationary_members
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import vector_field, workspace
from jaxthermo.brownian.observables import low_members, moments
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.potential import Polynomial, Potential


class Stretched(eqx.Module):
    """f(length q) / unit."""

    function: Potential
    length: Float[Array, ""]
    unit: Float[Array, ""]

    def __call__(self, q: Any) -> Any:
        return jnp.asarray(self.function(self.length * q)) / self.unit


def stretched(function: Potential, length: Float[Array, ""], unit: Float[Array, ""]) -> Potential:
    """f(length q) / unit; a polynomial stays one, for the sake of its exact Moyal series."""
    if not isinstance(function, Polynomial):
        return Stretched(function, length, unit)
    powers = jnp.arange(function.coefficients.shape[0], dtype=float)
    return Polynomial(function.coefficients * length**powers / unit)


def in_units(oscillator: Oscillator, length: Any, momentum: Any, energy: Any) -> Oscillator:
    """The same oscillator with lengths, momenta and energies measured in these units; time follows from them."""
    time = length * momentum / energy
    mass = oscillator.mass * energy / momentum**2
    friction = oscillator.bath.friction() * time * mass / oscillator.mass
    old: Any = oscillator.bath
    bath = OhmicBath(jnp.sqrt(friction), old.poles, old.depth, old.scheme, old.thermostat)
    return Oscillator(
        potential=stretched(oscillator.potential, length, energy),
        bath=bath,
        coordinate=stretched(oscillator.coordinate, length, jnp.ones(())),
        mass=mass,
        hbar=oscillator.hbar / (length * momentum),
        grid=None,
        quantum=oscillator.quantum,
    )


@eqx.filter_jit
def scaled_means(
    oscillator: Oscillator, betas: Any, fields: Any, dq: Any, dp: Any, grid: PhaseGrid
) -> tuple[Float[Array, " points"], Float[Array, " points"], Float[Array, " points"]]:
    """U, X and the residual (in scaled units) of the equilibrium at each point; one after another, to spare memory.

    Shapes     betas, fields, dq, dp: (points,); grid: in units of dq and dp
    """

    def solve(point: tuple[Array, ...]) -> tuple[Array, Array, Array]:
        beta, x, length, momentum = point
        temperature = 1.0 / beta
        work = workspace(in_units(oscillator, length, momentum, temperature), grid)
        field = x / temperature
        V = stationary_members(work, jnp.ones(()), field)
        rate = jnp.max(jnp.abs(vector_field(V, work, 0.0, jnp.ones(()), field)[:, 0]))
        low = moments(V[:, low_members(work.oscillator)], work, jnp.ones(()))
        return temperature * low.U, low.X, rate

    return jax.lax.map(solve, tuple(jnp.asarray(a, dtype=float) for a in (betas, fields, dq, dp)))
