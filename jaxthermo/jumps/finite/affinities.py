"""Cycles of the occupation numbers of N units: what drives each, and what flows round it."""

import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._types import IntLike, Stats
from jaxthermo.jumps.finite.balance import solve_stationary
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import NetworkAtTime
from jaxthermo.jumps.finite.levels import Mesoscopic, units_at_rest
from jaxthermo.jumps.finite.space import Space, space
from jaxthermo.jumps.graph import Edge, Integers, Places, Tree, round_cycles, spanning_tree, windings
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.solve.lean import brief_jit


class MesoscopicAffinities(AbstractResult):
    """Affinities and currents of a basis of cycles of N units; made by `mesoscopic_affinities`."""

    status: Int[Array, "*batch"]
    stats: Stats
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    units: int = eqx.field(static=True)
    edges_of: Float[Array, "*batch cycle edges"] = quantity(
        "1", "hops along an edge in one turn, less those against it", ("cycle", "edge")
    )
    closing_edge: Int[Array, "*batch cycle"] = quantity("1", "edge of the hop that closes the cycle", ("cycle",))
    closing_counts: Int[Array, "*batch cycle q"] = quantity("1", "counts before that hop", ("cycle", "state"))
    affinity: Float[Array, "*batch cycle"] = quantity("k_B", "affinity of the cycle", ("cycle",), main=True)
    current: Float[Array, "*batch cycle"] = quantity("1/time", "current round the cycle", ("cycle",), main=True)
    entropy_production_rate: Float[Array, "*batch"] = quantity(
        "k_B/time", "sum of affinities times currents, per unit", main=True
    )
    residual: Float[Array, "*batch"] = quantity("1", "share of the traffic between states that is out of balance")


def mesoscopic_affinities(network: AbstractJumpModel, beta: Betas, units: IntLike) -> MesoscopicAffinities:
    """The entropy production of N units at rest, cycle by cycle of their occupation numbers.

    Equation   A_c = sum over the hops of the cycle of +-ln(V+/V-), which is sum of +-beta_r (f_e - dE_e); with one
               temperature beta times the forces of the edges that a turn goes along; cycles belong to the hops
               outside a spanning tree, whose currents are those of the cycles;
               N x entropy production rate = sum A_c J_c

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant parameters
    beta       a number, or (R,) numbers, one for each reservoir
    units      N
    Units      affinities k_B, currents 1/time, of all units; the rate per unit
    Returns    `MesoscopicAffinities`, with one cycle more than hops less states: about E - 1 for each state
    Raises     ValueError for impossible parameters, for more states than memory holds, without double precision
    Accuracy   that of `mesoscopic_stationary`, but a current is known to 1e-16 of the hops there and back only: with
               prefactors 1e12 apart some were off by 4e-5
    Source     Schnakenberg, Rev. Mod. Phys. 48, 571 (1976)

    ln V+/V- of a hop between occupation numbers lacks the numbers of units that may hop, since they cancel round every
    cycle. Derivatives in beta and all numbers of the network, as there.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> found = jt.jumps.mesoscopic_affinities(ring, 2.0, units=2)
        >>> steady = jt.jumps.mesoscopic_stationary(ring, 2.0, units=2)
        >>> bool(abs(found.entropy_production_rate - steady.entropy_production_rate) < 1e-9)
        True
    """
    _, betas, states = units_at_rest(network, beta, units)
    now, p, found = solve_stationary(network, betas, Mesoscopic(states))
    edge, first, second, tree, along = cycles_of(states.q, states.units, states.edges)
    ratio, flow = _along_hops(now, states, p, edge, first, second)
    affinity = round_cycles(ratio, tree, first, second)
    chords = tree.chords
    current = flow[chords]
    result = MesoscopicAffinities(
        status=found.status,
        stats={"states": states.size},
        network=network,
        beta=betas,
        units=states.units,
        edges_of=jnp.asarray(along, p.dtype),
        closing_edge=jnp.asarray(edge[chords], jnp.int32),
        closing_counts=states.counts.T[first[chords]],
        affinity=affinity,
        current=current,
        entropy_production_rate=jnp.dot(affinity, current) / states.units,
        residual=found.residual,
    )
    warn_unless_ok(result)
    return result


@brief_jit
def _along_hops(
    now: NetworkAtTime, states: Space, p: Array, edge: Places, first: Places, second: Places
) -> tuple[Float[Array, " hops"], Float[Array, " hops"]]:
    """ln(V+/V-) and the net flow of every hop, from its first state to its second."""
    hops = mesoscopic_hops(now, states)
    forward, backward = hops.forward[edge, first], hops.backward[edge, first]
    return jnp.log(forward) - jnp.log(backward), forward * p[first] - backward * p[second]


@functools.lru_cache(maxsize=8)
def cycles_of(
    q: int, units: int, edges: tuple[Edge, ...]
) -> tuple[Integers, Integers, Integers, Tree, Float[np.ndarray, "cycles edges"]]:
    """All hops, as edge, state before and state after; a spanning tree of them; the edges that cycles go along."""
    states = space(q, units, edges)
    sources = np.asarray([first for first, _ in edges])
    edge, first = np.nonzero(np.asarray(states.counts)[sources] > 0)
    second = np.asarray(states.neighbours)[edge, first]
    tree = spanning_tree(first, second, states.size)
    return edge, first, second, tree, windings(tree, first, second, edge, len(edges))
