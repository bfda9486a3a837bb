"""Secs. II and III of Herpich & Esposito 2019, claim by claim."""

import numpy as np

from jaxthermo.papers.claims import Claim, Verdict
from jaxthermo.papers.rings.numbers import RingNumbers, spelled
from jaxthermo.potts import Phase
from jaxthermo.solve.attractor import AttractorKind

ROUNDING = 1e-9
# Units are gathered where so many times their uniform share are in one state.
GATHERED = 1.5
CYCLE, CLUSTERED, LOCALISED = Phase.limit_cycle, Phase.clustered, Phase.localised


def _listed(found: dict[int, bool]) -> str:
    """The q for which it is so."""
    return ", ".join(str(q) for q, so in found.items() if so) or "none"


def _named(found: dict[int, str]) -> str:
    """q: word, ..."""
    return ", ".join(f"{q}: {word}" for q, word in found.items())


def _repulsion(n: RingNumbers) -> Verdict:
    repelled = {q: d.phase.sel(coupling=1.0).values for q, d in n.followed.items()}
    uniform = all(np.all(phase == Phase.uniform) for phase in repelled.values())
    worst = float(n.closed.repelled.max())
    return Verdict(
        uniform and worst < 0,
        f"fastest growth at beta up to 50, q = 2..9: {worst:.2e}; runs at q = "
        f"{', '.join(map(str, repelled))} end uniform",
    )


def _onset(n: RingNumbers) -> Verdict:
    worst = float(np.abs(n.closed.onset - n.closed.q).max())
    return Verdict(
        worst < ROUNDING and float(n.closed.real_part.max()) < ROUNDING,
        f"q = 2..9: |beta_c1 - q/|u|| <= {worst:.1e}, |Re lambda_k| there <= {float(n.closed.real_part.max()):.1e}",
    )


def _skew(n: RingNumbers) -> Verdict:
    sizes = {name: float(n.closed[name].max()) for name in ("symmetric_part", "turned")}
    return Verdict(
        max(sizes.values()) < ROUNDING,
        f"q = 2..9: largest entry of J + J^T {sizes['symmetric_part']:.0e}, largest change of J when the ring is "
        f"turned {sizes['turned']:.0e}; for q = 2 all eigenvalues vanish",
    )


def _crossing(n: RingNumbers) -> Verdict:
    least = float(n.closed.least_slope.min())
    return Verdict(least > -ROUNDING, f"smallest d Re lambda_k/d beta at beta_c1, q = 2..9: {least:.0e} (k = 0)")


def _together(n: RingNumbers) -> Verdict:
    peaks = {}
    for q, d in n.portraits.items():
        cycling = d.beta.values[d.phase.values == CYCLE]
        if len(cycling):
            peaks[q] = float(cycling[-1]), q * float(d.cycle.sel(beta=cycling[-1]).max())
    return Verdict(
        min(peak for _, peak in peaks.values()) > GATHERED if peaks else None,
        "largest share of the units in one state during a turn, over 1/q: "
        + ", ".join(f"q = {q}, beta = {beta:g}: {peak:.2f}" for q, (beta, peak) in peaks.items()),
    )


def _spectrum(n: RingNumbers) -> Verdict:
    worst = float(n.closed.imaginary_error.max())
    return Verdict(worst < 1e-8, f"q = 2..9: largest deviation {worst:.1e}")


def _slope(n: RingNumbers) -> Verdict:
    worst = float(n.closed.slope_error.max())
    return Verdict(worst < 1e-8, f"q = 2..9: largest deviation {worst:.1e}")


def _hot(n: RingNumbers) -> Verdict:
    hottest = {q: Phase(int(d.phase[1])).word for q, d in n.work.items()}
    beta = float(next(iter(n.work.values())).beta[1])
    return Verdict(set(hottest.values()) == {"uniform"}, f"at beta = {beta:g} every q ends uniform")


def _cold(n: RingNumbers) -> Verdict:
    empty = {q: 1.0 - float(d.largest_occupation[-1]) for q, d in n.work.items()}
    localised = all(int(d.phase[-1]) == LOCALISED for d in n.work.values() if d.sizes["beta"])
    beta = float(next(iter(n.work.values())).beta[-1])
    return Verdict(
        localised and max(empty.values()) < 0.2,
        f"share outside the fullest state at beta = {beta:g}: {spelled(empty, '.1e')}",
        ""
        if localised and max(empty.values()) < 0.2
        else "at f = |u| the localised state keeps a tail: the driving "
        "pays exactly for leaving it, V+(dE = -u) = prefactor, while the next hop is faster by exp(beta |u|/2) only",
    )


def _start_decides(n: RingNumbers) -> Verdict:
    coldest = n.unequal.isel(spread=0, beta=-1)
    reached = coldest.fullest.values.tolist()
    return Verdict(
        reached == coldest.start.values.tolist(),
        f"q = 3, beta = {float(coldest.beta):g}: starts 1, 2, 3 end in {reached}",
    )


def _supercritical(n: RingNumbers) -> Verdict:
    odd = {int(q): bool(n.forms.supercritical.sel(q=q)) for q in n.forms.q.values if q % 2}
    born = {q: Phase(int(n.side(q, "beta_c1", 1.0).phase_beside)).word for q in n.work if q % 2}
    holds = all(odd.values()) and set(born.values()) == {"limit cycle"}
    return Verdict(
        holds,
        f"the wave k = 1 is supercritical at q = {_listed(odd)}; reached just above beta_c1: {_named(born)}",
        "" if holds else "all modes become unstable at once for q >= 5, so which is reached depends on the start",
    )


def _even(n: RingNumbers) -> Verdict:
    kinds = {int(q): bool(n.forms.supercritical.sel(q=q)) for q in n.forms.q.values if q % 2 == 0}
    beside = {q: Phase(int(n.side(q, "beta_c1", 1.0).phase_beside)).word for q in n.work if q % 2 == 0}
    holds = "clustered" not in beside.values() and "limit cycle" not in beside.values()
    return Verdict(
        holds,
        f"just above beta_c1, from P_1 = 1: {_named(beside)}; wave k = 1 supercritical at q = {_listed(kinds)}",
        ""
        if holds
        else "the real mode k = q/2, which even q has beside the waves, saturates: every second state is "
        "filled (clustered), a stable fixed point born at beta_c1 that the paper does not name",
    )


def _one_transition(n: RingNumbers) -> Verdict:
    spans = {}
    for q, d in n.work.items():
        between = d.beta.values[np.isin(d.phase.values, (CLUSTERED, CYCLE))]
        if q % 2 == 0 and len(between):
            spans[q] = (float(between.min()), float(between.max()))
    return Verdict(
        not spans,
        "; ".join(f"q = {q}: other states from {a:.2f} to {b:.2f}" for q, (a, b) in spans.items()) or "none found",
        ""
        if not spans
        else "the localised states are born at a fold above beta_c1; between the two the units fill every second state",
    )


def _second(n: RingNumbers) -> Verdict:
    both = {}
    for q, d in n.work.items():
        cycling = d.beta.values[d.phase.values == CYCLE]
        if q % 2 and len(cycling):
            both[q] = f"cycles {cycling.min():.2f} to {cycling.max():.2f}, fold {float(d.fold_beta):.3f}"
    cold = all(int(d.phase[-1]) == LOCALISED for q, d in n.work.items() if q % 2 and float(d.fold_beta) < d.beta[-1])
    return Verdict(bool(both) and cold, "; ".join(f"q = {q}: {text}" for q, text in both.items()))


def _infinite_period(n: RingNumbers) -> Verdict:
    found = {}
    for q in n.work:
        warm = n.side(q, "fold", -1.0)
        if q % 2 and int(warm.phase_beside) == CYCLE and int(n.side(q, "fold", 1.0).phase_beside) == LOCALISED:
            near, period = np.log(warm.near.values), np.log(warm.period_beside.values)
            columns = np.stack([np.ones_like(near), near, np.sqrt(warm.near.values)], axis=1)
            found[q] = float(np.linalg.lstsq(columns, period, rcond=None)[0][1])
    holds = all(abs(power + 0.5) < 0.05 for power in found.values()) if found else None
    return Verdict(
        holds,
        f"exponent of the period at the fold: {spelled(found)}" if found else "no cycle ends at its fold here",
        ""
        if holds
        else "only q = 3 ends so: for larger q the cycle has a finite period at the fold and goes on, but P_1 = 1 "
        "leads to the localised state as soon as that exists",
    )


def _copies(n: RingNumbers) -> Verdict:
    cold = n.unequal.isel(spread=0, beta=-1)
    return Verdict(
        int(cold.number) == 3,
        f"q = 3, beta = {float(cold.beta):g}: {int(cold.number)} fixed points, turns of each other",
    )


def _towards_ground(n: RingNumbers) -> Verdict:
    rising = {}
    for q, d in n.work.items():
        full = d.largest_occupation.values[d.phase.values == LOCALISED]
        rising[q] = bool(np.all(np.diff(full) > -ROUNDING)) if len(full) > 1 else True
    return Verdict(all(rising.values()), f"largest occupation grows with beta at q = {', '.join(map(str, rising))}")


def _small_spread(n: RingNumbers) -> Verdict:
    d = n.unequal
    small = d.spread.values[1]
    kinds = [(d.kind.sel(spread=s) == int(AttractorKind.limit_cycle)).any().item() for s in (0.0, small)]
    cold = int(d.number.sel(spread=small)[-1])
    return Verdict(
        all(kinds) and cold > 1, f"q = 3, spread {small:g}: a limit cycle remains, and {cold} states when cold"
    )


def _large_spread(n: RingNumbers) -> Verdict:
    last = n.unequal.isel(spread=-1)
    known = last.number.values > 0
    single = np.all(last.number.values[known] == 1) and not (last.kind == int(AttractorKind.limit_cycle)).any()
    return Verdict(
        bool(single),
        f"q = 3, spread {float(last.spread):g}: one fixed point at {known.sum()} of {known.size} betas"
        + ("" if known.all() else ", the others undecided"),
        "" if single else "with P_i -> 1 any state traps all units when cold enough, unless the spread exceeds |u|",
    )


def _large_q(n: RingNumbers) -> Verdict:
    deviation = max(float(np.abs(d.work_current / d.uniform_work_current - 1.0).max()) for d in n.followed.values())
    onset = n.growth.onset.values
    return Verdict(
        deviation < 1e-6 and bool(np.all(np.diff(onset) > 0)),
        f"beta_c1 = q up to q = {int(n.growth.q[-1])}; below it W = W_1 for either sign of u, to {deviation:.0e}",
    )


def _equilibrium(n: RingNumbers) -> Verdict:
    weakest, fold = float(n.laws.force[0]), float(n.laws.weak_fold[0])
    return Verdict(
        False,
        f"q = 3, f = {weakest:g}: the localised states are born at beta = {fold:.3f}, below beta_c1 = 3",
        "the uniform state does lose stability at beta_c1, but as in the equilibrium Potts model with q >= 3 the "
        "transition is of first order: stable localised states exist before, and coexist with it",
    )


CLAIMS: tuple[Claim[RingNumbers], ...] = (
    Claim("abstract, Sec. III", "Repulsive interactions always lead to uniform occupations.", "large_q", _repulsion),
    Claim("Sec. III", "beta -> 0: the uniform state is the one stable fixed point.", "fig2", _hot),
    Claim("Eq. (4)", "beta -> infinity: all units are in one state.", "fig2", _cold),
    Claim("Sec. III", "Which of the q states is reached depends on which was fullest.", "unequal", _start_decides),
    Claim("Eq. (5)", "q + beta_c u = 0 for every q.", "facts", _onset),
    Claim("Eq. (6)", "At beta_c1 the linearised rates are skew-symmetric and circulant.", "facts", _skew),
    Claim("Eq. (7)", "Eigenvalues at beta_c1 are 2ic sin(2 pi k/q).", "facts", _spectrum),
    Claim("below Eq. (7)", "First-order correction of the eigenvalues.", "facts", _slope),
    Claim("Sec. III", "Real parts change sign at beta_c1 from negative to positive, or stay 0.", "facts", _crossing),
    Claim("Sec. III", "f = 0: a saddle-node degenerates the symmetric point at beta_c.", "facts", _equilibrium),
    Claim("Sec. III", "Odd q: a supercritical Hopf bifurcation, a stable limit cycle is born.", "fig2", _supercritical),
    Claim("Sec. III", "Even q: subcritical, straight into q asymmetric fixed points.", "fig2", _even),
    Claim("Sec. III, abstract", "Even q: one transition only; no synchronised phase.", "fig2", _one_transition),
    Claim("Sec. III, abstract", "Odd q: a second, colder transition ends synchronisation.", "fig2", _second),
    Claim("Sec. III", "At beta_c2 the cycle ends in an infinite-period bifurcation.", "fig2", _infinite_period),
    Claim("Sec. III", "On the limit cycle the units move together: they synchronise.", "fig1", _together),
    Claim("Sec. III", "The fixed points are permutations of each other.", "unequal", _copies),
    Claim("Sec. III", "With falling temperature they move towards the ground states.", "fig2", _towards_ground),
    Claim("Sec. III", "This is robust to slight changes of the energies.", "unequal", _small_spread),
    Claim("Sec. III", "For large changes a single stable fixed point at all temperatures.", "unequal", _large_spread),
    Claim("Sec. III", "Large q: the noninteracting phase takes over the temperatures.", "large_q", _large_q),
    Claim(
        "Sec. III",
        "Finite-range interactions on lattices generate this too.",
        "facts",
        lambda n: Verdict(None, "", "no number is printed; docs/lattices.md finds the same phases on lattices"),
    ),
)
