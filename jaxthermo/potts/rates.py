"""Bond rates: how fast a unit hops along one bond of the ring, forwards and backwards.

Every class obeys local detailed balance, V+ / V- = exp[-beta (dE - f)] (Herpich & Esposito 2019, Eq. (2)), and is
called as `rates(energy_change, force, beta, prefactor) -> (forward, backward)` with arrays that broadcast.
A rate of your own is any `equinox.Module` with that call.
"""

from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.checks import require_scalar

Rates = tuple[Float[Array, "..."], Float[Array, "..."]]


@runtime_checkable
class BondRates(Protocol):
    """What `PottsRing` asks of its rates."""

    def __call__(
        self,
        energy_change: Float[Array, "..."],
        force: Float[Array, ""],
        beta: Float[Array, ""],
        prefactor: Float[Array, ""],
    ) -> Rates: ...


class Arrhenius(eqx.Module):
    """Arrhenius rates, V+- = G exp{-+(beta/2)(dE - f)}.

    Units      energies and force in the unit of 1/beta, rates in the unit of G
    Source     Herpich & Esposito 2019, below Eq. (1)
    """

    def __call__(
        self,
        energy_change: Float[Array, "..."],
        force: Float[Array, ""],
        beta: Float[Array, ""],
        prefactor: Float[Array, ""],
    ) -> Rates:
        half = 0.5 * beta * (energy_change - force)
        return prefactor * jnp.exp(-half), prefactor * jnp.exp(half)


class LoadSharing(eqx.Module):
    """Arrhenius rates that share the force unevenly between the two directions.

    Equation   V+ = G exp[-beta dE/2 + beta s f], V- = G exp[beta dE/2 - beta (1 - s) f]

    s = 1/2 is `Arrhenius`. Raises ValueError if `split` is not a scalar.
    """

    split: Float[Array, ""]

    def __init__(self, split: Any):
        self.split = require_scalar("split", split)

    def __call__(
        self,
        energy_change: Float[Array, "..."],
        force: Float[Array, ""],
        beta: Float[Array, ""],
        prefactor: Float[Array, ""],
    ) -> Rates:
        half = 0.5 * beta * energy_change
        forward = prefactor * jnp.exp(beta * self.split * force - half)
        backward = prefactor * jnp.exp(half - beta * (1.0 - self.split) * force)
        return forward, backward


class Glauber(eqx.Module):
    """Glauber (heat-bath) rates, V+- = G / {1 + exp[+-beta (dE - f)]}.

    Source     Glauber, J. Math. Phys. 4, 294 (1963)
    """

    def __call__(
        self,
        energy_change: Float[Array, "..."],
        force: Float[Array, ""],
        beta: Float[Array, ""],
        prefactor: Float[Array, ""],
    ) -> Rates:
        # 1 / (1 + e^a) = (1 - tanh(a/2)) / 2 loses the small rate to cancellation; the logistic form does not.
        affinity = beta * (force - energy_change)
        return prefactor * _logistic(affinity), prefactor * _logistic(-affinity)


class Metropolis(eqx.Module):
    """Metropolis rates, V+- = G min{1, exp[-+beta (dE - f)]}.

    Not differentiable where dE = f; there the one-sided derivatives are averaged.
    Source     Metropolis et al., J. Chem. Phys. 21, 1087 (1953)
    """

    def __call__(
        self,
        energy_change: Float[Array, "..."],
        force: Float[Array, ""],
        beta: Float[Array, ""],
        prefactor: Float[Array, ""],
    ) -> Rates:
        affinity = beta * (force - energy_change)
        zero = jnp.zeros_like(affinity)
        return prefactor * jnp.exp(jnp.minimum(affinity, zero)), prefactor * jnp.exp(jnp.minimum(-affinity, zero))


def _logistic(x: Float[Array, "..."]) -> Float[Array, "..."]:
    small = jnp.exp(-jnp.abs(x))
    return jnp.where(x >= 0, 1.0, small) / (1.0 + small)
