"""What an engine may be improved in, and what it may have to keep: functions of a stationary run and its cycle."""

from collections.abc import Callable
from typing import TypeAlias

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike
from jaxthermo.brownian import PeriodicRun, work_fluctuations
from jaxthermo.checks import require_positive_scalar, require_scalar
from jaxthermo.protocols import AbstractCycle

# A number that is to be large, or a constraint, which is to be >= 0 and of the order of 1 where it is missed by far.
Objective: TypeAlias = Callable[[PeriodicRun, AbstractCycle], ScalarLike]


def power(run: PeriodicRun, cycle: AbstractCycle) -> Float[Array, ""]:
    """-W/period: work done by the engine per unit time, less that of switching baths; energy/time.

    run     of the cycle, from `jt.run_cycle`
    cycle   whose period counts

    Example
        >>> import jaxthermo as jt
        >>> cycle = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period=20.0)
        >>> potential, grid = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), jt.PhaseGrid(5.6, 0.28, 10.5, 0.5)
        >>> oscillator = jt.classical_oscillator(potential, 1.0, grid)
        >>> run = jt.run_cycle(oscillator, cycle, tol=1e-4, points=10)
        >>> round(float(jt.search.power(run, cycle)), 4)
        0.0013
    """
    return -_work(run.work, run.switching_of) / cycle.period


def entropy_production_rate(run: PeriodicRun, cycle: AbstractCycle) -> Float[Array, ""]:
    """(1/period) closed integral of (U dbeta - X d(beta x)): entropy that is produced per unit time; k_B/time.

    With several baths it is what their heat takes out of them, -(1/period) sum_b beta_b heat_of_b.

    run     of the cycle, from `jt.run_cycle`
    cycle   whose period counts
    """
    if run.heat_of is not None and run.bath is not None:
        return -jnp.sum(run.bath * run.heat_of) / cycle.period
    return run.cumulative_work_int[-1] / cycle.period


def efficiency(run: PeriodicRun, cycle: AbstractCycle) -> Float[Array, ""]:
    """-W/Q_in with Q_in the heat taken in; NaN where that is not > 0, negative where no work is delivered.

    With several baths Q_in is the heat from the hottest one, and W holds the work of switching, `run.switching_of`,
    which may be more than the field delivers.

    run     of the cycle, from `jt.run_cycle`
    cycle   whose `intake` says when heat counts as taken in: in the first and fourth strokes of a `jt.StirlingCycle`,
            which has no regenerator; in a cycle that does not say so, whenever the bath gives heat between two saved
            times
    """
    if run.heat_of is not None and run.bath is not None:
        taken = run.heat_of[jnp.argmin(run.bath)]
    elif (spans := cycle.intake()) is not None:
        taken = jnp.sum(jnp.diff(jnp.interp(spans, run.time, run.cumulative_heat), axis=1))
    else:
        taken = jnp.sum(jnp.maximum(jnp.diff(run.cumulative_heat), 0.0))
    return jnp.where(taken > 0, -_work(run.work, run.switching_of) / jnp.where(taken > 0, taken, 1.0), jnp.nan)


def work_variance(run: PeriodicRun, cycle: AbstractCycle) -> Float[Array, ""]:
    """<(w - <w>)^2> of the work of one cycle from trajectory to trajectory, see `jt.work_fluctuations`; energy^2.

    run     of the cycle of a classical oscillator, from `jt.run_cycle`
    cycle   of the run
    Raises  ValueError that names `run`, as `jt.work_fluctuations`
    """
    return work_fluctuations(run).variance[-1]


def _work(work: Float[Array, ""], switching: Float[Array, " baths"] | None) -> Float[Array, ""]:
    """Work done on the oscillator in one cycle, that of switching baths included."""
    return work if switching is None else work + jnp.sum(switching)


class AtLeast(eqx.Module):
    """The constraint that a quantity is not below a value.

    quantity   such as `power`, a function of a run and its cycle
    least      its smallest value, in the quantity's unit
    unit       what counts as missing it by far, in the quantity's unit; > 0. None: |least|, or 1 where that is 0
    Raises     ValueError unless the unit is > 0
    """

    quantity: Objective
    least: Float[Array, ""]
    unit: Float[Array, ""]

    def __init__(self, quantity: Objective, least: ScalarLike, unit: ScalarLike | None = None):
        self.quantity, self.least = quantity, require_scalar("least", least)
        size = jnp.where(self.least == 0.0, 1.0, jnp.abs(self.least))
        self.unit = size if unit is None else require_positive_scalar("unit", unit)

    def __call__(self, run: PeriodicRun, cycle: AbstractCycle) -> Float[Array, ""]:
        """Not negative where the quantity is large enough."""
        return (jnp.asarray(self.quantity(run, cycle)) - self.least) / self.unit


class Negative(eqx.Module):
    """The negative of a quantity, as an objective of a search for little of it.

    quantity   such as `entropy_production_rate`, a function of a run and its cycle
    """

    quantity: Objective

    def __call__(self, run: PeriodicRun, cycle: AbstractCycle) -> Float[Array, ""]:
        """Large where the quantity is small."""
        return -jnp.asarray(self.quantity(run, cycle))
