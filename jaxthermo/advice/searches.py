"""What searches may have left: gaps to bounds, no gain, errors of the time step, a potential that is none."""

from collections.abc import Iterator

import numpy as np

from jaxthermo._status import Status
from jaxthermo.advice.findings import Finding, findings_of, lanes, largest, worst
from jaxthermo.search import MinimumWork, OptimalRamp, OptimisedCycle, ParetoFront, ProcessPotentials
from jaxthermo.search.engine import KEPT_AFRESH

# Share of the distance between the bounds that a search may leave open, and what counts as no gain at all.
OPEN, NONE = 0.5, 1e-6
# Largest dU/dx~ + dX/dbeta that is put down to the interpolation of the table of equilibria.
DEFECT = 2e-3
# Share of the work from which the error of the time step is worth a word.
LARGE_ERROR = 0.01


@findings_of.register
def _(result: MinimumWork) -> Iterator[Finding]:
    value, upper = np.asarray(result.value), np.asarray(result.upper)
    if np.any(found := np.abs(value - upper) <= NONE * (1.0 + np.abs(upper))):
        what = f"The search found nothing better than to do nothing{lanes(found)}."
        yield Finding(
            "no gain", what, "Right for an equilibrium at its own beta and x; else raise `horizon` or `order`."
        )
    elif result.lower is not None:
        lower = np.asarray(result.lower)
        left = (value - lower) / np.maximum(upper - lower, 1e-300)
        if np.any(found := left > OPEN):
            what = (
                f"The value is {np.max(left):.0%} of the way from the exact lower bound to doing nothing{lanes(found)}."
            )
            yield Finding("gap", what, "Raise `order` or `horizon`, or allow `jumps`. The bound need not be reached.")


@findings_of.register
def _(result: OptimalRamp) -> Iterator[Finding]:
    error, work = worst(result.error), worst(result.work)
    if np.any(found := error > LARGE_ERROR * work):
        what = f"The time step may have changed the work by {largest(error)}{lanes(found)}; it is {largest(work)}."
        yield Finding("time step", what, "Give a smaller `dt`, or a finer grid.")


@findings_of.register
def _(result: OptimisedCycle) -> Iterator[Finding]:
    for name, words in (("start_status", "first"), ("cycle_status", "improved")):
        member = Status(int(getattr(result, name)))
        if member is not Status.ok:
            yield Finding("cycle", f"The run of the {words} cycle ended with {member.word!r}.", member.message)
    if float(result.missed) > KEPT_AFRESH:
        what = f"The cycle found misses a constraint by {float(result.missed):.2g}, so its objective is not to be had."
        yield Finding("constraint", what, "Raise `steps`, or start from a cycle that keeps the constraints.")
    if float(result.improvement) <= NONE * (1.0 + abs(float(result.start_value))):
        what = "The search added nothing to the objective."
        yield Finding("no gain", what, "Widen `bounds`, or start elsewhere: it finds the nearest maximum only.")


@findings_of.register
def _(result: ParetoFront) -> Iterator[Finding]:
    status = np.asarray(result.cycle_status)
    if np.any(found := status != int(Status.ok)):
        words = sorted({Status(int(code)).word for code in status[found]})
        what = f"The runs of {int(found.sum())} of {found.size} cycles ended with {', '.join(words)}."
        yield Finding("cycle", what, "Use a finer grid, or leave it out.")


@findings_of.register
def _(result: ProcessPotentials) -> Iterator[Finding]:
    if result.maxwell_defect is not None and float(result.maxwell_defect) > DEFECT:
        what = f"dU/dx~ + dX/dbeta of the equilibrium reaches {float(result.maxwell_defect):.2g}, and not 0."
        change = "To that error Xi is no function of beta and x. Raise `depth` and `poles`, or refine the grid."
        yield Finding("Maxwell defect", what, change)
    status = np.asarray(result.search_status)
    if np.any(found := status != int(Status.ok)):
        words = sorted({Status(int(code)).word for code in status[found]})
        what = f"{int(found.sum())} of {found.size} searches ended with {', '.join(words)}."
        yield Finding("search", what, "Raise `order` or `horizon`, or give a smaller `dt`.")
    if np.any(np.diff(np.asarray(result.entropy_produced)) < -1e-6):
        what = "The entropy produced falls between some searches."
        yield Finding("second law", what, "The potentials there are upper bounds: raise `order` and `horizon`.")
