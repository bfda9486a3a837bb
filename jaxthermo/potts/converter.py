"""A ring that turns the work of a drive f1 into work against a load f2: its power, lane by lane."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxthermo.checks import as_float
from jaxthermo.jumps.attractor import Stationary
from jaxthermo.jumps.mean_field import thermodynamics
from jaxthermo.jumps.occupation import localised
from jaxthermo.potts.attractor import long_time_lanes
from jaxthermo.potts.diagram import phases
from jaxthermo.potts.folds import fold_of
from jaxthermo.potts.ring import PottsRing
from jaxthermo.potts.stability import critical_beta, uniform_work_current
from jaxthermo.solve.attractor import UNDECIDED
from jaxthermo.solve.lean import lean_jit

# Most lanes are decided in the first rounds; those next to an edge take many.
FEW_ROUNDS, MANY_ROUNDS = 12, 16
# Powers of one attractor that was reached from two starts agree this well, relative to each other.
SAME_POWER = 1e-7
# Periods of one cycle at points close together differ by less than this factor, those before and after a doubling by
# more, and by twice or half up to the second factor.
SAME_PERIOD, TWICE = 1.6, 1.2


def output_power(state: Stationary, force: ArrayLike, force2: ArrayLike) -> Float[Array, "*batch"]:
    """Output power delivered against the load, |P| = -f2 I with I = sum J = work current / f, per unit and time.

    state      the attractor, from `stationary` of a ring with the force f1 + f2
    force      f1 + f2
    force2     the load f2

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, -1.0, force=0.4, prefactor=0.1)
        >>> state = jt.potts.stationary(ring, 2.0)
        >>> round(float(jt.potts.output_power(state, 0.4, -0.6)), 6)
        0.04929
    """
    force, force2 = as_float(force), as_float(force2)
    safe = jnp.where(force == 0, 1.0, force)
    return jnp.where(force == 0, 0.0, -force2 * state.work_current / safe)


class Lanes(NamedTuple):
    """What a converter does at points (beta, f2): a NumPy array with an entry for each."""

    points: np.ndarray
    power: np.ndarray
    phase: np.ndarray
    attractor: np.ndarray
    state: np.ndarray
    period: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Where an attractor was found."""
        return (self.attractor != UNDECIDED) & np.isfinite(self.power)

    def repeated(self, count: int) -> "Lanes":
        """A single lane so many times."""
        return Lanes(*(np.tile(values, (count, *(1,) * np.ndim(values))) for values in self))

    def where(self, chosen: np.ndarray, other: "Lanes") -> "Lanes":
        """These lanes where chosen, and the others elsewhere."""
        pairs = zip(self, other, strict=True)
        return Lanes(*(np.where(chosen.reshape(-1, *(1,) * (a.ndim - 1)), a, b) for a, b in pairs))

    def like(self, one: "Lanes") -> np.ndarray:
        """Where the attractor is of the phase of `one`, and takes about as long for a period as a cycle of `one`."""
        return self.like_cycle(one.phase, one.period)

    def like_cycle(self, phase: ArrayLike, period: ArrayLike) -> np.ndarray:
        """The same for a phase and a period, NaN where it is no cycle."""
        ratio = np.where(np.isfinite(period), self.period / np.asarray(period), 1.0)
        return self.known & (self.phase == phase) & (np.abs(np.log(ratio)) < np.log(SAME_PERIOD))

    def doubled(self, one: "Lanes") -> np.ndarray:
        """Where it is a cycle of that phase whose period is nearly twice or half that of `one`."""
        octaves = np.abs(np.log2(self.period / one.period))
        return self.known & (self.phase == one.phase) & (np.abs(octaves - 1.0) < np.log2(TWICE))

    def at(self, index: int | np.ndarray) -> "Lanes":
        """The lanes of these indices; of one number, that lane without an axis."""
        return Lanes(*(values[index] for values in self))


class Converter:
    """A ring driven by f1, with all points that were looked at counted; `few` if they will not be hundreds."""

    def __init__(self, ring: PottsRing, tell: Callable[[int], None] = lambda lanes: None, few: bool = False):
        self.ring, self.f1, self.tell, self.few = ring, float(ring.constant_force), tell, few
        self.lanes, self.undecided = 0, 0

    def rings(self, loads: np.ndarray) -> PottsRing:
        """The ring under each load."""
        ring = self.ring
        forces = jnp.asarray(self.f1 + loads)
        return jax.vmap(lambda f: PottsRing(ring.q, ring.coupling, f, ring.prefactor, ring.energies, ring.rates))(
            forces
        )

    def run(self, points: np.ndarray, starts: np.ndarray | None = None, rounds: int = FEW_ROUNDS) -> Lanes:
        """The attractors at points (n, 2), from starts (n, q) or from P_1 = 1."""
        betas, loads = np.asarray(points).T
        found = long_time_lanes(self.rings(loads), betas, starts, rounds, sooner=self.few)
        power = np.asarray(_powers(found, self.f1 + loads, loads))
        kinds = (np.asarray(each) for each in (phases(found), found.attractor, found.point, found.period))
        lanes = Lanes(points, power, *kinds)
        self.lanes += len(points)
        self.undecided += int(np.sum(~lanes.known))
        self.tell(self.lanes)
        return lanes

    def own_and_branch(self, points: np.ndarray, before: Lanes) -> tuple[np.ndarray, Lanes]:
        """Whether P_1 = 1 leads to the attractors that those of `before` go over into, and these attractors.

        points   (n, 2), close to those of `before`, of which there are as many
        """
        count = len(points)
        starts = np.concatenate([np.tile(np.asarray(localised(self.ring.q)), (count, 1)), before.state])
        both = self.run(np.concatenate([points, points]), starts, MANY_ROUNDS)
        own, branch = both.at(np.arange(count)), both.at(np.arange(count, 2 * count))
        same = np.abs(own.power - branch.power) < SAME_POWER * np.abs(branch.power)
        return own.like(before) & branch.like(before) & same, branch

    def onset(self, loads: np.ndarray) -> np.ndarray:
        """beta_c1 under each load."""
        return np.asarray(_onsets(self.rings(loads)))

    def uniform_power(self, points: np.ndarray) -> np.ndarray:
        """The power of the uniform state, stable or not."""
        betas, loads = np.asarray(points).T
        return np.asarray(_uniform_powers(self.rings(loads), jnp.asarray(betas), jnp.asarray(loads)))

    def fold(self, loads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """beta of the birth of the localised states under each load, and their power there; NaN where there is none."""
        if self.ring.q == 2:
            return np.full(len(loads), np.nan), np.full(len(loads), np.nan)
        beta, power = _folds(self.rings(loads), jnp.asarray(loads))
        return np.asarray(beta), np.asarray(power)


@lean_jit
def _powers(found: Stationary, forces: Array, loads: Array) -> Array:
    return output_power(found, forces, loads)


_onsets = lean_jit(jax.vmap(critical_beta))


@lean_jit
def _uniform_powers(rings: PottsRing, betas: Array, loads: Array) -> Array:
    def one(ring: PottsRing, beta: Array, load: Array) -> Array:
        safe = jnp.where(ring.constant_force == 0, 1.0, ring.constant_force)
        return jnp.where(ring.constant_force == 0, 0.0, -load * uniform_work_current(ring, beta) / safe)

    return jax.vmap(one)(rings, betas, loads)


@lean_jit
def _folds(rings: PottsRing, loads: Array) -> tuple[Array, Array]:
    def one(ring: PottsRing, load: Array) -> tuple[Array, Array]:
        born = fold_of(ring)
        flow = thermodynamics(0.0, born.occupation, ring, born.beta)
        return born.beta, -load * flow.work_current / ring.constant_force

    return jax.vmap(one)(rings, loads)
