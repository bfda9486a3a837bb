"""Trajectories of units that see their neighbours only, with work, heat and energy along each."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Int

from jaxthermo._results import AbstractResult, quantity, status_over, warn_unless_ok
from jaxthermo._status import Status, status_if
from jaxthermo._types import IntLike, ScalarLike, Stats, VectorLike
from jaxthermo.checks import as_float, require_double_for, require_integer, require_times
from jaxthermo.jumps.arguments import require_constant
from jaxthermo.jumps.finite.random import Stream, require_key, streams
from jaxthermo.jumps.finite.states import MEMORY_LIMIT
from jaxthermo.jumps.lattice.neighbours import checked_neighbours
from jaxthermo.jumps.lattice.walks import Hopping, LatticeWalk, coupling_matrix, has_time_left, hop_until, hopping
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.lanes import map_lanes, usual_chunk
from jaxthermo.solve.slices import in_slices

# Trajectories side by side on a processor.
CHUNK = 32


class LatticePaths(AbstractResult):
    """Trajectories of units on a lattice at the times asked for, all per unit; made by `simulate_lattice`."""

    stats: Stats
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    neighbours: Int[Array, "units z"]
    status: Int[Array, "*batch trajectory"] = status_over("trajectory")
    time: Float[Array, "*batch time"] = quantity("time", "time", ("time",), coordinate=True)
    occupation: Float[Array, "*batch trajectory time q"] = quantity(
        "1", "share of the units in each state", ("trajectory", "time", "state")
    )
    energy: Float[Array, "*batch trajectory time"] = quantity("energy", "energy per unit", ("trajectory", "time"))
    work: Float[Array, "*batch trajectory time"] = quantity(
        "energy", "work of the forces since the first time, per unit", ("trajectory", "time"), main=True
    )
    heats: Float[Array, "*batch trajectory time reservoirs"] = quantity(
        "energy", "heat from each reservoir since the first time, per unit", ("trajectory", "time", "reservoir")
    )
    hops: Int[Array, "*batch trajectory"] = quantity("1", "hops made", ("trajectory",))
    final_states: Int[Array, "*batch trajectory units"] = quantity(
        "1", "state of every unit in the end", ("trajectory", "unit")
    )

    @property
    def order_parameter(self) -> Complex[Array, "*batch trajectory time"]:
        """sum_k P_k exp(2 pi i k/q): 0 where states are alike, of modulus 1 where all units share one; its phase
        turns with a cycle."""
        q = self.occupation.shape[-1]
        weights = jnp.asarray(np.exp(2j * np.pi * np.arange(q) / q))
        return self.occupation.astype(weights.dtype) @ weights

    @property
    def entropy_flow(self) -> Float[Array, "*batch trajectory time"]:
        """Entropy that the reservoirs gained since the first time, -sum beta_r Q_r, per unit."""
        return -jnp.sum(jnp.broadcast_to(self.beta, self.heats.shape) * self.heats, axis=-1)


def simulate_lattice(
    network: AbstractJumpModel,
    beta: Betas,
    neighbours: VectorLike,
    ts: ArrayLike | Sequence[ScalarLike],
    trajectories: IntLike,
    key: Array,
    states: VectorLike | None = None,
) -> LatticePaths:
    """Exact trajectories of units that interact with their neighbours only.

    Equation   E = sum_n eps_{s_n} + (1/2z) sum over units n and neighbours m of K_{s_n s_m}, with z neighbours each;
               unit n hops along the edge i -> j at the rate V+(dE), back at V-(dE), as in the mean field, which follows
               where all are neighbours of all: N phi(N_i/N) with phi = P.K.P/2

    network        a `jt.JumpNetwork` or a `jt.PottsRing` with constant parameters, whose interaction is a number u
                   (K = u on the diagonal) or a matrix K
    beta           a number, or (R,) numbers, one for each reservoir
    neighbours     (N, z) integers: the neighbours of each unit, such as `jt.jumps.cubic_lattice([8, 8, 8])`; mutual
    ts             times of the result, increasing
    trajectories   how many
    key            a `jax.random.key`
    states         the state of each unit at ts[0], 0..q-1, (N,) or (trajectories, N); None: drawn evenly
    Units          per unit; k_B = 1. Heat is counted from the reservoirs
    Returns        `LatticePaths`
    Raises         ValueError that names the argument; without double precision
    Accuracy       exact trajectories, drawn with numbers of 53 bits
    Source         uniformisation: Jensen, Skand. Aktuarietidskr. 36, 87 (1953); the question whether phases of the mean
                   field survive in finite dimensions: Herpich & Esposito 2019, Sec. III

    Hops are proposed at the largest rate of any unit among any neighbours, so a run is slow where that is rare.
    `stats` has the number of proposals. `Status.not_finite` where rates are beyond all numbers. The same key gives the
    same trajectories. There are no derivatives.

    Example
        >>> import jax
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> square = jt.jumps.cubic_lattice([6, 6])
        >>> paths = jt.jumps.simulate_lattice(ring, 2.0, square, [0.0, 1.0], 4, jax.random.key(0))
        >>> paths.occupation.shape, bool(paths.ok.all())
        ((4, 2, 3), True)
    """
    model = network
    network, betas = require_constant(model, beta)
    require_double_for(1e-12, 1e-12)
    table = checked_neighbours(neighbours)
    ts = require_times("ts", ts)
    count = require_integer("trajectories", trajectories, 1)
    seed, draw = jax.random.split(require_key(key))
    first = _first_states(network.q, table.shape[0], count, draw, states)
    rules, around = hopping(network, betas, table.shape[1]), jnp.asarray(table, jnp.int32)

    def chunk(units: Array | np.ndarray, stream: Stream) -> dict[str, Array]:
        return _walked(network, rules, around, ts, jnp.asarray(units), jax.tree.map(jnp.asarray, stream))

    size = min(1 << (count - 1).bit_length(), usual_chunk(count, CHUNK))
    done = jax.tree.map(jnp.asarray, map_lanes(chunk, first, streams(seed, count), chunk=size, given=(rules, ts)))
    bad = jnp.isnan(done["reached"])
    result = LatticePaths(
        stats={"proposals": jnp.sum(done["proposals"])},
        network=model,
        beta=betas,
        neighbours=around,
        status=status_if(bad, Status.not_finite),
        time=ts,
        occupation=done["occupation"],
        energy=done["energy"],
        work=done["energy"] - done["energy"][:, :1] - jnp.sum(done["heats"], axis=-1),
        heats=done["heats"],
        hops=done["hops"],
        final_states=done["units"].astype(int),
    )
    warn_unless_ok(result)
    return without_derivatives(result, "simulate_lattice")


def _walked(
    network: JumpNetwork, rules: Hopping, around: Array, ts: Array, units: Array, stream: Stream
) -> dict[str, Array]:
    """What is seen at all times, and how it ended; a trajectory for each row of `units`."""
    lanes, number = units.shape
    still = jnp.zeros(lanes, int)
    start = jnp.where(jnp.isfinite(rules.fastest), ts[0], jnp.nan)
    heats = jnp.zeros((lanes, network.reservoir_count))
    walk = LatticeWalk(units, jnp.broadcast_to(start, lanes), heats, still, still, stream)
    seen = [_look(network, around, walk)]
    for until in ts[1:]:
        walk = _until(rules, around, until, walk)
        seen.append(_look(network, around, walk))
    records = {name: jnp.stack([one[name] for one in seen], axis=1) for name in seen[0]}
    records["heats"] = records["heats"] / number
    return {**records, "hops": walk.hops, "proposals": walk.proposals, "units": walk.units, "reached": walk.t}


def _until(rules: Hopping, around: Array, until: Array, walk: LatticeWalk) -> LatticeWalk:
    def advance(walk: LatticeWalk, blocks: Array) -> LatticeWalk:
        return hop_until(rules, around, until, walk, blocks)

    return in_slices(advance, walk, lambda walk: has_time_left(walk, until), given=(rules, until))


@eqx.filter_jit
def _look(network: JumpNetwork, around: Int[Array, "units z"], walk: LatticeWalk) -> dict[str, Array]:
    """Shares of the states, and energy per unit; heats of all units."""
    units = walk.units.astype(jnp.int32)
    share = jnp.mean(jax.nn.one_hot(units, network.q, dtype=walk.t.dtype), axis=-2)
    pairs = coupling_matrix(network)[units[..., None], units[:, around]]
    energy = share @ network.constant_energies + 0.5 * jnp.mean(pairs, axis=(-2, -1))
    return {"occupation": share, "energy": energy, "heats": walk.heats}


def _first_states(
    q: int, number: int, count: int, key: Array, states: VectorLike | None
) -> Int[Array, "trajectories units"]:
    """The states at the first time, as bytes where they fit."""
    small = jnp.int8 if q <= 127 else jnp.int32
    if count * number * 8 > MEMORY_LIMIT:
        raise ValueError(f"`trajectories` must fit into {MEMORY_LIMIT:.2e} bytes, but {count} of {number} units do not")
    if states is None:
        return jax.random.randint(key, (count, number), 0, q).astype(small)
    given = np.asarray(as_float(states))
    if given.shape not in ((number,), (count, number)):
        raise ValueError(f"`states` must have shape ({number},) or ({count}, {number}), but has shape {given.shape}")
    if not np.isin(given, np.arange(q)).all():
        raise ValueError(f"`states` must be numbers 0..{q - 1} of states")
    return jnp.asarray(np.broadcast_to(given, (count, number)), small)
