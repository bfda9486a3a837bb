"""Secs. IV, V and App. B of Herpich & Esposito 2019, claim by claim."""

import itertools

import numpy as np

from jaxthermo.papers.claims import Claim, Verdict
from jaxthermo.papers.rings import levels
from jaxthermo.papers.rings.figures import uniform_at
from jaxthermo.papers.rings.lanes import COUPLING, FORCE
from jaxthermo.papers.rings.numbers import RingNumbers, spelled
from jaxthermo.potts import Phase

# A step of |P| from odd to even q below this is a plateau; EMP this near 1/2 is close to it.
PLATEAU, NEAR_HALF = 0.1, 0.1
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


def _drop(n: RingNumbers) -> Verdict:
    if 4 not in n.landscapes:
        return Verdict(None, "", "q = 4 is not in this run")
    d = n.landscapes[4]
    best = d.power.where(d.phase != Phase.undecided).max("force2")
    colder = best.sel(beta=slice(4.0, 5.2))
    return Verdict(
        False,
        f"largest |P| over f2, q = 4: {float(colder.max()):.4f} to {float(colder.min()):.4f} for beta 4 to 5.2, "
        f"{float(best[-1]):.4f} at {float(best.beta[-1]):.1f}",
        "beyond beta_c1 the units fill every second state, whose power hardly depends on beta; it drops where the "
        "localised states take over",
    )


def _in_s(n: RingNumbers) -> Verdict:
    odd = {q: n.phase_at(q) for q in n.optima if q % 2}
    holds = set(odd.values()) <= {"limit cycle"}
    where = ", ".join(f"q = {q}: {phase} ({n.place_at(q)})" for q, phase in odd.items())
    return Verdict(holds, where, "" if holds else "from q = 9 on the maximum lies in the uniform phase")


def _rises(n: RingNumbers) -> Verdict:
    power = {q: float(d.power) for q, d in n.optima.items()}
    return Verdict(bool(np.all(np.diff(list(power.values())) > 0)), spelled(power, ".4f"))


def _jumps(n: RingNumbers) -> Verdict:
    power = {q: float(d.power) for q, d in n.optima.items()}
    steps = {(a, b): power[b] / power[a] - 1.0 for a, b in itertools.pairwise(power)}
    onto_even = [step for (_, b), step in steps.items() if b % 2 == 0]
    onto_odd = [step for (_, b), step in steps.items() if b % 2]
    holds = max(onto_even) < PLATEAU < min(onto_odd) if onto_even and onto_odd else None
    return Verdict(
        holds,
        ", ".join(f"{a}->{b}: {step:+.0%}" for (a, b), step in steps.items()),
        ""
        if holds
        else "the maxima of even q lie at the edge of the clustered phase, where a search on a grid that "
        "drops slow points misses them; with them the power rises at every step, onto odd q by more",
    )


def _falls(n: RingNumbers) -> Verdict:
    found = {q: float(d.efficiency) for q, d in n.optima.items()}
    return Verdict(bool(np.all(np.diff(list(found.values())) < 0)), spelled(found))


def _half(n: RingNumbers) -> Verdict:
    small = {q: float(d.efficiency) for q, d in n.optima.items() if q <= 3}
    holds = all(abs(eta - 0.5) < NEAR_HALF for eta in small.values())
    return Verdict(holds, spelled(small))


def _linear(n: RingNumbers) -> Verdict:
    eta = float(n.laws.warm_efficiency)
    return Verdict(abs(eta - 0.5) < 1e-4, f"uniform phase, beta -> 0: {eta:.6f}")


def _trade(n: RingNumbers) -> Verdict:
    power = {q: float(d.power * d.efficiency) for q, d in n.optima.items()}
    return Verdict(
        None,
        f"|P| times EMP: {spelled(power)}",
        "no measure of the trade-off is given: the power rises and the efficiency falls with q, and their product "
        "rises; odd q gain over the even q before them in power, not in efficiency",
    )


def _noninteracting_power(n: RingNumbers) -> Verdict:
    worst = 0.0
    for d in n.landscapes.values():
        force = FORCE + d.force2
        single = 2.0 * 0.1 * np.sinh(0.5 * d.beta * force) * -d.force2
        warm = d.phase == Phase.uniform
        worst = max(worst, float(np.abs(d.power - single).where(warm).max()))
    return Verdict(worst < EXACT, f"largest deviation of |P| from Eq. (10) in the uniform phase {worst:.0e}")


def _other_rates(n: RingNumbers) -> Verdict:
    return Verdict(
        True,
        f"Glauber rates, q = 3: beta_c1 = {float(n.laws.glauber_onset):.4f}",
        "every function takes any rates with local detailed balance. Bounded ones need a weaker force: at f = |u| "
        "the uniform state of q = 3 stays stable",
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
    Claim("Eq. (8)", "First law: dE/dt = Q + W.", "facts", _first_law),
    Claim("Eq. (9)", "Second law: the entropy production is not negative.", "facts", _second_law),
    Claim("Sec. IV", "At long times the entropy production is beta W.", "fig2", _long_time),
    Claim("Eq. (10)", "Below beta_c1 W = 2 G f sinh(beta f/2), for every q.", "fig2", _single),
    Claim("Eq. (11)", "At low temperature W = exp(beta u/2) W_1.", "fig2", _low_temperature),
    Claim("Sec. IV", "Interactions make operation exponentially cheaper when cold.", "fig2", _exponentially),
    Claim("Sec. IV, abstract", "Attraction is always beneficial: W < W_1.", "fig2", _always),
    Claim("Fig. 2", "The curves W_1 - W are monotonic.", "fig2", _monotonic),
    Claim("Sec. IV", "Small q is favourable overall.", "fig2", _small_q),
    Claim("abstract", "The range of reduced work shrinks as q grows.", "fig2", _range),
    Claim("Sec. IV", "A kink at beta_c1 for every q.", "fig2", _kink),
    Claim("Sec. IV", "Odd q: at beta_c2 a saddle and a jump, stronger for larger q.", "fig2", _saddle),
    Claim("Fig. 3", "Below beta_c1 the power is that of Eq. (10).", "fig3", _noninteracting_power),
    Claim("Fig. 3(a)", "q = 4: the power drops rapidly for beta > beta_c.", "fig3", _drop),
    Claim("Sec. IV", "Odd q: the maximum lies in the synchronised phase.", "fig4", _in_s),
    Claim("Fig. 4", "The largest power grows with q overall.", "fig4", _rises),
    Claim("Fig. 4", "It jumps from even to odd q and then rests on plateaus.", "fig4", _jumps),
    Claim("Fig. 4", "The EMP decreases monotonically.", "fig4", _falls),
    Claim("Fig. 4", "The EMP is close to 1/2 for q <= 3.", "fig4", _half),
    Claim("Sec. IV", "1/2 is the EMP of a linear response with one current.", "facts", _linear),
    Claim("Sec. IV, abstract", "Small odd q have the optimal power-efficiency trade-off.", "fig4", _trade),
    Claim("Sec. V", "The methods apply to any rates with local detailed balance.", "facts", _other_rates),
    _identity("Eq. (B9)", "dE = Q + W", 1e-7, "Mesoscopic and microscopic first law."),
    _identity("Eqs. (B7), (B13)", "dS - Sigma = beta Q", 1e-7, "The entropy flow is beta Q on both levels."),
    Claim("Eqs. (B8), (B14)", "Entropy production is not negative on either level.", "levels", _positive),
    _identity("Eq. (B15)", "W meso = W micro", 1e-7, "Energy, heat and work are equal on both levels."),
    Claim("below Eq. (B15)", "Entropies of the levels differ in general.", "levels", _entropies_differ),
    _identity("below Eq. (B15)", "stationary S meso = micro", 1e-8, "In the stationary state they agree."),
    _identity("Eq. (B16)", "stationary rate of Sigma = -beta Q", 1e-8, "Stationary flow and production cancel."),
)
