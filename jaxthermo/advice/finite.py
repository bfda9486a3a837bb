"""What may be wrong with results for N units: sampling, leaps, rounding, bounds that must hold."""

from collections.abc import Iterator

import numpy as np

from jaxthermo.advice.findings import Finding, findings_of, lanes, largest, worst
from jaxthermo.jumps.finite.balance import FiniteStationary
from jaxthermo.jumps.finite.fluctuations import Cumulants
from jaxthermo.jumps.finite.master import FiniteEvolution
from jaxthermo.jumps.finite.theorem import WorkTheorem
from jaxthermo.jumps.finite.trajectories import Trajectories

# Standard error over mean, and the bias of leaps in standard errors, that are worth a word.
SPREAD, BIASED = 0.1, 3.0
# What the solves aim at is smaller.
LOST, UNBALANCED, CROOKS = 1e-8, 1e-9, 1e-6


@findings_of.register
def _(result: Trajectories) -> Iterator[Finding]:
    work = np.asarray(result.work)
    known = np.sum(np.isfinite(work), axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, error = np.nanmean(work, axis=-1), np.nanstd(work, axis=-1, ddof=1) / np.sqrt(known)
        share = np.where(mean == 0.0, 0.0, np.abs(error / mean))
    if np.any(found := share > SPREAD):
        many = int(np.ceil(np.max(known) * (np.max(share) / SPREAD) ** 2))
        what = (
            f"The mean work of {np.max(known)} trajectories has a standard error of {np.max(share):.0%}{lanes(found)}."
        )
        yield Finding("sampling", what, f"Some {many} trajectories make it {SPREAD:.0%}.")
    if result.work_bias is not None and result.work_bias_error is not None:
        apart = worst(np.asarray(result.work_bias) / np.asarray(result.work_bias_error))
        if np.any(found := apart > BIASED):
            what = f"Leaps of half the length change the mean work by {largest(apart)} standard errors{lanes(found)}."
            yield Finding("leaps", what, "Make `step` smaller, or use `simulate`.")


@findings_of.register
def _(result: Cumulants) -> Iterator[Finding]:
    ratio = np.asarray(result.uncertainty_ratio)
    if np.any(found := ratio < 1.0 - 1e-6):
        what = (
            f"Variance times entropy production over twice the squared current is {np.nanmin(ratio):.4g}{lanes(found)}."
        )
        yield Finding("bound", what, "It is at least 1: the cumulants have lost their digits. Look at `residual`.")


@findings_of.register
def _(result: FiniteStationary) -> Iterator[Finding]:
    if np.any(found := worst(result.residual) > UNBALANCED):
        what = f"{largest(worst(result.residual))} of the traffic between states is out of balance{lanes(found)}."
        yield Finding("residual", what, "Wells between which units hop rarely are hard: use fewer `units`.")


@findings_of.register
def _(result: FiniteEvolution) -> Iterator[Finding]:
    lost = worst(np.asarray(result.norm) - 1.0, 1)
    if np.any(found := lost > LOST):
        what = f"Probabilities sum to 1 within {largest(lost)} only{lanes(found)}."
        yield Finding("norm", what, "Lower the tolerances.")


@findings_of.register
def _(result: WorkTheorem) -> Iterator[Finding]:
    error = worst(result.crooks_error, 1)
    if np.any(found := error > CROOKS):
        what = f"Crooks' relation, which is exact, is violated by {largest(error)}{lanes(found)}."
        yield Finding("theorem", what, "Exponentials of large work lose digits: use a smaller `s` or fewer `units`.")
