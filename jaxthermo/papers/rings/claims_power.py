"""Secs. IV and V of Herpich & Esposito 2019, claim by claim: output power and efficiency, and what is concluded."""

import itertools

import numpy as np

from jaxthermo.papers.claims import Claim, Verdict
from jaxthermo.papers.rings.lanes import FORCE
from jaxthermo.papers.rings.numbers import RingNumbers, spelled
from jaxthermo.potts import Phase

# A step of |P| from odd to even q below this is a plateau; EMP this near 1/2 is close to it.
PLATEAU, NEAR_HALF = 0.1, 0.1
EXACT = 1e-8


def _noninteracting_power(n: RingNumbers) -> Verdict:
    worst = 0.0
    for d in n.landscapes.values():
        force = FORCE + d.force2
        single = 2.0 * 0.1 * np.sinh(0.5 * d.beta * force) * -d.force2
        warm = d.phase == Phase.uniform
        worst = max(worst, float(np.abs(d.power - single).where(warm).max()))
    return Verdict(worst < EXACT, f"largest deviation of |P| from Eq. (10) in the uniform phase {worst:.0e}")


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


def _follows(n: RingNumbers) -> Verdict:
    least = {q: float(d.power.where(d.phase != Phase.undecided).min()) for q, d in n.landscapes.items()}
    return Verdict(
        min(least.values()) >= 0.0, f"smallest |P| = -f2 I in Fig. 3, where f1 + f2 > 0: {spelled(least, '.1e')}"
    )


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


def _better_machines(n: RingNumbers) -> Verdict:
    text = []
    for q, d in n.landscapes.items():
        beta = float(d.beta[-1])
        best = d.power.where(d.phase != Phase.undecided)[-1]
        alone = 0.2 * np.sinh(0.5 * beta * (FORCE + d.force2)) * -d.force2
        loads = [-float(d.force2[int(np.nanargmax(values.values))]) for values in (best, alone)]
        text.append(
            f"q = {q}, beta = {beta:.1f}: |P| {float(best.max()):.3f} at efficiency {loads[0]:.2f} with interactions, "
            f"{float(alone.max()):.3f} at {loads[1]:.2f} without"
        )
    return Verdict(
        None,
        "; ".join(text),
        "no measure of performance is given: at a low temperature interactions lower what is dissipated and the power "
        "alike, since both are the current times a force",
    )


def _other_rates(n: RingNumbers) -> Verdict:
    rest, least = float(n.laws.glauber_balance), float(n.laws.glauber_least)
    return Verdict(
        rest < 1e-12 and least >= 0.0,
        f"Glauber rates, q = 3, 200 random states: |rate of Sigma - dS/dt + beta Q| <= {rest:.0e}, rate of Sigma >= "
        f"{least:.0e}; beta_c1 = {float(n.laws.glauber_onset):.4f}",
        "every function takes any rates with local detailed balance. Bounded ones need a weaker force: at f = |u| "
        "the uniform state of q = 3 stays stable",
    )


CLAIMS: tuple[Claim[RingNumbers], ...] = (
    Claim("Fig. 3", "Below beta_c1 the power is that of Eq. (10).", "fig3", _noninteracting_power),
    Claim("Sec. IV", "The efficiency -f2/f1 is at most 1: the current follows the net force.", "fig3", _follows),
    Claim("Fig. 3(a)", "q = 4: the power drops rapidly for beta > beta_c.", "fig3", _drop),
    Claim("Sec. IV", "Odd q: the maximum lies in the synchronised phase.", "fig4", _in_s),
    Claim("Fig. 4", "The largest power grows with q overall.", "fig4", _rises),
    Claim("Fig. 4", "It jumps from even to odd q and then rests on plateaus.", "fig4", _jumps),
    Claim("Fig. 4", "The EMP decreases monotonically.", "fig4", _falls),
    Claim("Fig. 4", "The EMP is close to 1/2 for q <= 3.", "fig4", _half),
    Claim("Sec. IV", "1/2 is the EMP of a linear response with one current.", "facts", _linear),
    Claim("Sec. IV, abstract", "Small odd q have the optimal power-efficiency trade-off.", "fig4", _trade),
    Claim("Sec. V", "The methods apply to any rates with local detailed balance.", "facts", _other_rates),
    Claim("Sec. V", "Engineered interactions can improve Brownian machines.", "fig3", _better_machines),
)
