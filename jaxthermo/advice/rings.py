"""What may be wrong with mean fields of rings and networks: other attractors, transitions nearby, the two laws."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxthermo.advice.findings import Finding, findings_of, lanes, largest, worst
from jaxthermo.jumps import Bounds, Evolution, LimitCycle, LinearNoise, Locking, PeriodicState, Stationary
from jaxthermo.jumps.attractor import MAX_ROUNDS, long_time_state
from jaxthermo.jumps.occupation import localised, near_uniform
from jaxthermo.potts import BasinSample, MaximumPower, PhaseDiagram
from jaxthermo.potts.edges import Place, Side
from jaxthermo.solve.attractor import UNDECIDED, AttractorKind

# Averages that differ by more than this belong to two attractors.
SAME = 1e-6
# A multiplier so near 1 decays so slowly that little is needed to lose the cycle.
NEAR = 0.98
# Lanes of a batch that are started again from elsewhere.
TRIED = 8
# N times a covariance above this belongs to a soft direction: without interaction it is below 1/4.
SOFT = 10.0
# Integrals of energy along a trajectory are right to this, of 1 + what was exchanged.
LAW = 1e-6
# What a driven network's steps may have changed.
STEP = 1e-3


@findings_of.register
def _(result: Stationary) -> Iterator[Finding]:
    tried = list(_some_lanes(result))
    found = [words for lane in tried if (words := _elsewhere(lane))]
    if found:
        where = f" in {len(found)} of the {len(tried)} lanes that were tried" if np.ndim(result.attractor) else ""
        what = f"Several attractors are stable{where}: another start ends in {found[0]}."
        change = "The result belongs to `p0`. Choose it on purpose, or ask `jt.potts.attractors` for all, with basins."
        yield Finding("multistability", what, change)


def _some_lanes(result: Stationary) -> Iterator[Stationary]:
    """The lane, or some of many, evenly spread."""
    shape = np.shape(result.attractor)
    if not shape:
        yield result
        return
    flat = jax.tree.map(lambda leaf: np.reshape(np.asarray(leaf), (-1, *np.shape(leaf)[len(shape) :])), result)
    count = int(np.prod(shape))
    for index in np.unique(np.linspace(0, count - 1, min(count, TRIED)).astype(int)):
        yield jax.tree.map(lambda leaf, index=index: leaf[index], flat)


def _elsewhere(lane: Stationary) -> str:
    """The attractor that some other start reaches, in words, if it is not the same up to a rotation."""
    q = lane.occupation.shape[-1]
    if int(lane.attractor) == UNDECIDED:
        return ""
    starts = [np.asarray(near_uniform(q)), *(np.roll(np.asarray(localised(q)), shift) for shift in range(q))]
    for start in starts:
        other = long_time_state(lane.network, lane.beta, start, MAX_ROUNDS)
        if int(other.attractor) == UNDECIDED:
            continue
        gap = abs(float(other.energy) - float(lane.energy)) + abs(float(other.work_current) - float(lane.work_current))
        if other.attractor != lane.attractor or gap > SAME * (1.0 + abs(float(lane.energy))):
            word = AttractorKind(int(other.attractor)).word
            return f"a {word} with work current {float(other.work_current):.4g} (here {float(lane.work_current):.4g})"
    return ""


@findings_of.register
def _(result: Evolution) -> Iterator[Finding]:
    energy = np.asarray(result.energy)
    work, heat = np.asarray(result.work), np.asarray(result.heat)
    missing = worst(energy - energy[..., :1] - work - heat, 1)
    if np.any(found := missing > LAW * (1.0 + worst(work, 1))):
        what = f"Energy changes by {largest(missing)} more than work and heat together{lanes(found)}."
        yield Finding("first law", what, "Lower `rtol` and `atol`.")
    yield from _second_law(result.entropy_production_rate, 1)


@findings_of.register
def _(result: PeriodicState) -> Iterator[Finding]:
    net = np.asarray(result.work) + np.asarray(result.heat)
    missing = worst(net)
    if np.any(found := missing > LAW * (1.0 + worst(result.work))):
        what = f"Work and heat of one period leave {largest(missing)} of energy{lanes(found)}."
        yield Finding("first law", what, "Is `period` the common period of all schedules?")
    yield from _slow_decay(np.abs(np.asarray(result.multipliers)))


@findings_of.register
def _(result: LimitCycle) -> Iterator[Finding]:
    others = np.abs(np.asarray(result.multipliers))[..., 1:]
    stable, exists = np.asarray(result.stable), np.isfinite(np.asarray(result.period))
    if np.any(found := exists & ~stable):
        what = f"The cycle is unstable{lanes(found)}: a perturbation grows."
        yield Finding("stability", what, "No trajectory stays on it; another start may find a stable one.")
    yield from _slow_decay(np.where(stable[..., None], others, 0.0))


def _slow_decay(multipliers: np.ndarray) -> Iterator[Finding]:
    slowest = worst(multipliers, 1)
    if np.any(found := (slowest > NEAR) & (slowest < 1.0)):
        what = f"In one period a perturbation keeps {largest(slowest)} of itself{lanes(found)}: a transition is near."
        yield Finding("near a transition", what, "Expect long transients, and derivatives that are large.")


@findings_of.register
def _(result: LinearNoise) -> Iterator[Finding]:
    spread = worst(result.covariance, 2)
    if np.any(found := spread > SOFT):
        what = f"N times the covariance is {largest(spread)}{lanes(found)}, which is much, as near a transition."
        yield Finding("near a transition", what, "Check with `mesoscopic_stationary` or `simulate` at your N.")


@findings_of.register
def _(result: Locking) -> Iterator[Finding]:
    if np.any(found := worst(result.residual) > STEP):
        what = f"Half as many steps change the end by {largest(worst(result.residual))}{lanes(found)}."
        yield Finding("time step", what, "Give more `steps` to a period.")


@findings_of.register
def _(result: Bounds) -> Iterator[Finding]:
    broken = ~np.asarray(result.hold) & np.isfinite(np.asarray(result.slack))
    if np.any(broken):
        names = sorted(set(np.broadcast_to(np.asarray(result.names), broken.shape)[broken]))
        what = f"The bound of {' and '.join(names)} is broken."
        yield Finding(
            "bound", what, "One of the two sides is wrong: look at the residuals of the result it was made of."
        )


@findings_of.register
def _(result: PhaseDiagram) -> Iterator[Finding]:
    names = ("uniform_stable", "localised_stable", "cycle_stable")
    several = np.sum([np.asarray(getattr(result, name), int) for name in names], axis=0) > 1
    if np.any(several):
        what = (
            f"Several states are stable at {int(several.sum())} of {several.size} points; `phase` is the one reached "
        )
        what += "from P_1 = 1."
        yield Finding("multistability", what, "Look at `uniform_stable`, `localised_stable` and `cycle_stable`.")


@findings_of.register
def _(result: BasinSample) -> Iterator[Finding]:
    attractor, basin = np.atleast_1d(np.asarray(result.attractor)), np.atleast_1d(np.asarray(result.basin))
    share = float(np.sum(basin[attractor == UNDECIDED]))
    if share > 0:
        what = f"{share:.1%} of the starts reached no attractor that could be told."
        yield Finding("undecided", what, "Raise `max_rounds`; close to a transition no number of rounds decides.")
    missing = np.atleast_1d(np.asarray(result.copies)) > np.atleast_1d(np.asarray(result.copies_found))
    if np.any(missing & (attractor != UNDECIDED)):
        what = "Not all copies that rotations make of an attractor were reached, so small basins may be missing too."
        yield Finding("starts", what, "Use more `starts`.")


@findings_of.register
def _(result: MaximumPower) -> Iterator[Finding]:
    undecided, tried = (int(np.asarray(result.stats[name])) for name in ("undecided", "lanes"))
    if undecided:
        what = f"{undecided} of {tried} lanes of the search reached no attractor that could be told."
        yield Finding("undecided", what, "They were left out; check the maximum with `jt.potts.stationary` beside it.")
    if result.ties:
        what = f"{result.ties} other maxima have the same power to its accuracy."
        yield Finding("ties", what, "Look at `powers`, `loads` and `betas`: the efficiency is that of one of them.")
    if result.place is not Place.interior:
        what = f"The maximum is the limit at an edge ({result.place.word}), {Side(int(result.sides[0])).word}."
        yield Finding("edge", what, "It need not be reached on the edge itself: stay a little to that side.")


def _second_law(rate: Any, axes: int) -> Iterator[Finding]:
    least = np.min(np.asarray(rate), axis=tuple(range(-axes, 0)), initial=0.0)
    if np.any(found := least < -1e-9):
        what = f"The rate of entropy production falls to {float(np.min(least)):.2g}{lanes(found)}."
        yield Finding("second law", what, "Lower `rtol` and `atol`.")
