"""Networks that time changes, as N units are driven by them: numbers or callables of time, all of them sensible."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo._types import Real, ScalarLike
from jaxthermo.checks import as_float, require_finite, require_scalar
from jaxthermo.jumps.arguments import checked, require_not_negative
from jaxthermo.jumps.finite.hops import NetworkAtTime, network_at
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.schedules import Schedule, as_schedule

# Times at which a callable is looked at.
LOOKS = 101


class DrivenNetwork(eqx.Module):
    """A network, its inverse temperatures, and a coupling in the place of its interaction; made by `driven_network`."""

    network: JumpNetwork
    betas: Schedule
    coupling: Schedule | None

    def at(self, t: Real) -> NetworkAtTime:
        """The parameters at time t."""
        return network_at(self.network, self.betas, t, self.coupling)

    @property
    def is_autonomous(self) -> bool:
        """Whether no parameter depends on time."""
        return self.network.is_autonomous and not callable(self.betas) and not callable(self.coupling)


def driven_network(
    model: AbstractJumpModel, beta: Betas, coupling: Schedule | None, first: ScalarLike, last: ScalarLike
) -> DrivenNetwork:
    """A network with beta(t), forces f(t) and coupling u(t), once all have been looked at between two times.

    Raises     ValueError that names the one that is not a finite number at some time, or beta where it is below 0
    """
    network, betas = checked(model, beta)
    ts = jnp.linspace(as_float(first), as_float(last), LOOKS)
    jax.eval_shape(lambda t: (network.betas_at(betas, t), network.forces_at(t)), ts[0])
    require_not_negative("beta", _worst(betas, ts))
    for name, schedule in model.driving.items():
        require_finite(name, _worst(schedule, ts))
    if coupling is None:
        return DrivenNetwork(network, betas, None)
    if network.interaction is None or callable(network.interaction) or network.interaction.ndim:
        raise ValueError("`coupling` takes the place of an interaction that is a number, but the network has none")
    values = _worst(coupling, ts)
    if callable(coupling) and values.ndim:
        raise ValueError(f"`coupling` must return a scalar, but returns shape {values.shape}")
    require_finite("coupling", values if callable(coupling) else require_scalar("coupling", coupling))
    return DrivenNetwork(network, betas, as_schedule(coupling, "coupling"))


def _worst(schedule: Schedule, ts: Float[Array, " times"]) -> Array:
    """The numbers themselves; of a callable, the values at a time where one is not finite, or where one is least."""
    if not callable(schedule):
        return as_float(schedule)
    values = jax.vmap(lambda t: as_float(schedule(t)))(ts)
    least = jnp.min(values.reshape(ts.shape[0], -1), axis=1)
    finite = jnp.all(jnp.isfinite(values.reshape(ts.shape[0], -1)), axis=1)
    return values[jnp.argmin(jnp.where(finite, least, -jnp.inf))]
