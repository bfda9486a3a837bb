"""Sec. IV of Herpich & Esposito 2019, claim by claim: the laws, and the dissipated work."""

import itertools

import numpy as np

from jaxthermo.papers.claims import Claim, Verdict
from jaxthermo.papers.rings import levels
from jaxthermo.papers.rings.figures import uniform_at
from jaxthermo.papers.rings.lanes import COUPLING, FORCE
from jaxthermo.papers.rings.numbers import RingNumbers, spelled
from jaxthermo.potts import Phase

EXACT = 1e-8


def _first_law(n: RingNumbers) -> Verdict:
    return Verdict(
        float(n.laws.first_law) < 1e-9, f"largest |dE - Q - W| along a trajectory {float(n.laws.first_law):.1e}"
    )


def _second_law(n: RingNumbers) -> Verdict:
    return Verdict(float(n.laws.second_law) >= 0.0, f"smallest rate along a trajectory {float(n.laws.second_law):.1e}")


def _long_time(n: RingNumbers) -> Verdict:
    worst = 0.0
    for d in n.work.values():
        known = (d.phase != Phase.undecided).values
        gap = (d.entropy_production_rate - d.beta * d.work_current).values[known]
        worst = max(worst, float(np.abs(gap).max()))
    return Verdict(worst < 1e-7, f"largest |rate - beta W| in Fig. 2 {worst:.1e}")


def _dissipates(n: RingNumbers) -> Verdict:
    least = min(float(d.work_current.where((d.beta > 0) & (d.phase != Phase.undecided)).min()) for d in n.work.values())
    heat = float(n.levels.heat_current_limit)
    return Verdict(
        least > 0.0 > heat,
        f"smallest W at beta > 0: {least:.1e}; Q of q = {levels.Q} at beta = {levels.BETA:g}: {heat:.4f} = -W",
    )


def _single(n: RingNumbers) -> Verdict:
    worst = {}
    for q, d in n.work.items():
        warm = ((d.phase == Phase.uniform) & (d.beta < d.critical_beta)).values
        worst[q] = float(np.abs(d.work_current - d.uniform_work_current).values[warm].max())
    return Verdict(max(worst.values()) < EXACT, f"largest |W - W_1| below beta_c1: {spelled(worst, '.0e')}")


def _low_temperature(n: RingNumbers) -> Verdict:
    ratio = {}
    for q, d in n.work.items():
        beta = float(d.beta[-1])
        printed = float(np.exp(0.5 * beta * COUPLING) * uniform_at(np.array(beta)))
        ratio[q] = float(d.work_current[-1]) / printed
    return Verdict(
        all(abs(value - 1.0) < 0.2 for value in ratio.values()),
        f"W over Eq. (11) at the largest beta: {spelled(ratio, '.2f')}",
        "a factor q is missing: each of the q bonds carries the current of the slowest one, and the work counts all",
    )


def _exponentially(n: RingNumbers) -> Verdict:
    share = {q: float(d.work_current[-1] / d.uniform_work_current[-1]) for q, d in n.work.items()}
    return Verdict(max(share.values()) < 0.5, f"W/W_1 at the largest beta: {spelled(share, '.1e')}")


def _always(n: RingNumbers) -> Verdict:
    lowest = {q: float(n.saved(q)[1].min()) for q in n.work}
    return Verdict(min(lowest.values()) > -EXACT, f"smallest W_1 - W: {spelled(lowest, '.0e')}")


def _monotonic(n: RingNumbers) -> Verdict:
    falls = {q: float(np.diff(n.saved(q)[1]).min()) for q in n.work}
    return Verdict(min(falls.values()) > -EXACT, f"smallest step of W_1 - W along the grid: {spelled(falls, '.0e')}")


def _small_q(n: RingNumbers) -> Verdict:
    qs = sorted(n.work)
    worst = ""
    for a, b in itertools.pairwise(qs):
        gap = (n.work[b].work_current - n.work[a].work_current).where(
            (n.work[a].phase != Phase.undecided) & (n.work[b].phase != Phase.undecided)
        )
        if float(gap.min()) < -1e-3:
            worst += f"q = {b} dissipates less than q = {a} by up to {-float(gap.min()):.3f}; "
    return Verdict(
        not worst,
        worst or f"W grows with q at every beta, q = {qs[0]}..{qs[-1]}",
        ""
        if not worst
        else "colder than both beta_c1 the localised states all cost q times the same current, and the "
        "order may turn where one q is localised already and the other not",
    )


def _range(n: RingNumbers) -> Verdict:
    span = {q: 10.0 - float(d.critical_beta) for q, d in n.work.items()}
    return Verdict(
        bool(np.all(np.diff(list(span.values())) < 0)), f"betas up to 10 with W < W_1: {spelled(span, '.1f')}"
    )


def _kink(n: RingNumbers) -> Verdict:
    jumps, bends = {}, {}
    for q, d in n.work.items():
        onset, cold = float(d.critical_beta), n.side(q, "beta_c1", 1.0)
        start = uniform_at(np.array(onset))
        jumps[q] = float(start - cold.limit)
        step = onset * float(cold.near[0])
        bends[q] = float((start + 0.5 * FORCE * step * _slope(onset) - cold.work_beside[0]) / step)
    continuous = all(abs(jump) < 1e-3 for jump in jumps.values() if np.isfinite(jump))
    return Verdict(
        all(bend > 1e-3 for bend in bends.values()),
        f"W_1 - W at beta_c1, cold side: {spelled(jumps, '.4f')}; slope there: {spelled(bends, '.2f')}, warm side 0",
        "" if continuous else "for some q a jump, not a kink",
    )


def _slope(beta: float) -> float:
    """2 dW_1/dbeta over f, at beta."""
    return float(2.0 * 0.1 * FORCE * np.cosh(0.5 * beta * FORCE))


def _saddle(n: RingNumbers) -> Verdict:
    sides, jumps = {}, []
    for q, d in n.work.items():
        if q % 2:
            warm, cold = (n.side(q, "fold", side).limit.item() for side in (-1.0, 1.0))
            sides[q] = f"{warm:.3f} | {cold:.3f} at {float(d.fold_beta):.3f}"
            jumps.append(warm - cold)
    return Verdict(
        bool(np.all(np.diff(jumps) > 0)),
        "W at the fold, warm | cold side: " + ", ".join(f"{q}: {text}" for q, text in sides.items()),
        "q = 3 has the saddle without a jump: W is continuous with a vertical slope on both sides",
    )


CLAIMS: tuple[Claim[RingNumbers], ...] = (
    Claim("Eq. (8)", "First law: dE/dt = Q + W.", "facts", _first_law),
    Claim("Eq. (9)", "Second law: the entropy production is not negative.", "facts", _second_law),
    Claim("Sec. IV", "At long times the entropy production is beta W.", "fig2", _long_time),
    Claim("Sec. IV", "The ring takes work, W > 0, and gives it to the bath as heat, Q < 0.", "fig2", _dissipates),
    Claim("Eq. (10)", "Below beta_c1 W = 2 G f sinh(beta f/2), for every q.", "fig2", _single),
    Claim("Eq. (11)", "At low temperature W = exp(beta u/2) W_1.", "fig2", _low_temperature),
    Claim("Sec. IV", "Interactions make operation exponentially cheaper when cold.", "fig2", _exponentially),
    Claim("Sec. IV, abstract", "Attraction is always beneficial: W < W_1.", "fig2", _always),
    Claim("Fig. 2", "The curves W_1 - W are monotonic.", "fig2", _monotonic),
    Claim("Sec. IV", "Small q is favourable overall.", "fig2", _small_q),
    Claim("abstract", "The range of reduced work shrinks as q grows.", "fig2", _range),
    Claim("Sec. IV", "A kink at beta_c1 for every q.", "fig2", _kink),
    Claim("Sec. IV", "Odd q: at beta_c2 a saddle and a jump, stronger for larger q.", "fig2", _saddle),
)
