"""The first q - 1 occupations as coordinates, which are free of the conservation law."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.jumps.mean_field import Betas, thermodynamics, vector_field
from jaxthermo.jumps.network import AbstractJumpModel


def complete(x: Float[Array, " n"]) -> Float[Array, " q"]:
    """All q occupations from the first q - 1."""
    return jnp.concatenate([x, 1.0 - jnp.sum(x, keepdims=True)])


def field(x: Float[Array, " n"], args: tuple[AbstractJumpModel, Betas]) -> Float[Array, " n"]:
    """The mean field in these coordinates; args are (network, beta)."""
    network, beta = args
    return vector_field(0.0, complete(x), network, beta)[:-1]


def observe(x: Float[Array, " n"], args: tuple[AbstractJumpModel, Betas]) -> Float[Array, " m"]:
    """Energy, entropy, work current, entropy production rate, heat currents, then the coordinates."""
    network, beta = args
    flow = thermodynamics(0.0, complete(x), network, beta)
    scalars = jnp.stack([flow.energy, flow.entropy, flow.work_current, flow.entropy_production_rate])
    return jnp.concatenate([scalars, flow.heat_currents, x])
