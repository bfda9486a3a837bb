"""Apps. A and B of Herpich & Esposito 2019, claim by claim: the levels of description."""

import math

import numpy as np

from jaxthermo.papers.claims import Claim, Verdict
from jaxthermo.papers.rings import levels
from jaxthermo.papers.rings.numbers import RingNumbers


def _tail(n: RingNumbers) -> Verdict:
    counts = {int(k): levels.mesostates(int(k)) for k in n.levels.units.values}
    last = max(counts)
    asymptotic = last ** (levels.Q - 1) / math.factorial(levels.Q - 1)
    return Verdict(
        abs(counts[last] / asymptotic - 1.0) < 0.1,
        f"q = 3, N = {last}: {counts[last]} states, N^(q-1)/(q-1)! = {asymptotic:.0f}",
    )


def _limit(n: RingNumbers) -> Verdict:
    gap = np.abs(n.levels.work_current.sel(level="meso") / n.levels.work_current_limit - 1.0).values
    units = n.levels.units.values
    return Verdict(
        bool(gap[-1] < gap[-2] and gap[-1] < 0.1),
        ", ".join(f"N = {k}: {g:.1%}" for k, g in zip(units, gap, strict=True)) + " from the mean field's W",
    )


def _identity(equation: str, words: str, limit: float, where: str) -> Claim[RingNumbers]:
    """A claim about one of the identities of `levels`, whose largest deviation must be below a limit."""

    def judge(n: RingNumbers) -> Verdict:
        rows = levels.identities(n.levels, n.relaxation)
        value = max(value for _, said, value, _ in rows if said == words)
        return Verdict(value < limit, f"{words}: largest deviation {value:.1e}")

    return Claim(equation, where, "levels", judge)


def _entropies_differ(n: RingNumbers) -> Verdict:
    rows = [row for row in levels.identities(n.levels, n.relaxation) if "differs" in row[1]]
    return Verdict(all(row[2] > 1e-3 for row in rows), "; ".join(f"{row[1]}: {row[2]:.3f}" for row in rows))


def _positive(n: RingNumbers) -> Verdict:
    lowest = float(n.relaxation.entropy_production_rate.min())
    return Verdict(lowest > -1e-9, f"smallest rate, both levels {lowest:.1e}")


CLAIMS: tuple[Claim[RingNumbers], ...] = (
    Claim("App. A", "Mesostates grow like N^(q-1)/(q-1)!.", "levels", _tail),
    Claim("Eq. (A10)", "The mean field is the limit of N -> infinity.", "levels", _limit),
    _identity("Eq. (B9)", "dE = Q + W", 1e-7, "Mesoscopic and microscopic first law."),
    _identity("Eqs. (B7), (B13)", "dS - Sigma = beta Q", 1e-7, "The entropy flow is beta Q on both levels."),
    Claim("Eqs. (B8), (B14)", "Entropy production is not negative on either level.", "levels", _positive),
    _identity("Eq. (B15)", "W meso = W micro", 1e-7, "Energy, heat and work are equal on both levels."),
    Claim("below Eq. (B15)", "Entropies of the levels differ in general.", "levels", _entropies_differ),
    _identity("below Eq. (B15)", "stationary S meso = micro", 1e-8, "In the stationary state they agree."),
    _identity("Eq. (B16)", "stationary rate of Sigma = -beta Q", 1e-8, "Stationary flow and production cancel."),
)
