"""Koyanagi & Tanimura 2024, claim by claim."""

import numpy as np

from jaxthermo.papers.claims import Claim, Verdict
from jaxthermo.papers.engine import inequalities, relations
from jaxthermo.papers.engine.data import CYCLES, KINDS, STRENGTHS, TABLE_4
from jaxthermo.papers.engine.numbers import EngineNumbers, by_strength

# Of what is differentiated or searched for, relative to its span.
CLOSE = 2e-2
NEAR_ZERO = 1e-7
UNKNOWN_CYCLE = "the paper's schedules are known as a picture only, so its cycle cannot be run"


def _first_laws(n: EngineNumbers) -> Verdict:
    worst = {"ext": 0.0, "int": 0.0}
    for data in n.cycles.values():
        dimensionless_U, H = data.beta * data.U, data.beta * data.H
        for name, energy in (("ext", dimensionless_U), ("int", H)):
            gain = energy - energy[0]
            rest = gain - data[f"cumulative_work_{name}"] - data.cumulative_heat_ext
            worst[name] = max(worst[name], float(np.abs(rest).max() / np.ptp(energy)))
    return Verdict(
        max(worst.values()) < 1e-3,
        f"largest residual over the span, all cycles: U~ {worst['ext']:.0e}, H~ {worst['int']:.0e}",
    )


def _transforms(n: EngineNumbers) -> Verdict:
    worst = 0.0
    for data in n.cycles.values():
        product = data.beta * data.x * data.X
        for kind, sign in (("work", -1.0), ("heat", 1.0)):
            rest = data[f"cumulative_{kind}_int"] - data[f"cumulative_{kind}_ext"] - sign * (product - product[0])
            worst = max(worst, float(np.abs(rest).max() / np.ptp(product)))
    return Verdict(worst < 1e-3, f"largest residual over the span of x~ X, all cycles {worst:.0e}")


def _closed(n: EngineNumbers) -> Verdict:
    signs = {"work_int": 1.0, "work_ext": 1.0, "heat_int": -1.0, "heat_ext": -1.0}
    least = min(sign * float(d[f"cumulative_{name}"][-1]) for d in n.cycles.values() for name, sign in signs.items())
    return Verdict(
        least >= 0.0, f"smallest of W~int, W~ext, -Q~int, -Q~ext over a cycle, {len(n.cycles)} cycles: {least:.4f}"
    )


def _positive(n: EngineNumbers) -> Verdict:
    least = {
        cycle: min(float(n.searched[c].entropy_production_rate.min()) for c in n.cases_of(cycle))
        for cycle in CYCLES
        if n.cases_of(cycle)
    }
    return Verdict(
        min(least.values()) > -NEAR_ZERO, "smallest rate: " + ", ".join(f"{c} cycle {v:.1e}" for c, v in least.items())
    )


def _relations(names: tuple[str, ...], still: bool) -> Claim[EngineNumbers]:
    number = {
        (True, True): "Table 5",
        (True, False): "Table 6",
        (False, True): "Eqs. (14)-(17), Table 1",
        (False, False): "Table 2",
    }

    def judge(n: EngineNumbers) -> Verdict:
        of = relations.quasi_static if still else relations.out_of_equilibrium
        found = [relations.residuals(of(data))[name] for data in n.searched.values() for name in names]
        worst, rule = max(r for r, _ in found), max(q for _, q in found)
        return Verdict(
            worst < max(CLOSE, 3.0 * rule),
            f"largest residual {worst:.1e} of the span, error of the quadrature {rule:.1e}, {len(n.searched)} cycles",
        )

    words = "Massieu-Planck" if names[0] == "massieu" else "Helmholtz-Gibbs"
    which = "Quasi-static" if still else "Non-equilibrium"
    return Claim(number[still, names[0] == "massieu"], f"{which} {words} relations.", "relations", judge)


def _gibbs_helmholtz(n: EngineNumbers) -> Verdict:
    worst = max(
        float(np.abs(d.enthalpy - d.gibbs - d.m_entropy / d.beta).max() / np.ptp(d.enthalpy))
        for d in n.searched.values()
    )
    return Verdict(
        worst < 1e-9, f"largest |H - G - T S| over the span of H {worst:.0e}; its derivative form is a row of Table 2"
    )


def _loops(n: EngineNumbers) -> Verdict:
    gaps = [abs(float(d.X[-1] - d.X[0])) / float(np.ptp(d.X)) for d in n.cycles.values()]
    entropy = [abs(float(d.m_entropy[-1] - d.m_entropy[0])) / float(np.ptp(d.m_entropy)) for d in n.searched.values()]
    return Verdict(max(gaps + entropy) < 1e-3, f"largest gap over the span: X {max(gaps):.0e}, S {max(entropy):.0e}")


def _own_works(n: EngineNumbers) -> Verdict:
    found = "; ".join(f"{kind} {by_strength([n.work('own', kind, a) for a in STRENGTHS], '.2e')}" for kind in KINDS)
    return Verdict(None, found, UNKNOWN_CYCLE)


def _inferred_works(n: EngineNumbers) -> Verdict:
    misses = {case: (n.work("inferred", *case) - printed.work) / printed.rounding for case, printed in TABLE_4.items()}
    worst = max(misses.values(), key=abs)
    states = {str(n.cycles["inferred", *case].attrs["status"]) for case in TABLE_4}
    found = ", ".join(f"{kind} {a:g}: {miss:+.2f}" for (kind, a), miss in misses.items())
    return Verdict(abs(worst) <= 1.0, f"difference over half a unit of the last digit: {found}; status {', '.join(states)}",
                   "a cycle with these works exists; it is not the paper's own")  # fmt: skip


def _quantum_effect(n: EngineNumbers) -> Verdict:
    text, falls = [], []
    for cycle in CYCLES:
        gaps = [abs(n.work(cycle, "quantum", a) - n.work(cycle, "classical", a)) for a in STRENGTHS]
        falls.append(gaps[0] > gaps[1] > gaps[2])
        text.append(f"{cycle} cycle {by_strength(gaps, '.1e')}")
    return Verdict(all(falls), "|W quantum - W classical|: " + "; ".join(text),
                   "" if all(falls) else "it falls with A in the inferred cycle, as in Table 4, but not in every cycle: "
                   "the quantum part of the quasi-static work and of the friction change with A in opposite ways")  # fmt: skip


def _damper(n: EngineNumbers) -> Verdict:
    signs = {cycle: [n.work(cycle, kind, STRENGTHS[-1]) for kind in KINDS] for cycle in CYCLES}
    text = "; ".join(f"{c} cycle {w[0]:.2e} classical, {w[1]:.2e} quantum" for c, w in signs.items())
    return Verdict(all(min(w) > 0 for w in signs.values()), f"W at A = {STRENGTHS[-1]:g}: {text}")


def _balanced(n: EngineNumbers) -> Verdict:
    worst = max(float(d.work.max()) for d in n.static.values())
    return Verdict(worst < 0, f"quasi-static work is negative at every A, largest {worst:.2e}")


def _intermediate(n: EngineNumbers) -> Verdict:
    text = []
    for cycle in CYCLES:
        for kind in KINDS:
            text.append(f"{cycle}, {kind} {by_strength([n.efficiency(cycle, kind, a) for a in STRENGTHS], '.4f')}")
    return Verdict(None, "efficiency -W/Q absorbed: " + "; ".join(text).replace("nan", "no engine"),
                   "the paper says this of its Carnot engine and reports no efficiency; by its Table 4 the work given "
                   "away falls at every step of A")  # fmt: skip


def _carnot(n: EngineNumbers) -> Verdict:
    shares = []
    for cycle, make in CYCLES.items():
        limit = 1.0 - float(make().beta_hot / make().beta_cold)
        shares += [n.efficiency(cycle, kind, a) / limit for kind in KINDS for a in STRENGTHS]
    best = float(np.nanmax(shares))
    return Verdict(best < 1.0, f"largest efficiency over Carnot's {best:.3f}")


def _horizontal(n: EngineNumbers) -> Verdict:
    shares = {}
    for cycle in CYCLES:
        data = n.cycles[cycle, "classical", 1.0]
        rests = (np.diff(np.asarray(data.x)) == 0.0) & (np.diff(np.asarray(data.beta)) == 0.0)
        moved = np.abs(np.diff(np.asarray(data.X)))
        shares[cycle] = float(moved[rests].sum() / moved.sum())
    return Verdict(shares["inferred"] > 0.01,
                   "share of the way of X while x and beta rest: " + ", ".join(f"{c} cycle {s:.2f}" for c, s in shares.items()),
                   "the inferred cycle has rests of x inside its isothermal strokes; our own moves x all the time")  # fmt: skip


def _area(n: EngineNumbers) -> Verdict:
    worst = 0.0
    for case, data in n.searched.items():
        T, S = 1.0 / np.asarray(data.beta), np.asarray(data.m_entropy)
        area = float(np.sum(0.5 * (T[1:] + T[:-1]) * np.diff(S)))
        heat = float(data.cumulative_heat[-1]) - float(data.waste_heat[-1])
        scale = n.absorbed(*case)
        worst = max(worst, abs(area - heat) / scale)
    return Verdict(worst < CLOSE, f"largest |area - (Q_ext - Q_wst)| over the heat absorbed {worst:.1e}")


def _delay(n: EngineNumbers) -> Verdict:
    case = [("own", "classical", a) for a in STRENGTHS]
    found = [n.delay(one) for one in case]
    return Verdict(
        found[0] > found[-1],
        f"mean distance of S from equilibrium in thermostatic strokes, own cycle, classical: {by_strength(found)}",
    )


def _isothermal(n: EngineNumbers) -> Verdict:
    found = [n.rate_in(("own", "classical", a), True) for a in STRENGTHS]
    return Verdict(
        found[0] < found[1] < found[2],
        f"mean rate in isothermal strokes, own cycle, classical: {by_strength(found, '.4f')}",
    )


def _thermostatic(n: EngineNumbers) -> Verdict:
    found = [n.rate_in(("own", "classical", a), False) for a in STRENGTHS]
    return Verdict(found[0] == min(found), f"mean rate in thermostatic strokes, own cycle, classical: {by_strength(found, '.4f')}",
                   "" if found[0] == min(found) else "at weak coupling S is far from equilibrium there, which produces "
                   "entropy longer; in our cycle this outweighs the weaker friction")  # fmt: skip


def _longer(n: EngineNumbers) -> Verdict:
    short, long = (float(v) for v in n.slower.entropy_produced)
    return Verdict(
        long < short,
        f"A = 1.5, own cycle, classical: {short:.4f} per cycle, {long:.4f} with isothermal strokes twice as long",
    )


def _weak(n: EngineNumbers) -> Verdict:
    text, holds = [], []
    for name in ("H", "U"):
        found = [n.difference("own", a, name) for a in STRENGTHS]
        holds.append(found[0] < found[-1])
        text.append(f"{name}: {by_strength(found)}")
    return Verdict(all(holds), "largest difference over the span, own cycle: " + "; ".join(text),
                   "" if all(holds) else "the difference at weak coupling is that of a canonical state")  # fmt: skip


def _always_below(n: EngineNumbers) -> Verdict:
    least = min(float((d.planck_upper - d.planck[d.searched.values].values).min()) for d in n.searched.values())
    return Verdict(least >= -NEAR_ZERO, f"smallest Xi_qst - Xi_neq, {len(n.searched)} cycles: {least:.1e}")


def _bound(n: EngineNumbers) -> Verdict:
    gaps = [
        float((d.planck[d.searched.values].values - d.planck_lower).max())
        for d in n.searched.values()
        if "planck_lower" in d
    ]
    least = [
        float((d.planck[d.searched.values].values - d.planck_lower).min())
        for d in n.searched.values()
        if "planck_lower" in d
    ]
    return Verdict(
        min(least) > -NEAR_ZERO, f"classical: Xi_neq is above the exact bound, by {min(least):.1e} to {max(gaps):.1e}"
    )


def _mixing(n: EngineNumbers) -> Verdict:
    least = {test: float(n.mixing[test].min()) for test in ("equilibria", "information", "searched")}
    error = float(n.mixing.search_error)
    holds = min(least["equilibria"], least["information"]) > -NEAR_ZERO and least["searched"] > -4.0 * max(
        error, NEAR_ZERO
    )
    return Verdict(holds, "smallest slack: " + ", ".join(f"{k} {v:.1e}" for k, v in least.items())
                   + f"; {n.mixing.sizes['pair']} and {n.mixing.sizes['search']} pairs")  # fmt: skip


def _slack(names: tuple[str, ...], words: str, where: str) -> Claim[EngineNumbers]:
    def judge(n: EngineNumbers) -> Verdict:
        found = {name: inequalities.smallest(n.slacks, "classical", name) for name in names}
        quantum = inequalities.smallest(n.slacks, "quantum", names[1])
        text = ", ".join(f"{name} {value:.1e}" for name, value in found.items())
        return Verdict(
            min(found.values()) > -inequalities.ROUNDING,
            f"smallest slack, classical: {text}; quantum {names[1]} {quantum:.1e}",
        )

    return Claim(where, words, "inequalities", judge)


def _companion_classical(n: EngineNumbers) -> Verdict:
    work = n.static[None].work
    spread = float((np.abs(work - work.mean("coupling")) / np.abs(work.mean("coupling"))).max())
    return Verdict(spread < 1e-3, f"largest relative deviation over A {spread:.1e}")


def _companion_quantum(n: EngineNumbers) -> Verdict:
    most = max(poles for poles in n.static if poles is not None)
    given = -n.static[most].work
    falls = bool((given.diff("coupling") < 0).all())
    text = "; ".join(
        f"{c} cycle "
        + ", ".join(f"A = {float(a):g}: {float(given.sel(cycle=c, coupling=a)):.4f}" for a in given.coupling.values)
        for c in CYCLES
    )
    return Verdict(falls, f"K = {most}, work given away: {text}")


def _converged(n: EngineNumbers) -> Verdict:
    poles = sorted(p for p in n.static if p is not None)
    last = n.static[poles[-1]].work
    change = float((np.abs(last - n.static[poles[-2]].work) / np.abs(last)).max())
    return Verdict(
        change < CLOSE,
        f"from K = {poles[-2]} to {poles[-1]} the quasi-static work changes by at most {change:.1e} of itself",
    )


NONEQ = ("massieu", "planck", "m_entropy", "p_entropy")
ENERGIES = ("helmholtz", "gibbs", "internal_energy", "enthalpy")
CLAIMS: tuple[Claim[EngineNumbers], ...] = (
    Claim("Eqs. (1), (4)", "First law in dimensionless form.", "fig3", _first_laws),
    Claim("Eqs. (6), (7), (46)", "Works and heats are Legendre transforms of each other.", "fig3", _transforms),
    Claim("Eqs. (8), (9), (47), (48)", "Second law: minimum work, maximum entropy, over a closed cycle.", "fig3", _closed),
    _relations(NONEQ, still=False),
    _relations(ENERGIES, still=False),
    Claim("Eqs. (27)-(30)", "Gibbs-Helmholtz relation out of equilibrium.", "fig4", _gibbs_helmholtz),
    _relations(NONEQ, still=True),
    _relations(ENERGIES, still=True),
    Claim("Sec. III.3", "Xi_neq is found by searches for the least work.", "fig10", _bound),
    Claim("Sec. III.4", "x-X and T-S trajectories are closed.", "fig4", _loops),
    Claim("Table 4", "Works per cycle, from the paper's schedules.", "fig3", _own_works),
    Claim("Table 4", "The six works together belong to one cycle.", "table4", _inferred_works),
    Claim("Sec. III.4, Fig. 3", "Horizontal pieces: X follows x with a delay.", "fig3_inferred", _horizontal),
    Claim("Sec. III.4", "The larger the coupling, the smaller the quantum effect.", "table4", _quantum_effect),
    Claim("Sec. III.4", "At strong coupling the engine becomes a refrigerator or damper.", "table4", _damper),
    Claim("Sec. III.4", "Quasi-statically fluctuation and dissipation balance at any coupling.", "quasi_static", _balanced),
    Claim("Sec. III.4", "The efficiency is largest at intermediate coupling (Carnot).", "table4", _intermediate),
    Claim("Sec. III.4", "Efficiency stays below Carnot's.", "table4", _carnot),
    Claim("Sec. III.4, Fig. 4", "The T-S area is Q_ext - Q_wst.", "fig4", _area),
    Claim("Sec. III.4, Fig. 4", "Weak coupling: S is delayed in thermostatic strokes; strong: hardly.", "fig4", _delay),
    Claim("Fig. 5(a), Eq. (13)", "The entropy production rate is always positive.", "fig5", _positive),
    Claim("Sec. III.4", "It is large in isothermal strokes at strong coupling.", "fig5", _isothermal),
    Claim("Sec. III.4", "It is small in thermostatic strokes at weak coupling.", "fig5", _thermostatic),
    Claim("Sec. III.4", "Longer isothermal strokes produce less entropy at strong coupling.", "slower", _longer),
    Claim("Fig. 5(b), (c)", "Weak coupling: classical and quantum H, U agree; strong: not.", "fig5", _weak),
    Claim("App. D, Fig. 10", "Xi_qst - Xi_neq is always positive.", "fig10", _always_below),
    Claim("App. C, Table 7", "Convexity under mixing of states.", "mixing", _mixing),
    _slack(NONEQ, "Entropic potentials are below the quasi-static ones.", "App. D, Table 8"),
    _slack(ENERGIES, "Energies are above the quasi-static ones.", "App. D, Table 9"),
    Claim("companion, abstract", "Quasi-static classical work does not depend on A.", "quasi_static", _companion_classical),
    Claim("companion, abstract", "Quasi-static quantum work falls as A grows.", "quasi_static", _companion_quantum),
    Claim("Sec. III.1", "Results with K poles are those of the bath.", "quasi_static", _converged),
    Claim(
        "Sec. IV", "The theory can be tested in real systems, and improves machines.", "table4",
        lambda n: Verdict(None, "", "a matter of experiments; `jaxthermo better-engine` finds engines of more power"),
    ),
)  # fmt: skip
