"""Networks and inverse temperatures as users give them, checked."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import VectorLike
from jaxthermo.checks import as_float, is_known, offending, postpone, require_finite
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.schedules import Schedule, require_schedule


def as_network(model: AbstractJumpModel) -> JumpNetwork:
    """The network of a model, or a ValueError."""
    if not isinstance(model, AbstractJumpModel):
        raise ValueError(f"`network` must be a jt.JumpNetwork or a jt.PottsRing, but is {type(model).__name__}")
    return model.network


def checked(model: AbstractJumpModel, beta: Schedule | Sequence[Schedule]) -> tuple[JumpNetwork, Schedule]:
    """The network and its inverse temperatures, once both have been looked at."""
    network = as_network(model)
    model.check()
    return network, require_betas(network, beta)


def require_constant(
    model: AbstractJumpModel, beta: Schedule | Sequence[Schedule]
) -> tuple[JumpNetwork, Float[Array, "*betas"]]:
    """A network with constant forces and constant, finite beta >= 0; stationary states need both."""
    network = as_network(model)
    model.check(constant=True)
    betas = require_betas(network, beta)
    if callable(betas):
        raise ValueError("`beta` must be constant for a stationary state, but is a callable; use jt.jumps.evolve")
    return network, as_float(betas)


def require_betas(network: JumpNetwork, beta: Schedule | Sequence[Schedule]) -> Schedule:
    """beta as an array or a callable pytree, of the right shape, finite and >= 0 where it is known."""
    schedule = require_schedule("beta", beta)
    if callable(schedule):
        return schedule
    betas = as_float(schedule)
    network.betas_at(betas, 0.0)
    require_not_negative("beta", betas)
    return betas


def require_not_negative(name: str, value: VectorLike) -> None:
    """Raise a ValueError naming the argument unless a known value is finite and >= 0."""
    require_finite(name, value)
    if not is_known(value):
        postpone(lambda: as_float(value) >= 0)
    elif not np.all(met := np.asarray(value) >= 0):
        raise ValueError(f"`{name}` must be >= 0, but {offending(value, met)}")


def require_one_reservoir(network: JumpNetwork) -> JumpNetwork:
    """The network, or a ValueError if it has several reservoirs."""
    if network.reservoir_count > 1:
        raise ValueError(f"`network` must have one reservoir for this function, but has {network.reservoir_count}")
    return network
