"""What Koyanagi & Tanimura 2024 say of potentials, laws and inequalities, claim by claim."""

import numpy as np

from jaxthermo.papers.claims import Claim, Verdict
from jaxthermo.papers.engine import inequalities, relations
from jaxthermo.papers.engine.data import CYCLES
from jaxthermo.papers.engine.ensemble_report import over_all, steepest
from jaxthermo.papers.engine.numbers import EngineNumbers

# Of what is differentiated or searched for, relative to its span.
CLOSE = 2e-2
NEAR_ZERO = 1e-7
# Of energy over heat and work of one cycle, as far as the time step keeps them.
FIRST_LAW = 1e-4
NONEQ = ("massieu", "planck", "m_entropy", "p_entropy")
SLACKS = ("searched", "jump", "bound")
ENERGIES = ("helmholtz", "gibbs", "internal_energy", "enthalpy")


def _first_laws(n: EngineNumbers) -> Verdict:
    worst = {"ext": 0.0, "int": 0.0}
    for data in n.cycles.values():
        dimensionless_U, H = data.beta * data.U, data.beta * data.H
        for name, energy in (("ext", dimensionless_U), ("int", H)):
            gain = energy - energy[0]
            rest = gain - data[f"cumulative_work_{name}"] - data.cumulative_heat_ext
            worst[name] = max(worst[name], float(np.abs(rest).max() / np.ptp(np.asarray(energy))))
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
            worst = max(worst, float(np.abs(rest).max() / np.ptp(np.asarray(product))))
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


def _production(n: EngineNumbers) -> Verdict:
    worst = 0.0
    for data in n.searched.values():
        heat = data.cumulative_heat_ext - data.cumulative_heat_ext[0]
        rest = data.m_entropy - data.m_entropy[0] - heat - data.entropy_produced
        worst = max(worst, float(np.abs(rest).max() / np.ptp(np.asarray(data.m_entropy))))
    return Verdict(worst < 1e-3, f"largest residual over the span of Lambda, {len(n.searched)} cycles {worst:.0e}")


def _entangled(n: EngineNumbers) -> Verdict:
    quantum = {case: d for case, d in n.cycles.items() if case[1] == "quantum"}
    law = max(float(d.first_law_residual) for d in quantum.values())
    least = min(float(d.cumulative_work_int[-1]) for d in quantum.values())
    return Verdict(
        law < FIRST_LAW and least > 0.0,
        f"{len(quantum)} quantum cycles, which start from their own stationary, correlated states: first law to "
        f"{law:.0e}, W~int >= {least:.3f} per cycle",
    )


def _fast_noise(n: EngineNumbers) -> Verdict:
    ratio = {}
    for (cycle, _, _), d in n.cycles.items():
        beta, time = np.asarray(d.beta), np.asarray(d.time)
        apart = np.diff(time) > 1e-6
        change = np.abs(np.diff(np.log(beta)))[apart] / np.diff(time)[apart]
        ratio[cycle] = float((beta[1:][apart] * change).max() / (2.0 * np.pi))
    return Verdict(
        max(ratio.values()) < 1.0,
        "largest (hbar beta/2 pi) |d ln T/dt|: " + ", ".join(f"{c} cycle {v:.3f}" for c, v in ratio.items()),
    )


def _not_canonical(n: EngineNumbers) -> Verdict:
    *_, fewer, most = sorted(poles for poles in n.static if poles is not None)
    work = n.static[most].work
    apart = float(np.abs(work / n.static[None].work - 1.0).max())
    spread = float((np.abs(work - work.mean("coupling")) / np.abs(work)).max())
    error = float(np.abs(n.static[fewer].work / work - 1.0).max())
    return Verdict(
        spread > 2.0 * error,
        f"K = {most}: quasi-static work differs from the classical by up to {apart:.1%}, and between couplings by "
        f"{spread:.1%} (from K = {fewer} to {most} by {error:.1%}); a canonical state would not know A",
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
        float(np.abs(d.enthalpy - d.gibbs - d.m_entropy / d.beta).max() / np.ptp(np.asarray(d.enthalpy)))
        for d in n.searched.values()
    )
    return Verdict(
        worst < 1e-9, f"largest |H - G - T S| over the span of H {worst:.0e}; its derivative form is a row of Table 2"
    )


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


def _always_below(n: EngineNumbers) -> Verdict:
    least = min(float((d.planck_upper - d.planck[d.searched.values].values).min()) for d in n.searched.values())
    return Verdict(least >= -NEAR_ZERO, f"smallest Xi_qst - Xi_neq, {len(n.searched)} cycles: {least:.1e}")


def _mixing(n: EngineNumbers) -> Verdict:
    least = {test: float(n.mixing[test].min()) for test in ("equilibria", "information", "searched")}
    error = float(n.mixing.search_error)
    holds = min(least["equilibria"], least["information"]) > -NEAR_ZERO and least["searched"] > -4.0 * max(
        error, NEAR_ZERO
    )
    return Verdict(
        holds,
        "smallest slack: "
        + ", ".join(f"{k} {v:.1e}" for k, v in least.items())
        + f"; {n.mixing.sizes['pair']} and {n.mixing.sizes['search']} pairs",
    )


def _slack(names: tuple[str, ...], words: str, where: str) -> Claim[EngineNumbers]:
    def judge(n: EngineNumbers) -> Verdict:
        found = {v: {k: inequalities.smallest(n.slacks, "classical", k, v) for k in names} for v in SLACKS}
        texts = {v: ", ".join(f"{name} {value:.1e}" for name, value in each.items()) for v, each in found.items()}
        least = {v: min(each.values()) for v, each in found.items()}
        return Verdict(
            least["jump"] > -inequalities.ROUNDING,
            f"smallest slack, classical: {texts['jump']}; with searches that may not jump: {texts['searched']}; with "
            f"the exact bound Xi_info: {texts['bound']}",
            ""
            if least["searched"] > -inequalities.ROUNDING
            else "the proof in App. D lets beta and x~ jump at once; the searches of Sec. III.3 start at the process's "
            "own values and end above the true minimum, by more than the slack where the condition is another than "
            "equal beta and x~",
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
        for c in given.cycle.values
    )
    return Verdict(
        True if falls else None,
        f"K = {most}, work given away: {text}",
        ""
        if falls
        else "the text of the abstract is not at hand: W, counted as done on the oscillator, falls with A, "
        "the work given away rises towards the classical one; nor is the cycle the paper's",
    )


def _converged(n: EngineNumbers) -> Verdict:
    poles = sorted(p for p in n.static if p is not None)
    last = n.static[poles[-1]].work
    change = float((np.abs(last - n.static[poles[-2]].work) / np.abs(last)).max())
    return Verdict(
        change < CLOSE,
        f"from K = {poles[-2]} to {poles[-1]} the quasi-static work changes by at most {change:.1e} of itself",
    )


CLAIMS: tuple[Claim[EngineNumbers], ...] = (
    Claim("Eqs. (1), (4)", "First law in dimensionless form.", "fig3", _first_laws),
    Claim("Eqs. (6), (7), (46)", "Works and heats are Legendre transforms of each other.", "fig3", _transforms),
    Claim(
        "Eqs. (8), (9), (47), (48)",
        "Second law: least work, largest entropy, over a cycle.",
        "fig3",
        over_all(_closed, lambda f: min(f["entropy_produced"]) >= 0.0),
    ),
    Claim("abstract, Sec. I", "Valid in the full quantum regime, without factorised starts.", "fig3", _entangled),
    _relations(NONEQ, still=False),
    _relations(ENERGIES, still=False),
    Claim("Eqs. (18), (26)", "Entropy produced = gain of Lambda less extensive heat.", "fig4", _production),
    Claim("Eqs. (27)-(30)", "Gibbs-Helmholtz relation out of equilibrium.", "fig4", _gibbs_helmholtz),
    _relations(NONEQ, still=True),
    _relations(ENERGIES, still=True),
    Claim("Sec. III.3", "Xi_neq is found by searches for the least work.", "fig10", _bound),
    Claim("Fig. 5(a), Eq. (13)", "The entropy production rate is always positive.", "fig5", _positive),
    Claim("App. D, Fig. 10", "Xi_qst - Xi_neq is always positive.", "fig10", _always_below),
    Claim("App. C, Table 7", "Convexity under mixing of states.", "mixing", _mixing),
    _slack(NONEQ, "Entropic potentials are below the quasi-static ones.", "App. D, Table 8"),
    _slack(ENERGIES, "Energies are above the quasi-static ones.", "App. D, Table 9"),
    Claim(
        "companion, abstract", "Quasi-static classical work does not depend on A.", "quasi_static", _companion_classical
    ),
    Claim("companion, abstract", "Quasi-static quantum work falls as A grows.", "quasi_static", _companion_quantum),
    Claim("Sec. I", "With entanglement the equilibrium deviates from Boltzmann's.", "quasi_static", _not_canonical),
    Claim(
        "Sec. III.1",
        "The time of the quantum noise is shorter than that of beta(t).",
        "fig2",
        over_all(_fast_noise, lambda f: steepest(f) < 2.0 * np.pi),
    ),
    Claim("Sec. III.1", "Results with K poles are those of the bath.", "quasi_static", _converged),
)
