"""The first q - 1 occupations as coordinates, which are free of the conservation law."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.jumps.mean_field import Betas, Thermodynamics, thermodynamics, vector_field
from jaxthermo.jumps.network import AbstractJumpModel


def complete(x: Float[Array, " n"]) -> Float[Array, " q"]:
    """All q occupations from the first q - 1."""
    return jnp.concatenate([x, 1.0 - jnp.sum(x, keepdims=True)])


def field(x: Float[Array, " n"], args: tuple[AbstractJumpModel, Betas]) -> Float[Array, " n"]:
    """The mean field in these coordinates; args are (network, beta)."""
    network, beta = args
    return vector_field(0.0, complete(x), network, beta)[:-1]


def observe(x: Float[Array, " n"], args: tuple[AbstractJumpModel, Betas]) -> Float[Array, " m"]:
    """Energy, work current, heat current of each reservoir, entropy, entropy production rate, then the coordinates."""
    network, beta = args
    flow = thermodynamics(0.0, complete(x), network, beta)
    energy, work, entropy, produced = (
        jnp.reshape(one, 1) for one in (flow.energy, flow.work_current, flow.entropy, flow.entropy_production_rate)
    )
    return jnp.concatenate([energy, work, flow.heat_currents, entropy, produced, x])


def averages(mean: Float[Array, " m"], reservoirs: int) -> tuple[Thermodynamics, Float[Array, " q"]]:
    """Thermodynamics and occupations from what `observe` has put into a row, or from an average over such rows."""
    heats = 2 + reservoirs
    flow = Thermodynamics(mean[0], mean[1], mean[2:heats], mean[heats], mean[heats + 1])
    return flow, complete(mean[heats + 2 :])
