"""How much the units of a finite system know of each other."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.jumps.finite.balance import FiniteStationary
from jaxthermo.jumps.finite.master import FiniteEvolution


def multipartite_information(result: FiniteStationary | FiniteEvolution) -> Float[Array, "*batch"]:
    """Multipartite mutual information of N units, the entropy that they lack because they are correlated.

    Equation   I = N S(P) - S_N >= 0, with S(P) = -sum P_i ln P_i of the distribution P of one unit, and S_N that of all

    result     of `mesoscopic_stationary` or `mesoscopic_evolve`, or of their microscopic twins
    Units      k_B, of all units: divide by N for the share of one
    Returns    (*batch)
    Source     Ptaszynski & Esposito, arXiv 2410.13375: I grows like N on a limit cycle; where units relax to fixed
               points it does not, or any small perturbation takes that growth away

    In a state that units share alike, as the stationary one and every mesoscopic one are, P is that of each unit. An
    evolution that starts from known units, by `microscopic_evolve`, has other units with other distributions, and I is
    then relative to their mean P.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> steady = jt.potts.mesoscopic_stationary(ring, 2.0, units=10)
        >>> round(float(jt.jumps.multipartite_information(steady)), 4)
        0.4989
    """
    P = result.occupation
    occupied = P > 0
    single = -jnp.sum(jnp.where(occupied, P * jnp.log(jnp.where(occupied, P, 1.0)), 0.0), axis=-1)
    return result.units * (single - result.entropy)
