"""What a driven ring of N units is asked before it starts: numbers or callables of time, all of them sensible."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.checks import as_float, require_finite, require_scalar
from jaxthermo.potts.ring import check_ring, require_beta

# Times at which a callable is looked at.
LOOKS = 101


def require_schedules(ring: Any, beta: Any, coupling: Any, first: Any, last: Any) -> Any:
    """beta, a scalar array or a callable, once beta, the force and the coupling have been looked at.

    Raises     ValueError that names the one that is not a finite number at some time, or beta where it is below 0
    """
    check_ring(ring)
    ts = jnp.linspace(first, last, LOOKS)
    require_beta(_worst("beta", beta, ts))
    require_finite("force", _worst("force", ring.force, ts))
    if coupling is not None:
        require_finite("coupling", _worst("coupling", coupling, ts))
    return beta if callable(beta) else require_scalar("beta", beta)


def _worst(name: str, schedule: Any, ts: Float[Array, " times"]) -> Array:
    """The number itself; of a callable, a value that is not finite, or the least."""
    if not callable(schedule):
        return require_scalar(name, schedule)
    values = jax.vmap(lambda t: as_float(schedule(t)))(ts)
    if values.shape != ts.shape:
        raise ValueError(f"`{name}` must return a scalar, but returns shape {values.shape[1:]}")
    return values[jnp.argmin(jnp.where(jnp.isfinite(values), values, -jnp.inf))]
