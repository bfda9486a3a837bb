"""What hops count: work, heat of a reservoir, entropy, or net hops along chosen edges."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._status import Code
from jaxthermo._types import IntLike
from jaxthermo.checks import as_float, require_integer
from jaxthermo.jumps.bookkeeping import along_edges
from jaxthermo.jumps.finite.hops import NetworkAtTime
from jaxthermo.jumps.finite.space import Space
from jaxthermo.jumps.finite.states import log_multiplicity

NAMES = ("work", "entropy")


class Counted(Code):
    """What cumulants are those of."""

    work = 0
    heat = 1
    hops = 2
    entropy = 3


class Count(eqx.Module):
    """What forward hops count: `scale` times `weight`, or `scale` for all if `weight` is None."""

    kind: Counted = eqx.field(static=True)
    weight: Float[Array, "edges ..."] | None
    scale: Float[Array, ""]

    @property
    def each(self) -> Float[Array, "..."]:
        """What each forward hop counts, for all edges and states."""
        return self.scale if self.weight is None else self.scale * self.weight


# A value of s at which the tilted generator has the eigenvalue 0, and ln of its eigenvector there.
Mirror = tuple[Float[Array, ""], Float[Array, " states"]]


def counted(of: str | IntLike | Sequence[int | float], now: NetworkAtTime, states: Space) -> Count:
    """What each forward hop along an edge counts; backward ones count the opposite.

    of         "work", f_e; "entropy", -beta_r (dE_e - f_e); the number r of a reservoir, dE_e - f_e on its edges; or
               (E,) numbers
    Raises     ValueError that names `of`
    """
    network, edges = now.network, len(now.network.edges)
    one = jnp.ones(())
    if isinstance(of, str):
        if of not in NAMES:
            raise ValueError(
                f'`of` must be "work", "entropy", the number of a reservoir, or ({edges},) numbers, but is {of!r}'
            )
        if of == "entropy":
            betas = along_edges(network.betas_at(now.beta, 0.0), states.counts)
            return Count(Counted.entropy, -betas * _heat(now, states), one)
        alike = now.force.ndim == 0
        return Count(Counted.work, None if alike else now.force[:, None], now.force if alike else one)
    weights = np.asarray(of)
    if weights.ndim == 0:
        number = require_integer("of", of, 0)
        if number >= network.reservoir_count:
            raise ValueError(f"`of` must be a reservoir below {network.reservoir_count}, but is {number}")
        mine = jnp.asarray(network.edges_by_reservoir[number])[:, None]
        return Count(Counted.heat, jnp.where(mine, _heat(now, states), 0.0), one)
    if weights.shape != (edges,):
        raise ValueError(f"`of` must have shape ({edges},), one number for each edge, but has shape {weights.shape}")
    return Count(Counted.hops, as_float(weights)[:, None], one)


def _heat(now: NetworkAtTime, states: Space) -> Float[Array, "edges states"]:
    """Heat that a forward hop along each edge takes up, dE - f."""
    return now.gain(states.counts.astype(float), states.units) - along_edges(now.force, states.counts)


def mirror(count: Count, now: NetworkAtTime, states: Space) -> Mirror | None:
    """The second s where the leading eigenvalue is known, 0, or None.

    Equation   entropy: s = -1, where the generator is that of the reversed hops; work in one reservoir: s = -beta
    """
    if count.kind is Counted.entropy:
        return -jnp.ones(()), log_multiplicity(states.counts)
    if count.kind is Counted.work and now.network.reservoir_count == 1:
        beta = jnp.reshape(now.beta, ())
        return -beta, log_multiplicity(states.counts) - beta * now.energy(states.counts)
    return None
