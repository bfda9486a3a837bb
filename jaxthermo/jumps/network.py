"""A network of states between which units jump: parameters, and nothing of time stepping."""

import abc
from collections.abc import Callable, Sequence
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxthermo._parameters import Parameters
from jaxthermo._types import VectorLike
from jaxthermo.checks import is_known, require_finite, require_numbers, require_positive
from jaxthermo.jumps.graph import Edge, checked_edges, checked_labels, incidence, is_cyclic, rotated, take_rows
from jaxthermo.jumps.rates import AbstractRates, Arrhenius, require_rates
from jaxthermo.jumps.schedules import (
    HeldSchedule,
    Moving,
    MovingEnergy,
    Schedule,
    as_schedule,
    moving,
    require_schedule,
    takes_time,
)
from jaxthermo.protocols.formula import HeldFunction, formula
from jaxthermo.protocols.schedules import value_at

# Energy of the interaction per unit as a function of the occupations.
Interaction = Callable[[Float[Array, " q"]], Float[Array, ""]]

SYMMETRY_TOLERANCE = 1e-10


class AbstractJumpModel(Parameters):
    """Whatever says by which network its units jump. Functions of a network take every such model."""

    @property
    @abc.abstractmethod
    def network(self) -> "JumpNetwork":
        """The network."""

    @abc.abstractmethod
    def check(self, constant: bool = False) -> None:
        """Raise a ValueError that names the first parameter with an impossible value.

        constant   whether one that depends on time is impossible too
        """

    @property
    @abc.abstractmethod
    def driving(self) -> dict[str, Schedule]:
        """The parameters that may depend on time, under the names that the model has for them."""


class JumpNetwork(AbstractJumpModel):
    """Units that jump between q states along edges, each edge with a force and a reservoir; all units interact alike.

    Equation   energy per unit E = sum eps_i P_i + phi(P); a hop along the edge i -> j changes the energy by
               dE = e_j - e_i with the levels e_i = eps_i + d phi/dP_i, and takes up the work f_e of the edge's force.
               Rates forward and backward obey ln(V+/V-) = -beta_r (dE - f_e) with the edge's reservoir r

    edges         (E, 2) integers, first and second state of each edge, counted from 0. Hops go both ways; forward is
                  from the first to the second. Two states may share several edges, as with reservoirs in parallel
    energies      eps, (q,) numbers, a callable of time with (q,) as value, or a sequence of q numbers and callables
    interaction   None; a number u, phi = (u/2) sum P_i^2; a symmetric (q, q) matrix K, phi = P.K.P/2; a function
                  phi(P) of (q,) -> a scalar, or phi(P, t), which time changes; differentiable by jax
    forces        a number for all edges, (E,) numbers, a callable of time with either as value, or a sequence of E
                  numbers and callables
    reservoirs    (E,) integers 0..R-1: which reservoir an edge belongs to; None: all to reservoir 0
    rates         the rate law; None: `Arrhenius`
    prefactor     G, a number for all edges, (E,) numbers, a callable of time with either as value, or a sequence of E
                  numbers and callables; 0 at times at which the edge is shut, which costs no work
    Units         k_B = 1: energies, interaction and forces in the unit of 1/beta, G a rate per unit time
    Raises        ValueError that names the argument for wrong shapes or labels, for states that the edges do not
                  connect, for a matrix that is not symmetric, for rates without local detailed balance
    Source        local detailed balance: Esposito, Phys. Rev. E 85, 041125 (2012); interacting units:
                  Herpich & Esposito 2019, Sec. II
    Example
        >>> import jaxthermo as jt
        >>> unit = jt.JumpNetwork(edges=[(0, 1), (0, 1)], energies=[0.0, 1.0], interaction=-0.5, reservoirs=[0, 1])
        >>> unit.q, unit.reservoir_count
        (2, 2)

    The inverse temperatures are not part of a network: functions take `beta`, one for all reservoirs or (R,).
    """

    edges: tuple[Edge, ...] = eqx.field(static=True)
    reservoirs: tuple[int, ...] = eqx.field(static=True)
    energies: HeldSchedule  # a (q,) array, or a callable of time
    interaction: Array | HeldFunction | None  # a scalar, (q, q), a function of P, or a `Moving` one
    forces: HeldSchedule  # a scalar or (E,) array, or a callable of time
    prefactor: HeldSchedule  # a scalar or (E,) array, or a callable of time
    rates: AbstractRates

    def __init__(
        self,
        edges: ArrayLike | Sequence[Edge],
        energies: Schedule | Sequence[Schedule],
        interaction: VectorLike | Interaction | MovingEnergy | None = None,
        forces: Schedule | Sequence[Schedule] = 0.0,
        reservoirs: ArrayLike | Sequence[int] | None = None,
        rates: AbstractRates | None = None,
        prefactor: Schedule | Sequence[Schedule] = 1.0,
    ):
        self.energies = require_schedule("energies", energies)
        shape = jax.eval_shape(lambda: value_at(self.energies, 0.0)).shape
        if len(shape) != 1 or shape[0] < 2:
            raise ValueError(f"`energies` must have shape (q,) with q >= 2, but has shape {shape}")
        self.edges = checked_edges(edges, shape[0])
        self.reservoirs = (0,) * len(self.edges) if reservoirs is None else checked_labels(reservoirs, len(self.edges))
        self.interaction = _interaction(interaction, self.q)
        self.forces = require_schedule("forces", forces)
        if not callable(self.forces):
            _require_per_edge("forces", self.forces, len(self.edges))
        self.prefactor = require_schedule("prefactor", prefactor)
        if not callable(self.prefactor):
            _require_per_edge("prefactor", self.prefactor, len(self.edges))
        self.rates = require_rates(Arrhenius() if rates is None else rates)

    @property
    def network(self) -> "JumpNetwork":
        """The network itself."""
        return self

    def check(self, constant: bool = False) -> None:
        """Raise a ValueError that names the first parameter of the network with an impossible value."""
        if not callable(self.prefactor):
            require_positive("prefactor", self.prefactor)
        if self.interaction is not None and not callable(self.interaction):
            require_finite("interaction", self.interaction)
        schedules = {"energies": self.energies, "forces": self.forces, "prefactor": self.prefactor}
        for name, schedule in schedules.items():
            if not callable(schedule):
                require_finite(name, schedule)
            elif constant:
                raise ValueError(
                    f"`{name}` must be constant for a stationary state, but depend on time; use jt.jumps.evolve"
                )
        if constant and isinstance(self.interaction, Moving):
            raise ValueError(
                "`interaction` must be constant for a stationary state, but depends on time; use jt.jumps.evolve"
            )

    @property
    def driving(self) -> dict[str, Schedule]:
        """The forces, and energies and prefactor if time changes them."""
        others = {"energies": self.energies, "prefactor": self.prefactor}
        return {"forces": self.forces, **{name: one for name, one in others.items() if callable(one)}}

    def at(self, t: ArrayLike, interaction: ArrayLike | None = None) -> "JumpNetwork":
        """The network with the parameters of time t for all times, and this interaction unless it is None."""
        own = self.interaction.at(t) if isinstance(self.interaction, Moving) else self.interaction
        chosen = own if interaction is None else interaction
        energies, forces, prefactor = value_at(self.energies, t), self.forces_at(t), self.prefactor_at(t)
        return JumpNetwork(self.edges, energies, chosen, forces, self.reservoirs, self.rates, prefactor)

    @property
    def q(self) -> int:
        """The number of states."""
        return 1 + max(max(edge) for edge in self.edges)

    @property
    def reservoir_count(self) -> int:
        """The number of reservoirs, R."""
        return max(self.reservoirs) + 1

    @property
    def is_autonomous(self) -> bool:
        """Whether no parameter depends on time."""
        return not callable(self.forces) and not callable(self.prefactor) and not self.is_moving

    @property
    def is_moving(self) -> bool:
        """Whether time changes the energies or the interaction, which then do work on units at rest."""
        return callable(self.energies) or isinstance(self.interaction, Moving)

    @property
    def constant_energies(self) -> Float[Array, " q"]:
        """The energies eps of a network whose energies time does not change.

        Raises     ValueError if it does
        """
        if callable(self.energies):
            raise ValueError("`network` has energies that depend on time: take `network.at(t)` first")
        return self.energies

    def forces_at(self, t: ArrayLike) -> Float[Array, ""] | Float[Array, " edges"]:
        """Forces at time t: one for all edges, or one each."""
        return self._per_edge_at("forces", self.forces, t)

    def prefactor_at(self, t: ArrayLike) -> Float[Array, ""] | Float[Array, " edges"]:
        """Prefactors at time t: one for all edges, or one each."""
        return self._per_edge_at("prefactor", self.prefactor, t)

    def _per_edge_at(
        self, name: str, schedule: HeldSchedule, t: ArrayLike
    ) -> Float[Array, ""] | Float[Array, " edges"]:
        values = value_at(schedule, t)
        _require_per_edge(name, values, len(self.edges))
        return values

    def betas_at(self, beta: Schedule | Sequence[Schedule], t: ArrayLike) -> Float[Array, ""] | Float[Array, " edges"]:
        """Inverse temperatures at time t: one for all edges, or that of each edge's reservoir."""
        betas = value_at(beta if callable(beta) else as_schedule(beta), t)
        if betas.shape not in ((), (self.reservoir_count,)):
            raise ValueError(
                f"`beta` must be a scalar or have shape ({self.reservoir_count},), one for each reservoir, but has "
                f"shape {betas.shape}"
            )
        return betas if betas.ndim == 0 else take_rows(betas, self.reservoirs)

    def at_sources(self, x: Array) -> Array:
        """Values x of states, (q, ...), at the first state of each edge, (E, ...)."""
        return take_rows(x, tuple(first for first, _ in self.edges))

    def at_targets(self, x: Array) -> Array:
        """Values x of states, (q, ...), at the second state of each edge, (E, ...)."""
        return take_rows(x, tuple(second for _, second in self.edges))

    def gains(self, flow: Array) -> Array:
        """What a flow along each edge, (E, ...), brings to each state, (q, ...)."""
        sources, targets = zip(*self.edges, strict=True)
        if is_cyclic(targets, self.q) and is_cyclic(sources, self.q):
            return rotated(flow, targets[0]) - rotated(flow, sources[0])
        return jnp.tensordot(jnp.asarray(incidence(self.edges, self.q), flow.dtype), flow, 1, precision="highest")

    @property
    def edges_by_reservoir(self) -> Bool[np.ndarray, "reservoirs edges"]:
        """Whether each edge is that of each reservoir."""
        return np.asarray(self.reservoirs) == np.arange(self.reservoir_count)[:, None]

    def by_reservoir(self, values: Float[Array, "edges ..."]) -> Float[Array, "reservoirs ..."]:
        """Sums of values of edges, (E, ...), over the edges of each reservoir, (R, ...)."""
        if self.reservoir_count == 1:
            return jnp.sum(values, axis=0, keepdims=True)
        return jnp.tensordot(jnp.asarray(self.edges_by_reservoir, values.dtype), values, 1, precision="highest")


def _interaction(interaction: VectorLike | Interaction | MovingEnergy | None, q: int) -> Array | HeldFunction | None:
    if interaction is None:
        return None
    if isinstance(interaction, Moving):
        return interaction
    if callable(interaction):
        if takes_time(interaction):
            return moving(cast(MovingEnergy, interaction), q)
        return formula(cast(Interaction, interaction), jnp.full(q, 1.0 / q), "interaction")
    matrix = require_numbers("interaction", interaction)
    if matrix.shape not in ((), (q, q)):
        raise ValueError(f"`interaction` must be a scalar or have shape ({q}, {q}), but has shape {matrix.shape}")
    if is_known(matrix) and matrix.ndim == 2:
        values = np.asarray(matrix)
        off = np.abs(values - values.T).max()
        if off > SYMMETRY_TOLERANCE * max(1.0, np.abs(values).max()):
            raise ValueError(f"`interaction` must be symmetric, as second derivatives are, but is off by {off:.3g}")
    return matrix


def _require_per_edge(name: str, values: Array, edges: int) -> None:
    if values.shape not in ((), (edges,)):
        wanted = f"be a scalar or have shape ({edges},), one for each edge"
        raise ValueError(f"`{name}` must {wanted}, but has shape {values.shape}")
