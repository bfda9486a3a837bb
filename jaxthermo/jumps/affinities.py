"""Cycles of a network at rest in the mean field: what drives each, and what flows round it."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, status_if
from jaxthermo._types import ScalarLike, Stats
from jaxthermo.jumps.arguments import require_constant
from jaxthermo.jumps.graph import round_cycles, spanning_tree, windings
from jaxthermo.jumps.mean_field import Betas, edge_rates, flows
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.jumps.occupation import initial_occupation

# Largest |dP/dt|, relative to the flows along the edges, of occupations that count as stationary.
AT_REST = 1e-8


class CycleAffinities(AbstractResult):
    """Affinities and currents of a basis of cycles; made by `cycle_affinities`."""

    status: Int[Array, "*batch"]
    stats: Stats
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    edges_of: Float[Array, "*batch cycle edges"] = quantity(
        "1", "1 where a cycle goes along an edge, -1 where against it", ("cycle", "edge")
    )
    affinity: Float[Array, "*batch cycle"] = quantity("k_B", "affinity of the cycle", ("cycle",), main=True)
    current: Float[Array, "*batch cycle"] = quantity("1/time", "current round the cycle", ("cycle",), main=True)
    entropy_production_rate: Float[Array, "*batch"] = quantity("k_B/time", "sum of affinities times currents")
    residual: Float[Array, "*batch"] = quantity("1", "largest |dP/dt| over the largest flow along an edge")


def cycle_affinities(network: AbstractJumpModel, beta: Betas, P: ArrayLike | Sequence[ScalarLike]) -> CycleAffinities:
    """The entropy production of a fixed point of the mean field, cycle by cycle.

    Equation   A_c = sum over the edges of the cycle of +-ln(V+_e/V-_e) = sum of +-beta_r (f_e - dE_e); cycles belong to
               the edges outside a spanning tree, whose currents are those of the cycles; at rest
               entropy production rate = sum A_c J_c

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant parameters
    beta       a number, or (R,) numbers, one for each reservoir
    P          stationary occupations, (q,), such as `jt.jumps.stationary(...).occupation` of a fixed point
    Units      per unit; k_B = 1
    Returns    `CycleAffinities`, with E - q + 1 cycles
    Raises     ValueError for impossible parameters or occupations
    Source     Schnakenberg, Rev. Mod. Phys. 48, 571 (1976)

    `Status.not_converged` where P is not at rest. Two reservoirs that share an edge make a cycle of two edges.
    Derivatives are those in P and all numbers.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> found = jt.jumps.cycle_affinities(ring, 2.0, [1 / 3, 1 / 3, 1 / 3])
        >>> [round(float(a), 6) for a in found.affinity]  # beta times the force, three times round
        [6.0]
    """
    model = network
    network, betas = require_constant(model, beta)
    occupation = initial_occupation(network.q, P, "P")
    flow = flows(0.0, occupation, network, betas)
    first, second = np.asarray(network.edges).T
    tree = spanning_tree(first, second, network.q)
    along = windings(tree, first, second, np.arange(len(first)), len(first))
    forward, backward, _, _ = edge_rates(0.0, occupation, network, betas)
    affinity = round_cycles(jnp.log(forward) - jnp.log(backward), tree, first, second)
    current = flow.currents[tree.chords]
    residual = jnp.max(jnp.abs(network.gains(flow.currents))) / jnp.max(flow.forward + flow.backward)
    result = CycleAffinities(
        status=status_if(~(residual < AT_REST), Status.not_converged),
        stats={},
        network=model,
        beta=betas,
        edges_of=jnp.asarray(along, occupation.dtype),
        affinity=affinity,
        current=current,
        entropy_production_rate=jnp.dot(affinity, current),
        residual=residual,
    )
    warn_unless_ok(result)
    return result
