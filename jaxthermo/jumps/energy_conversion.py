"""What a network between reservoirs is good for: heat engine, refrigerator or heater, with its efficiency."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Code, Status, status_if
from jaxthermo._types import ScalarLike, Stats
from jaxthermo.checks import as_float, require_finite
from jaxthermo.jumps.arguments import require_not_negative

# Entropy production below zero by more than this share of what the heats carry cannot be that of a stationary state.
ROUNDING = 1e-9


class Mode(Code):
    """What a machine between reservoirs does."""

    dissipator = 0
    heat_engine = 1
    refrigerator = 2


class Conversion(AbstractResult):
    """Power, heat and efficiency of a machine between reservoirs; made by `conversion`."""

    status: Int[Array, "*batch"]
    stats: Stats
    beta: Float[Array, "*batch reservoirs"]
    machine: Int[Array, "*batch"] = quantity("1", "what the machine does", codes=Mode)
    power: Float[Array, "*batch"] = quantity("energy/time", "work given away", main=True)
    heat_input: Float[Array, "*batch"] = quantity("energy/time", "heat from all reservoirs that give some")
    efficiency: Float[Array, "*batch"] = quantity(
        "1", "work given away over heat input; NaN unless an engine", main=True
    )
    carnot: Float[Array, "*batch"] = quantity("1", "Carnot efficiency of hottest and coldest reservoir", main=True)
    performance: Float[Array, "*batch"] = quantity(
        "1", "heat from the coldest reservoir over work; NaN unless a refrigerator"
    )
    carnot_performance: Float[Array, "*batch"] = quantity("1", "largest performance of a refrigerator")
    entropy_production_rate: Float[Array, "*batch"] = quantity("k_B/time", "entropy production, -sum beta_r Q_r")

    @property
    def mode(self) -> np.ndarray | str:
        """ "heat engine", "refrigerator" or "dissipator"; for a batch an array of these words."""
        return Mode.spelled(self.machine)


def conversion(
    work: ArrayLike | Sequence[ScalarLike],
    heats: ArrayLike | Sequence[ScalarLike],
    beta: ArrayLike | Sequence[ScalarLike],
) -> Conversion:
    """Whether work and heats are those of an engine or a refrigerator, and how well it works.

    Equation   heat engine (W < 0): efficiency -W/(sum of the heats Q_r > 0) <= 1 - beta_hot/beta_cold;
               refrigerator (W > 0, Q_cold > 0): performance Q_cold/W; for two reservoirs it is at most
               beta_hot/(beta_cold - beta_hot)

    work       W, a number or (*batch,): done on the units by the forces, per unit time or per period
    heats      Q_r, (R,) or (*batch, R): from each reservoir, of the same time
    beta       (R,) inverse temperatures, or (*batch, R)
    Units      those of `work`; efficiencies: none
    Returns    `Conversion`
    Raises     ValueError that names the argument for shapes that do not fit, infinite numbers, beta < 0
    Source     Carnot's bound: the second law, sum beta_r Q_r <= 0, with W + sum Q_r = 0

    The numbers are those of a stationary state or of a whole period, where the units store nothing. Where
    sum beta_r Q_r > 0 the `status` is `second_law_violated`.

    Example
        >>> import jaxthermo as jt
        >>> found = jt.jumps.conversion(-0.2, [0.5, -0.3], beta=[1.0, 2.0])
        >>> found.mode, round(float(found.efficiency), 3), float(found.carnot)
        ('heat engine', 0.4, 0.5)
    """
    work, heats, beta = as_float(work), as_float(heats), as_float(beta)
    if heats.ndim < 1 or beta.ndim < 1 or beta.shape[-1] != heats.shape[-1]:
        raise ValueError(
            f"`beta` must have one number for each reservoir, but has shape {beta.shape} for {heats.shape}"
        )
    try:
        batch = jnp.broadcast_shapes(work.shape, heats.shape[:-1], beta.shape[:-1])
    except ValueError:
        raise ValueError(f"`work` must fit `heats`, but has shape {work.shape} for {heats.shape}") from None
    require_finite("work", work)
    require_finite("heats", heats)
    require_not_negative("beta", beta)
    work = jnp.broadcast_to(work, batch)
    heats, beta = (jnp.broadcast_to(one, (*batch, heats.shape[-1])) for one in (heats, beta))
    result = _converted(work, heats, beta)
    warn_unless_ok(result)
    return result


def _converted(work: Array, heats: Array, beta: Array) -> Conversion:
    hot, cold = jnp.min(beta, axis=-1), jnp.max(beta, axis=-1)
    taken = jnp.sum(jnp.maximum(heats, 0.0), axis=-1)
    from_coldest = jnp.sum(jnp.where(beta == cold[..., None], heats, 0.0), axis=-1)
    apart = cold > hot
    engine = (work < 0.0) & apart
    fridge = (work > 0.0) & (from_coldest > 0.0) & apart
    produced = -jnp.sum(beta * heats, axis=-1)
    broken = produced < -ROUNDING * jnp.sum(jnp.abs(beta * heats), axis=-1)
    mode = jnp.where(engine, int(Mode.heat_engine), jnp.where(fridge, int(Mode.refrigerator), int(Mode.dissipator)))
    return Conversion(
        status=status_if(broken, Status.second_law_violated),
        stats={},
        beta=beta,
        machine=mode.astype(jnp.int32),
        power=-work,
        heat_input=taken,
        efficiency=_ratio(-work, taken, engine),
        carnot=jnp.where(apart, 1.0 - hot / jnp.where(apart, cold, 1.0), 0.0),
        performance=_ratio(from_coldest, work, fridge),
        carnot_performance=_ratio(hot, cold - hot, apart),
        entropy_production_rate=produced,
    )


def _ratio(above: Array, below: Array, known: Array) -> Array:
    """above/below where known, NaN elsewhere; the derivative is finite everywhere."""
    return jnp.where(known, above / jnp.where(known, below, 1.0), jnp.nan)
