"""Occupations of the q states: checked starts, and the first q - 1 as coordinates free of the conservation law."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import VectorLike
from jaxthermo.checks import as_float, is_known, require_finite, require_numbers
from jaxthermo.jumps.mean_field import Betas, Thermodynamics, thermodynamics, vector_field
from jaxthermo.jumps.network import AbstractJumpModel

# "P_1(0) = 1 - small": an exactly empty state would make the entropy production infinite at the start.
SMALL = 1e-9
SUM_TOLERANCE = 1e-6

# Distance of `near_uniform` from the uniform state.
NUDGE = 0.02


def localised(q: int, small: float = SMALL) -> Float[Array, " q"]:
    """The occupation of q states with P_1 = 1 - small, the rest shared evenly, (q,)."""
    return as_float(_localised(q, small))


# By NumPy, here and below, since each operation of jax outside a compiled function is compiled by itself.
def _localised(q: int, small: float) -> np.ndarray:
    return np.append(1.0 - small, np.full(q - 1, small / (q - 1)))


def initial_occupation(q: int, p0: VectorLike | None, name: str = "p0") -> Float[Array, " q"]:
    """p0 checked and scaled to sum exactly 1; None for the paper's P_1(0) = 1 - small. `name` is for messages."""
    return localised(q) if p0 is None else _checked(require_numbers(name, p0), (q,), name)


def initial_occupations(q: int, p0: VectorLike | None, lanes: int) -> Float[Array, "lanes q"]:
    """`initial_occupation` for every lane."""
    return (
        as_float(np.tile(_localised(q, SMALL), (lanes, 1)))
        if p0 is None
        else _checked(require_numbers("p0", p0), (lanes, q))
    )


def _checked(p0: Float[Array, "*lanes q"], shape: tuple[int, ...], name: str = "p0") -> Float[Array, "*lanes q"]:
    if p0.shape != shape:
        raise ValueError(f"`{name}` must have shape {shape}, but has shape {p0.shape}")
    require_finite(name, p0)
    if is_known(p0):
        values = np.asarray(p0)
        if values.min() < 0:
            raise ValueError(f"`{name}` must not be negative, but has {values.min()}")
        worst = np.abs(values.sum(axis=-1) - 1.0).max()
        if worst > SUM_TOLERANCE:
            raise ValueError(f"`{name}` must sum to 1, but its sum is off by {worst:.3g}")
        return as_float(values / values.sum(axis=-1, keepdims=True))
    return p0 / jnp.sum(p0, axis=-1, keepdims=True)


def near_uniform(q: int) -> Float[Array, " q"]:
    """The uniform state, moved a little towards P_1 = 1: where cycles that surround it are looked for."""
    return as_float(1.0 / q + NUDGE * (_localised(q, 0.0) - 1.0 / q))


def complete(x: Float[Array, " n"]) -> Float[Array, " q"]:
    """All q occupations from the first q - 1."""
    return jnp.concatenate([x, 1.0 - jnp.sum(x, keepdims=True)])


def field(x: Float[Array, " n"], args: tuple[AbstractJumpModel, Betas]) -> Float[Array, " n"]:
    """The mean field in these coordinates; args are (network, beta)."""
    network, beta = args
    return vector_field(0.0, complete(x), network, beta)[:-1]


def observe(x: Float[Array, " n"], args: tuple[AbstractJumpModel, Betas]) -> Float[Array, " m"]:
    """`observe_all` from the coordinates."""
    return observe_all(complete(x), args)


def observe_all(P: Float[Array, " q"], args: tuple[AbstractJumpModel, Betas]) -> Float[Array, " m"]:
    """Energy, work current, heat current of each reservoir, entropy, entropy production rate, then the occupations."""
    network, beta = args
    flow = thermodynamics(0.0, P, network, beta)
    energy, work, entropy, produced = (
        jnp.reshape(one, 1) for one in (flow.energy, flow.work_current, flow.entropy, flow.entropy_production_rate)
    )
    return jnp.concatenate([energy, work, flow.heat_currents, entropy, produced, P])


def averages(mean: Float[Array, " m"], reservoirs: int) -> tuple[Thermodynamics, Float[Array, " q"]]:
    """Thermodynamics and occupations from what `observe` has put into a row, or from an average over such rows."""
    heats = 2 + reservoirs
    flow = Thermodynamics(mean[0], mean[1], mean[2:heats], mean[heats], mean[heats + 1])
    return flow, mean[heats + 2 :]
