"""Several Ohmic baths that are coupled in turn."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import Real, VectorLike
from jaxthermo.brownian.bath import AbstractBath, BathTerms
from jaxthermo.brownian.baths.ohmic import OhmicBath
from jaxthermo.brownian.baths.switched_flows import SwitchedFlows
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.steps.ledger import Ledger
from jaxthermo.checks import as_float, is_known, require_finite, require_positive
from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.protocols.schedules import Constant, Schedule, as_schedule, rate_at, value_at
from jaxthermo.solve.lean import brief_jit

# How far windows may be from where they began: rounding errors.
CLOSED = 1e-9
# Between neighbouring times a window is looked at in ever shorter pieces, halved so often. What then still moves by
# more than `JUMP` has jumped.
HALVINGS, JUMP = 30, 1e-3


class SwitchedBaths(AbstractBath):
    """Several Ohmic baths at fixed temperatures, coupled to A_b xi_b(t) q by window functions xi_b(t).

    Equation   sum over baths of the terms of `OhmicBath` at beta_b, each with indices of its own; the bath's jitter
               carries xi_b(t) and changes with it, its friction and diffusion xi_b^2; its counter-term moves with the
               window and leaves the force -A_b^2 xi_b xi_b' q

    baths      each an `OhmicBath`, with one common depth
    betas      their inverse temperatures, 1/energy, (baths,)
    windows    their xi_b, callables of t; one that jumps is refused where it is driven
    Raises     ValueError if the numbers of baths, betas and windows differ, or the depths do
    Source     Koyanagi & Tanimura 2024, Eqs. (31)-(34)

    The bath temperatures are its own: beta(t) of a drive then only enters the dimensionless work and heat.

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> pair = [jt.OhmicBath(1.0, 0, 0)] * 2
        >>> baths = jt.SwitchedBaths(pair, [0.5, 1.0], [lambda t: jnp.cos(t) ** 2, lambda t: jnp.sin(t) ** 2])
        >>> round(float(baths.own_betas()[1]), 3)
        1.0
    """

    baths: tuple[OhmicBath, ...]
    betas: Float[Array, " baths"]
    windows: tuple[Schedule, ...]
    depth: int | None = eqx.field(static=True)

    def __init__(self, baths: Sequence[OhmicBath], betas: VectorLike, windows: Sequence[Schedule]):
        self.baths, self.windows = tuple(baths), tuple(as_schedule("windows", one) for one in windows)
        self.betas = as_float(betas)
        require_positive("betas", self.betas)
        count = len(self.baths)
        if count == 0 or self.betas.shape != (count,) or len(self.windows) != count:
            raise ValueError(
                f"`baths`, `betas` and `windows` must have one common length > 0, but have {count}, "
                f"{self.betas.shape} and {len(self.windows)}"
            )
        depths = sorted({bath.depth for bath in self.baths if bath.poles}, key=str)
        if len(depths) > 1:
            raise ValueError(f"`baths` must share one depth, but have depths {depths}")
        self.depth = depths[0] if depths else 0

    @property
    def modes(self) -> int:
        """Number of exponentials that the hierarchy carries."""
        return sum(bath.poles for bath in self.baths)

    @property
    def friction_has_memory(self) -> bool:
        """No: each force is white noise and friction at each instant."""
        return False

    def friction(self) -> Float[Array, ""]:
        """Sum of the friction coefficients with every window open, mass / time."""
        return sum((bath.friction() for bath in self.baths), start=jnp.zeros(()))

    def terms(self, t: Real, temperature: Real, hbar: Real, heating: Real = 0.0) -> BathTerms:
        """Coefficients at time t; the temperature given is ignored."""
        parts = []
        for bath, beta, window in zip(self.baths, self.betas, self.windows, strict=True):
            opening, rate = rate_at(window, t)
            own = bath.terms(t, 1.0 / beta, hbar)
            parts.append(
                BathTerms(
                    decay=own.decay,
                    jitter=own.jitter * opening,
                    # p - xi zeta changes by -xi' zeta.
                    push=own.jitter * rate,
                    friction=own.friction * opening**2,
                    diffusion=own.diffusion * opening**2,
                    spring=own.friction * opening * rate,
                    heating=own.heating,
                )
            )

        def together(*values: Array) -> Array:
            return jnp.concatenate(values) if values[0].ndim else jnp.sum(jnp.stack(values))

        return jax.tree.map(together, *parts)

    def noises(self, beta: Real, hbar: Real) -> tuple[Float[Array, " noises"], Float[Array, " noises"]]:
        """Those of all baths at their own temperatures, with every window open."""
        each = [bath.noises(own, hbar) for bath, own in zip(self.baths, self.betas, strict=True)]
        widths, rates = zip(*each, strict=True)
        return jnp.concatenate(widths), jnp.concatenate(rates)

    def variances(self, mass: float, hbar: float, squared_frequency: float, beta: float) -> tuple[float, float]:
        """Those of one bath that has the friction of all and the most poles."""
        most = max(self.baths, key=lambda bath: bath.poles)
        one = OhmicBath(jnp.sqrt(self.friction()), most.poles, 1, self.baths[0].scheme)
        return one.variances(mass, hbar, squared_frequency, beta)

    def with_depth(self, depth: int) -> "SwitchedBaths":
        """The same baths with another depth of the hierarchy."""
        return SwitchedBaths([bath.with_depth(depth) for bath in self.baths], self.betas, self.windows)

    def flows(self) -> SwitchedFlows:
        """Those of Ohmic baths along the sum of all noises, which turns as windows move."""
        return SwitchedFlows()

    def ledger(self, hbar: Real) -> Ledger:
        """What each bath exchanges, and what switching it costs.

        hbar    of the oscillator
        """
        own = [bath.terms(0.0, 1.0 / beta, hbar) for bath, beta in zip(self.baths, self.betas, strict=True)]
        owners = [i for i, bath in enumerate(self.baths) for _ in range(bath.poles)]
        return Ledger(
            frictions=jnp.stack([bath.friction() for bath in self.baths]),
            temperatures=1.0 / self.betas,
            windows=self.windows,
            jitter=jnp.concatenate([one.jitter for one in own]),
            decay=jnp.concatenate([one.decay for one in own]),
            owners=tuple(owners),
        )

    def at(self, t: Real) -> "SwitchedBaths":
        """The same baths with windows that rest."""
        return SwitchedBaths(self.baths, self.betas, [Constant(value_at(window, t)) for window in self.windows])

    def own_betas(self) -> Float[Array, " betas"]:
        """Those of the baths."""
        return self.betas

    def check(self) -> None:
        """Raise a ValueError that names the first impossible parameter of a bath."""
        for bath in self.baths:
            bath.check()

    def check_drive(self, mass: Real, hbar: Real, times: Real, betas: Real) -> None:
        """ValueError unless the windows are finite and do not jump; their temperatures rest."""
        ledger, times = self.ledger(hbar), jnp.asarray(times)
        require_finite("windows", _opened(ledger, times))
        place, change = _largest_jump(ledger, times)
        if is_known(change) and float(change) > JUMP:
            raise ValueError(
                f"`windows` must not jump, since the work of that is infinite, but one moves by {float(change):.3g} at "
                f"t = {float(place):.6g}; let it open over a time"
            )


@brief_jit
def _opened(ledger: Ledger, times: Float[Array, " times"]) -> Float[Array, "times baths"]:
    return jax.vmap(ledger.openings)(times)


@brief_jit
def _largest_jump(ledger: Ledger, times: Float[Array, " times"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """When a window moves fastest, and by how much in a billionth of the time between two neighbouring times.

    Between each two of them that half is halved again in which the window moves more.
    """
    baths = len(ledger.windows)

    def closer(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        left, right = ends
        middle = 0.5 * (left + right)
        moved = jnp.abs(opened(middle) - opened(left)) > jnp.abs(opened(right) - opened(middle))
        return jnp.where(moved, left, middle), jnp.where(moved, middle, right)

    def opened(at: Array) -> Array:
        return jnp.stack([jax.vmap(ledger.openings)(at[b])[:, b] for b in range(baths)])

    begin = tuple(jnp.broadcast_to(part, (baths, part.shape[0])) for part in (times[:-1], times[1:]))
    left, right = jax.lax.fori_loop(0, HALVINGS, closer, begin)
    change = jnp.abs(opened(right) - opened(left)).ravel()
    worst = jnp.argmax(change)
    return right.ravel()[worst], change[worst]


def with_baths(oscillator: Oscillator, cycle: AbstractCycle) -> Oscillator:
    """The oscillator with the baths that a cycle switches, each like its own `OhmicBath`; as it is for other cycles."""
    switching = cycle.switching()
    if switching is None:
        return oscillator
    bath = oscillator.bath
    if not isinstance(bath, OhmicBath):
        raise ValueError(
            f"`oscillator` must have an OhmicBath for a {type(cycle).__name__}, which switches baths of its own, but "
            f"has a {type(bath).__name__}; jt.SwitchedBaths go with a jt.PeriodicCycle"
        )
    pair = SwitchedBaths([bath] * len(switching.windows), switching.betas, switching.windows)
    return oscillator.with_bath(pair)


def require_periodic(oscillator: Oscillator, period: Real) -> None:
    """ValueError unless the windows of switched baths end where they began."""
    ledger = oscillator.ledger
    if ledger is None:
        return
    first, last = _opened(ledger, jnp.asarray([0.0, 1.0]) * period)
    if is_known(first, last) and not np.allclose(first, last, rtol=0.0, atol=CLOSED):
        raise ValueError(
            f"`windows` must end the period where they began, but go from {np.asarray(first)} to {np.asarray(last)}"
        )
