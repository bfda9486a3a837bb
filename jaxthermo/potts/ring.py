"""The driven Potts ring: parameters, and nothing of time stepping."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxthermo._types import IntLike, ScalarLike, ScheduleLike
from jaxthermo.checks import (
    is_known,
    postpone,
    require_finite,
    require_integer,
    require_numbers,
    require_positive,
    require_scalar,
)
from jaxthermo.jumps.arguments import require_not_negative
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.rates import AbstractRates, Arrhenius, require_rates
from jaxthermo.jumps.schedules import HeldSchedule, Schedule, as_schedule
from jaxthermo.protocols.schedules import value_at


class PottsRing(AbstractJumpModel):
    """Infinitely many q-state units on a driven ring, all coupled to all.

    Equation   dE_i = eps_{i+1} - eps_i + u (P_{i+1} - P_i) on bond i -> i+1 (mod q);
               E = sum eps_i P_i + (u/2) sum P_i^2. A ring of q states has q bonds, also for q = 2, whose states are
               joined by two.

    q          number of states
    coupling   u, a number; u < 0 attracts
    force      f, a number or a callable of time
    prefactor  G, a number
    energies   eps, (q,); None: flat
    rates      the rate law; None: `Arrhenius`
    Units      k_B = 1: u, f and eps are energies in the unit of 1/beta, G is a rate per unit time
    Raises     ValueError if q is not an integer >= 2, if a shape is wrong, for rates without local detailed balance
    Source     Herpich & Esposito, Phys. Rev. E 99, 022135 (2019), Sec. II

    Example
        >>> import jaxthermo as jt
        >>> jt.PottsRing(q=2, coupling=-1.0, force=0.5, prefactor=0.1)
        PottsRing(q=2, coupling=-1, force=0.5, prefactor=0.1, energies=[0, 0], rates=Arrhenius())
    """

    q: int = eqx.field(static=True)
    coupling: Float[Array, ""]
    force: HeldSchedule  # a scalar array, or a callable of time
    prefactor: Float[Array, ""]
    energies: Float[Array, " q"]
    rates: AbstractRates

    def __init__(
        self,
        q: IntLike,
        coupling: ScalarLike,
        force: ScheduleLike,
        prefactor: ScalarLike = 1.0,
        energies: ArrayLike | Sequence[ScalarLike] | None = None,
        rates: AbstractRates | None = None,
    ):
        self.q = require_integer("q", q, 2)
        self.coupling = require_scalar("coupling", coupling)
        self.force = as_schedule(force, "force") if callable(force) else require_scalar("force", force)
        self.prefactor = require_scalar("prefactor", prefactor)
        self.energies = jnp.zeros(self.q) if energies is None else require_numbers("energies", energies)
        if self.energies.shape != (self.q,):
            raise ValueError(f"`energies` must have shape ({self.q},), but has shape {self.energies.shape}")
        self.rates = require_rates(Arrhenius() if rates is None else rates)

    @property
    def constant_force(self) -> Float[Array, ""]:
        """The force of a ring whose force is no function of time."""
        return value_at(self.force, 0.0)

    @property
    def network(self) -> JumpNetwork:
        """The ring as a network: q edges i -> i+1 (mod q), one force, one reservoir, units interact within a state."""
        edges = [(state, (state + 1) % self.q) for state in range(self.q)]
        return JumpNetwork(edges, self.energies, self.coupling, self.force, None, self.rates, self.prefactor)

    @property
    def driving(self) -> dict[str, Schedule]:
        """The force."""
        return {"force": self.force}

    def check(self, constant: bool = False) -> None:
        """Raise a ValueError that names the first parameter of the ring with an impossible value."""
        require_finite("coupling", self.coupling)
        require_finite("energies", self.energies)
        require_positive("prefactor", self.prefactor)
        if not callable(self.force):
            require_finite("force", self.force)
        elif constant:
            raise ValueError("`force` must be constant for a stationary state, but is a callable; use jt.potts.evolve")


def check_ring(ring: PottsRing) -> None:
    """Raise a ValueError that names the first parameter of the ring with an impossible value."""
    if not isinstance(ring, PottsRing):
        raise ValueError(f"`ring` must be a jt.PottsRing, but is {type(ring).__name__}")
    ring.check()


def require_autonomous(ring: PottsRing, beta: ScheduleLike) -> Float[Array, ""]:
    """A constant, finite beta >= 0 for a ring with constant force; stationary states need both."""
    check_ring(ring)
    ring.check(constant=True)
    if callable(beta):
        raise ValueError("`beta` must be constant for a stationary state, but is a callable; use jt.potts.evolve")
    beta = require_scalar("beta", beta)
    require_not_negative("beta", beta)
    return beta


def require_attraction(coupling: Float[Array, "*batch"], purpose: str) -> None:
    """Raise a ValueError unless a known coupling is < 0; `purpose` says for what."""
    if not is_known(coupling):
        postpone(lambda: coupling < 0)
    elif not np.all(np.asarray(coupling) < 0):
        raise ValueError(f"`coupling` must be < 0 for {purpose}, but is {np.asarray(coupling)}")
