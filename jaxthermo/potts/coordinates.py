"""The first q - 1 occupations as coordinates, which are free of the conservation law."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.potts.mean_field import thermodynamics, vector_field
from jaxthermo.potts.ring import PottsRing


def complete(x: Float[Array, " n"]) -> Float[Array, " q"]:
    """All q occupations from the first q - 1."""
    return jnp.concatenate([x, 1.0 - jnp.sum(x, keepdims=True)])


def field(x: Float[Array, " n"], args: tuple[PottsRing, Any]) -> Float[Array, " n"]:
    """The mean field in these coordinates; args are (ring, beta)."""
    ring, beta = args
    return vector_field(0.0, complete(x), ring, beta)[:-1]


def observe(x: Float[Array, " n"], args: tuple[PottsRing, Any]) -> Float[Array, " m"]:
    """Energy, work current, heat current, entropy, entropy production, then the coordinates."""
    ring, beta = args
    flow = thermodynamics(0.0, complete(x), ring, beta)
    return jnp.concatenate(
        [
            jnp.stack([flow.energy, flow.work_current, flow.heat_current, flow.entropy, flow.entropy_production]),
            x,
        ]
    )
